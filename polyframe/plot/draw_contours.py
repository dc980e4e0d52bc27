"""Draw the contours of clusters: all levels as a heat map with the majority, or one level."""

import itertools
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator, PercentFormatter

from polyframe.core.arrays import Floats
from polyframe.core.choices import Scale
from polyframe.core.colours import HEAT, MAJORITY
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.levels import AnyLevel, Level, MissingLevels, parse_level
from polyframe.core.plurals import counted
from polyframe.geometry import average_majority, polygons_from_paths
from polyframe.plot.draw_marks import mark_lines, outline
from polyframe.plot.image_axes import (
    SMALL_POINTS,
    ImageArray,
    cluster_legend,
    counts,
    heading,
    legend_below,
    set_title_lines,
    set_up_axes,
    wrap_entry,
    write_note,
)
from polyframe.plot.line_styles import majority_rim
from polyframe.plot.read_mark_groups import MarkCluster, MarkGroup

AGREEMENT_TITLE: Final = "Agreement: share of the marks"
_THIN: Final = 0.9


def agreement(
    group: MarkGroup,
    ax: Axes,
    *,
    image: ImageArray | None = None,
    title: str | None = None,
    scale: Scale = "share",
) -> Axes:
    """Draw the contours of every cluster as a heat map with a colour bar, and the outline of its majority.

    Parameters
    ----------
    group, ax, image, title
        As for `polyframe.plot.marks`.
    scale : {"share", "count"}
        Whether a colour is a share of the marks of a cluster, or a number of marks.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. The region where k of the n marks of a cluster overlap has the colour of k / n, or of k
        if they are counted; if `max_levels` omits level k, that of the highest level below it. The colour bar
        is an inset to its right: `agreement`, from 0 to 100 %, or `# agreement`, from 0 to the number of
        marks of the largest cluster. The lines with the gid `majority` are `pf.geometry.average_majority` of
        the marks of each cluster.

    Raises
    ------
    UsageError
        If the scale is not valid.
    PolyframeError
        If the output directory has no table of contours.
    """
    check_scale(scale)
    set_up_axes(ax, group, image)
    most = max((cluster.n_marks for cluster in group.clusters), default=1) if scale == "count" else 1
    norm = Normalize(0, most)
    for cluster in group.clusters:
        levels = _levels(cluster)
        values = [number if scale == "count" else number / cluster.n_marks for number in levels]
        bands = PatchCollection(
            [PathPatch(_path(band)) for band in _bands(list(levels.values()))],
            cmap=HEAT,
            norm=norm,
            alpha=0.95 if image is None else 0.72,
            # Close the seams between the bands.
            edgecolors="face",
            linewidths=0.3,
            gid="agreement",
            zorder=2,
        )
        bands.set_array(values)
        ax.add_collection(bands, autolim=False)
    if majorities := list(_majorities(group)):
        _draw_majorities(ax, majorities, on_image=image is not None)
    if not group.clusters:
        write_note(ax, "no clusters, so no contours")
    # An inset keeps the height of the image in any layout.
    beside = ax.inset_axes((1.03, 0.0, 0.04, 1.0))
    bar = ax.figure.colorbar(ScalarMappable(norm, colormaps[HEAT]), cax=beside)
    bar.set_label("# agreement" if scale == "count" else "agreement", fontsize=SMALL_POINTS)
    bar.outline.set_linewidth(0.4)
    if scale == "count":
        beside.yaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        beside.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    beside.tick_params(labelsize=SMALL_POINTS, length=2.5, width=0.6)
    set_title_lines(ax, [agreement_title(scale), heading(group), counts(group)] if title is None else [title])
    return ax


def _majorities(group: MarkGroup) -> Iterator[Floats]:
    """Yield what most marks of each cluster cover, or the average if it is just that."""
    for cluster in group.clusters:
        if cluster.consensus is None:
            continue  # it is dropped, and so are its contours
        if cluster.average_type == "majority":
            points = cluster.average
        else:
            own = [group.marks[mark] for mark in np.flatnonzero(group.labels == cluster.label)]
            polygons = polygons_from_paths([xy[:, 0] for xy in own], [xy[:, 1] for xy in own])
            points = shapely.get_coordinates(average_majority(polygons).exterior)
        if len(points):
            yield points


def _draw_majorities(ax: Axes, majorities: Sequence[Floats], *, on_image: bool) -> None:
    style: dict[str, Any] = {
        "color": MAJORITY,
        "linewidth": _THIN,
        "path_effects": majority_rim(_THIN),
        "gid": "majority",
    }
    for points in majorities:
        ax.plot(points[:, 0], points[:, 1], **style, scalex=False, scaley=False, zorder=4)
    sample = Line2D([], [], **style, label=wrap_entry(ax, "majority: what more than half of the marks cover"))
    legend_below(ax, [sample], on_image=on_image)


def agreement_title(scale: Scale) -> str:
    """Return the title of the heat map."""
    return AGREEMENT_TITLE if scale == "share" else "Agreement: number of marks"


def check_scale(scale: Any) -> None:
    """Raise a UsageError for an unknown scale of the heat map."""
    choices = typing.get_args(Scale)
    if scale not in choices:
        raise UsageError(f"scale: {short_repr(scale)} is not one of {', '.join(choices)}")


def level(
    group: MarkGroup, ax: Axes, *, level: AnyLevel, image: ImageArray | None = None, title: str | None = None
) -> Axes:
    """Draw one contour level of every cluster over its marks, which are faint.

    Parameters
    ----------
    group, ax, image, title
        As for `polyframe.plot.marks`.
    level : int or str
        The region where at least so many marks of a cluster overlap, such as 3, or a share of its marks, such
        as `50%`. The legend mentions clusters without this level.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes. Its polygons have the gid `level`.

    Raises
    ------
    UsageError
        If the level is not valid.
    PolyframeError
        If the output directory has no table of contours.
    """
    chosen = parse_level(level)
    on_image = image is not None
    set_up_axes(ax, group, image)
    mark_lines(ax, group, on_image=on_image, faint=True)
    notes, highest, n_with = {}, 0, 0
    for cluster in group.clusters:
        levels = _levels(cluster)
        top = cluster.highest_level or max(levels, default=0)
        highest = max(highest, top)
        number = chosen.number(cluster.n_marks)
        n_with += number <= top
        if number in levels:
            outline(ax, levels[number], cluster.label, on_image=on_image, gid="level")
            notes[cluster.label] = f"level {number} of {top}"
        elif number <= top:
            notes[cluster.label] = f"level {number} not written (max_levels)"
        else:
            notes[cluster.label] = f"only {counted(top, 'level')}"
    if not group.clusters:
        write_note(ax, "no clusters, so no contours")
    elif not n_with:
        write_note(ax, f"no cluster has {chosen}; the highest is {highest}")
    cluster_legend(ax, group, on_image=on_image, notes=notes)
    set_title_lines(ax, [level_title(chosen), heading(group), counts(group)] if title is None else [title])
    return ax


def level_title(level: Level) -> str:
    """Return the title of a contour level."""
    least = level.text if level.count is None else counted(level.count, "mark")
    of_marks = "the marks of a cluster" if level.count is None else "a cluster"
    return f"Contour {level}: where at least {least} of {of_marks} overlap"


def missing_level_notes(groups: Iterable[MarkGroup], level: Level) -> list[str]:
    """Return how many clusters of some groups do not have a level, and why."""
    missing = MissingLevels(level)
    for cluster in itertools.chain.from_iterable(group.clusters for group in groups):
        levels = _levels(cluster)
        highest = cluster.highest_level or max(levels, default=0)
        missing.look_up(level.number(cluster.n_marks), highest, levels)
    return missing.notes()


def _levels(cluster: MarkCluster) -> dict[int, Floats]:
    """Return the outlines of a cluster by level."""
    if cluster.levels is None:
        raise PolyframeError("there is no table of contours; make it with `polyframe contours OUT`")
    return dict(zip(cluster.level_numbers or itertools.count(1), cluster.levels, strict=False))


def _bands(levels: list[Floats]) -> list[Any]:
    """Return each level without the next one, so that the colours do not overlap."""
    polygons = [shapely.Polygon(points) for points in levels]
    return [
        _difference(polygon, inner)
        for polygon, inner in itertools.zip_longest(polygons, polygons[1:], fillvalue=shapely.Polygon())
    ]


def _difference(outer: Any, inner: Any) -> Any:
    try:
        return shapely.difference(outer, inner)
    except shapely.errors.GEOSException:
        # Rounding made an outline touch itself: draw the next level on top of this one.
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
