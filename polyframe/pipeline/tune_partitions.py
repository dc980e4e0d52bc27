"""Compare settings on the extractions of an output directory, partition by partition."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from polyframe.consensus.exclusion import digests_by_name, unknown_names_notes, with_digests
from polyframe.consensus.marks import marks_taking_part, selected_marks
from polyframe.consensus.tune.counts import Tally, count_settings
from polyframe.consensus.tune.gold_counts import GoldReference
from polyframe.consensus.tune.parse_grid import Combination, Grid, combination_of
from polyframe.consensus.tune.table import tuning_table
from polyframe.core.addresses import Place
from polyframe.core.callbacks import Say
from polyframe.core.clusters import Cluster
from polyframe.core.drawing_sizes import DrawingSizes
from polyframe.core.errors import PolyframeError
from polyframe.core.notes import Information
from polyframe.core.settings import Settings
from polyframe.geometry.compile_ahead import ensure_compiled
from polyframe.pipeline.engine_choice import (
    compiled_purposes,
    drawings_of_marks,
    engine_for_marks,
    engine_for_output,
)
from polyframe.pipeline.executors.executor import Executor, WorkerLost, run_tasks
from polyframe.pipeline.executors.open_executor import open_executor
from polyframe.pipeline.gold.of_output import gold_for_frames, gold_for_output
from polyframe.pipeline.gold.read_gold import GoldSource
from polyframe.pipeline.plan import rows_of
from polyframe.pipeline.safeguards import check_tools_exist, extracted_tools
from polyframe.store.manifest import Manifest
from polyframe.store.output import MANIFEST
from polyframe.store.part_files import PartFile, read_parts
from polyframe.store.reading import OutputTables, open_tables
from polyframe.store.recorded_settings import check_volunteers_known, format_setting, settings_for_stage

#: The other settings of the clustering that are shown; drawing tasks would be too long.
_SHOWN: Final = ("task", "tool", "filter", "min_threshold")
#: Those that are only shown if they are not the defaults.
_SHOWN_IF_SET: Final = ("exclude_volunteers", "gold_standard")


@dataclass(frozen=True)
class _PartitionFiles:
    """One partition: its name and number of rows, its part files, and the settings to compare."""

    name: str
    rows: int
    extractions: PartFile
    classifications: PartFile
    settings: Settings
    grid: Grid
    reference: GoldReference | None


def tune_output(
    output: Place,
    explicit: Mapping[str, Any],
    grid: Grid,
    say: Say,
    progress: Callable[[int, int], None],
    flagged: Collection[str] = (),
    gold: GoldSource | None = None,
    cluster: Cluster | None = None,
) -> pl.DataFrame:
    """Compare settings on the extractions in an output directory.

    Parameters
    ----------
    output : Path or Address
        An output directory; it is not changed.
    explicit : mapping
        Settings by name from configuration files and options; the others are those of the output.
    grid : Grid
        The settings to compare.
    say, progress : callable
        Receive which settings are used, and the numbers of rows counted and to count.
    flagged : collection of str
        Names of the settings given by flags or arguments: the tasks and tools that they name must exist.
    gold : GoldSource, optional
        The outlines of an expert.
    cluster : str, distributed.Client or module, optional
        Where the workers are, see `polyframe.core.clusters`; by default, on this machine.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.result_tables.TUNING`.

    Raises
    ------
    PolyframeError
        If the directory contains no extractions, a part is damaged, or a run changes it meanwhile.
    """
    with open_tables(output, "tune") as tables:
        manifest = tables.manifest
        settings = _settings(output, manifest, explicit, say)
        check_tools_exist(str(output), extracted_tools(manifest), settings, flagged, say)
        names = digests_by_name(settings)
        settings, grid = with_digests(settings, names), grid.with_defaults(settings)
        current = _current(manifest)
        if current and current not in grid.combinations:
            made_with = ", ".join(
                f"{name} {format_setting(value)}"
                for name, value in current._asdict().items()
                if value is not None and value != current._field_defaults.get(name)
            )
            say(Information(f"{output} was made with {made_with}, which is not among these"))
        extractions, classifications = (
            tables.parts(name).values() for name in ("extractions", "classifications")
        )
        references = _references(tables, settings, gold, say)
        parts = [
            _PartitionFiles(record.name, rows_of(record), marks, rows, settings, grid, reference)
            for record, marks, rows, reference in zip(
                manifest.partitions, extractions, classifications, references, strict=True
            )
        ]
        _compile_if_needed(settings, manifest.drawings, say)
        folder = tables.output.folder
        manifest_file = None if folder is None else folder / MANIFEST
        with open_executor(
            cluster, settings.jobs, shared_file=manifest_file, in_memory=tables.output.is_in_memory
        ) as executor:
            tallies = _tallies(parts, executor, progress)
    _say_unknown_names(names, tallies, say)
    return tuning_table(tallies, grid, current)


def tune_frames(
    extractions: pl.DataFrame,
    classifications: pl.DataFrame | None,
    settings: Settings,
    grid: Grid,
    say: Say,
    gold: GoldSource | None = None,
) -> pl.DataFrame:
    """Compare settings on marks in memory.

    Parameters
    ----------
    extractions, classifications : polars.DataFrame
        The tables of these names; None for classifications if only those with marks are known.
    settings : Settings
        All; those that the grid has are not used.
    grid : Grid
        The settings to compare.
    say : callable
        Receives notes.
    gold : GoldSource, optional
        As for `tune_output`.
    """
    settings, grid = engine_for_marks(settings, extractions), grid.with_defaults(settings)
    names = digests_by_name(settings, in_memory=True)
    settings = with_digests(settings, names)
    reference = None
    if gold is not None:
        found = gold_for_frames(extractions, classifications, settings, gold, say)
        reference = GoldReference(found.outlines, settings)
    _compile_if_needed(settings, drawings_of_marks(extractions), say)
    tally = _tally(extractions, classifications, settings, grid, reference)
    _say_unknown_names(names, [tally], say)
    return tuning_table([tally], grid, None)


def _say_unknown_names(names: Mapping[str, set[str]], tallies: Sequence[Tally], say: Say) -> None:
    found = {digest for tally in tallies for digest in tally.excluded_digests}
    for note in unknown_names_notes(names, found):
        say(note)


def _references(
    tables: OutputTables, settings: Settings, gold: GoldSource | None, say: Say
) -> list[GoldReference | None]:
    """Return the outlines of the expert in each partition."""
    n_partitions = len(tables.manifest.partitions)
    if gold is None:
        return [None] * n_partitions
    outlines = gold_for_output(tables, settings, gold, say).outlines
    partition = tables.partition_of(outlines.subjects.to_list())
    return [
        GoldReference(outlines.of_subjects(outlines.subjects.filter(partition == number)), settings)
        for number in range(n_partitions)
    ]


def _compile_if_needed(settings: Settings, drawings: DrawingSizes, say: Say) -> None:
    if settings.engine == "compiled":
        ensure_compiled(say, compiled_purposes(settings, ["reduce"], drawings))


def _settings(output: Place, manifest: Manifest, explicit: Mapping[str, Any], say: Say) -> Settings:
    """Combine the settings of the output with those given, and say which are used."""
    settings = settings_for_stage(manifest, "reduce", explicit)
    settings = engine_for_output(settings, manifest)
    check_volunteers_known(settings, output)
    by_origin: dict[str, list[str]] = {"settings given": [], f"settings of {output}": []}
    changed = [name for name in _SHOWN_IF_SET if getattr(settings, name) != getattr(Settings(), name)]
    for name in (*_SHOWN, *changed):
        origin = "settings given" if explicit.get(name) is not None else f"settings of {output}"
        by_origin[origin].append(f"{name} {format_setting(getattr(settings, name), name)}")
    used = (f"{origin}: {', '.join(values)}" for origin, values in by_origin.items() if values)
    say(Information("; ".join(used)))
    return settings


def _current(manifest: Manifest) -> Combination | None:
    """Return the settings with which the clusters of an output directory were made; None without any."""
    if not {"reduce", "contours"} & set(manifest.stages):
        return None
    return combination_of(manifest.settings)


def _tallies(
    parts: Sequence[_PartitionFiles], executor: Executor, progress: Callable[[int, int], None]
) -> list[Tally]:
    done, rows = 0, sum(part.rows for part in parts)
    progress(0, rows)
    tallies: list[Tally] = []
    for _, part, future in run_tasks(executor, _tally_part, ((part.name, part) for part in parts)):
        try:
            tallies.append(future.result())
        except WorkerLost:
            raise PolyframeError(
                "a worker died, most likely for lack of memory: free memory, or try --jobs 1"
            ) from None
        done += part.rows
        progress(done, rows)
    return tallies


def _tally_part(part: _PartitionFiles) -> Tally:
    extractions, classifications = read_parts([part.extractions]), read_parts([part.classifications])
    return _tally(extractions, classifications, part.settings, part.grid, part.reference)


def _tally(
    extractions: pl.DataFrame,
    classifications: pl.DataFrame | None,
    settings: Settings,
    grid: Grid,
    reference: GoldReference | None,
) -> Tally:
    selected = selected_marks(extractions, settings)
    marks = marks_taking_part(selected, classifications, settings)
    return count_settings(marks, grid, settings.min_threshold, settings.engine, reference)
