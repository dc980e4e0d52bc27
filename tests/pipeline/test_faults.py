"""Faults during a run: one line says what went wrong and where, and earlier output is unchanged."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exports import ROOT, Done
from run_processes import (
    ENGINE,
    PARTITION_BYTES,
    begun,
    error_line,
    outcome,
    small_export,
    start,
    wait_for,
)
from stores import leftovers, published, stored

import polyframe as pf
from polyframe.pipeline import plan, run
from polyframe.store import publishing
from polyframe.store.output import WORK

Call = Callable[..., Done]
HERE = (*ENGINE, "--jobs", "1")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    return small_export(tmp_path / "export.csv")


@pytest.fixture
def finished(small: Path, tmp_path: Path, polyframe: Call) -> Path:
    """An output directory with several partitions."""
    out = tmp_path / "out"
    assert polyframe("run", small, "-o", out, *HERE).code == 0
    assert len(list((out / "labels").iterdir())) == 4
    return out


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount the little file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk(small: Path, tmp_path: Path, small_disk: Path, polyframe: Call) -> None:
    """With more and more space the run gets further; the tables change only when there is enough."""
    out = small_disk / "out"
    assert polyframe("run", small, "-o", out, *HERE).code == 0
    old = published(out)
    assert polyframe("run", small, "-o", tmp_path / "expected", "--eps", 0.2, *HERE).code == 0
    filling = small_disk / "filling"
    page = 4096
    errors = []
    for pages in range(100):
        with filling.open("wb") as file:
            free = shutil.disk_usage(small_disk).free
            file.write(bytes(free - pages * page))
        done = polyframe("run", small, "-o", out, "--eps", 0.2, "--force", *HERE)
        filling.unlink()
        if done.code == 0:
            break
        assert done.code == 1
        line = error_line(done.err)
        assert "No space left on device" in line
        assert str(out) in line
        # Without room for the links of the view, the new version is published all the same.
        assert published(out) == old or pf.status(out).settings["eps"] == 0.2
        assert leftovers(out) == []
        errors.append(line)
    assert published(out) == published(tmp_path / "expected")
    for name in ("rows/", "part="):
        assert any(name in line for line in errors), name


def test_a_disk_that_is_full_before_publishing(
    small: Path, small_disk: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, filling = small_disk / "out", small_disk / "filling"
    assert polyframe("run", small, "-o", out, *HERE).code == 0
    old = published(out)
    publish = publishing.publish

    def without_room(*arguments: Any) -> None:
        filling.write_bytes(bytes(shutil.disk_usage(small_disk).free))
        publish(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(run, "publish", without_room)
        done = polyframe("run", small, "-o", out, "--eps", 0.2, *HERE)
    assert done.code == 1
    assert "00000002.json: cannot be written (No space left on device)" in error_line(done.err)
    assert published(out) == old
    assert leftovers(out) == []
    filling.unlink()
    assert "0 of 4 partitions processed" in polyframe("run", small, "-o", out, "--eps", 0.2, *HERE).out


def test_a_read_only_file_system(small: Path, small_disk: Path, polyframe: Call) -> None:
    out = small_disk / "out"
    assert polyframe("run", small, "-o", out, *HERE).code == 0
    old = published(out)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for arguments in (["run", small, "-o", out, "--eps", 0.2], ["reduce", out, "--eps", 0.2]):
        done = polyframe(*arguments, *HERE)
        assert done.code == 1
        assert f"{out}: cannot be written (Read-only file system)" in error_line(done.err)
    assert published(out) == old
    assert pf.scan(out, "labels").collect().height == 20


def test_permission_denied(small: Path, finished: Path) -> None:
    # Root may write everywhere unless it drops that right.
    before = []
    if os.name == "nt" or os.geteuid() == 0:
        before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None or subprocess.run([*before, "true"]).returncode:
            pytest.skip("root cannot drop its rights here (setpriv)")
    old = published(finished)
    finished.chmod(0o500)
    code, errors = outcome(start("run", small, "-o", finished, "--eps", 0.2, *HERE, before=before))
    finished.chmod(0o700)
    assert code == 1
    assert f"{finished}: cannot be written (Permission denied); name another directory" in error_line(errors)
    assert published(finished) == old


def test_the_export_is_deleted_during_the_run(small: Path, finished: Path) -> None:
    old = published(finished)
    small_export(small, 5)
    code, errors = outcome(start("run", small, "-o", finished, *HERE, delete=str(small)))
    assert code == 1
    assert f"{small}: disappeared during the run; restore it and run the command again" in error_line(errors)
    assert published(finished) == old


def test_the_export_is_written_to_during_the_run(
    small: Path, finished: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = published(finished)
    small_export(small, 5)
    original = run.scan_export

    def scan_export(*arguments: Any) -> Any:
        scan = original(*arguments)
        small_export(small, 6)
        return scan

    with monkeypatch.context() as patched:
        patched.setattr(run, "scan_export", scan_export)
        done = polyframe("run", small, "-o", finished, *HERE)
    assert done.code == 1
    assert f"{small}: changed during the run; run the command again" in error_line(done.err)
    assert published(finished) == old


@pytest.mark.parametrize("fault", ["missing", "truncated"])
def test_a_damaged_part(fault: str, small: Path, finished: Path, polyframe: Call) -> None:
    whole = published(finished)
    part = stored(finished, "extractions", "00001")
    if fault == "missing":
        part.unlink()
    else:
        # The file in the view is the same.
        part.write_bytes(part.read_bytes()[:-100])
    old = published(finished)
    done = polyframe("reduce", finished, "--eps", 0.2, *HERE)
    assert done.code == 1
    assert f"{part}: is missing or damaged; rebuild it with `polyframe run --force`" in error_line(done.err)
    assert published(finished) == old
    assert leftovers(finished) == []
    assert polyframe("run", small, "-o", finished, *HERE).code == 0
    assert published(finished) == whole


@pytest.mark.slow
def test_a_worker_is_killed_once(small: Path, finished: Path, tmp_path: Path) -> None:
    out, once = tmp_path / "killed", tmp_path / "once"
    once.mkdir()
    plan = {"backend": "loky", "kill_worker": ["00001"], "once": str(once)}
    code, errors = outcome(start("run", small, "-o", out, *ENGINE, "--jobs", 2, **plan))
    assert code == 0
    assert "a worker died, perhaps because of partition 00001 (subjects from 2 to before 3)" in errors
    assert published(out) == published(finished)


@pytest.mark.slow
def test_a_partition_of_which_only_pieces_can_be_processed(tmp_path: Path) -> None:
    """The parts of the pieces are joined, so the tables have the bytes of an undisturbed run."""
    arguments = ("run", ROOT / "data" / "classifications.csv", "-c", ROOT / "data" / "config.yaml", "-o")
    options = ("--filter", "last", "--exclude-volunteers", "nimble_wren_14", "--tool", 1)
    plan = {"partition_bytes": 60_000}
    kills = ["00000", "00000-01", "00001"]
    done = start(
        *arguments, tmp_path / "killed", *ENGINE, *options, backend="loky", kill_worker=kills, **plan
    )
    code, errors = outcome(done)
    assert code == 0, errors
    for name in kills:
        assert f"splitting partition {name} " in errors
    assert outcome(start(*arguments, tmp_path / "whole", *HERE, *options, **plan))[0] == 0
    assert published(tmp_path / "killed") == published(tmp_path / "whole")


@pytest.mark.slow
def test_a_partition_that_always_kills_its_worker(tmp_path: Path, polyframe: Call) -> None:
    small = small_export(tmp_path / "export.csv", 6)
    out = tmp_path / "killed"
    arguments = ("run", small, "-o", out, *ENGINE, "--jobs", 2)
    # Two subjects in each partition.
    plan = {"partition_bytes": 2 * PARTITION_BYTES}
    code, errors = outcome(start(*arguments, backend="loky", kill_worker=["00001*"], **plan))
    assert code == 1
    line = error_line(errors)
    assert "splitting partition" in errors
    assert "into 2" in errors
    assert "partition 00001-00 (subjects from 3 to before 4): its worker died every time" in line
    assert "2 of 3 partitions are finished and kept; run the same command to continue" in line
    assert not (out / "labels").exists()
    assert leftovers(out) == []
    assert not list(out.rglob("*00001-*"))
    process = start(*arguments, **plan)
    shown, _ = process.communicate()
    assert "1 of 3 partitions processed, 2 up to date" in shown
    assert outcome(start("run", small, "-o", tmp_path / "undisturbed", *HERE, **plan))[0] == 0
    assert published(out) == published(tmp_path / "undisturbed")


def test_two_runs_at_once(small: Path, finished: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "shared"
    first = start("run", small, "-o", out, *HERE, pause={"00002": 4})
    wait_for(begun(out, "00002"))
    for arguments in (["run", small, "-o", out], ["extract", small, "-o", out]):
        second = polyframe(*arguments, *HERE)
        assert second.code == 1
        line = error_line(second.err)
        assert f"{out}: process {first.pid} on " in line
        assert "is working on it" in line
    assert first.poll() is None
    assert outcome(first)[0] == 0
    assert published(out) == published(finished)


def test_the_lock_of_a_dead_process_does_not_block(small: Path, finished: Path, polyframe: Call) -> None:
    whole = published(finished)
    process = start("run", small, "-o", finished, "--force", *HERE, pause={"00002": 60})
    wait_for(begun(finished, "00002"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (finished / WORK / "lock").exists()
    assert published(finished) == whole
    assert polyframe("run", small, "-o", finished, *HERE).code == 0
    assert published(finished) == whole


def test_a_clock_that_goes_backwards(small: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "backwards"
    process = start("run", small, "-o", out, *ENGINE, "--jobs", 2, clock_backwards=True)
    shown, _ = process.communicate()
    assert process.returncode == 0
    (summary,) = (line for line in shown.splitlines() if f"tables in {out}" in line)
    assert " -" not in summary
    assert published(out) == published(finished)


def test_the_output_directory_is_removed_during_the_run(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "removed"
    process = start("run", small, "-o", out, *HERE, pause={"00001": 1.5})
    wait_for(begun(out, "00001"))
    shutil.rmtree(out)
    code, errors = outcome(process)
    assert code == 1
    assert str(out) in error_line(errors)
