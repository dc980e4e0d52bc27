"""Rows to sort, and in which range each of them belongs."""

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import strategies as st

from polyframe.pipeline.shuffle import Ranges, ranges_of
from polyframe.pipeline.sorted_rows import RowFiles, SortedRows, read_slices
from polyframe.store.objects import FolderObjects

SCHEMA = pl.Schema({"subject_id": pl.Int64, "row": pl.UInt32, "text": pl.String})

#: Subjects in the order of the rows; None is unreadable.
subjects = st.lists(st.none() | st.integers(-3, 12), max_size=60)
borders = st.lists(st.integers(-2, 11), max_size=5, unique=True).map(sorted)


def rows_of(ids: list[int | None]) -> pl.DataFrame:
    texts = [None if k % 7 == 3 else f"row {k} " * (k % 5) for k in range(len(ids))]
    return pl.DataFrame({"subject_id": ids, "row": range(len(ids)), "text": texts}, schema=SCHEMA)


def in_batches(rows: pl.DataFrame, step: int) -> pl.LazyFrame:
    """Return rows in several batches, as from several files."""
    return pl.concat([rows[k : k + step].lazy() for k in range(0, max(rows.height, 1), step)])


def expected(rows: pl.DataFrame, firsts: list[int], number: int) -> pl.DataFrame:
    """Return the rows of one range, by checking every row."""
    number_of = [0 if s is None else sum(first <= s for first in firsts) for s in rows["subject_id"]]
    return rows.filter(pl.Series(number_of, dtype=pl.Int64) == number)


def all_ranges(firsts: list[int]) -> Ranges:
    return ranges_of(firsts, np.ones(len(firsts) + 1, bool))


def files_in(folder: Path) -> RowFiles:
    return RowFiles(FolderObjects(folder))


def read(done: SortedRows, number: int) -> pl.DataFrame:
    return read_slices(done.rows_of(number), SCHEMA)
