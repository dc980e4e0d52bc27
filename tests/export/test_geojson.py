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
        names = {"image": f"{row['subject_id']}-0.png", "label": "T0_toolIndex0"}
        expected = {name: row[name] for name in feature["properties"] if name in row}
        assert feature["properties"] == expected | names
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
        pf.export(out, "geojson", tmp_path / "x.json", level=0)
    with pytest.raises(pf.UsageError, match="reductions have no levels"):
        pf.export(out, "geojson", tmp_path / "x.json", level=1, what="reductions")
    with pytest.raises(pf.UsageError, match="omit it for panoptes-csv"):
        pf.export(out, "panoptes-csv", tmp_path / "x.csv", level=1)
    (tmp_path / "folder.geojson").mkdir()
    with pytest.raises(pf.PolyframeError, match="is a directory"):
        pf.export(out, "geojson", tmp_path / "folder.geojson")
    with pytest.raises(
        pf.PolyframeError, match=r"is a file; name a folder, or a file that ends in \.geojson"
    ):
        pf.export(out, "geojson", small_export)
    with pytest.raises(pf.UsageError, match="empty_images: a single GeoJSON file has no entries for images"):
        pf.export(out, "geojson", tmp_path / "x.json", empty_images="keep")
    with pytest.raises(pf.UsageError, match="rfc7946: 1 is neither True nor False"):
        pf.export(out, "geojson", tmp_path / "x.json", rfc7946=1)  # type: ignore[arg-type]
    with pytest.raises(pf.UsageError, match="rfc7946 is for geojson; omit it for coco"):
        pf.export(out, "coco", tmp_path / "x.json", rfc7946=True)
    pf.run(small_export, tmp_path / "none", engine="shapely", jobs=1, contours=False)
    with pytest.raises(pf.PolyframeError, match="polyframe contours"):
        pf.export(tmp_path / "none", "geojson", tmp_path / "x.json", what="contours")
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("what", ["reductions", "contours"])
def test_geopandas_reads_the_file(what: str, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    data = ROOT / "data"
    pf.run(data / "classifications.csv", tmp_path / "out", data / "config.yaml", engine="shapely", jobs=1)
    (done,) = pf.export(tmp_path / "out", "geojson", tmp_path / "e.geojson", what=what)
    assert json.loads(done.path.read_text())["description"].endswith("image pixels, y downwards")
    frame = geopandas.read_file(done.path)
    assert frame.crs.is_engineering
    assert {axis.unit_name for axis in frame.crs.axis_info} == {"pixel"}
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


def test_the_coordinate_system_is_that_of_an_image_unless_the_standard_is_demanded(
    out: Path, tmp_path: Path, polyframe: Call
) -> None:
    path = tmp_path / "a.geojson"
    polyframe("export", out, "--to", "geojson", "-o", path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["crs"]["type"] == "name"
    crs = pytest.importorskip("pyproj").CRS.from_user_input(content["crs"]["properties"]["name"])
    assert (crs.is_engineering, crs.is_geographic, crs.name) == (True, False, "image pixels")
    assert [(axis.name, axis.direction) for axis in crs.axis_info] == [("X", "east"), ("Y", "south")]
    assert polyframe("export", out, "--to", "geojson", "-o", path, "--rfc7946").code == 0
    standard = json.loads(path.read_text(encoding="utf-8"))
    assert "crs" not in standard
    assert standard == {name: value for name, value in content.items() if name != "crs"}
    pf.export(out, "geojson", tmp_path / "b.geojson", rfc7946=True)
    assert (tmp_path / "b.geojson").read_bytes() == path.read_bytes()
    pf.export(out, "geojson", tmp_path / "c.geojson", rfc7946=False)
    assert json.loads((tmp_path / "c.geojson").read_text(encoding="utf-8")) == content


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data, folder = ROOT / "data", tmp_path_factory.mktemp("example")
    pf.run(data / "classifications.csv", folder / "out", data / "config.yaml", engine="shapely", jobs=1)
    return folder / "out"


def test_features_have_the_names_of_the_project(example: Path, tmp_path: Path) -> None:
    data = ROOT / "data"
    (done,) = pf.export(
        example,
        "geojson",
        tmp_path / "a.geojson",
        subjects=data / "subjects.csv",
        workflows=data / "workflows.csv",
    )
    properties = [feature["properties"] for feature in features(done.path)]
    assert len(properties) == 36
    labels = {"T0_toolIndex0": "Cell", "T0_toolIndex1": "Crystal"}
    for one in properties:
        assert one["image"] == f"{one['subject_id']}-{one['frame']}.png"
        assert one["label"] == labels[one["tool"]]
    # The names in the file change nothing about its outlines.
    score = pf.score(example, gold=done.path)
    assert score["gold_iou"].to_list() == pytest.approx([1.0] * score.height)
    assert {*score["tool"].drop_nulls()} == {*labels}
    with pytest.raises(pf.UsageError, match=r"would both be 'all\.png'"):
        pf.export(example, "geojson", done.path, image_name="all.png")


def test_a_folder_gets_a_file_for_each_image(example: Path, tmp_path: Path, polyframe: Call) -> None:
    folder = tmp_path / "images"
    done = polyframe(
        *("export", example, "--to", "geojson", "-o", folder),
        *("--subjects", ROOT / "data" / "subjects.csv", "--workflows", ROOT / "data" / "workflows.csv"),
    )
    assert done.out == f"{folder}: 16 files\n{folder}: 36 features\n"
    names = {path.stem for path in (ROOT / "data" / "images").glob("*.png")}
    assert {path.name for path in folder.iterdir()} == {f"{name}.geojson" for name in names}
    (whole,) = pf.export(example, "geojson", tmp_path / "a.geojson")
    by_image = {f"{path.stem}.png": features(path) for path in folder.iterdir()}
    geometries = {image: [one["geometry"] for one in of_image] for image, of_image in by_image.items()}
    expected: dict[str, list[dict]] = {}
    for feature in features(whole.path):
        expected.setdefault(feature["properties"]["image"], []).append(feature["geometry"])
    assert geometries == expected


def test_images_without_shapes_have_an_empty_collection(tmp_path: Path, polyframe: Call) -> None:
    cells = {1: drawing(square(0, 0)), 2: drawing()}
    rows = [
        export_row(10 * subject + n, cell, subject_ids=subject)
        for subject, cell in cells.items()
        for n in range(3)
    ]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    command = ("export", tmp_path / "out", "--to", "geojson", "-o")
    done = polyframe(*command, tmp_path / "keep")
    assert "included 1 image that nobody drew on; --empty-images drop omits them" in done.err
    assert len(features(tmp_path / "keep" / "1-0.geojson")) == 1
    assert features(tmp_path / "keep" / "2-0.geojson") == []
    assert polyframe(*command, tmp_path / "drop", "--empty-images", "drop").code == 0
    assert [path.name for path in (tmp_path / "drop").iterdir()] == ["1-0.geojson"]


def test_names_that_are_hard_to_write(tmp_path: Path) -> None:
    label = 'Zelle "\U0001f9a0", 100 %\n'
    tool = {"type": "polygon", "label": label, "details": []}
    pl.DataFrame(
        {
            "workflow_id": [7],
            "version": ["3"],
            "minor_version": ["1"],
            "tasks": [json.dumps({"T0": {"type": "drawing", "tools": [tool]}})],
        }
    ).write_csv(tmp_path / "w.csv")
    rows = [export_row(n, drawing(square(0, 0))) for n in range(3)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    image = "caf\u00e9 'a' {subject_id}-{frame}.tif"
    options = {"workflows": tmp_path / "w.csv", "image_name": image}
    pf.export(tmp_path / "out", "geojson", tmp_path / "a.geojson", **options)  # type: ignore[arg-type]
    (feature,) = features(tmp_path / "a.geojson")
    assert feature["properties"]["image"] == "caf\u00e9 'a' 1-0.tif"
    assert feature["properties"]["label"].strip() == label.strip()
    pf.export(tmp_path / "out", "geojson", tmp_path / "folder", **options)  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["caf\u00e9 'a' 1-0.geojson"]
