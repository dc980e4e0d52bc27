"""Read the names of volunteers from files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from polyframe.core.errors import UsageError, no_such_file

_LARGEST_FILE: Final = 10_000_000
#: A value with such an ending is certainly meant to be a file.
_FILE_ENDINGS: Final = (".txt", ".csv", ".tsv", ".list")


def names_of(values: Iterable[str], folder: Path = Path()) -> tuple[str, ...]:
    """Replace the files among some values by the names in them.

    Parameters
    ----------
    values : iterable of str
        Names, and files with one name per line; blank lines are skipped.
    folder : Path
        The folder to which relative paths refer.

    Returns
    -------
    tuple of str
        Distinct names in their order.

    Raises
    ------
    UsageError
        If a file cannot be read, or a value that looks like a file does not exist.
    """
    names = [name for value in values for name in _names_of(value, folder)]
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _names_of(value: str, folder: Path) -> list[str]:
    path = folder / value
    try:
        if path.is_file():
            return _read_lines(path)
    except (OSError, ValueError):
        return [value]
    if path.suffix.lower() in _FILE_ENDINGS:
        raise UsageError(f"exclude_volunteers: {no_such_file(path)}")
    return [value]


def _read_lines(path: Path) -> list[str]:
    place = f"exclude_volunteers: {path}"
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror or error}") from None
    if len(data) > _LARGEST_FILE:
        raise UsageError(f"{place}: larger than {_LARGEST_FILE // 1_000_000} MB, expected one name per line")
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{place}: not UTF-8, expected one name per line") from None
