"""Print the table of `polyframe tune`, and save it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.core.atomic_files import atomic_path
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import file_ending
from polyframe.core.tables import TABLES

TABLE_ENDINGS: Final = (".csv", ".parquet")

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
)


def tuning_lines(table: pl.DataFrame, output: str) -> list[str]:
    """Format the table as aligned lines, with a star at the setting of the output.

    Parameters
    ----------
    table : polars.DataFrame
        The result of `polyframe.tune`.
    output : str
        Name of the output, for the last line.
    """
    varied = [
        name
        for name, default in (("cluster_method", "dbscan"), ("split", "none"))
        if (table[name] != default).any()
    ]
    columns = [
        [first_line, second_line, *("-" if value is None else formatted(value) for value in table[name])]
        for first_line, second_line, name, formatted in _PRINTED
        if name in varied or name not in ("cluster_method", "split")
    ]
    widths = [max(map(len, column)) for column in columns]
    stars = ["", "", *("*" if current else "" for current in table["current"])]
    lines = []
    for star, cells in zip(stars, zip(*columns, strict=True), strict=True):
        padded = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{star:<2}{padded}".rstrip())
    if table["current"].any():
        lines.append(f"* settings of {output}")
    return lines


def check_table_format(path: Path, output: Path | None = None) -> str:
    """Return the ending of the file to which a table is written.

    Raises
    ------
    UsageError
        If it is neither .csv nor .parquet, or the file is one of those in `output`.
    """
    folder = path.resolve().parent
    if output and folder.parent == output.resolve() and folder.name in TABLES:
        raise UsageError(f"{path}: belongs to the tables in {output}; choose another place")
    return file_ending(path, TABLE_ENDINGS, "table")


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, depending on the ending of the path; all of it or nothing.

    Raises
    ------
    UsageError
        If the path ends otherwise.
    PolyframeError
        If it cannot be written.
    """
    ending = check_table_format(path)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        if ending == ".csv":
            table.write_csv(file)
        else:
            table.write_parquet(file)
