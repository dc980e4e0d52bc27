"""Show results briefly in a Python session and in a notebook."""

from collections.abc import Iterable, Mapping
from html import escape

import polars as pl

from polyframe.core.plurals import counted


def text_repr(title: str, rows: Mapping[str, object]) -> str:
    """Return a title and aligned rows of names and values."""
    width = max(map(len, rows), default=0)
    return "\n".join(
        [f"<polyframe.{title}>", *(f"  {name:<{width}}  {value}" for name, value in rows.items())]
    )


def html_repr(title: str, rows: Mapping[str, object]) -> str:
    """Return the same as a small HTML table."""
    cells = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<div><strong>polyframe.{escape(title)}</strong><table>{cells}</table></div>"


def row_counts(frames: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Return the number of rows of each frame, such as `1,204 rows`."""
    return {name: counted(frame.height, "row") for name, frame in frames.items()}


def listed_counts(counts: Iterable[tuple[str, int]]) -> str:
    """Return counts by name, such as `path_empty 2, duplicate_mark 1`."""
    return ", ".join(f"{name} {number}" for name, number in counts)
