"""Drawings of the results of many settings."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotted_groups import DATA

import polyframe as pf
from polyframe.core.errors import UsageError
from polyframe.plot.draw_tuning import GOLD_KINDS, TUNING_KINDS
from polyframe.plot.line_styles import cluster_style

COLUMNS = {
    "clusters": lambda rows: rows["clusters"],
    "outliers": lambda rows: rows["outliers"] / rows["marks"],
    "consensus": lambda rows: rows["consensus_median"],
    "doubled": lambda rows: rows["doubled_clusters"] / rows["clusters"],
    "gold_precision": lambda rows: rows["gold_precision"],
    "gold_recall": lambda rows: rows["gold_recall"],
    "gold_iou": lambda rows: rows["gold_iou"],
}


@pytest.fixture(scope="module")
def table(example: Path) -> pl.DataFrame:
    grid: dict[str, Any] = {"eps": "0.1,0.3,0.5,0.9", "min_samples": "2:4"}
    return pf.tune(example, **grid, gold=DATA / "expert.geojson", jobs=1)


@pytest.mark.parametrize("show", TUNING_KINDS)
def test_each_min_samples_is_a_line_through_its_rows(table: pl.DataFrame, ax: Axes, show: str) -> None:
    assert pf.plot.tuning(table, ax, show=show) is ax
    by_label = {line.get_label(): line for line in ax.lines}
    for k, least in enumerate((2, 3, 4)):
        line = by_label[f"min_samples {least}"]
        rows = table.filter(pl.col("min_samples") == least)
        assert line.get_xdata().tolist() == [0.1, 0.3, 0.5, 0.9]
        assert line.get_ydata() == pytest.approx(COLUMNS[show](rows).to_numpy())
        assert line.get_color() == cluster_style(k, on_image=False).color
    assert len({line.get_marker() for name, line in by_label.items() if name.startswith("min_samples")}) == 3
    assert ax.get_xlabel() == "eps"
    low, high = ax.get_ylim()
    assert all(low <= y <= high for line in ax.lines if len(line.get_xdata()) == 4 for y in line.get_ydata())


def test_the_current_setting_has_a_ring(table: pl.DataFrame, ax: Axes) -> None:
    pf.plot.tuning(table, ax)
    (ring,) = [line for line in ax.lines if line.get_gid() == "current"]
    current = table.filter("current")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (0.5, current["clusters"].item())
    pf.plot.tuning_legend(ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [f"min_samples {k}" for k in (2, 3, 4)] + ["as made: eps 0.5, min_samples 2"]
    none = Figure().add_subplot()
    pf.plot.tuning(table.with_columns(current=False), none)
    assert not [line for line in none.lines if line.get_gid() == "current"]


def test_methods_and_splits_have_their_own_lines(example: Path, ax: Axes) -> None:
    """Those of HDBSCAN, which has no eps, are horizontal."""
    settings = {"cluster_method": "dbscan,hdbscan", "split": "none,doubled"}
    table = pf.tune(example, eps="0.3,0.9", min_samples=2, jobs=1, **settings)
    pf.plot.tuning(table, ax, show="outliers")
    by_label = {line.get_label(): line for line in ax.lines}
    for method in ("dbscan", "hdbscan"):
        for split in ("none", "doubled"):
            rows = table.filter(cluster_method=method, split=split)
            words = [
                "min_samples 2",
                *[method] * (method != "dbscan"),
                *["split doubled"] * (split != "none"),
            ]
            line = by_label[", ".join(words)]
            assert line.get_xdata().tolist() == [0.3, 0.9]
            expected = rows["outlier_share"].to_list() * (1 + (method == "hdbscan"))
            assert line.get_ydata().tolist() == expected
    # The output was made with eps 0.5, which is not in this table.
    assert not [line for line in ax.lines if line.get_gid() == "current"]
    made = Figure().add_subplot()
    pf.plot.tuning(table.with_columns(current=pl.col("eps").is_null() & (pl.col("split") == "none")), made)
    (ring,) = [line for line in made.lines if line.get_gid() == "current"]
    assert ring.get_label() == "as made: min_samples 2, hdbscan"
    # Without any DBSCAN, the axis has no values of eps.
    only = Figure().add_subplot()
    pf.plot.tuning(table.filter(pl.col("eps").is_null()), only)
    assert len({tuple(line.get_ydata().tolist()) for line in only.lines}) == 1


def test_the_band_is_between_the_quartiles(table: pl.DataFrame, ax: Axes) -> None:
    pf.plot.tuning(table, ax, show="consensus")
    two = table.filter(pl.col("min_samples") == 2)
    band = ax.collections[-1].get_paths()[0].vertices[:, 1]
    ends = two.select(pl.min("consensus_q1"), pl.max("consensus_q3")).row(0)
    assert (band.min(), band.max()) == pytest.approx(ends)


def test_missing_values_are_not_drawn(ax: Axes) -> None:
    rows = pl.DataFrame(
        {"eps": [0.1, 0.2], "min_samples": 2, "current": [True, False], "clusters": [0, 2]}
        | {"consensus_q1": [None, 0.4], "consensus_median": [None, 0.6], "consensus_q3": [None, 0.7]}
        | {"doubled_clusters": [0, 1], "outlier_share": [1.0, 0.0]}
    )
    for show in TUNING_KINDS:
        one = Figure().add_subplot()
        pf.plot.tuning(rows, one, show=show)
        missing = show in ("consensus", "doubled")
        if show in GOLD_KINDS:
            # Of a table without gold outlines, or one that has no such columns.
            assert [text.get_text() for text in one.texts] == ["nothing to compare"]
            continue
        line = next(line for line in one.lines if line.get_label() == "min_samples 2")
        assert np.isnan(line.get_ydata()).tolist() == [missing, False]
        assert bool([ring for ring in one.lines if ring.get_gid() == "current"]) != missing
    pf.plot.tuning(rows[:1].cast({"consensus_q1": pl.Float64}), ax, show="consensus")
    assert [text.get_text() for text in ax.texts] == ["no clusters"]


def test_an_invalid_table_or_quantity_is_an_error_of_one_line(table: pl.DataFrame, ax: Axes) -> None:
    with pytest.raises(UsageError, match="show: 'marks' is not one of clusters, outliers, consensus"):
        pf.plot.tuning(table, ax, show="marks")
    with pytest.raises(UsageError, match=r"table: not one from polyframe.tune: column") as error:
        pf.plot.tuning(table.drop("outlier_share"), ax, show="outliers")
    assert "\n" not in str(error.value)
    assert pf.plot.tuning(table, ax, title="Mine").get_title(loc="left") == "Mine"


def overlap(figure: Figure) -> bool:
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    return any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])


def test_a_figure_that_is_too_narrow_does_not_suggest_other_options(table: pl.DataFrame) -> None:
    """The panels of this figure cannot be chosen."""
    with pytest.raises(
        UsageError, match=r"200 pixels are too few for . panels in a row; choose a larger width$"
    ):
        pf.plot.tuning_figure(table, width=200)


def test_the_figure_has_all_panels_and_a_title(table: pl.DataFrame) -> None:
    without_gold = table.drop(GOLD_KINDS)
    for rows, headers in ((table, 3), (without_gold, 2)):
        figure = pf.plot.tuning_figure(rows, name="out", width=900)
        assert len(figure.axes) == len(TUNING_KINDS) - (0 if rows is table else len(GOLD_KINDS))
        assert len(figure.texts) == headers
        assert figure.texts[0].get_text() == "Settings for the 232 marks in 25 groups of out"
        assert figure.get_figwidth() * figure.dpi == pytest.approx(900)
        assert figure.axes[1].get_legend() is not None
        assert not overlap(figure)
    missing = without_gold.with_columns(pl.lit(None).alias(name) for name in GOLD_KINDS)
    assert len(pf.plot.tuning_figure(missing).axes) == 4


def test_gold_panels_have_a_row_of_their_own(table: pl.DataFrame) -> None:
    figure = pf.plot.tuning_figure(table)
    assert figure.texts[-1].get_text() == "Averages, compared with the outlines of an expert"
    *others, precision, recall, iou = figure.axes
    boxes = [ax.get_position() for ax in (precision, recall, iou)]
    assert len({(round(box.y0, 6), round(box.width, 6)) for box in boxes}) == 1
    assert boxes[0].x0 < boxes[1].x0 < boxes[2].x0
    assert all(ax.get_position().y0 > boxes[0].y1 for ax in others)
    assert [ax.get_ylabel() for ax in (precision, recall, iou)] == ["precision", "recall", "mean IoU"]


def test_rings_of_the_gold_panels_are_what_score_says(example: Path, table: pl.DataFrame) -> None:
    (expected,) = pf.score(example, DATA / "expert.geojson").filter(scope="all").rows(named=True)
    for show, column in zip(GOLD_KINDS, ("precision", "recall", "gold_iou"), strict=True):
        one = Figure().add_subplot()
        pf.plot.tuning(table, one, show=show)
        (ring,) = [line for line in one.lines if line.get_gid() == "current"]
        assert ring.get_ydata()[0] == pytest.approx(expected[column])


def test_many_settings_or_none_can_be_drawn(table: pl.DataFrame) -> None:
    many = [
        table.filter(pl.col("min_samples") == 2).with_columns(pl.lit(k, pl.Int32).alias("min_samples"))
        for k in range(2, 22)
    ]
    figure = pf.plot.tuning_figure(pl.concat(many))
    assert len(figure.axes[1].get_legend().get_texts()) <= 8 + 20
    pf.plot.tuning_figure(table.clear()).draw_without_rendering()
