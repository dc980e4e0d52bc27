"""List the parts of a table in an output directory, each with what identifies its rows."""

import itertools
from dataclasses import dataclass

import polars as pl

from polyframe.core.table_schema import Table
from polyframe.core.tables import PUBLIC_TABLES
from polyframe.store.fingerprints import part_fingerprint
from polyframe.store.manifest import Manifest, part_records
from polyframe.store.part_files import PartFile, read_parts
from polyframe.store.reading import OutputTables, check_columns
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
    file : PartFile
        Where it is.
    """

    table: Table
    name: str
    first_subject: int | None
    next_subject: int | None
    fingerprint: str
    size: int
    file: PartFile

    def read(self) -> pl.DataFrame:
        """Read the rows, with the columns and the order of the table.

        Raises
        ------
        PolyframeError
            If the file is missing or damaged.
        """
        return read_parts([self.file])


def stored_parts(tables: OutputTables, table: str) -> list[StoredPart]:
    """Return the parts of a table in the order of their subjects; empty if there is no such table.

    Parameters
    ----------
    tables : OutputTables
        An output directory, from `open_tables`.
    table : str
        The name of a table in `polyframe.core.tables.PUBLIC_TABLES`.
    """
    if not tables.contains(table):
        return []
    files = tables.parts(table)
    check_columns(tables.output, table, list(files.values()))
    ranges = _subject_ranges(tables.manifest, table)
    records = part_records(tables.manifest, table)
    return [
        StoredPart(
            PUBLIC_TABLES[table],
            name,
            first,
            next_subject,
            part_fingerprint(records[name].fingerprint, records[name].places),
            records[name].sizes[table],
            file,
        )
        for (name, file), (first, next_subject) in zip(files.items(), ranges, strict=True)
    ]


def _subject_ranges(manifest: Manifest, table: str) -> list[tuple[int | None, int | None]]:
    if table in MERGED_TABLES.get(stage_of(table), ()):
        return [(None, None)]
    borders = [partition.first_subject for partition in manifest.partitions]
    return list(itertools.pairwise([*borders, None]))
