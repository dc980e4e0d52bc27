"""`--json`: every command that has it prints one object on one line, also for an error."""

import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from doc_pages import DOCS
from exports import Done
from json_results import result
from run_processes import ENGINE, begun, start, wait_for
from run_processes import small_export as export_of_four

import polyframe as pf
from polyframe.cli.app import cli
from polyframe.core.tables import SCHEMA_VERSION

Call = Callable[..., Done]


def test_each_command_that_makes_tables(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    run = result(polyframe("run", small_export, "-o", out, "--json"))
    assert (run["command"], run["exit_code"], run["output"]) == ("run", 0, str(out))
    assert (run["polyframe_version"], run["schema_version"]) == (pf.__version__, SCHEMA_VERSION)
    assert (run["workflow_id"], run["versions"]) == (7, ["3.1"])
    assert run["stages"] == ["extract", "reduce", "contours"]
    assert run["accounting"] == pf.status(out).accounting
    assert (run["partitions"], run["made"]) == (1, 1)
    assert run["parts_made"] == len(list(out.glob("[a-z]*/*.parquet"))) == 9
    assert run["notes"] == ["workflow 7 (Outline) with 10 rows, the only one in the export", "version 3.1"]
    assert run["seconds"] > 0
    assert 10**7 < run["peak_memory_bytes"] < 10**11
    again = result(polyframe("run", small_export, "-o", out, "--json", "-q"))
    assert (again["made"], again["parts_made"], again["accounting"]) == (0, 0, run["accounting"])
    reduced = result(polyframe("reduce", out, "--eps", 0.4, "--json"))
    assert (reduced["command"], reduced["parts_made"]) == ("reduce", 5)
    assert reduced["notes"][-1].startswith("removed out-of-date tables: contours")
    assert result(polyframe("contours", out, "--json"))["parts_made"] == 1
    extracted = result(polyframe("extract", small_export, "-o", tmp_path / "other", "--json"))
    assert (extracted["stages"], extracted["parts_made"]) == (["extract"], 3)


@pytest.fixture
def finished(small_export: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    pf.run(small_export, out, say=str)
    return out


ARGUMENTS: dict[str, list[str]] = {
    "status": [],
    "validate": [],
    "vacuum": [],
    "volunteers": [],
    "subjects": [],
    "score": ["--gold", "{out}/../gold.geojson"],
    "load": ["--to", "delta:{out}/../tables"],
    "import-corrections": ["{out}/../coco.json"],
}


def test_every_command_with_json_is_tested_here() -> None:
    with_json = {
        name for name, command in cli.commands.items() if "as_json" in [one.name for one in command.params]
    }
    assert with_json == {*ARGUMENTS, "run", "extract", "reduce", "contours"}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_each_command_that_reads_tables(command: str, finished: Path, polyframe: Call) -> None:
    if command == "score":
        pf.export(finished, "geojson", finished.parent / "gold.geojson", say=str)
    if command == "import-corrections":
        pf.export(finished, "coco", finished.parent / "coco.json", say=str)
    arguments = [argument.format(out=finished) for argument in ARGUMENTS[command]]
    printed = result(polyframe(command, finished, *arguments, "--json"))
    assert list(printed)[:3] == ["command", "exit_code", "polyframe_version"]
    assert list(printed)[-1] == "notes"
    assert (printed["command"], printed["exit_code"]) == (command, 0)
    assert printed["polyframe_version"] == pf.__version__
    # Of two loads, the second has nothing to do.
    again = result(polyframe(command, finished, *arguments, "--json", *QUIET.get(command, ["--quiet"])))
    assert list(again) == list(printed)


#: Commands that print nothing but their result.
QUIET: dict[str, list[str]] = {"validate": [], "volunteers": [], "subjects": []}


def test_load_and_vacuum_print_what_python_returns(finished: Path, tmp_path: Path, polyframe: Call) -> None:
    printed = result(polyframe("load", finished, "--to", f"delta:{tmp_path}/tables", "--json"))
    loaded = pf.load(finished, f"delta:{tmp_path}/others")
    names = {f.name for f in dataclasses.fields(loaded)}
    assert set(printed) == names | {"command", "exit_code", "polyframe_version", "notes"}
    assert printed["tables"] == loaded.to_dict()["tables"]
    assert printed["tables"]["labels"] == dataclasses.asdict(loaded.tables["labels"])
    assert printed["tables"]["labels"]["rows_inserted"] == pf.status(finished).tables["labels"].rows
    pf.run(finished.parent / "small.csv", finished, eps=0.3, say=str)
    vacuumed = result(polyframe("vacuum", finished, "--keep", "0d", "--json"))
    assert (vacuumed["output"], vacuumed["versions"], vacuumed["kept"]) == (str(finished), 1, 1)
    assert vacuumed["parts"] > 0
    assert set(vacuumed) - set(printed) == {"output", "versions", "parts", "bytes", "kept"}


def test_the_object_has_the_attributes_of_the_summary(small_export: Path, tmp_path: Path) -> None:
    summary = pf.run(small_export, tmp_path / "out")
    names = [f.name for f in dataclasses.fields(summary)]
    assert set(summary.to_dict()) == {*names, "polyframe_version", "schema_version"}
    assert json.loads(json.dumps(summary.to_dict()))["versions"] == ["3.1"]


def test_the_guide_lists_every_key(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    text = (DOCS / "guide" / "operating.md").read_text(encoding="utf-8")
    section = text.partition("## Read the result in a program")[2].partition("## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    run = result(polyframe("run", small_export, "-o", tmp_path / "out", "--json"))
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == set(run)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "none.csv", "-o", "out", "--json"], 1, "none.csv: no such file"),
        (["run", "--json"], 2, "Missing argument 'CLASSIFICATIONS...'"),
        (["run", "x.csv", "-o", "out", "--eps", "abc", "--json"], 2, "'abc' is not a valid float"),
        (["contours", "out", "--json"], 1, "out: no such directory"),
        (["status", "out", "--json"], 1, "out: no such directory"),
        (["validate", "out", "--json"], 1, "out: no such directory"),
        (["vacuum", "out", "--json"], 1, "out: no such directory"),
        (["vacuum", "out", "--keep", "x", "--json"], 2, "keep must be a duration"),
        (["load", "out", "--to", "delta:x", "--json"], 1, "out: no such directory"),
        (["load", "out", "--json"], 2, "Missing option '--to'"),
        (["volunteers", "out", "--json"], 1, "out: no such directory"),
    ],
)
def test_an_error_is_an_object_too(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    polyframe: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = polyframe(*arguments)
    error = result(done)
    assert done.code == error["exit_code"] == code
    assert error["command"] == arguments[0]
    assert message in error["error"]
    assert done.err == f"polyframe: error: {error['error']}\n"


def test_an_error_after_notes(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    error = result(polyframe("run", small_export, "-o", tmp_path / "out", "--task", "T9", "--json", "-q"))
    assert error["notes"] == ["workflow 7 (Outline) with 10 rows, the only one in the export", "version 3.1"]
    assert "task T9" in error["error"]


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_run_that_is_stopped(name: str, code: int, tmp_path: Path) -> None:
    export = export_of_four(tmp_path / "export.csv")
    out = tmp_path / "out"
    process = start("run", export, "-o", out, *ENGINE, "--jobs", 1, "--json", pause={"00002": 60})
    wait_for(begun(out, "00002"))
    process.send_signal(signal.Signals[name])
    text, _ = process.communicate(timeout=60)
    assert process.returncode == code
    error = json.loads(text)
    assert error["exit_code"] == code
    assert error["error"].startswith("stopped; 10 of 20 rows are finished; run the same command")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not list children")
def test_peak_memory_includes_worker_processes(tmp_path: Path) -> None:
    export = export_of_four(tmp_path / "export.csv")
    peaks = []
    for jobs, backend in ((1, None), (2, "loky")):
        out = tmp_path / f"out{jobs}"
        process = start("run", export, "-o", out, *ENGINE, "--jobs", jobs, "--json", backend=backend)
        text, _ = process.communicate(timeout=120)
        peaks.append(json.loads(text)["peak_memory_bytes"])
    # Two workers import the same libraries as this process.
    assert peaks[0] * 1.8 < peaks[1] < peaks[0] * 4
