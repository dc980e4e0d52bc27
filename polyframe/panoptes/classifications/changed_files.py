"""Whether the files of an export stay what they are while they are read: a run reads them twice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.sources import SourceLike, find_sources

FileStates = Mapping[Path, tuple[int, int]]


def file_states(named: Sequence[SourceLike]) -> FileStates:
    """Return size and time of change of each file of an export.

    Parameters
    ----------
    named : sequence of str, path or frame
        See `sources.find_sources`. Frames, standard input and other pipes are copied when they are first
        read, and omitted here.
    """
    return {path: _state(path) for path in find_sources(named) if isinstance(path, Path) and path.is_file()}


def check_unchanged(before: FileStates) -> None:
    """Check that files are as they were.

    Raises
    ------
    PolyframeError
        Where one has vanished, was written to or replaced.
    """
    for path, state in before.items():
        if not path.is_file():
            raise PolyframeError(f"{path}: vanished during the run; put it back and run again") from None
        if _state(path) != state:
            raise PolyframeError(f"{path}: was changed during the run; run again") from None


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
