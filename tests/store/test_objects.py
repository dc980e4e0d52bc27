"""Files by key, in a folder, on an S3 server and in memory: whole or missing, and created by one of many."""

import os
import threading
import time
from pathlib import Path

import pytest
from s3_server import Bucket

import polyframe as pf
from polyframe.core.addresses import Address, Place
from polyframe.core.local_paths import place_of
from polyframe.store import objects as module
from polyframe.store.objects import BucketObjects, FolderObjects, Objects, link_or_copy
from polyframe.store.output import Output


@pytest.fixture
def objects(output: Output) -> Objects:
    """Return an empty store."""
    return output.objects


def test_what_is_created_is_read_back(objects: Objects) -> None:
    assert objects.create("a/b.json", b"first")
    assert objects.read("a/b.json") == b"first"
    assert str(objects.place_of("a/b.json")) == f"{objects.place}/a/b.json"


def test_what_is_there_is_not_replaced(objects: Objects) -> None:
    assert objects.create("a", b"first")
    assert not objects.create("a", b"second")
    assert objects.read("a") == b"first"


def test_one_of_eight_writers_creates_a_file(objects: Objects) -> None:
    barrier, won = threading.Barrier(8), []

    def create(number: int) -> None:
        barrier.wait(30)
        if objects.create("manifests/1.json", b"%d" % number * 1000):
            won.append(number)

    writers = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(won) == 1
    assert objects.read("manifests/1.json") == b"%d" % won[0] * 1000
    assert list(objects.entries("")) == ["manifests/1.json"]


def test_a_range_past_the_end_is_shorter(objects: Objects) -> None:
    objects.create("a/b", b"0123456789")
    assert objects.read_range("a/b", 2, 5) == b"234"
    assert objects.read_range("a/b", 8, 20) == b"89"


def test_a_range_after_the_end_is_empty(bucket: Bucket, tmp_path: Path) -> None:
    for objects in (
        _in_bucket(place_of(f"{bucket.url}/x", "output", bucket.options)),
        FolderObjects(tmp_path),
    ):
        objects.create("a", b"0123456789")
        assert objects.read_range("a", 20, 30) == b""


def test_a_missing_file(objects: Objects) -> None:
    objects.create("a", b"file")
    for key in ("b", "c/d", "a/b"):
        with pytest.raises(FileNotFoundError, match=key):
            objects.read(key)


def test_written_files_appear_when_they_are_complete(objects: Objects) -> None:
    with objects.writing("parts/a") as file:
        file.write(b"12")
        file.write(b"3")
        assert file.tell() == 3
        assert objects.entries("") == {}
    assert objects.read("parts/a") == b"123"
    with objects.writing("parts/a") as file:
        file.write(b"again")
    assert objects.read("parts/a") == b"again"


def test_what_fails_while_it_is_written_does_not_appear(objects: Objects) -> None:
    def write_half() -> None:
        with objects.writing("parts/a") as file:
            file.write(b"12")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert objects.entries("") == {}


def test_files_too_large_for_memory_are_written(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_IN_MEMORY", 10)
    with objects.writing("a") as file:
        for _ in range(10):
            file.write(b"0123456789")
    assert objects.read("a") == b"0123456789" * 10


def test_entries_are_in_the_order_of_their_keys(objects: Objects) -> None:
    before = time.time()
    for key in ("parts/b/2", "parts/b-1", "parts/a", "parts/b/10", "partsa", "other"):
        objects.create(key, key.encode())
    entries = objects.entries("parts/")
    assert list(entries) == ["parts/a", "parts/b-1", "parts/b/10", "parts/b/2"]
    assert [entry.size for entry in entries.values()] == list(map(len, entries))
    # S3 knows whole seconds.
    assert all(before - 2 < entry.modified < time.time() + 2 for entry in entries.values())
    assert len(objects.entries("")) == 6
    assert objects.entries("none/") == {}


def test_files_are_removed(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEYS_PER_REQUEST", 2)
    keys = [f"parts/{k}" for k in range(5)]
    for key in (*keys, "kept"):
        objects.create(key, b"")
    objects.remove([*keys, "parts/missing"])
    objects.remove(())
    assert list(objects.entries("")) == ["kept"]


def test_folders_without_files_are_removed(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "store")
    for key in ("parts/a/b/1", "parts/a/2"):
        objects.create(key, b"")
    objects.remove(["parts/a/b/1"])
    assert [path.name for path in (tmp_path / "store" / "parts" / "a").iterdir()] == ["2"]
    objects.remove(["parts/a/2"])
    assert list((tmp_path / "store").iterdir()) == []


def test_a_folder_has_no_entries_for_links_and_unfinished_files(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    objects.create("a/1", b"")
    (tmp_path / "a" / "2").symlink_to(tmp_path / "a" / "1")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / f".3.{'0' * 32}.tmp").touch()
    assert list(objects.entries("")) == ["a/1"]


def test_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    objects.create("a/1", b"")
    context = objects.writing("b/2")
    with context as file:
        file.write(b"half")
        (unfinished,) = (tmp_path / "b").iterdir()
        half = unfinished.read_bytes()
    unfinished.write_bytes(half)
    objects.remove_unfinished()
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"a/1", "b/2"}


@pytest.mark.parametrize("fails", ["create", "writing"])
def test_a_full_disk_is_one_line(fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    objects = FolderObjects(tmp_path)
    monkeypatch.setattr(os, "link" if fails == "create" else "replace", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    message = r"1: cannot be written \(No space left on device\)"
    if fails == "create":
        with pytest.raises(pf.PolyframeError, match=message):
            objects.create("a/1", b"")
    else:
        with pytest.raises(pf.PolyframeError, match=message), objects.writing("a/1"):
            pass
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_hard_links_one_writer_creates_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    objects = FolderObjects(tmp_path)
    assert objects.create("a", b"first")
    assert not objects.create("a", b"second")
    assert objects.read("a") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_a_link_or_copy_replaces_what_is_there(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("old")
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    link_or_copy(source, target)
    assert target.read_text() == "new"
    assert target.samefile(source) == links
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "missing", target)


def test_an_unknown_bucket_is_one_line(bucket: Bucket) -> None:
    objects = _in_bucket(place_of("s3://no-such-bucket/out", "output", bucket.options))
    for call in (
        lambda: objects.read("a"),
        lambda: objects.entries("parts/"),
        lambda: objects.create("a", b""),
    ):
        with pytest.raises(pf.PolyframeError) as caught:
            call()
        assert str(caught.value).startswith("s3://no-such-bucket/out")
        assert len(str(caught.value).splitlines()) == 1


def test_a_lost_answer_of_a_bucket_does_not_matter(bucket: Bucket) -> None:
    """The client sends the request again, and finds what it wrote itself."""
    objects = _in_bucket(place_of(f"{bucket.url}/out", "output", bucket.options))
    bucket.write("out/manifests/1.json", b"mine")
    assert objects.create("manifests/1.json", b"mine")
    assert not objects.create("manifests/1.json", b"other")


def _in_bucket(place: Place) -> Objects:
    assert isinstance(place, Address)
    return BucketObjects(place)


def _no_links(*_: object) -> None:
    raise OSError(95, "Operation not supported")
