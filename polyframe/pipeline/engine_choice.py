"""Choose the engine once for all parts of a run, by the size of the work, and have it compiled."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final, cast

import polars as pl

from polyframe.core.callbacks import Say
from polyframe.core.clusters import Cluster, starts_here
from polyframe.core.drawing_sizes import DrawingSizes
from polyframe.core.notes import Information
from polyframe.core.settings import Settings
from polyframe.geometry.compile_ahead import compile_ahead
from polyframe.geometry.compiled.purposes import Purpose
from polyframe.geometry.engines import choose_engine, has_large_subject
from polyframe.panoptes.classifications.scan_export import ExportScan
from polyframe.pipeline.partitions import Partition
from polyframe.pipeline.plan import Records, RunSpec
from polyframe.store.manifest import Manifest
from polyframe.store.stages import ENGINE_STAGES, public_tables

#: Bytes of JSON that a point of an outline takes, approximately.
_POINT_BYTES: Final = 20


def with_engine(export: ExportScan) -> ExportScan:
    """Choose the engine for an export: by the rows of the chosen workflow and versions."""
    rows = export.selection.rows_read - export.selection.rows_filtered
    engine = choose_engine(export.settings.engine, rows, drawings_of_export(export))
    return replace(export, settings=export.settings.replace({"engine": engine}))


def drawings_of_export(export: ExportScan) -> DrawingSizes:
    """Return how much was drawn in the chosen rows of an export, which the manifest records."""
    return _sizes(export.subjects["bytes"])


def engine_for_output(settings: Settings, manifest: Manifest) -> Settings:
    """Choose the engine for an output directory as the run from the export did."""
    rows = manifest.accounting.rows_read - manifest.accounting.rows_filtered
    return settings.replace({"engine": choose_engine(settings.engine, rows, manifest.drawings)})


def engine_for_marks(settings: Settings, extractions: pl.DataFrame) -> Settings:
    """Choose the engine for marks in memory: by their number and their points."""
    drawings = drawings_of_marks(extractions)
    return settings.replace({"engine": choose_engine(settings.engine, extractions.height, drawings)})


def drawings_of_marks(extractions: pl.DataFrame) -> DrawingSizes:
    """Return about how many bytes the marks of a frame had in their export."""
    points = extractions.group_by("workflow_id", "subject_id").agg(
        pl.col("x").list.len().cast(pl.Int64).sum()
    )["x"]
    return _sizes(_POINT_BYTES * points)


def _sizes(bytes_of_subjects: pl.Series) -> DrawingSizes:
    largest = cast("int | None", bytes_of_subjects.max())
    return DrawingSizes(int(bytes_of_subjects.sum()), largest or 0)


def announce_change(spec: RunSpec, before: Manifest | None, say: Say) -> None:
    """Say that tables are rebuilt because another engine computed them."""
    recorded = {} if before is None else before.engines
    engine = spec.settings.engine
    rebuilt = [stage for stage in spec.stages if recorded.get(stage, engine) != engine]
    if rebuilt:
        *tables, last = public_tables(rebuilt)
        listed = f"{', '.join(tables)} and {last}" if tables else last
        earlier = recorded[rebuilt[0]]
        say(Information(f"the engine is now {engine} (before: {earlier}), so {listed} are rebuilt"))


def compiling(
    spec: RunSpec,
    partitions: Sequence[Partition],
    current: Records,
    drawings: DrawingSizes,
    say: Say,
    cluster: Cluster | None = None,
) -> contextlib.AbstractContextManager[Callable[[], None]]:
    """Compile the fast engine beside the body if stages that are out of date need it; see `compile_ahead`.

    Workers of a cluster elsewhere compile it themselves, and this process does not need it. To load it takes
    0.6 s, half of what this process does for 300 MB besides its start.
    """
    outdated = [
        stage for stage in spec.stages if any(stage not in current.get(part.name, ()) for part in partitions)
    ]
    if not starts_here(cluster):
        return contextlib.nullcontext(lambda: None)
    if spec.settings.engine == "compiled" and not set(ENGINE_STAGES).isdisjoint(outdated):
        return compile_ahead(say, compiled_purposes(spec.settings, outdated, drawings))
    return contextlib.nullcontext(lambda: None)


def compiled_purposes(
    settings: Settings, stages: Collection[str], drawings: DrawingSizes
) -> frozenset[Purpose]:
    """Return what compiled functions are needed for; it does not depend on which are in the cache."""
    purposes = set[Purpose]({"clusters"})
    if "extract" in stages:
        purposes.add("coordinates")
    if "reduce" in stages:
        purposes.add("memberships")
        if settings.average_type == "majority":
            purposes.add("majority")
        elif settings.average_type != "median":
            purposes.add("levels")
    if "contours" in stages:
        purposes.add("levels")
    if has_large_subject(drawings):
        purposes.add("large groups")
    return frozenset(purposes)
