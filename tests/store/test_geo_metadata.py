"""The bounds in the GeoParquet metadata are those of the geometries, as GEOS computes them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import shapely
from exports import ROOT, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.store.geo_metadata import geo_metadata, joint_bounds, outline_bounds

EXAMPLE = (ROOT / "data" / "classifications.csv", ROOT / "data" / "config.yaml")


def bounds_of_geometries(rows: pl.DataFrame) -> tuple[float, ...]:
    return tuple(shapely.total_bounds(shapely.from_wkb(rows["geometry"].to_list())).tolist())


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several partitions of the example."""
    out = tmp_path_factory.mktemp("example") / "out"
    pf.run(*EXAMPLE[:1], out, EXAMPLE[1], partition_size=1)
    return out


@pytest.mark.parametrize("table", ["reductions", "contours"])
def test_bounds_of_every_part(table: str, example: Path) -> None:
    for path in (example / table).iterdir():
        rows = pl.read_parquet(path)
        geo = json.loads(pq.read_metadata(path).metadata[b"geo"])
        assert geo["columns"]["geometry"]["bbox"] == list(bounds_of_geometries(rows))
        assert geo == geo_metadata(outline_bounds(TABLES[table], rows))


@pytest.mark.parametrize("average", ["intersection", "union"])
def test_empty_geometries_do_not_count(average: Any, tmp_path: Path) -> None:
    """The squares at both ends of a chain do not overlap."""
    rows = [export_row(k, drawing(square(shift, 0))) for k, shift in enumerate((0, 6, 12))]
    (tmp_path / "chain.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "chain.csv", tmp_path / "out", eps=0.8, average_type=average)
    (path,) = (tmp_path / "out" / "reductions").iterdir()
    column = json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"]["geometry"]
    assert column.get("bbox") == ([0, 0, 22, 10] if average == "union" else None)
    assert pf.validate(tmp_path / "out") == []


def test_a_contour_of_another_part_does_not_count() -> None:
    """The geometry is level 1; in theory, level 2 can be outside of it."""
    rows = pl.DataFrame(
        {
            "contours_x": [[[0.0, 4, 4, 0], [9.0, 10, 10, 9]], []],
            "contours_y": [[[1.0, 1, 5, 1], [7.0, 7, 8, 7]], []],
        },
        {name: TABLES["contours"].schema[name] for name in ("contours_x", "contours_y")},
    )
    assert outline_bounds(TABLES["contours"], rows) == (0, 1, 4, 5)
    assert outline_bounds(TABLES["contours"], rows[1:]) is None
    assert outline_bounds(TABLES["contours"], rows[:0]) is None


def test_joint_bounds() -> None:
    assert joint_bounds([]) is None
    assert joint_bounds([None, (1, 2, 3, 4), None, (0, 3, 2, 9)]) == (0, 2, 3, 9)
