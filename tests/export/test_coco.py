"""COCO: files load in pycocotools, and their masks equal the shapes of the tables."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.panoptes.subjects.image_sizes import read_image_sizes

Call = Callable[..., Done]
EXPORT = ROOT / "data" / "classifications.csv"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco") / "out"
    pf.run(EXPORT, folder, ROOT / "data" / "config.yaml", engine="shapely", jobs=1)
    return folder


def test_files_load_in_pycocotools(out: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    (done,) = pf.export(out, "coco", tmp_path / "coco.json", classifications=EXPORT)
    loaded = coco.COCO(str(done.path))
    rows = pf.scan(out, "reductions").collect()
    assert done.count == len(loaded.anns) == rows.height
    assert [category["name"] for category in loaded.cats.values()] == ["T0_toolIndex0", "T0_toolIndex1"]
    assert {annotation["score"] for annotation in loaded.anns.values()} == {*rows["consensus"]}
    assert {image["file_name"] for image in loaded.imgs.values()} <= {
        path.name for path in (ROOT / "data" / "images").iterdir()
    }
    for annotation in loaded.anns.values():
        attributes = annotation["attributes"]
        keys = ("subject_id", "frame", "tool", "cluster_label")
        row = rows.filter(pl.all_horizontal(pl.col(key) == attributes[key] for key in keys)).row(
            0, named=True
        )
        image = loaded.imgs[annotation["image_id"]]
        assert (image["subject_id"], image["frame"]) == (row["subject_id"], row["frame"])
        assert annotation["area"] == pytest.approx(row["area"])
        assert attributes["consensus"] == row["consensus"]
        mask = loaded.annToMask(annotation)
        assert mask.shape == (image["height"], image["width"])
        shape = shapely.from_wkb(row["geometry"])
        y, x = np.indices(mask.shape) + 0.5
        assert (mask != shapely.contains_xy(shape, x, y)).sum() < shape.length
        left, top, width, height = annotation["bbox"]
        assert (left, top, left + width, top + height) == pytest.approx(shape.bounds)


@pytest.mark.parametrize("score", ["consensus", "expected_iou"])
def test_annotations_are_results_for_an_evaluation(score: str, out: Path, tmp_path: Path) -> None:
    """A perfect detector finds every object of the file itself, and the best scores come first."""
    coco, cocoeval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    pf.export(out, "coco", tmp_path / "coco.json", classifications=EXPORT, score=score)
    truth = coco.COCO(str(tmp_path / "coco.json"))
    rows = pf.scan(out, "reductions").collect()
    annotations = json.loads((tmp_path / "coco.json").read_text())["annotations"]
    assert [one["score"] for one in annotations] == rows[score].to_list()
    results = truth.loadRes(annotations)
    assert len(results.anns) == rows.height
    for kind in ("segm", "bbox"):
        evaluation = cocoeval.COCOeval(truth, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1)
        assert evaluation.stats[8] == pytest.approx(1)


def test_sizes_equal_those_of_the_images(out: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (done,) = pf.export(out, "coco", tmp_path / "coco.json", classifications=EXPORT)
    images = json.loads(done.path.read_text())["images"]
    assert len(images) == pf.scan(out, "groups").select("subject_id", "frame").unique().collect().height
    for entry in images:
        with image.open(ROOT / "data" / "images" / entry["file_name"]) as picture:
            assert picture.size == (entry["width"], entry["height"])


def test_sizes_of_the_real_project(cat_project: Path) -> None:
    export = cat_project / "cat-project-classifications.csv"
    reported: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for subject, metadata in (
        pl.read_csv(export, columns=["subject_ids", "metadata"]).select("subject_ids", "metadata").rows()
    ):
        for frame, size in enumerate(json.loads(metadata).get("subject_dimensions") or ()):
            if size:
                natural = (size["naturalWidth"], size["naturalHeight"])
                reported.setdefault((int(subject), frame), set()).add(natural)
    sizes = read_image_sizes(export)
    assert sizes.keys() == reported.keys()
    assert all(size in reported[image] for image, size in sizes.items())


def export_of(tmp_path: Path, **metadata: Any) -> Path:
    """Three marks on the border of an image, each with its metadata."""
    rows = [
        export_row(place, drawing(square(place - 5, 20)), metadata=text)
        for place, text in enumerate(metadata.values())
    ]
    path = tmp_path / "border.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    pf.run(path, tmp_path / "out", engine="shapely", jobs=1)
    return path


def dimensions(*sizes: tuple[int, int] | None) -> str:
    entries = [s and {"clientWidth": 9.5, "naturalWidth": s[0], "naturalHeight": s[1]} for s in sizes]
    return json.dumps({"subject_dimensions": entries, "x": [1]})


def test_the_size_that_most_browsers_report(tmp_path: Path) -> None:
    path = export_of(
        tmp_path, a=dimensions((30, 40), None), b=dimensions((30, 40), None), c=dimensions((60, 80), (9, 9))
    )
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    parquet = tmp_path / "export.parquet"
    pl.read_csv(path).write_parquet(parquet)
    for export in (path, packed, parquet):
        assert read_image_sizes(export) == {(1, 0): (30, 40), (1, 1): (9, 9)}
    for nothing in ("{}", "", "not JSON", dimensions(None), '{"subject_dimensions":[{"naturalWidth":null}]}'):
        assert read_image_sizes(export_of(tmp_path, a=nothing, b=nothing, c=nothing)) == {}


def test_the_table_has_the_size_of_the_first_image(tmp_path: Path, polyframe: Call) -> None:
    """Most volunteers report 30 x 40; no table has the size of frame 1."""
    sizes = dimensions((60, 80)), dimensions((30, 40), (90, 90)), dimensions((30, 40)), "{"
    rows = [
        export_row(place, drawing(square(place, 20), square(place, 20, frame=1)), metadata=text)
        for place, text in enumerate(sizes)
    ]
    path = tmp_path / "two.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    pf.run(path, tmp_path / "out", engine="shapely", jobs=1)

    def images(*flags: Any) -> tuple[list[tuple[int, int]], str]:
        done = polyframe("export", tmp_path / "out", "--to", "coco", "-o", tmp_path / "c.json", *flags)
        entries = json.loads((tmp_path / "c.json").read_text())["images"]
        return [(image["width"], image["height"]) for image in entries], done.err

    sizes_without_flags, notes = images()
    assert sizes_without_flags == [(30, 40), (11, 30)]
    assert "the size of 1 image is not known" in notes
    assert images("--image-size", "50x50") == ([(50, 50), (50, 50)], "")
    assert images("--classifications", path) == ([(30, 40), (90, 90)], "")


def test_shapes_are_clipped_and_guessed_sizes_reported(tmp_path: Path, polyframe: Call) -> None:
    path = export_of(tmp_path, a="{}", b="{}", c="{}")
    command = ("export", tmp_path / "out", "--to", "coco", "-o", tmp_path / "c.json")
    done = polyframe(*command, "--classifications", path)
    assert done.code == 0
    assert "the size of 1 image is not known" in done.err
    content = json.loads((tmp_path / "c.json").read_text())
    assert (content["images"][0]["width"], content["images"][0]["height"]) == (6, 30)
    assert content["annotations"][0]["bbox"] == [0, 20, 6, 10]
    assert content["annotations"][0]["area"] == 60
    done = polyframe(*command, "--image-size", "25x25", "--image-name", "s{subject_id}_f{frame}.jpg")
    assert done.err == ""
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["images"][0]["file_name"] == "s1_f0.jpg"
    assert content["annotations"][0]["bbox"] == [0, 20, 6, 5]
    done = polyframe(*command, "--image-size", "25x10")
    assert "omitted 1 shape that has no area within the image" in done.err
    assert json.loads((tmp_path / "c.json").read_text())["annotations"] == []
    pf.export(tmp_path / "out", "coco", tmp_path / "c.json", level=3, image_size="25,25")
    assert json.loads((tmp_path / "c.json").read_text())["annotations"][0]["bbox"] == [0, 20, 5, 5]
    done = polyframe(*command, "--image-size", "big")
    assert done.code == 2
    assert "such as 1024x768" in done.err
    done = polyframe(*command, "--classifications", ROOT / "data" / "subjects.csv")
    assert done.code == 1
    assert "missing column subject_ids" in done.err
