"""Test that polyframe and the reference tool can read configuration files from a workflow export."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from exports import ROOT, Done, other_digits

import polyframe as pf
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.panoptes.config.read_config import read_config

Call = Callable[..., Done]
WORKFLOWS = ROOT / "data" / "workflows.csv"


def written(path: Path, *rows: tuple[Any, ...]) -> Path:
    """Write a workflow export of rows (workflow_id, version, minor_version, tasks)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("workflow_id", "display_name", "version", "minor_version", "tasks", "strings"))
        for number, version, minor, tasks in rows:
            content = tasks if isinstance(tasks, str) else json.dumps(tasks)
            table.writerow((number, f"Workflow {number}", version, minor, content, "{}"))
    return path


def drawing(*types: str) -> dict[str, Any]:
    return {"type": "drawing", "tools": [{"type": kind, "details": []} for kind in types]}


def test_polyframe_reads_the_files(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("config", WORKFLOWS, "--workflow-id", 4321, "--version", "7.9", "-o", tmp_path / "new")
    assert done.code == 0
    files = [Path(line) for line in done.out.splitlines()]
    assert [file.name for file in files] == [
        "Extractor_config_workflow_4321_V7.9.yaml",
        "Reducer_config_workflow_4321_V7.9_polygon_extractor.yaml",
        "Reducer_config_workflow_4321_V7.9_bezier_extractor.yaml",
        "Reducer_config_workflow_4321_V7.9_polygon_reducer_contours.yaml",
        "Task_labels_workflow_4321_V7.9.yaml",
    ]
    assert "skipped, since they draw no outlines: T1 (single)" in done.err
    values = read_config(files).values
    assert (values["workflow_id"], values["workflow_version"]) == (4321, "7.9")
    assert values["drawing_tasks"] == (
        DrawingTask("T0", (0, 1), "polygon"),
        DrawingTask("T3", (0,), "bezier"),
    )
    assert (values["average_type"], values["eps"], values["min_samples"]) == ("median", 0.5, 2)
    assert values["contour_method"] == "exact"


def test_the_files_give_the_results_of_the_example_configuration(tmp_path: Path) -> None:
    files = pf.config(WORKFLOWS, tmp_path / "configs")
    export = ROOT / "data" / "classifications.csv"
    pf.run(export, tmp_path / "ours", files, engine="shapely", jobs=1)
    pf.run(export, tmp_path / "example", ROOT / "data" / "config.yaml", engine="shapely", jobs=1)
    for table in ("extractions", "reductions", "contours"):
        ours, example = (pf.scan(tmp_path / name, table).collect() for name in ("ours", "example"))
        assert ours.equals(example)


def test_the_reference_tool_reads_the_files(reference_python: str, tmp_path: Path) -> None:
    extractor, reducer, contours, _ = pf.config(WORKFLOWS, tmp_path, version="7.12")
    code = (
        "import sys; from panoptes_aggregation.scripts.extract_panoptes_csv import extract_csv;"
        "from panoptes_aggregation.scripts.reduce_panoptes_csv import reduce_csv;"
        "made = extract_csv(sys.argv[1], sys.argv[2], output_dir=sys.argv[4], hide_progressbar=True);"
        "print(reduce_csv(made[0], sys.argv[3], output_dir=sys.argv[4], hide_progressbar=True))"
    )
    export = ROOT / "data" / "classifications.csv"
    arguments = [str(path) for path in (export, extractor, reducer, tmp_path)]
    subprocess.run([reference_python, "-c", code, *arguments], check=True, capture_output=True)
    assert (tmp_path / "polygon_reducer_reductions.csv").stat().st_size > 1000
    assert list(yaml.safe_load(contours.read_text())["reducer_config"]) == ["polygon_reducer_contours"]


def with_texts(path: Path) -> Path:
    """Return a workflow with all kinds of tools, and texts."""
    tools: list[dict[str, Any]] = [
        {"type": kind, "label": f"T0.tools.{index}.label", "details": []}
        for index, kind in enumerate(("freehandLine", "bezier", "point", "polygon", "line"))
    ]
    tasks = {"T0": {"type": "drawing", "tools": tools, "instruction": "T0.instruction"}}
    tasks |= {"T1": {"type": "single", "question": "T1.question", "answers": []}}
    strings = {"T1.question": "Sûr?", "T0.tools.1.label": "No", "T0.instruction": "a: b", "T9.help": "x"}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("workflow_id", "display_name", "version", "minor_version", "tasks", "strings"))
        table.writerow((5, "W", 3, 4, json.dumps(tasks), json.dumps(strings)))
    return path


def test_names_texts_and_tools_are_those_of_the_reference_tool(reference_python: str, tmp_path: Path) -> None:
    path = with_texts(tmp_path / "workflows.csv")
    ours = {file.name: yaml.safe_load(file.read_text("utf-8")) for file in pf.config(path, tmp_path / "ours")}
    code = (
        "import sys; from panoptes_aggregation.scripts.config_workflow_panoptes import config_workflow;"
        "config_workflow(sys.argv[1], 5, version='3.4', output_dir=sys.argv[2])"
    )
    (tmp_path / "theirs").mkdir()
    subprocess.run(
        [reference_python, "-c", code, str(path), str(tmp_path / "theirs")], check=True, capture_output=True
    )
    theirs = {file.name: yaml.safe_load(file.read_text("utf-8")) for file in (tmp_path / "theirs").iterdir()}
    contours = "Reducer_config_workflow_5_V3.4_polygon_reducer_contours.yaml"
    assert ours.keys() - theirs.keys() == {contours}
    assert {name for name in theirs if "polygon" in name or "bezier" in name} <= ours.keys()
    labels = "Task_labels_workflow_5_V3.4.yaml"
    assert list(ours[labels].items()) == list(theirs[labels].items())
    extractors = [
        content["Extractor_config_workflow_5_V3.4.yaml"]["extractor_config"] for content in (ours, theirs)
    ]
    for name, entries in extractors[0].items():
        assert [{key: entry[key] for key in ("task", "tools")} for entry in extractors[1][name]] == entries


def test_outline_tools_are_configured_and_other_tools_are_in_a_note(tmp_path: Path, polyframe: Call) -> None:
    kinds = ("freehandSegmentShape", "point", "lasso", "freehandShape", "freehandSegmentLine", "circle")
    tasks = {"T0": drawing(*kinds), "T1": {"type": "single"}, "T5": {"type": "combo", "tasks": ["T0"]}}
    done = polyframe("config", written(tmp_path / "w.csv", (7, 3, 1, tasks)), "-o", tmp_path / "new")
    assert done.code == 0
    content = yaml.safe_load((tmp_path / "new" / "Extractor_config_workflow_7_V3.1.yaml").read_text())
    assert content["extractor_config"] == {"polygon_extractor": [{"task": "T0", "tools": [0, 3, 4]}]}
    assert "they draw no outlines: T0 tool 1 (point), T0 tool 5 (circle), T1 (single)\n" in done.err
    assert "the type is unknown: T0 tool 2 (lasso)" in done.err


def test_the_texts_of_tasks_are_not_settings(tmp_path: Path) -> None:
    files = pf.config(with_texts(tmp_path / "workflows.csv"), tmp_path)
    assert files[-1].name == "Task_labels_workflow_5_V3.4.yaml"
    assert read_config(files[-1:]).values == {}
    assert "drawing_tasks" in read_config(files).values
    # A file of settings may have any name.
    files[-1].write_text("eps: 0.25\n")
    assert read_config(files[-1:]).values == {"eps": 0.25}


def test_the_newest_version_is_chosen_by_number(tmp_path: Path) -> None:
    tasks = {"T0": drawing("point", "polygon", "circle", "bezier", "freehandLine"), "T1": {"type": "single"}}
    path = written(
        tmp_path / "w.csv",
        (7, 3, 10, tasks),
        (7, 3, 9, "not JSON"),
        (7, "", 1, tasks),
        ("x", 1, 1, tasks),
        (7, 2, 30, {"T5": drawing("polygon")}),
    )
    extractor, *_ = pf.config(path, tmp_path / "a")
    content = yaml.safe_load(extractor.read_text())
    assert content == {
        "workflow_id": 7,
        "workflow_version": "3.10",
        "extractor_config": {
            "polygon_extractor": [{"task": "T0", "tools": [1, 4]}],
            "bezier_extractor": [{"task": "T0", "tools": [3]}],
        },
    }
    for spec, named, task in (
        ("2", "2", "T5"),
        ("2..3", {"min": "2", "max": "3"}, "T0"),
        ("..2.30", {"max": "2.30"}, "T5"),
    ):
        files = pf.config(path, tmp_path / spec, version=spec)
        content = yaml.safe_load(files[0].read_text())
        assert content["workflow_version"] == named
        assert content["extractor_config"]["polygon_extractor"][0]["task"] == task
        assert read_config(files).values["workflow_version"] == spec


def test_invalid_input_is_an_error(tmp_path: Path, polyframe: Call) -> None:
    path = written(
        tmp_path / "w.csv",
        (7, 3, 1, {"T0": drawing("point"), "T1": {"type": "single"}}),
        (8, 1, 1, "[]"),
        (9, 1, 1, "{"),
    )
    for options, code, content in (
        ((), 2, "contains several workflows: 7 (Workflow 7), 8 (Workflow 8), 9 (Workflow 9);"),
        (("--workflow-id", 6), 1, "contains no workflow 6; it contains 7 (Workflow 7)"),
        (("--workflow-id", 7, "--version", "4"), 1, "has no version 4; it has 3.1"),
        (("--workflow-id", 7, "--version", "new"), 2, "workflow_version"),
        (("--workflow-id", 7), 1, "it has T0 (drawing: point), T1 (single)"),
        (("--workflow-id", 8), 1, "it has no tasks"),
        (("--workflow-id", 9), 1, "its tasks are not valid JSON"),
    ):
        done = polyframe("config", path, *options, "-o", tmp_path / "new")
        assert done.code == code, done.err
        assert content in done.err
    assert not (tmp_path / "new").exists()
    assert polyframe("config", tmp_path / "none.csv", "-o", tmp_path / "new").code == 1
    done = polyframe("config", ROOT / "data" / "subjects.csv", "-o", tmp_path / "new")
    assert done.code == 1
    assert "missing columns version, minor_version, tasks" in done.err


def test_existing_files_are_not_replaced(tmp_path: Path, polyframe: Call) -> None:
    first = pf.config(WORKFLOWS, tmp_path)[0]
    first.write_text("mine", encoding="utf-8")
    done = polyframe("config", WORKFLOWS, "-o", tmp_path)
    assert done.code == 1
    assert "--force" in done.err
    assert first.read_text() == "mine"
    assert polyframe("config", WORKFLOWS, "-o", tmp_path, "--force").code == 0
    assert first.read_text() != "mine"


def test_workflows_with_digits_of_other_scripts_are_skipped(tmp_path: Path, polyframe: Call) -> None:
    tasks = {"T0": drawing("polygon")}
    rows = [
        (other_digits("2"), 1, 1, tasks),
        ("9" * 5000, 1, 1, tasks),
        ("\u00b2", 1, 1, tasks),
        (3, other_digits("7"), 1, tasks),
    ]
    path = written(tmp_path / "workflows.csv", *rows, (4, 1, 2, tasks))
    done = polyframe("config", path, "-o", tmp_path / "new")
    assert (done.code, "workflow 4, the only one" in done.err) == (0, True)
