"""Read the tables of one version of an output, whatever runs publish meanwhile."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.consensus.cluster_members import MEMBER_COLUMNS
from polyframe.core.addresses import Address, Place
from polyframe.core.arrays import Ints
from polyframe.core.atomic_files import checked_before_replacing
from polyframe.core.callbacks import NO_PROGRESS, DetailedProgress
from polyframe.core.choices import TableName
from polyframe.core.errors import PolyframeError, UsageError, first_line, short_repr
from polyframe.core.fork_guard import use_polars
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.suggestions import nearest
from polyframe.core.tables import CLUSTER_KEYS, CORRECTIONS, LABELS, PUBLIC_TABLES
from polyframe.store.corrections import (
    CORRECTED_TABLES,
    CORRECTION,
    Corrections,
    corrections_of,
    use_corrections,
)
from polyframe.store.manifest import Manifest
from polyframe.store.output import Output
from polyframe.store.part_files import PartFile, read_parts
from polyframe.store.stages import IMPORTED, stage_of
from polyframe.store.versions import read_manifest, table_parts, version_numbers

#: The most parts that stay open after `scan`; some systems allow fewer than a thousand open files.
_MOST_OPEN: Final = 200
#: How often a part that disappears is looked for in a newer version.
_TRIES: Final = 20
#: Buckets that Polars reads by itself, with the same options as obstore.
_READ_BY_POLARS: Final = ("s3", "s3a", "gs")


@contextlib.contextmanager
def explain_damage(output: object) -> Iterator[None]:
    """Turn errors of Polars and of the system into one line that names the directory and what to do.

    Parameters
    ----------
    output : path, Address or Output
        The output directory whose tables the body reads.

    Raises
    ------
    PolyframeError
        If the body raises such an error.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(
            f"{output}: cannot be read ({first_line(error)}); see `polyframe validate {output}`"
        ) from None


@dataclass(frozen=True)
class OutputTables:
    """The tables of one version of an output, to be read partition by partition.

    Attributes
    ----------
    output : Output
        The output.
    manifest : Manifest
        How the tables were made.
    corrected : bool
        Whether imported corrections replace the averaged polygons, and removed clusters are omitted. Then
        the column `polyframe.store.corrections.CORRECTION` of reductions and contours can be read, too.
    progress : DetailedProgress
        Receives how far the work with the tables has come, from those who do it.
    """

    output: Output
    manifest: Manifest
    corrected: bool = False
    progress: DetailedProgress = NO_PROGRESS

    @functools.cached_property
    def corrections(self) -> Corrections:
        """The imported corrections, current and stale, whether they are used or not.

        Raises
        ------
        PolyframeError
            If a part is missing or damaged.
        """
        parts = list(self.parts(CORRECTIONS.name).values())
        rows = read_parts(parts) if parts else CORRECTIONS.empty()
        subjects, columns = rows["subject_id"].unique(), list(MEMBER_COLUMNS)
        labels = [LABELS.empty().select(columns)]
        if rows.height and self.contains(LABELS.name):
            is_corrected = pl.col("subject_id").is_in(subjects.implode())
            frames = self.partitions(subjects.to_list(), labels=columns)
            labels += [of_partition[LABELS.name].filter(is_corrected) for of_partition in frames]
        return corrections_of(rows, pl.concat(labels))

    def contains(self, table: str) -> bool:
        """Tell whether there is a table."""
        return stage_of(table) in self.manifest.sources_of_tables

    def parts(self, table: str) -> dict[str, PartFile]:
        """Return the parts of a table by the names of their partitions, in order; empty without the table."""
        return table_parts(self.output, self.manifest, table)

    def row_count(self, table: str) -> int:
        """Return the number of rows of a table, without corrections; 0 if the manifest does not record it."""
        stage = stage_of(table)
        records = (partition.stages.get(stage) for partition in self.manifest.partitions)
        return sum(record.rows.get(table, 0) for record in records if record is not None)

    def scan(self, table: str) -> pl.LazyFrame:
        """Open a table, sorted by its keys.

        Raises
        ------
        PolyframeError
            If there is no such table, or one of its parts is missing.
        """
        parts = list(self.parts(table).values())
        if not parts:
            raise PolyframeError(_no_table(self.output, table))
        check_columns(self.output, table, parts)
        rows = _scan_parts(parts)
        if not self._is_corrected(table):
            return rows
        return use_corrections(table, rows, self.corrections).drop(CORRECTION)

    def _is_corrected(self, table: str) -> bool:
        return self.corrected and table in CORRECTED_TABLES and not self.corrections.current.is_empty()

    def _read(self, table: str, part: PartFile, number: int, names: list[str] | None) -> pl.DataFrame:
        """Read some columns of the part of a partition, with the corrections if they are used."""
        stored = None if names is None else [name for name in names if name != CORRECTION]
        subjects = self.corrections.current["subject_id"].to_list() if self._is_corrected(table) else []
        if number in self.partition_of(subjects):
            needed = None if stored is None else list(dict.fromkeys((*stored, *CLUSTER_KEYS)))
            rows = use_corrections(table, read_parts([part], needed).lazy(), self.corrections).collect()
            return rows.drop(CORRECTION) if names is None else rows.select(names)
        rows = read_parts([part], stored)
        if stored != names:
            rows = rows.with_columns(pl.lit(None, pl.Binary).alias(CORRECTION))
        return rows

    def partitions(
        self, subjects: Sequence[int] | None = None, /, **columns: list[str] | None
    ) -> Iterator[dict[str, pl.DataFrame]]:
        """Read some tables, one partition after another; a subject is never in two of them.

        Parameters
        ----------
        subjects : sequence of int, optional
            Skip partitions that can contain none of these.
        **columns
            Tables by name, each with the columns to read; None for all.

        Raises
        ------
        PolyframeError
            If a table is missing, or one of its parts is missing or damaged.
        """
        for table in columns:
            if not self.contains(table):
                raise PolyframeError(_no_table(self.output, table))
        parts = {table: list(self.parts(table).values()) for table in columns}
        for table in parts:
            check_columns(self.output, table, parts[table])
        wanted = range(len(self.manifest.partitions)) if subjects is None else self.partition_of(subjects)
        for number, of_partition in enumerate(zip(*parts.values(), strict=True)):
            if number not in wanted:
                continue
            yield {
                table: self._read(table, part, number, names)
                for part, (table, names) in zip(of_partition, columns.items(), strict=True)
            }

    def counted_partitions(
        self, step: str, /, **columns: list[str] | None
    ) -> Iterator[dict[str, pl.DataFrame]]:
        """Read some tables as `partitions` does, and report a step that counts the partitions."""
        self.progress.begin(step, len(self.manifest.partitions), "partitions")
        for frames in self.partitions(**columns):
            yield frames
            self.progress.advance(1)

    def partition_of(self, subjects: Sequence[int]) -> Ints:
        """Return the number of the partition that contains each subject, if any does."""
        starts = [partition.first_subject for partition in self.manifest.partitions[1:]]
        return np.searchsorted(np.array(starts, np.int64), np.array(subjects, np.int64), side="right")


@contextlib.contextmanager
def open_tables(
    place: Place,
    purpose: str = "export",
    version: int | None = None,
    *,
    corrected: bool = False,
    progress: DetailedProgress = NO_PROGRESS,
) -> Iterator[OutputTables]:
    """Open the tables of a version of an output, and check at the end that it was not removed meanwhile.

    Parameters
    ----------
    place : Path or Address
        The output.
    purpose : str
        What the tables are read for, such as `export`, for the message.
    version : int, optional
        Its number; the newest by default.
    corrected : bool
        Whether imported corrections replace the averaged polygons.
    progress : DetailedProgress
        Receives how far the work with the tables has come.

    Raises
    ------
    PolyframeError
        If it is not an output of polyframe, has no such version, or runs removed it meanwhile.
    """
    use_polars()
    output = Output(place)
    manifest = read_manifest(output, version)

    def check() -> None:
        _check_still_there(output, manifest, purpose)

    # Parts of a version are never changed, unless they are in the folders of an output without a store.
    can_change = manifest.number == 0
    try:
        with checked_before_replacing(check) if can_change else contextlib.nullcontext():
            yield OutputTables(output, manifest, corrected, progress)
    except PolyframeError:
        check()
        raise
    if can_change:
        check()


def _check_still_there(output: Output, manifest: Manifest, purpose: str) -> None:
    if manifest.number not in version_numbers(output):
        raise PolyframeError(
            f"{output}: runs replaced version {manifest.number} during the {purpose}; {purpose} it again"
        ) from None


def scan(
    output: AnyPlace,
    table: TableName,
    *,
    version: int | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> pl.LazyFrame:
    """Open a table of an output.

    Parameters
    ----------
    output : path or address
        The output directory of a run, such as `out` or `s3://bucket/project`.
    table : str
        One of `polyframe.core.tables.PUBLIC_TABLES`, such as `"contours"`.
    version : int, optional
        The number of a version, see `polyframe status OUT --versions`; the newest by default.
    storage_options : mapping, optional
        Credentials, endpoint and region of a bucket, as obstore and Polars take them; otherwise they are
        read from the environment.

    Returns
    -------
    polars.LazyFrame
        Sorted by the table's keys; geometries as WKB. It is the table at the time of the call, whatever runs
        publish later, until the version is removed (`polyframe vacuum`; a local output keeps two versions).

    Raises
    ------
    UsageError
        If there is no table of that name.
    PolyframeError
        If the output does not contain the table or the version, or one of its parts is missing.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.scan("out", "contours", version=41).collect()  # doctest: +SKIP
    """
    place = place_of(output, "output", storage_options)
    with _open_parts(place, table, version) as parts:
        return pl.scan_parquet(parts, glob=False) if isinstance(place, Path) else _scan_parts(parts)


def read_table(place: Place, table: str) -> pl.DataFrame:
    """Read a table of the newest version of an output.

    Raises
    ------
    UsageError, PolyframeError
        As from `scan`, and if a part is damaged.
    """
    use_polars()
    return read_parts(_existing_parts(place, table, None))


@contextlib.contextmanager
def _open_parts(place: Place, table: str, version: int | None) -> Iterator[list[Any]]:
    """Open the parts of a table on this computer, so that they stay readable if a run removes them."""
    use_polars()
    with contextlib.ExitStack() as files:
        for left in reversed(range(_TRIES)):
            parts = _existing_parts(place, table, version)
            if isinstance(place, Address):
                yield parts
                return
            try:
                opened = _open_all(parts, files)
                break
            except FileNotFoundError as error:
                # A run may have removed the version at this moment.
                files.close()
                if not left or version is not None:
                    raise PolyframeError(f"{error.filename}: is missing; run `polyframe run` again") from None
        yield opened


def _open_all(parts: list[PartFile], files: contextlib.ExitStack) -> list[Any]:
    """Open files; return their paths if there are too many to be open at once."""
    if len(parts) > _MOST_OPEN:
        for part in parts:
            part.path.stat()
        return [part.path for part in parts]
    return [files.enter_context(part.path.open("rb")) for part in parts]


def _scan_parts(parts: Sequence[PartFile]) -> pl.LazyFrame:
    """Open parts by their paths or addresses."""
    places = [part.place for part in parts]
    addresses = [place for place in places if isinstance(place, Address)]
    if not addresses:
        paths: Any = places
        return pl.scan_parquet(paths, glob=False)
    if addresses[0].scheme in _READ_BY_POLARS:
        options = dict(addresses[0].options) or None
        return pl.scan_parquet([address.url for address in addresses], glob=False, storage_options=options)
    return read_parts(parts).lazy()


def _existing_parts(place: Place, table: str, version: int | None) -> list[PartFile]:
    if not isinstance(table, str) or table not in PUBLIC_TABLES:
        raise UsageError(f"no table {short_repr(table)}{nearest(table, PUBLIC_TABLES)}")
    output = Output(place)
    parts = list(table_parts(output, read_manifest(output, version), table).values())
    if not parts:
        raise PolyframeError(_no_table(output, table))
    check_columns(output, table, parts)
    return parts


def check_columns(output: Output, table: str, parts: Sequence[PartFile]) -> None:
    """Raise a PolyframeError if a table was written before it had all of its columns."""
    try:
        present = pl.read_parquet_schema(parts[0].footer())
    except (pl.exceptions.PolarsError, OSError):
        return  # reading it says what is wrong
    missing = [column.name for column in PUBLIC_TABLES[table].columns if column.name not in present]
    if missing:
        raise PolyframeError(
            f"{output}: its table {table!r} has no column {missing[0]!r}; rebuild it with "
            f"`polyframe {stage_of(table)} {output}`"
        )


def _no_table(output: Output, table: str) -> str:
    if stage_of(table) == IMPORTED:
        return (
            f"{output}: has no table {table!r}, since nobody imported corrections; import them with "
            f"`polyframe {IMPORTED} {output} FILE`"
        )
    return f"{output}: has no table {table!r}; make it with `polyframe {stage_of(table)} {output}`"
