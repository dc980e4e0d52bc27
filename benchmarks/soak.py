"""Run nightly on an export that grows and has rows corrected and deleted; compare with runs from scratch.

    python benchmarks/soak.py                            # ten nights
    python benchmarks/soak.py --place s3                 # on an S3 server of this computer
    python benchmarks/soak.py --nights 3 --subjects 12   # tiny: shows that it works

Every night the output directory is updated. It is then compared with a rebuild of everything with the same
borders (every part, byte for byte), and with a run into a new directory (tables and accounting). Exit code 1
if anything differs. Times are measured in one process, without start-up.
"""

import argparse
import csv
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import places

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.synthetic import SynthOptions, write_export

Row = dict[str, str]

#: Share of the subjects in the first export; the others arrive evenly.
_FIRST_SHARE = 0.5
#: Rows that arrive late, are corrected and are deleted in a night.
_LATE, _CORRECTED, _DELETED = 5, 3, 1


@dataclass(frozen=True)
class Night:
    """Results of one night.

    Attributes
    ----------
    rows, megabytes : int, float
        Size of the export.
    rebuilt, partitions : int
        Partitions that were rebuilt, and all.
    incremental, full : float
        Seconds to update the directory, and to run into a new one.
    differences : list of str
        Differences from a run from scratch.
    """

    rows: int
    megabytes: float
    rebuilt: int
    partitions: int
    incremental: float
    full: float
    differences: list[str]


def exports(path: Path, subjects: int, nights: int, seed: int) -> Iterator[int]:
    """Write the export of each night to the same file; yield its number of rows."""
    whole = path.with_name("whole.csv")
    options = SynthOptions(subjects=subjects, volunteers=12, seed=seed, slips=0.01, order="time")
    write_export(whole, options)
    with whole.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names, rows = list(reader.fieldnames or ()), list(reader)
    whole.unlink()
    chance = random.Random(seed)
    arriving = _arrivals(rows, subjects, nights, chance)
    export: list[Row] = []
    for night in range(nights):
        if night:
            _correct(export, chance)
            for _ in range(_DELETED):
                del export[chance.randrange(len(export))]
        export += arriving[night]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(export)
        yield len(export)


def run_night(
    export: Path, rows: int, place_named: Callable[[str], Any], number: int, **options: Any
) -> Night:
    """Update the output of the nights before, and compare it with runs from scratch."""
    out, fresh = place_named("out"), place_named(f"fresh {number}")
    summary, incremental = _timed(lambda: pf.run(export, out, **options))
    updated = places.parts_of(out)
    pf.run(export, out, force=True, **options)
    _, full = _timed(lambda: pf.run(export, fresh, **options))
    differences = [*_different_parts(updated, places.parts_of(out)), *_different_tables(out, fresh)]
    size = export.stat().st_size / 1e6
    return Night(rows, size, summary.made, summary.partitions, incremental, full, differences)


def main(arguments: list[str] | None = None) -> int:
    """Run all nights; return 1 if results differ, otherwise 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--subjects", type=int, default=400, help="subjects of the last export")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["auto", "compiled", "shapely"], default="auto")
    parser.add_argument("--place", choices=places.KINDS, default="local")
    options = parser.parse_args(arguments)
    failed = False
    print("night   rows      MB   rebuilt parts     incremental s   full s")
    with (
        tempfile.TemporaryDirectory(prefix="polyframe-soak-") as name,
        places.outputs(options.place, Path(name)) as place_named,
    ):
        folder = Path(name)
        _warm_up(folder, options.engine)
        export = folder / "classifications.csv"
        for number, rows in enumerate(exports(export, options.subjects, options.nights, options.seed), 1):
            night = run_night(export, rows, place_named, number, engine=options.engine, partition_size=1)
            failed = failed or bool(night.differences)
            rebuilt = f"{night.rebuilt} of {night.partitions}"
            times = f"{night.incremental:13.2f} {night.full:8.2f}"
            print(f"{number:5} {rows:6} {night.megabytes:7.1f}   {rebuilt:>15}   {times}", flush=True)
            for difference in night.differences:
                print(f"!!! night {number}: {difference}", file=sys.stderr)
    print("RESULTS DIFFER" if failed else "every night equals a run from scratch")
    return int(failed)


def _arrivals(rows: list[Row], subjects: int, nights: int, chance: random.Random) -> list[list[Row]]:
    """Distribute rows over nights: those of a subject arrive together, except for some a night later."""
    numbers = {subject: k for k, subject in enumerate(sorted({row["subject_ids"] for row in rows}, key=int))}
    first = int(subjects * _FIRST_SHARE)
    nightly: list[list[Row]] = [[] for _ in range(nights)]
    for row in rows:
        later = max(numbers[row["subject_ids"]] - first, -1) + 1
        night = -(-later * (nights - 1) // max(subjects - first, 1))
        nightly[night].append(row)
    late: list[list[Row]] = [[] for _ in range(nights)]
    for night in range(nights - 1):
        for _ in range(min(_LATE, len(nightly[night]) // 2)):
            late[night + 1].append(nightly[night].pop(chance.randrange(len(nightly[night]))))
    return [[*rows_of_night, *late[night]] for night, rows_of_night in enumerate(nightly)]


def _correct(export: list[Row], chance: random.Random) -> None:
    """Change some rows in place, each in a different way."""
    changes: list[Callable[[Row, Row], Row]] = [
        lambda row, other: row | {"annotations": other["annotations"]},
        lambda row, other: row | {"user_name": other["user_name"]},
        lambda row, other: row | {"created_at": other["created_at"]},
        lambda row, other: row | {"subject_ids": other["subject_ids"]},
        lambda row, _: row | {"annotations": ""},
        lambda row, _: row | {"classification_id": "lost"},
        # A second row with an existing id: their order decides which one counts.
        lambda row, other: other | {"annotations": row["annotations"]},
    ]
    for change in chance.sample(changes, _CORRECTED):
        position = chance.randrange(len(export))
        export[position] = change(export[position], chance.choice(export))


def _different_parts(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield f"{name} differs from that of a forced run"


def _different_tables(out: Any, fresh: Any) -> Iterator[str]:
    for name in TABLES:
        if not pf.scan(out, name).collect().equals(pf.scan(fresh, name).collect()):
            yield f"the table {name} differs from that of a run into a new directory"
    if pf.status(out).accounting != pf.status(fresh).accounting:
        yield "the accounting differs from that of a run into a new directory"


def _timed(work: Callable[[], pf.Summary]) -> tuple[pf.Summary, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _warm_up(folder: Path, engine: Any) -> None:
    """Let the first run of a process load libraries and compile functions."""
    write_export(folder / "warm-up.csv", SynthOptions(subjects=2))
    pf.run(folder / "warm-up.csv", folder / "warm-up", engine=engine)


if __name__ == "__main__":
    raise SystemExit(main())
