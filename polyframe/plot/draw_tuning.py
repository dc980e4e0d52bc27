"""Draw the results of many settings against `eps`, with one line for each combination of the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from polyframe.core.errors import UsageError, first_line, short_repr
from polyframe.core.frames import Frame, clean_name, columns_of, data_frame
from polyframe.core.result_tables import TUNING
from polyframe.core.settings import Settings
from polyframe.plot.image_axes import SMALL_POINTS, check_axes, set_title_lines, style_chart, write_note
from polyframe.plot.line_styles import cluster_style

_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_CURRENT: Final = "black"
_MOST_LISTED: Final = 8
_MOST_TICKS: Final = 10
#: The settings that have one value on each line.
_OF_A_LINE: Final = ("cluster_method", "split", "min_samples")


@dataclass(frozen=True)
class _Quantity:
    """A quantity to draw: its values, axis, title, scale, and the columns of a band around it.

    The scale is `count`, `share`, from 0 to the highest value, or `agreement`, which ends at 1.
    """

    value: Callable[[pl.DataFrame], pl.Series]
    axis: str
    title: tuple[str, str]
    scale: Literal["count", "share", "agreement"] = "count"
    band: tuple[str, str] | None = None
    without_values: str = "no clusters"


_QUANTITIES: Final = {
    "clusters": _Quantity(
        lambda rows: rows["clusters"],
        "clusters",
        ("Clusters found", "a plateau means that eps hardly matters there"),
    ),
    "outliers": _Quantity(
        lambda rows: rows["outlier_share"],
        "share of the marks",
        ("Outliers: marks in no cluster", "beyond the bend a larger eps gains little"),
        "share",
    ),
    "consensus": _Quantity(
        lambda rows: rows["consensus_median"],
        "consensus",
        ("Consensus of the clusters", "line: median; band: middle half"),
        "agreement",
        band=("consensus_q1", "consensus_q3"),
    ),
    "doubled": _Quantity(
        lambda rows: rows["doubled_clusters"] / rows["clusters"],
        "share of the clusters",
        ("Clusters with two marks of one classification", "most likely several objects in one"),
        "share",
    ),
    "gold_precision": _Quantity(
        lambda rows: rows["gold_precision"],
        "precision",
        ("Precision", "averages that match a gold outline"),
        "agreement",
        without_values="nothing to compare",
    ),
    "gold_recall": _Quantity(
        lambda rows: rows["gold_recall"],
        "recall",
        ("Recall", "gold outlines that match an average"),
        "agreement",
        without_values="nothing to compare",
    ),
    "gold_iou": _Quantity(
        lambda rows: rows["gold_iou"],
        "mean IoU",
        ("Mean IoU with gold outlines", "0 for those without a match"),
        "agreement",
        without_values="nothing to compare",
    ),
}

#: The quantities that can be drawn.
TUNING_KINDS: Final = tuple(_QUANTITIES)
#: Those that need the outlines of an expert.
GOLD_KINDS: Final = ("gold_precision", "gold_recall", "gold_iou")


def tuning(table: Frame, ax: Axes, *, show: str = "clusters", title: str | None = None) -> Axes:
    """Draw a quantity against `eps`, with one line for each combination of the other settings.

    HDBSCAN has no `eps`, so its lines are horizontal.

    Parameters
    ----------
    table : frame
        From `polyframe.tune`; of Polars, pandas or Arrow.
    ax : matplotlib.axes.Axes
        The axes to draw on.
    show : str
        `clusters`: their number; `outliers`: share of marks in no cluster; `consensus`: median with a band
        between its quartiles; `doubled`: share of clusters with two marks of one classification. If the table
        compares with the outlines of an expert: `gold_precision`, `gold_recall` or `gold_iou`.
    title : str, optional
        Replaces the default title.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes, with a ring around the current setting of the output.

    Raises
    ------
    UsageError
        If `show` is unknown, or the table is not one of `tune`.
    """
    if not isinstance(show, str) or show not in _QUANTITIES:
        raise UsageError(f"show: {short_repr(show)} is not one of {', '.join(_QUANTITIES)}")
    quantity = _QUANTITIES[show]
    check_axes(ax)
    try:
        _draw(tuning_columns(table), ax, quantity)
    except pl.exceptions.ColumnNotFoundError as error:
        column = first_line(error)
        raise UsageError(f"table: not one from polyframe.tune: column {column} is missing") from None
    set_title_lines(ax, quantity.title if title is None else [title])
    return ax


def tuning_columns(table: Frame) -> pl.DataFrame:
    """Return the columns of `tune` of a frame of any library.

    Raises
    ------
    UsageError
        If it is not a frame, or a column has another type.
    """
    frame = data_frame(table, "table")
    known = [column for column in TUNING.schema if column in map(clean_name, frame.columns)]
    columns = columns_of(frame, "table", TUNING.schema, known)
    # Tables of earlier versions do not have these.
    absent = {name: getattr(Settings, name) for name in ("cluster_method", "split")}
    absent |= dict.fromkeys(GOLD_KINDS)
    return columns.with_columns(
        pl.lit(value, TUNING.schema[name]).alias(name)
        for name, value in absent.items()
        if name not in columns.columns
    )


def has_gold(table: pl.DataFrame) -> bool:
    """Return whether a table from `tuning_columns` compares with the outlines of an expert."""
    return any(table[name].count() for name in GOLD_KINDS)


def _draw(table: pl.DataFrame, ax: Axes, quantity: _Quantity) -> None:
    highest = 0.0
    span = table["eps"].drop_nulls()
    ends = [span.min(), span.max()] if len(span) else [0.0, 1.0]
    lines = table.sort(*_OF_A_LINE, "eps").partition_by(_OF_A_LINE, maintain_order=True)
    # The first is on top; the others have larger markers, visible if lines coincide.
    for k, rows in reversed(list(enumerate(lines))):
        style = cluster_style(k, on_image=False)
        if rows["eps"].null_count():
            rows = pl.concat([rows, rows]).with_columns(pl.Series("eps", ends, pl.Float64))
        eps, values = rows["eps"].to_numpy(), quantity.value(rows).cast(pl.Float64).to_numpy()
        order = len(lines) - k
        if quantity.band:
            low, high = (rows[name].to_numpy() for name in quantity.band)
            ax.fill_between(eps, low, high, color=style.color, alpha=0.1, linewidth=0, zorder=1)
            for edge in (low, high):
                ax.plot(eps, edge, color=style.color, alpha=0.55, linewidth=0.7, zorder=1.2)
        ax.plot(
            eps,
            values,
            color=style.color,
            linestyle=style.linestyle,
            linewidth=1.7,
            marker=_MARKERS[k % len(_MARKERS)],
            markersize=4 + 1.8 * min(k, 4),
            zorder=2 + order,
            label=_label(rows),
        )
        highest = max([highest, *(value for value in values if value == value)])
        current = rows.with_columns(quantity.value(rows).alias("value")).filter("current")
        if not current.is_empty():
            _mark_current(ax, current["eps"][0], current["value"][0], _label(current))
    _style_axes(table, ax, quantity, highest)


def _label(rows: pl.DataFrame) -> str:
    """Return the settings of a line; of the method and the split only if they are not the defaults."""
    method, split, min_samples = rows.select(_OF_A_LINE).row(0)
    words = [f"min_samples {min_samples}"]
    words += [method] if method != Settings.cluster_method else []
    words += [f"split {split}"] if split != Settings.split else []
    return ", ".join(words)


def _mark_current(ax: Axes, eps: float, value: float | None, settings: str) -> None:
    """Mark the setting of the output: a line at its eps, a ring around its value."""
    made_with = settings
    if "hdbscan" not in settings:
        made_with = f"eps {eps:g}, {settings}"
        ax.axvline(eps, color=_CURRENT, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1.5)
    if value is not None and value == value:
        ax.plot(
            [eps],
            [value],
            marker="o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor=_CURRENT,
            markeredgewidth=1.4,
            linestyle="none",
            zorder=20,
            clip_on=False,
            gid="current",
            label=f"as made: {made_with}",
        )


def _style_axes(table: pl.DataFrame, ax: Axes, quantity: _Quantity, highest: float) -> None:
    values = table["eps"].drop_nulls().unique().sort().to_list()
    style_chart(ax, "eps", quantity.axis)
    if values:
        ticks = values if len(values) <= _MOST_TICKS else MaxNLocator(_MOST_TICKS).tick_values(0, 1)
        margin = 0.04 * (values[-1] - values[0]) or 0.05
        ax.set_xlim(values[0] - margin, values[-1] + margin)
        ax.set_xticks([tick for tick in ticks if values[0] - margin <= tick <= values[-1] + margin])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        write_note(ax, "no settings")
    if quantity.scale == "agreement":
        # From 0, as the axes of the other quantities, so that small differences do not look large.
        ax.set_ylim(-0.02, 1.02)
        if not quantity.value(table).drop_nulls().len():
            write_note(ax, quantity.without_values)
    elif quantity.scale == "share":
        # Not so small a range that rounding is visible.
        ax.set_ylim(-0.03 * max(highest, 0.05), max(highest, 0.05) * 1.12)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        ax.set_ylim(-0.03 * max(highest, 1), max(highest, 1) * 1.12)
        ax.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def tuning_legend(ax: Axes) -> None:
    """Draw a legend of up to eight lines within an axes, where there is most room.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes of `tuning`.
    """
    check_axes(ax)
    handles, labels = ax.get_legend_handles_labels()
    # They are drawn in reverse order.
    ring = [pair for pair in zip(handles, labels, strict=True) if pair[1].startswith("as made")]
    lines = [pair for pair in zip(handles, labels, strict=True) if pair not in ring][::-1]
    listed = [*lines[:_MOST_LISTED], *ring]
    if listed:
        ax.legend(
            [handle for handle, _ in listed],
            [label for _, label in listed],
            loc="best",
            fontsize=SMALL_POINTS,
            framealpha=0.85,
            edgecolor="none",
        )
