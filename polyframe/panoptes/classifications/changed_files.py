"""Check that the files of an export do not change during a run, which reads them twice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.sources import SourceLike, find_sources

FileStates = Mapping[Path, tuple[int, int]]


def file_states(inputs: Sequence[SourceLike]) -> FileStates:
    """Return the size and modification time of each file of an export.

    Parameters
    ----------
    inputs : sequence of str, path or frame
        See `sources.find_sources`. Frames, standard input, other pipes and files at addresses are copied when
        they are first read, and omitted here.
    """
    return {path: _state(path) for path in find_sources(inputs) if isinstance(path, Path) and path.is_file()}


def check_files_unchanged(before: FileStates) -> None:
    """Check that files have not changed.

    Raises
    ------
    PolyframeError
        If a file is missing, or was written to or replaced.
    """
    for path, state in before.items():
        if not path.is_file():
            raise PolyframeError(
                f"{path}: disappeared during the run; restore it and run the command again"
            ) from None
        if _state(path) != state:
            raise PolyframeError(f"{path}: changed during the run; run the command again") from None


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
