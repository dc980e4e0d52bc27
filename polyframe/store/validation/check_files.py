"""The files of an output directory: those that the manifest names and no others, with its footers."""

import functools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe import __version__
from polyframe.consensus.anonymize import environment_key
from polyframe.core.settings import Settings
from polyframe.core.tables import SCHEMA_VERSION, TABLES, Table
from polyframe.store.fingerprints import stage_fingerprints
from polyframe.store.foreign_files import is_system_file
from polyframe.store.manifest import Manifest, PartitionRecord, table_parts
from polyframe.store.output import MANIFEST, Output, part_name
from polyframe.store.parts import FOOTER, GEO
from polyframe.store.stages import stage_of, stage_settings, tables_of
from polyframe.store.validation.finding import FORCE, Finding

_AGAIN: Final = "run again"
#: Rows that are held at once of the columns that may be long.
_BATCH_ROWS: Final = 200


@dataclass(frozen=True)
class Expected:
    """What the manifest tells of one part file.

    Attributes
    ----------
    table : Table
        Of which table.
    partition : PartitionRecord
        Of which partition.
    version : str
        The version of polyframe.
    settings : Settings
        Those of the stage that makes the table.
    """

    table: Table
    partition: PartitionRecord
    version: str
    settings: Settings

    @property
    def file(self) -> str:
        """The file below the output directory."""
        return f"{self.table.name}/{part_name(self.partition.name)}"

    @property
    def stage(self) -> str:
        """The stage that makes the table."""
        return stage_of(self.table.name)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.partition.stages[self.stage].sizes[self.table.name]

    def footer(self) -> dict[str, Any]:
        """Return what the footer must tell."""
        record = self.partition.stages[self.stage]
        return {
            "table": self.table.name,
            "schema_version": SCHEMA_VERSION,
            "polyframe_version": self.version,
            "settings": stage_settings(self.settings, self.stage),
            "fingerprint": record.fingerprint,
            "places": record.places,
            "counts": record.counts.to_dict(),
        }


def settings_by_stage(manifest: Manifest) -> dict[str, Settings]:
    """Return the settings that each stage of an output directory was made with."""
    return {
        stage: manifest.extraction if stage == "extract" else manifest.settings for stage in manifest.stages
    }


def folder_findings(output: Output, manifest: Manifest, folders: Mapping[str, Path]) -> list[Finding]:
    """Find tables and files that the manifest does not name.

    Parameters
    ----------
    output : Output
        The output directory.
    manifest : Manifest
        Its manifest.
    folders : mapping of str to Path
        Where the parts of each table are.
    """
    made = tables_of(manifest.stages)
    found = [
        Finding("files", table, "is there, but the manifest tells of no such table", "remove it")
        for table in TABLES
        if table not in made and os.path.lexists(output.table(table))
    ]
    for table in made:
        named = set(table_parts(manifest, table))
        found += [
            Finding("files", f"{table}/{name}", "is no part that the manifest names", "remove it")
            for name in _names(folders[table])
            if name not in named and not is_system_file(name)
        ]
    return found


def open_part(path: Path) -> Any:
    """Open a part file.

    Raises
    ------
    OSError, ValueError
        Where it is missing or no whole Parquet file, and other errors of `damage`.
    """
    import pyarrow.parquet as pq

    # Without it the compressed columns would all be held at once.
    return pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)


def file_findings(expected: Expected, path: Path) -> list[Finding]:
    """Check what can be told of a part without its rows: its size, its columns, its footer."""
    try:
        size = path.stat().st_size
    except OSError as error:
        problem = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        return [Finding("files", expected.file, problem, _AGAIN)]
    wrong_size = size != expected.size
    sizes = f"has {size} bytes, the manifest says {expected.size}"
    try:
        with open_part(path) as file:
            schema, metadata = file.schema_arrow, file.metadata.metadata or {}
    except damage() as error:
        told = f"{sizes}, and " if wrong_size else ""
        # A run sees another length by itself.
        advice = _AGAIN if wrong_size else FORCE
        return [Finding("readable", expected.file, f"{told}cannot be read ({cause(error)})", advice)]
    found = [Finding("size", expected.file, sizes, _AGAIN)] if wrong_size else []
    found += _schema_findings(expected, schema)
    found += _footer_findings(expected, metadata)
    return found


def batches(path: Path, table: Table) -> Iterator[pl.DataFrame]:
    """Read a part some rows at a time, and look whether what is read is sound.

    Parameters
    ----------
    path : Path
        The part file, whose columns are those of the table.
    table : Table
        Which table.

    Raises
    ------
    OSError, ValueError
        Where it is damaged, and other errors of `damage`.
    """
    import pyarrow as pa

    with open_part(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            # Among other things, whether text is UTF-8, which Polars takes on trust.
            batch.validate(full=True)
            # Without the metadata of the file, which may be damaged as well.
            frame = pl.from_arrow(pa.RecordBatch.from_arrays(batch.columns, schema=_arrow_schema(table)))
            assert isinstance(frame, pl.DataFrame)
            yield frame


def damage() -> tuple[type[BaseException], ...]:
    """Return what reading a damaged file raises."""
    import pyarrow as pa

    # Lengths and places that make no sense give any of them.
    of_python = (OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
    return (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, *of_python)


def cause(error: BaseException) -> str:
    """Return the first line of an error, cut short."""
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:100]


def fingerprint_findings(manifest: Manifest) -> list[Finding]:
    """Check that the fingerprints are those of the rows and settings that the manifest tells."""
    if manifest.polyframe_version != __version__:
        # Another version has fingerprints of its own.
        return []
    by_stage, records = settings_by_stage(manifest), manifest.partitions
    hashed = by_stage["extract"].volunteers == "hash"
    key = environment_key() if hashed else b""
    off = {
        stage: [
            record.name
            for record in records
            if record.stages[stage].fingerprint != stage_fingerprints(record.content, settings, key)[stage]
        ]
        for stage, settings in by_stage.items()
    }
    found = []
    all_off = all(len(names) == len(records) for names in off.values())
    if hashed and all_off:
        # Made with another secret, or none is known here.
        return []
    if len(records) > 1 and all_off:
        problem = (
            "no fingerprint is the one of the content and the settings it tells: they were changed, or "
            f"the output was made with another version of Polars than {pl.__version__}"
        )
        return [Finding("fingerprint", MANIFEST, problem)]
    for stage, names in off.items():
        if names:
            more = f" (and of {len(names) - 1} more partitions)" if len(names) > 1 else ""
            problem = (
                f"the fingerprint of partition {names[0]}, {stage}, is not the one of the content and the "
                f"settings it tells{more}"
            )
            found.append(Finding("fingerprint", MANIFEST, problem))
    return found


def _schema_findings(expected: Expected, schema: Any) -> list[Finding]:
    wanted = _arrow_schema(expected.table)
    if schema.names != wanted.names:
        missing = [name for name in wanted.names if name not in schema.names]
        strange = [name for name in schema.names if name not in wanted.names]
        told = f"lacks the column {missing[0]}" if missing else "has its columns in another order"
        told = told if missing or not strange else f"has the unknown column {strange[0][:60]!r}"
        return [Finding("schema", expected.file, told)]
    return [
        Finding("schema", expected.file, f"the column {name} has the type {got}, expected {needed}")
        for name, got, needed in zip(wanted.names, schema.types, wanted.types, strict=True)
        if got != needed
    ]


@functools.cache
def _arrow_schema(table: Table) -> Any:
    return table.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _footer_findings(expected: Expected, metadata: Mapping[bytes, bytes]) -> list[Finding]:
    def off(problem: str, check: str = "footer") -> Finding:
        return Finding(check, expected.file, problem, FORCE)

    told = _json(metadata.get(FOOTER.encode()))
    found = []
    if not isinstance(told, dict):
        found.append(off("its footer does not tell how it was made"))
    else:
        for name, value in expected.footer().items():
            if name not in told or told[name] != value:
                check = "fingerprint" if name == "fingerprint" else "footer"
                differing = f" ({_differing(told.get(name), value)})" if isinstance(value, dict) else ""
                found.append(off(f"the {name} in its footer is not that of the manifest{differing}", check))
    if expected.table.geometry and _json(metadata.get(b"geo")) != GEO:
        found.append(off("its footer lacks the metadata of GeoParquet, or has others"))
    return found


def _differing(told: Any, expected: Mapping[str, Any]) -> str:
    if not isinstance(told, dict):
        return "there is none"
    return ", ".join(
        name
        for name in sorted({*told, *expected})
        if name not in told or name not in expected or told[name] != expected[name]
    )[:100]


def _json(text: bytes | None) -> Any:
    try:
        return json.loads(text or b"")
    except (ValueError, RecursionError):
        return None


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        # What is missing is told part by part.
        return []
