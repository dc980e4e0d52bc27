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
