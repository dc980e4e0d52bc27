"""Print tables in columns, and save them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.addresses import Place
from polyframe.core.atomic_files import atomic_path
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import file_ending
from polyframe.core.spreadsheet_cells import escape_formulas
from polyframe.core.tables import PUBLIC_TABLES

TABLE_ENDINGS: Final = (".csv", ".parquet")

#: Hashes of volunteers, of 32 digits, are printed whole, so that they can be copied.
_LONGEST_NAME: Final = 32
#: Sessions of visitors with the same name differ in the last characters.
_END_OF_NAME: Final = 9


def aligned(columns: Sequence[Sequence[str]], *, left: int = 0) -> list[str]:
    """Return the lines of a table whose columns are aligned.

    Parameters
    ----------
    columns : sequence of sequences of str
        The cells of each column, headings included.
    left : int
        So many columns are aligned to the left, the others to the right.
    """
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in zip(*columns, strict=True)
    ]


def printable(name: str) -> str:
    """Return a name that fits a column: shortened in the middle, without line breaks."""
    name = "".join(character if character.isprintable() else "?" for character in name)
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 3 - _END_OF_NAME]}...{name[-_END_OF_NAME:]}"


def shortened_lines(names: Iterable[str | None]) -> list[str]:
    """Return a line that says where whole names are if some of these are shortened, otherwise none."""
    is_any = any(name is not None and len(name) > _LONGEST_NAME for name in names)
    return ["long names are shortened; --json gives them whole"] if is_any else []


def check_table_format(path: Path, output: Place | None = None) -> str:
    """Return the ending of the file to which a table is written.

    Raises
    ------
    UsageError
        If it is neither .csv nor .parquet, or the file is one of those in `output`.
    """
    folder = path.resolve().parent

    if isinstance(output, Path) and folder.parent == output.resolve() and folder.name in PUBLIC_TABLES:
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
            escape_formulas(table).write_csv(file)
        else:
            table.write_parquet(file)
