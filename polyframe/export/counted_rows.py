"""Count how far an export has come: by batches of rows, so that counting takes no time."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from polyframe.core.callbacks import Advance, DetailedProgress

_BATCH: Final = 256


class WrittenClusters:
    """Counts the clusters of one file that are written, or that are used in a step before.

    Parameters
    ----------
    progress : DetailedProgress
    total : int
        The clusters to write.
    step : str
        The step before, such as `listing the images`; empty for the writing.
    """

    def __init__(self, progress: DetailedProgress, total: int, step: str = "") -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._step = step
        if step:
            progress.begin(step, total, "clusters")
        else:
            progress(0, total)

    def add(self, number: int) -> None:
        """Count clusters that are written, or omitted."""
        if self._step:
            self._progress.advance(number)
            return
        self._done += number
        self._progress(self._done, self._total)


def batches(rows: pl.DataFrame, number: int, advance: Advance) -> Iterator[pl.DataFrame]:
    """Yield rows in batches, and count each when the next one is taken.

    Parameters
    ----------
    rows : polars.DataFrame
    number : int
        What all rows together count, such as the clusters on these images; each batch counts its share.
    advance : callable
        Receives what each batch counts.
    """
    done = 0
    for first in range(0, rows.height, _BATCH):
        batch = rows.slice(first, _BATCH)
        yield batch
        reached = number * (first + batch.height) // rows.height
        advance(reached - done)
        done = reached
    if done < number:
        advance(number - done)
