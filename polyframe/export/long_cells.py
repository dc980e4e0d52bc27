"""Count the cells of a CSV file that are too long for spreadsheets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.core.callbacks import Say
from polyframe.core.plurals import agreeing, counted

#: The most characters of a cell in a spreadsheet.
LONGEST: Final = 32_767


@dataclass
class LongCells:
    """The cells of a file with more than `LONGEST` characters.

    Attributes
    ----------
    count : int
        Their number.
    first : tuple or None
        The position of the first one, for comparisons.
    place : str
        Its row and column, for the user.
    """

    count: int = 0
    first: tuple[Any, ...] | None = None
    place: str = ""

    def add(self, number: int, first: tuple[Any, ...], place: str) -> None:
        """Count cells; `first` and `place` are those of the first one of them."""
        self.count += number
        if self.first is None or first < self.first:
            self.first, self.place = first, place

    def report(self, path: Path, say: Say) -> None:
        """Say how many there are, where the first one is, and what to do."""
        if self.count:
            say(
                f"{path}: {counted(self.count, 'cell')} {agreeing(self.count, 'have')} more than {LONGEST:,} "
                f"characters, which spreadsheets truncate without warning (first: {self.place}); "
                "read the file with pandas or R, or the Parquet tables with any program"
            )
