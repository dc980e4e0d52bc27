"""The output directory: whole files or none, and clear words where something is off."""

import os
from pathlib import Path

import polars as pl
import pytest

import polyframe as pf
from polyframe.dataset import WORK, check_output, read_manifest, replace_tables, work_directory, write_part
from polyframe.tables import GROUPS, TABLES

MANIFEST = {
    "schema_version": 1,
    **dict.fromkeys(("source", "versions", "extraction", "stages", "settings", "accounting")),
}


def groups(*subjects: int) -> pl.DataFrame:
    keys = {"workflow_id": 1, "task": "T0", "frame": 0, "tool": "T0_tool0"}
    numbers = dict.fromkeys(("n_classifications", "n_marks", "n_clusters", "n_outliers"), 1)
    return pl.DataFrame([{"subject_id": subject, **keys, **numbers} for subject in subjects])


def test_a_part_is_sorted_and_typed(tmp_path: Path) -> None:
    path = tmp_path / "groups" / "part-00000.parquet"
    write_part(groups(3, 1, 2), path, GROUPS, {"eps": 0.5})
    assert pl.read_parquet(path)["subject_id"].to_list() == [1, 2, 3]
    assert pl.read_parquet_schema(path) == GROUPS.schema
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_part_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "groups" / "part-00000.parquet"
    write_part(groups(1), path, GROUPS, {})
    before = path.read_bytes()
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        write_part(groups(2).drop("task"), path, GROUPS, {})
    assert path.read_bytes() == before


def test_same_rows_same_bytes_whatever_their_order_and_chunks(tmp_path: Path) -> None:
    write_part(groups(1, 2, 3), tmp_path / "a", GROUPS, {})
    write_part(pl.concat([groups(3), groups(2), groups(1)], rechunk=False), tmp_path / "b", GROUPS, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tables_are_replaced_and_outdated_ones_dropped(tmp_path: Path) -> None:
    for subject, drop in ((1, ()), (2, ("groups",)), (3, ("labels",))):
        with work_directory(tmp_path) as work:
            if subject != 2:
                write_part(groups(subject), work / "made" / "groups" / "part-00000.parquet", GROUPS, {})
            (work / "made").mkdir(exist_ok=True)
            replace_tables(tmp_path, work / "made", MANIFEST, drop=drop)
        held = pf.scan(tmp_path, "groups").collect()["subject_id"].to_list() if subject != 2 else []
        assert held == ([] if subject == 2 else [subject])
        assert (tmp_path / "groups").exists() == (subject != 2)
    assert read_manifest(tmp_path) == MANIFEST


def test_the_work_directory_goes_also_after_a_failure(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(RuntimeError), work_directory(out):
        raise RuntimeError
    assert not out.exists()
    (tmp_path / WORK).mkdir()
    (tmp_path / WORK / "left over").touch()
    with work_directory(tmp_path) as work:
        assert list(work.iterdir()) == []
    assert not (tmp_path / WORK).exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(pf.PolyframeError, match="cannot be written"), work_directory(tmp_path / "out"):
        pass


def test_output_is_new_empty_or_ours(tmp_path: Path) -> None:
    check_output(tmp_path / "new")
    check_output(tmp_path)
    (tmp_path / "polyframe.json").touch()
    (tmp_path / "notes.txt").touch()
    check_output(tmp_path)
    (tmp_path / "polyframe.json").unlink()
    with pytest.raises(pf.PolyframeError, match=r"notes\.txt"):
        check_output(tmp_path)


def test_scan_names_tables_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(pf.UsageError, match="did you mean 'contours'"):
        pf.scan(tmp_path, "contour")
    for name in TABLES:
        with pytest.raises(pf.PolyframeError, match=f"holds no table '{name}'"):
            pf.scan(tmp_path, name)
