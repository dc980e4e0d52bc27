"""Outlines over the image: the volunteers' marks, and the averaged polygon of each cluster."""

from typing import Final

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from polyframe.core.arrays import Floats
from polyframe.plot.image_axes import Image, cluster_legend, counts, heading, like_image, remark, titled
from polyframe.plot.line_styles import cluster_style, halo
from polyframe.plot.mark_groups import MarkGroup

_THIN: Final = 1.1
_THICK: Final = 2.6


def marks(group: MarkGroup, ax: Axes, *, image: Image | None = None, title: str | None = None) -> Axes:
    """Draw the outline of every mark, coloured by cluster; outliers dashed.

    Parameters
    ----------
    group : MarkGroup
        From `read_groups` or `groups_of`; one without clusters is drawn all the same.
    ax : matplotlib.axes.Axes
        To draw on; gets y downwards and equal scales.
    image : (height, width[, 3 or 4]) array, optional
        What the volunteers saw; else the background is white, with limits around the marks.
    title : str, optional
        Instead of what is shown.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. The lines have the gid `mark` or `outlier`.
    """
    on_image = image is not None
    like_image(ax, group, image)
    mark_lines(ax, group, on_image=on_image)
    cluster_legend(ax, group, on_image=on_image)
    titled(ax, ["Volunteers' outlines", heading(group), counts(group)] if title is None else [title])
    return ax


def averages(group: MarkGroup, ax: Axes, *, image: Image | None = None, title: str | None = None) -> Axes:
    """Draw the averaged polygon of every cluster, with the marks faintly behind.

    Parameters
    ----------
    group, ax, image, title
        As for `marks`.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. The polygons have the gid `average`; empty ones are left out and said to be empty.
    """
    on_image = image is not None
    like_image(ax, group, image)
    mark_lines(ax, group, on_image=on_image, faint=True)
    notes = {}
    for cluster in group.clusters:
        if len(cluster.average):
            outline(ax, cluster.average, cluster.label, on_image=on_image, gid="average")
        elif cluster.consensus is not None:
            notes[cluster.label] = "empty average"
    if not group.clusters:
        remark(ax, "no clusters, so no averages")
    cluster_legend(ax, group, on_image=on_image, notes=notes)
    titled(ax, [averages_title(group), heading(group), counts(group)] if title is None else [title])
    return ax


def averages_title(group: MarkGroup) -> str:
    """Return what the averaged polygons of a group are."""
    kinds = sorted({cluster.average_type for cluster in group.clusters if cluster.average_type})
    return f"Averaged polygons: {', '.join(kinds)}" if kinds else "Averaged polygons"


def mark_lines(ax: Axes, group: MarkGroup, *, on_image: bool, faint: bool = False) -> None:
    """Draw the outlines of a group; faintly where something else is to be seen."""
    for points, label in zip(group.marks, group.labels, strict=True):
        style = cluster_style(int(label), on_image=on_image)
        ax.plot(
            points[:, 0],
            points[:, 1],
            color=style.color,
            linestyle=style.linestyle,
            linewidth=0.7 if faint else _THIN,
            alpha=0.45 if faint else 0.95,
            path_effects=[] if faint else halo(_THIN, on_image=on_image),
            gid="mark" if label >= 0 else "outlier",
            scalex=False,
            scaley=False,
            zorder=2 if label >= 0 else 3,
        )


def outline(ax: Axes, points: Floats, label: int, *, on_image: bool, gid: str) -> None:
    """Draw one polygon of a cluster, thick and lightly filled."""
    style = cluster_style(label, on_image=on_image)
    ax.fill(points[:, 0], points[:, 1], color=style.color, alpha=0.22, linewidth=0, zorder=4)
    ax.add_patch(
        Polygon(
            points,
            fill=False,
            edgecolor=style.color,
            linestyle=style.linestyle,
            linewidth=_THICK,
            path_effects=halo(_THICK, on_image=on_image),
            gid=gid,
            zorder=5,
        )
    )
