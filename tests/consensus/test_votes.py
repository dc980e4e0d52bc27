"""Answers to sub-tasks counted for each cluster, compared with counts by hand and by the reference tool."""

import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from exports import drawing, export_row, export_text, square
from hypothesis import given
from hypothesis import strategies as st

import polyframe as pf
from polyframe.consensus.votes import cluster_votes
from polyframe.core.tables import CLASSIFICATION_KEYS, GROUP_KEYS
from polyframe.synthetic import SynthOptions, write_export


def votes(*details: Any) -> Any:
    """Return the votes of one cluster of marks with these details."""
    texts = [None if entry is None else json.dumps(entry) for entry in details]
    (counted,) = cluster_votes(pl.Series(texts, dtype=pl.String), np.array([0, len(texts)]))
    return counted and json.loads(counted)


def single(value: Any) -> list[dict[str, Any]]:
    return [{"value": value}]


BY_HAND: dict[str, tuple[list[Any], Any]] = {
    "a question": ([single(0), single(2), single(0), single(None)], [{"0": 2, "2": 1, "None": 1}]),
    "several choices": ([single([0, 2]), single([2]), single([])], [{"0": 1, "2": 2}]),
    "a choice twice": ([single([1, 1])], [{"1": 1}]),
    "nothing chosen": ([single([])], [{}]),
    "texts": ([single("Yes"), single("no"), single("Yes")], [{"Yes": 2, "no": 1}]),
    "a slider": ([single(3), single(3.0), single(2.5)], [{"2.5": 1, "3": 2}]),
    "menus": (
        [
            single([{"value": "a", "option": True}, {"value": None}]),
            single([{"value": "b"}, {"value": "x"}]),
            single([{"value": "a"}, {"value": "x"}]),
        ],
        [[{"a": 2, "b": 1}, {"None": 1, "x": 2}]],
    ),
    "a dropdown of 2.x": (
        [single({"selection": 1, "option": True}), single({"value": "a"})],
        [[{"1": 1, "a": 1}]],
    ),
    "no answer to a menu": ([single([{"value": "a"}]), single(None)], [[{"None": 1, "a": 1}]]),
    "several sub-tasks": (
        [[{"value": 0}, {"value": [1]}], [{"value": 0}, {"value": [0, 1]}]],
        [{"0": 2}, {"0": 1, "1": 2}],
    ),
    "sub-tasks of 2.x by their number": (
        [[{"task": "T0.3.2", "value": 1}, {"task": "T0.3.0", "value": 0}]],
        [{"0": 1}, {}, {"1": 1}],
    ),
    "no annotation for a sub-task": ([[{"task": "T0.0.0"}]], [{"None": 1}]),
    "not every mark": ([None, single(1)], [{"1": 1}]),
    "no details": ([None, None], None),
    "no sub-tasks": ([[1, "a", {}, None], {"value": 1}, "value", 7], None),
    "nothing that can be counted": ([single([[1], [[2]]])], [{}]),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_votes_by_hand(name: str) -> None:
    details, expected = BY_HAND[name]
    assert votes(*details) == expected
    assert votes(*reversed(details)) == expected


def test_answers_are_sorted() -> None:
    details = pl.Series([json.dumps(single(value)) for value in ("b", 10, None, 9, "10.5", "a", -1)])
    (counted,) = cluster_votes(details, np.array([0, 7]))
    assert counted == '[{"-1":1,"9":1,"10":1,"10.5":1,"None":1,"a":1,"b":1}]'


def test_clusters_without_marks_or_details_have_no_votes() -> None:
    details = pl.Series([None, json.dumps(single(1)), None], dtype=pl.String)
    assert cluster_votes(details, np.array([0, 1, 1, 2, 3])).to_list() == [None, None, '[{"1":1}]', None]
    assert cluster_votes(details[:1], np.array([0, 1, 1])).to_list() == [None, None]
    assert cluster_votes(details[:0], np.array([0])).to_list() == []


HOSTILE = (
    *("", "no JSON", "{", "[" * 100_000, "[" * 5_000 + "]" * 5_000, "\x00", "NaN", '[{"value":NaN}]'),
    *(
        '[{"value":"\\ud800"}]',
        '[{"value":1e999}]',
        f'[{{"value":{"9" * 10_000}}}]',
        '[{"task":7,"value":1}]',
    ),
    *(
        '[{"task":"T0.0.99999999999","value":1}]',
        '[{"value":"\\u0000\\""}]',
        '[{"value":{"selection":[[]]}}]',
    ),
    f'[{{"value":{"[" * 400 + "]" * 400}}}]',
    json.dumps([{"value": i} for i in range(20_000)]),
)


@pytest.mark.parametrize("details", HOSTILE, ids=lambda text: text[:20])
def test_hostile_details_do_no_harm(details: str) -> None:
    good = json.dumps(single(0))
    counted = cluster_votes(pl.Series([details, good, good]), np.array([0, 2, 3])).to_list()
    assert counted[1] == '[{"0":1}]'
    assert '"0":' in counted[0]
    json.loads(counted[0])
    assert len(counted[0]) <= 20 * len(details) + 100
    counted[0].encode()


def marks(details: list[str | None]) -> pl.DataFrame:
    n = len(details)
    return pl.DataFrame(
        {
            "workflow_id": [1] * n,
            "subject_id": [1] * n,
            "task": ["T0"] * n,
            "frame": [0] * n,
            "tool": ["T0_tool0"] * n,
            "classification_id": range(n),
            "mark_index": [0] * n,
            "x": [[0.0, 9, 9, 0]] * n,
            "y": [[0.0, 0, 9, 9]] * n,
            "details": pl.Series(details, dtype=pl.String),
        }
    )


def test_a_frame_with_invalid_details_is_an_error() -> None:
    assert pf.reduce(marks([None, "", '[{"value":1}]'])).reductions["details_votes"].to_list() == [
        '[{"1":1}]'
    ]
    with pytest.raises(
        pf.UsageError, match=r"row 1 of the frame \(from 0\) has details that are not valid JSON"
    ):
        pf.reduce(marks([None, "[1", "[]"]))
    assert pf.reduce(marks([None, "[]"]).drop("details")).reductions["details_votes"].to_list() == [None]


def new_row(number: int, *answers: Any, shift: float = 0, **cells: Any) -> dict[str, Any]:
    """Return a classification in the 2.x form: a mark without sub-tasks, and one with separate answers."""
    asked = [{"task": f"T0.0.{i}"} for i in range(len(answers))]
    annotations = json.loads(drawing(square(300, 0, toolIndex=1), square(shift, 0, details=asked)))
    annotations += [
        {"task": f"T0.0.{i}", "taskType": "single", "markIndex": 1, "value": answer}
        for i, answer in enumerate(answers)
    ]
    return export_row(number, json.dumps(annotations), **cells)


def old_row(number: int, *answers: Any, shift: float = 0, **cells: Any) -> dict[str, Any]:
    """Return the same in the 1.x form, which has the answers inside the mark."""
    points = [{"x": shift + x, "y": y} for x, y in ((0, 0), (10, 0), (10, 10), (0, 10))]
    mark = {"tool": 0, "frame": 0, "closed": True, "points": points}
    value = [mark | {"details": [{"value": answer} for answer in answers]}]
    return export_row(number, json.dumps([{"task": "T0", "value": value}]), **cells)


@pytest.mark.parametrize("row", [new_row, old_row])
def test_both_forms_of_classifications(row: Any, tmp_path: Path) -> None:
    """Two clusters, an outlier, and a repeat that does not count."""
    rows = [
        *(row(number, answer, [0, answer]) for number, answer in enumerate((1, 1, 0))),
        *(row(number, answer, [], shift=50) for number, answer in enumerate((2, None), start=3)),
        row(5, 7, [7], shift=150),
        row(6, 8, [8], user_name="volunteer0"),
    ]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", jobs=1, engine="shapely")
    reductions = pf.scan(tmp_path / "out", "reductions").filter(pl.col("tool").str.ends_with("0")).collect()
    assert reductions["details_votes"].to_list() == [
        '[{"0":1,"1":2},{"0":3,"1":2}]',
        '[{"2":1,"None":1},{}]',
    ]
    assert pf.validate(tmp_path / "out") == []


def test_votes_agree_with_the_other_tables(tmp_path: Path) -> None:
    """Count again, mark by mark, from the tables `extractions` and `labels`."""
    write_export(
        tmp_path / "e.csv", SynthOptions(subjects=25, volunteers=9, vertices=30, old_share=0.4, seed=3)
    )
    pf.run(tmp_path / "e.csv", tmp_path / "out", workflow_version="7.9..7.12", jobs=1, engine="shapely")
    keys = [*CLASSIFICATION_KEYS, "mark_index"]
    tables = {
        name: pf.scan(tmp_path / "out", name).collect() for name in ("extractions", "labels", "reductions")
    }
    details = {row[:-1]: row[-1] for row in tables["extractions"].select(*keys, "details").iter_rows()}
    counted: dict[tuple[Any, ...], Counter[str]] = {}
    for row in tables["labels"].iter_rows(named=True):
        cluster = tuple(row[name] for name in (*GROUP_KEYS, "cluster_label"))
        answers = details[tuple(row[name] for name in keys)]
        for item in json.loads(answers or "[]"):
            counted.setdefault(cluster, Counter())[str(item["value"])] += 1
    seen = set()
    for row in tables["reductions"].iter_rows(named=True):
        cluster = tuple(row[name] for name in (*GROUP_KEYS, "cluster_label"))
        expected = [dict(counted[cluster])] if cluster in counted else None
        assert json.loads(row["details_votes"] or "null") == expected
        seen.add((row["tool"], expected is None))
    assert {("T0_tool0", False), ("T0_toolIndex0", False), ("T0_toolIndex1", True)} <= seen


VALUES = st.none() | st.integers(0, 3) | st.sampled_from(["a", 'b"', "é", "0", "None"]) | st.booleans()
ITEMS = st.lists(
    st.lists(st.builds(lambda value: {"value": value}, VALUES), max_size=3), min_size=1, max_size=12
)


@given(ITEMS, st.integers(0, 999))
def test_votes_add_up_to_the_marks_that_have_the_subtask(details: list[Any], seed: int) -> None:
    counted = votes(*details)
    n_subtasks = max(map(len, details))
    assert [sum(answers.values()) for answers in counted or []] == [
        sum(len(items) > subtask for items in details) for subtask in range(n_subtasks)
    ]
    for subtask, answers in enumerate(counted or []):
        assert answers == Counter(str(items[subtask]["value"]) for items in details if len(items) > subtask)
    # Within a cluster the order of the marks does not matter, not to the byte.
    first, second = details[::2], details[1::2]
    offsets = np.array([0, len(first), len(details)])
    shuffled = [random.Random(seed).sample(part, len(part)) for part in (first, second)]
    one, other = (
        cluster_votes(pl.Series([json.dumps(items) for items in (*a, *b)]), offsets)
        for a, b in ((first, second), shuffled)
    )
    assert one.to_list() == other.to_list()


@pytest.mark.parametrize("row", [old_row, new_row])
def test_votes_equal_those_of_the_reference_tool(row: Any, reference_python: str, tmp_path: Path) -> None:
    """Dropdowns are compared in the 1.x form only: the reference tool ignores those of 2.x."""
    chance = random.Random(5)
    rows = []
    for number in range(30):
        answers: list[Any] = [chance.choice([0, 1, None]), chance.sample(range(4), chance.randrange(4))]
        if row is old_row:
            answers.append([{"value": chance.choice(["ab", "c1", None])}, {"value": chance.randrange(3)}])
        rows.append(row(number, *answers, shift=(0, 50, 200 + 20 * number)[min(number % 7 // 3, 2)]))
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    result = pf.reduce(pf.extract(tmp_path / "e.csv", tool=(0,)), engine="shapely")
    assert result.reductions.height == 2
    kinds = ["question_extractor", "question_extractor", "dropdown_extractor"]
    request = {
        "annotations": [json.loads(row["annotations"]) for row in rows],
        "labels": result.labels["cluster_label"].to_list(),
    }
    if row is old_row:
        request |= {"version": "1.0", "tool": "T0_tool0", "extractors": {"T0_tool0": kinds}}
    else:
        extractors = {f"T0_toolIndex0_subtask{i}": kind for i, kind in enumerate(kinds[:2])}
        request |= {"version": "2.0", "tool": "T0_toolIndex0", "extractors": extractors}
    script = Path(__file__).parents[1] / "support" / "count_reference.py"
    done = subprocess.run(
        [reference_python, str(script)], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    reference = json.loads(done.stdout.splitlines()[-1])
    if row is old_row:
        theirs = reference["T0_tool0_clusters_details"]
    else:
        by_subtask = [reference[f"T0_toolIndex0_subtask{i}_clusters"] for i in range(2)]
        theirs = [list(answers) for answers in zip(*by_subtask, strict=True)]
    theirs = [[answers.get("value", answers) for answers in cluster] for cluster in theirs]
    assert [json.loads(text) for text in result.reductions["details_votes"]] == theirs
