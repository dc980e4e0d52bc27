"""The lock of an output directory: held by one process and reported, even on file systems without locks."""

import errno
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest
from exports import Done
from run_processes import small_export

import polyframe as pf
from polyframe.core.errors import PolyframeError
from polyframe.store.lock import exclusive, holder_of, soft_lock_of
from polyframe.store.output import WORK

Call = Callable[..., Done]
WITHOUT_LOCKS = [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL]
HERE = f"process {os.getpid()} on {platform.node()}"


@pytest.fixture(params=WITHOUT_LOCKS, ids=errno.errorcode.__getitem__)
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with an error of Lustre, NFS, SMB or FUSE."""

    def lock_descriptor(*_: Any, **__: Any) -> bool:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(filelock, "lock_descriptor", lock_descriptor)


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_process_holds_the_lock_and_leaves_no_file(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    for _ in range(2):
        with exclusive(lock, tmp_path):
            assert holder_of(lock) == HERE
            with pytest.raises(PolyframeError, match=f"{HERE} is working on it"), exclusive(lock, tmp_path):
                pass
            assert holder_of(lock) == HERE
        assert list(tmp_path.iterdir()) == []
        assert holder_of(lock) is None


def test_a_removed_lock_file_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last holder removes it after we opened it and before we lock it."""
    lock = tmp_path / "lock"
    lock_descriptor = filelock.lock_descriptor
    opened: list[int] = []

    def late(descriptor: int, **more: Any) -> bool:
        opened.append(descriptor)
        if len(opened) == 1:
            lock.unlink()
        return lock_descriptor(descriptor, **more)

    monkeypatch.setattr(filelock, "lock_descriptor", late)
    with exclusive(lock, tmp_path):
        assert len(opened) == 2
        with pytest.raises(PolyframeError, match="is working on it"), exclusive(lock, tmp_path):
            pass


def test_a_lock_file_that_others_keep_removing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: Any, **__: Any) -> bool:
        (tmp_path / "lock").unlink()
        return True

    monkeypatch.setattr(filelock, "lock_descriptor", late)
    with (
        pytest.raises(PolyframeError, match="other processes keep taking the lock"),
        exclusive(tmp_path / "lock", tmp_path),
    ):
        pass


@pytest.mark.usefixtures("without_locks")
def test_a_file_system_without_locks(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    for _ in range(2):
        with exclusive(lock, tmp_path):
            assert holder_of(lock) == HERE
            with (
                pytest.raises(
                    PolyframeError, match=rf"{HERE} is working on it.* remove {soft_lock_of(lock)}"
                ),
                exclusive(lock, tmp_path),
            ):
                pass
            assert holder_of(lock) == HERE
        assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_dead_process_does_not_block(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = "import errno, os, sys, filelock\nfrom pathlib import Path\n"
    code += "from polyframe.store.lock import exclusive\n"
    code += "def none(*_, **__):\n    raise OSError(errno.ENOSYS, 'none')\nfilelock.lock_descriptor = none\n"
    code += "with exclusive(Path(sys.argv[1]), Path('out')):\n    os._exit(3)\n"
    assert subprocess.run([sys.executable, "-c", code, str(lock)], check=False).returncode == 3
    assert lock.exists()
    assert soft_lock_of(lock).exists()
    assert holder_of(lock) is None
    with exclusive(lock, tmp_path):
        assert holder_of(lock) == HERE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_locks")
def test_without_locks_the_lock_of_another_computer_stays(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(json.dumps({"pid": 1, "host": "another.example", "lock": "file"}))
    soft_lock_of(lock).write_text("1\nanother.example\n")
    assert holder_of(lock) == "process 1 on another.example (if it is still alive there)"
    with (
        pytest.raises(PolyframeError, match=r"process 1 on another\.example is working on it"),
        exclusive(lock, tmp_path),
    ):
        pass


@pytest.mark.usefixtures("without_locks")
def test_a_run_on_a_file_system_without_locks(tmp_path: Path, polyframe: Call) -> None:
    export = small_export(tmp_path / "export.csv")
    assert polyframe("run", export, "-o", tmp_path / "out", "--jobs", 1).code == 0
    assert not (tmp_path / "out" / WORK).exists()
    (tmp_path / "out" / WORK).mkdir()
    with exclusive(tmp_path / "out" / WORK / "lock", tmp_path / "out"):
        assert pf.status(tmp_path / "out").running == HERE
        done = polyframe("run", export, "-o", tmp_path / "out", "--jobs", 1)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert f"{HERE} is working on it" in done.err
    assert pf.status(tmp_path / "out").running is None


def test_a_disk_error_is_not_reported_as_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    def lock_descriptor(*_: Any, **__: Any) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(filelock, "lock_descriptor", lock_descriptor)
    done = polyframe("run", small_export(tmp_path / "export.csv"), "-o", tmp_path / "out", "--jobs", 1)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "cannot be written (Input/output error)" in done.err
    assert "working" not in done.err


def test_a_lock_file_that_cannot_be_removed_while_open_is_removed_after_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where open files cannot be removed."""
    lock = tmp_path / "lock"
    unlink, lock_descriptor = Path.unlink, filelock.lock_descriptor
    held: list[int] = []

    def keep(descriptor: int, **more: Any) -> bool:
        held.append(descriptor)
        return lock_descriptor(descriptor, **more)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        try:
            os.fstat(held[0])
        except OSError:
            unlink(path, missing_ok)
        else:
            raise PermissionError(errno.EACCES, "is open")

    monkeypatch.setattr(filelock, "lock_descriptor", keep)
    monkeypatch.setattr(Path, "unlink", refuse)
    with exclusive(lock, tmp_path):
        assert lock.exists()
    assert not lock.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "host": 1}', "\xff", "[" * 5000])
def test_an_invalid_record_names_no_process(text: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(text, encoding="latin-1")
    assert holder_of(tmp_path / "lock") is None


def test_a_record_of_a_dead_process_is_not_a_lock(tmp_path: Path) -> None:
    for kind in ("file", "system"):
        record = {"pid": dead_process(), "host": platform.node(), "lock": kind}
        (tmp_path / "lock").write_text(json.dumps(record))
        soft_lock_of(tmp_path / "lock").touch()
        assert holder_of(tmp_path / "lock") is None


def test_a_link_or_a_pipe_is_not_used_as_a_lock(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("precious")
    (tmp_path / "link").symlink_to(foreign)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        assert holder_of(tmp_path / name) is None
        with pytest.raises(PolyframeError, match=f"{name}: is "), exclusive(tmp_path / name, tmp_path):
            pass
    assert foreign.read_text() == "precious"
