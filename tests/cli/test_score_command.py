"""`polyframe score`: the table that it prints and writes, and its one-line errors."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done
from gold_cases import expert_geojson, volunteer_rows, write_rows
from json_results import common_keys

import polyframe as pf
from polyframe.cli.print_scores import score_lines
from polyframe.core.result_tables import SCORES
from polyframe.export.words import Words

Call = Callable[..., Done]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    pf.run(write_rows(tmp_path / "export.csv", volunteer_rows()), tmp_path / "out", jobs=1, engine="shapely")
    expert_geojson(tmp_path / "gold.geojson")
    return tmp_path / "out"


def test_the_table_is_printed_and_written(out: Path, tmp_path: Path, polyframe: Call) -> None:
    gold = tmp_path / "gold.geojson"
    done = polyframe("score", out, "--gold", gold, "--what", "marks", "-o", tmp_path / "new" / "x.csv")
    assert done.code == 0
    assert done.err == f"polyframe: {gold}: 2 gold outlines on 2 of the 3 subjects of {out}\n"
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        *("all", "T0_toolIndex0"),
        *("volunteer3", "volunteer1", "volunteer2"),  # the worst first
    ]
    assert lines[3].split()[1:] == [
        *("6", "4", "2", "0.500", "0.333", "0.400", "0.640", "0.213"),
        *(lines[3].split()[9], "1.562", "1.562"),
    ]
    assert lines[4].split()[1:] == ["2", "0", "0", "-", "0.000", "0.000", "-", "0.000", "-", "-", "-"]
    ends = {tuple(m.end() for m in re.finditer(r"\S+", line))[1:] for line in lines[2:]}
    assert len(ends) == 1
    table = pf.score(out, gold, what="marks")
    assert pl.read_csv(tmp_path / "new" / "x.csv", schema=table.schema).equals(table)


def test_one_json_object(out: Path, tmp_path: Path, polyframe: Call) -> None:
    gold = tmp_path / "gold.geojson"
    done = polyframe("score", out, "--gold", gold, "--level", "2", "--min-iou", "0.7", "--json")
    content = json.loads(done.out)
    (note,) = content["notes"]
    assert note in done.err
    assert content == common_keys("score") | {
        "notes": [note],
        "output": str(out),
        "gold": str(gold),
        "scores": pf.score(out, gold, level=2, min_iou=0.7).to_dicts(),
    }
    assert content["scores"][0]["n_matched"] == 0


def test_quiet_prints_nothing_and_writes_the_table(out: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("score", out, "--gold", tmp_path / "gold.geojson", "-q", "-o", tmp_path / "x.parquet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert pl.read_parquet(tmp_path / "x.parquet").schema == SCORES.schema


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--gold", "missing.csv"], 1, "missing.csv: no such file"),
        (
            ["--gold", "ftp://host/gold.csv"],
            2,
            "ftp://host/gold.csv: ftp:// addresses cannot be read; expected",
        ),
        (["--gold", "."], 1, "is a directory"),
        (["--gold", ""], 2, "gold: '' is not a path"),
        (["--gold", "gold_standard"], 1, "no classification is marked as gold standard"),
        (
            ["--gold", "gold.geojson", "-o", "x.txt"],
            2,
            "x.txt: the name of a table must end in .csv or .parquet",
        ),
        (["--gold", "gold.geojson", "-o", "out/labels/x.csv"], 2, "belongs to the tables in"),
        (["--gold", "gold.geojson", "--level", "0"], 2, "level: '0' is neither a number of marks from 1"),
        (["--gold", "gold.geojson", "--min-iou", "2"], 2, "min_iou must be >= 0 and <= 1 (got 2.0)"),
        (["--gold", "gold.geojson", "--what", "labels"], 2, "Invalid value for '--what'"),
        (["--gold", "gold.geojson", "--gold-workflow-id", "x"], 2, "Invalid value for '--gold-workflow-id'"),
        (["--gold", "gold.geojson", "--gold-workflow-version", "1"], 2, "GeoJSON has no versions; omit it"),
        (["--gold", "none.geojson", "-q", "--json"], 1, "none.geojson: no such file"),
        ([], 2, "Missing option '--gold'"),
    ],
)
def test_wrong_calls_end_with_one_line(
    arguments: list[str], code: int, message: str, out: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out.parent)
    done = polyframe("score", "out", *arguments)
    assert done.code == code, done.err
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    if "--json" in arguments:
        assert json.loads(done.out)["exit_code"] == code
    else:
        assert done.out == ""


@pytest.mark.parametrize("command", ["score", "tune"])
def test_gold_of_another_workflow_is_chosen(command: str, out: Path, polyframe: Call, tmp_path: Path) -> None:
    gold = expert_geojson(tmp_path / "other.geojson", workflow_id=8)
    assert "contains no subject" in polyframe(command, out, "--gold", gold).err
    done = polyframe(command, out, "--gold", gold, "--gold-workflow-id", 8)
    assert (done.code, "2 gold outlines on 2 of the 3 subjects" in done.err) == (0, True)
    done = polyframe(command, out, "--gold", gold, "--gold-workflow-version", "newest")
    assert (done.code, "gold_workflow_version: GeoJSON has no versions" in done.err) == (2, True)


def workflows(path: Path, labels: list[str]) -> Path:
    tasks = {"T0": {"instruction": "Outline all", "tools": [{"label": label} for label in labels]}}
    pl.DataFrame(
        {
            "workflow_id": [7],
            "display_name": ["Cells"],
            "version": [3],
            "minor_version": [1],
            "tasks": [json.dumps(tasks)],
            "strings": ["{}"],
        }
    ).write_csv(path)
    return path


def test_tools_are_printed_in_the_words_of_the_project(out: Path, tmp_path: Path, polyframe: Call) -> None:
    gold, named = tmp_path / "gold.geojson", ("--workflows", workflows(tmp_path / "w.csv", ["Cell"]))
    done = polyframe("score", out, "--gold", gold, *named, "-o", tmp_path / "x.csv")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["all", "Cell"]
    # What programs read has keys.
    tools = [None, "T0_toolIndex0"]
    assert pl.read_csv(tmp_path / "x.csv")["tool"].to_list() == tools
    printed = json.loads(polyframe("score", out, "--gold", gold, *named, "--json").out)
    assert [row["tool"] for row in printed["scores"]] == [None, "T0_toolIndex0"]
    missing = polyframe("score", out, "--gold", gold, "--workflows", tmp_path / "none.csv")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "none.csv: no such file" in missing.err


def test_long_labels_stay_apart() -> None:
    row: dict[str, object] = dict.fromkeys(SCORES.schema) | {"scored": "median", "scope": "tool"}
    tools = ["T0_toolIndex0", "T0_toolIndex1", "T0_toolIndex2"]
    table = SCORES.conform(pl.DataFrame([row | {"tool": tool} for tool in tools], SCORES.schema))
    labels = [f"An outline of the {kind} cell with everything in it" for kind in ("first", "other")]
    lines = score_lines(table, Words(tools=dict(zip(tools, labels, strict=False))))
    # Both are shortened to the same text.
    assert [line.partition("  ")[0] for line in lines[2:]] == [
        "An outline of the fi...ing in it (T0_toolIndex0)",
        "An outline of the ot...ing in it (T0_toolIndex1)",
        "T0_toolIndex2",
    ]


def test_many_volunteers_and_strange_names() -> None:
    row: dict[str, object] = dict.fromkeys(SCORES.schema) | {
        "scored": "marks",
        "scope": "volunteer",
    }
    rows = [row | {"volunteer": f"v\n{number}", "f1": number / 100} for number in range(33)]
    table = SCORES.conform(pl.DataFrame([row | {"scope": "all"}, *rows], SCORES.schema))
    lines = score_lines(table, Words())
    assert len(lines) == 2 + 1 + 30 + 1
    assert lines[3].split()[:2] == ["v?0", "-"]
    assert lines[-1] == "and 3 more volunteers; -o saves all of them"


def test_matches_without_a_choice_do_not_import_scipy(out: Path) -> None:
    code = (
        "import sys, polyframe as pf\n"
        f"pf.score({str(out)!r}, {str(out.parent / 'gold.geojson')!r})\n"
        "assert 'scipy.optimize' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_progress_counts_partitions_and_names_the_steps(out: Path, tmp_path: Path, polyframe: Call) -> None:
    gold, steps = tmp_path / "gold.geojson", list[tuple[int, int]]()
    pf.score(out, gold, say=str, progress=lambda *step: steps.append(step))
    assert steps == [(1, 1), (1, 1)]  # classifications and reductions
    done = polyframe("score", out, "--gold", gold, "--progress", "on", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert "polyframe: reading the expert's outlines\n" in done.err
    assert "polyframe: reading reductions\npolyframe: partitions: 1 of 1 finished (100 %)\n" in done.err
    assert done.err.splitlines()[-1].endswith(" with the expert's")
