"""Nightly runs on an export that grows, with rows corrected and deleted: each must equal a run from scratch.

    python benchmarks/soak.py                            # ten nights
    python benchmarks/soak.py --nights 3 --subjects 12   # tiny: shows that it works

Every night the output directory is brought up to date. It is then compared with everything made anew within
the same borders (every file, byte for byte), and with a run into a new directory (tables and accounting). It
ends with 1 where anything differs. The seconds are those within one process, start-up not counted.
"""

import argparse
import csv
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.synthetic import SynthOptions, write_export

Row = dict[str, str]

#: Of the subjects, what the first export holds; the others come in evenly.
_FIRST_SHARE = 0.5
#: What changes in a night beside new subjects.
_LATE, _CORRECTED, _DELETED = 5, 3, 1


@dataclass(frozen=True)
class Night:
    """What one night's runs gave.

    Attributes
    ----------
    rows, megabytes : int, float
        Of the export.
    made, partitions : int
        Partitions that were made, and all.
    incremental, full : float
        Seconds to bring the directory up to date, and to make everything in a new one.
    differences : list of str
        What is not as it should be; empty where all is well.
    """

    rows: int
    megabytes: float
    made: int
    partitions: int
    incremental: float
    full: float
    differences: list[str]


def exports(path: Path, subjects: int, nights: int, seed: int) -> Iterator[int]:
    """Write the export of one night after the other to the same file; yields its rows."""
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


def run_night(export: Path, rows: int, folder: Path, **options: Any) -> Night:
    """Bring `folder/out` up to date, and compare it with runs that start from nothing."""
    out, copy, fresh = (folder / name for name in ("out", "forced", "fresh"))
    summary, incremental = _timed(lambda: pf.run(export, out, **options))
    shutil.copytree(out, copy)
    pf.run(export, copy, force=True, **options)
    _, full = _timed(lambda: pf.run(export, fresh, **options))
    differences = [*_different_files(out, copy), *_different_tables(out, fresh)]
    shutil.rmtree(copy)
    shutil.rmtree(fresh)
    size = export.stat().st_size / 1e6
    return Night(rows, size, summary.made, summary.partitions, incremental, full, differences)


def main(arguments: list[str] | None = None) -> int:
    """Run all nights; 0 where all went well, 1 where results differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--subjects", type=int, default=400, help="subjects of the last export")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["auto", "compiled", "shapely"], default="auto")
    given = parser.parse_args(arguments)
    failed = False
    print("night   rows      MB   partitions done   incremental s   full s")
    with tempfile.TemporaryDirectory(prefix="polyframe-soak-") as name:
        folder = Path(name)
        _warm_up(folder, given.engine)
        export = folder / "classifications.csv"
        for number, rows in enumerate(exports(export, given.subjects, given.nights, given.seed), 1):
            night = run_night(export, rows, folder, engine=given.engine, partition_size=1)
            failed = failed or bool(night.differences)
            made = f"{night.made} of {night.partitions}"
            times = f"{night.incremental:13.2f} {night.full:8.2f}"
            print(f"{number:5} {rows:6} {night.megabytes:7.1f}   {made:>15}   {times}", flush=True)
            for difference in night.differences:
                print(f"!!! night {number}: {difference}", file=sys.stderr)
    print("RESULTS DIFFER" if failed else "every night equals a run from scratch")
    return int(failed)


def _arrivals(rows: list[Row], subjects: int, nights: int, chance: random.Random) -> list[list[Row]]:
    """Share rows out to nights: a subject's rows come together, but for some a night later."""
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
    """Change some rows in place, each in another way."""
    changes: list[Callable[[Row, Row], Row]] = [
        lambda row, other: row | {"annotations": other["annotations"]},
        lambda row, other: row | {"user_name": other["user_name"]},
        lambda row, other: row | {"created_at": other["created_at"]},
        lambda row, other: row | {"subject_ids": other["subject_ids"]},
        lambda row, _: row | {"annotations": ""},
        lambda row, _: row | {"classification_id": "lost"},
        # A second row with an id that is there: which of them counts goes by their order.
        lambda row, other: other | {"annotations": row["annotations"]},
    ]
    for change in chance.sample(changes, _CORRECTED):
        position = chance.randrange(len(export))
        export[position] = change(export[position], chance.choice(export))


def _different_files(out: Path, copy: Path) -> Iterator[str]:
    ours, theirs = (
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (out, copy)
    )
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield f"{name} differs from that of a forced run"


def _different_tables(out: Path, fresh: Path) -> Iterator[str]:
    for name in TABLES:
        if not pf.scan(out, name).collect().equals(pf.scan(fresh, name).collect()):
            yield f"the table {name} differs from that of a run into a new directory"
    ours, theirs = (
        json.loads((folder / "polyframe.json").read_text(encoding="utf-8"))["accounting"]
        for folder in (out, fresh)
    )
    if ours != theirs:
        yield "the accounting differs from that of a run into a new directory"


def _timed(work: Callable[[], pf.Summary]) -> tuple[pf.Summary, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _warm_up(folder: Path, engine: Any) -> None:
    """Load and compile what the first run of a process loads and compiles."""
    write_export(folder / "warm-up.csv", SynthOptions(subjects=2))
    pf.run(folder / "warm-up.csv", folder / "warm-up", engine=engine)


if __name__ == "__main__":
    raise SystemExit(main())
