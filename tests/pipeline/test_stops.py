"""Runs that were killed or stopped can be continued, and readers never see incomplete tables."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from footers import settings_in
from run_processes import (
    ENGINE,
    PARTITION_BYTES,
    Process,
    begun,
    error_line,
    outcome,
    small_export,
    start,
    wait_for,
)
from stores import leftovers, published, unneeded

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.pipeline import plan
from polyframe.store.output import STORE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX process groups")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    return small_export(tmp_path / "export.csv")


@pytest.fixture
def expected(small: Path, tmp_path: Path) -> dict[str, bytes]:
    """Files of an uninterrupted run."""
    pf.run(small, tmp_path / "expected", engine="shapely", jobs=1)
    return published(tmp_path / "expected")


def kill(process: Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_run_that_is_killed_repeatedly(
    backend: str, small: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("run", small, "-o", out, *ENGINE, "--jobs", 2)
    random_numbers = random.Random(5)
    # In the first partition, in a later one, and shortly afterwards. Two partitions pause, since the other
    # worker would finish the later one in the meantime.
    for partition, other in (("00000", "00001"), ("00002", "00003")):
        process = start(*arguments, backend=backend, pause={partition: 60, other: 60})
        wait_for(begun(out, partition))
        time.sleep(random_numbers.random() / 5)
        kill(process)
        assert not (out / "labels").exists()
    pf.run(small, out, engine="shapely", jobs=1)
    assert published(out) == expected


@pytest.mark.parametrize("number", [2, 30, 44])
def test_a_run_that_is_killed_at_a_rename(
    number: int, small: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, _ = outcome(start("run", small, "-o", out, *ENGINE, "--jobs", 1, kill_at=number))
    assert code == -signal.SIGKILL
    pf.run(small, out, engine="shapely", jobs=1)
    assert published(out) == expected


@pytest.mark.parametrize(
    ("number", "whole_group", "backend"),
    [
        (signal.SIGINT, True, "loky"),
        (signal.SIGTERM, False, "loky"),
        (signal.SIGINT, True, "threading"),
        (signal.SIGTERM, False, None),
    ],
)
def test_a_run_that_receives_a_signal(
    number: signal.Signals,
    whole_group: bool,
    backend: str | None,
    small: Path,
    expected: dict[str, bytes],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    jobs = 2 if backend else 1
    process = start("run", small, "-o", out, *ENGINE, "--jobs", jobs, backend=backend, pause={"00003": 60})
    wait_for(begun(out, "00003"))
    wait_for(lambda: list((out / STORE / "parts" / "contours").glob("part=00000/[!.]*")))
    (os.killpg if whole_group else os.kill)(process.pid, number)
    sent = time.monotonic()
    code, errors = outcome(process)
    assert time.monotonic() - sent < 10
    assert code == 128 + number
    assert error_line(errors).startswith("polyframe: error: stopped; ")
    assert "run the same command to continue" in errors
    wait_for(lambda: not workers_of(process))
    assert leftovers(out) == []
    summary = pf.run(small, out, engine="shapely", jobs=1)
    assert summary.made < summary.partitions
    assert published(out) == expected


def test_a_thread_pool_ends_with_the_process_without_warnings() -> None:
    """Python warns at exit if processes are not forked: on a Mac, or since Python 3.14."""
    code = (
        "import multiprocessing, multiprocessing.pool\n"
        "from polyframe.cli import signals\n"
        "multiprocessing.set_start_method('spawn')\n"
        "pool = multiprocessing.pool.ThreadPool(2)\n"
        "signals.exit_now(15, lambda code: print('stopped', code))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "stopped 143\n", "")


def workers_of(process: Process) -> list[int]:
    """Return the running processes of a process group."""
    if not sys.platform.startswith("linux"):
        return []
    processes = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(group) == process.pid and state != "Z":
            processes.append(int(entry.name))
    return processes


def test_code_that_ignores_signals_is_ended(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("run", small, "-o", out, *ENGINE, "--jobs", 1, ignore_signals={"00002": 60})
    wait_for(begun(out, "00002"))
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    code, errors = outcome(process)
    assert time.monotonic() - sent < 10
    assert code == 128 + signal.SIGTERM
    line = error_line(errors)
    assert "stopped; 10 of 20 rows are finished; run the same command to continue" in line
    assert leftovers(out) == []


def test_workers_end_when_their_run_is_killed(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("run", small, "-o", out, *ENGINE, "--jobs", 2, backend="loky", pause={"*": 60})
    wait_for(begun(out, "00000"))
    assert len(workers_of(process)) > 2 or not sys.platform.startswith("linux")
    process.kill()
    process.wait()
    wait_for(lambda: not workers_of(process), 10)
    process.communicate()


@pytest.mark.slow
def test_readers_see_one_set_of_settings(small: Path, tmp_path: Path) -> None:
    """While runs alternate between two settings, every table is complete and of one of them."""
    out = tmp_path / "out"
    expected = {}
    for eps in (0.5, 0.2):
        pf.run(small, out, engine="shapely", jobs=1, eps=eps)
        expected[eps] = {table: pf.scan(out, table).collect() for table in TABLES}
    assert not expected[0.5]["labels"].equals(expected[0.2]["labels"])
    ended = threading.Event()
    wrong: list[str] = []
    n_checks = dict.fromkeys(TABLES, 0)

    def read(check: Callable[[str], str | None]) -> None:
        while not ended.is_set():
            for table in TABLES:
                try:
                    fault = check(table)
                except Exception as error:
                    fault = repr(error)
                if fault:
                    wrong.append(f"{table}: {fault}")
                n_checks[table] += 1

    def by_scan(table: str) -> str | None:
        lazy = pf.scan(out, table)
        time.sleep(0.01)
        rows = lazy.collect()
        is_one = any(rows.equals(tables[table]) for tables in expected.values())
        return None if is_one else "scan gives a mix"

    def by_footers(table: str) -> str | None:
        # List the same folder even if another one has its name by now.
        folder = os.open(out / table, os.O_RDONLY)
        try:
            opened = Path(f"/proc/self/fd/{folder}")
            settings = settings_in(opened)
        except FileNotFoundError:
            # It was replaced and removed between listing and opening.
            return None
        finally:
            os.close(folder)
        return None if len(settings) == 1 else f"{len(settings)} settings in one folder"

    checks = [by_scan, by_footers] if sys.platform.startswith("linux") else [by_scan]
    readers = [threading.Thread(target=read, args=(check,)) for check in checks]
    for reader in readers:
        reader.start()
    for turn in range(8):
        pf.run(small, out, engine="shapely", jobs=1, eps=(0.5, 0.2)[turn % 2])
    ended.set()
    for reader in readers:
        reader.join()
    assert not wrong, wrong[:3]
    assert min(n_checks.values()) > 8
    assert leftovers(out) == []
    assert unneeded(out) == set()
