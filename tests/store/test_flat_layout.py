"""Outputs without a store, of an earlier release or copied without their hidden folder, are taken over."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_processes import OPTIONS
from stores import (
    OF_A_RUN,
    all_files,
    leftovers,
    manifest_of,
    published,
    stored,
    unneeded,
    versions,
    without_store,
)

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.store import manifest_text, part_files
from polyframe.store.flat_layout import is_flat
from polyframe.store.output import MANIFEST, STORE, WORK, Output
from polyframe.store.work_directory import work_directory


@pytest.fixture
def old(out: Path, tmp_path: Path) -> Path:
    """An output of an earlier release."""
    old = Path(shutil.copytree(out, tmp_path / "old"))
    without_store(old)
    return old


def without_rows(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the files, and the manifest without the numbers of rows, which earlier releases lacked."""
    manifest = json.loads(files[MANIFEST])
    for record in [*manifest["partitions"], {"stages": manifest["merged"]}]:
        for stage in record["stages"].values():
            stage.pop("rows", None)
    return {**files, MANIFEST: manifest}


def test_an_output_of_an_earlier_release_is_read_and_not_changed(old: Path, out: Path) -> None:
    assert is_flat(Output(old))
    before = all_files(old)
    for table in TABLES:
        assert pf.scan(old, table).collect().equals(pf.scan(out, table).collect()), table
    status = pf.status(old)
    assert (status.number, status.finished_at, status.host) == (0, None, None)
    assert status.parts_current == status.parts == pf.status(out).parts
    assert {name: table.rows for name, table in status.tables.items()} == {
        name: table.rows for name, table in pf.status(out).tables.items()
    }
    assert pf.validate(old) == []
    assert all_files(old) == before


def test_a_run_takes_over_an_output_of_an_earlier_release(small: Path, old: Path, out: Path) -> None:
    """Nothing is rebuilt or copied: the parts become links."""
    inodes = {path.relative_to(old): path.stat().st_ino for path in old.glob("[!.]*/*.parquet")}
    assert pf.run(small, old, **OPTIONS).made == 0
    assert published(old) == published(out)
    assert {path.relative_to(old): path.stat().st_ino for path in old.glob("[!.]*/*.parquet")} == inodes
    assert stored(old, "labels").samefile(old / "labels" / "part-00000.parquet")
    assert not stored(old, "labels").stat().st_mode & part_files._WRITABLE
    assert not is_flat(Output(old))
    assert versions(old) == [1]
    assert leftovers(old) == []
    assert unneeded(old) == set()
    assert pf.validate(old) == []
    assert not (old / ".volunteer_sums").exists()


def test_without_hard_links_parts_are_copied(
    small: Path, old: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    assert pf.run(small, old, **OPTIONS).made == 0
    assert published(old) == published(out)
    assert pf.validate(old) == []


def test_a_later_stage_starts_from_the_old_extractions(small: Path, old: Path, out: Path) -> None:
    for output in (old, out):
        pf.reduce(output, output=output, eps=0.2, **OPTIONS)
    assert published(old) == published(out)


def test_an_output_that_was_copied_without_its_store(small: Path, out: Path, tmp_path: Path) -> None:
    """Its manifest says which version it was; the hidden sums of volunteers are rebuilt."""
    pf.run(small, out, eps=0.2, **OPTIONS)
    copy = Path(shutil.copytree(out, tmp_path / "copy", ignore=shutil.ignore_patterns(STORE)))
    for table in TABLES:
        assert pf.scan(copy, table).collect().equals(pf.scan(out, table).collect()), table
    summary = pf.run(small, copy, eps=0.2, **OPTIONS)
    assert published(copy) == published(out)
    assert summary.number >= 2
    assert pf.validate(copy) == []


@pytest.mark.parametrize("damage", ["missing", "truncated", "of another partition"])
def test_damaged_parts_are_rebuilt(damage: str, small: Path, old: Path, out: Path) -> None:
    path = old / "labels" / "part-00001.parquet"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        shutil.copy(path.with_name("part-00000.parquet"), path)
    assert list(pf.status(old).not_current) == ["labels/part-00001.parquet"]
    assert pf.run(small, old, **OPTIONS).made == 1
    assert without_rows(published(old)) == without_rows(published(out))
    assert pf.validate(old) == []


@pytest.mark.parametrize("moved", [(), ("classifications", "labels"), tuple(TABLES)])
def test_a_change_that_an_earlier_release_did_not_complete(
    moved: tuple[str, ...], small: Path, old: Path, tmp_path: Path
) -> None:
    """It wrote the new manifest to the work directory, and then moved the new tables to their places."""
    new = tmp_path / "new"
    pf.run(small, new, eps=0.2, **OPTIONS)
    expected = {table: pf.scan(new, table).collect() for table in TABLES}
    complete = published(new)
    without_store(new)
    (old / WORK / "next").mkdir(parents=True)
    (new / MANIFEST).rename(old / WORK / "commit.json")
    for folder in [path for path in new.iterdir() if path.is_dir()]:
        if folder.name in moved:
            shutil.rmtree(old / folder.name)
            folder.rename(old / folder.name)
        else:
            folder.rename(old / WORK / "next" / folder.name)
    for table in TABLES:
        assert pf.scan(old, table).collect().equals(expected[table]), table
    state = pf.status(old)
    assert (state.settings["eps"], state.not_current, state.problems()) == (0.2, {}, [])
    assert pf.validate(old) == []
    summary = pf.run(small, old, eps=0.2, **OPTIONS)
    assert summary.made == 0
    assert without_rows(published(old)) == without_rows(complete)
    assert leftovers(old) == []
    assert pf.validate(old) == []


def test_taking_over_is_repeated_if_it_was_interrupted(
    small: Path, old: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store counts when its manifest is there."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("polyframe.store.flat_layout.manifest_text", die)
        with pytest.raises(KeyboardInterrupt):
            pf.run(small, old, **OPTIONS)
    assert is_flat(Output(old))
    assert pf.scan(old, "labels").collect().equals(pf.scan(out, "labels").collect())
    assert pf.run(small, old, **OPTIONS).made == 0
    assert published(old) == published(out)


def test_taking_over_is_repeated_if_the_process_was_killed_before_the_manifest_appeared(
    small: Path, old: Path, out: Path
) -> None:
    """Its folder and a temporary file are there by then."""
    manifests = old / STORE / "manifests"
    manifests.mkdir(parents=True)
    (manifests / ".00000001.json.0123456789abcdef.tmp").write_text("{")
    assert pf.status(old).parts_current == pf.status(out).parts
    assert pf.scan(old, "labels").collect().equals(pf.scan(out, "labels").collect())
    assert pf.run(small, old, **OPTIONS).made == 0
    assert published(old) == published(out)
    assert leftovers(old) == []


def test_taking_over_is_repeated_if_the_disk_was_full(
    small: Path, old: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("polyframe.store.objects._moved_if_absent", full)
        with pytest.raises(pf.PolyframeError, match=r"00000001\.json: cannot be written \(No space left"):
            pf.run(small, old, **OPTIONS)
    assert pf.scan(old, "labels").collect().equals(pf.scan(out, "labels").collect())
    assert pf.run(small, old, **OPTIONS).made == 0
    assert published(old) == published(out)


def test_many_partitions_are_taken_over_in_shards(
    small: Path, old: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_text, "PARTITIONS_PER_SHARD", 1)
    with work_directory(Output(old)):
        pass
    assert len(list((old / STORE / "shards").iterdir())) == 2
    assert manifest_of(old).has_tables_of(manifest_of(out))
    # The file for other programs has all partitions.
    assert len(json.loads((old / MANIFEST).read_text())["partitions"]) == 2
    assert pf.run(small, old, **OPTIONS).made == 0
    assert pf.validate(old) == []


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1}'])
def test_a_manifest_that_cannot_be_used_is_replaced(text: str, small: Path, old: Path, out: Path) -> None:
    (old / MANIFEST).write_text(text)
    with pytest.raises(pf.PolyframeError, match=r"polyframe\.json"):
        pf.scan(old, "labels")
    pf.run(small, old, **OPTIONS)
    assert published(old) == published(out)
    assert pf.validate(old) == []


def test_foreign_files_stay(small: Path, old: Path) -> None:
    (old / "notes.txt").write_text("precious")
    (old / "labels" / "notes.txt").write_text("precious")
    pf.run(small, old, eps=0.2, **OPTIONS)
    for path in (old / "notes.txt", old / "labels" / "notes.txt"):
        assert path.read_text() == "precious"


def test_the_number_of_a_version_is_not_in_manifests_of_earlier_releases(old: Path) -> None:
    assert not json.loads((old / MANIFEST).read_text()).keys() & set(OF_A_RUN)
