"""Simulate what the process of a run does itself, with many partitions whose work is done elsewhere.

    python benchmarks/driver.py                      # 50,000 and 500,000 partitions
    python benchmarks/driver.py --partitions 200     # tiny: shows that it works

No rows are read and no parts are written: the census of each split and the result of each partition are made
up, everything else is the code of the package. Steps: merge the censuses of all splits, plan the partitions,
decide what is up to date, make the tasks, merge the results, write the manifest and publish it; then the same
for a second run in which nothing changed. The store is a local folder for the manifests, and a dictionary for
the list of parts, since half a million partitions have 4.5 million of them.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from polyframe.core.settings import Settings
from polyframe.pipeline.merge_records import checked_counts, merged_records
from polyframe.pipeline.partition_task import PartitionResult
from polyframe.pipeline.partitions import Border, Partition, partitions_of, plan_borders
from polyframe.store.current_parts import EarlierWork, current_stages
from polyframe.store.fingerprints import merged_content, stage_fingerprints
from polyframe.store.manifest import Manifest, StageRecord, new_manifest
from polyframe.store.manifest_text import manifest_text
from polyframe.store.objects import Entry
from polyframe.store.output import MERGED, Output, part_keys
from polyframe.store.run_counts import Counts
from polyframe.store.stages import MERGED_TABLES, STAGE_TABLES
from polyframe.store.versions import create_version, read_manifest

SUBJECTS_PER_PARTITION = 100
CLASSIFICATIONS_PER_SUBJECT = 20
BYTES_PER_CLASSIFICATION = 4_000
#: Splits overlap at a subject now and then, as exports in the order of time do.
SUBJECTS_PER_SPLIT = 3_200

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
        lambda: [up_to_date(partition, settings, earlier) for partition in again],
    )
    if not all(len(stages) == len(STAGE_TABLES) for stages in current):
        raise RuntimeError("parts that did not change are out of date")
    return clock


def up_to_date(partition: Partition, settings: Settings, earlier: EarlierWork) -> dict[str, Any]:
    """Return the stages of a partition that are up to date."""
    fingerprints = stage_fingerprints(partition.content, settings)
    return current_stages(partition.name, fingerprints, "", tuple(STAGE_TABLES), earlier)


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
