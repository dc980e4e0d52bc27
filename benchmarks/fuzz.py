"""Fuzz the readers with nearly right, mutated and hostile cells, and whole runs with exports of such rows.

    python benchmarks/fuzz.py --cases 100000 --seed 1

Nine cases in ten are cells, decoded a few at a time; every tenth is a row of an export that `polyframe.run`
works through. Exit code 1 where anything was found; the smallest input that shows it is saved in the folder
`--findings`.
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

CELLS_AT_ONCE = 50
ROWS_AT_ONCE = (1, 5, 20, 100)
#: A single cell of a few kilobytes, and a run over 200 rows, take a small part of this.
SLOWEST_CELLS, SLOWEST_RUN = 5.0, 30.0
HANGS_AFTER = 120
SECONDS_TO_SHRINK = 60
LONGEST_REAL_CELL = 4000


@dataclass
class Found:
    """What was tried and found."""

    folder: Path
    cells: int = 0
    rows: int = 0
    runs: int = 0
    slowest: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Path] = field(default_factory=dict)

    def save(self, trouble: str, data: bytes, suffix: str, how: Any) -> None:
        """Save an input that gives trouble, once for each kind of trouble."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"finding-{len(self.findings)}{suffix}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{how}\n{trouble}\n", encoding="utf-8", errors="replace")
        self.findings[trouble] = path
        print(f"{path} ({len(data)} bytes): {trouble.splitlines()[0][:200]}", flush=True)


def trouble_of(check: Callable[[], Any], slowest: float) -> str:
    """Return what is wrong, with where it happened; empty where nothing is."""
    started = time.monotonic()
    try:
        check()
    except Exception as error:
        frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        return f"{type(error).__name__} at {' < '.join(frames[:-4:-1])}\n{str(error)[:500]}"
    seconds = time.monotonic() - started
    return f"slow\n{seconds:.1f} s" if seconds > slowest else ""


def shrink(parts: Sequence[Any], still_bad: Callable[[Sequence[Any]], bool]) -> Sequence[Any]:
    """Return as few of the parts as still show the trouble, as far as the time goes."""
    deadline = time.monotonic() + SECONDS_TO_SHRINK
    size = max(1, len(parts) // 2)
    while time.monotonic() < deadline:
        smaller = (parts[:at] + parts[at + size :] for at in range(0, len(parts), size))
        better = next((s for s in smaller if len(s) < len(parts) and still_bad(s)), None)
        if better is not None:
            parts = better
        elif size == 1:
            break
        size = max(1, min(size if better is not None else size // 2, len(parts) // 2))
    return parts


def fuzz_cells(random: Random, real: Sequence[bytes], found: Found) -> None:
    """Check some cells under one of the settings."""
    settings = random.choice(SETTINGS)
    cells: list[bytes | str] = [any_cell(random, real) for _ in range(CELLS_AT_ONCE)]
    for i, cell in enumerate(cells):
        if random.random() < 0.5 and isinstance(cell, bytes):
            cells[i] = cell.decode("utf-8", "replace")  # as from an export
    found.cells += len(cells)

    def trouble(some: Sequence[bytes | str]) -> str:
        return trouble_of(lambda: check_cells(some, settings), SLOWEST_CELLS)

    seen = trouble(cells)
    if not seen or _kind(seen) in map(_kind, found.findings):
        return
    few = shrink(cells, lambda some: _kind(trouble(some)) == _kind(seen))
    if len(few) > 1:
        found.save(seen, repr(few).encode("utf-8", "replace"), ".cells", settings)
        return
    cell = few[0]
    small = shrink(cell, lambda part: _kind(trouble([part])) == _kind(seen))
    data = small.encode("utf-8", "replace") if isinstance(small, str) else bytes(small)
    found.save(trouble([small]) or seen, data, ".cell", settings)


def fuzz_rows(random: Random, real: Sequence[bytes], found: Found) -> None:
    """Check a run over an export of some rows."""
    size = random.choice(ROWS_AT_ONCE)
    export, n_rows = any_export(random, size, lambda: any_cell(random, real))
    options = random.choice(OPTIONS)
    found.rows += size
    found.runs += 1

    def trouble(text: bytes, rows: int | None) -> tuple[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            refused: list[str] = []
            bad = trouble_of(
                lambda: refused.append(check_run(text, rows, options, Path(folder))), SLOWEST_RUN
            )
            return bad, refused[0].replace(folder, "") if refused else ""

    seen, refused = trouble(export, n_rows)
    found.refused[" ".join(refused.split()[:6]) or "worked through"] += 1
    if not seen or _kind(seen) in map(_kind, found.findings):
        return
    lines = export.splitlines(keepends=True)
    few = shrink(lines[1:], lambda some: _kind(trouble(lines[0] + b"".join(some), None)[0]) == _kind(seen))
    small = lines[0] + b"".join(few)
    still = trouble(small, None)[0]
    found.save(still or seen, small if still else export, ".csv", options)


def _kind(trouble: str) -> str:
    return trouble.split("\n")[0]


def real_cells() -> list[bytes]:
    """Return the cells of the example in the repository, but the very long ones."""
    with (ROOT / "data" / "classifications.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["annotations"].encode() for row in csv.DictReader(file)]
    return [cell for cell in cells if len(cell) <= LONGEST_REAL_CELL]


def main() -> int:
    """Fuzz, and say what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    arguments = parser.parse_args()
    csv.field_size_limit(2**31 - 1)
    found, real = Found(arguments.findings), real_cells()
    with tempfile.TemporaryDirectory() as folder:
        # The first run ever compiles the kernels, which is slow and no finding.
        check_run(any_export(Random(0), 20, lambda: b"[]")[0], None, {"workflow_id": 7}, Path(folder))
    started = time.monotonic()
    batch = 0
    while found.cells + found.rows < arguments.cases:
        # Each batch has a seed of its own: what hangs is said by its number, and comes again with it.
        random = Random(f"{arguments.seed}/{batch}")
        faulthandler.dump_traceback_later(HANGS_AFTER + 2 * SECONDS_TO_SHRINK, exit=True)
        before = time.monotonic()
        (fuzz_rows if found.rows < found.cells / 9 else fuzz_cells)(random, real, found)
        found.slowest = max(found.slowest, time.monotonic() - before)
        batch += 1
    faulthandler.cancel_dump_traceback_later()
    seconds = time.monotonic() - started
    print(
        f"{found.cells:,} cells and {found.rows:,} rows in {found.runs:,} runs, seed {arguments.seed}, "
        f"{seconds:.0f} s, slowest batch {found.slowest:.1f} s: {len(found.findings)} findings"
    )
    for message, count in found.refused.most_common(12):
        print(f"{count:6} {message}")
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
