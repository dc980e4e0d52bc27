"""COCO as CVAT, FiftyOne and Roboflow document it, written by hand, becomes corrections or one clear line."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely
from edited_tasks import SIZE, complete, exported_tasks, run, table, write
from exports import Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.export.corrections.run_lengths import rings_of_mask

Call = Callable[..., Done]

#: The average of the cluster on each of two frames of subject 5 is a square of 10 pixels there.
CORNERS = {0: (11, 20), 1: (51, 40)}
#: Somebody moved the square of frame 1.
MOVED = [50, 38, 63, 38, 63, 51, 50, 51]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three volunteers drew a square on each frame, 1 pixel apart."""
    rows = [
        export_row(
            number,
            drawing(*(square(x - 1 + number, y, frame=frame) for frame, (x, y) in CORNERS.items())),
            subject_ids=5,
        )
        for number in range(3)
    ]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    run(tmp_path / "e.csv", tmp_path / "out")
    return tmp_path


def corners(frame: int) -> list[float]:
    x, y = CORNERS[frame]
    return [x, y, x + 10, y, x + 10, y + 10, x, y + 10]


def cvat(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return instances_default.json of a task in CVAT: its images are numbered in its order of names."""
    image = {"width": 100, "height": 80, "license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
    none = dict.fromkeys(("contributor", "date_created", "description", "url", "version", "year"), "")
    return {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": none,
        "categories": [{"id": 1, "name": "T0_toolIndex0", "supercategory": ""}],
        "images": [{"id": frame + 1, "file_name": f"batch/5-{frame}.png"} | image for frame in (0, 1)],
        "annotations": [
            {"id": number, "category_id": 1, "area": 100.0, "bbox": [0.0, 0.0, 10.0, 10.0], "iscrowd": 0}
            | {"attributes": {"occluded": False}}
            | annotation
            for number, annotation in enumerate(annotations, 1)
        ],
    } | more


def mask(left: int, top: int, right: int, bottom: int, height: int = 80, width: int = 100) -> dict[str, Any]:
    """Return the pixels of a box as run lengths down the columns, as lists of numbers."""
    counts, at = [], 0
    for column in range(left, right):
        counts += [column * height + top - at, bottom - top]
        at = column * height + bottom
    return {"counts": [*counts, height * width - at], "size": [height, width]}


UNCHANGED = {"image_id": 1, "segmentation": [corners(0)]}


def imported(project: Path, content: Any, **options: Any) -> tuple[pf.ImportedCorrections, list[str]]:
    notes: list[str] = []
    path = write(content, project / "edited.json")
    return pf.import_corrections(project / "out", path, say=notes.append, **options), notes


def test_polygons_of_cvat(project: Path) -> None:
    content = cvat(UNCHANGED, {"image_id": 2, "segmentation": [MOVED]})
    result, _ = imported(project, content, corrected_by="Ada")
    assert (result.unchanged, result.corrected, result.by_overlap, result.not_used) == (1, 1, 2, {})
    row = table(project / "out").row(0, named=True)
    assert (row["frame"], row["corrected_by"]) == (1, "Ada")
    assert shapely.from_wkb(row["geometry"]).equals(shapely.box(50, 38, 63, 51))


def test_masks_of_cvat(project: Path) -> None:
    """They have `iscrowd` 1, although each is one object."""
    one = {"image_id": 1, "iscrowd": 1, "segmentation": mask(11, 20, 21, 30)}
    other = {"image_id": 2, "iscrowd": 1, "segmentation": mask(50, 38, 63, 51)}
    result, _ = imported(project, cvat(one, other))
    assert (result.unchanged, result.corrected, result.not_used) == (1, 1, {})
    (geometry,) = table(project / "out")["geometry"]
    assert shapely.from_wkb(geometry).equals(shapely.box(50, 38, 63, 51))


def test_a_group_of_polygons_is_one_object(project: Path) -> None:
    """Its largest part counts, as for averages."""
    small = [90, 70, 92, 70, 92, 72]
    result, _ = imported(project, cvat(UNCHANGED, {"image_id": 2, "segmentation": [small, MOVED]}))
    assert (result.polygons, result.corrected) == (2, 1)
    (geometry,) = table(project / "out")["geometry"]
    assert shapely.from_wkb(geometry).equals(shapely.box(50, 38, 63, 51))


RLE = "with a mask (RLE) that is empty, not valid or of another size than its image"


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"segmentation": mask(50, 38, 63, 51, height=160)}, RLE),
        ({"segmentation": {"size": [80, 100], "counts": [8000]}}, RLE),
        ({"segmentation": {"size": [80, 100], "counts": [9, 9]}}, RLE),
        ({"segmentation": {"size": [80, 100], "counts": "o" * 10_000}}, RLE),
        ({"segmentation": {"size": 5, "counts": None}}, RLE),
        ({"segmentation": {}}, RLE),
        ({"segmentation": [[1, 2, 3]]}, "with a polygon that is not valid"),
        ({"segmentation": ["text"]}, "with a polygon that is not valid"),
        ({"segmentation": [], "keypoints": [5, 5, 2]}, "with keypoints, without a polygon or a mask"),
        ({"segmentation": []}, "with only a box, without a polygon or a mask"),
        ({"segmentation": None, "bbox": None}, "without an outline"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_removes_nothing(
    annotation: dict[str, Any], reason: str, project: Path
) -> None:
    content = cvat(UNCHANGED, {"image_id": 2} | annotation, {"image_id": 2} | annotation)
    result, notes = imported(project, content, missing="remove")
    assert [note for note in notes if reason in note] == [
        f"{project / 'edited.json'}: 2 annotations {reason} (annotation 2, annotation 3)"
    ]
    assert result.not_used == {f"annotation {reason}": 2}
    assert (result.unchanged, result.missing, result.removed) == (1, 1, 0)
    kept = (
        "1 cluster without a polygon, kept; --missing remove keeps only those that an unused outline may show"
    )
    assert any(kept in note for note in notes)
    # Without it, the cluster is removed.
    assert imported(project, cvat(UNCHANGED), missing="remove")[0].removed == 1


def test_coco_keypoints_of_cvat_are_refused(project: Path, polyframe: Call) -> None:
    points = {"segmentation": [], "keypoints": [15.0, 25.0, 2], "num_keypoints": 1}
    category = {
        "id": 1,
        "name": "T0_toolIndex0",
        "supercategory": "",
        "keypoints": ["centre"],
        "skeleton": [],
    }
    content = cvat({"image_id": 1} | points, {"image_id": 2} | points, categories=[category])
    path = write(content, project / "person_keypoints_default.json")
    done = polyframe("import-corrections", project / "out", path, "--missing", "remove")
    assert (done.code, done.out) == (1, "")
    lines = done.err.splitlines()
    assert (
        "2 annotations with keypoints, without a polygon or a mask (annotation 1, annotation 2)" in lines[0]
    )
    assert "contains no polygon that can be read; export" in lines[1]
    assert len(lines) == 2
    assert "corrections" not in pf.status(project / "out").tables


def test_a_region_that_is_not_a_polygon_removes_nothing(project: Path) -> None:
    tasks = exported_tasks(project / "out", project)
    regions = complete(tasks[0])
    regions[0] |= {"type": "brushlabels", "value": {"format": "rle", "rle": [1]}}
    complete(tasks[1])
    result, notes = imported(project, tasks)
    assert (result.unchanged, result.removed) == (1, 0)
    assert any("1 region of the type brushlabels, not a polygon" in note for note in notes)


def test_answers_in_label_studio_are_no_outlines(project: Path) -> None:
    tasks = exported_tasks(project / "out", project)
    about_image = {"id": "q", "from_name": "quality", "to_name": "image", "type": "choices"}
    complete(tasks[0])[:] = [about_image | {"value": {"choices": ["Sharp"]}}]
    regions = complete(tasks[1])
    # What is said about a region repeats its outline.
    regions.append(regions[0] | {"type": "textarea", "value": regions[0]["value"] | {"text": ["odd"]}})
    result, notes = imported(project, tasks)
    assert (result.unchanged, result.removed) == (1, 1)
    assert any("1 region of the type choices, not a polygon" in note for note in notes)


def test_fiftyone_writes_attributes_beside_the_other_keys(project: Path) -> None:
    out = project / "out"
    pf.export(out, "coco", project / "coco.json", image_size=SIZE)
    ours = json.loads((project / "coco.json").read_text(encoding="utf-8"))
    images = [
        {"id": number, "file_name": f"{image['file_name']}", "height": 80, "width": 100, "license": None}
        for number, image in enumerate(ours["images"], 1)
    ]
    annotations = [
        {
            **{"id": number, "image_id": one["image_id"], "category_id": 0, "bbox": one["bbox"], "area": 1.0},
            **{"iscrowd": 0, "segmentation": one["segmentation"], "score": 1.0},
            **one["attributes"],
        }
        for number, one in enumerate(ours["annotations"], 1)
    ]
    # So far from its cluster that only its key says which one it is.
    annotations[1]["segmentation"] = [[1, 1, 30, 1, 30, 30, 1, 30]]
    content = {
        "info": {"contributor": "Voxel51", "date_created": "2026-03-01T10:00:00", "year": ""},
        "licenses": [],
        "categories": [{"id": 0, "name": "T0_toolIndex0", "supercategory": None}],
        "images": images,
        "annotations": annotations,
    }
    result, _ = imported(project, content, corrected_by="Ada")
    assert (result.unchanged, result.corrected, result.by_overlap) == (1, 1, 0)
    row = table(out).row(0, named=True)
    # The contributor is a program.
    assert (row["frame"], row["corrected_by"]) == (1, "Ada")
    assert str(row["corrected_at"]) == "2026-03-01 10:00:00+00:00"
    assert shapely.from_wkb(row["geometry"]).equals(shapely.box(1, 1, 30, 30))


@pytest.mark.parametrize("extra", [False, True])
def test_roboflow_renames_images_and_adds_a_category(extra: bool, project: Path) -> None:
    digits = "0123456789abcdef0123456789abcd5f"
    images = [
        {"id": frame, "license": 1, "file_name": f"5-{frame}_png.rf.{digits}.jpg", "height": 80, "width": 100}
        | ({"extra": {"name": f"5-{frame}.png"}} if extra else {})
        for frame in (0, 1)
    ]
    annotations = [
        {"id": 0, "image_id": 0, "category_id": 1, "segmentation": [corners(0)], "iscrowd": 0},
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [MOVED], "iscrowd": 0},
    ]
    content = {
        "info": {"contributor": "Roboflow", "date_created": "2026-03-01T10:00:00+00:00"},
        "licenses": [],
        "categories": [
            {"id": 0, "name": "cells", "supercategory": "none"},
            {"id": 1, "name": "T0_toolIndex0", "supercategory": "cells"},
        ],
        "images": images,
        "annotations": annotations,
    }
    result, _ = imported(project, content)
    assert (result.unchanged, result.corrected, result.not_used) == (1, 1, {})
    assert table(project / "out").select("subject_id", "frame", "corrected_by").rows() == [(5, 1, None)]


def test_an_archive_of_cvat(project: Path, polyframe: Call) -> None:
    path = project / "task.zip"
    content = json.dumps(cvat(UNCHANGED, {"image_id": 2, "segmentation": [MOVED]}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations/instances_default.json", content)
        archive.writestr("images/default/5-0.png", b"")
        archive.writestr("__MACOSX/annotations/._instances_default.json", b"\0\5\x16\7")
    done = polyframe("import-corrections", project / "out", path)
    assert (done.code, "1 corrected polygon" in done.out) == (0, True)
    assert pl.read_parquet(project / "out" / "corrections" / "*.parquet").height == 1
    for names, message in (
        (
            ["train/a.json", "valid/a.json"],
            "contains 2 JSON files (train/a.json, valid/a.json); unpack it",
        ),
        (["x.png"], "contains no JSON file; expected an export of"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, content)
        done = polyframe("import-corrections", project / "out", path)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert message in done.err
    path.write_bytes(path.read_bytes()[:20] + bytes(20) + path.read_bytes()[40:])
    done = polyframe("import-corrections", project / "out", path)
    assert (done.code, done.err.count("\n")) == (1, 1)


def test_masks_with_too_many_columns_are_refused() -> None:
    assert rings_of_mask({"size": [1, 2**31], "counts": [0, 2**31]}) is None
