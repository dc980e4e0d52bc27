"""Set up axes like an image, and write titles, legends and notes."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from polyframe.core.errors import UsageError
from polyframe.core.local_paths import type_name
from polyframe.core.plurals import counted
from polyframe.plot.line_styles import cluster_style
from polyframe.plot.read_mark_groups import MarkCluster, MarkGroup
from polyframe.store.corrections import CORRECTED

ImageArray = NDArray[Any]

TITLE_POINTS: Final = 9.5
SMALL_POINTS: Final = 8.0

#: Typical width of a letter, as a fraction of its size.
_LETTER: Final = 0.56
#: The white around marks without an image, as a fraction of their extent.
_MARGIN: Final = 0.06
_TICKS: Final = 5
_MOST_CLUSTERS: Final = 8
_SAMPLE_POINTS: Final = 32.0  # width of the line sample before the text


def set_up_axes(ax: Axes, group: MarkGroup, image: ImageArray | None) -> None:
    """Set up axes like an image: pixels, y downwards, equal scales; the image, or white around the marks.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    group : MarkGroup
    image : (height, width[, 3 or 4]) array, optional
        Its upper left corner is at 0, 0, as for the volunteers.

    Raises
    ------
    UsageError
        If an argument has another type.
    """
    check_group(group)
    check_axes(ax)
    if image is not None and not (isinstance(image, np.ndarray) and image.ndim in (2, 3)):
        raise UsageError(f"image: expected an array such as read_image returns, got {type_name(image)}")
    ax.set_facecolor("white")
    if image is not None:
        height, width = image.shape[:2]
        ax.imshow(image, extent=(0, width, height, 0), cmap="gray", zorder=0)
        left, right, top, bottom = 0.0, float(width), 0.0, float(height)
    else:
        left, right, top, bottom = _around(group)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.set_aspect("equal", adjustable="box")
    ax.locator_params(nbins=_TICKS)
    ax.tick_params(labelsize=SMALL_POINTS, colors="#444444", length=2.5, width=0.6)
    for side in ax.spines.values():
        side.set(color="#888888", linewidth=0.6)


def check_group(group: MarkGroup) -> None:
    """Raise a UsageError if an argument is not a group."""
    if not isinstance(group, MarkGroup):
        hint = "; take one of them, such as groups[0]" if isinstance(group, list) else ""
        raise UsageError(
            f"group: expected a MarkGroup, such as read_groups(...)[0], got {type_name(group)}{hint}"
        )


def check_axes(ax: Axes) -> None:
    """Raise a UsageError if an argument is not an axes."""
    if not isinstance(ax, Axes):
        raise UsageError(f"ax: expected an axes of Matplotlib, got {type_name(ax)}")


def hide_ticks(ax: Axes) -> None:
    """Hide the scales, if pixels mean nothing."""
    ax.set_xticks([])
    ax.set_yticks([])


def style_chart(ax: Axes, x: str, y: str) -> None:
    """Label the axes of a chart, and draw it with horizontal grid lines and without a box."""
    ax.set_xlabel(x, fontsize=TITLE_POINTS)
    ax.set_ylabel(y, fontsize=TITLE_POINTS)
    ax.tick_params(labelsize=SMALL_POINTS)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def set_title_lines(ax: Axes, lines: Sequence[str]) -> None:
    """Set a title of several lines, wrapped to the width of the axes."""
    letters = int(ax.bbox.width / (_dpi(ax) / 72 * TITLE_POINTS * _LETTER))
    wrapped = [part for line in lines for part in wrap_text(line, max(letters, 24))]
    # Not as mathematics, since a task key may contain a dollar sign.
    ax.set_title("\n".join(wrapped), loc="left", fontsize=TITLE_POINTS, parse_math=False)


def wrap_text(text: str, letters: int) -> list[str]:
    """Wrap text to lines of so many letters: as few as possible, and of similar lengths.

    The first colon is followed by a new line if that needs no further one. A number stays with its noun. Line
    breaks in the text stay.
    """
    lines = [line for part in text.splitlines() for line in _wrap_line(part, letters)]
    return [line.replace("\xa0", " ") for line in lines]


def _wrap_line(text: str, letters: int) -> list[str]:
    joined = re.sub(r"(?<=\d) (?=[a-z])", "\xa0", text)
    lines = _balanced(joined, letters)
    before, colon, after = joined.partition(": ")
    if colon and len(lines) > 1 and len(before) < letters:
        at_colon = [f"{before}:", *_balanced(after, letters)]
        lines = at_colon if len(at_colon) <= len(lines) else lines
    return lines


def _balanced(text: str, letters: int) -> list[str]:
    """Wrap text to as few lines as possible, the longest of which is as short as possible."""
    lines = textwrap.wrap(text, letters)
    # Not narrower than its longest word, which would be broken.
    narrowest = max(map(len, text.split(" ")), default=1)
    for narrower in range(letters - 1, max(narrowest, 1) - 1, -1):
        others = textwrap.wrap(text, narrower)
        if len(others) > len(lines):
            break
        lines = others
    return lines


def heading(group: MarkGroup) -> str:
    """Return the subject, frame and tool of a group."""
    return f"Subject {group.subject_id}, frame {group.frame}, {group.tool_label or group.tool}"


def counts(group: MarkGroup) -> str:
    """Return the numbers of a group and its consensus."""
    clusters = counted(len(group.clusters), "cluster")
    known = sorted(c.consensus for c in group.clusters if c.consensus is not None)
    if known and f"{known[0]:.2f}" != f"{known[-1]:.2f}":
        clusters += f" (consensus {known[0]:.2f} to {known[-1]:.2f})"
    elif known:
        clusters += f" (consensus {known[0]:.2f})"
    marks = f"{counted(len(group.marks), 'mark')} of {counted(group.n_volunteers, 'volunteer')}"
    return f"{marks}, {clusters}, {counted(group.n_outliers, 'outlier')}"


def cluster_legend(
    ax: Axes, group: MarkGroup, *, on_image: bool, notes: dict[int, str] | None = None
) -> None:
    """Draw a legend below an axes: up to eight clusters, then the outliers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    group : MarkGroup
    on_image : bool
        Whether the colours are those on an image, which get a dark box.
    notes : dict, optional
        Text of a cluster by label, instead of its consensus.
    """
    handles = []
    for cluster in group.clusters[:_MOST_CLUSTERS]:
        note = (notes or {}).get(cluster.label, consensus_note(cluster))
        text = f"cluster {cluster.label}: {counted(cluster.n_marks, 'mark')}, {note}"
        handles.append(_sample(cluster.label, wrap_entry(ax, text), on_image))
    if len(group.clusters) > _MOST_CLUSTERS:
        more = len(group.clusters) - _MOST_CLUSTERS
        handles.append(Line2D([], [], linestyle="none", label=f"and {counted(more, 'more cluster')}"))
    if group.n_outliers:
        handles.append(_sample(-1, counted(group.n_outliers, "outlier"), on_image))
    legend_below(ax, handles, on_image=on_image)


def legend_below(ax: Axes, handles: Sequence[Line2D], *, on_image: bool) -> None:
    """Draw a legend of some samples below an axes, in a dark box if their colours are those on an image."""
    if not handles:
        return
    below = ax.transAxes + ScaledTranslation(0, -20 / 72, ax.figure.dpi_scale_trans)
    legend = ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        fontsize=SMALL_POINTS,
        borderaxespad=0,
        borderpad=0.5,
        handlelength=2.2,
        frameon=on_image,
    )
    if on_image:
        legend.get_frame().set(facecolor="#22303A", edgecolor="none", alpha=1)
        for entry in legend.get_texts():
            entry.set_color("white")


def wrap_entry(ax: Axes, text: str) -> str:
    """Wrap the text of a legend's entry to the width of the axes."""
    letters = int((ax.bbox.width * 72 / _dpi(ax) - _SAMPLE_POINTS) / (SMALL_POINTS * _LETTER))
    return "\n".join(wrap_text(text, max(letters, 14)))


def consensus_note(cluster: MarkCluster) -> str:
    """Return the consensus of a cluster, for a legend."""
    if cluster.consensus is None:
        return "dropped (min_threshold, or a correction)"
    corrected = "corrected, " if cluster.average_type == CORRECTED else ""
    return f"{corrected}consensus {cluster.consensus:.2f}"


def write_note(ax: Axes, text: str) -> Text:
    """Write a note in the middle of an axes."""
    return ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=TITLE_POINTS,
        color="#333333",
        bbox={"facecolor": "white", "edgecolor": "#888888", "alpha": 0.9, "boxstyle": "round,pad=0.5"},
        zorder=10,
    )


def _sample(label: int, text: str, on_image: bool) -> Line2D:
    style = cluster_style(label, on_image=on_image)
    return Line2D([], [], color=style.color, linestyle=style.linestyle, linewidth=1.6, label=text)


def _around(group: MarkGroup) -> tuple[float, float, float, float]:
    # Averages are within the marks, but a correction can reach beyond them.
    drawn = [*group.marks, *(cluster.average for cluster in group.clusters)]
    points = np.vstack(drawn) if group.marks else np.array([[0.0, 0.0], [1.0, 1.0]])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    margin = max(right - left, bottom - top) * _MARGIN or 1.0
    return left - margin, right + margin, top - margin, bottom + margin


def _dpi(ax: Axes) -> float:
    return float(ax.figure.dpi)
