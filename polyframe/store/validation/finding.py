"""Describe problems of an output directory and the rows they are in."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from polyframe.core.plurals import counted
from polyframe.core.reprs import html_repr, text_repr
from polyframe.core.table_schema import Table

FORCE: Final = "run again with --force"
#: So many findings are shown; the others are counted.
_SHOWN: Final = 10


@dataclass(frozen=True)
class Finding:
    """One problem of an output directory.

    Attributes
    ----------
    check : str
        What was checked: `manifest`, `change` (left incomplete by a dead run), `files`, `size`, `readable`,
        `schema`, `footer`, `fingerprint`, `range`, `order`, `key`, `values`, `geometry`, `agreement` (with
        the other tables) or `counts`.
    file : str
        Path below the output directory.
    problem : str
        What is wrong, with the row and its key.
    advice : str
        What to do next.
    row : int or None
        The first row with the problem, from 1; None if the problem is not about rows.
    """

    check: str
    file: str
    problem: str
    advice: str = FORCE
    row: int | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}; {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
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

    def __repr__(self) -> str:
        return text_repr("Findings", self._rows())

    def _repr_html_(self) -> str:
        return html_repr("Findings", self._rows())

    def _rows(self) -> dict[str, object]:
        read = f"{counted(self.tables, 'table')}, {counted(self.parts, 'part')}, {counted(self.rows, 'row')}"
        rows: dict[str, object] = {"read": read, "problems": f"{len(self):,}"}
        rows |= {f"{number}": finding for number, finding in enumerate(self[:_SHOWN], 1)}
        return rows | ({"...": f"and {len(self) - _SHOWN:,} more"} if len(self) > _SHOWN else {})


def findings_of_check(
    check: str, file: str, table: Table, rows: pl.DataFrame, wrong: pl.Expr, problem: str, first_row: int = 0
) -> list[Finding]:
    """Return a finding for the rows that fail a check, or none.

    Parameters
    ----------
    check, file : str
        See `Finding`.
    table : Table
        Its key names the row.
    rows : polars.DataFrame
        Rows of the file; with the column `row` if rows between them are missing.
    wrong : polars.Expr
        True for the rows that fail; missing counts as false.
    problem : str
        What is wrong with the row, as the rest of a sentence.
    first_row : int
        Number of rows of the file before these.
    """
    return findings_of_checks(file, table, rows, [(check, wrong, problem)], first_row)


def findings_of_checks(
    file: str,
    table: Table,
    rows: pl.DataFrame,
    checks: Sequence[tuple[str, pl.Expr, str]],
    first_row: int = 0,
) -> list[Finding]:
    """Return a finding for each of several checks that rows fail, see `findings_of_check`."""
    if not rows.height or not checks:
        return []
    flags = rows.select(wrong.fill_null(value=False).alias(str(k)) for k, (_, wrong, _) in enumerate(checks))
    # Nearly always none fails.
    any_wrong = flags.select(pl.all().any()).row(0)
    findings = []
    for k, (check, _, problem) in enumerate(checks):
        if any_wrong[k]:
            places = flags[str(k)].arg_true()
            first = int(places[0])
            number = 1 + (int(rows["row"][first]) if "row" in rows.columns else first_row + first)
            more = f" (and {counted(len(places) - 1, 'more row')})" if len(places) > 1 else ""
            text = f"row {number} ({key_of(table, rows, first)}) {problem}{more}"
            findings.append(Finding(check, file, text, row=number))
    return findings


def key_of(table: Table, rows: pl.DataFrame, position: int) -> str:
    """Return the key of a row as text."""
    return ", ".join(f"{name} {_cell(rows[name][position])}" for name in table.key)


def _cell(value: object) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
