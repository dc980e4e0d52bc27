"""Check the files of an output directory: exactly those in the manifest, with the right footers."""

import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe import __version__
from polyframe.core.errors import first_line
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.core.table_schema import Table
from polyframe.core.tables import SCHEMA_VERSION, STORED_TABLES
from polyframe.store.arrow_tables import arrow_schema
from polyframe.store.fingerprints import merged_content, merged_places, stage_fingerprints
from polyframe.store.foreign_files import is_system_file
from polyframe.store.geo_metadata import GEO_KEY, Bounds, geo_metadata
from polyframe.store.manifest import Manifest, StageRecord
from polyframe.store.output import MANIFEST, Output, part_name
from polyframe.store.part_files import FOOTER
from polyframe.store.stages import public_tables, stage_of, stage_settings, tables_of_stages
from polyframe.store.validation.finding import FORCE, Finding
from polyframe.store.versions import table_parts
from polyframe.store.view import is_view_changing, view_problem

#: A part: its path, or its content from a bucket.
Source = Path | io.BytesIO

_AGAIN: Final = "run again"
#: Number of rows with long columns in memory at once.
_BATCH_ROWS: Final = 200


@dataclass(frozen=True)
class Expected:
    """The properties of one part file, from the manifest.

    Attributes
    ----------
    table : Table
    part : str
        The name of the file.
    record : StageRecord
    version : str or None
        The version of polyframe that wrote it; None for an imported table, which later versions keep.
    settings : Settings
        The settings of the stage of the table.
    """

    table: Table
    part: str
    record: StageRecord
    version: str | None
    settings: Settings

    @property
    def file(self) -> str:
        """The path below the output directory."""
        return f"{self.table.name}/{self.part}"

    @property
    def stage(self) -> str:
        """The stage that writes the table."""
        return stage_of(self.table.name)

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self.record.sizes[self.table.name]

    def footer(self) -> dict[str, Any]:
        """Return the expected contents of the footer."""
        versions = {"schema_version": SCHEMA_VERSION, "polyframe_version": self.version}
        return {
            "table": self.table.name,
            **({} if self.version is None else versions),
            "settings": stage_settings(self.settings, self.stage),
            "fingerprint": self.record.fingerprint,
            "places": self.record.places,
            "counts": self.record.counts.to_dict(),
        }


def settings_by_stage(manifest: Manifest) -> dict[str, Settings]:
    """Return the settings of each stage of an output directory."""
    return {
        stage: manifest.extraction
        if stage == "extract"
        else manifest.settings.replace({"engine": manifest.engines.get(stage)})
        for stage in manifest.stages
    }


def view_findings(output: Output, manifest: Manifest) -> list[Finding]:
    """Check that the folders of a local output show the parts of its newest version, and nothing else.

    Parameters
    ----------
    output : Output
        Of a bucket, which has no folders, nothing is checked; nor while a run may change the folders.
    manifest : Manifest
        The newest version.
    """
    folder = output.folder
    if folder is None or is_view_changing(output, manifest):
        return []
    findings = _view_findings(output, manifest, folder)
    # A run may have begun meanwhile.
    return [] if findings and is_view_changing(output, manifest) else findings


def _view_findings(output: Output, manifest: Manifest, folder: Path) -> list[Finding]:
    tables = tables_of_stages(manifest.sources_of_tables)
    findings = [
        Finding("files", table, "is not a table in the manifest", "remove it")
        for table in STORED_TABLES
        if table not in tables and os.path.lexists(folder / table)
    ]
    for table in public_tables(manifest.sources_of_tables):
        parts = {part_name(name): part for name, part in table_parts(output, manifest, table).items()}
        findings += [
            Finding("files", f"{table}/{name}", "is not a part in the manifest", "remove it")
            for name in _names(folder / table)
            if name not in parts and not is_system_file(name)
        ]
        if manifest.number:
            findings += [
                Finding("files", f"{table}/{name}", problem, _AGAIN)
                for name, part in parts.items()
                if (problem := view_problem(folder / table / name, part, whole=True))
            ]
    return findings


def open_part(source: Source) -> Any:
    """Open a part.

    Raises
    ------
    OSError, ValueError
        If it is missing or not a complete Parquet file; or another error of `damage`.
    """
    import pyarrow.parquet as pq

    # Pre-buffering would load all compressed columns at once.
    return pq.ParquetFile(source, pre_buffer=False, page_checksum_verification=True)


def file_findings(expected: Expected, source: Source | None) -> list[Finding]:
    """Check a part, None if it is missing, without reading its rows: size, columns and footer."""
    try:
        size = None if source is None else _size(source)
    except OSError as error:
        problem = f"cannot be read ({error})"
        return [Finding("files", expected.file, problem, _AGAIN)]
    if source is None or size is None:
        return [Finding("files", expected.file, "is missing", _AGAIN)]
    wrong_size = size != expected.size
    sizes = f"has {size} bytes, the manifest says {expected.size}"
    try:
        with open_part(source) as file:
            schema, metadata = file.schema_arrow, file.metadata.metadata or {}
    except damage() as error:
        prefix = f"{sizes}, and " if wrong_size else ""
        # A run notices a wrong size by itself.
        advice = _AGAIN if wrong_size else FORCE
        return [Finding("readable", expected.file, f"{prefix}cannot be read ({cause(error)})", advice)]
    findings = [Finding("size", expected.file, sizes, _AGAIN)] if wrong_size else []
    findings += _schema_findings(expected, schema)
    findings += _footer_findings(expected, metadata)
    return findings


def geometry_findings(expected: Expected, source: Source, bounds: Bounds | None) -> list[Finding]:
    """Check the GeoParquet metadata of a part.

    Parameters
    ----------
    expected : Expected
        A part of a table with geometries.
    source : Path or BytesIO
        The part, whose rows could be read.
    bounds : tuple of float, or None
        The bounds of its geometries; None if they have no coordinates.
    """
    with open_part(source) as file:
        recorded = _json((file.metadata.metadata or {}).get(GEO_KEY.encode()))
    if recorded == geo_metadata(bounds):
        return []
    problem = "the GeoParquet metadata in its footer is missing, or differs from its geometries"
    return [Finding("footer", expected.file, problem)]


def batches(source: Source, table: Table) -> Iterator[pl.DataFrame]:
    """Read and validate a part in batches.

    Parameters
    ----------
    source : Path or BytesIO
        A part with the columns of the table.
    table : Table

    Raises
    ------
    OSError, ValueError
        If it is damaged; or another error of `damage`.
    """
    import pyarrow as pa

    with open_part(source) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            # Among others, this checks for valid UTF-8, which Polars assumes.
            batch.validate(full=True)
            # Without the metadata of the file, which may be damaged.
            frame = pl.from_arrow(pa.RecordBatch.from_arrays(batch.columns, schema=arrow_schema(table)))
            assert isinstance(frame, pl.DataFrame)
            yield frame


def damage() -> tuple[type[BaseException], ...]:
    """Return the exceptions that reading a damaged file may raise."""
    import pyarrow as pa

    # Invalid lengths and offsets can raise any of them.
    of_python = (OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
    return (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, *of_python)


def cause(error: BaseException) -> str:
    """Return the first line of an error, shortened."""
    return first_line(error)[:100]


def fingerprint_findings(manifest: Manifest) -> list[Finding]:
    """Check that the fingerprints match the content and settings in the manifest."""
    if manifest.polyframe_version != __version__:
        # Each version has different fingerprints.
        return []
    by_stage, records = settings_by_stage(manifest), manifest.partitions
    if by_stage["extract"].volunteers == "hash" and manifest.key_digest is None:
        # Written before it was recorded.
        return []

    def fingerprint(content: str, stage: str) -> str:
        return stage_fingerprints(content, by_stage[stage], manifest.key_digest)[stage]

    mismatches = {
        stage: [
            record.name
            for record in records
            if record.stages[stage].fingerprint != fingerprint(record.content, stage)
        ]
        for stage in by_stage
    }
    findings = []
    all_differ = all(len(names) == len(records) for names in mismatches.values())
    if len(records) > 1 and all_differ:
        problem = (
            "no fingerprint matches its content and settings: they were changed, or an earlier version of "
            f"polyframe or another version of Polars than {pl.__version__} wrote the output"
        )
        return [Finding("fingerprint", MANIFEST, problem)]
    for stage, names in mismatches.items():
        if names:
            more = f" (and of {counted(len(names) - 1, 'more partition')})" if len(names) > 1 else ""
            problem = (
                f"the fingerprint of partition {names[0]}, {stage}, does not match its content and "
                f"settings{more}"
            )
            findings.append(Finding("fingerprint", MANIFEST, problem))
    for stage in by_stage:
        if stage not in manifest.merged:
            continue
        merged = manifest.merged[stage]
        content = merged_content(record.content for record in records)
        expected = fingerprint(content, stage)
        places = merged_places([record.stages[stage].places for record in records])
        if (merged.fingerprint, merged.places) != (expected, places):
            tables = ", ".join(merged.sizes)
            problem = f"the fingerprint of {tables} does not match the partitions and settings"
            findings.append(Finding("fingerprint", MANIFEST, problem))
    return findings


def _schema_findings(expected: Expected, schema: Any) -> list[Finding]:
    expected_schema = arrow_schema(expected.table)
    if schema.names != expected_schema.names:
        missing = [name for name in expected_schema.names if name not in schema.names]
        unknown = [name for name in schema.names if name not in expected_schema.names]
        problem = "has its columns in another order"
        if missing:
            problem = f"lacks the column {missing[0]}"
        elif unknown:
            problem = f"has the unknown column {unknown[0][:60]!r}"
        return [Finding("schema", expected.file, problem)]
    differing = [
        (got, required)
        for got, required in zip(schema, expected_schema, strict=True)
        if not got.equals(required)
    ]
    if not differing:
        return []
    got, required = differing[0]
    more = f" (and {counted(len(differing) - 1, 'more column')})" if len(differing) > 1 else ""
    problem = f"the column {required.name} has the type {_type_of(got)}, expected {_type_of(required)}{more}"
    return [Finding("schema", expected.file, problem)]


def _type_of(field: Any) -> str:
    """Return the Arrow type of a column, and whether values can be missing."""
    return str(field.type) if field.nullable else f"{field.type} not null"


def _footer_findings(expected: Expected, metadata: Mapping[bytes, bytes]) -> list[Finding]:
    def finding(problem: str, check: str = "footer") -> Finding:
        return Finding(check, expected.file, problem, FORCE)

    footer = _json(metadata.get(FOOTER.encode()))
    findings = []
    if not isinstance(footer, dict):
        findings.append(finding("its footer has no polyframe metadata"))
    else:
        for name, value in expected.footer().items():
            if name not in footer or footer[name] != value:
                check = "fingerprint" if name == "fingerprint" else "footer"
                keys = f" ({_differing_keys(footer.get(name), value)})" if isinstance(value, dict) else ""
                findings.append(finding(f"the {name} in its footer differs from the manifest{keys}", check))
    return findings


def _differing_keys(recorded: Any, expected: Mapping[str, Any]) -> str:
    if not isinstance(recorded, dict):
        return "missing"
    return ", ".join(
        name
        for name in sorted({*recorded, *expected})
        if name not in recorded or name not in expected or recorded[name] != expected[name]
    )[:100]


def _json(text: bytes | None) -> Any:
    try:
        return json.loads(text or b"")
    except (ValueError, RecursionError):
        return None


def _size(source: Source) -> int | None:
    if not isinstance(source, Path):
        return source.getbuffer().nbytes
    return source.stat().st_size if source.exists() else None


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        # Missing parts are reported one by one.
        return []
