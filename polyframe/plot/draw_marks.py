"""Draw marks and averaged polygons over the image."""

from typing import Final

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from polyframe.core.arrays import Floats
from polyframe.plot.image_axes import (
    ImageArray,
    cluster_legend,
    consensus_note,
    counts,
    heading,
    set_title_lines,
    set_up_axes,
    write_note,
)
from polyframe.plot.line_styles import cluster_style, halo
from polyframe.plot.read_mark_groups import MarkGroup

_THIN: Final = 1.1
_THICK: Final = 2.6


def marks(group: MarkGroup, ax: Axes, *, image: ImageArray | None = None, title: str | None = None) -> Axes:
    """Draw the outline of every mark, coloured by cluster; outliers dashed.

    Parameters
    ----------
    group : MarkGroup
        From `read_groups` or `groups_of`; it may have no clusters.
    ax : matplotlib.axes.Axes
        The axes to draw on, with y downwards and equal scales afterwards.
    image : (height, width[, 3 or 4]) array, optional
        The image that the volunteers saw; without it the background is white around the marks.
    title : str, optional
        Replaces the default title.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. Its lines have the gid `mark` or `outlier`.
    """
    on_image = image is not None
    set_up_axes(ax, group, image)
    mark_lines(ax, group, on_image=on_image)
    cluster_legend(ax, group, on_image=on_image)
    set_title_lines(ax, ["Volunteers' outlines", heading(group), counts(group)] if title is None else [title])
    return ax


def averages(
    group: MarkGroup, ax: Axes, *, image: ImageArray | None = None, title: str | None = None
) -> Axes:
    """Draw the averaged polygon of every cluster over its marks, which are faint.

    Parameters
    ----------
    group, ax, image, title
        As for `marks`.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. Its polygons have the gid `average`; empty averages are mentioned in the legend.
    """
    on_image = image is not None
    set_up_axes(ax, group, image)
    mark_lines(ax, group, on_image=on_image, faint=True)
    notes = {}
    for cluster in group.clusters:
        if len(cluster.average):
            outline(ax, cluster.average, cluster.label, on_image=on_image, gid="average")
        elif cluster.consensus is not None:
            notes[cluster.label] = "empty average"
        if cluster.answers:
            notes[cluster.label] = f"{notes.get(cluster.label, consensus_note(cluster))}; {cluster.answers}"
    if not group.clusters:
        write_note(ax, "no clusters, so no averages")
    cluster_legend(ax, group, on_image=on_image, notes=notes)
    set_title_lines(ax, [averages_title(group), heading(group), counts(group)] if title is None else [title])
    return ax


def averages_title(group: MarkGroup) -> str:
    """Return the title of the averaged polygons of a group."""
    kinds = sorted({cluster.average_type for cluster in group.clusters if cluster.average_type})
    return f"Averaged polygons: {', '.join(kinds)}" if kinds else "Averaged polygons"


def mark_lines(ax: Axes, group: MarkGroup, *, on_image: bool, faint: bool = False) -> None:
    """Draw the outlines of a group, faintly if they are only the background."""
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
    """Draw a polygon of a cluster with a thick line and a light fill."""
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
