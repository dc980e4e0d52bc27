"""Let several writers publish versions while readers read: one winner for each version, and no mix of them.

    python benchmarks/races.py                         # 1,000 reads each on a local disk, in memory and on S3
    python benchmarks/races.py --reads 20 --places s3  # tiny: shows that it works

Writers and readers are processes, or threads in memory. Every writer bases its version on the newest one that
it sees, writes new parts of three tables, and publishes them; if another writer was first, it tries again.
Readers open the newest version and read a part of each table: all must be of that version. At the end the
numbers of the versions must have no gap, and every version must be the work of the one writer that was told
so. Exit code 1 if anything differs.
"""

import argparse
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import places

import polyframe as pf
from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import place_of
from polyframe.core.tables import STORED_TABLES
from polyframe.store.manifest import Manifest, StageRecord
from polyframe.store.output import Output, part_key
from polyframe.store.part_files import Origin, PartFile, read_origin, write_part
from polyframe.store.run_counts import Counts
from polyframe.store.stages import STAGE_TABLES
from polyframe.store.versions import create_version, read_manifest, table_parts, version_numbers
from polyframe.synthetic import SynthOptions, write_export

WRITERS = 2
READERS = 2
STAGE = "extract"


@dataclass(frozen=True)
class Reads:
    """What a reader saw: versions by number, and mixtures of versions."""

    numbers: Counter[int]
    mixtures: list[str]


def write_versions(place: Any, seconds: float, least: int) -> list[tuple[int, str]]:
    """Publish versions for some seconds, and at least so many; return their numbers and fingerprints."""
    output, published, attempts = Output(place_of(place, "place")), [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(published) < least:
        attempts += 1
        before = read_manifest(output)
        fingerprint = uuid.uuid4().hex
        try:
            published.append(
                (create_version(output, changed(output, before, fingerprint), before).number, fingerprint)
            )
        except PolyframeError as error:
            if "before this one" not in str(error):
                raise
    return published


def changed(output: Output, before: Manifest, fingerprint: str) -> Manifest:
    """Write new parts of the extraction of the first partition; return the manifest that names them."""
    first, *others = before.partitions
    origin = Origin({}, fingerprint, None, Counts())
    sizes, rows = {}, {}
    for table in STAGE_TABLES[STAGE]:
        part = PartFile(output.objects, part_key(table, first.name, origin))
        written = write_part(STORED_TABLES[table].empty(), part, STORED_TABLES[table], origin)
        sizes[table], rows[table] = written.size, written.rows
    record = StageRecord(fingerprint, None, first.stages[STAGE].counts, sizes, rows)
    new = msgspec.structs.replace(first, stages={**first.stages, STAGE: record})
    return msgspec.structs.replace(before, partitions=(new, *others))


def read_versions(place: Any, reads: int) -> Reads:
    """Read the newest version so many times."""
    output, numbers, mixtures = Output(place_of(place, "place")), Counter[int](), []
    for _ in range(reads):
        manifest = read_manifest(output)
        expected = manifest.partitions[0].stages[STAGE].fingerprint
        seen = {}
        for table in STAGE_TABLES[STAGE]:
            part = next(iter(table_parts(output, manifest, table).values()))
            origin = read_origin(part)
            seen[table] = origin.fingerprint if origin else "missing or damaged"
        if set(seen.values()) != {expected}:
            mixtures.append(f"version {manifest.number}: expected {expected}, read {seen}")
        numbers[manifest.number] += 1
    return Reads(numbers, mixtures)


def race(place: Any, pool: Callable[[], Executor], seconds: float, reads: int) -> list[str]:
    """Run writers and readers at the same time; return what is wrong, and print what happened."""
    began = time.monotonic()
    with pool() as workers:
        writers = [workers.submit(write_versions, place, seconds, 3) for _ in range(WRITERS)]
        readers = [workers.submit(read_versions, place, -(-reads // READERS)) for _ in range(READERS)]
        published = [version for writer in writers for version in writer.result()]
        read = [reader.result() for reader in readers]
    problems = [mixture for reader in read for mixture in reader.mixtures]
    problems += wrong_versions(place, published)
    n_read = sum(reader.numbers.total() for reader in read)
    n_versions = len(set().union(*(reader.numbers for reader in read)))
    print(
        f"{place}: {len(published)} versions by {WRITERS} writers, {n_read} reads of {n_versions} versions, "
        f"{len(problems)} problems, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return problems


def wrong_versions(place: Any, published: Sequence[tuple[int, str]]) -> list[str]:
    """Compare the versions that are there with those that writers say they published."""
    output = Output(place_of(place, "place"))
    problems = []
    numbers = version_numbers(output)
    if numbers != list(range(1, len(numbers) + 1)):
        problems.append(f"numbers of versions: {numbers}")
    claimed = Counter(number for number, _ in published)
    problems += [f"version {number} has {count} winners" for number, count in claimed.items() if count > 1]
    if sorted(claimed) != numbers[1:]:
        problems.append(f"versions {sorted(claimed)} were published, {numbers[1:]} are there")
    for number, fingerprint in published:
        if read_manifest(output, number).partitions[0].stages[STAGE].fingerprint != fingerprint:
            problems.append(f"version {number} is not that of its winner")
    return problems


def main(arguments: list[str] | None = None) -> int:
    """Race in each kind of place; return 1 if anything is wrong, otherwise 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reads", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--places", nargs="+", choices=places.KINDS, default=list(places.KINDS))
    options = parser.parse_args(arguments)
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="polyframe-races-") as name:
        export = Path(name) / "export.csv"
        write_export(export, SynthOptions(subjects=3, volunteers=3))
        for kind in options.places:
            with places.outputs(kind, Path(name)) as place_named:
                place = place_named("out")
                pf.extract(export, output=place, say=lambda _: None)

                def processes() -> Executor:
                    return ProcessPoolExecutor(WRITERS + READERS, mp_context=get_context("spawn"))

                def threads() -> Executor:
                    return ThreadPoolExecutor(WRITERS + READERS)

                problems += race(
                    place, threads if kind == "memory" else processes, options.seconds, options.reads
                )
    for problem in problems:
        print(f"!!! {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
