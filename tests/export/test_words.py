"""The words of a project: tools, tasks and answers, from the workflow export and from the annotations."""

import json
from pathlib import Path

import polars as pl
import pytest
from exports import ROOT, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.core.notes import Information
from polyframe.export.words import Words, read_words
from polyframe.panoptes.annotations.task_labels import read_task_labels
from polyframe.panoptes.config.workflow_export import Workflow
from polyframe.panoptes.config.workflow_words import Question, workflow_words
from polyframe.store.reading import open_tables

DATA = ROOT / "data"


def workflow(version: str, tasks: object, strings: object = None) -> Workflow:
    return Workflow(7, "Cells", version, json.dumps(tasks), json.dumps(strings or {}))


def test_the_words_of_a_workflow() -> None:
    details = [
        {"type": "single", "question": "T0.q", "answers": [{"label": "T0.a0"}, {"label": "Old"}]},
        {"type": "text", "instruction": "Remarks"},
        {"type": "dropdown", "selects": [{"options": {"*": [{"label": "Red", "value": "8f"}]}}]},
        "damaged",
    ]
    tools = [{"label": "T0.tools.0.label", "details": details}, {"label": "Crystal"}, {"label": " "}, 5]
    tasks = {
        "T0": {"instruction": "T0.instruction", "tools": tools},
        "T1": {"question": "Is it\nsharp?"},
        "T2": 5,
    }
    strings = {
        "T0.tools.0.label": "Cell",
        "T0.instruction": "Outline cells",
        "T0.q": "Is it dividing?",
        "T0.a0": "Yes",
        "T0.tools.0.details.0.answers.1.label": "Old",
    }
    words = workflow_words([workflow("3.1", tasks, strings)], 7, ["3.1"])
    assert words.name == "Cells"
    assert words.tasks == {"T0": "Outline cells", "T1": "Is it\nsharp?"}
    assert words.tools == {("T0", 0): "Cell", ("T0", 1): "Crystal"}
    assert words.questions == {
        ("T0", 0): [
            Question("Is it dividing?", {"0": "Yes", "1": "Old"}),
            Question("Remarks", {}),
            Question("", {"8f": "Red"}),
            Question("", {}),
        ]
    }
    # The newest of the extracted versions decides, word by word; others do not count.
    versions = [
        workflow("3.2", {"T1": {"question": "Newer?"}}),
        workflow("3.10", {"T1": {"question": "Newest?"}}),
        workflow("4.1", {"T1": {"question": "Not extracted"}}),
        workflow("3.1", tasks, strings),
    ]
    words = workflow_words(versions, 7, ["3.1", "3.2", "3.10"])
    assert words.tasks == {"T0": "Outline cells", "T1": "Newest?"}
    assert workflow_words(versions, 7, ["9.9"]).tasks == {"T1": "Not extracted"}
    assert workflow_words(versions, 8, ["3.1"]).tasks == {}
    assert workflow_words([Workflow(7, "", "3.1", "[", "{")], 7, ["3.1"]).tools == {}


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ('[{"0":3,"1":1}]', "Is it dividing? Yes 3, No 1"),
        ('[{"1":1,"5":2,"None":4}]', "Is it dividing? No 1, answer 6 2, no answer 4"),
        (
            '[{"0":1},{"odd":1,"12":2},[{"8f":2},{"zz":1}],{"7":1}]',
            'Is it dividing? Yes 1; Remarks: "odd" 1, "12" 2; Question 3: Red 2, "zz" 1; Question 4: "7" 1',
        ),
        (None, None),
    ],
)
def test_answers_in_words(votes: str | None, expected: str | None) -> None:
    questions = (
        Question("Is it dividing?", {"0": "Yes", "1": "No"}),
        Question("Remarks", {}),
        Question("", {"8f": "Red"}),
    )
    words = Words(questions={"T0_tool0": questions, "T0_tool2": (Question("", {}),)})
    assert words.answers("T0_tool0", votes) == expected
    assert words.answers("T0_tool1", votes) is None
    assert words.answers("T0_tool2", votes) is None


def test_tools_with_the_same_label_stay_apart() -> None:
    tools = {"T0_toolIndex0": "Cell (T0_toolIndex0)", "T2_toolIndex0": "Cell (T2_toolIndex0)"}
    words = Words(tools=tools | {"T0_toolIndex10": "Nucleus"}, unused={("T0", 1): "Cell", ("T0", 0): "Cell"})
    names = ["T0_toolIndex0", "T2_toolIndex0", "T0_toolIndex10", "T0_toolIndex1", "T0_toolIndex7"]
    assert list(map(words.tool, names)) == [
        *("Cell (T0_toolIndex0)", "Cell (T2_toolIndex0)", "Nucleus"),
        *("Cell (T0_toolIndex1)", "T0_toolIndex7"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subject 1 frame 0 T0_toolIndex0 cluster 2", "subject 1 frame 0 Cell cluster 2"),
        ("has no outlines of T0_toolIndex0, T0_toolIndex1.", "has no outlines of Cell, T0_toolIndex1."),
        ("T0_toolIndex0.csv: no such file", "T0_toolIndex0.csv: no such file"),
        ("out/T0_toolIndex0 and xT0_toolIndex0", "out/T0_toolIndex0 and xT0_toolIndex0"),
        ("T0_toolIndex01 T0_toolIndex0x", "T0_toolIndex01 T0_toolIndex0x"),
    ],
)
def test_labels_in_messages(text: str, expected: str) -> None:
    words = Words(tools={"T0_toolIndex0": "Cell"})
    notes: list[str] = []
    say = words.in_notes(notes.append)
    say(text)
    say(Information(text))
    assert notes == [expected, expected]
    assert [isinstance(note, Information) for note in notes] == [False, True]
    assert Words().in_text(text) == text


def test_questions_of_tasks_in_annotations(tmp_path: Path) -> None:
    def cell(*labels: tuple[str, object]) -> str:
        return json.dumps([{"task": task, "task_label": label, "value": []} for task, label in labels])

    combo = json.dumps([{"task": "T9", "value": [{"task": "T0", "task_label": 'In "combo" ü', "value": []}]}])
    cells = [
        ("3.1", cell(("T0", "Old"))),
        ("3.10", cell(("T0", "Outline"), ("T1", "Sharp?"))),
        ("3.10", cell(("T0", "Outline"), ("T1", None))),
        ("3.10", cell(("T0", "Umranden"))),
        ("3.9", cell(("T2", " "))),
        ("4.1", combo.replace("T0", "T3")),
        ("x", "no JSON"),
    ]
    rows = [export_row(n, text, workflow_version=version) for n, (version, text) in enumerate(cells)]
    path = tmp_path / "e.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    expected = {(7, "T0"): "Outline", (7, "T1"): "Sharp?", (7, "T3"): 'In "combo" ü'}
    assert read_task_labels(path) == expected
    pl.read_csv(path, infer_schema=False).write_parquet(tmp_path / "e.parquet")
    assert read_task_labels(tmp_path / "e.parquet") == expected


def test_the_words_of_an_output(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(DATA / "classifications.csv", out, DATA / "config-older.yaml", engine="shapely", jobs=1)
    with open_tables(out, "plot") as tables:
        assert read_words(tables, None, None, print) == Words()
        of_marks = read_words(tables, None, DATA / "classifications.csv", print)
        both = read_words(tables, DATA / "workflows.csv", DATA / "classifications.csv", print)
    # Marks of classifier 1.x have labels.
    assert of_marks.tools == {"T0_tool0": "Cell", "T0_tool1": "Crystal", "T3_tool0": "Curved cell"}
    assert of_marks.tasks["T3"] == "Cells with curves"
    assert of_marks.questions == {}
    assert both.workflow == "Outline cells and crystals"
    assert both.tasks["T0"] == "Outline every cell and every crystal."
    assert both.answers("T0_tool0", '[{"1":2}]') == "How sure are you of its outline? Fairly sure 2"
    groups = pf.plot.read_groups(out, 1000010, workflows=DATA / "workflows.csv")
    assert {(group.tool, group.tool_label) for group in groups} <= {
        ("T0_tool0", "Cell (T0_tool0)"),
        ("T0_tool1", "Crystal"),
        ("T3_tool0", "Cell (T3_tool0)"),
    }
    assert all(group.question for group in groups if group.task == "T0")
    cells = [cluster.answers for group in groups if group.tool == "T0_tool0" for cluster in group.clusters]
    assert all(text.startswith("How sure are you") for text in cells)
    unnamed = pf.plot.read_groups(out, 1000010)
    assert all(not (group.tool_label or group.question) for group in unnamed)


def test_long_texts_and_markup_stay_text(tmp_path: Path) -> None:
    text = "<b>Outline</b>\n" + "every cell " * 50
    rows = [export_row(n, drawing(square(0, 0)).replace("Draw", json.dumps(text)[1:-1])) for n in range(3)]
    path = tmp_path / "e.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    pf.run(path, tmp_path / "out", engine="shapely", jobs=1)
    with open_tables(tmp_path / "out", "plot") as tables:
        words = read_words(tables, None, path, print)
    assert words.tasks["T0"].startswith("<b>Outline</b> every cell")
    assert len(words.tasks["T0"]) == 120
    title = "</title><script>alert(1)</script>"
    pf.report(tmp_path / "out", tmp_path / "x.html", classifications=path, title=title)
    html = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<b>Outline" not in html
    assert "<script>alert" not in html
    assert "<h1>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in html
