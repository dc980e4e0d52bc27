"""Fuzz the decoder with almost valid, mutated and hostile cells, and whole runs with exports of such rows.

    python benchmarks/fuzz.py --cases 100000 --seed 1

Nine of ten cases are cells, which are decoded in batches; every tenth is a row of an export for
`polyframe.run`. Exit code 1 if there are findings; the smallest input that reproduces each is saved in the
folder `--findings`.
"""

import argparse
import csv
import faulthandler
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from fuzz_cells import any_cell  # noqa: E402 - the folder of the tests comes first
from fuzz_checks import SETTINGS, check_cells  # noqa: E402
from fuzz_rows import OPTIONS, any_export, check_run  # noqa: E402

CELLS_PER_BATCH = 50
ROWS_PER_EXPORT = (1, 5, 20, 100)
#: Seconds; a cell of some kilobytes, and a run over 200 rows, take a small part of this.
SLOWEST_CELLS, SLOWEST_RUN = 5.0, 30.0
HANGS_AFTER = 120
SECONDS_TO_SHRINK = 60
LONGEST_REAL_CELL = 4000


@dataclass
class Results:
    """The number of cases, and the findings."""

    folder: Path
    cells: int = 0
    rows: int = 0
    runs: int = 0
    slowest: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Path] = field(default_factory=dict)

    def save(self, fault: str, data: bytes, suffix: str, how: Any) -> None:
        """Save an input with a fault, once for each kind of fault."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"finding-{len(self.findings)}{suffix}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{how}\n{fault}\n", encoding="utf-8", errors="replace")
        self.findings[fault] = path
        print(f"{path} ({len(data)} bytes): {fault.splitlines()[0][:200]}", flush=True)


def fault_of(check: Callable[[], Any], slowest: float) -> str:
    """Return the error of a check and where it was raised, or whether it is slow; empty if it is fine."""
    started = time.monotonic()
    try:
        check()
    except Exception as error:
        frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        return f"{type(error).__name__} at {' < '.join(frames[:-4:-1])}\n{str(error)[:500]}"
    seconds = time.monotonic() - started
    return f"slow\n{seconds:.1f} s" if seconds > slowest else ""


def shrink(parts: Sequence[Any], is_bad: Callable[[Sequence[Any]], bool]) -> Sequence[Any]:
    """Return as few of the parts as possible that still have the fault, within a time limit."""
    deadline = time.monotonic() + SECONDS_TO_SHRINK
    size = max(1, len(parts) // 2)
    while time.monotonic() < deadline:
        smaller = (parts[:at] + parts[at + size :] for at in range(0, len(parts), size))
        better = next((s for s in smaller if len(s) < len(parts) and is_bad(s)), None)
        if better is not None:
            parts = better
        elif size == 1:
            break
        size = max(1, min(size if better is not None else size // 2, len(parts) // 2))
    return parts


def fuzz_cells(random: Random, real: Sequence[bytes], results: Results) -> None:
    """Check some cells with one of the settings."""
    settings = random.choice(SETTINGS)
    cells: list[bytes | str] = [any_cell(random, real) for _ in range(CELLS_PER_BATCH)]
    for i, cell in enumerate(cells):
        if random.random() < 0.5 and isinstance(cell, bytes):
            cells[i] = cell.decode("utf-8", "replace")  # as in an export
    results.cells += len(cells)

    def fault(some: Sequence[bytes | str]) -> str:
        return fault_of(lambda: check_cells(some, settings), SLOWEST_CELLS)

    seen = fault(cells)
    if not seen or _kind(seen) in map(_kind, results.findings):
        return
    few = shrink(cells, lambda some: _kind(fault(some)) == _kind(seen))
    if len(few) > 1:
        results.save(seen, repr(few).encode("utf-8", "replace"), ".cells", settings)
        return
    cell = few[0]
    small = shrink(cell, lambda part: _kind(fault([part])) == _kind(seen))
    data = small.encode("utf-8", "replace") if isinstance(small, str) else bytes(small)
    results.save(fault([small]) or seen, data, ".cell", settings)


def fuzz_rows(random: Random, real: Sequence[bytes], results: Results) -> None:
    """Check a run on an export of some rows."""
    size = random.choice(ROWS_PER_EXPORT)
    export, n_rows = any_export(random, size, lambda: any_cell(random, real))
    options = random.choice(OPTIONS)
    results.rows += size
    results.runs += 1

    def fault(text: bytes, rows: int | None) -> tuple[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            refused: list[str] = []
            bad = fault_of(lambda: refused.append(check_run(text, rows, options, Path(folder))), SLOWEST_RUN)
            return bad, refused[0].replace(folder, "") if refused else ""

    seen, refused = fault(export, n_rows)
    results.refused[" ".join(refused.split()[:6]) or "completed"] += 1
    if not seen or _kind(seen) in map(_kind, results.findings):
        return
    lines = export.splitlines(keepends=True)
    few = shrink(lines[1:], lambda some: _kind(fault(lines[0] + b"".join(some), None)[0]) == _kind(seen))
    small = lines[0] + b"".join(few)
    still = fault(small, None)[0]
    results.save(still or seen, small if still else export, ".csv", options)


def _kind(fault: str) -> str:
    return fault.split("\n")[0]


def real_cells() -> list[bytes]:
    """Return the cells of the example in the repository, except for very long ones."""
    with (ROOT / "data" / "classifications.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["annotations"].encode() for row in csv.DictReader(file)]
    return [cell for cell in cells if len(cell) <= LONGEST_REAL_CELL]


def main() -> int:
    """Fuzz, and say what was results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    arguments = parser.parse_args()
    csv.field_size_limit(2**31 - 1)
    results, real = Results(arguments.findings), real_cells()
    with tempfile.TemporaryDirectory() as folder:
        # The first run compiles the kernels, which is slow but not a finding.
        check_run(any_export(Random(0), 20, lambda: b"[]")[0], None, {"workflow_id": 7}, Path(folder))
    started = time.monotonic()
    batch = 0
    while results.cells + results.rows < arguments.cases:
        # Each batch has its own seed, so that a batch that hangs can be repeated.
        random = Random(f"{arguments.seed}/{batch}")
        faulthandler.dump_traceback_later(HANGS_AFTER + 2 * SECONDS_TO_SHRINK, exit=True)
        before = time.monotonic()
        (fuzz_rows if results.rows < results.cells / 9 else fuzz_cells)(random, real, results)
        results.slowest = max(results.slowest, time.monotonic() - before)
        batch += 1
    faulthandler.cancel_dump_traceback_later()
    seconds = time.monotonic() - started
    print(
        f"{results.cells:,} cells and {results.rows:,} rows in {results.runs:,} runs, seed {arguments.seed}, "
        f"{seconds:.0f} s, slowest batch {results.slowest:.1f} s: {len(results.findings)} findings"
    )
    for message, count in results.refused.most_common(12):
        print(f"{count:6} {message}")
    return 1 if results.findings else 0


if __name__ == "__main__":
    sys.exit(main())
