"""The tables `subjects` and `volunteers` of an output: their definitions, and the same bytes on every way."""

import json
import shutil
from pathlib import Path
from typing import Any

import naive_volunteers
import polars as pl
import pytest
from exports import drawing, export_row, export_text, square
from stores import manifest_of, stored, without_store

import polyframe as pf
from polyframe.core.environment import KEY_VARIABLE
from polyframe.pipeline import merge_tables, plan
from polyframe.store.output import MANIFEST
from polyframe.synthetic import SynthOptions, write_export

VOLUNTEERS = "volunteers/part-00000.parquet"
#: Megabytes that give about this number of partitions.
SIZES = {1: 10**6, 4: 60_000, 20: 9_000}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    options = {"subjects": 24, "volunteers": 6, "vertices": 24, "repeats": 0.3, "scribblers": 0.2, "seed": 5}
    write_export(path, SynthOptions(**options))
    return path


def run(export: Any, out: Path, **options: Any) -> pf.Summary:
    return pf.run(export, out, **{"jobs": 1, "engine": "shapely"} | options)


@pytest.fixture(scope="module")
def whole(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    run(export, out)
    return out


def table(out: Path, name: Any) -> pl.DataFrame:
    return pf.scan(out, name).collect()


def check_definitions(out: Path) -> None:
    """Compare both tables with their definitions in plain Python."""
    classifications, labels = table(out, "classifications").to_dicts(), table(out, "labels").to_dicts()
    counting = naive_volunteers.counted(classifications)
    reductions = table(out, "reductions").to_dicts()
    expected = {
        "volunteers": naive_volunteers.volunteers(counting, labels),
        "subjects": naive_volunteers.subjects(classifications, counting, labels, reductions),
    }
    for name, rows in expected.items():
        frame = table(out, name)
        key = "volunteer" if name == "volunteers" else "subject_id"
        assert frame[key].to_list() == list(rows)
        for row in frame.iter_rows(named=True):
            for column, value in rows[row[key]].items():
                assert (row[column] is None) == (value is None), column
                assert value is None or row[column] == pytest.approx(float(value), abs=1e-11), column


def test_tables_are_those_of_the_definitions(whole: Path) -> None:
    check_definitions(whole)
    assert table(whole, "volunteers").height > 10
    assert table(whole, "subjects").height == 24
    assert pf.validate(whole) == []


def test_a_summary_for_each_volunteer_of_several_sessions(tmp_path: Path) -> None:
    """Two sessions of a visitor are two volunteers with the same name."""
    visitor = {"user_name": "not-logged-in-1", "user_id": None}
    rows = [
        export_row(number, drawing(square(number, 0)), metadata=json.dumps({"session": session}), **visitor)
        for number, session in enumerate(("s", "t"))
    ]
    rows.append(export_row(2, drawing(square(1, 0))))
    (tmp_path / "export.csv").write_text(export_text(rows))
    run(tmp_path / "export.csv", tmp_path / "out")
    names = table(tmp_path / "out", "volunteers").select("volunteer", "user_name", "n_judged").rows()
    assert names == [
        ("not-logged-in-1/s", "not-logged-in-1", 1),
        ("not-logged-in-1/t", "not-logged-in-1", 1),
        ("volunteer2", "volunteer2", 1),
    ]


@pytest.mark.parametrize("partitions", SIZES)
@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_and_borders_change_nothing(
    partitions: int, jobs: int, export: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", SIZES[partitions])
    out = tmp_path / "out"
    summary = run(export, out, jobs=jobs, partition_size=1)
    assert (summary.partitions == 1) == (partitions == 1)
    assert (out / VOLUNTEERS).read_bytes() == (whole / VOLUNTEERS).read_bytes()
    assert table(out, "subjects").equals(table(whole, "subjects"))
    assert pf.validate(out) == []


def test_the_order_of_rows_changes_nothing(export: Path, whole: Path, tmp_path: Path) -> None:
    rows = pl.read_csv(export, infer_schema=False)
    rows.sample(fraction=1, shuffle=True, seed=1).write_csv(tmp_path / "shuffled.csv")
    run(tmp_path / "shuffled.csv", tmp_path / "out")
    for name in (VOLUNTEERS, "subjects/part-00000.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()


def test_a_growing_export_gives_the_bytes_of_a_new_run(
    export: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", SIZES[4])
    rows, out = pl.read_csv(export, infer_schema=False), tmp_path / "out"
    # Only the first subjects, then some classifications of all, then all.
    some = [rows.filter(pl.col("subject_ids") < "1000010"), rows[: 2 * rows.height // 3], rows]
    for part in some:
        part.write_csv(tmp_path / "part.csv")
        run(tmp_path / "part.csv", out, partition_size=1, max_shrink=1)
        check_definitions(out)
        assert pf.validate(out) == []
    assert manifest_of(out).merged == manifest_of(whole).merged
    assert (out / VOLUNTEERS).read_bytes() == (whole / VOLUNTEERS).read_bytes()


def test_unchanged_sums_are_not_merged_again(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run(export, out)
    before = (out / VOLUNTEERS).stat()
    with monkeypatch.context() as patched:
        patched.delattr(merge_tables, "volunteers_table")
        run(export, out)
        pf.contours(out, output=out, max_levels=2, jobs=1)
        pf.extract(export, output=out, jobs=1, engine="shapely")
    assert (out / VOLUNTEERS).stat().st_ino == before.st_ino
    # A missing file is made again.
    content = (out / VOLUNTEERS).read_bytes()
    (out / VOLUNTEERS).unlink()
    run(export, out)
    assert (out / VOLUNTEERS).read_bytes() == content
    run(export, out, force=True)
    assert (out / VOLUNTEERS).read_bytes() == content


def test_another_reduction_changes_both_tables(export: Path, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    pf.reduce(out, output=out, eps=0.2, jobs=1)
    check_definitions(out)
    run(export, tmp_path / "new", eps=0.2)
    for name in ("subjects", "volunteers", ".volunteer_sums"):
        assert stored(out, name).read_bytes() == stored(tmp_path / "new", name).read_bytes()
    assert not table(out, "volunteers").equals(table(whole, "volunteers"))


def test_without_a_reduction_there_are_no_such_tables(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.extract(export, output=out, jobs=1)
    assert manifest_of(out).merged == {}
    for function in (pf.volunteers, pf.subjects):
        with pytest.raises(pf.PolyframeError, match=f"make it with `polyframe reduce {out}`"):
            function(out)


def test_excluded_volunteers_have_no_row(export: Path, whole: Path, tmp_path: Path) -> None:
    excluded = pf.volunteers(whole, limit=1)["user_name"].item()
    run(export, tmp_path / "out", exclude_volunteers=excluded)
    rest = pl.read_csv(export, infer_schema=False).filter(pl.col("user_name") != excluded)
    rest.write_csv(tmp_path / "rest.csv")
    run(tmp_path / "rest.csv", tmp_path / "rest")
    ours = table(tmp_path / "out", "volunteers")
    assert excluded not in ours["user_name"].to_list()
    assert ours.equals(table(tmp_path / "rest", "volunteers"))
    subjects = table(tmp_path / "out", "subjects")
    assert subjects.equals(table(tmp_path / "rest", "subjects"))
    assert subjects.height == 24
    assert pf.validate(tmp_path / "out") == []


def test_gold_standards_that_do_not_count(export: Path, tmp_path: Path) -> None:
    """A subject with nothing but gold standards keeps its row."""
    rows = pl.read_csv(export, infer_schema=False)
    is_gold = pl.col("subject_ids") == "1000001"
    gold = rows.with_columns(pl.when(is_gold).then(pl.lit("true")).otherwise(None).alias("gold_standard"))
    gold.write_csv(tmp_path / "gold.csv")
    run(tmp_path / "gold.csv", tmp_path / "out", gold_standard="exclude")
    first, *others = table(tmp_path / "out", "subjects").rows(named=True)
    assert [value for name, value in first.items() if name.startswith("n_")] == [0] * 5
    assert {first[name] for name in first if not name.startswith("n_")} == {4321, 1000001, None}
    assert len(others) == 23
    assert all(row["n_classifications"] for row in others)
    assert pf.validate(tmp_path / "out") == []


def test_hashed_volunteers(
    export: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    out = tmp_path / "out"
    run(export, out, volunteers="hash")
    hashed = table(out, "volunteers")
    known = table(out, "classifications").select("volunteer", "user_name").unique()
    assert set(hashed.select("volunteer", "user_name").rows()) <= set(known.rows())
    numbers = [name for name in hashed.columns if name not in ("volunteer", "user_name")]
    kept = table(whole, "volunteers")
    assert hashed.select(numbers).sort(numbers).equals(kept.select(numbers).sort(numbers))
    # The same from the extractions, without the names.
    content = (out / VOLUNTEERS).read_bytes()
    pf.reduce(out, output=out, jobs=1, force=True)
    assert (out / VOLUNTEERS).read_bytes() == content
    assert pf.validate(out) == []


def test_dropped_volunteers(export: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(export, out, volunteers="drop")
    assert table(out, "volunteers").height == 0
    assert table(out, "subjects").equals(table(whole, "subjects"))
    with pytest.raises(pf.PolyframeError, match=r"^\S+: was made with --volunteers drop, so .* not known; "):
        pf.volunteers(out)
    assert pf.validate(out) == []


def test_without_names_each_classification_counts_as_another_volunteer(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(export, out, volunteers="drop", filter="all")
    subjects = table(out, "subjects")
    assert subjects["n_volunteers"].equals(subjects["n_classifications"])
    content = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    pf.reduce(out, output=out, jobs=1, force=True)
    pf.contours(out, output=out, jobs=1, force=True)
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == content


def test_an_output_without_these_tables_says_so_and_is_rebuilt(
    export: Path, whole: Path, tmp_path: Path
) -> None:
    """Earlier versions had neither the tables nor their records."""
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    without_store(out)
    manifest = json.loads((out / MANIFEST).read_text())
    del manifest["merged"]
    for name in ("subjects", "volunteers", ".volunteer_sums"):
        shutil.rmtree(out / name)
        manifest["partitions"][0]["stages"]["reduce"]["sizes"].pop(name, None)
    (out / MANIFEST).write_text(json.dumps(manifest))
    for function in (pf.volunteers, pf.subjects, pf.status):
        with pytest.raises(
            pf.PolyframeError,
            match=r"missing required field merged .*another version\); run `polyframe run` again",
        ):
            function(out)
    run(export, out)
    assert (out / VOLUNTEERS).read_bytes() == (whole / VOLUNTEERS).read_bytes()


def test_frames_in_memory_give_the_same_tables(export: Path, whole: Path) -> None:
    reduction = pf.reduce(pf.extract(export), engine="shapely")
    assert reduction.volunteers.equals(table(whole, "volunteers"))
    assert reduction.subjects.equals(table(whole, "subjects"))
    assert pf.volunteers(reduction).equals(pf.volunteers(whole))
    assert pf.subjects(reduction, limit=3).equals(pf.subjects(whole)[:3])
    # A frame of marks does not contain classifications without a mark.
    marks = pf.reduce(table(whole, "extractions"), engine="shapely")
    assert marks.subjects["n_classifications"].sum() < reduction.subjects["n_classifications"].sum()
    assert marks.volunteers.height <= reduction.volunteers.height


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_add_up_the_sums_of_many_partitions(
    jobs: int, export: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are the same, and the sums that workers pass to the run are removed."""
    monkeypatch.setattr(merge_tables, "_PARTS_PER_TASK", 3)
    monkeypatch.setattr(plan, "_MEGABYTE", SIZES[20])
    out = tmp_path / "out"
    assert run(export, out, jobs=jobs, partition_size=1).partitions > 10
    assert pl.read_parquet(out / VOLUNTEERS).equals(pl.read_parquet(whole / VOLUNTEERS))
    assert not list(out.glob(".polyframe/sums/*/*"))
