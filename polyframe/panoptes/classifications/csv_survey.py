"""Survey a CSV file in pieces: count its rows and find their ends.

Whether a line end within a piece ends a row depends on the quotes of all pieces before it, so each piece has
two surveys, of which one turns out to be true. Machines can therefore survey the pieces of a file at the same
time (Ge et al., "Speculative Distributed CSV Data Parsing for Big Data Analytics", SIGMOD 2019).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A row of fewer bytes, with its line end, is unusable: the required columns need more.
SHORTEST_ROW_BYTES: Final = 20
_QUOTE: Final = ord('"')
_LINE_END: Final = ord("\n")
_RETURN: Final = ord("\r")


@dataclass(frozen=True)
class Survey:
    """The rows of a piece of a CSV file, if it begins within quotes, or if it does not.

    Attributes
    ----------
    size : int
        Bytes of the piece.
    ends_in_quotes : bool
        Whether the next piece begins within quotes.
    row_ends : int
        Line ends outside quotes.
    first, last : int
        Bytes up to and including the first row end, and those after the last one; both are `size` if there is
        no row end.
    quoted_line_ends : bool
        Whether there are line ends within quotes.
    blank, short : int
        Blank rows, and others of fewer than `SHORTEST_ROW_BYTES`; without the row that ends at the first row
        end.
    longest : int
        Bytes of the longest of the same rows.
    first_ends_with_return, ends_with_return : bool
        Whether there is a carriage return before the first row end, and at the end of the piece.
    """

    size: int
    ends_in_quotes: bool
    row_ends: int
    first: int
    last: int
    quoted_line_ends: bool
    blank: int
    short: int
    longest: int
    first_ends_with_return: bool
    ends_with_return: bool

    @property
    def rows(self) -> int:
        """Rows up to the end of the piece, see `surveys_of_file`; the last one may lack its line end."""
        return self.row_ends - 1 + (self.last > 0)


#: Survey of the place before a file, where a row could end.
_START: Final = Survey(
    size=0,
    ends_in_quotes=False,
    row_ends=1,
    first=0,
    last=0,
    quoted_line_ends=False,
    blank=0,
    short=0,
    longest=0,
    first_ends_with_return=False,
    ends_with_return=False,
)


@dataclass(frozen=True)
class Surveys:
    """Both surveys of a piece.

    Attributes
    ----------
    outside, inside : Survey
        If the piece begins outside, and within, quotes.
    """

    outside: Survey
    inside: Survey

    def __add__(self, other: "Surveys") -> "Surveys":
        """Return the surveys of two pieces together, of which the other one follows."""
        return Surveys(_join(self.outside, other), _join(self.inside, other))


def survey_block(block: bytes) -> Surveys:
    """Survey some bytes of a file."""
    content = np.frombuffer(block, np.uint8)
    line_ends = np.flatnonzero(content == _LINE_END)
    if not len(content):
        return Surveys(*(_survey(content, line_ends, np.zeros(1, np.bool_), b) for b in (False, True)))
    starts = np.concatenate([np.zeros(1, np.int64), line_ends])
    odd = np.bitwise_xor.reduceat((content == _QUOTE).view(np.uint8), starts)
    # After each line end's line: whether the quotes up to there are unpaired.
    unpaired = np.bitwise_xor.accumulate(odd).view(np.bool_)
    return Surveys(
        _survey(content, line_ends, unpaired, begins_in_quotes=False),
        _survey(content, line_ends, unpaired, begins_in_quotes=True),
    )


def survey_blocks(blocks: Iterable[bytes]) -> Surveys:
    """Survey a piece of a file, in bounded memory."""
    whole = survey_block(b"")
    for block in blocks:
        whole += survey_block(block)
    return whole


def surveys_of_file(surveys: Iterable[Surveys]) -> Iterator[Survey]:
    """Yield the survey of a file up to the end of each piece; the beginning of a file counts as a row end."""
    whole = _START
    for piece in surveys:
        whole = _join(whole, piece)
        yield whole


def _survey(
    content: NDArray[np.uint8],
    line_ends: NDArray[np.int64],
    unpaired: NDArray[np.bool_],
    begins_in_quotes: bool,
) -> Survey:
    row_ends = line_ends[unpaired[:-1] == begins_in_quotes]
    lengths = np.diff(row_ends)
    # A line of only a carriage return is blank too.
    returns = (lengths == 2) & (content[row_ends[1:] - 1] == _RETURN)
    blank = int(np.count_nonzero(lengths == 1) + np.count_nonzero(returns))
    first = int(row_ends[0]) + 1 if len(row_ends) else len(content)
    return Survey(
        size=len(content),
        ends_in_quotes=bool(unpaired[-1]) != begins_in_quotes,
        row_ends=len(row_ends),
        first=first,
        last=len(content) - int(row_ends[-1]) - 1 if len(row_ends) else len(content),
        quoted_line_ends=len(row_ends) < len(line_ends),
        blank=blank,
        short=int(np.count_nonzero(lengths < SHORTEST_ROW_BYTES)) - blank,
        longest=int(lengths.max(initial=0)),
        first_ends_with_return=len(row_ends) > 0 and first > 1 and int(content[first - 2]) == _RETURN,
        ends_with_return=len(content) > 0 and int(content[-1]) == _RETURN,
    )


def _join(before: Survey, surveys: Surveys) -> Survey:
    """Return the survey of two pieces together."""
    after = surveys.inside if before.ends_in_quotes else surveys.outside
    if not after.size:
        return before
    blank, short = before.blank + after.blank, before.short + after.short
    longest = max(before.longest, after.longest)
    ends_with_return = after.first_ends_with_return or (after.first == 1 and before.ends_with_return)
    if before.row_ends and after.row_ends:
        # The row that begins in one piece and ends in the other.
        length = before.last + after.first
        is_blank = length == 1 or (length == 2 and ends_with_return)
        blank += is_blank
        short += length < SHORTEST_ROW_BYTES and not is_blank
        longest = max(longest, length)
    return Survey(
        size=before.size + after.size,
        ends_in_quotes=after.ends_in_quotes,
        row_ends=before.row_ends + after.row_ends,
        first=before.first if before.row_ends else before.size + after.first,
        last=after.last if after.row_ends else before.last + after.size,
        quoted_line_ends=before.quoted_line_ends or after.quoted_line_ends,
        blank=blank,
        short=short,
        longest=longest,
        first_ends_with_return=before.first_ends_with_return if before.row_ends else ends_with_return,
        ends_with_return=after.ends_with_return,
    )
