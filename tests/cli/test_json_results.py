"""`--json` of the commands that make tables: one object, also for an error."""

import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doc_pages import DOCS
from exports import Done
from run_processes import ENGINE, begun, start, wait_for
from run_processes import small_export as export_of_four

import polyframe as pf
from polyframe.core.tables import SCHEMA_VERSION

Call = Callable[..., Done]


def result(done: Done) -> dict[str, Any]:
    """Return the only object on standard output."""
    assert done.out.count("\n") == 1
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed


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
