"""GeoJSON for QuPath: each file follows the rules of QuPath's reader, which is Java and does not run here."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import shapely
from exports import ROOT, drawing, export_row, export_text, square

import polyframe as pf


def read_as_qupath(path: Path) -> list[dict[str, Any]]:
    """Return the annotations of a file, by the rules of `PathIO` and `QuPathTypeAdapters` (QuPath 0.4, 0.5).

    If QuPath would throw an exception, which ends the import of the whole file, an assertion fails here.
    """
    assert path.suffix in (".geojson", ".json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    annotations = []
    for feature in content["features"]:
        # ROITypeAdapter: `type` of a null geometry is a NullPointerException.
        geometry = feature["geometry"]
        assert geometry["type"] == "Polygon"
        assert all(len(point) == 2 for ring in geometry["coordinates"] for point in ring)
        assert all(ring[0] == ring[-1] for ring in geometry["coordinates"])
        # `id` would have to be a UUID.
        assert "id" not in feature
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        # getAsString throws for null.
        assert isinstance(properties["name"], str)
        # PathClassTypeAdapter: an object needs a name and a colour, an array of three bytes.
        classification = properties["classification"]
        assert classification.keys() == {"name", "color"}
        assert isinstance(classification["name"], str)
        assert classification["name"]
        assert len(classification["color"]) == 3
        assert all(type(value) is int and 0 <= value <= 255 for value in classification["color"])
        # MeasurementListTypeAdapter: a map of names to numbers.
        for value in properties["measurements"].values():
            assert type(value) in (int, float)
            assert math.isfinite(value)
        # QuPath skips values that are objects or lists.
        assert all(isinstance(value, str) for value in properties["metadata"].values())
        # Names with another meaning for QuPath.
        assert not {"color", "isLocked", "isMissing", "children", "childObjects", "type"} & properties.keys()
        annotations.append({**properties, "roi": shapely.geometry.shape(geometry)})
    return annotations


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data, folder = ROOT / "data", tmp_path_factory.mktemp("example")
    pf.run(data / "classifications.csv", folder / "out", data / "config.yaml", engine="shapely", jobs=1)
    return folder / "out"


def test_annotations_of_the_example(example: Path, tmp_path: Path) -> None:
    folder = tmp_path / "qupath"
    pf.export(example, "geojson", folder, workflows=ROOT / "data" / "workflows.csv")
    rows = {
        (row["subject_id"], row["frame"], row["tool"], row["cluster_label"]): row
        for row in pf.scan(example, "reductions").collect().iter_rows(named=True)
    }
    colours = set()
    for path in folder.iterdir():
        names = set()
        for one in read_as_qupath(path):
            metadata = one["metadata"]
            assert path.stem == f"{metadata['subject_id']}-{metadata['frame']}"
            key = (int(metadata["subject_id"]), int(metadata["frame"]), metadata["tool"])
            row = rows.pop((*key, int(metadata["cluster_label"])))
            assert one["roi"].equals(shapely.from_wkb(row["geometry"]))
            label = {"T0_toolIndex0": "Cell", "T0_toolIndex1": "Crystal"}[metadata["tool"]]
            assert one["classification"]["name"] == label
            assert one["name"] == f"{label} {row['cluster_label']}"
            for name in ("consensus", "area", "clusters_count"):
                assert one["measurements"][name] == row[name]
            names.add(one["name"])
            colours.add((label, *one["classification"]["color"]))
        assert len(names) == len(read_as_qupath(path))
    assert not rows
    # A colour for each class.
    assert len(colours) == len({one[1:] for one in colours}) == 2


def test_contours_are_named_by_their_level(example: Path, tmp_path: Path) -> None:
    pf.export(example, "geojson", tmp_path / "levels", what="contours")
    clusters = {
        (row["subject_id"], row["frame"]): row["number_of_contours"]
        for row in pf.scan(example, "contours").collect().iter_rows(named=True)
        if row["tool"] == "T0_toolIndex0" and not row["cluster_label"]
    }
    for (subject, frame), number in clusters.items():
        annotations = read_as_qupath(tmp_path / "levels" / f"{subject}-{frame}.geojson")
        of_cluster = [one["name"] for one in annotations if one["name"].startswith("T0_toolIndex0 0 ")]
        assert of_cluster == [f"T0_toolIndex0 0 level {level}" for level in range(1, number + 1)]


def test_an_empty_intersection_is_omitted_and_counted(tmp_path: Path) -> None:
    rows = [export_row(place, drawing(square(4 * place, 0), square(50, 0))) for place in range(4)]
    (tmp_path / "chain.csv").write_text(export_text(rows), encoding="utf-8")
    out = tmp_path / "out"
    pf.run(tmp_path / "chain.csv", out, engine="shapely", jobs=1, eps=0.6, average_type="intersection")
    notes: list[str] = []
    pf.export(out, "geojson", tmp_path / "qupath", say=notes.append)
    (one,) = read_as_qupath(tmp_path / "qupath" / "1-0.geojson")
    assert one["roi"].equals(shapely.box(50, 0, 60, 10))
    assert notes == ["omitted 1 shape that has no area: subject 1 frame 0 T0_toolIndex0 cluster 0"]
