"""`polyframe volunteers` and `polyframe subjects`: the tables that they print, and their one-line errors."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square
from json_results import common_keys

import polyframe as pf
from polyframe.cli.print_worst_first import subjects_lines, volunteers_lines
from polyframe.core.tables import SUBJECTS, VOLUNTEERS

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three subjects; three volunteers outline an object, and a fourth draws elsewhere."""
    folder = tmp_path_factory.mktemp("out")
    rows = [
        export_row(10 * subject + number, drawing(square(shift, 0)), subject_ids=subject, user_name=name)
        for subject in (1, 2, 3)
        for number, (name, shift) in enumerate((("ann", 0), ("bob", 0), ("cid", 1 + subject), ("dot", 50)))
        if subject < 3 or number < 2
    ]
    (folder / "export.csv").write_text(export_text(rows))
    pf.run(folder / "export.csv", folder / "out", jobs=1)
    return folder / "out"


def test_volunteers_are_printed_worst_first(out: Path, polyframe: Call) -> None:
    done = polyframe("volunteers", out)
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[:2] == [
        ["classi-"],
        ["volunteer", "fications", *VOLUNTEERS_HEADINGS],
    ]
    assert [line[:7] for line in lines[2:4]] == [
        ["dot", "2", "2", "2", "2", "0", "0.000"],
        ["cid", "2", "2", "0", "2", "2", "1.000"],
    ]
    assert [line[0] for line in lines[2:]] == pf.volunteers(out)["volunteer"].to_list()
    # A volunteer with a single other on a subject is not judged there.
    assert lines[4][:5] == ["ann", "3", "3", "0", "2"]


VOLUNTEERS_HEADINGS = (
    *("marks", "outliers", "judged", "confirmed", "precision", "expected", "drawn", "recall", "IoU", "score"),
)


def test_subjects_are_printed_worst_first(out: Path, polyframe: Call) -> None:
    done = polyframe("subjects", out)
    assert (done.code, done.err) == (0, "")
    *rows, total = done.out.splitlines()
    assert rows[1].split()[:5] == ["subject", "fications", "volunteers", "marks", "clusters"]
    table = pf.subjects(out)
    assert [int(row.split()[0]) for row in rows[2:]] == table["subject_id"].to_list()
    # Nothing is known about a cluster of two marks.
    assert rows[-1].split() == ["3", "2", "2", "2", "1", "0", "1.000", "1.000", "-", "-", "-"]
    needing = (table["classifications_needed"] > table["n_classifications"]).sum()
    assert total == (
        f"{needing} of 3 subjects need more classifications for an expected IoU of 0.95; "
        "not known for 1, without a cluster of 3 to 500 marks"
    )


@pytest.mark.parametrize("command", ["volunteers", "subjects"])
def test_limits(command: str, out: Path, polyframe: Call) -> None:
    rest = {"volunteers": 3, "subjects": 2}[command]
    lines = polyframe(command, out, "--limit", 1).out.splitlines()
    assert f"and {rest} more {command}; --limit shows more" == lines[3]
    assert polyframe(command, out, "--limit", 99).out == polyframe(command, out).out
    done = polyframe(command, out, "--limit", -1)
    assert done.code == 2
    assert "--limit" in done.err


@pytest.mark.parametrize("command", ["volunteers", "subjects"])
def test_one_json_object(command: str, out: Path, polyframe: Call) -> None:
    rows = getattr(pf, command)(out).to_dicts()
    printed = json.loads(polyframe(command, out, "--json").out)
    assert printed == {**common_keys(command), "output": str(out), command: rows}
    limited = json.loads(polyframe(command, out, "--json", "--limit", 2).out)
    assert limited[command] == rows[:2]


@pytest.mark.parametrize("command", ["volunteers", "subjects"])
def test_a_missing_directory(command: str, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe(command, tmp_path / "nowhere")
    assert done.code == 1
    assert done.err.startswith(f"polyframe: error: {tmp_path / 'nowhere'}: no such directory")
    assert len(done.err.splitlines()) == 1


def test_names_for_a_terminal() -> None:
    row = dict.fromkeys(VOLUNTEERS.schema, 1) | {"volunteer": "a\nb" + 40 * "c", "user_name": "x"}
    table = VOLUNTEERS.conform(pl.DataFrame([row]))
    lines = volunteers_lines(table, None)
    assert len(lines) == 4
    assert lines[2].startswith(f"a?b{17 * 'c'}...{9 * 'c'}  ")
    assert lines[3] == "long names are shortened; --json gives them whole"
    assert len(volunteers_lines(table, 0)) == 3


def test_sessions_of_a_visitor_are_told_apart() -> None:
    """Their names only differ at the end."""
    visitor = f"not-logged-in-{20 * '7'}"
    rows = [
        dict.fromkeys(VOLUNTEERS.schema, 1) | {"volunteer": f"{visitor}/{session}", "user_name": visitor}
        for session in (64 * "a", 63 * "a" + "b")
    ]
    lines = volunteers_lines(VOLUNTEERS.conform(pl.DataFrame(rows)), None)
    names = [line.split()[0] for line in lines[2:4]]
    assert names == ["not-logged-in-777777...aaaaaaaaa", "not-logged-in-777777...aaaaaaaab"]
    short = volunteers_lines(VOLUNTEERS.conform(pl.DataFrame([rows[0] | {"volunteer": 32 * "x"}])), None)
    assert short[2].startswith(f"{32 * 'x'}  ")
    assert len(short) == 3


def test_no_rows() -> None:
    assert volunteers_lines(VOLUNTEERS.empty(), None) == ["no volunteer is known by name"]
    assert subjects_lines(SUBJECTS.empty(), None)[-1].startswith("0 of 0 subjects need more classifications")
