"""`polyframe status`: the tables, which parts are current, and runs in progress or dead."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import ROOT, Done, drawing, export_row, export_text, square
from json_results import common_keys
from stores import copied, manifest_file, manifest_of

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.pipeline import run
from polyframe.pipeline.configure import configure
from polyframe.store import publishing, view
from polyframe.store.lock import exclusive, holder_of
from polyframe.store.manifest import Manifest, StageRecord
from polyframe.store.output import MANIFEST, PARTS, STORE, WORK, Output, Work, manifest_key, part_name
from polyframe.store.part_files import PartFile
from polyframe.store.stages import STAGE_TABLES
from polyframe.store.view import refresh_view
from polyframe.synthetic import SynthOptions, write_export

Call = Callable[..., Done]
#: The module, which the public function of the same name hides.
status_module: Any = importlib.import_module("polyframe.store.status")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of about 2 MB, so that partitions of 1 MB make several."""
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, SynthOptions(subjects=60, volunteers=6, vertices=150, seed=3, slips=0.02))
    return path


@pytest.fixture(scope="module")
def finished_output(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "out"
    pf.run(export, out, partition_size=1, eps=0.6)
    return out


@pytest.fixture
def out(finished_output: Path, tmp_path: Path) -> Path:
    return copied(finished_output, tmp_path / "out")


def test_an_output_directory_in_good_order(finished_output: Path) -> None:
    state = pf.status(finished_output)
    manifest = manifest_of(finished_output)
    assert state.partitions == state.partitions_current == len(manifest.partitions) > 1
    assert state.parts == state.parts_current == (len(TABLES) - 1) * state.partitions + 1
    assert list(state.tables) == list(TABLES)
    for name, table in state.tables.items():
        files = list((finished_output / name).iterdir())
        assert table.rows == pl.scan_parquet(files).select(pl.len()).collect().item()
        assert table.bytes == sum(path.stat().st_size for path in files)
        assert table.parts == table.current == len(files)
    assert state.settings["eps"] == 0.6
    assert state.polyframe_version == pf.__version__
    assert state.sources == ["classifications.csv"]
    assert state.accounting == manifest.accounting.to_dict()
    assert (state.running, state.finished_parts) == (None, 0)
    assert (state.number, state.finished_at, state.host) == (1, manifest.finished_at, manifest.host)
    assert state.published == []


def test_lines_show_settings_that_are_not_the_defaults(finished_output: Path, polyframe: Call) -> None:
    done = polyframe("status", finished_output)
    assert (done.code, done.err) == (0, "")
    assert "eps 0.6" in done.out
    for usual in ("min_samples", "filter", "average_type", "step_key", "num_grid_points"):
        assert usual not in done.out
    reasons = manifest_of(finished_output).accounting.reasons
    assert reasons
    assert all(f"{reason} {number}" in done.out for reason, number in reasons.items())
    for name, table in pf.status(finished_output).tables.items():
        assert f"{name}{table.rows:,}{table.bytes:,}" in done.out.replace(" ", "")
    assert "working there" not in done.out
    assert "ended early" not in done.out


def test_lines_in_the_words_of_the_project(finished_output: Path, tmp_path: Path, polyframe: Call) -> None:
    words = ("--workflows", ROOT / "data" / "workflows.csv")
    done = polyframe("status", finished_output, *words)
    lines = done.out.splitlines()
    assert "of workflow 4321 (Outline cells and crystals), version" in lines[0]
    assert lines[2:5] == [
        "T0: Outline every cell and every crystal.",
        "  T0_toolIndex0: Cell",
        "  T0_toolIndex1: Crystal",
    ]
    del lines[2:5]
    lines[0] = lines[0].replace(" (Outline cells and crystals)", "")
    plain = polyframe("status", finished_output).out.splitlines()
    assert lines[:-1] == plain[:-1]  # without the age
    # Programs get keys, and a damaged output is reported although its tools cannot be read.
    assert json.loads(polyframe("status", finished_output, *words, "--json").out)["settings"]["eps"] == 0.6
    damaged = tmp_path / "damaged"
    shutil.copytree(finished_output, damaged)
    shutil.rmtree(damaged / "groups")
    for path in (damaged / STORE / PARTS / "groups").rglob("*.parquet"):
        path.unlink()
    done = polyframe("status", damaged, *words)
    assert (done.code, "T0_toolIndex0: Cell" in done.out) == (1, False)


def test_json_is_one_object_with_stable_keys(finished_output: Path, polyframe: Call) -> None:
    done = polyframe("status", finished_output, "--json")
    printed = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert printed == common_keys("status") | pf.status(finished_output).to_dict()
    keys = "command exit_code polyframe_version output schema_version sources versions version_chosen_by"
    keys += " stages settings extraction engines tables"
    keys += " partitions partitions_current parts parts_current not_current accounting running finished_parts"
    keys += " finished_partitions number finished_at host checked_at published corrections notes"
    assert list(printed) == keys.split()
    assert list(printed["tables"]["labels"]) == ["rows", "bytes", "parts", "current"]


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def lengthen(path: Path) -> None:
    # A Parquet file is read from its end.
    path.write_bytes(b"PAR1" + path.read_bytes())


def empty(path: Path) -> None:
    path.write_bytes(b"")


def as_text(path: Path) -> None:
    path.write_text("no Parquet")


def from_another(path: Path) -> None:
    other = path.with_name(part_name("00001"))
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (remove, "is missing"),
        (truncate, "the manifest says"),
        (lengthen, "the manifest says"),
        (empty, "has 0 bytes"),
        (as_text, "the manifest says"),
        (from_another, "the manifest says"),
    ],
)
def test_parts_that_are_not_current(
    damage: Callable[[Path], None], problem: str, out: Path, polyframe: Call
) -> None:
    damage(out / "labels" / "part-00000.parquet")
    state = pf.status(out)
    assert list(state.not_current) == ["labels/part-00000.parquet"]
    assert problem in state.not_current["labels/part-00000.parquet"]
    assert state.partitions_current == state.partitions - 1
    assert state.parts_current == state.parts - 1
    assert state.tables["labels"].current == state.partitions - 1
    done = polyframe("status", out)
    assert done.code == 1
    assert "labels/part-00000.parquet: " in done.out
    done = polyframe("status", out, "--json")
    assert done.code == 1
    printed = json.loads(done.out)
    assert (printed["exit_code"], [*printed["not_current"]]) == (1, ["labels/part-00000.parquet"])
    assert "exit code is 1 if a part is missing or damaged" in " ".join(
        polyframe("status", "--help").out.split()
    )


def test_versions_are_listed(export: Path, out: Path, polyframe: Call) -> None:
    pf.run(export, out, partition_size=1, eps=0.3)
    state = pf.status(out, versions=True)
    assert [version.number for version in state.published] == [1, 2]
    newest = state.published[-1]
    assert (newest.number, newest.finished_at, newest.host) == (2, state.finished_at, state.host)
    assert newest.polyframe_version == pf.__version__
    lines = polyframe("status", out, "--versions").out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("version ")] == ["1", "2"]
    printed = json.loads(polyframe("status", out, "--versions", "--json").out)
    assert [version["number"] for version in printed["published"]] == [1, 2]
    assert f"version 2, published {state.finished_at} by {state.host}" in polyframe("status", out).out


def test_a_version_that_cannot_be_read_is_listed(export: Path, out: Path, polyframe: Call) -> None:
    pf.run(export, out, partition_size=1, eps=0.3)
    older = out / STORE / manifest_key(1)
    older.write_text(older.read_text("utf-8").replace('"schema_version": ', '"schema_version": 9'), "utf-8")
    assert [
        (version.number, version.polyframe_version) for version in pf.status(out, versions=True).published
    ] == [
        (1, None),
        (2, pf.__version__),
    ]
    done = polyframe("status", out, "--versions")
    assert (done.code, done.err) == (0, "")
    lines = [line for line in done.out.splitlines() if line.startswith("version ")]
    assert lines[0] == "version    1  cannot be read (damaged, or made by another version of polyframe)"
    assert lines[1].endswith(f"polyframe {pf.__version__}")
    printed = json.loads(polyframe("status", out, "--versions", "--json").out)["published"]
    assert printed[0] == {"number": 1, "finished_at": None, "host": None, "polyframe_version": None}


def test_folders_are_not_checked_between_manifest_and_folders(
    export: Path, out: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    """A version is published by then, which the folders do not show yet."""
    seen: list[object] = []

    def look(work: Work, manifest: Manifest) -> None:
        if manifest.number == 2:
            state = pf.status(out)
            seen.extend([state.number, state.not_current, state.problems(), list(pf.validate(out))])
            seen.append(polyframe("status", out, "--check").code)
        refresh_view(work, manifest)

    monkeypatch.setattr(publishing, "refresh_view", look)
    pf.run(export, out, partition_size=1, eps=0.3)
    assert seen == [2, {}, [], [], 0]
    assert pf.status(out).problems() == pf.validate(out) == []


@pytest.mark.parametrize("newest", [1, 2])
def test_folders_of_a_run_that_begins_meanwhile(
    newest: int, export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Problems are reported only if no run works there and no other version was published in the meantime."""
    complete = view.view_problem
    calls: list[Path] = []

    def run_first(path: Path, part: PartFile, *, whole: bool = False) -> str:
        calls.append(path)
        if len(calls) == 1 and newest == 2:
            pf.run(export, out, partition_size=1, eps=0.3)
        elif len(calls) == 1:
            path.unlink()
        return complete(path, part, whole=whole)

    monkeypatch.setattr(status_module, "view_problem", run_first)
    problems = list(pf.status(out).not_current.values())
    assert problems == (["is missing"] if newest == 1 else [])


def test_a_version_that_a_run_removes_meanwhile(
    export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest one is read, then."""
    read = status_module.read_manifest
    calls: list[int | None] = []

    def run_after(output: Output, version: int | None = None) -> Manifest:
        manifest = read(output, version)
        calls.append(version)
        if len(calls) == 1:
            pf.run(export, out, partition_size=1, eps=0.3, keep_versions=1)
        return manifest

    monkeypatch.setattr(status_module, "read_manifest", run_after)
    state = pf.status(out)
    assert (state.number, state.settings["eps"], state.problems()) == (2, 0.3, [])
    assert state.finished_parts == 0
    assert calls == [1, 2]


def test_a_version_that_a_run_removes_before_it_is_read(
    export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = status_module.read_manifest
    calls: list[int | None] = []

    def run_before(output: Output, version: int | None = None) -> Manifest:
        calls.append(version)
        if len(calls) == 1:
            pf.run(export, out, partition_size=1, eps=0.3, keep_versions=1)
        return read(output, version)

    monkeypatch.setattr(status_module, "read_manifest", run_before)
    assert pf.status(out).number == 2
    assert calls == [1, 2]


def test_records_are_listed_once_for_a_table(finished_output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each part, since then the time would grow with the square of the number of partitions."""
    listed: list[str] = []
    part_records = status_module.part_records

    def count(manifest: Manifest, table: str) -> dict[str, StageRecord]:
        listed.append(table)
        return part_records(manifest, table)

    monkeypatch.setattr(status_module, "part_records", count)
    assert pf.status(finished_output).partitions > 1
    assert len(listed) == len(set(listed))


def test_parts_of_an_unpublished_run_do_not_count_as_tables(
    export: Path, out: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    """If a run dies before it publishes its version, its parts are finished, and the tables the old ones."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    # Modification times may have whole seconds.
    then = time.time() - 10
    os.utime(manifest_file(out), (then, then))
    with monkeypatch.context() as patched:
        patched.setattr(run, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            pf.run(export, out, partition_size=1, eps=0.3)
    state = pf.status(out)
    assert (state.number, state.settings["eps"], state.not_current) == (1, 0.6, {})
    assert state.finished_partitions == state.partitions
    assert "a run ended early: " in polyframe("status", out).out
    pf.run(export, out, partition_size=1, eps=0.3)
    assert (pf.status(out).number, pf.status(out).finished_parts) == (2, 0)


def test_finished_parts_of_a_dead_run(out: Path, tmp_path: Path, polyframe: Call) -> None:
    """Before anything is published there are no tables; only stages with all tables count as finished."""
    new = tmp_path / "new"
    parts = new / STORE / "parts"
    shutil.copytree(out / STORE / "parts" / "classifications", parts / "classifications")
    for table in ("extractions", "rejects", "contours"):
        shutil.copytree(out / STORE / "parts" / table / "part=00001", parts / table / "part=00001")
    state = pf.status(new)
    assert state.polyframe_version is None
    assert (state.finished_parts, state.finished_partitions) == (4, 1)
    assert state.running is None
    lines = polyframe("status", new).out.splitlines()
    assert lines[0] == f"{new}: no tables yet"
    assert lines[1].startswith(
        "a run ended early: 4 finished parts of 1 partition wait; run the same command"
    )
    assert json.loads(polyframe("status", new, "--json").out)["tables"] == {}


def test_a_run_in_progress(out: Path, polyframe: Call) -> None:
    """Its lock is read and not changed."""
    (out / WORK).mkdir()
    lock = out / WORK / "lock"
    code = "import sys\nfrom pathlib import Path\nfrom polyframe.store.lock import exclusive\n"
    code += "with exclusive(Path(sys.argv[1]), Path('out')):\n    print('held', flush=True)\n    input()\n"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = lock.read_bytes(), lock.stat().st_mtime_ns
        running = pf.status(out).running
        assert running is not None
        assert running.startswith(f"process {holder.pid} on ")
        assert f"process {holder.pid} on " in polyframe("status", out).out
        assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert lock.exists()
    assert pf.status(out).running is None


def test_a_lock_of_another_computer_may_be_dead(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(json.dumps({"pid": 1, "host": "another.example"}))
    assert holder_of(lock) == "process 1 on another.example (if it is still alive there)"
    lock.write_text("nonsense")
    assert holder_of(lock) is None
    lock.unlink()
    assert holder_of(lock) is None
    with exclusive(lock, tmp_path):
        assert holder_of(lock) is not None


def test_a_path_that_is_not_an_output_directory(tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("nothing", "file", "folder"):
        done = polyframe("status", tmp_path / name)
        assert (done.code, done.out) == (1, "")
        reason = "no such directory" if name == "nothing" else "not a polyframe output directory"
        assert done.err.startswith(f"polyframe: error: {tmp_path / name}: {reason}")
        assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"schema_version": 1}', "\x00"])
def test_a_manifest_that_cannot_be_read(text: str, tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / MANIFEST).write_text(text)
    done = polyframe("status", tmp_path, "--json")
    assert (done.code, json.loads(done.out)["exit_code"]) == (1, 1)
    assert len(done.err.splitlines()) == 1
    assert MANIFEST in done.err


def test_extractions_alone(tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "small.csv"
    rows = [export_row(1, drawing(square(0, 0))), export_row(2, "nonsense"), export_row(3, None)]
    path.write_text(export_text(rows))
    run.run_export([path], tmp_path / "out", configure(None, {}).settings, ["extract"])
    state = pf.status(tmp_path / "out")
    assert list(state.tables) == list(STAGE_TABLES["extract"])
    expected: dict[str, Any] = {"annotations_missing": 1, "annotations_not_json": 1}
    assert state.accounting["reasons"] == expected
    assert "annotations_missing 1, annotations_not_json 1" in polyframe("status", tmp_path / "out").out
