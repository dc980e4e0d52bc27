"""Standard error as a log and on a terminal, by the command line with pipes and a pseudo-terminal."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from exports import ROOT
from terminal import on_terminal

from polyframe.cli import invocation
from polyframe.cli.console import say
from polyframe.core.notes import Information

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with pipes."""
    return subprocess.run(
        [sys.executable, "-m", "polyframe", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def without_slow_steps(text: str) -> list[str]:
    """Return the lines of a log without the counts of steps, which take a second only on a busy machine."""
    slow = re.compile(r"(the export|the rows): .* finished|rows: 0 of")
    return [line for line in text.splitlines() if not slow.search(line)]


def test_notes_are_lines_with_time_and_level(small_export: Path, tmp_path: Path) -> None:
    done = run("run", small_export, "-o", tmp_path / "out", "--progress", "on", POLYFRAME_EPS="0.4")
    lines = without_slow_steps(done.stderr)
    assert [re.fullmatch(rf"{TIME} (INFO|WARNING) (.*)", line)[2] for line in lines] == [  # type: ignore[index]
        "from the environment: POLYFRAME_EPS=0.4",
        "reading the export",
        "counting the rows",
        "workflow 7 (Outline) with 10 rows, the only one in the export",
        "version 3.1",
        "sorting the rows",
        "preparing the work",
        "rows: 10 of 10 finished (100 %), 10 marks",
        "publishing the tables",
    ]
    assert done.stdout.startswith("rows read 10")


def test_log_lines_as_json(small_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("run", small_export, "-o", out, POLYFRAME_LOG_FORMAT="json", POLYFRAME_PROGRESS="on")
    lines = [json.loads(line) for line in without_slow_steps(done.stderr)]
    assert all(re.fullmatch(TIME, line.pop("time")) for line in lines)
    assert lines == [
        {"level": "INFO", "message": "reading the export"},
        {"level": "INFO", "message": "counting the rows"},
        {"level": "INFO", "message": "workflow 7 (Outline) with 10 rows, the only one in the export"},
        {"level": "INFO", "message": "version 3.1"},
        {"level": "INFO", "message": "sorting the rows"},
        {"level": "INFO", "message": "preparing the work"},
        {
            "level": "INFO",
            "message": "rows: 10 of 10 finished (100 %), 10 marks",
            "done": 10,
            "total": 10,
            "marks": 10,
        },
        {"level": "INFO", "message": "publishing the tables"},
    ]
    for call in (["run", "none.csv", "-o", out], ["run", "--nonsense"], ["status", tmp_path / "none"]):
        (line,) = run(*call, POLYFRAME_LOG_FORMAT="json").stderr.splitlines()
        assert json.loads(line)["level"] == "ERROR"
    # The option has priority over the variable, and its value is checked like that of any other.
    done = run("run", "none.csv", "-o", out, "--log-format", "text", POLYFRAME_LOG_FORMAT="json")
    assert re.fullmatch(rf"{TIME} ERROR none.csv: no such file.*\n", done.stderr)
    done = run("run", "none.csv", "-o", out, "--log-format", "xml")
    assert (done.returncode, "'xml' is not one of 'text', 'json'" in done.stderr) == (2, True)


@pytest.mark.skipif(os.name == "nt", reason="needs pseudo-terminals")
def test_a_terminal_shows_plain_lines_and_a_bar(small_export: Path, tmp_path: Path) -> None:
    call = ("run", small_export, "-o", tmp_path / "out")
    code, text = on_terminal(*call, "--progress", "on")
    assert code == 0
    notes = (
        "polyframe: workflow 7 (Outline) with 10 rows, the only one in the export\npolyframe: version 3.1\n"
    )
    # Notes are lines of their own; the progress before them is erased.
    steps = [shown.strip() for shown in re.split(r"[\r\n]+", text.replace(notes, ""))]
    assert notes in text
    assert next(filter(None, steps)) == "starting"
    assert "rows read 10 = 0 filtered out + 0 rejected + 10 used" in steps
    assert not re.search(TIME, text)
    _, text = on_terminal(*call, "--force", "--progress", "off")
    assert "\r" not in text
    _, text = on_terminal(*call, "--force", "--log-format", "text", "--progress", "on")
    assert re.search(rf"^{TIME} INFO rows: 10 of 10 finished \(100 %\), 10 marks$", text, re.MULTILINE)
    code, text = on_terminal("run", "none.csv", "-o", tmp_path / "other")
    # If that takes some seconds, progress was shown and erased.
    (line,) = text.rpartition("\r")[2].splitlines()
    assert (code, line.startswith("polyframe: error: none.csv: no such file")) == (1, True)


def test_a_note_is_one_line_and_remembered_even_if_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    invocation.begin("run", [])
    say(quiet=False)("one\ntwo")
    say(quiet=False)(Information("three"))
    say(quiet=True)("four")
    found = re.findall(rf"^{TIME} (.*)$", capsys.readouterr().err, re.MULTILINE)
    assert found == ["WARNING one two", "INFO three"]
    assert invocation.current().notes == ["one\ntwo", "three", "four"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["--log-format", "json"], "json"),
        (["--log-format=text", "--log-format", "json"], "json"),
        (["--log-format", "json", "--log-format=text"], "text"),
        (["--log-format"], None),
        (["--", "--log-format", "json"], None),
    ],
)
def test_the_form_is_known_before_the_arguments_are_checked(
    arguments: list[str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLYFRAME_LOG_FORMAT", raising=False)
    invocation.begin("run", arguments)
    assert invocation.current().log_format == expected
