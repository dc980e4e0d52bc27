"""Write and read part files: Parquet with a footer that records their origin."""

import contextlib
import io
import itertools
import json
import os
import stat
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import polars as pl

from polyframe import __version__
from polyframe.core.addresses import Place
from polyframe.core.errors import PolyframeError
from polyframe.core.table_schema import Column, Table
from polyframe.core.tables import SCHEMA_VERSION
from polyframe.store.arrow_tables import arrow_schema, arrow_table, row_groups
from polyframe.store.geo_metadata import GEO_KEY, geo_json, outline_bounds
from polyframe.store.objects import Objects
from polyframe.store.run_counts import Counts

#: The most threads that write at the same time.
_MOST_WRITERS: Final = 64
_WRITERS: Final = threading.Semaphore(_MOST_WRITERS)

#: How many footers of parts in a bucket are read at the same time.
FOOTERS_AT_ONCE: Final = 16
#: Bytes that are read at once of the end of a part in a bucket; a footer has about 10,000.
_FOOTER_BYTES: Final = 65_536
_WRITABLE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
#: The key of our metadata in a Parquet footer.
FOOTER: Final = "polyframe"


class Origin(msgspec.Struct, frozen=True):
    """What a part was made from, as its footer records it.

    Attributes
    ----------
    settings : mapping
        Those that matter to the part, as plain JSON values.
    fingerprint : str
        Of the rows and the settings, see `polyframe.store.fingerprints`.
    places : str or None
        Of the positions of the rows in the export; None if the part does not depend on them.
    counts : Counts
        What its stage counted in this partition.
    """

    settings: dict[str, Any]
    fingerprint: str
    places: str | None
    counts: Counts


@dataclass(frozen=True)
class PartFile:
    """The place of a part, whether it is there or not.

    Attributes
    ----------
    objects : Objects
        The store.
    key : str
        In the store.
    size : int or None
        The bytes that it should have, if that is known.
    """

    objects: Objects
    key: str
    size: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return str(self.place)

    @property
    def place(self) -> Place:
        """Its path or address."""
        return self.objects.place_of(self.key)

    @property
    def path(self) -> Path:
        """The path of a part on this computer."""
        place = self.place
        assert isinstance(place, Path)
        return place

    def source(self) -> Path | io.BytesIO:
        """Return what libraries read: the path, or the content of a part in a bucket.

        Raises
        ------
        FileNotFoundError
            If a part in a bucket is missing.
        """
        place = self.place
        return place if isinstance(place, Path) else io.BytesIO(self.objects.read(self.key))

    def footer(self) -> Path | io.BytesIO:
        """Return what libraries read for the footer: the path, or of a part in a bucket a file without rows.

        If the size of the part is not known, the file has all rows.

        Raises
        ------
        FileNotFoundError
            If a part in a bucket is missing.
        """
        size = self.size
        if size is None or isinstance(self.place, Path):
            return self.source()
        end = self.objects.read_range(self.key, max(size - _FOOTER_BYTES, 0), size)
        # The length of the footer comes before the last four bytes, which are as the first four.
        n_bytes = int.from_bytes(end[-8:-4], "little") + 8
        if n_bytes > len(end):
            end = self.objects.read_range(self.key, max(size - n_bytes, 0), size)
        return io.BytesIO(end[-4:] + end[-n_bytes:])


@dataclass(frozen=True)
class Written:
    """Size in bytes and number of rows of a part."""

    size: int
    rows: int


def write_part(frame: pl.DataFrame, part: PartFile, table: Table, origin: Origin) -> Written:
    """Write a part; it appears when it is complete.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows of the table, in any order.
    part : PartFile
        Its place.
    table : Table
        Defines columns, types and order.
    origin : Origin
        Recorded in the footer.

    Raises
    ------
    PolyframeError
        If it cannot be written, for example because the disk is full.
    """
    rows = table.conform(frame)
    footer = _footer(table, rows, origin)
    with _WRITERS, part.objects.writing(part.key) as file:
        try:
            _write_rows(rows, file, table, footer)
        except OverflowError as error:
            raise PolyframeError(f"{part}: cannot be written ({error})") from None
        written = Written(file.tell(), rows.height)
    protect(part)
    return written


def protect(part: PartFile) -> None:
    """Make a part on this computer read-only, since versions and folders share it; nothing for a bucket.

    Otherwise a program that writes into a file of the folders would change all versions with the part. Parts
    can still be removed and replaced. On Windows they could not, so there nothing happens.
    """
    if os.name == "nt" or not isinstance(part.place, Path):
        return
    # It may belong to somebody else, or the file system has no modes.
    with contextlib.suppress(OSError):
        part.path.chmod(part.path.stat().st_mode & ~_WRITABLE)


def stop_part_writers(seconds: float) -> None:
    """Wait until no thread of this process writes a part, and let none start another.

    Called at the end of the process, so that no part is cut off.

    Parameters
    ----------
    seconds : float
        The longest time to wait.
    """
    end = time.monotonic() + seconds
    for _ in range(_MOST_WRITERS):
        if not _WRITERS.acquire(timeout=max(0.0, end - time.monotonic())):
            return


def read_parts(parts: Sequence[PartFile], columns: list[str] | None = None) -> pl.DataFrame:
    """Read parts into one frame.

    Parameters
    ----------
    parts : sequence of PartFile
        Of one table; at least one.
    columns : list of str, optional
        The columns to read; all by default.

    Raises
    ------
    PolyframeError
        If one of them is missing or damaged.
    """
    try:
        sources: Any = [part.source() for part in parts]
        return pl.read_parquet(sources, columns=columns, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        damaged = next((part for part in parts if not _is_readable(part)), parts[0])
        raise PolyframeError(
            f"{damaged}: is missing or damaged; rebuild it with `polyframe run --force`"
        ) from None


def read_origin(part: PartFile) -> Origin | None:
    """Return the origin of a part from its footer; None if it is damaged or not written by polyframe."""
    footer = read_rows_and_origin(part)
    return footer[1] if footer else None


def read_rows_and_origin(part: PartFile) -> tuple[int, Origin] | None:
    """Return the number of rows of a part, and its origin; None as from `read_origin`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(part.footer())
        origin = msgspec.json.decode((metadata.metadata or {})[FOOTER.encode()], type=Origin)
        return metadata.num_rows, origin
    except (OSError, pa.ArrowException, KeyError, ValueError, msgspec.MsgspecError, RecursionError):
        return None


def has_current_types(part: PartFile, table: Table) -> bool:
    """Return whether a part has the columns and types that this version writes.

    True for a missing or damaged part: reading it says what is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return bool(pq.read_schema(part.footer()).equals(arrow_schema(table)))
    except (OSError, pa.ArrowException):
        return True


def _write_rows(rows: pl.DataFrame, file: IO[bytes], table: Table, footer: dict[str, str]) -> None:
    import pyarrow.parquet as pq

    # Not with Polars, since readers of whole folders look for the metadata in the Arrow schema.
    schema = arrow_schema(table).with_metadata(footer)
    with pq.ParquetWriter(file, schema, **write_options(table)) as writer:
        write_row_groups(writer, rows)


def write_row_groups(writer: Any, rows: pl.DataFrame) -> None:
    """Write rows with a `pyarrow.parquet.ParquetWriter` of their schema, in row groups of bounded size."""
    for start, end in itertools.pairwise(row_groups(rows).tolist()):
        writer.write_table(arrow_table(rows[start:end], writer.schema), row_group_size=max(end - start, 1))


def write_options(table: Table) -> dict[str, Any]:
    """Return how a table is encoded.

    Few coordinates occur twice, so a dictionary of them takes a third of the time of writing, and files are
    seldom smaller. Nobody looks for rows by their least coordinate or by the bytes of a geometry.
    """
    others = [_parquet_name(column) for column in table.columns if not _has_coordinates(column.dtype)]
    return {
        "compression": "zstd",
        # Faster than the positive levels, and for coordinates the files are no larger.
        "compression_level": -1,
        "use_dictionary": others,
        "write_statistics": others,
        # With checksums, `validate` detects damage by disks and networks.
        "write_page_checksum": True,
    }


def _has_coordinates(dtype: Any) -> bool:
    """Return whether a column contains lists of coordinates or areas, or geometries."""
    if isinstance(dtype, pl.List):
        return bool(dtype.inner == pl.Float64) or _has_coordinates(dtype.inner)
    return bool(dtype == pl.Binary)


def _parquet_name(column: Column) -> str:
    """Return the name that Parquet gives to the values of a column."""
    dtype, name = column.dtype, column.name
    while isinstance(dtype, pl.List):
        dtype, name = dtype.inner, f"{name}.list.element"
    return name


def _is_readable(part: PartFile) -> bool:
    try:
        pl.read_parquet(part.source(), glob=False)
    except (pl.exceptions.PolarsError, OSError):
        return False
    return True


def _footer(table: Table, rows: pl.DataFrame, origin: Origin) -> dict[str, str]:
    metadata = {
        "table": table.name,
        "schema_version": SCHEMA_VERSION,
        "polyframe_version": __version__,
        **msgspec.to_builtins(origin),
    }
    footer = {FOOTER: json.dumps(metadata)}
    if table.geometry:
        footer[GEO_KEY] = geo_json(outline_bounds(table, rows))
    return footer
