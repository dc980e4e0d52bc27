"""Draw the consensus of all clusters of an output directory, by the number of marks.

The drawings need only the number of clusters by consensus, in steps of 0.001, and size, so memory does not
grow with the project.
"""

from typing import Any, Final

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from polyframe.core.arrays import Ints
from polyframe.core.colours import HEAT
from polyframe.core.frames import FRAMES, Frame, columns_of, data_frame, is_frame
from polyframe.core.local_paths import AnyPath, AnyPlace, name_of_place, place_of
from polyframe.core.plurals import counted
from polyframe.core.tables import REDUCTIONS
from polyframe.plot.image_axes import (
    SMALL_POINTS,
    check_axes,
    set_title_lines,
    style_chart,
    write_note,
)
from polyframe.store.reading import explain_damage, scan

#: Resolution of consensus: steps from 0 to 1.
_STEPS: Final = 1000
_BARS: Final = 20
#: Smallest number of marks of each size class.
_SIZE_CLASSES: Final = (1, 2, 3, 5, 9, 17, 33)

_READ: Final = ("consensus", "clusters_count")
_COUNTS: Final = {"step": pl.Int32(), "clusters_count": pl.Int64(), "n": pl.Int64()}
_EXPECTED: Final = f"an output directory, or {FRAMES} with rows of the table reductions"

#: An output directory, or a table of its clusters.
ClusterSource = AnyPath | Frame


def consensus_counts(output: AnyPlace) -> pl.DataFrame:
    """Count the clusters of an output directory by consensus and size.

    Parameters
    ----------
    output : path
        The output directory.

    Returns
    -------
    polars.DataFrame
        `step` (consensus in thousandths, rounded down), `clusters_count` (marks in a cluster) and `n`
        (clusters); empty without clusters.

    Raises
    ------
    PolyframeError
        If the table `reductions` is missing, or it cannot be read.
    """
    with explain_damage(output):
        return _count(scan(output, "reductions")).collect(engine="streaming")


def _count(reductions: pl.LazyFrame) -> pl.LazyFrame:
    step = (pl.col("consensus").clip(0, 1) * _STEPS + 1e-9).floor().cast(pl.Int32).alias("step")
    counts = reductions.group_by(step, "clusters_count").agg(pl.len().cast(pl.Int64).alias("n"))
    return counts.sort("step", "clusters_count")


def consensus(output: ClusterSource, ax: Axes, *, title: str | None = None) -> Axes:
    """Draw a histogram of the consensus of all clusters, stacked by cluster size.

    Parameters
    ----------
    output : path or frame
        An output directory; or a frame of Polars, pandas or Arrow with rows of the table `reductions`, or
        the result of `consensus_counts`.
    ax : matplotlib.axes.Axes
        The axes to draw on.
    title : str, optional
        Replaces the default title.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes: number of clusters against consensus (fraction), with a line at the median.

    Raises
    ------
    PolyframeError
        As for `consensus_counts`.
    """
    check_axes(ax)
    counts = _counts(output)
    bar = np.minimum(counts["step"].to_numpy() * _BARS // _STEPS, _BARS - 1)
    height = np.zeros(_BARS)
    left = np.arange(_BARS) / _BARS
    for name, colour, rows in _size_classes(counts):
        added = np.bincount(bar[rows], counts["n"].to_numpy()[rows], minlength=_BARS)
        label = f"{name}: {counted(int(added.sum()), 'cluster')}"
        ax.bar(
            left,
            added,
            1 / _BARS,
            height,
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=0.5,
            label=label,
        )
        height += added
    style_chart(ax, "consensus", "clusters")
    ax.set_xlim(0, 1)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    if height.any():
        low, middle, high = _quantiles(counts, (0.25, 0.5, 0.75))
        ax.set_ylim(0, height.max() * 1.08)
        ax.axvline(middle, color="black", linewidth=1.2, linestyle=(0, (4, 2)), label=f"median {middle:.2f}")
        # Most bars are on the right.
        ax.legend(
            loc="upper left", title="marks in a cluster", fontsize=SMALL_POINTS, title_fontsize=SMALL_POINTS
        )
        spread = f"median {middle:.2f}, middle half {low:.2f} to {high:.2f}"
    else:
        write_note(ax, "no clusters")
        spread = "nothing to show"
    lines = [f"Consensus of {counted(int(height.sum()), 'cluster')}{_source_suffix(output)}", spread]
    set_title_lines(ax, lines if title is None else [title])
    return ax


def consensus_by_size(output: ClusterSource, ax: Axes, *, title: str | None = None) -> Axes:
    """Draw consensus against the number of marks: one box for each size class.

    Parameters
    ----------
    output, ax, title
        As for `consensus`.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes: consensus (fraction) against size; boxes from quartile to quartile with the median,
        whiskers from the 5th to the 95th percentile.

    Raises
    ------
    PolyframeError
        As for `consensus_counts`.
    """
    check_axes(ax)
    counts = _counts(output)
    boxes: list[dict[str, Any]] = []
    colours = []
    for name, colour, rows in _size_classes(counts):
        part = counts[rows]
        if part.is_empty():
            continue
        low, first, middle, third, high = _quantiles(part, (0.05, 0.25, 0.5, 0.75, 0.95))
        label = f"{name}\n({int(part['n'].sum()):,})"
        boxes.append({"whislo": low, "q1": first, "med": middle, "q3": third, "whishi": high, "label": label})
        colours.append(colour)
    if boxes:
        artists = ax.bxp(
            boxes,
            showfliers=False,
            patch_artist=True,
            widths=0.55,
            medianprops={"color": "black", "linewidth": 1.6},
        )
        for box, colour in zip(artists["boxes"], colours, strict=True):
            box.set(facecolor=colour, alpha=0.75, linewidth=0.8)
    else:
        write_note(ax, "no clusters")
    style_chart(ax, "marks in a cluster (clusters)", "consensus")
    ax.set_ylim(0, 1.02)
    lines = ["Consensus by size of the cluster", "line: median; box: middle half; whiskers: 5 to 95 %"]
    set_title_lines(ax, lines if title is None else [title])
    return ax


def _counts(output: ClusterSource) -> pl.DataFrame:
    if not is_frame(output):
        return consensus_counts(place_of(output, "output", expected=_EXPECTED))
    frame = data_frame(output, "output")
    if "step" in frame.columns:
        return columns_of(frame, "output", _COUNTS)
    return _count(columns_of(frame, "output", REDUCTIONS.schema, _READ).lazy()).collect()


def _source_suffix(output: ClusterSource) -> str:
    return "" if is_frame(output) else f" of {name_of_place(place_of(output, 'output'))}"


def _size_classes(counts: pl.DataFrame) -> list[tuple[str, Any, Ints]]:
    """Return name, colour and rows of the size classes that occur."""
    size = counts["clusters_count"].to_numpy()
    place = np.searchsorted(_SIZE_CLASSES, size, side="right") - 1
    classes = np.unique(place)
    colours = colormaps[HEAT](np.linspace(0.1, 0.9, max(len(classes), 1)))
    return [
        (_class_name(int(k)), colour, np.flatnonzero(place == k))
        for k, colour in zip(classes, colours, strict=False)
    ]


def _class_name(place: int) -> str:
    least = _SIZE_CLASSES[place]
    if place + 1 == len(_SIZE_CLASSES):
        return f"{least} or more"
    most = _SIZE_CLASSES[place + 1] - 1
    return str(least) if most == least else f"{least} to {most}"


def _quantiles(counts: pl.DataFrame, shares: tuple[float, ...]) -> list[float]:
    """Return quantiles of consensus, to the resolution of the steps."""
    ordered = counts.sort("step")
    below = ordered["n"].cum_sum().to_numpy()
    places = np.searchsorted(below, np.asarray(shares) * below[-1])
    return [float(step) for step in ordered["step"].to_numpy()[places] / _STEPS]
