"""Describe tables: their columns, types, order and keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

TIMESTAMP: Final = pl.Datetime("us", "UTC")
#: The column of times, of which missing ones come last.
CREATED_AT: Final = "created_at"


@dataclass(frozen=True)
class Column:
    """A column: its name, its Polars type, its meaning with units, and whether values can be missing."""

    name: str
    dtype: Any
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        The name of its folder in the output directory.
    row : str
        What a row represents.
    columns : tuple of Column
        In the order of the file.
    sort_by : tuple of str
        The keys by which the concatenated parts are sorted. Missing values come first, but missing times
        last.
    key : tuple of str
        The columns that identify a row. Rows of `rejects` with the stage `read` are exempt, since they may
        lack or repeat their key.
    geometry : bool
        Whether the table has a column `geometry` and is stored as GeoParquet.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    sort_by: tuple[str, ...]
    key: tuple[str, ...]
    geometry: bool = False

    @property
    def schema(self) -> pl.Schema:
        """Column names and Polars types."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Select and cast the columns of this table, and sort by its keys.

        Parameters
        ----------
        frame : polars.DataFrame
            A frame with at least the columns of this table. Numbers out of the range of their type raise.

        Returns
        -------
        polars.DataFrame
        """
        typed = frame
        if frame.schema != self.schema:
            typed = frame.select(pl.col(column.name).cast(column.dtype) for column in self.columns)
        order = typed.select(
            pl.arg_sort_by(self.sort_by, nulls_last=missing_last(self.sort_by), maintain_order=True)
        ).to_series()
        # Rows in order, which are the usual case, are not copied: contours can be most of the memory.
        in_order = np.array_equal(order.to_numpy(), np.arange(len(order)))
        return typed if in_order else typed[order]

    def empty(self) -> pl.DataFrame:
        """Return the table without rows."""
        return pl.DataFrame(schema=self.schema)


def missing_last(names: Iterable[str]) -> list[bool]:
    """Return for each sort key whether missing values come last, as missing times do."""
    return [name == CREATED_AT for name in names]
