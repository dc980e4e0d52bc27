"""Images without shapes: those that nobody drew on are negatives, and everything omitted is counted."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square

import polyframe as pf

Call = Callable[..., Done]
SIZE = ("--image-size", "100x100")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Subjects 1 (objects on frame 0), 2 (nothing), 3 (marks apart), 4 (unusable), 5 (as 2, and a copy)."""
    folder = tmp_path_factory.mktemp("images")
    cells = {
        1: [drawing(square(0, 0), square(50, 0))] * 2 + [drawing(square(0, 1), square(50, 0))],
        2: [drawing()] * 3,
        3: [drawing(square(40 * number, 0)) for number in range(3)],
        4: [drawing({"toolIndex": 0, "toolType": "freehandLine", "pathX": [1, 2], "pathY": [1]})] * 3,
        5: [drawing(), drawing(), drawing()],
    }
    rows = [
        export_row(10 * subject + number, cell, subject_ids=subject)
        for subject, of_subject in cells.items()
        for number, cell in enumerate(of_subject)
    ]
    (folder / "e.csv").write_text(export_text([*rows, rows[-1]]), encoding="utf-8")
    pf.run(folder / "e.csv", folder / "out", engine="shapely", jobs=1, say=lambda _: None)
    assert pf.scan(folder / "out", "rejects").collect()["reason"].value_counts().sort("count").rows() == [
        ("duplicate_classification", 1),
        ("path_lengths_differ", 3),
    ]
    return folder


def coco_images(path: Path) -> list[tuple[int, int]]:
    content = json.loads(path.read_text("utf-8"))
    return [(image["subject_id"], image["frame"]) for image in content["images"]]


def test_empty_images_are_negatives_unless_they_are_dropped(
    folder: Path, tmp_path: Path, polyframe: Call
) -> None:
    command = ("export", folder / "out", "--to", "coco", "-o", tmp_path / "c.json")
    done = polyframe(*command, *SIZE)
    assert coco_images(tmp_path / "c.json") == [(1, 0), (2, 0), (3, 0), (5, 0)]
    unreadable = "omitted 1 image that may have marks, since some marks of the subject could not be read"
    assert f"{unreadable}: subject 4 frame 0" in done.err
    assert "included 2 images that nobody drew on and 1 image with marks, but without a shape" in done.err
    done = polyframe(*command, *SIZE, "--empty-images", "drop")
    assert coco_images(tmp_path / "c.json") == [(1, 0)]
    assert "omitted 1 image that has no shape: subject 3 frame 0" in done.err
    done = polyframe(*command, *SIZE, "--empty-images", "some")
    assert done.code == 2


def test_frames_with_an_address_are_images_too(folder: Path, tmp_path: Path) -> None:
    subjects = pl.DataFrame(
        {
            "subject_id": [1, 2, 3],
            "metadata": ["{}"] * 3,
            "locations": [
                json.dumps({str(frame): f"https://x.org/{s}-{frame}.png" for frame in range(s)})
                for s in (1, 2, 3)
            ],
        }
    )
    subjects.write_csv(tmp_path / "s.csv")
    options = {"subjects": tmp_path / "s.csv", "image_size": "9x9", "say": lambda _: None}
    pf.export(folder / "out", "coco", tmp_path / "c.json", **options)  # type: ignore[arg-type]
    images = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (5, 0)]
    assert coco_images(tmp_path / "c.json") == images
    pictures, _ = pf.export(folder / "out", "masks", tmp_path / "m", **options)  # type: ignore[arg-type]
    assert pictures.count == len(images) == len(list((tmp_path / "m").glob("*.png")))


def test_frames_in_the_classification_export_are_images_too(tmp_path: Path) -> None:
    size = '{"naturalWidth": 90, "naturalHeight": 80}'
    metadata = f'{{"subject_dimensions": [{size}, {size}, {size}]}}'
    rows = [export_row(number, drawing(square(0, 0, frame=1)), metadata=metadata) for number in range(3)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    options = {"classifications": tmp_path / "e.csv", "say": lambda _: None}
    pf.export(tmp_path / "out", "coco", tmp_path / "c.json", **options)  # type: ignore[arg-type]
    assert coco_images(tmp_path / "c.json") == [(1, 0), (1, 1), (1, 2)]
    files, _ = pf.export(tmp_path / "out", "geojson", tmp_path / "g", **options)  # type: ignore[arg-type]
    assert files.count == 3


def test_marks_that_took_no_part_are_not_an_empty_image(tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(number, drawing(square(0, 0)), subject_ids=1 + number // 3) for number in range(6)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    excluded = [f"volunteer{number}" for number in range(3, 6)]
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1, exclude_volunteers=excluded)
    done = polyframe("export", tmp_path / "out", "--to", "coco", "-o", tmp_path / "c.json", *SIZE)
    assert coco_images(tmp_path / "c.json") == [(1, 0)]
    assert "omitted 1 image that has marks, of which none took part: subject 2 frame 0" in done.err


def test_an_empty_image_of_unknown_size_is_omitted_from_formats_with_sizes(
    folder: Path, tmp_path: Path, polyframe: Call
) -> None:
    command = ("export", folder / "out", "--to")
    for to, path in (("coco", tmp_path / "c.json"), ("masks", tmp_path / "m")):
        done = polyframe(*command, to, "-o", path)
        assert "omitted 3 images that have neither a shape nor a known size: subject 2 frame 0" in done.err
    assert coco_images(tmp_path / "c.json") == [(1, 0)]
    done = polyframe(*command, "labelstudio", "-o", tmp_path / "l.json")
    assert "omitted 1 image that has shapes, but no known size (name the export with" in done.err
    tasks = json.loads((tmp_path / "l.json").read_text("utf-8"))
    # Polygons in percent need the size; an image without any does not.
    assert [task["data"]["subject_id"] for task in tasks] == [2, 3, 5]


def test_limits_omit_clusters_and_count_them(folder: Path, tmp_path: Path, polyframe: Call) -> None:
    rows = pf.scan(folder / "out", "reductions").collect()
    low, high = sorted(rows["consensus"])
    assert low < high
    middle = (low + high) / 2
    for to, kind in (("coco", "annotation"), ("geojson", "feature"), ("labelstudio", "task")):
        path = tmp_path / f"{to}.json"
        size = () if to == "geojson" else SIZE
        done = polyframe("export", folder / "out", "--to", to, "-o", path, *size, "--min-consensus", middle)
        assert f"omitted 1 shape that has a consensus below {middle:g}: subject 1" in done.err
        if to != "labelstudio":
            assert done.out == f"{path}: 1 {kind}\n"
    expected = sorted(rows["expected_iou"])
    middle = sum(expected) / 2
    path = tmp_path / "c.json"
    for what in ((), ("--level", "50%")):
        done = polyframe(
            *("export", folder / "out", "--to", "coco", "-o", path, *SIZE, *what),
            *("--min-expected-iou", middle, "--score", "expected_iou"),
        )
        assert f"omitted 1 shape that has an expected IoU below {middle:g}" in done.err
        (annotation,) = json.loads(path.read_text("utf-8"))["annotations"]
        assert annotation["score"] == expected[1]
    for limit in ("2", "-0.1", "nan", "x"):
        done = polyframe("export", folder / "out", "--to", "coco", "-o", path, "--min-consensus", limit)
        assert done.code == 2
    with pytest.raises(pf.UsageError, match="min_consensus: True is not a number from 0 to 1"):
        pf.export(folder / "out", "coco", path, min_consensus=True)


def test_clusters_of_two_marks_have_no_expected_iou(tmp_path: Path, polyframe: Call) -> None:
    rows = [export_row(number, drawing(square(0, 0))) for number in range(2)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    path = tmp_path / "c.json"
    done = polyframe("export", tmp_path / "out", "--to", "coco", "-o", path, *SIZE, "--min-expected-iou", "0")
    assert "omitted 1 shape that has no expected IoU, which is for clusters of 3 to 500 marks" in done.err
    assert json.loads(path.read_text("utf-8"))["annotations"] == []
