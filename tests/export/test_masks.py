"""Masks: each shape covers the pixels whose centres it contains, and Pillow reads the files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square
from hypothesis import given
from hypothesis import strategies as st

import polyframe as pf
from polyframe.export.polygon_fill import fill

Call = Callable[..., Done]
EXPORT = ROOT / "data" / "classifications.csv"
image = pytest.importorskip("PIL.Image")


def opened(path: Path) -> np.ndarray:
    with image.open(path) as picture:
        return np.asarray(picture)


@given(
    st.lists(st.tuples(st.integers(-40, 240), st.integers(-40, 240)), min_size=3, max_size=12, unique=True)
)
def test_a_polygon_fills_the_pixels_whose_centres_it_contains(corners: list[tuple[int, int]]) -> None:
    """Centres on the outline may belong to either side."""
    points = np.array([*corners, corners[0]]) / 10 + 0.013
    polygon = shapely.Polygon(points)
    if not polygon.is_valid:
        return
    picture = np.zeros((20, 17), np.uint8)
    count = fill(picture, points, 7)
    y, x = np.indices(picture.shape) + 0.5
    near = shapely.distance(polygon.exterior, shapely.points(x, y)) < 1e-9
    inside = shapely.contains_xy(polygon, x, y)
    assert ((picture == 7) == inside)[~near].all()
    assert count == (picture == 7).sum()


def test_adjacent_polygons_neither_share_nor_miss_pixels() -> None:
    picture = np.zeros((8, 8), np.int64)
    total = 0
    for x, y in ((0, 0), (3.5, 0), (0, 2.5), (3.5, 2.5)):
        corners = [(x, y), (x + 3.5, y), (x + 3.5, y + 2.5), (x, y + 2.5), (x, y)]
        total += fill(picture, np.array(corners, float), 1)
    assert total == picture.sum() == 7 * 5
    assert picture[:5, :7].all()


@pytest.mark.parametrize("level", [None, 2])
def test_masks_of_the_example(level: int | None, tmp_path: Path) -> None:
    pf.run(EXPORT, tmp_path / "out", ROOT / "data" / "config.yaml", engine="shapely", jobs=1)
    pictures, labels = pf.export(
        tmp_path / "out", "masks", tmp_path / "m", level=level, classifications=EXPORT
    )
    names = {path.name for path in (tmp_path / "m").glob("*.png")}
    assert pictures.count == len(names) == 16
    rows = pf.scan(tmp_path / "out", "reductions" if level is None else "contours").collect()
    entries = [json.loads(line) for line in labels.path.read_text().splitlines()]
    assert labels.count == len(entries) == rows.height
    for name in names:
        mask = opened(tmp_path / "m" / name)
        with image.open(ROOT / "data" / "images" / name) as picture:
            assert mask.shape == picture.size[::-1]
        of_image = [entry for entry in entries if entry["file"] == name]
        assert set(np.unique(mask)) <= {0} | {entry["value"] for entry in of_image}
        for entry in of_image:
            keys = ("subject_id", "frame", "tool", "cluster_label")
            row = rows.filter(pl.all_horizontal(pl.col(key) == entry[key] for key in keys)).row(0, named=True)
            area = row["area"] if level is None else row["contours_area"][level - 1]
            assert entry["pixels"] == (mask == entry["value"]).sum() == pytest.approx(area, rel=0.02)
            # Compare with GEOS at every centre; those on the outline may belong to either side.
            x, y = (
                (row["clusters_x"], row["clusters_y"])
                if level is None
                else (row["contours_x"][level - 1], row["contours_y"][level - 1])
            )
            polygon = shapely.Polygon(np.column_stack([x, y]))
            centre_y, centre_x = np.indices(mask.shape) + 0.5
            inside = shapely.contains_xy(polygon, centre_x, centre_y)
            painted = mask == entry["value"]
            wrong = (painted & ~inside) | (inside & (mask == 0))
            far = shapely.distance(polygon.exterior, shapely.points(centre_x[wrong], centre_y[wrong]))
            assert (far < 1e-9).all()


def test_small_shapes_are_on_top_and_many_shapes_use_16_bits(tmp_path: Path, polyframe: Call) -> None:
    marks = [square(0, 0, side=400), *(square(4 * i % 400, 4 * (i // 100), side=2) for i in range(300))]
    rows = [export_row(place, drawing(*marks)) for place in range(2)]
    (tmp_path / "many.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "many.csv", tmp_path / "out", engine="shapely", jobs=1)
    done = polyframe(
        "export", tmp_path / "out", "--to", "masks", "-o", tmp_path / "m", "--image-size", "400x400"
    )
    assert done.out.splitlines() == [
        f"{tmp_path / 'm'}: 1 picture",
        f"{tmp_path / 'm/labels.jsonl'}: 301 labels",
    ]
    mask = opened(tmp_path / "m" / "1-0.png")
    assert np.unique(mask).tolist() == list(range(1, 302))
    assert (mask == 2).sum() == 4


def test_images_without_clusters_give_empty_masks(
    small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    pf.run(small_export, tmp_path / "out", engine="shapely", jobs=1, min_samples=9)
    command = ("export", tmp_path / "out", "--to", "masks", "-o", tmp_path / "m")
    assert polyframe(*command, "--image-size", "30x20").code == 0
    assert opened(tmp_path / "m" / "2-0.png").shape == (20, 30)
    assert not opened(tmp_path / "m" / "2-0.png").any()
    done = polyframe(*command, "--image-size", "900000x900000")
    assert done.code == 1
    assert "too many" in done.err
    (tmp_path / "file").touch()
    done = polyframe(*command[:-1], tmp_path / "file")
    assert done.code == 1
    assert "name a folder" in done.err


def test_pixels_with_the_number_of_their_class(tmp_path: Path) -> None:
    """Equal to the masks of shapes, with the class of each shape; the description adds up."""
    pf.run(EXPORT, tmp_path / "out", ROOT / "data" / "config.yaml", engine="shapely", jobs=1)
    options = {"classifications": EXPORT, "workflows": ROOT / "data" / "workflows.csv"}
    pf.export(tmp_path / "out", "masks", tmp_path / "i", **options)  # type: ignore[arg-type]
    pictures, classes = pf.export(tmp_path / "out", "masks", tmp_path / "c", masks="class", **options)  # type: ignore[arg-type]
    assert (pictures.count, classes.path, classes.count) == (16, tmp_path / "c" / "classes.jsonl", 3)
    described = [json.loads(line) for line in classes.path.read_text("utf-8").splitlines()]
    assert [(entry["value"], entry["label"], entry.get("tool")) for entry in described] == [
        (0, "background", None),
        (1, "Cell", "T0_toolIndex0"),
        (2, "Crystal", "T0_toolIndex1"),
    ]
    lines = (tmp_path / "i" / "labels.jsonl").read_text("utf-8").splitlines()
    value_of = {"Cell": 1, "Crystal": 2}
    shapes = {(s["file"], s["value"]): value_of[s["label"]] for s in map(json.loads, lines)}
    n_pixels, n_images = np.zeros(3, int), np.zeros(3, int)
    for path in (tmp_path / "c").glob("*.png"):
        mask, instances = opened(path), opened(tmp_path / "i" / path.name)
        assert mask.dtype == np.uint8
        expected = np.zeros_like(mask)
        for value in set(np.unique(instances).tolist()) - {0}:
            expected[instances == value] = shapes[path.name, value]
        assert (mask == expected).all()
        counts = np.bincount(mask.ravel(), minlength=3)
        n_pixels += counts
        n_images += counts > 0
    assert [entry["pixels"] for entry in described] == n_pixels.tolist()
    assert [entry["images"] for entry in described] == n_images.tolist()


def test_the_smaller_shape_wins_whatever_its_class(tmp_path: Path) -> None:
    marks = [
        square(0, 0, side=20, toolIndex=1),
        square(5, 5, side=4),
        square(30, 0),
        square(33, 3, 2, toolIndex=1),
    ]
    rows = [export_row(place, drawing(*marks)) for place in range(2)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    pf.export(tmp_path / "out", "masks", tmp_path / "m", masks="class", image_size="50x30")
    mask = opened(tmp_path / "m" / "1-0.png")
    assert [mask[y, x] for x, y in ((1, 1), (6, 6), (31, 1), (34, 4), (49, 29))] == [2, 1, 1, 2, 0]
