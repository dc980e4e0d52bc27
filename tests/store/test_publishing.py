"""All tables are published together or none: publishing is interrupted at every step, then run again."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fault_injection
import polars as pl
import pytest
from footers import settings_in
from run_processes import PARTITION_BYTES, small_export
from s3_server import Bucket
from stores import all_files, copied, leftovers, manifest_of, published, stored, unneeded, versions

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.pipeline import plan, run
from polyframe.store import publishing, view
from polyframe.store.manifest import Manifest
from polyframe.store.output import STORE, WORK, Output, Work

SUBJECTS = 2


class Killed(BaseException):
    """Represents the end of the process; no code catches it."""


def tables(out: Path) -> dict[str, pl.DataFrame | None]:
    """Each table as `polyframe.scan` reads it; None if it is missing."""
    frames: dict[str, pl.DataFrame | None] = {}
    for table in TABLES:
        try:
            frames[table] = pf.scan(out, table).collect()
        except pf.PolyframeError as error:
            expected = ("has no table", "not a polyframe output directory", "no such")
            if not any(reason in str(error) for reason in expected):
                raise
            frames[table] = None
    return frames


@dataclass(frozen=True)
class Change:
    """An output directory just before a run publishes its parts, and its tables before and after."""

    ready: Path
    arguments: tuple[Any, ...]
    again: Callable[[Path], Any]
    old: dict[str, pl.DataFrame | None]
    new: dict[str, pl.DataFrame | None]
    final: dict[str, bytes]


@pytest.fixture
def change(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    small, out, ready = small_export(tmp_path / "export.csv", SUBJECTS), tmp_path / "out", tmp_path / "ready"
    options: dict[str, Any] = {"engine": "shapely", "jobs": 1}
    if request.param != "first":
        pf.run(small, out, **options)
    changed = {
        "first": {},
        "other eps": {"eps": 0.2},
        "grown": {},
        "fewer tables": {"eps": 0.2, "contours": False},
    }
    if request.param == "grown":
        small_export(small, SUBJECTS + 1)
    old = tables(out)
    seen: list[Any] = []
    publish = publishing.publish

    def keep_copy(work: Work, *arguments: Any) -> Manifest:
        copied(out, ready)
        seen.extend(arguments)
        return publish(work, *arguments)

    def again(output: Path) -> Any:
        return pf.run(small, output, **options, **changed[request.param])

    monkeypatch.setattr(run, "publish", keep_copy)
    again(out)
    monkeypatch.setattr(run, "publish", publish)
    assert len(list((out / "groups").iterdir())) >= SUBJECTS
    return Change(ready, tuple(seen), again, old, tables(out), published(out))


def interrupted(change: Change, out: Path) -> Iterator[int]:
    """Interrupt publishing before its first change of a file name, its second, and so on to the end."""
    for number in range(1000):
        copied(change.ready, out)
        left = number

        def count() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        originals = fault_injection.before_each_change(count)
        try:
            publishing.publish(Work(Output(out), out / WORK), *change.arguments)
            return
        except Killed:
            pass
        finally:
            for place, name, original in originals:
                setattr(place, name, original)
        yield number
        shutil.rmtree(out)


@pytest.mark.parametrize(
    ("change", "exchanges"),
    [
        ("first", True),
        ("other eps", True),
        ("other eps", False),
        ("grown", True),
        ("fewer tables", False),
    ],
    indirect=["change"],
)
def test_publishing_that_is_interrupted_anywhere(
    change: Change, exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(view, "_exchanged", lambda _one, _other: False)
    out = tmp_path / "interrupted"
    seen_old = seen_new = steps = 0
    for number in interrupted(change, out):
        steps += 1
        for table in TABLES:
            folder = out / table
            if not folder.exists():
                # Between two renames the folder is missing for a moment.
                assert not exchanges or change.old[table] is None or change.new[table] is None
                continue
            assert len(settings_in(folder)) == 1, (number, table)
        frames = tables(out)
        is_old, is_new = (
            all(_equal(frames[table], expected[table]) for table in TABLES)
            for expected in (change.old, change.new)
        )
        assert is_old or is_new, number
        seen_old, seen_new = seen_old + is_old, seen_new + (is_new and not is_old)
        # Once the version is published, the old tables never come back.
        assert not (is_old and seen_new), number
        if number % 4:
            # To continue takes much longer than to read.
            continue
        change.again(out)
        assert published(out) == change.final, number
        assert leftovers(out) == []
        assert unneeded(out) == set()
    assert steps > 5
    assert seen_old
    assert seen_new


def _equal(one: pl.DataFrame | None, other: pl.DataFrame | None) -> bool:
    return other is None if one is None else other is not None and one.equals(other)


@pytest.fixture
def export_and_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An export and its output directory, with several partitions."""
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    small, out = small_export(tmp_path / "export.csv", SUBJECTS), tmp_path / "out"
    pf.run(small, out, engine="shapely", jobs=1)
    return small, out


def run_that_dies(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Let a run die after it finished its parts and before it publishes them."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(run, "publish", die)
        with pytest.raises(Killed):
            pf.run(small, out, engine="shapely", jobs=1, **options)


def test_finished_parts_with_other_settings_are_not_published(
    export_and_output: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = export_and_output
    run_that_dies(small, out, monkeypatch, eps=0.2)
    run_that_dies(small, out, monkeypatch, visitors="name", eps=0.2)
    assert len([name for name in unneeded(out) if "/extractions/" in name]) >= SUBJECTS
    # One partition is out of date, the other is current.
    text = small.read_text().replace("volunteer9", "somebody")
    small.write_text(text)
    pf.run(small, out, engine="shapely", jobs=1)
    pf.run(small, tmp_path / "scratch", engine="shapely", jobs=1)
    assert published(out) == published(tmp_path / "scratch")
    assert unneeded(out) == set()


def test_a_later_stage_starts_from_the_published_extractions(
    export_and_output: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    polyframe: Callable[..., Any],
) -> None:
    small, out = export_and_output
    other = copied(out, tmp_path / "other")
    run_that_dies(small, out, monkeypatch, visitors="name")
    for folder in (out, other):
        assert polyframe("reduce", folder, "--eps", 0.3, "--engine", "shapely", "--jobs", 1).code == 0
    assert published(out) == published(other)


def test_a_missing_part_that_a_dead_run_rebuilt_is_published(
    export_and_output: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = export_and_output
    whole = published(out)
    stored(out, "labels").unlink()
    next((out / "labels").iterdir()).unlink()
    run_that_dies(small, out, monkeypatch)
    pf.run(small, out, engine="shapely", jobs=1)
    assert published(out) == whole


def test_force_rebuilds_parts_with_damage_outside_the_footer(export_and_output: tuple[Path, Path]) -> None:
    small, out = export_and_output
    whole = published(out)
    damaged = sorted((out / "extractions").iterdir())[1]
    content = bytearray(damaged.read_bytes())
    content[40] ^= 0xFF
    damaged.write_bytes(content)
    pf.run(small, out, engine="shapely", jobs=1, force=True)
    assert published(out) == whole


def test_a_part_that_disappears_during_the_run_stops_publishing(
    export_and_output: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = export_and_output
    whole = published(out)
    publish = publishing.publish

    def without_a_part(work: Work, *arguments: Any) -> Manifest:
        stored(out, "extractions").unlink()
        return publish(work, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(run, "publish", without_a_part)
        with pytest.raises(pf.PolyframeError) as caught:
            pf.run(small, out, engine="shapely", jobs=1, eps=0.2)
    assert str(caught.value) == (
        f"{out}: parts of partition 00000 (classifications, extractions, rejects) disappeared during the "
        "run; run again"
    )
    assert versions(out) == [1]
    assert published(out) == whole
    pf.run(small, out, engine="shapely", jobs=1, eps=0.2)
    assert pf.validate(out) == []


def test_parts_are_shared_by_versions_and_never_changed(export_and_output: tuple[Path, Path]) -> None:
    """A version whose extractions are unchanged has the same files for them."""
    small, out = export_and_output
    first = {path: (path.read_bytes(), path.stat()) for path in (out / STORE).rglob("*") if path.is_file()}
    pf.run(small, out, engine="shapely", jobs=1, eps=0.2)
    assert versions(out) == [1, 2]
    later = {path: (path.read_bytes(), path.stat()) for path in first}
    # Only the number of links may differ.
    assert [(content, status.st_ino, status.st_mtime_ns) for content, status in first.values()] == [
        (content, status.st_ino, status.st_mtime_ns) for content, status in later.values()
    ]
    new = [path.parts for path in (out / STORE).rglob("*.parquet") if path not in first]
    assert not any("extractions" in path for path in new)
    assert any("labels" in path for path in new)


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_a_local_output_keeps_some_versions(keep: int, export_and_output: tuple[Path, Path]) -> None:
    small, out = export_and_output
    by_eps = {}
    for number, eps in enumerate((0.2, 0.3, 0.4), 2):
        summary = pf.run(small, out, engine="shapely", jobs=1, eps=eps, keep_versions=keep)
        assert summary.number == number
        by_eps[number] = eps
    kept = list(range(1, 5))[-keep:]
    assert versions(out) == kept
    assert unneeded(out) == set()
    for number in kept:
        assert manifest_of(out, number).settings.eps == by_eps.get(number, 0.5)
        assert pf.scan(out, "labels", version=number).collect().height == 5 * SUBJECTS
    if keep < 4:
        with pytest.raises(pf.PolyframeError, match=f"{out}: has no version 1; it has version"):
            pf.scan(out, "labels", version=1)


def test_a_run_that_changes_nothing_publishes_nothing(export_and_output: tuple[Path, Path]) -> None:
    small, out = export_and_output
    before = all_files(out)
    summary = pf.run(small, out, engine="shapely", jobs=1)
    assert (summary.number, summary.made) == (1, 0)
    forced = pf.run(small, out, engine="shapely", jobs=1, force=True)
    assert (forced.number, forced.made) == (1, forced.partitions)
    after = all_files(out)
    assert after.keys() - before.keys() <= {f"{STORE}/manifests/checked.json"}
    assert {name: after[name] for name in before} == before


def test_of_two_runs_in_a_bucket_the_first_publishes_and_the_other_can_continue(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    small, url = small_export(tmp_path / "export.csv", SUBJECTS), f"{bucket.url}/out"
    options: dict[str, Any] = {"engine": "shapely", "jobs": 1, "storage_options": bucket.options}
    publish = publishing.publish

    def after_another_run(*arguments: Any) -> Manifest:
        monkeypatch.setattr(run, "publish", publish)
        pf.run(small, url, eps=0.2, **options)
        return publish(*arguments)

    monkeypatch.setattr(run, "publish", after_another_run)
    with pytest.raises(pf.PolyframeError, match=r"published version 1 at .*the finished parts are reused"):
        pf.run(small, url, **options)
    assert pf.status(url, storage_options=bucket.options).settings["eps"] == 0.2
    summary = pf.run(small, url, **options)
    assert (summary.number, summary.made) == (2, 0)
    assert pf.validate(url, storage_options=bucket.options) == []
    pf.run(small, tmp_path / "local", engine="shapely", jobs=1)
    for table in TABLES:
        mine = pf.scan(url, table, storage_options=bucket.options).collect()
        assert mine.equals(pf.scan(tmp_path / "local", table).collect()), table
