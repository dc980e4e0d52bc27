"""Select the rows of a range of subjects."""

import numpy as np
import polars as pl


def within_range(column: str, first: int | None, next_first: int | None) -> pl.Expr:
    """Select the subjects of a partition; rows without a readable subject belong to the first one.

    The result is a boolean for every row, never a literal, since Polars cannot filter by one in threads.
    """
    lowest = int(np.iinfo(np.int64).min)
    subject = pl.col(column).fill_null(lowest)
    selected = subject >= (lowest if first is None else first)
    return selected if next_first is None else selected & (subject < next_first)
