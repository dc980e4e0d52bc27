"""Describe a file that an export has written."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """A file or folder that was exported.

    Attributes
    ----------
    path : Path
        The file, or the folder of several.
    count : int
        Number of features (or annotations, rows, pictures) in it.
    kind : str
        What is counted, for example `features`.
    """

    path: Path
    count: int
    kind: str
