"""How far the volunteers agree: all contours of a cluster as a heat map, or one level of them."""

from itertools import zip_longest
from typing import Any, Final

import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import PercentFormatter

from polyframe.core.arrays import Floats
from polyframe.core.colours import HEAT
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.values import as_builtin, is_integer
from polyframe.plot.draw_marks import mark_lines, outline
from polyframe.plot.image_axes import (
    SMALL_POINTS,
    Image,
    cluster_legend,
    counts,
    heading,
    like_image,
    numbered,
    remark,
    titled,
)
from polyframe.plot.mark_groups import Cluster, MarkGroup

AGREEMENT_TITLE: Final = "Agreement: share of the marks"


def agreement(group: MarkGroup, ax: Axes, *, image: Image | None = None, title: str | None = None) -> Axes:
    """Draw the contours of every cluster as a heat map, with a colour bar.

    Parameters
    ----------
    group, ax, image, title
        As for `polyframe.plot.marks`.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. Where k of the n marks of a cluster overlap, the colour is that of k / n. The colour
        bar `agreement`, from 0 to 100 %, is an inset to its right.

    Raises
    ------
    PolyframeError
        Where the output directory has no table of contours.
    """
    like_image(ax, group, image)
    scale = Normalize(0, 1)
    for cluster in group.clusters:
        levels = _levels(cluster)
        shares = [(k + 1) / cluster.n_marks for k in range(len(levels))]
        bands = PatchCollection(
            [PathPatch(_path(band)) for band in _bands(levels)],
            cmap=HEAT,
            norm=scale,
            alpha=0.95 if image is None else 0.72,
            # Closes the seams between the bands.
            edgecolors="face",
            linewidths=0.3,
            gid="agreement",
            zorder=2,
        )
        bands.set_array(shares)
        ax.add_collection(bands, autolim=False)
    if not group.clusters:
        remark(ax, "no clusters, so no contours")
    # An inset is as high as the image, whatever the layout makes of the axes.
    beside = ax.inset_axes((1.03, 0.0, 0.04, 1.0))
    bar = ax.figure.colorbar(ScalarMappable(scale, colormaps[HEAT]), cax=beside)
    bar.set_label("agreement", fontsize=SMALL_POINTS)
    bar.outline.set_linewidth(0.4)
    beside.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    beside.tick_params(labelsize=SMALL_POINTS, length=2.5, width=0.6)
    titled(ax, [AGREEMENT_TITLE, heading(group), counts(group)] if title is None else [title])
    return ax


def level(
    group: MarkGroup, ax: Axes, *, level: int, image: Image | None = None, title: str | None = None
) -> Axes:
    """Draw one contour level of every cluster, with the marks faintly behind.

    Parameters
    ----------
    group, ax, image, title
        As for `polyframe.plot.marks`.
    level : int
        From 1: where at least so many marks of the cluster overlap. The legend tells which clusters have no
        such level.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. The polygons have the gid `level`.

    Raises
    ------
    UsageError
        Where level is below 1.
    PolyframeError
        Where the output directory has no table of contours.
    """
    level = check_level(level)
    on_image = image is not None
    like_image(ax, group, image)
    mark_lines(ax, group, on_image=on_image, faint=True)
    notes, deepest = {}, 0
    for cluster in group.clusters:
        levels = _levels(cluster)
        deepest = max(deepest, len(levels))
        if len(levels) >= level:
            outline(ax, levels[level - 1], cluster.label, on_image=on_image, gid="level")
            notes[cluster.label] = f"level {level} of {len(levels)}"
        else:
            notes[cluster.label] = f"only {numbered(len(levels), 'level')}"
    if not group.clusters:
        remark(ax, "no clusters, so no contours")
    elif deepest < level:
        remark(ax, f"no cluster has level {level}; the deepest is {deepest}")
    cluster_legend(ax, group, on_image=on_image, notes=notes)
    titled(ax, [level_title(level), heading(group), counts(group)] if title is None else [title])
    return ax


def check_level(level: int) -> int:
    """Return a level as a number of Python's own; a UsageError where it is none."""
    level = as_builtin(level)
    if not is_integer(level) or level < 1:
        raise UsageError(f"level: {short_repr(level)} is not a whole number from 1")
    return level


def level_title(level: int) -> str:
    """Return what a contour level is."""
    return f"Contour level {level}: where at least {numbered(level, 'mark')} of a cluster overlap"


def _levels(cluster: Cluster) -> list[Floats]:
    if cluster.levels is None:
        raise PolyframeError("there is no table of contours; make it with `polyframe contours OUT`")
    return cluster.levels


def _bands(levels: list[Floats]) -> list[Any]:
    """Return what of each level the next one does not cover, so that no colour lies on another."""
    polygons = [shapely.Polygon(points) for points in levels]
    return [
        _less(polygon, inner)
        for polygon, inner in zip_longest(polygons, polygons[1:], fillvalue=shapely.Polygon())
    ]


def _less(outer: Any, inner: Any) -> Any:
    try:
        return shapely.difference(outer, inner)
    except shapely.errors.GEOSException:
        # An outline that touches itself by rounding: the next level then lies on top of this one.
        return outer


def _path(geometry: Any) -> Path:
    parts = [
        Path(shapely.get_coordinates(ring), closed=True)
        for part in shapely.get_parts(geometry)
        if part.geom_type == "Polygon"
        for ring in [part.exterior, *part.interiors]
        if not part.is_empty
    ]
    return Path.make_compound_path(*parts)
