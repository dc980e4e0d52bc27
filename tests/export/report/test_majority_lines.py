"""The line on the heat maps of a report is the majority outline of the marks, also of an even number."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely
from pages import js, open_page

import polyframe as pf

KEYS = ["subject_id", "frame", "tool", "cluster_label"]
#: Of each row, its keys and the points of its line, in pixels.
LINES = r"""CLUSTERS.label.map((label, row) => {
  const unit = IMAGES.unit[imageOf(row)];
  const numbers = (majorityOf(row).match(/-?\d+/g) ?? []).map(Number), points = [];
  for (let k = 0, x = 0, y = 0; k + 1 < numbers.length; k += 2) {
    x += numbers[k];
    y += numbers[k + 1];
    points.push([x * unit, y * unit]);
  }
  return [Number(subjectOf(row)), frameOf(row), toolOf(row), label, points];
})"""


@pytest.fixture(scope="module")
def majorities(example: Path) -> dict[tuple[Any, ...], tuple[int, shapely.Polygon]]:
    """The number of marks and the majority outline of every cluster, from the marks in the tables."""
    outlines = pf.scan(example, "extractions").select(*KEYS[:3], "classification_id", "mark_index", "x", "y")
    labels = pf.scan(example, "labels").filter(pl.col("cluster_label") >= 0)
    marks = labels.join(outlines, on=[*KEYS[:3], "classification_id", "mark_index"], maintain_order="left")
    result = {}
    for keys, rows in marks.collect().group_by(KEYS, maintain_order=True):
        polygons = pf.geometry.polygons_from_paths(rows["x"].to_list(), rows["y"].to_list())
        result[keys] = (rows.height, pf.geometry.average_majority(polygons, engine="shapely"))
    return result


@pytest.mark.parametrize("settings", [{}, {"average_type": "union"}, {"max_levels": 2}])
def test_lines_are_the_majority_outlines(
    settings: dict[str, Any], browser: Any, example: Path, majorities: dict[Any, Any], tmp_path: Path
) -> None:
    assert {count % 2 for count, _ in majorities.values()} == {0, 1}
    out = example
    if settings:
        out = tmp_path / "out"
        data = Path(__file__).parents[3] / "data"
        pf.run(data / "classifications.csv", out, data / "config.yaml", engine="shapely", jobs=1, **settings)
    pf.report(out, tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    lines = {tuple(keys): shapely.Polygon(points) for *keys, points in js(browser, LINES) if points}
    assert lines.keys() == majorities.keys()
    for keys, (_, majority) in majorities.items():
        line = lines[keys].buffer(0)
        shared = shapely.area(shapely.intersection(line, majority))
        # Lines are simplified below what is visible.
        assert shared / shapely.area(shapely.union(line, majority)) > 0.99, keys


def test_the_line_of_two_marks_is_their_median_and_not_their_intersection(
    browser: Any, hostile: Path, tmp_path: Path
) -> None:
    # Subject 22 has two squares of 10 pixels, shifted by 3.
    pf.report(hostile, tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    (points,) = [points for subject, *_, points in js(browser, LINES) if subject == 22]
    assert shapely.Polygon(points).bounds == pytest.approx((0, 5, 10, 15), abs=0.1)
