"""Print the table of `polyframe tune`."""

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from polyframe.cli.printed_tables import aligned

#: The printed columns: two lines of heading, name in the table, format.
_PRINTED: Final[tuple[tuple[str, str, str, Callable[[Any], str]], ...]] = (
    ("cluster_", "method", "cluster_method", "{}".format),
    ("", "split", "split", "{}".format),
    ("", "eps", "eps", "{:g}".format),
    ("min_", "samples", "min_samples", "{}".format),
    ("", "clusters", "clusters", "{:,}".format),
    ("clusters", "a group", "clusters_per_group", "{:.2f}".format),
    ("marks", "a cluster", "marks_per_cluster", "{:.1f}".format),
    ("", "outliers", "outliers", "{:,}".format),
    ("of all", "marks", "outlier_share", "{:.1%}".format),
    ("", "doubled", "doubled_clusters", "{:,}".format),
    ("", "merged", "merged_clusters", "{:,}".format),
    ("consensus", "quartile", "consensus_q1", "{:.3f}".format),
    ("", "median", "consensus_median", "{:.3f}".format),
    ("", "quartile", "consensus_q3", "{:.3f}".format),
    ("gold", "precision", "gold_precision", "{:.3f}".format),
    ("", "recall", "gold_recall", "{:.3f}".format),
    ("", "IoU", "gold_iou", "{:.3f}".format),
)
#: Those that are shown only if a value is not the default.
_DEFAULTS: Final = {"cluster_method": "dbscan", "split": "none"}
#: Those that are shown only if there are gold outlines.
_OF_GOLD: Final = ("gold_precision", "gold_recall", "gold_iou")


def tuning_lines(table: pl.DataFrame, output: str) -> list[str]:
    """Format the table as aligned lines, with a star at the setting of the output.

    Parameters
    ----------
    table : polars.DataFrame
        The result of `polyframe.tune`.
    output : str
        Name of the output, for the last line.
    """
    has_gold = any(table[name].count() for name in _OF_GOLD)
    omitted = [name for name, default in _DEFAULTS.items() if (table[name] == default).all()]
    omitted += [] if has_gold else _OF_GOLD
    columns = [
        [first_line, second_line, *("-" if value is None else formatted(value) for value in table[name])]
        for first_line, second_line, name, formatted in _PRINTED
        if name not in omitted
    ]
    stars = ["", "", *("*" if current else "" for current in table["current"])]
    lines = [f"{star:<2}{line}".rstrip() for star, line in zip(stars, aligned(columns), strict=True)]
    if table["current"].any():
        lines.append(f"* settings of {output}")
    return lines
