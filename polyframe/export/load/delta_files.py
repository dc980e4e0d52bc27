"""Name the part files of a Delta table, and describe them for its log."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from polyframe.core.errors import PolyframeError
from polyframe.store.stored_parts import StoredPart

#: The name that `part_file_name` gives, in groups.
_NAME: Final = re.compile(
    r"part-(?P<part>[0-9]{5,12}(?:-[0-9]{2})*)-(?P<fingerprint>[0-9a-f]{32})(?:-[0-9]+)?\.parquet"
)


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
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(part.file.footer())
    except pa.ArrowInvalid:
        raise PolyframeError(f"{part.file}: is damaged; rebuild it with `polyframe run --force`") from None
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
