"""The way through: plan, shuffle, one task for each partition, tables into place."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe import __version__
from polyframe._errors import PolyframeError
from polyframe.accounting import Accounting, total
from polyframe.dataset import (
    check_output,
    part_paths,
    read_manifest,
    read_parts,
    replace_tables,
    work_directory,
)
from polyframe.extraction import Extraction, extract_rows
from polyframe.panoptes import rows, selection, sources
from polyframe.panoptes.selection import Selection
from polyframe.partition import PartitionTask, process_partition
from polyframe.settings import Settings
from polyframe.stages import STAGE_TABLES, clustering_differs
from polyframe.tables import SCHEMA_VERSION

_MEGABYTE: Final = 1_000_000
#: Up to so many partitions the workers are threads of this process.
_PARTITIONS_FOR_THREADS: Final = 32

Say = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    output : Path
        Where the tables are.
    accounting : Accounting
        Where every row and mark went.
    seconds : float
        How long it took.
    notes : tuple of str
        What was chosen or skipped without being asked for.
    """

    output: Path
    accounting: Accounting
    seconds: float
    notes: tuple[str, ...]


def run_export(
    path: Path,
    output: Path,
    settings: Settings,
    stages: Sequence[str],
    say: Say = lambda _: None,
    progress: Progress = lambda _done, _all: None,
) -> Summary:
    """Work through an export from its rows on.

    Parameters
    ----------
    path : Path
        The classification export.
    output : Path
        The output directory; new, empty or ours.
    settings : Settings
        All settings.
    stages : sequence of str
        `extract`, then also `reduce`, then also `contours`.
    say, progress : callable
        Told what was chosen, and partitions done and in all.

    Raises
    ------
    PolyframeError
        Where the export cannot be used or the output not be written; earlier output stays as it was.
    """
    started = time.monotonic()
    check_output(output)
    with work_directory(output) as work:
        files, chosen = _split(path, work, settings.partition_size * _MEGABYTE, settings, say)
        settings = settings.replace(
            {
                "workflow_id": chosen.workflow_id,
                "workflow_version": settings.workflow_version or chosen.versions[0].strip(),
            }
        )
        made = work / "made"
        tasks = [
            PartitionTask(index, tuple(stages), tuple(part), chosen, settings, made)
            for index, part in enumerate(files)
        ]
        counts = replace(
            total(_process(tasks, settings.jobs, progress)),
            rows_read=chosen.rows_read,
            rows_filtered=chosen.rows_filtered,
        )
        _check(counts, stages)
        if not counts.marks_decoded:
            say(
                "no mark of the chosen tasks and tools was found; without -c, --task and --tool all are taken"
            )
        origin = {
            "source": path.name,
            "versions": list(chosen.versions),
            "extraction": settings.affecting("extract"),
        }
        manifest = _manifest(settings, stages, counts, origin)
        later = [name for stage in STAGE_TABLES if stage not in stages for name in STAGE_TABLES[stage]]
        replace_tables(output, made, manifest, drop=later)
    return Summary(output, counts, time.monotonic() - started, chosen.notes)


def extract_frames(path: Path, settings: Settings, work: Path, say: Say = lambda _: None) -> Extraction:
    """Extract an export in memory, as one partition.

    Parameters
    ----------
    path : Path
        The classification export.
    settings : Settings
        What to extract.
    work : Path
        A folder for temporary files.
    say : callable
        Told what was chosen.
    """
    files, chosen = _split(path, work, None, settings, say)
    checked = rows.check_rows(read_parts(files[0]), chosen)
    return extract_rows(checked, settings)


def run_extractions(
    output: Path,
    settings: Settings,
    stage: str,
    progress: Progress = lambda _done, _all: None,
) -> Summary:
    """Reduce, or make the contours, from the extractions in an output directory.

    Parameters
    ----------
    output : Path
        What an earlier run wrote.
    settings : Settings
        All settings; those of the extraction are taken from the directory.
    stage : {"reduce", "contours"}
        What to make.
    progress : callable
        Told partitions done and in all.

    Raises
    ------
    PolyframeError
        Where the directory holds no extractions.
    """
    started = time.monotonic()
    manifest = read_manifest(output)
    extractions, classifications = (part_paths(output, name) for name in ("extractions", "classifications"))
    if [path.name for path in extractions] != [path.name for path in classifications]:
        raise PolyframeError(f"{output}: parts of extractions or classifications are missing; run again")
    pairs = list(zip(extractions, classifications, strict=True))
    if not pairs:
        raise PolyframeError(
            f"{output}: holds no extractions; make them with `polyframe extract ... -o {output}`"
        )
    with work_directory(output) as work:
        made = work / "made"
        tasks = [
            PartitionTask(index, (stage,), files, None, settings, made) for index, files in enumerate(pairs)
        ]
        counts = _keep_extraction_counts(manifest, total(_process(tasks, settings.jobs, progress)))
        _check(counts, [stage])
        stages = [name for name in STAGE_TABLES if name == stage or name in manifest["stages"]]
        outdated = stage == "reduce" and "contours" in stages and clustering_differs(manifest, settings)
        if outdated:
            stages.remove("contours")
        origin = {key: manifest[key] for key in ("source", "versions", "extraction")}
        drop = STAGE_TABLES["contours"] if outdated else ()
        replace_tables(output, made, _manifest(settings, stages, counts, origin), drop=drop)
    notes = ("the contours rested on other settings and were removed; make them again",) if outdated else ()
    return Summary(output, counts, time.monotonic() - started, notes)


def _split(
    path: Path, work: Path, partition_bytes: int | None, settings: Settings, say: Say
) -> tuple[list[list[Path]], Selection]:
    """Plan the partitions of an export (None: only one) and write the rows of each into files of its own."""
    opened = sources.open_sources([path], work / "sources")
    try:
        for note in opened.notes:
            say(note)
        rows_read = opened.rows.drop("source")
        return _plan_and_shuffle(rows_read, path, work / "rows", partition_bytes, settings, say)
    except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
        pass
    except OSError as error:
        # Without a number it is no fault of the disk but a gzip file that Polars cannot unpack.
        if error.errno is not None:
            raise
    opened = sources.mend_sources([path], work / "sources")
    for note in opened.notes:
        say(note)
    rows_read = opened.rows.drop("source")
    return _plan_and_shuffle(rows_read, path, work / "mended-rows", partition_bytes, settings, say)


def _plan_and_shuffle(
    source: pl.LazyFrame, path: Path, folder: Path, partition_bytes: int | None, settings: Settings, say: Say
) -> tuple[list[list[Path]], Selection]:
    census = selection.take_census(source)
    chosen = selection.select(census, settings, path)
    borders = [] if partition_bytes is None else selection.plan(census, chosen, partition_bytes)
    files = rows.shuffle(rows.used_rows(source, chosen), borders, folder)
    for note in chosen.notes:
        say(note)
    return files, chosen


def _process(tasks: Sequence[PartitionTask], jobs: int, progress: Progress) -> Iterator[Accounting]:
    """Run the tasks, in this process or in workers; yield counts as they come."""
    import joblib

    workers = min(jobs or joblib.cpu_count(), len(tasks))
    progress(0, len(tasks))
    results = map(process_partition, tasks) if workers <= 1 else _in_workers(tasks, workers)
    for done, counts in enumerate(results, start=1):
        progress(done, len(tasks))
        yield counts


def _in_workers(tasks: Sequence[PartitionTask], workers: int) -> Iterator[Accounting]:
    import joblib

    # Each worker is one thread of work; Polars would start one thread for each processor in every worker.
    with _environment("POLARS_MAX_THREADS", "1"):
        # Nearly all the work is done without the GIL, so threads share it well, and they start at once. With
        # more of it, processes have won back the second that each takes to start. Only a hint: a backend that
        # the caller has chosen stays.
        hint = "threads" if len(tasks) <= _PARTITIONS_FOR_THREADS else "processes"
        parallel = joblib.Parallel(n_jobs=workers, prefer=hint, return_as="generator_unordered", batch_size=1)
        yield from parallel(joblib.delayed(process_partition)(task) for task in tasks)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _manifest(
    settings: Settings, stages: Sequence[str], counts: Accounting, origin: dict[str, Any]
) -> dict[str, Any]:
    return {
        "polyframe_version": __version__,
        "schema_version": SCHEMA_VERSION,
        **origin,
        "stages": list(stages),
        "settings": settings.affecting("extract", "reduce", "contours", "carried"),
        "accounting": counts.to_dict(),
    }


def _check(counts: Accounting, stages: Sequence[str]) -> None:
    """Make sure that nothing was lost before anything is put into place."""
    clustered = set(stages) != {"extract"}
    if not counts.rows_add_up() or (clustered and not counts.marks_add_up()):
        raise PolyframeError(f"the accounting does not add up, please report this: {counts.to_dict()}")


def _keep_extraction_counts(manifest: dict[str, Any], counts: Accounting) -> Accounting:
    """Take what only the extraction knows from the manifest."""
    before = manifest["accounting"]
    names = ("rows_read", "rows_filtered", "rows_rejected", "rows_used", "marks_undecoded", "reasons")
    return replace(counts, **{name: before[name] for name in names})
