"""The label of the newest version of a workflow, by the rules that both kinds of labels share."""

import json
from pathlib import Path

import pytest
from exports import drawing, export_row, export_text, square

from polyframe.panoptes.annotations.newest_labels import newest_labels
from polyframe.panoptes.annotations.task_labels import read_task_labels
from polyframe.panoptes.annotations.tool_labels import read_tool_labels


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # Major and minor numbers are integers.
        ([("1.9", "older", 9), ("1.10", "newer", 1)], "newer"),
        ([("9.99", "older", 9), ("10.1", "newer", 1)], "newer"),
        ([("2", "older", 9), ("2.1", "newer", 1)], "newer"),
        # In one version: the most frequent, also in several lots, then the last by its letters.
        ([("1.1", "Zelle", 2), ("1.1", "Cell", 3)], "Cell"),
        ([("1.1", "Zelle", 3), ("1.1", "Cell", 2), ("1.1", " Cell ", 2)], "Cell"),
        ([("1.1", "Zelle", 2), ("1.1", "Cell", 2)], "Zelle"),
        # Without a version: only if there is nothing else.
        ([("0.0", "first", 1), ("x", "no version", 9), (None, "none", 9)], "first"),
        ([(None, "none", 1), ("x", "no version", 2)], "no version"),
        ([("1.2", "  ", 9), ("1.1", "older", 1)], "older"),
    ],
)
def test_the_rules(labels: list[tuple[str | None, str, int]], expected: str) -> None:
    for order in (labels, labels[::-1]):
        assert newest_labels(("T0", *label) for label in order) == {"T0": expected}


def test_each_key_has_its_own_newest_version() -> None:
    labels = [("a", "1.1", "A", 1), ("b", "1.2", "B", 1), ("b", "1.1", "older", 1), ("c", "1.1", " ", 1)]
    assert newest_labels(labels) == {"a": "A", "b": "B"}


def test_both_kinds_of_labels_follow_them(tmp_path: Path) -> None:
    """Two volunteers saw the texts in German, three in English; an earlier version had others."""
    shown = [("1.10", "Zelle")] * 2 + [("1.10", "Cell")] * 3 + [("1.9", "Zoo")] * 4
    rows = []
    for number, (version, label) in enumerate(shown):
        mark = square(0, 0) | {"tool": 0, "tool_label": label}
        del mark["toolIndex"]
        (annotation,) = json.loads(drawing(mark))
        del annotation["task_label"]
        cell = json.dumps([{"task": "T0", "task_label": label} | annotation])
        rows.append(export_row(number, cell, workflow_version=version))
    path = tmp_path / "e.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    assert read_task_labels(path) == {(7, "T0"): "Cell"}
    assert read_tool_labels(path) == {(7, "T0_tool0"): "Cell"}
