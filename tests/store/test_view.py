"""The folders of a local output show the newest version: links to its parts, or copies."""

import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from run_processes import OPTIONS
from stores import all_files, leftovers, manifest_of, published, stored

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.store import view
from polyframe.store.output import STORE, WORK, Output, Work
from polyframe.store.part_files import PartFile
from polyframe.store.stages import public_tables
from polyframe.store.versions import table_parts
from polyframe.store.work_directory import work_directory


def shown_and_stored(out: Path) -> list[tuple[Path, PartFile]]:
    """Each file of the view with the part that it shows."""
    manifest = manifest_of(out)
    return [
        (out / table / f"part-{name}.parquet", part)
        for table in public_tables(manifest.stages)
        for name, part in table_parts(Output(out), manifest, table).items()
    ]


def no_links(*_: object) -> None:
    raise OSError(95, "Operation not supported")


def test_the_view_consists_of_links_to_the_newest_version(small: Path, out: Path) -> None:
    for eps in (0.5, 0.2):
        pf.run(small, out, eps=eps, **OPTIONS)
        pairs = shown_and_stored(out)
        assert {path for path, _ in pairs} == set(out.glob("[!.]*/*"))
        assert all(path.samefile(part.path) for path, part in pairs)
        assert all(view.view_problem(path, part) == "" for path, part in pairs)


def test_without_hard_links_parts_are_copied(
    small: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = published(out)
    monkeypatch.setattr(os, "link", no_links)
    copy = tmp_path / "copy"
    pf.run(small, copy, **OPTIONS)
    assert published(copy) == whole
    pairs = shown_and_stored(copy)
    assert not any(path.samefile(part.path) for path, part in pairs)
    assert all(view.view_problem(path, part) == "" for path, part in pairs)
    assert pf.validate(copy) == []
    times = [path.stat().st_ctime_ns for path, _ in pairs]
    assert pf.run(small, copy, **OPTIONS).made == 0
    # Copies are recognized, so nothing is copied again.
    assert [path.stat().st_ctime_ns for path, _ in shown_and_stored(copy)] == times
    pf.run(small, copy, eps=0.2, **OPTIONS)
    pf.run(small, out, eps=0.2, **OPTIONS)
    assert published(copy) == published(out)
    assert leftovers(copy) == []


def test_tables_that_did_not_change_are_not_replaced(small: Path, out: Path) -> None:
    before = {table: (out / table).stat().st_ino for table in TABLES}
    pf.run(small, out, eps=0.2, **OPTIONS)
    after = {table: (out / table).stat().st_ino for table in TABLES}
    same = {table for table in TABLES if before[table] == after[table]}
    assert same == {"classifications", "extractions", "rejects"}


def test_patterns_find_the_parts_of_one_version(small: Path, out: Path) -> None:
    pf.run(small, out, eps=0.2, **OPTIONS)
    for table in TABLES:
        files = sorted((out / table).glob("*.parquet"))
        assert pl.read_parquet(files).equals(pf.scan(out, table).collect()), table


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_view_is_completed_by_the_next_run(
    exchanges: bool, small: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run died after it had published a version, and before all folders showed it."""
    swap, swapped = view._swap, []

    def die(*arguments: Any) -> None:
        if len(swapped) == 2:
            raise KeyboardInterrupt
        swapped.append(arguments)
        swap(*arguments)

    if not exchanges:
        monkeypatch.setattr(view, "_exchanged", lambda *_: False)
    with monkeypatch.context() as patched:
        patched.setattr(view, "_swap", die)
        with pytest.raises(KeyboardInterrupt):
            pf.run(small, out, eps=0.2, **OPTIONS)
    assert pf.status(out).settings["eps"] == 0.2
    assert set(pf.status(out).not_current.values()) == {"is not the part of the manifest"}
    assert pf.validate(out)
    with work_directory(Output(out)):
        assert pf.validate(out) == []
    assert pf.status(out).not_current == {}
    assert leftovers(out) == []


def test_refreshing_a_complete_view_changes_nothing(out: Path) -> None:
    def states() -> dict[Path, tuple[int, int, int]]:
        return {
            path: (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns)
            for path in [out, *out.rglob("*")]
        }

    before = states()
    view.refresh_view(Work(Output(out), out / WORK), manifest_of(out))
    assert states() == before


def damaged(change: str, path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    if change == "other content":
        path.write_bytes(content[::-1])
    elif change == "a copy with another byte":
        path.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])
    elif change == "a link":
        (path.parent.parent / "target").write_bytes(content)
        path.symlink_to(path.parent.parent / "target")


@pytest.mark.parametrize("change", ["missing", "other content", "a link"])
def test_files_that_do_not_show_the_part_are_found(change: str, out: Path) -> None:
    path = out / "labels" / "part-00001.parquet"
    damaged(change, path)
    expected = "is missing" if change == "missing" else "is not the part of the manifest"
    assert pf.status(out).not_current == {"labels/part-00001.parquet": expected}
    findings = [(finding.check, finding.file, finding.problem) for finding in pf.validate(out)]
    assert findings == [("files", "labels/part-00001.parquet", expected)]


def test_only_validate_compares_all_bytes_of_a_copy(out: Path) -> None:
    damaged("a copy with another byte", out / "labels" / "part-00001.parquet")
    assert pf.status(out).not_current == {}
    findings = [(finding.file, finding.problem) for finding in pf.validate(out)]
    assert findings == [("labels/part-00001.parquet", "is not the part of the manifest")]


def test_a_copy_without_times_and_links_is_whole(small: Path, out: Path, tmp_path: Path) -> None:
    """`cp -r` gives the files of the copy the present time; the next run makes links of them again."""
    copy = Path(shutil.copytree(out, tmp_path / "copy", copy_function=shutil.copyfile))
    for seconds, path in enumerate(sorted(copy.rglob("*.parquet"))):
        os.utime(path, (seconds, seconds))
    assert pf.status(copy).not_current == {}
    assert pf.status(copy).problems() == []
    assert pf.validate(copy) == []
    assert pf.run(small, copy, **OPTIONS).made == 0
    assert all(path.samefile(part.path) for path, part in shown_and_stored(copy))


def test_the_store_alone_is_enough(small: Path, out: Path, tmp_path: Path) -> None:
    """A copy of the hidden folder is a whole output; the next run makes the folders."""
    whole = published(out)
    shutil.copytree(out / STORE, tmp_path / "copy" / STORE)
    for table in TABLES:
        expected = pf.scan(out, table).collect()
        assert pf.scan(tmp_path / "copy", table).collect().equals(expected), table
    assert pf.run(small, tmp_path / "copy", **OPTIONS).made == 0
    assert published(tmp_path / "copy") == whole


def test_a_full_disk_leaves_whole_tables(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    link = view.link_or_copy
    calls: list[Path] = []

    def full_after_three(source: Path, target: Path) -> None:
        calls.append(target)
        (full if len(calls) > 3 else link)(source, target)

    before = {name: content for name, content in all_files(out).items() if not name.startswith(".")}
    with monkeypatch.context() as patched:
        patched.setattr(view, "link_or_copy", full_after_three)
        with pytest.raises(pf.PolyframeError, match=r"cannot be written \(No space left on device\)"):
            pf.run(small, out, eps=0.2, **OPTIONS)
    after = {name: content for name, content in all_files(out).items() if not name.startswith(".")}
    assert after == before
    assert leftovers(out) == []
    assert pf.status(out).settings["eps"] == 0.2
    assert pf.run(small, out, eps=0.2, **OPTIONS).made == 0
    assert pf.validate(out) == []
    assert (out / "labels" / "part-00000.parquet").samefile(stored(out, "labels"))
