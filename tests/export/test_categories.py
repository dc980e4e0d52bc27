"""Categories: the labels of tools, from the workflow export or from the marks."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
from exports import Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.panoptes.annotations.tool_labels import read_tool_labels

Call = Callable[..., Done]


def labelled(x: float, tool: int, label: object, **more: object) -> dict[str, object]:
    """Return a mark of classifier 1.x: a square with the label of its tool."""
    points = [{"x": x, "y": 0}, {"x": x + 10, "y": 0}, {"x": x + 10, "y": 10}, {"x": x, "y": 10}]
    return {"tool": tool, "frame": 0, "points": points, "details": [], "tool_label": label, **more}


def workflows(path: Path, *versions: tuple[str, list[str]], workflow: int = 7) -> Path:
    rows = []
    for version, labels in versions:
        major, minor = version.split(".")
        tools = [
            {"type": "polygon", "label": f"T0.tools.{index}.label", "details": []}
            for index in range(len(labels))
        ]
        strings = {f"T0.tools.{index}.label": label for index, label in enumerate(labels)}
        rows.append(
            {
                "workflow_id": workflow,
                "display_name": "Outline",
                "version": major,
                "minor_version": minor,
                "tasks": json.dumps({"T0": {"type": "drawing", "tools": tools}}),
                "strings": json.dumps(strings),
            }
        )
    pl.DataFrame(rows).write_csv(path)
    return path


def run(folder: Path, cell: str) -> Path:
    rows = [export_row(number, cell) for number in range(3)]
    (folder / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "e.csv", folder / "out", engine="shapely", jobs=1)
    return folder / "out"


def categories(out: Path, **options: object) -> list[str]:
    path = out.parent / "c.json"
    pf.export(out, "coco", path, image_size="90x90", say=lambda _: None, **options)  # type: ignore[arg-type]
    content = json.loads(path.read_text("utf-8"))
    assert {one["category_id"] for one in content["annotations"]} <= {
        one["id"] for one in content["categories"]
    }
    return [category["name"] for category in content["categories"]]


def test_labels_are_those_of_the_version_that_was_extracted(tmp_path: Path) -> None:
    out = run(tmp_path, drawing(square(0, 0), square(30, 0, toolIndex=1)))
    assert categories(out) == ["T0_toolIndex0", "T0_toolIndex1"]
    versions = [("3.1", ["Cell", "Crystal"]), ("3.4", ["Zelle", "Kristall"])]
    assert categories(out, workflows=workflows(tmp_path / "w.csv", *versions)) == ["Cell", "Crystal"]
    # Without the extracted version, the newest one has the labels.
    assert categories(out, workflows=workflows(tmp_path / "w.csv", versions[1])) == ["Zelle", "Kristall"]


def test_two_tools_with_the_same_label_keep_their_names(tmp_path: Path) -> None:
    out = run(tmp_path, drawing(square(0, 0), square(30, 0, toolIndex=1)))
    file = workflows(tmp_path / "w.csv", ("3.1", ["Cell", "Cell"]))
    assert categories(out, workflows=file) == ["Cell (T0_toolIndex0)", "Cell (T0_toolIndex1)"]


def test_a_missing_label_is_reported(tmp_path: Path, polyframe: Call) -> None:
    out = run(tmp_path, drawing(square(0, 0), square(30, 0, toolIndex=1)))
    for file in (
        workflows(tmp_path / "one.csv", ("3.1", ["Cell"])),
        workflows(tmp_path / "other.csv", ("3.1", ["Cell", "Crystal"]), workflow=8),
    ):
        path = tmp_path / "c.json"
        options = ("--image-size", "90x90", "--workflows", file)
        done = polyframe("export", out, "--to", "coco", "-o", path, *options)
        assert done.code == 0
        assert f"{file}: contains no label for the tool" in done.err
        assert "T0_toolIndex1" in done.err


def test_labels_in_the_marks_of_classifier_1(tmp_path: Path) -> None:
    cell = drawing(labelled(0, 0, " Cell "), labelled(30, 1, "Crystal"), labelled(60, 2, None))
    out = run(tmp_path, cell)
    names = ["Cell", "Crystal", "T0_tool2"]
    assert categories(out) == ["T0_tool0", "T0_tool1", "T0_tool2"]
    assert categories(out, classifications=tmp_path / "e.csv") == names
    file = workflows(tmp_path / "w.csv", ("3.1", ["Zelle"]))
    both = categories(out, classifications=tmp_path / "e.csv", workflows=file)
    assert both == ["Zelle", "Crystal", "T0_tool2"]


def test_reading_labels(tmp_path: Path) -> None:
    combo = json.dumps(
        [{"task": "C", "taskType": "combo", "value": [{"task": "T1", "value": [labelled(0, 3, "Nested")]}]}]
    )
    cells = [
        ("3.9", drawing(labelled(0, 0, "older"))),
        (
            "3.10",
            drawing(labelled(0, 0, "newer"), labelled(0, "0", "text index"), labelled(0, True, "no index")),
        ),
        ("3.2", drawing(labelled(0, 0, "oldest"), square(0, 0, tool_label='says "quoted"'))),
        ("3.2", combo),
        ("3.2", '[{"task":"T0","value":{"tool_label": "no list"}}]'),
        ("3.2", '{"tool_label": "no list"}'),
        ("x", '"tool_label": "not JSON"'),
        ("x", f'{"[" * 100_000}"tool_label": "deep"'),
    ]
    rows = [
        export_row(number, cell, workflow_version=version) for number, (version, cell) in enumerate(cells)
    ]
    path = tmp_path / "e.csv"
    path.write_text(export_text([*rows, export_row(99, cells[0][1], workflow_id=None)]), encoding="utf-8")
    expected = {(7, "T0_tool0"): "newer", (7, "T0_toolIndex0"): 'says "quoted"', (7, "T1_tool3"): "Nested"}
    assert read_tool_labels(path) == expected
    pl.read_csv(path).write_parquet(tmp_path / "e.parquet")
    assert read_tool_labels(tmp_path / "e.parquet") == expected


def test_labels_of_a_generated_project_equal_those_that_its_marks_name(tmp_path: Path) -> None:
    path = tmp_path / "synth.csv"
    pf.synth(path, subjects=3, volunteers=4, old_share=0.5, polygon_share=0.5)
    expected: dict[str, set[str]] = {}
    for cell in pl.read_csv(path, columns=["annotations"])["annotations"]:
        for annotation in json.loads(cell):
            for mark in annotation["value"] if isinstance(annotation["value"], list) else ():
                if isinstance(mark, dict) and mark.get("tool_label"):
                    tool = f"{annotation['task']}_tool{mark['tool']}"
                    expected.setdefault(tool, set()).add(mark["tool_label"])
    assert len(expected) > 1
    assert {tool: {label} for (_, tool), label in read_tool_labels(path).items()} == expected


def test_a_gold_file_with_labels_scores_as_the_tables_do(tmp_path: Path) -> None:
    out = run(tmp_path, drawing(square(0, 0), square(30, 0, toolIndex=1)))
    file = workflows(tmp_path / "w.csv", ("3.1", ["Cell", "Crystal"]))
    pf.export(out, "coco", tmp_path / "gold.json", image_size="90x90", workflows=file)
    score = pf.score(out, gold=tmp_path / "gold.json")
    assert {*score["tool"].drop_nulls()} == {"T0_toolIndex0", "T0_toolIndex1"}
    assert {*score["precision"], *score["recall"]} == {1.0}
