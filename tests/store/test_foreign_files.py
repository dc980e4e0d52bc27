"""Files that polyframe did not write are never removed or replaced, and links are not followed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import Done
from run_processes import OPTIONS, PARTITION_BYTES, error_line, small_export
from stores import all_files, copied, published

import polyframe as pf
from polyframe.pipeline import plan
from polyframe.store import view
from polyframe.store.foreign_files import is_system_file
from polyframe.store.output import WORK

Call = Callable[..., Done]
HERE = ("--engine", "shapely", "--jobs", "1")
SYSTEM_FILES = [".DS_Store", "._part-00000.parquet", "Thumbs.db", "desktop.ini", ".nfs000000000012ab34"]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    return small_export(tmp_path / "export.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
        pf.run(small_export(folder / "export.csv"), folder / "out", **OPTIONS)
    return folder / "out"


@pytest.fixture
def out(made: Path, small: Path, tmp_path: Path) -> Path:
    """Return a copy of the output of a run with that export."""
    return copied(made, tmp_path / "out")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of somebody else; its files have the names that a run uses."""
    folder = tmp_path / "foreign"
    for name in (
        "thesis.txt",
        "rows/00000.arrow",
        "rows/polyframe-0a_b1c2d/00000.arrow",
        "started/00000",
        "next/labels/part-00000.parquet",
        "old/a",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
    return folder


def refused(done: Done, *words: object) -> None:
    assert (done.code, done.out) == (1, "")
    line = error_line(done.err)
    assert all(str(word) in line for word in words), line


@pytest.mark.parametrize("more", [(), ("--force",)])
def test_a_work_directory_that_is_a_link(
    more: tuple[str, ...], small: Path, out: Path, foreign: Path, polyframe: Call
) -> None:
    before, theirs = published(out), all_files(foreign)
    (out / WORK).symlink_to(foreign)
    for command in (["run", small, "-o", out], ["reduce", out], ["contours", out]):
        refused(polyframe(*command, *HERE, *more), out / WORK, "is a link")
    assert all_files(foreign) == theirs
    (out / WORK).unlink()
    assert published(out) == before


def test_a_new_output_whose_work_directory_is_a_link(
    small: Path, tmp_path: Path, foreign: Path, polyframe: Call
) -> None:
    theirs = all_files(foreign)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / WORK).symlink_to(foreign)
    refused(polyframe("run", small, "-o", tmp_path / "new", *HERE), tmp_path / "new" / WORK, "is a link")
    assert all_files(foreign) == theirs


@pytest.mark.parametrize("more", [(), ("--force",)])
@pytest.mark.parametrize(
    "name",
    ["rows", "sources", "started", "old", "next", "next/labels", "lock", ".commit.json.tmp"],
)
def test_a_link_inside_the_work_directory(
    name: str, more: tuple[str, ...], small: Path, out: Path, foreign: Path, polyframe: Call
) -> None:
    """Neither the link nor its target is changed."""
    theirs, before = all_files(foreign), published(out)
    link = out / WORK / name
    link.parent.mkdir(parents=True)
    link.symlink_to(foreign / "thesis.txt" if "lock" in name or "json" in name else foreign)
    refused(polyframe("run", small, "-o", out, *HERE, *more), link)
    assert link.is_symlink()
    assert all_files(foreign) == theirs
    shutil.rmtree(out / WORK)
    assert published(out) == before


@pytest.mark.parametrize("name", ["next/labels/part-00000.parquet", "next/labels/.part-00000.parquet.tmp"])
def test_a_finished_part_that_is_a_link(
    name: str, small: Path, tmp_path: Path, foreign: Path, polyframe: Call
) -> None:
    link = tmp_path / "new" / WORK / name
    link.parent.mkdir(parents=True)
    link.symlink_to(foreign / "thesis.txt")
    refused(polyframe("run", small, "-o", tmp_path / "new", *HERE), link)
    assert (foreign / "thesis.txt").read_text() == "precious"


def test_foreign_files_in_a_real_work_directory(
    small: Path, out: Path, foreign: Path, polyframe: Call
) -> None:
    """Files with other names stay; files with a name of a run stop it."""
    before = published(out)
    (out / WORK).mkdir()
    (out / WORK / "thesis.txt").write_text("precious")
    shutil.copytree(foreign, out / WORK / "papers")
    theirs = all_files(foreign)
    for more in ((), ("--force",)):
        assert polyframe("run", small, "-o", out, *HERE, *more).code == 0
        assert published(out) == before
        assert all_files(out / WORK / "papers") == theirs
        assert all_files(out / WORK).keys() - {f"papers/{name}" for name in theirs} == {"thesis.txt"}
        assert (out / WORK / "thesis.txt").read_text() == "precious"
    for name in ("rows/notes.txt", "started/a/b", "next/notes.txt", "next/labels/notes.txt", "sources/x/y"):
        place = out / WORK / name
        place.parent.mkdir(parents=True)
        place.write_text("precious")
        for more in ((), ("--force",)):
            refused(polyframe("run", small, "-o", out, *HERE, *more), out / WORK / name.split("/")[0])
            assert place.read_text() == "precious"
        shutil.rmtree(out / WORK / name.split("/")[0])


def test_files_of_an_earlier_run_are_removed(small: Path, out: Path, polyframe: Call) -> None:
    before = published(out)
    names = ["rows/00003.arrow", "started/00001-01", "sources/mended-0/note.txt", "sources/spooled-1", "lock"]
    names += ["sources/split-0.parquet.unfinished", "old/labels-0/part-00000.parquet", ".commit.json.tmp"]
    names += ["next/labels/part-00000.parquet", "next/labels/.part-00001.parquet.tmp", "rows/.DS_Store"]
    for name in names:
        (out / WORK / name).parent.mkdir(parents=True, exist_ok=True)
        (out / WORK / name).touch()
    assert polyframe("run", small, "-o", out, *HERE).code == 0
    assert not (out / WORK).exists()
    assert published(out) == before


@pytest.mark.parametrize("name", ["lock", "commit.json"])
@pytest.mark.parametrize("text", [b"12-34-56", b"\xff\xfe", b'{"pip": 1}'])
def test_a_foreign_file_with_a_name_of_ours_is_not_replaced(
    name: str, text: bytes, small: Path, out: Path, polyframe: Call
) -> None:
    """Earlier releases used the second name, which is no longer in the way."""
    (out / WORK).mkdir()
    (out / WORK / name).write_bytes(text)
    for more in ((), ("--force",)):
        done = polyframe("run", small, "-o", out, *HERE, *more)
        if name == "lock":
            refused(done, out / WORK / name)
        else:
            assert done.code == 0
    assert (out / WORK / name).read_bytes() == text


@pytest.mark.parametrize("exchanges", [True, False])
def test_foreign_files_beside_the_parts_stay_there(
    exchanges: bool, small: Path, out: Path, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run replaces the folder, and moves foreign files into the new one."""
    if not exchanges:
        monkeypatch.setattr(view, "_exchanged", lambda *_: False)
    (out / "labels" / "notes.txt").write_text("precious")
    (out / "labels" / "linked.txt").symlink_to(foreign / "thesis.txt")
    (out / "contours" / "mine").mkdir()
    (out / "contours" / "mine" / "part-00000.parquet").write_text("precious")
    options = {"engine": "shapely", "jobs": 1}
    pf.run(small, out, eps=0.2, **options)
    assert pf.status(out).settings["eps"] == 0.2
    pf.run(small, out, eps=0.3, contours=False, **options)
    assert (out / "labels" / "notes.txt").read_text() == "precious"
    assert (out / "labels" / "linked.txt").readlink() == foreign / "thesis.txt"
    assert [str(path.relative_to(out)) for path in (out / "contours").rglob("*") if path.is_file()] == [
        "contours/mine/part-00000.parquet"
    ]
    assert (out / "contours" / "mine" / "part-00000.parquet").read_text() == "precious"
    assert not (out / WORK).exists()
    assert all_files(foreign)["thesis.txt"] == b"precious"


def test_foreign_files_beside_the_parts_return_after_a_run_that_died(
    small: Path, out: Path, polyframe: Call
) -> None:
    replaced = out / WORK / "old" / "labels-0"
    replaced.mkdir(parents=True)
    (replaced / "notes.txt").write_text("precious")
    (replaced / "part-00000.parquet").touch()
    assert polyframe("run", small, "-o", out, *HERE).code == 0
    assert (out / "labels" / "notes.txt").read_text() == "precious"
    assert not (out / WORK).exists()


def other_file_system(here: Path) -> Path | None:
    """A folder on another file system than the temporary one; None if there is none."""
    place = Path("/dev/shm")
    usable = place.is_dir() and os.access(place, os.W_OK) and place.stat().st_dev != here.stat().st_dev
    return place if usable else None


@pytest.mark.parametrize("other", [False, True], ids=["same file system", "other file system"])
@pytest.mark.parametrize("more", [(), ("--force",), ("--eps", "0.2")])
def test_a_table_that_is_a_link(
    other: bool, more: tuple[str, ...], small: Path, out: Path, tmp_path: Path, polyframe: Call
) -> None:
    place = other_file_system(tmp_path) if other else tmp_path
    if place is None:
        pytest.skip("no other file system to write to (/dev/shm)")
    elsewhere = place / f"polyframe-{os.getpid()}-labels"
    try:
        shutil.move(out / "labels", elsewhere)
        (out / "labels").symlink_to(elsewhere)
        before = all_files(elsewhere)
        commands = [["run", small, "-o", out], ["reduce", out], ["contours", out]]
        for command in commands[: 1 if "--eps" in more else 3]:
            refused(polyframe(*command, *HERE, *more), out / "labels", "is a link", "remove it")
        assert all_files(elsewhere) == before
        assert (out / "labels").is_symlink()
        # It can still be read.
        assert pf.scan(out, "labels").collect().height == 20
        assert pf.status(out).not_current == {}
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)


def test_a_part_that_is_a_link(small: Path, out: Path, foreign: Path, polyframe: Call) -> None:
    part = out / "labels" / "part-00001.parquet"
    part.unlink()
    part.symlink_to(foreign / "thesis.txt")
    for more in ((), ("--force",)):
        refused(polyframe("run", small, "-o", out, *HERE, *more), part, "is a link")
    assert (foreign / "thesis.txt").read_text() == "precious"


def test_a_link_to_a_manifest_is_replaced_not_followed(
    small: Path, out: Path, tmp_path: Path, polyframe: Call
) -> None:
    elsewhere = tmp_path / "manifest.json"
    (out / "polyframe.json").rename(elsewhere)
    (out / "polyframe.json").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert polyframe("run", small, "-o", out, *HERE, "--eps", "0.2").code == 0
    assert elsewhere.read_bytes() == before
    assert pf.status(out).settings["eps"] == 0.2


def test_a_link_to_an_output_directory_works(small: Path, out: Path, tmp_path: Path, polyframe: Call) -> None:
    link = tmp_path / "link"
    link.symlink_to(out)
    assert polyframe("run", small, "-o", link, *HERE, "--eps", "0.2").code == 0
    assert pf.status(out).settings["eps"] == 0.2
    assert link.is_symlink()


@pytest.mark.parametrize("name", SYSTEM_FILES)
def test_a_folder_with_system_files_is_accepted(
    name: str, small: Path, tmp_path: Path, polyframe: Call
) -> None:
    assert is_system_file(name)
    new = tmp_path / "new"
    new.mkdir()
    (new / name).write_text("view")
    assert polyframe("run", small, "-o", new, *HERE).code == 0
    (new / "labels" / name).write_text("view")
    assert polyframe("validate", new).code == 0
    assert polyframe("run", small, "-o", new, *HERE, "--eps", "0.2").code == 0
    assert (new / name).read_text() == (new / "labels" / name).read_text() == "view"
    assert not (new / WORK).exists()


@pytest.mark.parametrize(
    "name", ["thesis.txt", "DS_Store", "nfs12", ".nfsheet", ".gitignore", "Thumbs.db.txt"]
)
def test_other_names_are_not_system_files(name: str, small: Path, tmp_path: Path, polyframe: Call) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / name).touch()
    refused(polyframe("run", small, "-o", new, *HERE), "already contains other files", name)
