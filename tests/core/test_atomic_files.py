"""Output files: complete or absent, and never written through a link."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done

import polyframe as pf
from polyframe.core.atomic_files import atomic_path, atomic_text, checked_before_replacing, write_bytes
from polyframe.core.errors import PolyframeError

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("example") / "out"
    pf.run(ROOT / "data" / "classifications.csv", out, config=ROOT / "data" / "config.yaml", jobs=1)
    return out


#: Commands that write a file, and the name of that file; empty: the first one.
WRITERS = {
    "export": (["export", "OUT", "--to", "geojson", "-o", "x.geojson"], "x.geojson"),
    "csv": (["export", "OUT", "--to", "panoptes-csv", "-o", "x.csv"], "x.csv"),
    "masks": (["export", "OUT", "--to", "masks", "-o", "."], "1000001-0.png"),
    "report": (["report", "OUT", "-o", "x.html"], "x.html"),
    "plot": (["plot", "OUT", "--subject", "1000001", "-o", "x.png"], "x.png"),
    "tune": (["tune", "OUT", "--eps", "0.3,0.5", "-o", "x.csv", "-q"], "x.csv"),
    "config": (["config", str(ROOT / "data" / "workflows.csv"), "-o", ".", "--force"], ""),
    "synth": (["synth", "x.csv", "--subjects", "2", "-q"], "x.csv"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_links_are_replaced_and_not_followed(
    writer: str, example: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither links in place of the file, nor links in place of its temporary file."""
    arguments, name = WRITERS[writer]
    monkeypatch.chdir(tmp_path)
    call = [str(example) if part == "OUT" else part for part in arguments]
    first = polyframe(*call)
    assert first.code == 0, first.err
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    name = name or min(written)
    foreign = tmp_path.parent / f"{tmp_path.name}-foreign.txt"
    for link in (name, f".{name}.tmp", f".{name}.{os.getpid()}.part"):
        foreign.write_text("precious")
        (tmp_path / link).unlink(missing_ok=True)
        (tmp_path / link).symlink_to(foreign)
        again = polyframe(*call)
        assert again.code == 0, again.err
        assert foreign.read_text() == "precious"
        assert not (tmp_path / name).is_symlink()
        (tmp_path / link).unlink(missing_ok=link != name)


def test_the_temporary_file_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.tmp").write_text("half of an earlier, longer one")
    with atomic_text(tmp_path / "a.txt") as file:
        file.write("whole")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "whole"}


def test_devices_and_pipes_are_not_replaced(tmp_path: Path, example: Path, polyframe: Call) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(PolyframeError, match=r"pipe\.csv: is a device or a pipe"), atomic_path(pipe):
        pass
    for arguments in (["synth", pipe, "--subjects", "2"], ["tune", example, "-o", pipe]):
        done = polyframe(*arguments, "-q")
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert "is a device or a pipe" in done.err
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("sync_parent", [True, False])
def test_content_is_on_disk_before_the_file_gets_its_name(
    sync_parent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append("folder" if is_folder else os.read(descriptor, 99).decode())
        synced.append(path.read_text())

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_path(path, sync_parent=sync_parent) as temporary:
        temporary.write_text("new")
    assert synced == ["new", "old", *(["folder", "new"] if sync_parent else [])]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError(), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_no_new_folder(error: BaseException, tmp_path: Path) -> None:
    def write_half(path: Path) -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    old, new = tmp_path / "old", tmp_path / "a" / "b" / "new"
    old.write_text("old")
    for path in (old, new):
        with pytest.raises(PolyframeError if isinstance(error, OSError) else type(error)):
            write_half(path)
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {"old": "old"}


def test_bytes_are_written_into_a_new_folder(tmp_path: Path) -> None:
    for durable in (True, False):
        write_bytes(tmp_path / "folder" / "file", bytes([durable]), durable=durable)
    assert [path.read_bytes() for path in (tmp_path / "folder").iterdir()] == [b"\0"]


def test_a_file_stays_if_what_is_checked_before_it_is_replaced_fails(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_bytes(path, b"before")

    def check() -> None:
        raise PolyframeError("changed")

    with checked_before_replacing(check), pytest.raises(PolyframeError, match="changed"):
        write_bytes(path, b"after")
    assert (path.read_bytes(), [*tmp_path.iterdir()]) == (b"before", [path])
    write_bytes(path, b"after")
    assert path.read_bytes() == b"after"
