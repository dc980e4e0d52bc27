"""Sort lines of text that do not fit into memory, by writing them to files of consecutive keys."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.arrays import Ints
from polyframe.core.ragged import offsets_of, string_parts


class SortedLines:
    """Lines by an integer key, in files on disk, one for each range of keys.

    Parameters
    ----------
    folder : Path
        An existing, empty folder for the files.
    bounds : ndarray of int64, shape (n,)
        The first key of each range after the first one, ascending. One range is in memory at a time.
    """

    def __init__(self, folder: Path, bounds: Ints) -> None:
        self._folder = folder
        self._bounds = bounds

    def add(self, keys: Ints, lines: pl.Series) -> None:
        """Add lines.

        Parameters
        ----------
        keys : ndarray of int64, shape (n,)
            The key of each line, ascending.
        lines : polars.Series of str
            Of the same length, without nulls; each with its line end.
        """
        text, offsets = string_parts(lines)
        cuts = [0, *np.searchsorted(keys, self._bounds, side="left").tolist(), len(keys)]
        for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
            if start == stop:
                continue
            chunk = text[offsets[start] : offsets[stop]]
            for kind, values in (("keys", keys), ("sizes", np.diff(offsets))):
                self._append(number, kind, np.ascontiguousarray(values[start:stop], np.int64))
            self._append(number, "text", chunk)

    def blocks(self) -> Iterator[bytes]:
        """Yield all lines sorted by key, in blocks.

        Lines with the same key are in the order in which they were added.
        """
        for number in range(len(self._bounds) + 1):
            path = self._path(number, "keys")
            if not path.exists():
                continue
            keys = np.fromfile(path, np.int64)
            ends = offsets_of(np.fromfile(self._path(number, "sizes"), np.int64))
            text = self._path(number, "text").read_bytes()
            order = np.argsort(keys, kind="stable")
            if (order[1:] > order[:-1]).all():
                yield text
                continue
            starts, stops = ends[:-1][order].tolist(), ends[1:][order].tolist()
            view = memoryview(text)
            yield b"".join([view[start:stop] for start, stop in zip(starts, stops, strict=True)])

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number}.{kind}"

    def _append(self, number: int, kind: str, values: NDArray[Any]) -> None:
        with self._path(number, kind).open("ab") as file:
            file.write(values.data)
