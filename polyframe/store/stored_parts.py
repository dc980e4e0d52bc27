"""List the parts of a table in an output directory, each with what identifies its rows."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyframe.core.tables import TABLES, Table
from polyframe.store.fingerprints import part_fingerprint
from polyframe.store.manifest import Manifest, part_records
from polyframe.store.output import partition_of
from polyframe.store.part_files import read_parts
from polyframe.store.reading import OutputTables, check_columns, part_paths
from polyframe.store.stages import MERGED_TABLES, stage_of


@dataclass(frozen=True)
class StoredPart:
    """One part of a table.

    Attributes
    ----------
    table : Table
        The table.
    name : str
        The name of the partition, such as `00003`; `00000` for a table that is merged from all partitions.
    first_subject, next_subject : int or None
        The part contains the subjects from `first_subject` up to, but without, `next_subject`. None means no
        bound. The ranges of the parts of a table follow one another and cover all subjects; rows without a
        subject are in the first part.
    fingerprint : str
        Changes whenever the bytes of the part change.
    size : int
        Bytes of the file.
    path : Path
        The file.
    """

    table: Table
    name: str
    first_subject: int | None
    next_subject: int | None
    fingerprint: str
    size: int
    path: Path

    def read(self) -> pl.DataFrame:
        """Read the rows, with the columns and the order of the table.

        Raises
        ------
        PolyframeError
            If the file is missing or damaged.
        """
        return read_parts([self.path])


def stored_parts(tables: OutputTables, table: str) -> list[StoredPart]:
    """Return the parts of a table in the order of their subjects; empty if there is no such table.

    Parameters
    ----------
    tables : OutputTables
        An output directory, from `open_tables`.
    table : str
        The name of a table in `polyframe.core.tables.TABLES`.
    """
    if not tables.contains(table):
        return []
    paths = part_paths(tables.output, table, tables.manifest)
    check_columns(tables.output, table, paths)
    ranges = _subject_ranges(tables.manifest, table)
    records = part_records(tables.manifest, table).values()
    return [
        StoredPart(
            TABLES[table],
            partition_of(path.name),
            first,
            following,
            part_fingerprint(record.fingerprint, record.places),
            record.sizes[table],
            path,
        )
        for path, (first, following), record in zip(paths, ranges, records, strict=True)
    ]


def _subject_ranges(manifest: Manifest, table: str) -> list[tuple[int | None, int | None]]:
    if table in MERGED_TABLES.get(stage_of(table), ()):
        return [(None, None)]
    borders = [partition.first_subject for partition in manifest.partitions]
    return list(itertools.pairwise([*borders, None]))
