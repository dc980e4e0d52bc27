"""Cut a CSV file between rows into splits, so that several machines can read it at the same time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.columns import open_csv
from polyframe.panoptes.classifications.compression import blocks
from polyframe.panoptes.classifications.csv_repair import line_ends_of

_COPY_BYTES: Final = 1 << 22


@dataclass(frozen=True)
class CsvSplit:
    """Consecutive rows of a file.

    Attributes
    ----------
    path : Path
        The file: CSV, not compressed, well formed.
    name : str
        Its name in messages.
    source : int
        Its number among the files of the export.
    header : bytes
        Its first line.
    start, end : int
        The bytes of the rows in the file.
    rows_before : int
        Rows of the file before these.
    """

    path: Path
    name: str
    source: int
    header: bytes
    start: int
    end: int
    rows_before: int


def cut_csv(path: Path, name: str, source: int, split_bytes: int) -> list[CsvSplit]:
    """Cut a file into splits; reading one after another gives the rows of the file.

    Parameters
    ----------
    path, name, source
        See `CsvSplit`.
    split_bytes : int
        Smallest size of a split, except for the last one.

    Returns
    -------
    list of CsvSplit
        Empty if the file has no rows.

    Notes
    -----
    A line end within quotes is part of a cell, so the quotes before it are counted, from the beginning of the
    file. That takes a third of a second for a gigabyte.
    """
    cuts, rows_before = [], []
    position = rows = header = 0
    in_quotes = False
    for block in blocks(path, "csv", []):
        line_ends, outside, in_quotes = line_ends_of(np.frombuffer(block, np.uint8), in_quotes)
        # After each row end of the block: the position in the file, and the number of rows before it.
        ends = line_ends[outside] + 1 + position
        if not header and len(ends):
            header = int(ends[0])
            cuts, rows_before, rows = [header], [0], -1
        while cuts:
            after = int(np.searchsorted(ends, cuts[-1] + split_bytes))
            if after == len(ends):
                break
            cuts.append(int(ends[after]))
            rows_before.append(rows + after + 1)
        rows += len(ends)
        position += len(block)
    if not cuts:
        return []
    if cuts[-1] < position:
        cuts.append(position)
    with path.open("rb") as file:
        first_line = file.read(header)
    return [
        CsvSplit(path, name, source, first_line, start, end, before)
        for start, end, before in zip(cuts[:-1], cuts[1:], rows_before, strict=False)
    ]


def open_split(split: CsvSplit, folder: Path) -> pl.LazyFrame:
    """Open the rows of a split, as `polyframe.panoptes.classifications.sources.open_sources` does.

    Parameters
    ----------
    split : CsvSplit
        From `cut_csv`.
    folder : Path
        An existing folder of this machine, for a copy of the split.

    Raises
    ------
    PolyframeError
        If this machine does not see the file.
    """
    copy = folder / f"{split.source}-{split.start}.csv"
    try:
        with split.path.open("rb") as file, copy.open("wb") as target:
            target.write(split.header)
            file.seek(split.start)
            left = split.end - split.start
            while left and (piece := file.read(min(left, _COPY_BYTES))):
                target.write(piece)
                left -= len(piece)
    except OSError as error:
        raise PolyframeError(f"{split.name}: cannot be read by a worker ({error.strerror})") from None
    if left:
        raise PolyframeError(f"{split.name}: changed during the run; run the command again")
    rows = open_csv(copy, "csv", split.name)
    return rows.select(
        pl.lit(split.source, pl.UInt16).alias("source"),
        (pl.col("row") + split.rows_before).cast(pl.UInt32),
        pl.exclude("row"),
    )
