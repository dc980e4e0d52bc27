"""What cannot be used of an expert's outlines is counted and said in one line; never a traceback."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from exports import drawing, export_row, square
from gold_cases import (
    annotation,
    coco,
    corners,
    expert_rows,
    feature,
    flat,
    geojson,
    volunteer_rows,
    write_rows,
)

import polyframe as pf

IMAGE = {"id": 1, "file_name": "1-0.png"}
SQUARE = [corners(0, 0, 8)]
TOOL = "T0_toolIndex0"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gold")
    pf.run(write_rows(folder / "export.csv", volunteer_rows()), folder / "out", jobs=1, engine="shapely")
    return folder / "out"


def scored(out: Path, gold: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the scores of everything, and the notes without the name of the file and the last one."""
    notes: list[str] = []
    (row,) = pf.score(out, gold, say=notes.append).filter(scope="all").to_dicts()
    assert all(len(note.splitlines()) == 1 for note in notes)
    return row, [note.removeprefix(f"{gold}: ") for note in notes[:-1]]


@pytest.mark.parametrize(
    ("features", "n_gold", "notes"),
    [
        ([feature(SQUARE, subject_id=77)], 1, ["1 subject absent from OUT (77)"]),
        (
            [feature(SQUARE, subject_id=number) for number in range(70, 76)],
            1,
            ["6 subjects absent from OUT (70, 71, 72, ...)"],
        ),
        (
            [feature(SQUARE), feature(SQUARE, subject_id="one"), feature(SQUARE, subject_id=1, frame=-1)],
            1,
            [
                "3 features without a subject_id, or with an invalid one or frame (feature 2, feature 3, "
                "feature 4)"
            ],
        ),
        ([feature(SQUARE, subject_id=1, workflow_id=8)], 1, ["1 feature of another workflow (8)"]),
        (
            [
                feature({"type": "Point", "coordinates": [1, 2]}, subject_id=1),
                feature([[[0, 0], [1, "x"], [1, 1]]], subject_id=1),
                feature([[[0, 0], [1e300, 0], [1, 1]]], subject_id=1),
                feature([7], subject_id=1),
                feature({"type": "Polygon"}, subject_id=1),
                feature("Polygon", subject_id=1),
            ],
            1,
            [
                "6 features with invalid coordinates, or with another geometry than polygons "
                "(feature 2, feature 3, feature 4, ...)"
            ],
        ),
        (
            [feature(SQUARE, subject_id=1)],
            1,
            ["1 outline omitted as an exact copy of another on the same image (subject 1)"],
        ),
        # The same square from another corner, the other way round.
        (
            [feature([[[8, 8], [8, 0], [0, 0], [0, 8]]], subject_id=1)],
            1,
            ["1 outline omitted as an exact copy of another on the same image (subject 1)"],
        ),
        (
            [feature([[[0, 0], [4, 4], [9, 9]]], subject_id=1), feature([], subject_id=2)],
            1,
            ["2 outlines without an area (subject 1, subject 2)"],
        ),
        (
            [feature([[[20, 0], [30, 10], [30, 0], [20, 9]]], subject_id=1)],
            2,
            ["1 outline repaired because of self-intersections (subject 1)"],
        ),
        (
            ["nonsense", {"type": "Feature", "properties": [1]}],
            1,
            ["2 features without a subject_id, or with an invalid one or frame (feature 2, feature 3)"],
        ),
        ([feature(SQUARE, subject_id=2, tool="T0_toolIndex5")], 2, []),
        ([feature(SQUARE, subject_id=2, tool="cat")], 1, ["1 outline whose tool is not one of OUT (cat)"]),
    ],
)
def test_features(features: list[Any], n_gold: int, notes: list[str], out: Path, tmp_path: Path) -> None:
    named = any("tool" in (f.get("properties") or {}) for f in features if isinstance(f, dict))
    first = feature(SQUARE, subject_id=1, **({"tool": TOOL} if named else {}))
    row, said = scored(out, geojson(first, *features, path=tmp_path / "gold.json"))
    assert said == [note.replace("OUT", str(out)) for note in notes]
    assert (row["n_gold"], row["n_matched"]) == (n_gold, 1)


def test_holes_and_several_parts_are_kept(out: Path, tmp_path: Path) -> None:
    """The average is 10 x 10. Holes and parts belong to the area of the gold outline."""
    hole = [[4, 4], [6, 4], [6, 6], [4, 6]]
    parts = {"type": "MultiPolygon", "coordinates": [[[*corners(0, 0, 8)], hole], [corners(20, 0, 2)]]}
    row, said = scored(out, geojson(feature(parts, subject_id=1), path=tmp_path / "gold.json"))
    assert said == []
    assert row["matched_iou"] == pytest.approx(60 / (100 + 4))
    assert row["area_ratio"] == pytest.approx(100 / 64)
    segments = [flat(0, 0, 8), flat(4, 0, 8)]  # they overlap
    row, said = scored(out, coco([IMAGE], [annotation(1, segments)], TOOL, path=tmp_path / "coco.json"))
    assert said == []
    assert row["matched_iou"] == pytest.approx(80 / (100 + 96 - 80))


@pytest.mark.parametrize(
    ("more", "note"),
    [
        (
            annotation(2, {"counts": "abc", "size": [9, 9]}),
            "1 annotation with a mask (RLE), not polygons; convert masks to polygons (annotation 2)",
        ),
        (
            annotation(2, {"counts": [9], "size": [9, 9]}, iscrowd=1),
            "1 annotation of a crowd (iscrowd) instead of a single object (annotation 2)",
        ),
        (
            annotation(2, [flat(0, 0, 8)], image_id=5),
            "1 annotation without a usable image (annotation 2)",
        ),
        (
            annotation(2, [flat(0, 0, 8)], image_id=[1]),
            "1 annotation without a usable image (annotation 2)",
        ),
        (annotation(2, []), "1 annotation without polygons or with invalid coordinates (annotation 2)"),
        (
            annotation(2, [[0, 0, 8]]),
            "1 annotation without polygons or with invalid coordinates (annotation 2)",
        ),
        (
            annotation(2, [["a"] * 6]),
            "1 annotation without polygons or with invalid coordinates (annotation 2)",
        ),
        (annotation(2, None), "1 annotation without polygons or with invalid coordinates (annotation 2)"),
        (annotation(2, [[]]), "1 outline without an area (subject 1)"),
        (
            annotation(2, [flat(0, 0, 8)]),
            "1 outline omitted as an exact copy of another on the same image (subject 1)",
        ),
        (annotation(2, [flat(0, 0, 8)], category_id=9), "1 outline whose tool is not one of OUT (no tool)"),
        (annotation(2, [flat(0, 0, 8)], category_id={}), "1 outline whose tool is not one of OUT (no tool)"),
    ],
)
def test_annotations(more: Any, note: str, out: Path, tmp_path: Path) -> None:
    gold = coco([IMAGE], [annotation(1, [flat(0, 0, 8)]), more], TOOL, path=tmp_path / "gold.json")
    row, said = scored(out, gold)
    assert said == [note.replace("OUT", str(out))]
    assert (row["n_gold"], row["n_matched"]) == (1, 1)


@pytest.mark.parametrize(
    ("image", "subject"),
    [
        ({"file_name": "1-0.png"}, 1),
        ({"file_name": "a/b/2-0.tiff"}, 2),
        ({"file_name": "C:\\images\\subject 3.png"}, 3),
        ({"file_name": "img_0001.png"}, 1),
        ({"file_name": "9 of subject 2.png"}, 2),
        ({"file_name": "x.png", "subject_id": 3}, 3),
        ({"file_name": "1-0.png", "subject_id": "2", "frame": 0}, 2),
        ({"file_name": "1 2.png"}, None),
        ({"file_name": "x.png"}, None),
        ({"file_name": 5}, None),
        ({}, None),
    ],
)
def test_images_by_name(image: Any, subject: int | None, out: Path, tmp_path: Path) -> None:
    images = [{"id": 7, "subject_id": 1}, {"id": 1} | image]
    row, said = scored(out, coco(images, [annotation(1, [flat(0, 0, 8)])], TOOL, path=tmp_path / "g.json"))
    name = image.get("file_name") or "no name"
    if subject is None:
        assert said == [
            f"1 image without a subject in {out} ({name})",
            "1 annotation without a usable image (annotation 1)",
        ]
    else:
        assert said == []
        assert row["n_subjects"] == len({1, subject})
        assert (row["n_gold"], row["n_matched"]) == (1, 1)


@pytest.mark.parametrize(
    "names", [{"tool": None, "name": TOOL}, {"tool": TOOL, "name": "cell"}, {"name": TOOL}]
)
def test_the_tool_of_a_category_is_its_tool_or_name(names: dict[str, Any], out: Path, tmp_path: Path) -> None:
    marks = [annotation(1, [flat(0, 0, 8)]), annotation(2, [flat(50, 50, 8)], category_id=2)]
    gold = coco([IMAGE], marks, TOOL, path=tmp_path / "gold.json")
    content = json.loads(gold.read_text())
    content["categories"].append({"id": 2, **names})
    gold.write_text(json.dumps(content))
    row, said = scored(out, gold)
    assert (row["n_gold"], said) == (2, [])


def test_frames_by_name(out: Path, tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1-3.png"}]
    row, _ = scored(out, coco(images, [annotation(1, [flat(0, 0, 8)])], TOOL, path=tmp_path / "g.json"))
    assert (row["n_gold"], row["n_predicted"]) == (1, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "neither GeoJSON (a FeatureCollection) nor COCO"),
        ('{"type": "Topology"}', "neither GeoJSON (a FeatureCollection) nor COCO"),
        ('{"type": "FeatureCollection"}', "the features of the FeatureCollection are not a list"),
        ('{"type": "FeatureCollection", "features": []}', "no feature has a property subject_id"),
        ('{"type": "Feature", "properties": {}}', "no feature has a property subject_id"),
        ('{"images": []}', "a COCO file needs the lists images and annotations"),
        ('{"images": {}, "annotations": []}', "a COCO file needs the lists images and annotations"),
        ('{"images": [], "annotations": []}', "contains no subject of"),
        ('{"images": [1, {}], "annotations": [2], "categories": 3}', "contains no subject of"),
        (
            json.dumps({"type": "FeatureCollection", "features": [feature(SQUARE, subject_id=9)]}),
            "contains no subject",
        ),
        ("a,b\n1,2\n", "not a classification export; expected CSV"),
        ("", "empty"),
    ],
)
def test_files_that_cannot_be_used(content: str, message: str, out: Path, tmp_path: Path) -> None:
    path = tmp_path / "gold.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(pf.PolyframeError) as error:
        pf.score(out, path, say=lambda _: None)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("gold", [None, 5, b"x", ["a.csv"], {}])
def test_values_that_are_no_gold(gold: Any, out: Path) -> None:
    with pytest.raises(pf.UsageError, match="gold: expected a classification export, GeoJSON or COCO"):
        pf.score(out, gold)


def test_exports_are_frames_or_files_in_any_form(out: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "expert.csv", expert_rows())
    frame = pl.read_csv(path, infer_schema=False)
    frame.write_parquet(tmp_path / "expert.parquet")
    expected = pf.score(out, path)
    for gold in (frame, frame.lazy(), frame.to_pandas(), tmp_path / "expert.parquet", str(path)):
        assert pf.score(out, gold).equals(expected)


def test_rejected_marks_of_an_export_are_counted(out: Path, tmp_path: Path) -> None:
    line = square(0, 0) | {"pathX": [0, 1, 2], "pathY": [0, 1, 2]}
    rows = [export_row(501, drawing(square(0, 0, 8), line, square(0, 0, 8)), subject_ids=1)]
    rows += [export_row(502, drawing(square(0, 0, 8)), subject_ids=77)]
    row, said = scored(out, write_rows(tmp_path / "expert.csv", rows))
    assert (row["n_gold"], row["n_matched"]) == (1, 1)
    assert "1 rejected (duplicate_mark)" in said
    assert "1 rejected (no_area)" in said
    assert f"1 subject absent from {out} (77)" in said


def test_a_version_that_the_output_does_not_have(out: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "expert.csv", [row | {"workflow_version": "9.9"} for row in expert_rows()])
    with pytest.raises(pf.PolyframeError) as error:
        pf.score(out, path, say=lambda _: None)
    assert "\n" not in str(error.value)


def test_closed_and_open_rings_with_heights_are_the_same(out: Path, tmp_path: Path) -> None:
    rings = [[[*point, 5] for point in ring] for ring in (corners(0, 0, 8), corners(0, 0, 8)[:-1])]
    tables = [
        pf.score(out, geojson(feature([ring], subject_id=1.0), path=tmp_path / "g.json"), say=lambda _: None)
        for ring in rings
    ]
    assert tables[0].equals(tables[1])
    assert np.isclose(tables[0]["matched_iou"][0], 0.64)
