"""Drawings of toy clusters."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import polyframe as pf
from polyframe.core.errors import UsageError
from polyframe.synthetic import toy_cluster, toy_pair


def title(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


def test_toy_clusters_show_the_effect_of_settings(ax: Axes) -> None:
    pair = toy_pair(distance=0.7, spread=0.13, rotation=12, seed=2)
    results = []
    for eps in (0.1, 0.3, 0.4):
        one = Figure().add_subplot()
        assert pf.plot.toy(pair, one, eps=eps, min_samples=4, average_type=None) is one
        results.append(title(one))
    assert results == [
        "eps 0.1, min_samples 4 0 clusters, 16 outliers",
        "eps 0.3, min_samples 4 2 clusters, 1 outlier",
        "eps 0.4, min_samples 4 1 cluster, 0 outliers",
    ]


def test_toy_clusters_show_averages(ax: Axes) -> None:
    areas = {}
    for kind in ("union", "median", "majority", "intersection"):
        one = Figure().add_subplot()
        pf.plot.toy(toy_cluster(spread=0.2), one, eps=0.9, average_type=kind)
        (average,) = [patch for patch in one.patches if patch.get_gid() == "average"]
        x, y = average.get_xy().T
        areas[kind] = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
        assert kind in title(one)
    assert areas["union"] > areas["median"] > areas["intersection"]
    assert areas["union"] > areas["majority"] > areas["intersection"]
    assert pf.plot.toy(toy_cluster(n_marks=0), ax) is ax
    with pytest.raises(UsageError, match="eps"):
        pf.plot.toy(toy_cluster(), ax, eps=0)


def test_the_toy_figure_has_a_row_for_each_setting() -> None:
    figure = pf.plot.toy_figure(eps=[0.2, 0.4], min_samples=[], averages=["last"])
    assert len(figure.axes) == 3
    with pytest.raises(UsageError, match="no value"):
        pf.plot.toy_figure(eps=[], min_samples=[], averages=[])
