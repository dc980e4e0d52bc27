"""Simulate what the process of a run does itself, with many partitions whose work is done elsewhere.

    python benchmarks/driver.py                      # 50,000 and 500,000 partitions
    python benchmarks/driver.py --partitions 200     # tiny: shows that it works

No rows are read and no parts are written: the census of each split, the files of sorted rows and the result
of each partition are made up, everything else is the code of the package. Steps: merge the censuses of all
splits, plan the partitions, sort the rows in two levels, make the tasks, merge the results, write the
manifest and publish it; then the same for a second run in which nothing changed. The rows are in random
order, the worst case: each file of the first level has rows of all super-partitions. What is sent to workers
is pickled, as for a cluster. The store is a local folder for the manifests, and a dictionary for the list of
parts, since half a million partitions have 4.5 million of them.
"""

import argparse
import pickle
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import polars as pl

from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.row_checks import rows_schema
from polyframe.panoptes.classifications.version_selection import Selection
from polyframe.pipeline.executors.executor import cluster_window
from polyframe.pipeline.merge_records import checked_counts, merged_records
from polyframe.pipeline.partition_task import PartitionResult
from polyframe.pipeline.partitions import Border, Partition, partitions_of, plan_borders
from polyframe.pipeline.plan import RunSpec, current_records, task_for
from polyframe.pipeline.rows_on_workers import MOST_FILES
from polyframe.pipeline.shuffle import LARGE_RUN_BYTES, Ranges, ranges_of
from polyframe.pipeline.sorted_rows import RowFiles, SortedRows, join_sorted, new_name, pieces_of_file
from polyframe.pipeline.super_partitions import (
    MOST_PIECES_BETWEEN_MACHINES,
    sort_super_partitions,
    super_partitions,
)
from polyframe.store.current_parts import EarlierWork
from polyframe.store.fingerprints import merged_content, stage_fingerprints
from polyframe.store.manifest import Manifest, StageRecord, new_manifest
from polyframe.store.manifest_text import manifest_text
from polyframe.store.objects import Entry, FolderObjects
from polyframe.store.output import MERGED, Output, part_keys
from polyframe.store.run_counts import Counts
from polyframe.store.stages import MERGED_TABLES, STAGE_TABLES
from polyframe.store.versions import create_version, read_manifest

SUBJECTS_PER_PARTITION = 100
CLASSIFICATIONS_PER_SUBJECT = 20
BYTES_PER_CLASSIFICATION = 4_000
#: Splits overlap at a subject now and then, as exports in the order of time do.
SUBJECTS_PER_SPLIT = 3_200
SELECTION = Selection(1, ("1.1",), (), 0, 0, ())

Result = TypeVar("Result")


@dataclass
class Clock:
    """Processor time of each step (s), and the peak memory of the process after it (MB)."""

    steps: list[tuple[str, float, float]] = field(default_factory=list)

    def __call__(self, name: str, work: Callable[[], Result]) -> Result:
        start = time.process_time()
        result = work()
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.steps.append((name, seconds, peak))
        print(f"  {name:<44}{seconds:10.2f} s {peak:10,.0f} MB", flush=True)
        return result


def censuses(n_subjects: int) -> list[pl.DataFrame]:
    """Return the subjects that each split contains, with sums of hashes."""
    numbers = np.random.default_rng(1)
    frames = []
    for start in range(0, n_subjects, SUBJECTS_PER_SPLIT):
        # The last subject of a split continues in the next one.
        ids = np.arange(start, min(start + SUBJECTS_PER_SPLIT + 1, n_subjects))
        size = CLASSIFICATIONS_PER_SUBJECT * BYTES_PER_CLASSIFICATION
        frames.append(
            pl.DataFrame(
                {
                    "subject_id": ids,
                    "rows": np.full(len(ids), CLASSIFICATIONS_PER_SUBJECT, np.int64),
                    "bytes": np.full(len(ids), size, np.int64),
                    "content": numbers.integers(0, 2**63, len(ids), np.uint64),
                    "places": numbers.integers(0, 2**63, len(ids), np.uint64),
                }
            )
        )
    return frames


def merge_censuses(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Add up the censuses of all splits."""
    return pl.concat(frames).group_by("subject_id").agg(pl.all().sum()).sort("subject_id")


def plan(subjects: pl.DataFrame, before: Manifest | None) -> list[Partition]:
    """Cut the subjects into partitions."""
    size = SUBJECTS_PER_PARTITION * CLASSIFICATIONS_PER_SUBJECT * BYTES_PER_CLASSIFICATION
    old = [] if before is None else [Border(p.name, p.first_subject) for p in before.partitions]
    last = None if before is None else before.last_subject
    return partitions_of(subjects, plan_borders(subjects, size, old, last))


class Workers:
    """An executor that pickles tasks, as for a cluster, and makes up the files of the second level."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[_Sorted, bytes]] = {}
        self.most_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, _: Callable[[Any], Any], task: Any, name: str) -> "_Sorted":
        """Keep the pickled task until it is completed."""
        future = _Sorted(task)
        self._sent[name] = future, pickle.dumps(task)
        self.most_bytes = max(self.most_bytes, sum(len(sent) for _, sent in self._sent.values()))
        return future

    def window(self) -> int:
        """Return the window of a small cluster."""
        return cluster_window(1)

    def reports(self) -> dict[str, Any]:
        """Return nothing: no task runs."""
        return {}

    def as_completed(self) -> Iterator["_Sorted"]:
        """Yield tasks in their order."""
        while self._sent:
            yield self._sent.pop(next(iter(self._sent)))[0]


class _Sorted:
    """A super-partition that a worker has sorted: each partition is one piece of its file."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def result(self) -> SortedRows:
        numbers = self._task.ranges.numbers
        ends = np.arange(len(numbers) + 1) * 8_000_000
        pieces = pieces_of_file(0, ends)
        return SortedRows(self._task.files, (new_name(),), pieces, numbers, int(ends[-1]))


def first_level(ranges: Ranges, n_files: int, files: RowFiles) -> list[SortedRows]:
    """Make up what workers return after the first level: all files have rows of all super-partitions."""
    numbers = np.unique(ranges.numbers)
    ends = np.arange(len(numbers) + 1) * 100_000
    return [
        SortedRows(files, (new_name(),), pieces_of_file(0, ends), numbers.copy(), int(ends[-1]))
        for _ in range(n_files)
    ]


def sort_rows(partitions: list[Partition], n_splits: int, clock: Clock, folder: Path) -> SortedRows:
    """Sort the rows in two levels."""
    firsts = [partition.first_subject for partition in partitions if partition.first_subject is not None]
    ranges = ranges_of(firsts, np.ones(len(partitions), np.bool_))
    rows, files = np.array([partition.rows for partition in partitions]), RowFiles(FolderObjects(folder))
    supers = super_partitions(
        ranges, rows, BYTES_PER_CLASSIFICATION, LARGE_RUN_BYTES, MOST_PIECES_BETWEEN_MACHINES
    )
    if supers is None:
        supers = ranges  # a tiny simulation
    n_files = -(-n_splits // -(-n_splits // MOST_FILES))
    parts = first_level(supers, n_files, files)
    joined = clock("sort rows: join the files of the first level", lambda: join_sorted(parts, files))
    print(
        f"  ({n_files:,} files, {supers.numbers.max() + 1:,} super-partitions, {len(joined.pieces):,} pieces)"
    )
    workers = Workers()
    done = clock(
        "sort rows: send and join the second level",
        lambda: sort_super_partitions(joined, ranges, supers, workers, None, rows_schema()),
    )
    print(f"  ({workers.most_bytes / 1e6:.0f} MB of tasks at a time)")
    return done


def send_tasks(partitions: list[Partition], rows: SortedRows, settings: Settings, output: Output) -> None:
    """Make and pickle the task of each partition."""
    spec = RunSpec(tuple(STAGE_TABLES), settings, SELECTION, EarlierWork(output))
    for number, partition in enumerate(partitions):
        task = task_for(spec, partition, {}, rows.rows_of(number))
        if not len(task.source.pieces) or not pickle.dumps(task):
            raise RuntimeError("a partition has no rows")


def result_of(partition: Partition, settings: Settings) -> PartitionResult:
    """Make up what a worker returns."""
    fingerprints = stage_fingerprints(partition.content, settings)
    rows = SUBJECTS_PER_PARTITION * CLASSIFICATIONS_PER_SUBJECT
    counts = {
        "extract": Counts(
            rows_rejected=0, rows_used=rows, visitor_repeats=0, marks_seen=rows, marks_undecoded=0,
            marks_decoded=rows, marks_rejected=0, marks_assumed_polygons=0, reasons={}, tools=["T0:0"],
        ),
        "reduce": _clustered(rows),
        "contours": _clustered(rows, clusters_thinned=0),
    }  # fmt: skip
    return PartitionResult(
        partition,
        {
            stage: StageRecord(
                fingerprints[stage],
                None,
                counts[stage],
                dict.fromkeys(tables, 100_000),
                dict.fromkeys(tables, rows),
            )
            for stage, tables in STAGE_TABLES.items()
        },
    )


def _clustered(rows: int, **others: int) -> Counts:
    return Counts(
        rows_set_aside=0, rows_excluded=0, marks_rejected=0, marks_not_selected=0, marks_set_aside=0,
        marks_excluded=0, marks_clustered=rows, marks_outliers=0, groups=100, clusters=100,
        groups_too_large=0, **others,
    )  # fmt: skip


def manifest_of(partitions: list[Partition], results: list[PartitionResult], settings: Settings) -> Manifest:
    """Merge the results of all partitions into a manifest."""
    records = merged_records(partitions, results, {}, {})
    n_rows = len(partitions) * SUBJECTS_PER_PARTITION * CLASSIFICATIONS_PER_SUBJECT
    counts = checked_counts(records, n_rows, 0)
    content = merged_content(record.content for record in records)
    merged = {
        stage: StageRecord(
            stage_fingerprints(content, settings)[stage], None, Counts(), dict.fromkeys(tables, 1), {}
        )
        for stage, tables in MERGED_TABLES.items()
        if stage in STAGE_TABLES  # tables that a run makes
    }
    return new_manifest(
        settings,
        records,
        counts,
        sources=("export.csv",),
        versions=("1.1",),
        version_chosen_by="default",
        extraction=settings,
        last_subject=len(partitions) * SUBJECTS_PER_PARTITION - 1,
        merged=merged,
        engines={"reduce": "shapely", "contours": "shapely"},
    )


def stored_parts(manifest: Manifest) -> dict[str, Entry]:
    """Return what a list of all parts in the store contains."""
    records = [(part.name, record) for part in manifest.partitions for record in part.stages.values()]
    records += [(MERGED, record) for record in manifest.merged.values()]
    return {
        key: Entry(record.sizes[table], 0.0)
        for name, record in records
        for table, key in part_keys(record.sizes, name, record).items()
    }


def simulate(n_partitions: int, folder: Path) -> Clock:
    """Run twice with so many partitions; the second time nothing changes."""
    clock, settings = Clock(), Settings(workflow_id=1, engine="shapely")
    output = Output(folder / str(n_partitions))
    frames = censuses(n_partitions * SUBJECTS_PER_PARTITION)
    print(f"{n_partitions:,} partitions, {len(frames):,} splits")
    subjects = clock("merge the censuses of all splits", lambda: merge_censuses(frames))
    partitions = clock("plan the partitions", lambda: plan(subjects, None))
    rows = sort_rows(partitions, len(frames), clock, folder / "rows")
    clock("make the tasks", lambda: send_tasks(partitions, rows, settings, output))
    results = [result_of(partition, settings) for partition in partitions]
    manifest = clock("merge the results", lambda: manifest_of(partitions, results, settings))
    text = clock("write the manifest as text", lambda: manifest_text(manifest))
    size = (len(text.text) + sum(map(len, text.shards.values()))) / 1e6
    print(f"  ({size:.0f} MB in {1 + len(text.shards)} files)")
    clock("publish", lambda: create_version(output, manifest, None))
    before = clock("second run: read the manifest", lambda: read_manifest(output))
    again = clock("second run: plan the partitions", lambda: plan(subjects, before))
    earlier = EarlierWork(output, {record.name: record for record in before.partitions}, stored_parts(before))
    current = clock(
        "second run: decide what is up to date",
        lambda: current_records(RunSpec(tuple(STAGE_TABLES), settings, SELECTION, earlier), again),
    )
    if not all(len(stages) == len(STAGE_TABLES) for stages in current.values()):
        raise RuntimeError("parts that did not change are out of date")
    return clock


def main(arguments: list[str] | None = None) -> int:
    """Simulate, and print the processor time of each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--partitions", type=int, nargs="+", default=[50_000, 500_000])
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="polyframe-driver-") as name:
        for n_partitions in options.partitions:
            clock = simulate(n_partitions, Path(name))
            total = sum(seconds for _, seconds, _ in clock.steps)
            print(f"  {'together':<44}{total:10.2f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
