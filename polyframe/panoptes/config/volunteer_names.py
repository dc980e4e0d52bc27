"""Read the names of volunteers from files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from polyframe.core.addresses import Address, as_address
from polyframe.core.errors import UsageError, no_such_file
from polyframe.core.local_copies import read_file
from polyframe.core.object_stores import StorageOptions

_LARGEST_FILE: Final = 10_000_000
#: A value with such an ending is certainly meant to be a file.
_FILE_ENDINGS: Final = (".txt", ".csv", ".tsv", ".list")


def names_of(
    values: Iterable[str], folder: Path | Address = Path(), options: StorageOptions | None = None
) -> tuple[str, ...]:
    """Replace the files among some values by the names in them.

    Parameters
    ----------
    values : iterable of str
        Names, and files with one name per line; blank lines are skipped. A file may be at an address.
    folder : Path or Address
        The folder to which relative paths refer.
    options : mapping, optional
        Credentials and endpoint of the stores of addresses; otherwise those of `folder`, if it is one.

    Returns
    -------
    tuple of str
        Distinct names in their order.

    Raises
    ------
    UsageError
        If a file cannot be read, or a value that looks like a file does not exist.
    """
    if options is None and isinstance(folder, Address):
        options = dict(folder.options)
    names = [name for value in values for name in _names_of(value, folder, options)]
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _names_of(value: str, folder: Path | Address, options: StorageOptions | None) -> list[str]:
    is_file = value.lower().endswith(_FILE_ENDINGS)
    address = as_address(value, options)
    if address is None and isinstance(folder, Address) and is_file and not Path(value).is_absolute():
        address = folder.joined(value)
    if address is not None:
        return _lines(read_file(address, _LARGEST_FILE), f"exclude_volunteers: {address}")
    path = Path(value) if isinstance(folder, Address) else folder / value
    try:
        if path.is_file():
            return _read_lines(path)
    except (OSError, ValueError):
        return [value]
    if is_file:
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
    return _lines(data, place)


def _lines(data: bytes, place: str) -> list[str]:
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{place}: not UTF-8, expected one name per line") from None
