"""Cut a CSV file between rows into splits, so that several machines can read it at the same time.

Whether a line end ends a row depends on all quotes before it. So the file is surveyed in pieces of equal size
first, on any machines, and cut at the first row end of each piece.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from polyframe.panoptes.classifications.columns import MalformedError, open_csv
from polyframe.panoptes.classifications.compression import blocks
from polyframe.panoptes.classifications.csv_repair import (
    LONGEST_ROW_BYTES,
    TooManyUnusableRowsError,
    check_usable,
    count_rows,
    looks_well_formed,
    read_header,
)
from polyframe.panoptes.classifications.csv_survey import Survey, Surveys, survey_blocks, surveys_of_file
from polyframe.panoptes.classifications.export_files import ExportFile, copy_piece, read_piece
from polyframe.panoptes.classifications.line_endings import ends_lines_with_returns
from polyframe.panoptes.classifications.sources import rows_of_split


@dataclass(frozen=True)
class CsvPiece:
    """Some bytes of a CSV file that is not compressed.

    Attributes
    ----------
    file : ExportFile
    start, end : int
        The first byte, and the one after the last.
    """

    file: ExportFile
    start: int
    end: int


@dataclass(frozen=True)
class SurveyedPiece:
    """What a survey of a piece has found.

    Attributes
    ----------
    surveys : Surveys
    header : bytes
        The first line of the file; empty if the piece is not the first one, or the line does not end in it.
    """

    surveys: Surveys
    header: bytes


@dataclass(frozen=True)
class CsvSplit:
    """Consecutive rows of a CSV file that is not compressed.

    Attributes
    ----------
    file : ExportFile
    header : bytes
        Its first line.
    start, end : int
        The bytes of the rows in the file.
    rows_before : int
        Rows of the file before these.
    rows : int
        Number of rows, blank ones too.
    has_quoted_line_ends : bool
        Whether there may be line ends within quotes.
    """

    file: ExportFile
    header: bytes
    start: int
    end: int
    rows_before: int
    rows: int
    has_quoted_line_ends: bool


def pieces_of(file: ExportFile, piece_bytes: int) -> list[CsvPiece]:
    """Return the pieces of a file, all but the last of the same size."""
    starts = [*range(0, file.size, piece_bytes), file.size]
    return [CsvPiece(file, start, end) for start, end in pairwise(starts)]


def survey_piece(piece: CsvPiece) -> SurveyedPiece | None:
    """Survey a piece of a file, in bounded memory.

    Returns
    -------
    SurveyedPiece or None
        None if the file cannot be cut: its first line is too long, or ends in a carriage return alone.

    Raises
    ------
    PolyframeError
        If this machine cannot read the file, or the file has changed.
    """
    with tempfile.TemporaryDirectory(prefix="polyframe-") as folder:
        copy = Path(folder) / "piece"
        if isinstance(piece.file.place, Path):
            content: Iterable[bytes] = read_piece(piece.file, piece.start, piece.end)
            path = piece.file.place
        else:
            copy_piece(piece.file, piece.start, piece.end, copy)
            content, path = blocks(copy, "csv", []), copy
        surveys = survey_blocks(content)
        if piece.start:
            return SurveyedPiece(surveys, b"")
        if ends_lines_with_returns(path, "csv"):
            return None
        header_bytes = surveys.outside.first if surveys.outside.row_ends else 0
        if header_bytes > LONGEST_ROW_BYTES:
            return None
        with path.open("rb") as file:
            return SurveyedPiece(surveys, file.read(header_bytes))


def cut_csv(
    file: ExportFile, pieces: Sequence[CsvPiece], surveyed: Sequence[SurveyedPiece | None]
) -> list[CsvSplit] | None:
    """Cut a file into splits; reading one after another gives the rows of the file.

    Parameters
    ----------
    file : ExportFile
    pieces : sequence of CsvPiece
        All of its pieces, from `pieces_of`.
    surveyed : sequence of SurveyedPiece or None
        The survey of each piece.

    Returns
    -------
    list of CsvSplit or None
        Empty if the file has no rows; None if it has to be repaired first.
    """
    surveys = [piece.surveys for piece in surveyed if piece is not None]
    if len(surveys) < len(pieces):
        return None
    so_far = list(surveys_of_file(surveys))
    try:
        check_usable(so_far[-1])
    except TooManyUnusableRowsError:
        return None
    first = surveyed[0]
    if first is None or not first.header or not looks_well_formed(so_far[-1]):
        return None
    cuts = list(_cuts(pieces, surveys, so_far))
    if cuts[-1][0] < file.size:
        cuts.append((file.size, so_far[-1].rows - 1))
    return [
        CsvSplit(file, first.header, start, end, before, after - before, so_far[-1].quoted_line_ends)
        for (start, before), (end, after) in pairwise(cuts)
    ]


def _cuts(
    pieces: Sequence[CsvPiece], surveys: Sequence[Surveys], so_far: Sequence[Survey]
) -> Iterator[tuple[int, int]]:
    """Yield the first row end of each piece: the bytes, and the rows without the header, up to there."""
    in_quotes, row_ends = False, 0
    for piece, both, whole in zip(pieces, surveys, so_far, strict=True):
        own = both.inside if in_quotes else both.outside
        if own.row_ends:
            yield piece.start + own.first, row_ends
        in_quotes, row_ends = whole.ends_in_quotes, whole.row_ends - 1


def open_csv_split(split: CsvSplit, folder: Path) -> pl.LazyFrame:
    """Open the rows of a split.

    Parameters
    ----------
    split : CsvSplit
        From `cut_csv`.
    folder : Path
        An existing folder of this machine, for a copy of the split.

    Returns
    -------
    polars.LazyFrame
        As from `polyframe.panoptes.classifications.sources.open_sources`.

    Raises
    ------
    PolyframeError
        If this machine cannot read the file, or the file has changed.
    MalformedError
        If the first rows show that the file is malformed.
    """
    rows = open_csv(_copy_of(split, folder), "csv", split.file.name)
    return rows_of_split(rows, split.file.source, split.rows_before)


def check_quoted_line_ends(split: CsvSplit, folder: Path) -> None:
    """Check that lines that end within quotes are parts of rows, by the tolerant parser.

    Raises
    ------
    MalformedError
        If they are not, or if that depends on the next split.
    """
    if split.has_quoted_line_ends:
        copy = _copy_of(split, folder)
        if count_rows(copy, "csv", len(read_header(copy, "csv"))) != 1 + split.rows:
            raise MalformedError(split.file.name)


def _copy_of(split: CsvSplit, folder: Path) -> Path:
    """Return a copy of the header and the rows of a split."""
    copy = folder / f"{split.file.source}-{split.start}.csv"
    if not copy.exists():
        copy_piece(split.file, split.start, split.end, copy, split.header)
    return copy
