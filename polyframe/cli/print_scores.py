"""Print the table of `polyframe score`, as lines of text or one JSON object."""

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from polyframe.cli.printed_tables import aligned, printable, shortened_lines
from polyframe.core.plurals import counted
from polyframe.export.words import Words

#: Most volunteers that are listed, the worst first.
_MOST_LISTED: Final = 30

#: The printed columns: two lines of heading, name in the table, format.
_PRINTED: Final[tuple[tuple[str, str, str, Callable[[Any], str]], ...]] = (
    ("", "gold", "n_gold", "{:,}".format),
    ("", "predicted", "n_predicted", "{:,}".format),
    ("", "matched", "n_matched", "{:,}".format),
    ("", "precision", "precision", "{:.3f}".format),
    ("", "recall", "recall", "{:.3f}".format),
    ("", "F1", "f1", "{:.3f}".format),
    ("mean IoU", "of matches", "matched_iou", "{:.3f}".format),
    ("mean IoU", "of all gold", "gold_iou", "{:.3f}".format),
    ("boundary", "distance", "boundary_distance", "{:.2f}".format),
    ("area", "ratio", "area_ratio", "{:.3f}".format),
    ("", "median", "area_ratio_median", "{:.3f}".format),
)


def score_lines(table: pl.DataFrame, words: Words) -> list[str]:
    """Format the table as aligned lines: everything, the tools, the volunteers worst first.

    Parameters
    ----------
    table : polars.DataFrame
        The result of `polyframe.score`.
    words : Words
        The labels of tools.
    """
    volunteers = table.filter(pl.col("scope") == "volunteer").sort(
        "f1", "gold_iou", "volunteer", nulls_last=True
    )
    rows = pl.concat([table.filter(pl.col("scope") != "volunteer"), volunteers.head(_MOST_LISTED)])
    names = [
        _tool(row["tool"], words) if row["scope"] == "tool" else printable(row["volunteer"] or row["scope"])
        for row in rows.iter_rows(named=True)
    ]
    columns = [["", table["scored"][0], *names]]
    columns += [
        [first_line, second_line, *("-" if value is None else formatted(value) for value in rows[name])]
        for first_line, second_line, name, formatted in _PRINTED
    ]
    lines = [line.rstrip() for line in aligned(columns, left=1)]
    if volunteers.height > _MOST_LISTED:
        lines.append(
            f"and {counted(volunteers.height - _MOST_LISTED, 'more volunteer')}; -o saves all of them"
        )
    return lines + shortened_lines(rows["volunteer"])


def _tool(name: str, words: Words) -> str:
    """Return the label of a tool; if it is shortened, another one may look the same, so its key follows."""
    label = words.tool(name)
    shown = printable(label)
    return shown if shown == label or name in label else f"{shown} ({name})"


def score_object(table: pl.DataFrame, output: str, gold: str) -> dict[str, Any]:
    """Return an object for JSON: `output`, `gold`, and in `scores` an object for each row."""
    return {"output": output, "gold": gold, "scores": table.to_dicts()}
