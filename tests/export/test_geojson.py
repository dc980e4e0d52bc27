"""GeoJSON: every cluster is a feature with the geometry and columns of the tables."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square

import polyframe as pf

Call = Callable[..., Done]


@pytest.fixture
def out(tmp_path: Path, small_export: Path) -> Path:
    pf.run(small_export, tmp_path / "out", engine="shapely", jobs=1)
    return tmp_path / "out"


def features(path: Path) -> list[dict]:
    collection = json.loads(path.read_text(encoding="utf-8"))
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


def test_features_of_averages(out: Path, tmp_path: Path) -> None:
    (done,) = pf.export(out, "geojson", tmp_path / "a.geojson")
    rows = pf.scan(out, "reductions").collect()
    assert done.count == rows.height == 2
    for feature, row in zip(features(done.path), rows.iter_rows(named=True), strict=True):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.equals(shapely.from_wkb(row["geometry"]))
        assert shape.exterior.is_ccw
        assert feature["properties"] == {name: row[name] for name in feature["properties"]}
        assert {"subject_id", "tool", "consensus", "clusters_count", "details_votes"} <= set(
            feature["properties"]
        )


def test_features_of_contours(out: Path, tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "c.geojson"
    done = polyframe("export", out, "--to", "geojson", "--what", "contours", "-o", path)
    assert done.out == f"{path}: 8 features\n"
    levels = features(path)
    assert [feature["properties"]["level"] for feature in levels] == [1, 2, 3, 4] * 2
    areas = pf.scan(out, "contours").select(pl.col("contours_area").explode()).collect()["contours_area"]
    assert [feature["properties"]["area"] for feature in levels] == areas.to_list()
    for feature, area in zip(levels, areas, strict=True):
        assert shapely.geometry.shape(feature["geometry"]).area == pytest.approx(area)
    pf.export(out, "geojson", path, level=3)
    assert [feature["properties"]["level"] for feature in features(path)] == [3, 3]


def test_an_empty_intersection_has_no_geometry(tmp_path: Path) -> None:
    rows = [export_row(place, drawing(square(4 * place, 0))) for place in range(4)]
    (tmp_path / "chain.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(
        tmp_path / "chain.csv", tmp_path / "o", engine="shapely", jobs=1, eps=0.6, average_type="intersection"
    )
    (done,) = pf.export(tmp_path / "o", "geojson", tmp_path / "e.geojson")
    (feature,) = features(done.path)
    assert feature["geometry"] is None
    assert feature["properties"]["area"] == 0


def test_invalid_calls_are_errors(out: Path, small_export: Path, tmp_path: Path) -> None:
    with pytest.raises(pf.UsageError, match="level: 0 is neither a number of marks from 1"):
        pf.export(out, "geojson", tmp_path / "x", level=0)
    with pytest.raises(pf.UsageError, match="reductions have no levels"):
        pf.export(out, "geojson", tmp_path / "x", level=1, what="reductions")
    with pytest.raises(pf.UsageError, match="omit it for panoptes-csv"):
        pf.export(out, "panoptes-csv", tmp_path / "x.csv", level=1)
    with pytest.raises(pf.PolyframeError, match="is a directory"):
        pf.export(out, "geojson", tmp_path)
    pf.run(small_export, tmp_path / "none", engine="shapely", jobs=1, contours=False)
    with pytest.raises(pf.PolyframeError, match="polyframe contours"):
        pf.export(tmp_path / "none", "geojson", tmp_path / "x", what="contours")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("what", ["reductions", "contours"])
def test_geopandas_reads_the_file(what: str, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    data = ROOT / "data"
    pf.run(data / "classifications.csv", tmp_path / "out", data / "config.yaml", engine="shapely", jobs=1)
    (done,) = pf.export(tmp_path / "out", "geojson", tmp_path / "e.geojson", what=what)
    assert json.loads(done.path.read_text())["description"].endswith("image pixels, y downwards")
    # As documented: GeoPandas assumes degrees.
    frame = geopandas.read_file(done.path).set_crs(None, allow_override=True)
    assert len(frame) == done.count
    assert frame.geometry.is_valid.all()
    assert (frame.geometry.geom_type == "Polygon").all()
    assert np.allclose(frame.geometry.area, frame["area"])
    rows = pf.scan(tmp_path / "out", what).collect()
    if what == "contours":
        frame = frame[frame["level"] == 1].reset_index(drop=True)
    shapes = shapely.from_wkb(rows["geometry"].to_list())
    assert shapely.equals(frame.geometry.to_numpy(), shapes).all()
    for name in (
        "workflow_id",
        "subject_id",
        "task",
        "frame",
        "tool",
        "cluster_label",
        "clusters_count",
        "consensus",
    ):
        assert frame[name].tolist() == rows[name].to_list()
    # Pixels with y downwards.
    assert frame.total_bounds.min() >= 0
    assert frame.total_bounds[2:].max() > 180
