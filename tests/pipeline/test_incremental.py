"""Runs on a changing export rebuild only what changed, and their tables equal those of a new run."""

import contextlib
import itertools
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square
from stores import copied, edit_manifest, manifest_file, manifest_of, published, stored, unneeded, versions

import polyframe as pf
from polyframe.core.tables import TABLES, VOLUNTEER_SUMS
from polyframe.store.output import MANIFEST, STORE, WORK, partition_of
from polyframe.store.stages import MERGED_TABLES, STAGE_TABLES, public_tables

Call = Callable[..., Done]
Rows = list[dict[str, Any]]

#: Spaces after every annotations cell, so that three subjects fill a partition of 1 MB.
PADDING = " " * 80_000
VOLUNTEERS = 4
#: The subjects of each partition of the first export.
PARTITIONS = {"00000": (1, 2, 3), "00001": (4, 5, 6), "00002": (7, 8)}


def classification(subject: int, volunteer: int, shift: float | None = None, **cells: Any) -> dict[str, Any]:
    marks = [square(volunteer if shift is None else shift, 0), square(40 + 6 * volunteer, 0)]
    named = {"subject_ids": subject, "user_name": f"volunteer{volunteer}"} | cells
    return export_row(100 * subject + volunteer, drawing(*marks) + PADDING, **named)


def first_rows() -> Rows:
    """Return rows of subjects 1 to 8, sorted by volunteer."""
    return [classification(subject, v) for v in range(VOLUNTEERS) for subject in range(1, 9)]


def write(path: Path, rows: Rows) -> Path:
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def run(export: Any, out: Path, **options: Any) -> pf.Summary:
    return pf.run(export, out, **{"jobs": 1, "partition_size": 1, "engine": "shapely"} | options)


@dataclass(frozen=True)
class Snapshot:
    """Part files, each with its inode, time and content."""

    states: dict[str, tuple[int, int, bytes]]

    def rewritten(self, later: "Snapshot") -> set[str]:
        """Return the part files that are new or were written again."""
        return {name for name, state in later.states.items() if self.states.get(name) != state}


def snapshot(out: Path) -> Snapshot:
    paths = {(path.parent.name, partition_of(path.name)): path for path in out.glob("*/*.parquet")}
    with contextlib.suppress(pf.PolyframeError):
        for record in manifest_of(out).partitions:
            if "reduce" in record.stages:
                paths[VOLUNTEER_SUMS.name, record.name] = stored(out, VOLUNTEER_SUMS.name, record.name)
    return Snapshot(
        {
            f"{table}/{name}": (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
            for (table, name), path in paths.items()
        }
    )


def parts(names: Any, *stages: str) -> set[str]:
    """Return the part files of some stages (default: all) and partitions."""
    chosen = stages or tuple(STAGE_TABLES)
    by_partition = {f"{table}/{name}" for stage in chosen for table in STAGE_TABLES[stage] for name in names}
    merged = {f"{table}/00000" for stage in chosen for table in MERGED_TABLES.get(stage, ())}
    return by_partition | merged if by_partition else set()


def check(export: Any, out: Path, **options: Any) -> None:
    """Compare with a rebuild of everything with the same borders, and with a run into a new directory."""
    copy, fresh = out.with_name("forced"), out.with_name("fresh")
    for folder in (copy, fresh):
        shutil.rmtree(folder, ignore_errors=True)
    copied(out, copy)
    forced = run(export, copy, force=True, **options)
    assert forced.made == forced.partitions
    assert published(copy) == published(out)
    run(export, fresh, **options)
    stages = manifest_of(out).stages
    assert stages == manifest_of(fresh).stages
    for name in public_tables(stages):
        assert pf.scan(out, name).collect().equals(pf.scan(fresh, name).collect()), name
    assert manifest_of(out).accounting == manifest_of(fresh).accounting
    assert not (out / WORK).exists()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first export and its output, which tests must not change."""
    folder = tmp_path_factory.mktemp("start")
    summary = run(write(folder / "export.csv", first_rows()), folder / "out")
    assert summary.made == summary.partitions == 3
    return folder


@pytest.fixture
def export(start: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(start / "export.csv", tmp_path / "export.csv"))


@pytest.fixture
def out(start: Path, tmp_path: Path) -> Path:
    return copied(start / "out", tmp_path / "out")


def test_the_first_export_has_the_expected_partitions(out: Path) -> None:
    first_subjects = {p.name: p.first_subject for p in manifest_of(out).partitions}
    assert first_subjects == {"00000": None, "00001": 4, "00002": 7}
    for name, subjects in PARTITIONS.items():
        part = pl.read_parquet(out / "classifications" / f"part-{name}.parquet")
        assert set(part["subject_id"]) == set(subjects)


def test_an_unchanged_export_is_only_scanned(
    export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, manifest = snapshot(out), (out / "polyframe.json").stat()
    monkeypatch.delattr(pl.LazyFrame, "sink_batches")
    summary = run(export, out)
    assert (summary.made, summary.partitions, summary.temporary_bytes) == (0, 3, 0)
    assert not before.rewritten(snapshot(out))
    assert (out / "polyframe.json").stat().st_mtime_ns == manifest.st_mtime_ns
    assert versions(out) == [1]
    assert not (out / WORK).exists()


def test_the_command_reports_reused_partitions(export: Path, out: Path, polyframe: Call) -> None:
    command = ("run", export, "-o", out, "--partition-size", 1, "--engine", "shapely")
    assert "0 of 3 partitions processed, 3 up to date" in polyframe(*command).out
    write(export, [*first_rows(), classification(4, 9)])
    assert "1 of 3 partitions processed, 2 up to date" in polyframe(*command).out
    assert "3 of 3 partitions processed" in polyframe(*command, "--force").out


def replaced(rows: Rows, subject: int, **cells: Any) -> Rows:
    """Change cells of the first row of a subject, or of the first row if the subject has none."""
    position = next((i for i, row in enumerate(rows) if row["subject_ids"] == subject), 0)
    return [*rows[:position], rows[position] | cells, *rows[position + 1 :]]


def without(rows: Rows, *subjects: int) -> Rows:
    return [row for row in rows if row["subject_ids"] not in subjects]


#: Changes of the export, and the partitions that they affect.
CHANGES: dict[str, tuple[Callable[[Rows], Rows], set[str]]] = {
    "new subjects at the end": (
        lambda rows: rows + [classification(s, v) for v in range(VOLUNTEERS) for s in (9, 10, 11, 12, 13)],
        {"00002", "00003", "00004"},
    ),
    "a new subject in between": (
        lambda rows: replaced([*rows, classification(5, 7)], 5, subject_ids=5),
        {"00001"},
    ),
    "a new first subject": (lambda rows: [classification(0, 1), *rows], {"00000"}),
    "new classifications of old subjects": (
        lambda rows: [*rows, classification(1, 8), classification(7, 8)],
        {"00000", "00002"},
    ),
    "a corrected mark": (
        lambda rows: replaced(rows, 5, annotations=drawing(square(3, 3)) + PADDING),
        {"00001"},
    ),
    "a corrected name": (lambda rows: replaced(rows, 5, user_name="volunteer1"), {"00001"}),
    "a corrected number": (lambda rows: replaced(rows, 5, user_id=99), {"00001"}),
    "a corrected time": (lambda rows: replaced(rows, 8, created_at="2026-03-01 10:00:00 UTC"), {"00002"}),
    "a gold standard": (lambda rows: replaced(rows, 8, gold_standard="true"), {"00002"}),
    "another version": (lambda rows: replaced(rows, 2, workflow_version="3.0"), {"00000"}),
    "no version": (lambda rows: replaced(rows, 2, workflow_version="none"), {"00000"}),
    "another workflow": (lambda rows: replaced(rows, 2, workflow_id="x"), {"00000"}),
    "a row that moved to another subject": (
        lambda rows: replaced(rows, 2, subject_ids=8, classification_id=5),
        {"00000", "00002"},
    ),
    "a row that lost its subject": (lambda rows: replaced(rows, 8, subject_ids=None), {"00000", "00002"}),
    "a deleted row": (lambda rows: rows[:-1], {"00002"}),
    "a deleted subject": (lambda rows: without(rows, 5), {"00001"}),
    "a partition without subjects": (lambda rows: without(rows, 4, 5, 6), {"00001"}),
    "the last subjects deleted": (lambda rows: without(rows, 7, 8), {"00002"}),
    "the same row twice": (lambda rows: [*rows, rows[0]], {"00000"}),
    "all rows in another order": (lambda rows: rows[::-1], set()),
    "cells that no run reads": (
        lambda rows: replaced(rows, 2, metadata="{}{}", subject_data="x", user_ip="y", workflow_name="z"),
        set(),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_changed_partitions_are_rebuilt(change: str, export: Path, out: Path) -> None:
    mutate, changed = CHANGES[change]
    before = snapshot(out)
    write(export, mutate(first_rows()))
    # Explicit, since the version may change.
    options = {"workflow_id": 7, "workflow_version": "3.1"}
    summary = run(export, out, **options)
    assert before.rewritten(snapshot(out)) == parts(changed)
    assert summary.made == len(changed)
    check(export, out, **options)


def test_several_changes_in_sequence(export: Path, out: Path) -> None:
    rows = first_rows()
    for change in ("new subjects at the end", "a corrected mark", "a deleted subject", "a deleted row"):
        rows = CHANGES[change][0](rows)
        run(write(export, rows), out)
    check(export, out)
    run(write(export, first_rows()), out)
    check(export, out)


def test_a_partition_of_more_than_twice_its_size_is_split(export: Path, out: Path) -> None:
    before = snapshot(out)
    rows = first_rows() + [classification(s, v) for v in range(10, 15) for s in (4, 5, 6)]
    run(write(export, rows), out)
    names = [partition.name for partition in manifest_of(out).partitions]
    assert names == ["00000", "00001-00", "00001-01", "00001-02", "00002"]
    assert before.rewritten(snapshot(out)) == parts(names[1:4])
    for name in TABLES:
        keys = pl.scan_parquet(out / name / "*.parquet").select(TABLES[name].sort_by).collect()
        assert keys.equals(
            keys.sort(keys.columns, nulls_last=[key == "created_at" for key in keys.columns])
        ), name
    check(export, out)
    assert run(export, out).made == 0


def test_another_partition_size_keeps_the_borders(export: Path, out: Path) -> None:
    before = snapshot(out)
    assert run(export, out, partition_size=100).made == 0
    assert not before.rewritten(snapshot(out))


# Settings


@pytest.mark.parametrize(
    ("options", "stages"),
    [
        ({"eps": 0.3}, ("reduce", "contours")),
        ({"min_samples": 3}, ("reduce", "contours")),
        ({"min_threshold": 0.6}, ("reduce", "contours")),
        ({"average_type": "union"}, ("reduce",)),
        ({"filter": "last"}, ("reduce", "contours")),
        ({"contour_method": "raster"}, ("contours",)),
        ({"tool": 0}, ("extract", "reduce", "contours")),
        ({"collab": True}, ()),
        ({"jobs": 2}, ()),
    ],
    ids=str,
)
def test_a_setting_rebuilds_only_the_tables_that_depend_on_it(
    options: dict[str, Any], stages: tuple[str, ...], export: Path, out: Path
) -> None:
    before, bytes_before = snapshot(out), published(out)
    run(export, out, **options)
    assert before.rewritten(snapshot(out)) == (parts(PARTITIONS, *stages) if stages else set())
    check(export, out, **options)
    run(export, out)
    assert published(out) == bytes_before


def test_without_contours_and_then_with(export: Path, out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(export, other, contours=False)
    assert not (other / "contours").exists()
    before = snapshot(other)
    run(export, other)
    assert before.rewritten(snapshot(other)) == parts(PARTITIONS, "contours")
    assert published(other) == published(out)
    before = snapshot(out)
    assert run(export, out, contours=False).made == 0
    assert not before.rewritten(snapshot(out))
    run(export, out, contours=False, eps=0.3)
    assert not (out / "contours").exists()
    check(export, out, contours=False, eps=0.3)


def test_single_stages_equal_a_run_with_duplicates(export: Path, tmp_path: Path, polyframe: Call) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    # A duplicate affects all stages, which makes this the harder case.
    rows = [*first_rows(), classification(5, 0, shift=90)]
    run(write(export, rows), out)
    polyframe("extract", export, "-o", other, "--partition-size", 1)
    assert polyframe("reduce", other, "--engine", "shapely").code == 0
    assert polyframe("contours", other, "--engine", "shapely").code == 0
    assert published(other) == published(out)
    for command in (("extract", export, "-o", other), ("reduce", other), ("contours", other)):
        assert "0 of 3 partitions processed" in polyframe(*command).out
    assert published(other) == published(out)


def test_extracting_again_keeps_current_tables(export: Path, out: Path, polyframe: Call) -> None:
    before = published(out)
    assert polyframe("extract", export, "-o", out, "--partition-size", 1).code == 0
    assert published(out) == before
    write(export, CHANGES["a corrected mark"][0](first_rows()))
    assert polyframe("extract", export, "-o", out, "--partition-size", 1).code == 0
    assert manifest_of(out).stages == ("extract",)
    assert {path.name for path in out.iterdir()} == {*STAGE_TABLES["extract"], MANIFEST, STORE}
    assert polyframe("reduce", out, "--engine", "shapely").code == 0
    assert polyframe("contours", out, "--engine", "shapely").code == 0
    check(export, out)


def test_removed_tables_are_reported(export: Path, out: Path, polyframe: Call) -> None:
    write(export, CHANGES["a corrected mark"][0](first_rows()))
    assert "contours" in polyframe("run", export, "-o", out, "--no-contours").err
    assert "reductions" in polyframe("extract", export, "-o", out, "--tool", 0).err


def test_a_later_stage_may_use_some_of_the_marks(export: Path, out: Path, polyframe: Call) -> None:
    rows = [
        row | {"annotations": drawing(square(v, 0), square(v, 9, toolIndex=1)) + PADDING}
        for row in first_rows()
        for v in [int(row["user_name"][-1])]
    ]
    run(write(export, rows), out)
    whole = published(out)
    assert polyframe("reduce", out, "--tool", 1).code == 0
    assert pf.scan(out, "labels").collect()["tool"].unique().to_list() == ["T0_toolIndex1"]
    assert not (out / "contours").exists()
    # The parts of the version before are still there.
    assert run(export, out).made == 0
    assert published(out) == whole


# Rows named by their position


def test_rejects_contain_the_current_positions_of_rows(export: Path, out: Path) -> None:
    rows = replaced(replaced(first_rows(), 5, classification_id="x"), 2, subject_ids="y")
    run(write(export, rows), out)
    before = snapshot(out)
    shifted = [classification(1, 1, workflow_id=8), *rows]
    summary = run(write(export, shifted), out, workflow_id=7)
    assert before.rewritten(snapshot(out)) == parts(["00000", "00001"], "extract")
    assert summary.made == 2
    details = pf.scan(out, "rejects").collect()["detail"]
    assert [detail.split(":")[0] for detail in details] == ["row 3", "row 6"]
    check(export, out, workflow_id=7)


def test_of_two_rows_with_the_same_id_the_order_decides(export: Path, out: Path) -> None:
    twice = [classification(5, 0, shift=0), classification(5, 0, shift=90)]
    rest = [row for row in first_rows() if row["classification_id"] != twice[0]["classification_id"]]
    run(write(export, rest + twice), out)
    run(write(export, rest + twice[::-1]), out)
    check(export, out)


def test_reducing_again_uses_the_row_that_counts(export: Path, out: Path, polyframe: Call) -> None:
    twice = [classification(5, 0, shift=0), classification(5, 0, shift=90)]
    rest = [row for row in first_rows() if row["classification_id"] != twice[0]["classification_id"]]
    run(write(export, rest + twice), out)
    polyframe("extract", write(export, rest + twice[::-1]), "-o", out, "--partition-size", 1)
    polyframe("reduce", out, "--engine", "shapely")
    polyframe("contours", out, "--engine", "shapely")
    check(export, out)


def test_several_files_are_one_export(export: Path, out: Path, tmp_path: Path) -> None:
    before, rows = snapshot(out), first_rows()
    one, two = write(tmp_path / "one.csv", rows[:9]), write(tmp_path / "two.csv", rows[9:])
    assert run([one, two], out).made == 0
    assert not before.rewritten(snapshot(out))
    write(two, [*rows[9:], classification(8, 5), classification(5, 5, classification_id="x")])
    assert run([one, two], out).made == 2
    check([one, two], out)
    # The table rejects names the file of the rejected row, which has changed.
    before = snapshot(out)
    assert run([one, two.rename(tmp_path / "three.csv")], out).made == 1
    assert before.rewritten(snapshot(out)) == parts(["00001"], "extract")
    assert pf.scan(out, "rejects").collect()["detail"][0].startswith("three.csv row 25")


def test_two_spellings_of_a_version_are_the_same(export: Path, tmp_path: Path) -> None:
    rows = [
        classification(s, v, workflow_version="3.01" if v % 2 else " 3.1") for s in range(3) for v in range(4)
    ]
    write(export, rows)
    run(export, tmp_path / "new")
    first = published(tmp_path / "new")
    for _ in range(6):
        assert run(export, tmp_path / "new").made == 0
        assert published(tmp_path / "new") == first


# Damaged parts


@pytest.mark.parametrize("table", ["extractions", "rejects", "labels", "contours"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "folder missing"])
def test_a_damaged_part_is_rebuilt(table: str, damage: str, export: Path, out: Path) -> None:
    whole, before = published(out), snapshot(out)
    path, in_store = out / table / "part-00001.parquet", stored(out, table, "00001")
    if damage == "missing":
        path.unlink()
        in_store.unlink()
    elif damage == "folder missing":
        shutil.rmtree(path.parent)
        shutil.rmtree(in_store.parent.parent)
    else:
        # The part in the store is the same file.
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:-50])
    summary = run(export, out)
    assert summary.made == (3 if damage == "folder missing" else 1)
    assert published(out) == whole
    stage = next(stage for stage, tables in STAGE_TABLES.items() if table in tables)
    rebuilt = PARTITIONS if damage == "folder missing" else ["00001"]
    assert before.rewritten(snapshot(out)) <= parts(rebuilt, stage)


@pytest.mark.parametrize("damage", ["missing", "replaced", "folder missing", "foreign part"])
def test_a_damaged_view_is_restored_from_the_store(damage: str, export: Path, out: Path) -> None:
    whole, before = published(out), snapshot(out)
    path = out / "labels" / "part-00001.parquet"
    if damage == "folder missing":
        shutil.rmtree(path.parent)
    elif damage == "foreign part":
        shutil.copy(path, path.with_name("part-00007.parquet"))
    else:
        path.unlink()
        if damage == "replaced":
            shutil.copy(path.with_name("part-00000.parquet"), path)
    assert pf.validate(out)
    assert (damage == "foreign part") == (not pf.status(out).not_current)
    assert run(export, out).made == 0
    assert published(out) == whole
    assert not before.rewritten(snapshot(out))
    assert pf.validate(out) == []


def test_damage_inside_a_part_is_reported_and_can_be_repaired(export: Path, out: Path) -> None:
    """The length and the footer are right, so only reading the columns shows the damage."""
    whole = published(out)
    path = out / "extractions" / "part-00001.parquet"
    path.write_bytes(whole["extractions/part-00001.parquet"][:100] + bytes(300) + path.read_bytes()[400:])
    with pytest.raises(pf.PolyframeError, match=r"part=00001/.*parquet: is missing or damaged; .* --force"):
        run(export, out, eps=0.3)
    run(export, out, force=True)
    assert published(out) == whole


def test_parts_of_another_version_are_rebuilt(
    export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyframe.store.fingerprints._MADE_BY", ("polyframe", "0.0.1"))
    assert run(export, out).made == 3


def test_an_unreadable_manifest_is_ignored(export: Path, out: Path) -> None:
    whole = published(out)
    manifest_file(out).write_text("{")
    # The footers of the parts say what they were made from.
    assert run(export, out).made == 0
    assert published(out) == whole
    assert versions(out) == [1, 2]
    assert run(export, out, eps=0.3).number == 3
    assert versions(out) == [2, 3]
    assert unneeded(out) == set()


# Interrupted runs


class DiedError(Exception):
    pass


def stop(after: int) -> Callable[[int, int], None]:
    """Return a function that receives progress, and raises an error after some partitions."""
    calls = itertools.count()

    def progress(_done: int, _all: int) -> None:
        if next(calls) == after:
            raise DiedError

    return progress


def die(export: Path, out: Path, after: int = 1, **options: Any) -> None:
    """Start a run that ends after some partitions, before it publishes anything."""
    with pytest.raises(DiedError):
        run(export, out, progress=stop(after), **options)
    assert not (out / WORK).exists()


def test_finished_parts_are_reused(export: Path, out: Path) -> None:
    die(export, out, after=2, eps=0.3)
    assert run(export, out, eps=0.3).made == 1
    check(export, out, eps=0.3)


def test_a_continued_run_equals_an_uninterrupted_one(export: Path, out: Path, tmp_path: Path) -> None:
    die(export, tmp_path / "new", after=2)
    assert run(export, tmp_path / "new").made == 1
    assert published(tmp_path / "new") == published(out)


def test_finished_parts_with_other_settings_are_not_used(export: Path, out: Path) -> None:
    die(export, out, eps=0.3)
    run(write(export, CHANGES["a corrected time"][0](first_rows())), out)
    check(export, out)


def test_finished_parts_of_a_kept_table_are_not_used(export: Path, out: Path) -> None:
    die(export, out, eps=0.3)
    run(export, out, contours=False, average_type="union")
    assert (out / "contours").exists()
    check(export, out, average_type="union")


def test_finished_parts_of_other_rows_are_not_used(export: Path, out: Path) -> None:
    original = export.read_bytes()
    write(export, [*first_rows(), classification(1, 9)])
    die(export, out)
    export.write_bytes(original)
    run(export, out, eps=0.3)
    check(export, out, eps=0.3)


@pytest.mark.parametrize("stage", ["reduce", "contours"])
def test_a_later_stage_reads_published_parts(stage: str, export: Path, out: Path, polyframe: Call) -> None:
    write(export, [*first_rows(), classification(1, 9)])
    uninterrupted = out.with_name("uninterrupted")
    copied(out, uninterrupted)
    die(export, out)
    option = ("--average", "union") if stage == "reduce" else ("--contour-method", "raster")
    for folder in (out, uninterrupted):
        assert polyframe(stage, folder, *option, "--engine", "shapely").code == 0
    assert published(out) == published(uninterrupted)


def test_a_rebuilt_damaged_part_is_used_after_an_interruption(export: Path, out: Path) -> None:
    whole = published(out)
    (out / "labels" / "part-00001.parquet").write_bytes(b"")
    die(export, out)
    run(export, out)
    assert published(out) == whole


@pytest.mark.parametrize("seed", range(3))
def test_tables_do_not_depend_on_earlier_runs(seed: int, export: Path, out: Path, polyframe: Call) -> None:
    """Change exports, settings and commands and interrupt runs in any order, then run once."""
    chance = random.Random(seed)
    rows = first_rows()
    for _ in range(6):
        step = chance.choice(
            ["change", "change", "back", "run", "die", "die", "extract", "reduce", "contours"]
        )
        options = chance.choice([{}, {}, {"eps": 0.3}, {"average_type": "union"}, {"tool": 0}])
        if step == "change":
            rows = CHANGES[chance.choice(list(CHANGES))][0](rows)
        elif step == "back":
            rows = first_rows()
        write(export, rows)
        try:
            if step == "run":
                run(export, out, workflow_id=7, contours=chance.random() < 0.6, **options)
            elif step == "die":
                after = chance.choice([1, 2])
                run(
                    export,
                    out,
                    workflow_id=7,
                    progress=stop(after),
                    **options,
                )
        except DiedError:
            pass
        if step == "extract":
            polyframe("extract", export, "-o", out, "--workflow-id", 7, "--partition-size", 1)
        elif step in ("reduce", "contours"):
            polyframe(step, out, *(("--eps", 0.3) if chance.random() < 0.3 else ()))
    run(export, out, workflow_id=7)
    check(export, out, workflow_id=7)


def test_an_output_of_another_schema_is_rebuilt(tmp_path: Path, polyframe: Call) -> None:
    """Its contents do not matter; until then, commands that read it say what to do."""
    export = write(tmp_path / "export.csv", first_rows())
    out = tmp_path / "out"
    run(export, out)
    expected = published(out)
    edit_manifest(out, lambda manifest: manifest.update(schema_version=1))
    for table in ("labels", "reductions"):
        for path in (out / table).iterdir():
            pl.read_parquet(path)[:, :-1].write_parquet(path)
    shutil.copy(path, path.with_name("part-00009.parquet"))
    for command in ("status", "reduce"):
        done = polyframe(command, out)
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert done.err.endswith(
            "made by another version of polyframe; rebuild the tables with `polyframe run`\n"
        )
    assert run(export, out).made == 3
    assert published(out) == expected
