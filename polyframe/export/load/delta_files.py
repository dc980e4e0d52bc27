"""Name the part files of a Delta table, and describe them for its log."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.core.addresses import Address
from polyframe.core.object_stores import open_store, store_error
from polyframe.store.stored_parts import StoredPart

#: The name that `part_file_name` gives, in groups.
_NAME: Final = re.compile(
    r"part-(?P<part>[0-9]{5,12}(?:-[0-9]{2})*)-(?P<fingerprint>[0-9a-f]{32})(?:-[0-9]+)?\.parquet"
)
#: Bytes that are read at once; a footer has about 10,000.
_FOOTER_BYTES: Final = 65_536


@dataclass(frozen=True)
class PartName:
    """What the name of a part file says.

    Attributes
    ----------
    part : str
        The name of the partition.
    fingerprint : str
        Changes whenever the rows may have changed.
    """

    part: str
    fingerprint: str


def part_file_name(part: str, fingerprint: str, attempt: int = 1) -> str:
    """Return the name of a part file in the folder of a Delta table.

    Parameters
    ----------
    part, fingerprint : str
        See `PartName`.
    attempt : int
        Distinguishes a second file of the same rows. Delta needs it if rows of the first were marked as
        deleted: a commit cannot remove a file and add it.

    Examples
    --------
    >>> part_file_name("00003", "0123456789abcdef0123456789abcdef", 2)
    'part-00003-0123456789abcdef0123456789abcdef-2.parquet'
    """
    ending = "" if attempt == 1 else f"-{attempt}"
    return f"part-{part}-{fingerprint}{ending}.parquet"


def parse_part_file_name(path: str) -> PartName | None:
    """Return what a path in a Delta table says; None if polyframe did not write the file.

    Examples
    --------
    >>> parse_part_file_name("part-00003-0123456789abcdef0123456789abcdef-2.parquet").part
    '00003'
    """
    match = _NAME.fullmatch(path)
    return PartName(match["part"], match["fingerprint"]) if match else None


@dataclass(frozen=True)
class FileStatistics:
    """What Delta's log says about a file.

    Attributes
    ----------
    n_rows : int
    text : str
        JSON, with the smallest and the largest value of each column of whole numbers, by which readers skip
        files.
    """

    n_rows: int
    text: str


def file_statistics(part: StoredPart) -> FileStatistics:
    """Read the statistics of a part from its footer.

    Raises
    ------
    OSError, PolyframeError
        If it is missing or damaged.
    """
    footer = _footer(part)
    smallest: dict[str, int] = {}
    largest: dict[str, int] = {}
    missing: dict[str, int] = {}
    for name, groups in _whole_numbers(footer):
        missing[name] = sum(group.null_count for group in groups)
        if bounded := [group for group in groups if group.has_min_max]:
            smallest[name] = min(group.min for group in bounded)
            largest[name] = max(group.max for group in bounded)
    statistics = {
        "numRecords": footer.num_rows,
        "minValues": smallest,
        "maxValues": largest,
        "nullCount": missing,
    }
    return FileStatistics(footer.num_rows, json.dumps(statistics))


def _footer(part: StoredPart) -> Any:
    """Read the footer of a part; of a part in a bucket, only its end is transferred."""
    import pyarrow.parquet as pq

    place = part.file.objects.place
    return pq.read_metadata(part.file.path if isinstance(place, Path) else _end_in_bucket(part, place))


def _end_in_bucket(part: StoredPart, place: Address) -> io.BytesIO:
    """Return a file with the footer of a part in a bucket, but without rows."""
    store = open_store(place)
    from obstore.exceptions import BaseError

    def last(n_bytes: int) -> bytes:
        return bytes(store.get_range(part.file.key, start=max(part.size - n_bytes, 0), end=part.size))

    try:
        end = last(_FOOTER_BYTES)
        # Its length comes before the last four bytes, which are as the first four.
        n_bytes = int.from_bytes(end[-8:-4], "little") + 8
        footer = end[-n_bytes:] if n_bytes <= len(end) else last(n_bytes)
    except (BaseError, FileNotFoundError) as error:
        raise store_error(place.joined(part.file.key), error) from None
    return io.BytesIO(footer[-4:] + footer)


def _whole_numbers(footer: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield each column of whole numbers with the statistics of its row groups, if all have them."""
    for index in range(footer.num_columns):
        column = footer.schema.column(index)
        # A time is a whole number, too, but pyarrow and Delta have no common spelling of its bounds.
        is_plain = column.logical_type.type in ("NONE", "INT") and column.max_repetition_level == 0
        if column.physical_type not in ("INT32", "INT64") or not is_plain:
            continue
        groups = [footer.row_group(group).column(index).statistics for group in range(footer.num_row_groups)]
        if all(group is not None and (group.has_min_max or not group.num_values) for group in groups):
            yield column.name, groups
