"""Validate an output directory: its manifest, its files, and its rows by partition."""

import contextlib
import dataclasses
import os
from collections.abc import Mapping
from typing import Final

import polars as pl

from polyframe.consensus.contours import clusters_thinned
from polyframe.core.callbacks import Progress, no_progress
from polyframe.core.errors import PolyframeError
from polyframe.core.fork_guard import use_polars
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.settings import Settings
from polyframe.core.tables import CORRECTIONS, PUBLIC_TABLES, STORED_TABLES, VOLUNTEER_SUMS, VOLUNTEERS
from polyframe.store.fingerprints import rows_fingerprint
from polyframe.store.geo_metadata import Bounds, joint_bounds, outline_bounds
from polyframe.store.manifest import Manifest, PartitionRecord, StageRecord
from polyframe.store.output import MERGED, Output, part_name
from polyframe.store.part_files import read_parts
from polyframe.store.stages import IMPORTED, STAGE_TABLES, stage_of
from polyframe.store.status import is_begun
from polyframe.store.validation import (
    check_agreement,
    check_counts,
    check_files,
    check_geometry,
    check_rows,
    check_volunteers,
)
from polyframe.store.validation.check_agreement import PartitionTables
from polyframe.store.validation.finding import Finding, Findings
from polyframe.store.versions import manifest_place, read_manifest, version_numbers, version_part

#: How often a version is validated that runs replace meanwhile.
_TRIES: Final = 2


def validate(
    output: AnyPlace,
    *,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Read everything in the newest version of an output and list problems, like `polyframe validate`.

    Parameters
    ----------
    output : path or address
        The output directory; nothing in it is changed.
    storage_options : mapping, optional
        As for `polyframe.scan`.
    progress : callable, optional
        Receives the number of partitions that are read and the number of all.

    Returns
    -------
    list of Finding
        Empty if there are no problems. Its attributes `tables`, `parts` and `rows` count what was read.

    Raises
    ------
    PolyframeError
        If the directory is not an output directory, has no tables yet, or runs replace them again and again.
    """
    use_polars()
    opened = Output(place_of(output, "output", storage_options))
    for _ in range(_TRIES):
        number = _newest(opened)
        findings = _check(opened, progress or no_progress)
        # A version that runs replaced meanwhile can lack parts, and its folders are those of another one.
        if not findings or _newest(opened) == number:
            return findings
    raise PolyframeError(f"{opened}: runs replaced the tables while they were read; validate them again")


def _newest(output: Output) -> int:
    """Return the number of the newest version; 0 without one."""
    return max(version_numbers(output), default=0)


def _check(output: Output, progress: Progress) -> Findings:
    manifest, findings = _open(output)
    if manifest is None:
        return Findings(findings)
    settings = check_files.settings_by_stage(manifest)
    findings += check_files.view_findings(output, manifest)
    findings += check_files.fingerprint_findings(manifest)
    findings += check_counts.accounting_findings(manifest)
    reader = _Reader(output, manifest, settings, check_rows.ranges(manifest.partitions))
    sums: list[pl.DataFrame | None] = []
    for number, record in enumerate(manifest.partitions):
        progress(number, len(manifest.partitions))
        frames = {
            table: reader.read(table, record.name, of_stage, reader.ranges[record.name])
            for stage, of_stage in record.stages.items()
            for table in STAGE_TABLES[stage]
        }
        known = {name: frame for name, frame in frames.items() if frame is not None}
        findings += reader.findings
        reader.findings.clear()
        findings += _partition_findings(record, known, settings)
        sums.append(known.get(VOLUNTEER_SUMS.name))
    progress(len(manifest.partitions), len(manifest.partitions))
    findings += _merged_findings(reader, manifest, sums)
    findings += _imported_findings(reader, manifest)
    if reader.everything_read:
        findings += check_counts.subject_findings(manifest, reader.last_subject)
    return Findings(findings, len(reader.tables), reader.n_parts, reader.n_rows)


def _open(output: Output) -> tuple[Manifest | None, list[Finding]]:
    """Return the newest manifest, or None and a finding if it is invalid."""
    numbers = version_numbers(output)
    if not numbers and is_begun(output):
        raise PolyframeError(f"{output}: no tables yet; run the same command to continue")
    place = manifest_place(output, max(numbers, default=0))
    try:
        return read_manifest(output), []
    except PolyframeError as error:
        if not numbers:
            raise
        problem, _, advice = str(error).removeprefix(f"{place}: ").rpartition("; ")
        name = place.removeprefix(f"{output}{os.sep}")
        return None, [Finding("manifest", name, problem, advice)]


class _Reader:
    """Reads the parts of an output directory in order, and keeps what the next part needs."""

    def __init__(
        self,
        output: Output,
        manifest: Manifest,
        settings: Mapping[str, Settings],
        ranges: Mapping[str, tuple[int | None, int | None]],
    ) -> None:
        self.output, self.manifest = output, manifest
        self.settings, self.ranges = settings, ranges
        self.last_rows: dict[str, pl.DataFrame] = {}
        self.findings: list[Finding] = []
        self.tables: set[str] = set()
        self.n_parts = self.n_rows = 0
        self.last_subject: int | None = None
        self.everything_read = True

    def read(
        self, name: str, partition: str, record: StageRecord, subjects: tuple[int | None, int | None]
    ) -> pl.DataFrame | None:
        """Check a part and return its short columns for later checks, or None if it is damaged."""
        table = STORED_TABLES[name]
        stage = stage_of(name)
        version = None if stage == IMPORTED else self.manifest.polyframe_version
        settings = self.settings.get(stage, self.manifest.settings)
        expected = check_files.Expected(table, part_name(partition), record, version, settings)
        source: check_files.Source | None = None
        with contextlib.suppress(FileNotFoundError):
            source = version_part(self.output, self.manifest, name, partition, record).source()
        about_file = check_files.file_findings(expected, source)
        self.findings += about_file
        if source is None or any(f.check in ("files", "readable", "schema") for f in about_file):
            self.everything_read = False
            return None
        try:
            frame = self._rows(expected, source)
        except check_files.damage() as error:
            problem = f"cannot be read ({check_files.cause(error)})"
            self.findings.append(Finding("readable", expected.file, problem))
            self.everything_read = False
            return None
        recorded = record.rows.get(name, frame.height)
        if frame.height != recorded:
            problem = f"has {frame.height} rows, the manifest says {recorded}"
            self.findings.append(Finding("counts", expected.file, problem))
        about_rows = check_rows.row_findings(expected.file, table, frame, subjects, expected.settings)
        if frame.height:
            if name in self.last_rows:
                about_rows += check_rows.part_order_findings(
                    expected.file, table, self.last_rows[name], frame
                )
            self.last_rows[name] = frame.tail(1)
        self.findings += about_rows
        self._count(name, frame)
        return frame.with_row_index("row")

    def _rows(self, expected: check_files.Expected, source: check_files.Source) -> pl.DataFrame:
        """Read the short columns of a part, and check the long ones in batches."""
        table = expected.table
        columns = check_rows.kept_columns(table)
        batches = [pl.DataFrame(schema=table.schema).select(columns)]
        n_rows = 0
        bounds: Bounds | None = None
        seen: set[str] = set()
        for batch in check_files.batches(source, table):
            most = expected.settings.max_levels
            for finding in check_geometry.outline_findings(expected.file, table, batch, n_rows, most):
                # One finding of each kind is enough for a part.
                kind = finding.problem.split(") ", 1)[-1].split(" (and ")[0]
                if kind not in seen:
                    seen.add(kind)
                    self.findings.append(finding)
            batches.append(batch.select(columns))
            n_rows += batch.height
            if table.geometry:
                bounds = joint_bounds([bounds, outline_bounds(table, batch)])
        if table.geometry:
            self.findings += check_files.geometry_findings(expected, source, bounds)
        return pl.concat(batches)

    def _count(self, name: str, frame: pl.DataFrame) -> None:
        if name not in PUBLIC_TABLES:
            return
        self.tables.add(name)
        self.n_parts += 1
        self.n_rows += frame.height
        if name in ("classifications", "rejects"):
            last = frame["subject_id"].max()
            known = [value for value in (last, self.last_subject) if isinstance(value, int)]
            self.last_subject = max(known, default=None)


def _partition_findings(
    record: PartitionRecord, frames: dict[str, pl.DataFrame], settings: Mapping[str, Settings]
) -> list[Finding]:
    """Check the agreement of the tables of a partition, as far as they could be read."""
    partition = PartitionTables(frames, {name: f"{name}/{part_name(record.name)}" for name in frames})
    later = [stage for stage in settings if stage != "extract"]
    if any(name not in frames for name in STAGE_TABLES["extract"]):
        return []
    recorded = {stage: record.stages[stage].counts.to_dict() for stage in settings}
    findings = check_agreement.marks_findings(partition, settings["extract"])
    findings += check_counts.count_findings(
        record.name, "extract", recorded["extract"], check_counts.extraction_counts(partition)
    )
    for stage in later:
        counted = check_counts.marks_counts(partition, settings[stage])
        problems = check_counts.marks_problems(recorded["extract"].get("marks_seen", 0), recorded[stage])
        if "labels" in frames and "groups" in frames:
            counted |= check_counts.labels_counts(partition)
            if stage == "reduce" and "reductions" in frames:
                counted |= check_counts.estimated_counts(partition)
        elif "reduce" not in later and "contours" in frames:
            problems += check_counts.contours_problems(partition, recorded[stage], settings[stage])
        if stage == "contours" and "contours" in frames:
            counted["clusters_thinned"] = clusters_thinned(frames["contours"], settings[stage])
        findings += check_counts.count_findings(record.name, stage, recorded[stage], counted, problems)
    if "labels" in frames and "groups" in frames:
        _, _, to_cluster = check_agreement.marks_to_cluster(partition, settings["reduce"])
        findings += check_agreement.labels_findings(partition, to_cluster, settings["reduce"])
        tables = [name for name in ("reductions", "contours") if name in frames]
        findings += check_agreement.clusters_findings(partition, tables, settings["reduce"])
    if "reduce" in later:
        findings += check_volunteers.summaries_findings(partition, settings["reduce"])
    return findings


def _merged_findings(reader: _Reader, manifest: Manifest, sums: list[pl.DataFrame | None]) -> list[Finding]:
    """Check the tables that are merged from all partitions, if their sums could be read."""
    findings: list[Finding] = []
    for stage, record in manifest.merged.items():
        if stage == IMPORTED:
            continue
        volunteers = reader.read(VOLUNTEERS.name, MERGED, record, (None, None))
        findings += reader.findings
        reader.findings.clear()
        known = [frame for frame in sums if frame is not None]
        if volunteers is not None and len(known) == len(sums):
            file = f"{VOLUNTEERS.name}/{part_name(MERGED)}"
            findings += check_volunteers.volunteers_findings(file, volunteers, pl.concat(known))
    return findings


def _imported_findings(reader: _Reader, manifest: Manifest) -> list[Finding]:
    """Check the table of corrections, which a run cannot rebuild."""
    record = manifest.merged.get(IMPORTED)
    if record is None:
        return []
    rows = reader.read(CORRECTIONS.name, MERGED, record, (None, None))
    findings = list(reader.findings)
    reader.findings.clear()
    if rows is not None:
        part = version_part(reader.output, manifest, CORRECTIONS.name, MERGED, record)
        if rows_fingerprint(read_parts([part])) != record.fingerprint:
            file = f"{CORRECTIONS.name}/{part_name(MERGED)}"
            findings.append(Finding("fingerprint", file, "its rows do not match its fingerprint"))
    advice = f"restore it, or replace it with `polyframe {IMPORTED} {reader.output} FILE --replace`"
    return [dataclasses.replace(finding, advice=advice) for finding in findings]
