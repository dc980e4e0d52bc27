"""Select the rows of a range of subjects."""

import numpy as np
import polars as pl


def within_range(column: str, first: int | None, following: int | None) -> pl.Expr:
    """Keep the subjects of a partition; those that could not be read belong to the first one.

    True or false for every row, never a bare literal: Polars cannot filter by one in several threads.
    """
    lowest = int(np.iinfo(np.int64).min)
    subject = pl.col(column).fill_null(lowest)
    kept = subject >= (lowest if first is None else first)
    return kept if following is None else kept & (subject < following)
