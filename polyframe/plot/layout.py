"""Lay out panels in rows, as wide as the picture allows and as high as they need, without overlap."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure

from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.scalar_checks import as_builtin, is_integer
from polyframe.plot.image_axes import TITLE_POINTS, wrap_text

#: How far the text of a panel extends beyond it: left, right, above and below, in inches.
_Margins = tuple[float, float, float, float]

#: Pixels per inch.
DPI: Final = 120

_GAP: Final = 0.18  # inches between panels and around the picture
_BESIDE: Final = 0.5  # approximate width of the numbers beside a panel, in inches
_BAR: Final = 0.65  # and of a colour bar
_HEADER_POINTS: Final = TITLE_POINTS + 0.5
_BOLD_LETTER: Final = 0.62  # typical width of a letter, as a fraction of its size
_LARGEST_PIXELS: Final = 50_000_000
#: Limits of the width of a picture, in pixels.
LEAST_WIDTH: Final = 200
LARGEST_WIDTH: Final = 10_000
_TALLEST: Final = 1.6  # times the width of a panel


def empty_figure(width: int) -> Figure:
    """Return a white figure of a width in pixels.

    Raises
    ------
    UsageError
        If the width is not allowed.
    """
    width = as_builtin(width)
    if not is_integer(width) or not LEAST_WIDTH <= width <= LARGEST_WIDTH:
        raise UsageError(
            f"width: {short_repr(width)} is not an integer from {LEAST_WIDTH} to {LARGEST_WIDTH}"
        )
    inches = width / DPI
    return Figure(figsize=(inches, inches), dpi=DPI, facecolor="white")


def add_panel(figure: Figure, columns: int) -> Axes:
    """Add an axes of about its final width, so that titles are wrapped correctly."""
    inches = figure.get_figwidth()
    size = max((inches - _BESIDE * columns - _BAR) / columns, 0.5) / inches
    ax = figure.add_axes((0.0, 0.0, size, size), label=f"panel {len(figure.axes)}")
    ax.set_anchor("NW")
    return ax


def arrange(
    figure: Figure,
    rows: list[list[Axes]],
    headers: list[str],
    columns: int | Sequence[int] = 0,
    *,
    advice: str = "choose a larger width",
) -> None:
    """Place the panels of a figure in rows, with a line above each row, and adapt its height.

    The text around an axes does not grow with it, so the text is measured and the axes get the rest.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    rows : list of list of Axes
    headers : list of str
        The line above each row; none if empty.
    columns : int or sequence of int
        Number of panels for which there is room in every row, or in each; 0 for that of the longest row. Rows
        with the same number have the same columns.
    advice : str
        What to do if the figure is too narrow for its panels.
    """
    columns = columns or max(map(len, rows))
    room = [columns] * len(rows) if isinstance(columns, int) else columns
    width = figure.get_figwidth()
    letters = int((width - 2 * _GAP) * 72 / (_HEADER_POINTS * _BOLD_LETTER))
    headers = ["\n".join(wrap_text(header, letters)) for header in headers]
    above = [
        _HEADER_POINTS / 72 * (0.7 + 1.25 * len(header.splitlines())) if header else 0.0 for header in headers
    ]
    # It measures text; the renderer of the figure would allocate all its pixels.
    metrics = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]
    # Twice, since the text around depends a little on the size of the axes.
    for _ in range(2):
        around = [[_around(ax, metrics) for ax in row] for row in rows]
        widths = {}
        for number in {*room}:
            alike = [row for row, n in zip(around, room, strict=True) if n == number]
            widths[number] = _column_widths(alike, number, width)
        inner = [widths[number][1] for number in room]
        if min(inner) < 0.5:
            raise UsageError(
                f"width: {round(width * DPI)} pixels are too few for {max(room)} panels in a row; {advice}"
            )
        heights = [size * max(_proportion(ax) for ax in row) for size, row in zip(inner, rows, strict=True)]
        tops = [max(left[2] for left in row) for row in around]
        bottoms = [max(left[3] for left in row) for row in around]
        total = _GAP + sum(map(sum, zip(heights, tops, bottoms, above, strict=True))) + _GAP * len(rows)
        if width * total * DPI**2 > _LARGEST_PIXELS:
            raise PolyframeError(
                f"a picture of {width * DPI:,.0f} x {total * DPI:,.0f} pixels is too large; "
                "choose a smaller width, or fewer panels with --frame, --tool or --task"
            )
        figure.set_size_inches(width, total)
        y = total - _GAP
        lines = []
        for row, number, header_height, top, height, bottom in zip(
            rows, room, above, tops, heights, bottoms, strict=True
        ):
            across, panel = widths[number]
            lines.append(y / total)
            y -= header_height + top + height
            x = _GAP
            for k, ax in enumerate(row):
                x += across[k][0]
                ax.set_position((x / width, y / total, panel / width, height / total))
                x += panel + across[k][1] + _GAP
            y -= bottom + _GAP
    for header, line in zip(headers, lines, strict=True):
        figure.text(
            _GAP / width,
            line,
            header,
            va="top",
            fontsize=_HEADER_POINTS,
            fontweight="bold",
            parse_math=False,
        )


def _column_widths(
    around: list[list[_Margins]], columns: int, width: float
) -> tuple[list[list[float]], float]:
    """Return the width of the text left and right of each column, and that of a panel, in inches."""
    across = [
        [max(row[k][side] for row in around if k < len(row)) for side in (0, 1)] for k in range(columns)
    ]
    return across, (width - _GAP * (columns + 1) - sum(map(sum, across))) / columns


def _around(ax: Axes, metrics: RendererAgg) -> _Margins:
    """Return how far the text of an axes extends beyond it: left, right, above and below, in inches."""
    outer, box = ax.get_tightbbox(metrics), ax.get_window_extent()
    if outer is None:
        return 0.0, 0.0, 0.0, 0.0
    beyond = (box.x0 - outer.x0, outer.x1 - box.x1, outer.y1 - box.y1, box.y0 - outer.y0)
    left, right, top, bottom = (max(0.0, pixels) / DPI for pixels in beyond)
    return left, right, top, bottom


def _proportion(ax: Axes) -> float:
    """Return the height of an axes divided by its width."""
    if ax.get_aspect() == "auto":
        return 0.75
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return min(abs(top - bottom) / abs(right - left), _TALLEST)
