"""Drawings of the consensus of all clusters."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import polyframe as pf
from polyframe.plot.draw_consensus import consensus_counts


def title(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


def test_counts_equal_those_of_the_table(example: Path) -> None:
    counts = consensus_counts(example)
    reductions = pf.scan(example, "reductions").collect()
    assert counts["n"].sum() == reductions.height
    assert counts["step"].is_between(0, 1000).all()
    mean = (counts["step"] * counts["n"]).sum() / counts["n"].sum() / 1000
    assert mean == pytest.approx(reductions["consensus"].mean(), abs=1e-3)


def test_the_histogram_counts_every_cluster_once(example: Path, ax: Axes) -> None:
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


def test_boxes_are_quartiles_of_each_size_class(example: Path, ax: Axes) -> None:
    assert pf.plot.consensus_by_size(example, ax) is ax
    large = pf.scan(example, "reductions").filter(pl.col("clusters_count") >= 5).collect()["consensus"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3 to 4\n(6)", "5 to 8\n(30)"]
    box = ax.patches[1].get_path().vertices[:, 1]
    quartiles = [large.quantile(share, "nearest") for share in (0.25, 0.75)]
    assert [box.min(), box.max()] == pytest.approx(quartiles, abs=5e-3)


def test_consensus_of_0_and_1_is_counted_in_the_outer_bars(ax: Axes) -> None:
    counts = pl.DataFrame({"step": [0, 1000], "clusters_count": [2, 100], "n": [3, 4]})
    pf.plot.consensus(counts, ax)
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, -1).sum(axis=0)
    assert (heights[0], heights[-1], heights.sum()) == (3, 4, 7)


def test_without_clusters_there_is_a_note(ax: Axes) -> None:
    none = pl.DataFrame(schema={"step": pl.Int32, "clusters_count": pl.Int32, "n": pl.Int64})
    for draw in (pf.plot.consensus, pf.plot.consensus_by_size):
        one = Figure().add_subplot()
        draw(none, one)
        assert [text.get_text() for text in one.texts] == ["no clusters"]
