"""Toy clusters: what `eps`, `min_samples` and the averages do, to be seen at a glance."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from polyframe.consensus.reduce import cluster_marks, labels_table, reductions_table
from polyframe.core.choices import AverageType
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import type_name
from polyframe.core.settings import Settings
from polyframe.pipeline.input_marks import tables_of
from polyframe.plot.draw_marks import mark_lines, outline
from polyframe.plot.image_axes import like_image, numbered, titled, without_ticks
from polyframe.plot.mark_groups import MarkGroup, groups_of
from polyframe.synthetic.toy_clusters import ToyCluster

#: Pixels for one unit of the toys.
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
        To draw on; gets y downwards and equal scales, without numbers.
    eps, min_samples, average_type
        The settings of those names; None leaves the averages out.
    title : str, optional
        Instead of the settings and what they find.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. The lines have the gid `mark` or `outlier`, the averages `average`.

    Raises
    ------
    UsageError
        Where a setting is out of its range.
    """
    eps = Settings().eps if eps is None else eps
    min_samples = Settings().min_samples if min_samples is None else min_samples
    group = toy_group(cluster, eps=eps, min_samples=min_samples, average_type=average_type or "median")
    like_image(ax, group, None)
    without_ticks(ax)
    mark_lines(ax, group, on_image=False, faint=average_type is not None)
    for found in group.clusters if average_type else []:
        if len(found.average):
            outline(ax, found.average, found.label, on_image=False, gid="average")
    settings = f"eps {eps:g}, min_samples {min_samples}" + (f", {average_type}" if average_type else "")
    outcome = f"{numbered(len(group.clusters), 'cluster')}, {numbered(group.n_outliers, 'outlier')}"
    titled(ax, [settings, outcome] if title is None else [title])
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
        A hundred pixels for one unit of the toys; without marks a group without marks.

    Raises
    ------
    UsageError
        Where a setting is out of its range.
    """
    if not isinstance(cluster, ToyCluster):
        raise UsageError(
            f"cluster: expected a ToyCluster such as toy_cluster gives, got {type_name(cluster)}"
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
    # With GEOS: for so few marks, compiling the loops would take longer than all the work.
    settings = Settings().replace(
        {"eps": eps, "min_samples": min_samples, "average_type": average_type, "engine": "shapely"}
    )
    marks, classifications = tables_of(extractions, settings)
    clustered = cluster_marks(marks, classifications, settings)
    return groups_of(extractions, labels_table(clustered), reductions_table(clustered, settings))[0]
