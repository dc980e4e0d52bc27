"""Test exact copies of marks against a comparison of all pairs."""

import json
from random import Random

import numpy as np
import pytest

from polyframe.core import reasons
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations import duplicate_marks as copies
from polyframe.panoptes.annotations.decode import decode_annotations

SQUARE = {"toolIndex": 0, "pathX": [12, 112, 112, 12], "pathY": [10, 10, 110, 110]}
CLICKED = {"tool": 0, "points": [{"x": 1, "y": 2}, {"x": 3, "y": 4.5}, {"x": 5, "y": 0}]}


def cell(*marks, task="T0"):
    return json.dumps([{"task": task, "value": list(marks)}])


def copied(*cells, **values):
    decoded = decode_annotations(cells, Settings(**values))
    assert {*decoded.rejects.reason} <= {reasons.DUPLICATE_MARK}
    kept = list(zip(decoded.marks.row.tolist(), decoded.marks.mark_index.tolist(), strict=True))
    rejected = zip(decoded.rejects.row.tolist(), decoded.rejects.mark_index.tolist(), strict=True)
    return kept, dict(zip(rejected, decoded.rejects.detail, strict=True))


def test_the_first_of_exact_copies_is_kept_whatever_its_format():
    as_points = {"toolIndex": 0, "points": [{"x": 12, "y": 10}, {"x": 112, "y": 10}, {"x": 112, "y": 110}]}
    as_text = {"toolIndex": 0, "path": "M 12,10 h100 v100"}
    kept, rejected = copied(
        cell(SQUARE, CLICKED, SQUARE, SQUARE, CLICKED), cell(SQUARE), cell(as_points, as_text)
    )
    assert kept == [(0, 0), (0, 1), (1, 0), (2, 0)]
    assert rejected == {
        (0, 2): "copy of mark 0",
        (0, 3): "copy of mark 0",
        (0, 4): "copy of mark 1",
        (2, 1): "copy of mark 0",
    }


@pytest.mark.parametrize(
    "other",
    [
        SQUARE | {"frame": 1},
        SQUARE | {"toolIndex": 1},
        {"tool": 0, **{key: SQUARE[key] for key in ("pathX", "pathY")}},
        SQUARE | {"pathY": [10, 10, 110, 110.00000000000001]},
        SQUARE | {"pathX": [12, 112, 112], "pathY": [10, 10, 110]},
        SQUARE | {"pathX": [12, 12, 112, 112], "pathY": [10, 110, 110, 10]},
        SQUARE | {"pathX": SQUARE["pathY"], "pathY": SQUARE["pathX"]},
    ],
)
def test_a_mark_with_any_difference_is_not_a_copy(other):
    assert copied(cell(SQUARE, other)) == ([(0, 0), (0, 1)], {})
    assert len(copied(cell(SQUARE, other, SQUARE, other))[1]) == 2


def test_a_mark_of_another_task_or_classification_is_not_a_copy():
    both = json.dumps([json.loads(cell(SQUARE, task=task))[0] for task in ("T0", "T1", "T0")])
    kept, rejected = copied(both, cell(SQUARE))
    assert kept == [(0, 0), (0, 1), (1, 0)]
    assert rejected == {(0, 2): "copy of mark 0"}


def test_copies_can_be_kept():
    assert copied(cell(SQUARE, SQUARE), duplicate_marks="keep") == ([(0, 0), (0, 1)], {})


def test_the_detail_contains_lost_answers():
    answered = [
        SQUARE | {"details": details} for details in ([{"value": 0}], [{"value": 0}], [{"value": 1}], [])
    ]
    kept, rejected = copied(cell(*answered, SQUARE | {"details": [{"value": "long" * 99}]}))
    assert kept == [(0, 0)]
    assert list(rejected.values()) == [
        "copy of mark 0",
        'copy of mark 0; its answers [{"value":1}] are lost, [{"value":0}] are kept',
        'copy of mark 0; its answers none are lost, [{"value":0}] are kept',
        'copy of mark 0; its answers [{"value":"longlonglonglonglo... are lost, [{"value":0}] are kept',
    ]


def test_copies_of_bezier_marks_and_of_marks_that_cannot_be_used():
    settings = {"drawing_tasks": (DrawingTask("T0", None, "bezier"),)}
    assert copied(cell(CLICKED, CLICKED), **settings) == ([(0, 0)], {(0, 1): "copy of mark 0"})
    far = SQUARE | {"pathX": [2e9, 0, 0, 1]}
    decoded = decode_annotations([cell(far, far, SQUARE, SQUARE)], Settings())
    assert decoded.rejects.reason == [reasons.COORDINATE_TOO_LARGE] * 2 + [reasons.DUPLICATE_MARK]


def by_pairs(keys, x, y, offsets):
    paths = [(*key, *x[a:b], None, *y[a:b]) for key, a, b in zip(keys, offsets, offsets[1:], strict=False)]
    return [(i, paths.index(path)) for i, path in enumerate(paths) if paths.index(path) < i]


@pytest.mark.parametrize("seed", range(20))
def test_copies_are_those_of_a_comparison_of_all_pairs(seed):
    # Small integers, so that many paths are alike, times powers of two, of which most bits are zero.
    random = Random(seed)
    n = random.choice((1, 5, 60, 400))
    lengths = [random.choice((1, 2, 2, 3)) for _ in range(n)]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    x, y = (np.array([float(random.choice((0, 1, 2, 4, 8))) for _ in range(offsets[-1])]) for _ in "xy")
    rows = np.array(sorted(random.randrange(3) for _ in range(n)), np.int64)
    tools = np.array([random.randrange(2) for _ in range(n)], np.int64)
    alike = copies.possible_duplicates(rows, x, y, offsets)
    pairs = (
        copies.exact_duplicates(alike, (rows[alike], tools[alike]), x, y, offsets) if len(alike) else ([], [])
    )
    expected = by_pairs(list(zip(rows.tolist(), tools.tolist(), strict=True)), x, y, offsets)
    assert list(zip(*map(list, pairs), strict=True)) == expected


def test_hash_collisions_are_not_copies(monkeypatch):
    monkeypatch.setattr(
        copies, "_path_hashes", lambda x, y, starts, lengths: np.zeros(len(starts), np.uint64)
    )
    other = SQUARE | {"pathY": [10, 10, 110, 111]}
    assert copied(cell(SQUARE, other)) == ([(0, 0), (0, 1)], {})
    assert copied(cell(SQUARE, SQUARE)) == ([(0, 0)], {(0, 1): "copy of mark 0"})
