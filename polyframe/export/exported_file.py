"""What an export tells of the files that it has written."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """A file that was exported.

    Attributes
    ----------
    path : Path
        The file, or the folder of several.
    written : int
        How many of what it holds.
    of_what : str
        What it holds, such as `features`.
    """

    path: Path
    written: int
    of_what: str
