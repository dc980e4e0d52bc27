"""What a run suggests to do next, and how `polyframe` alone says how to begin."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done, drawing, export_row, export_text, square

from polyframe.cli.next_steps import first_steps, steps_after_run
from polyframe.core.addresses import Address
from polyframe.core.reasons import REASONS

Call = Callable[..., Done]

RUN = ("run", ROOT / "data" / "classifications.csv", "-c", ROOT / "data" / "config.yaml", "-o")


def commands(text: str) -> list[str]:
    """Return the calls among the lines of a text."""
    return [line.strip() for line in text.splitlines() if line.startswith("  polyframe ")]


@pytest.mark.skipif(os.name == "nt", reason="quoted for a POSIX shell")
def test_the_commands_after_a_run_can_be_pasted(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("out", "a b'$HOME; 100%", "-o", "ü*"):
        done = polyframe(*RUN, f"./{name}" if name == "-o" else name)
        assert done.code == 0
        calls = commands(done.out)
        assert [shlex.split(call)[1] for call in calls] == ["report", "tune", "volunteers"]
        for call in calls:
            again = polyframe(*shlex.split(call)[1:])
            assert again.code == 0, (call, again.err)
        assert (tmp_path / f"{name}-report.html").is_file()


def test_no_suggestions_for_programs(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    for flag in ("--quiet", "--json"):
        assert commands(polyframe("run", small_export, "-o", tmp_path / flag, flag).out) == []


def test_after_an_extraction_come_the_next_stages(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = commands(polyframe("extract", small_export, "-o", "out").out)
    assert calls == ["polyframe reduce out", "polyframe tune out", "polyframe status out"]
    # Not in this order, since the reduction changes what the next ones show.
    for call in (calls[1], calls[0], calls[2]):
        assert polyframe(*call.split()[1:]).code == 0
    assert commands(polyframe("reduce", "out").out)[0].startswith("polyframe report out ")


@pytest.mark.skipif(os.name == "nt", reason="quoted for a POSIX shell")
def test_commands_for_a_bucket_have_its_options() -> None:
    options = {"aws_endpoint_url": "http://localhost:9000", "aws_region": "a b"}
    steps = steps_after_run(Address("s3", "bucket/my project", tuple(options.items())), ["reduce"], options)
    given = "--storage-option=aws_endpoint_url=http://localhost:9000 '--storage-option=aws_region=a b'"
    assert [step.lines()[1].strip() for step in steps] == [
        f"polyframe report 's3://bucket/my project' -o 'my project-report.html' {given}",
        f"polyframe tune 's3://bucket/my project' {given}",
        f"polyframe volunteers 's3://bucket/my project' {given}",
    ]


def test_rejects_are_explained_in_words(tmp_path: Path, polyframe: Call) -> None:
    short = drawing(square(0, 0, pathX=[0, 5], pathY=[0, 5]))
    cells = [short, short, drawing(square(0, 0)), "no JSON"]
    rows = [export_row(number, cell, user_name=f"v{number}") for number, cell in enumerate(cells)]
    export = tmp_path / "export.csv"
    export.write_text(export_text(rows), encoding="utf-8")
    done = polyframe("run", export, "-o", tmp_path / "out")
    lines = done.out.splitlines()
    first = lines.index("rejected, see the table rejects:")
    assert lines[first + 1 : first + 3] == [
        "  2 marks: a mark has fewer than three distinct points (too_few_points)",
        "  1 row: the annotations cell is not valid JSON (annotations_not_json)",
    ]
    assert all("`" not in line for line in lines)
    assert all("\n" not in reason.meaning for reason in REASONS)


def test_polyframe_alone_says_how_to_begin(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = polyframe()
    assert (done.code, done.err) == (0, "")
    calls = commands(done.out)
    assert calls == [
        "polyframe demo demo",
        "polyframe run CLASSIFICATIONS.csv -o out",
        "polyframe report out -o out-report.html",
        "polyframe tune out",
        "polyframe volunteers out",
    ]
    assert done.out.splitlines()[-1] == "All commands: polyframe --help"
    # With the export and the output that are there, the commands have their names.
    (tmp_path / "cats-classifications.csv").write_bytes((ROOT / "data" / "classifications.csv").read_bytes())
    assert polyframe("run", "cats-classifications.csv", "-o", "cats").code == 0
    calls = commands("\n".join(first_steps(tmp_path)))
    assert calls[1] == "polyframe run cats-classifications.csv -o out"
    assert calls[2:] == [
        "polyframe report cats -o cats-report.html",
        "polyframe tune cats",
        "polyframe volunteers cats",
    ]
    for call in calls[1:]:
        assert polyframe(*call.split()[1:]).code == 0
