"""Draw toy clusters, which show what `eps`, `min_samples` and the averages do."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from polyframe.consensus.reduce import cluster_marks, reduction_tables
from polyframe.core.choices import AverageType
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import type_name
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.pipeline.load_marks import load_marks
from polyframe.plot.draw_marks import mark_lines, outline
from polyframe.plot.image_axes import hide_ticks, set_title_lines, set_up_axes
from polyframe.plot.read_mark_groups import MarkGroup, groups_of
from polyframe.synthetic.toy_clusters import ToyCluster

#: Pixels per unit of the toy clusters.
_SCALE: Final = 100.0
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def toy(
    cluster: ToyCluster,
    ax: Axes,
    *,
    eps: float = 0.5,
    min_samples: int = 2,
    average_type: AverageType | None = "median",
    title: str | None = None,
) -> Axes:
    """Cluster toy marks and draw them, coloured by cluster, with their averages.

    Parameters
    ----------
    cluster : polyframe.synthetic.ToyCluster
        From `toy_cluster` or `toy_pair`.
    ax : matplotlib.axes.Axes
        The axes to draw on, with y downwards and equal scales without numbers afterwards.
    eps, min_samples, average_type
        The settings of these names; average_type None draws no averages.
    title : str, optional
        Replaces the settings and the numbers of clusters and outliers.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. Its lines have the gid `mark` or `outlier`, the averages `average`.

    Raises
    ------
    UsageError
        If a setting is out of its range.
    """
    eps = Settings().eps if eps is None else eps
    min_samples = Settings().min_samples if min_samples is None else min_samples
    group = toy_group(cluster, eps=eps, min_samples=min_samples, average_type=average_type or "median")
    set_up_axes(ax, group, None)
    hide_ticks(ax)
    mark_lines(ax, group, on_image=False, faint=average_type is not None)
    for drawn in group.clusters if average_type else []:
        if len(drawn.average):
            outline(ax, drawn.average, drawn.label, on_image=False, gid="average")
    settings = f"eps {eps:g}, min_samples {min_samples}" + (f", {average_type}" if average_type else "")
    result = f"{counted(len(group.clusters), 'cluster')}, {counted(group.n_outliers, 'outlier')}"
    set_title_lines(ax, [settings, result] if title is None else [title])
    return ax


def toy_group(
    cluster: ToyCluster, *, eps: float = 0.5, min_samples: int = 2, average_type: AverageType = "median"
) -> MarkGroup:
    """Cluster toy marks.

    Parameters
    ----------
    cluster, eps, min_samples, average_type
        As for `toy`.

    Returns
    -------
    MarkGroup
        With 100 pixels per unit of the toy cluster.

    Raises
    ------
    UsageError
        If a setting is out of its range.
    """
    if not isinstance(cluster, ToyCluster):
        raise UsageError(
            f"cluster: expected a ToyCluster such as toy_cluster returns, got {type_name(cluster)}"
        )
    extractions = pl.DataFrame(
        {
            "workflow_id": 1,
            "subject_id": 1,
            "task": "T0",
            "frame": 0,
            "tool": "T0_toolIndex0",
            "classification_id": cluster.volunteer,
            "mark_index": cluster.truth,
            # A minute apart, so that `last` is the mark of the last volunteer.
            "created_at": [_START + timedelta(minutes=int(number)) for number in cluster.volunteer],
            "x": [(_SCALE * x).tolist() for x in cluster.xs],
            "y": [(_SCALE * y).tolist() for y in cluster.ys],
        },
    )
    if extractions.is_empty():
        return MarkGroup(1, "T0", 0, "T0_toolIndex0", [], np.zeros(0, np.int64), 0, [])
    # With GEOS, since compilation would take longer than the work for so few marks.
    settings = Settings().replace(
        {"eps": eps, "min_samples": min_samples, "average_type": average_type, "engine": "shapely"}
    )
    marks, classifications = load_marks(extractions, settings)
    clustered = cluster_marks(marks, classifications, settings)
    tables = reduction_tables(clustered, settings)
    return groups_of(extractions, tables.labels, tables.reductions)[0]
