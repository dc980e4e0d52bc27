"""What is found to be off, and how rows are named in it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from polyframe.core.tables import Table

FORCE: Final = "run again with --force"


@dataclass(frozen=True)
class Finding:
    """One thing that is off in an output directory.

    Attributes
    ----------
    check : str
        What was checked: `manifest`, `change` (one that a dead run left), `files`, `size`, `readable`,
        `schema`, `footer`, `fingerprint`, `range`, `order`, `key`, `values`, `geometry`, `agreement` (with
        the other tables) or `counts`.
    file : str
        Below the output directory.
    problem : str
        What is wrong; names the row and its key.
    advice : str
        What to do next.
    row : int or None
        The first row concerned, from 1; None where it is no matter of rows.
    """

    check: str
    file: str
    problem: str
    advice: str = FORCE
    row: int | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}; {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


class Findings(list[Finding]):
    """The problems of an output directory, in the order of its partitions, and how much of it was read."""

    def __init__(
        self, findings: Iterable[Finding] = (), tables: int = 0, parts: int = 0, rows: int = 0
    ) -> None:
        super().__init__(findings)
        self.tables = tables
        self.parts = parts
        self.rows = rows


def rows_off(
    check: str, file: str, table: Table, rows: pl.DataFrame, off: pl.Expr, problem: str, first_row: int = 0
) -> list[Finding]:
    """Return a finding for the rows that an expression is true for; none where there are none.

    Parameters
    ----------
    check, file : str
        See `Finding`.
    table : Table
        Its key names the row.
    rows : polars.DataFrame
        Some of the rows of the file; with the column `row` where they are not all of them.
    off : polars.Expr
        True for the rows that are off; missing counts as false.
    problem : str
        What is wrong with the row, put behind its name.
    first_row : int
        How many rows of the file come before these.
    """
    return several_off(file, table, rows, [(check, off, problem)], first_row)


def several_off(
    file: str,
    table: Table,
    rows: pl.DataFrame,
    checks: Sequence[tuple[str, pl.Expr, str]],
    first_row: int = 0,
) -> list[Finding]:
    """Return a finding for each of several checks that some rows do not pass, see `rows_off`."""
    if not rows.height or not checks:
        return []
    flags = rows.select(off.fill_null(value=False).alias(str(k)) for k, (_, off, _) in enumerate(checks))
    # Nearly always there is none at all.
    any_off = flags.select(pl.all().any()).row(0)
    found = []
    for k, (check, _, problem) in enumerate(checks):
        if any_off[k]:
            places = flags[str(k)].arg_true()
            first = int(places[0])
            number = 1 + (int(rows["row"][first]) if "row" in rows.columns else first_row + first)
            more = f" (and {len(places) - 1} more rows)" if len(places) > 1 else ""
            told = f"row {number} ({key_of(table, rows, first)}) {problem}{more}"
            found.append(Finding(check, file, told, row=number))
    return found


def key_of(table: Table, rows: pl.DataFrame, position: int) -> str:
    """Return the key of a row in words."""
    return ", ".join(f"{name} {_cell(rows[name][position])}" for name in table.key)


def _cell(value: object) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
