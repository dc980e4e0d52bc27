"""Flat rows: the files of a project with many partitions have all rows, in the order of the keys."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from exports import export_row, export_text, square

import polyframe as pf

SUBJECTS = (1, 2, 3)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of three partitions, each with one cluster of three squares."""
    folder = tmp_path_factory.mktemp("project")
    rows = []
    for subject in SUBJECTS:
        for shift in range(3):
            # The text makes each subject as large as a partition.
            annotations = [
                {"task": "T0", "taskType": "drawing", "value": [square(100 * subject + shift, 50)]},
                {"task": "T2", "taskType": "text", "value": "y" * 400_000},
            ]
            rows.append(export_row(10 * subject + shift, json.dumps(annotations), subject_ids=subject))
    (folder / "export.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "export.csv", folder / "out", engine="shapely", jobs=1, partition_size=1)
    assert len(list((folder / "out" / "contours").iterdir())) == len(SUBJECTS)
    return folder / "out"


def test_partitions_are_written_one_after_another(project: Path, tmp_path: Path) -> None:
    expected = [
        (subject, level, area) for subject in SUBJECTS for level, area in ((1, 120), (2, 100), (3, 80))
    ]
    columns = ["subject_id", "level", "area"]
    for name in ("a.parquet", "a.csv"):
        (done,) = pf.export(project, "levels", tmp_path / name)
        table = pl.read_parquet(done.path) if name == "a.parquet" else pl.read_csv(done.path)
        assert done.count == len(expected)
        assert table.select(columns).rows() == expected
    pytest.importorskip("pyogrio")
    for options, layer, sql, rows in (
        ({"what": "contours"}, "contours", "subject_id, level, area", expected),
        ({}, "reductions", "subject_id, area", [(subject, 100) for subject in SUBJECTS]),
    ):
        (done,) = pf.export(project, "gpkg", tmp_path / "a.gpkg", **options)  # type: ignore[arg-type]
        with closing(sqlite3.connect(done.path)) as database:
            assert database.execute(f"SELECT {sql} FROM {layer} ORDER BY fid").fetchall() == rows
