"""Consensus over all clusters, and the toys."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import polyframe as pf
from polyframe.core.errors import UsageError
from polyframe.plot.draw_consensus import consensus_counts
from polyframe.synthetic import toy_cluster, toy_pair


def title(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


def test_counts_are_those_of_the_clusters(example: Path) -> None:
    counts = consensus_counts(example)
    reductions = pf.scan(example, "reductions").collect()
    assert counts["n"].sum() == reductions.height
    assert counts["step"].is_between(0, 1000).all()
    mean = (counts["step"] * counts["n"]).sum() / counts["n"].sum() / 1000
    assert mean == pytest.approx(reductions["consensus"].mean(), abs=1e-3)


def test_the_distribution_holds_every_cluster_once(example: Path, ax: Axes) -> None:
    assert pf.plot.consensus(example, ax) is ax
    reductions = pf.scan(example, "reductions").collect()
    assert sum(bar.get_height() for bar in ax.patches) == reductions.height
    median = reductions["consensus"].median()
    assert ax.lines[0].get_xdata()[0] == pytest.approx(median, abs=2e-3)
    assert "Consensus of 36 clusters" in title(ax)
    assert f"median {median:.2f}" in title(ax)
    assert ax.get_xlim() == (0, 1)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "3 to 4: 6 clusters" in labels
    assert "5 to 8: 30 clusters" in labels


def test_boxes_are_quartiles_of_each_class_of_sizes(example: Path, ax: Axes) -> None:
    assert pf.plot.consensus_by_size(example, ax) is ax
    large = pf.scan(example, "reductions").filter(pl.col("clusters_count") >= 5).collect()["consensus"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3 to 4\n(6)", "5 to 8\n(30)"]
    box = ax.patches[1].get_path().vertices[:, 1]
    quartiles = [large.quantile(share, "nearest") for share in (0.25, 0.75)]
    assert [box.min(), box.max()] == pytest.approx(quartiles, abs=5e-3)


def test_perfect_and_no_consensus_are_within_the_bars(ax: Axes) -> None:
    counts = pl.DataFrame({"step": [0, 1000], "clusters_count": [2, 100], "n": [3, 4]})
    pf.plot.consensus(counts, ax)
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, -1).sum(axis=0)
    assert (heights[0], heights[-1], heights.sum()) == (3, 4, 7)


def test_no_clusters_are_told(ax: Axes) -> None:
    none = pl.DataFrame(schema={"step": pl.Int32, "clusters_count": pl.Int32, "n": pl.Int64})
    for draw in (pf.plot.consensus, pf.plot.consensus_by_size):
        one = Figure().add_subplot()
        draw(none, one)
        assert [text.get_text() for text in one.texts] == ["no clusters"]


def test_toys_show_what_settings_do(ax: Axes) -> None:
    pair = toy_pair(distance=0.7, spread=0.13, rotation=12, seed=2)
    outcome = []
    for eps in (0.1, 0.3, 0.4):
        one = Figure().add_subplot()
        assert pf.plot.toy(pair, one, eps=eps, min_samples=4, average_type=None) is one
        outcome.append(title(one))
    assert outcome == [
        "eps 0.1, min_samples 4 0 clusters, 16 outliers",
        "eps 0.3, min_samples 4 2 clusters, 1 outlier",
        "eps 0.4, min_samples 4 1 cluster, 0 outliers",
    ]


def test_toys_show_averages(ax: Axes) -> None:
    areas = {}
    for kind in ("union", "median", "intersection"):
        one = Figure().add_subplot()
        pf.plot.toy(toy_cluster(spread=0.2), one, eps=0.9, average_type=kind)
        (average,) = [patch for patch in one.patches if patch.get_gid() == "average"]
        x, y = average.get_xy().T
        areas[kind] = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
        assert kind in title(one)
    assert areas["union"] > areas["median"] > areas["intersection"]
    assert pf.plot.toy(toy_cluster(n_marks=0), ax) is ax
    with pytest.raises(UsageError, match="eps"):
        pf.plot.toy(toy_cluster(), ax, eps=0)


def test_the_toys_have_a_row_for_each_setting() -> None:
    figure = pf.plot.toy_figure(eps=[0.2, 0.4], min_samples=[], averages=["last"])
    assert len(figure.axes) == 3
    with pytest.raises(UsageError, match="no value"):
        pf.plot.toy_figure(eps=[], min_samples=[], averages=[])
