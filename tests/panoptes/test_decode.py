import csv
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polyframe.core import reasons
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations import read_cells as reader
from polyframe.panoptes.annotations.decode import decode_annotations
from polyframe.panoptes.annotations.parse_coordinates import numbers_from_text

unhurried = hypothesis_settings(deadline=None)

AUTOMATIC = Settings()
T0 = Settings(drawing_tasks=(DrawingTask("T0"),))
BEZIER = Settings(drawing_tasks=(DrawingTask("T0", None, "bezier"),))

SQUARE = {
    "toolIndex": 0,
    "toolType": "freehandLine",
    "frame": 0,
    "pathX": [0, 2, 2, 0],
    "pathY": [0, 0, 2, 2.5],
}
FAR = SQUARE | {"pathX": [90, 92, 92, 90]}
CLICKED = {"tool": 1, "frame": 0, "points": [{"x": 1, "y": 2}, {"x": 3, "y": 4.5}, {"x": 5, "y": 0}]}


def cell(*values, task="T0"):
    return json.dumps([{"task": task, "value": list(values)}])


def without(mark, *keys, **changes):
    return {key: value for key, value in {**mark, **changes}.items() if key not in keys}


def decode(*cells, settings=T0):
    return decode_annotations(cells, settings)


def paths(marks):
    return [list(zip(marks.x[a:b], marks.y[a:b], strict=True)) for a, b in pairwise(marks.offsets)]


def rejected(decoded):
    return list(zip(decoded.rejects.row, decoded.rejects.mark_index, decoded.rejects.reason, strict=True))


# What a mark is


def test_the_formats_of_paths_and_of_tools():
    marks = decode(cell(SQUARE, CLICKED)).marks
    assert marks.tool.to_list() == ["T0_toolIndex0", "T0_tool1"]
    assert marks.tool_index.tolist() == [0, 1]
    assert marks.tool_type.to_list() == ["freehandLine", "polygon"]
    assert marks.mark_index.tolist() == [0, 1]
    assert paths(marks) == [[(0, 0), (2, 0), (2, 2), (0, 2.5)], [(1, 2), (3, 4.5), (5, 0)]]


def test_arrays_have_their_documented_types_with_and_without_marks():
    for decoded in (decode(cell(SQUARE), None), decode()):
        marks, rejects = decoded.marks, decoded.rejects
        assert [marks.row.dtype, marks.offsets.dtype, rejects.row.dtype] == [np.int64] * 3
        assert [marks.mark_index.dtype, marks.frame.dtype, marks.tool_index.dtype] == [np.int32] * 3
        assert [marks.x.dtype, marks.y.dtype] == [np.float64] * 2
        assert len(marks.offsets) == len(marks.row) + 1


@pytest.mark.parametrize(
    ("mark", "tool_type"),
    [
        (SQUARE, "freehandLine"),
        (without(SQUARE, "toolType"), "freehandLine"),
        (without(SQUARE, toolType=""), "freehandLine"),
        (without(SQUARE, toolType=None), "freehandLine"),
        (CLICKED, "polygon"),
        (without(CLICKED, toolType="bezier"), "bezier"),
    ],
)
def test_the_type_of_a_mark(mark, tool_type):
    assert decode(cell(mark)).marks.tool_type.to_list() == [tool_type]


def test_a_bezier_task_without_a_tool_type():
    marks = decode(cell(CLICKED), settings=BEZIER).marks
    assert marks.tool_type.to_list() == ["bezier"]
    assert len(marks.x) == 10


@pytest.mark.parametrize(("frame", "expected"), [(1, 1), (2.0, 2), (None, 0), (0, 0)])
def test_frames(frame, expected):
    assert decode(cell(without(SQUARE, frame=frame))).marks.frame.tolist() == [expected]
    assert decode(cell(without(SQUARE, "frame"))).marks.frame.tolist() == [0]


def test_a_null_tool_key_is_ignored():
    assert decode(cell(without(SQUARE, tool=None))).marks.tool.to_list() == ["T0_toolIndex0"]
    assert decode(cell(without(SQUARE, toolIndex=3.0))).marks.tool.to_list() == ["T0_toolIndex3"]


def test_bezier_and_freehand_marks_keep_their_order_in_the_flat_arrays():
    curve = without(CLICKED, toolType="bezier")
    marks = decode(cell(SQUARE, curve, CLICKED), cell(curve, SQUARE), settings=AUTOMATIC).marks
    assert marks.row.tolist() == [0, 0, 0, 1, 1]
    assert [len(path) for path in paths(marks)] == [4, 10, 3, 10, 4]
    assert paths(marks)[0] == paths(marks)[4]
    assert paths(marks)[1] == paths(marks)[3]
    assert paths(marks)[1][0] == (1, 2)
    assert paths(marks)[1][-1] == (5, 0)


def test_an_even_number_of_control_points_is_a_closed_curve():
    closed = without(CLICKED, points=[*CLICKED["points"], {"x": 0, "y": 9}])
    (path,) = paths(decode(cell(closed), settings=BEZIER).marks)
    assert len(path) == 20
    assert path[0] == path[-1] == (1, 2)


# What is not a mark


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        cell(3, 4),
        cell("a", None, True),
        cell(),
        cell([1, 2], [3]),
        '[{"task": "T0", "value": "yes"}, {"task": "T1", "value": null}, {"task": "T2", "value": 3}]',
        '[{"task": "T0", "value": {"pathX": [1]}}, {"task": "T0"}]',
        '[{"task": "T0", "value": 1e999}]',
        '[{"task": "T0.0.0", "markIndex": 0, "value": [{"pathX": 3}]}]',
        '[{"task": "T0", "markIndex": 0, "value": [{"pathX": 3}]}]',
        cell({"toolIndex": "x"}, task="T1"),
    ],
)
def test_cells_without_marks_are_normal(text):
    for settings in (T0, AUTOMATIC):
        if settings is AUTOMATIC and '"x"' in text:
            continue
        decoded = decode(text, settings=settings)
        assert len(decoded.marks.row) == 0
        assert rejected(decoded) == []


EMPTY = [
    without(SQUARE, pathX=[], pathY=[]),
    without(SQUARE, pathX=[], pathY=[], frame="x"),
    without(SQUARE, "toolType", pathX=[], pathY=[]),
    without(CLICKED, points=[]),
    without(CLICKED, points=[], pathX=[], pathY=[], path=""),
    without(CLICKED, "points", path=" "),
    without(CLICKED, points=[], toolType="freehandSegmentShape"),
]


@pytest.mark.parametrize("settings", [T0, AUTOMATIC, BEZIER])
def test_an_outline_without_points_is_rejected(settings):
    for empty in EMPTY:
        decoded = decode(cell(SQUARE, empty), settings=settings)
        assert rejected(decoded) == [(0, 1, reasons.PATH_EMPTY)], empty
        assert decoded.marks.mark_index.tolist() == [0]
    assert decode(cell(EMPTY[0])).rejects.detail == ["`pathX` and `pathY` are empty"]
    assert rejected(decode(cell(EMPTY[0], EMPTY[0]), settings=Settings(tool=(7,)))) == []


def test_an_empty_outline_in_one_format_is_ignored():
    for entry, points in (
        (without(CLICKED, points=[], pathX=[1, 2, 3], pathY=[4, 5, 6]), [(1, 4), (2, 5), (3, 6)]),
        (without(SQUARE, pathX=[], pathY=[], path="M1 2 3 4 5 7"), [(1, 2), (3, 4), (5, 7)]),
    ):
        assert paths(decode(cell(entry), settings=AUTOMATIC).marks) == [points]


def test_a_bezier_mark_of_fewer_than_three_control_points_is_not_a_curve():
    for n in (1, 2):
        short = without(CLICKED, points=CLICKED["points"][:n])
        decoded = decode(cell(CLICKED, short, without(CLICKED, frame=1)), settings=BEZIER)
        assert [len(path) for path in paths(decoded.marks)] == [10, n, 10]
        assert paths(decoded.marks)[1] == [(1, 2), (3, 4.5)][:n]
        assert rejected(decoded) == []


# Which marks are selected


def tools_of(text, **values):
    return decode(text, settings=Settings(**values)).marks.tool.to_list()


def test_listed_tools_and_tasks():
    text = json.dumps(
        [
            {"task": "T0", "value": [SQUARE, CLICKED]},
            {"task": "T1", "value": [SQUARE]},
            {"task": "T0", "value": [without(SQUARE, toolIndex=2)]},
        ]
    )
    everything = ["T0_toolIndex0", "T0_tool1", "T1_toolIndex0", "T0_toolIndex2"]
    assert tools_of(text) == everything
    assert tools_of(text, task=("T1",)) == ["T1_toolIndex0"]
    assert tools_of(text, tool=(1, 2)) == ["T0_tool1", "T0_toolIndex2"]
    listed = (DrawingTask("T0", (0, 1)),)
    assert tools_of(text, drawing_tasks=listed) == everything[:2]
    assert tools_of(text, drawing_tasks=listed, tool=(1, 2)) == ["T0_tool1"]
    assert tools_of(text, drawing_tasks=listed, task=("T1",)) == []
    assert decode(text, settings=Settings(task=("T0",))).marks.mark_index.tolist() == [0, 1, 3]


def test_a_task_in_two_extractors():
    settings = Settings(drawing_tasks=(DrawingTask("T0", (0,)), DrawingTask("T0", (1,), "bezier")))
    assert [len(path) for path in paths(decode(cell(SQUARE, CLICKED), settings=settings).marks)] == [4, 10]


def test_without_a_configuration_only_outlines_are_selected():
    others = [
        {"tool": 0, "x": 3, "y": 4},
        {"tool": 0, "x1": 3, "y1": 4, "x2": 5, "y2": 6},
        without(CLICKED, toolType="polyline"),
        without(CLICKED, points=[1, 2]),
        {"choice": "LION", "answers": {}},
        {"task": "T9", "value": 1},
    ]
    decoded = decode(cell(*others, SQUARE, *others), cell(*others), settings=AUTOMATIC)
    assert decoded.marks.mark_index.tolist() == [len(others)]
    assert rejected(decoded) == []


OTHER_TOOLS = [
    {"toolIndex": 1, "toolType": "point", "x": 3, "y": 4},
    {"tool": 1, "toolType": "circle", "x_center": 3, "y_center": 4, "r": 5, "points": None, "pathX": None},
    {"toolIndex": 1, "toolType": "ellipse", "frame": "x"},
    {"toolIndex": 1, "toolType": "rectangle", "x": 1, "y": 2, "width": 3, "height": 4, "details": [{}]},
]


@pytest.mark.parametrize("other", OTHER_TOOLS, ids=lambda mark: mark["toolType"])
def test_marks_of_tools_without_outlines_are_skipped_unless_the_tool_is_listed(other):
    text = cell(other, SQUARE)
    for drawing in (DrawingTask("T0"), DrawingTask("T0", None, "bezier"), DrawingTask("T0", (0,))):
        decoded = decode(text, settings=Settings(drawing_tasks=(drawing,)))
        assert rejected(decoded) == []
        assert decoded.marks.mark_index.tolist() == [1]
    decoded = decode(text, settings=Settings(drawing_tasks=(DrawingTask("T0", (0, 1)),)))
    assert rejected(decoded) == [(0, 0, reasons.PATH_MISSING)]
    assert decoded.marks.mark_index.tolist() == [1]


def test_a_skipped_mark_needs_no_tool_index():
    assert rejected(decode(cell({"toolType": "point", "x": 1}))) == []
    assert rejected(decode(cell({"toolType": "polygon", "x": 1}))) == [(0, 0, reasons.TOOL_MISSING)]


def test_a_mark_with_a_path_is_used_whatever_its_tool_type():
    assert decode(cell(without(SQUARE, toolType="point"))).marks.tool_type.to_list() == ["point"]
    assert rejected(decode(cell(without(SQUARE, "pathY", toolType="point")))) == [
        (0, 0, reasons.PATH_MISSING)
    ]


def test_the_mark_index_does_not_depend_on_the_settings():
    text = json.dumps(
        [
            {"task": "T1", "value": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
            {"task": "T2", "value": [1, 2, 3]},
            {"task": "T0.0.0", "markIndex": 0, "value": [{"value": "a"}]},
            {"task": "T0", "value": [without(SQUARE, pathX=[], pathY=[]), CLICKED]},
        ]
    )
    for settings in (T0, AUTOMATIC, Settings(task=("T0",), tool=(1,))):
        assert decode(text, settings=settings).marks.mark_index.tolist() == [3]


# Outlines in other formats

TRIANGLE = [(1, 2), (3, 4), (5, 0)]


@pytest.mark.parametrize("tool_type", ["freehandShape", "freehandSegmentShape", "lasso", None])
def test_outlines_of_unknown_tools_are_read(tool_type):
    for mark in (without(SQUARE, toolType=tool_type), without(CLICKED, toolType=tool_type)):
        for settings in (T0, AUTOMATIC):
            decoded = decode(cell(mark), settings=settings)
            assert len(decoded.marks.row) == 1
            assert rejected(decoded) == []


@pytest.mark.parametrize("settings", [T0, AUTOMATIC])
def test_an_outline_as_svg_path_data(settings):
    marks = decode(cell({"tool": 2, "path": "M 1,2 L 3,4 L 5,0 Z", "details": []}), settings=settings).marks
    assert paths(marks) == [TRIANGLE]
    assert (marks.tool.to_list(), marks.tool_type.to_list()) == (["T0_tool2"], ["freehandLine"])
    many = "M0,0" + "L1,1" * reasons.MOST_POINTS
    assert decode(cell({"tool": 2, "path": many}), settings=settings).rejects.reason == ["too_many_points"]


UNKNOWN = {
    "pairs": {"outline": [[1, 2], [3, 4], [5, 6]]},
    "objects": {"outline": [{"left": 1, "top": 2}, {"left": 3, "top": 4}, {"left": 5, "top": 6}]},
    "flat": {"toolType": "lasso", "x": 1, "y": 2, "mask": [1, 2, 3, 4, 5, 6]},
    "GeoJSON": {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}},
    "two lists": {"xs": [1, 2, 3, 1], "ys": [4, 5, 6, 4]},
    "text": {"polygon": "1,2 3,4 5,6"},
    "well-known text": {"polygon": "POLYGON((0 0, 1 0, 1 1, 0 0))"},
    "points that are pairs": {"points": [[1, 2], [3, 4], [5, 6]]},
    "an arc": {"path": "M 0 0 A 1 1 0 0 1 2 2 L 0 0"},
    "two outlines": {"path": "M 0 0 L 1 0 1 1 Z M 5 5 L 6 5 6 6 Z"},
    "no path": {"path": "drawing.svg"},
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("settings", [T0, AUTOMATIC, Settings(drawing_tasks=(DrawingTask("T0", (0, 3)),))])
def test_an_outline_in_an_unknown_format_is_rejected(name, settings):
    entry = {"toolIndex": 3, "details": [], "frame": 0, **UNKNOWN[name]}
    decoded = decode(cell(SQUARE, entry), settings=settings)
    assert rejected(decoded) == [(0, 1, reasons.OUTLINE_UNKNOWN)]
    assert any(key in decoded.rejects.detail[0] for key in UNKNOWN[name])
    assert len(decoded.marks.row) == 1
    unwanted = Settings(drawing_tasks=(DrawingTask("T0", (0,)),))
    assert rejected(decode(cell(SQUARE, entry), settings=unwanted)) == []


def test_the_detail_contains_the_keys_of_an_unknown_outline():
    entry = {"toolIndex": 3, "toolType": "lasso", "outline": [[1, 2], [3, 4], [5, 6]], "k" * 99: 1}
    (detail,) = decode(cell(entry), settings=AUTOMATIC).rejects.detail
    assert detail.startswith("its keys are outline, kkk")
    assert detail.endswith("toolIndex, toolType; expected points, pathX and pathY, or path")


@pytest.mark.parametrize(
    "other",
    [
        {"tool": 0, "x": 3, "y": 4},
        {"tool": 0, "x1": 3, "y1": 4, "x2": 5, "y2": 6},
        {"toolIndex": 0, "toolType": "circle", "x": 3, "y": 4, "r": 5},
        {"toolIndex": 0, "toolType": "lasso", "x": 3, "y": 4, "size": [1, 2], "at": "2024-03-01 10:01:00"},
        {"toolIndex": 0, "toolType": "line", "points": [{"x": 1, "y": 2}, {"x": 3, "y": 4}], "x1": 3},
        {"tool": 1, "x": 3, "details": [{"value": [1, 2, 3, 4, 5, 6, 7]}], "tool_label": "1 2 3 4 5 6"},
    ],
)
def test_points_circles_and_lines_are_skipped(other):
    assert rejected(decode(cell(other), settings=AUTOMATIC)) == []
    if "points" not in other:
        assert rejected(decode(cell(other, SQUARE), settings=T0)) == []


# Combo tasks


def test_marks_in_nested_combo_tasks_are_read():
    inner = {"task": "T0", "value": [SQUARE, without(SQUARE, toolIndex=1)]}
    text = json.dumps(
        [
            {"task": "T3", "value": [CLICKED]},
            {"task": "T5", "value": [{"task": "T1", "value": "yes"}, {"task": "T6", "value": [inner]}]},
            {"task": "T0", "value": [without(SQUARE, toolIndex=2)]},
        ]
    )
    for settings in (T0, AUTOMATIC):
        marks = decode(text, settings=settings).marks
        tools = ["T0_toolIndex0", "T0_toolIndex1", "T0_toolIndex2"]
        assert marks.tool.to_list() == ["T3_tool1"] * (settings is AUTOMATIC) + tools
        assert marks.mark_index.tolist() == [0] * (settings is AUTOMATIC) + [1, 2, 3]
    bad = {"task": "T5", "value": [{"task": "T" * (reasons.LONGEST_TASK + 1), "value": [SQUARE]}]}
    assert rejected(decode(json.dumps([bad]))) == [(0, -1, reasons.ANNOTATIONS_NOT_A_LIST)]
    deep = '[{"task":"T5","value":' * 300 + json.dumps([inner]) + "}]" * 300
    assert len(decode(deep).marks.row) == 2


# Bezier tools without a configuration


def test_tools_in_the_setting_bezier_tool():
    def lengths(*tools, **values):
        settings = Settings(bezier_tool=tools, **values)
        return [len(path) for path in paths(decode(text, settings=settings).marks)]

    text = json.dumps(
        [json.loads(cell(CLICKED, without(CLICKED, tool=2), task=task))[0] for task in ("T0", "T1")]
    )
    assert lengths() == [3, 3, 3, 3]
    assert lengths("1") == [10, 3, 10, 3]
    assert lengths("T1:1", "2") == [3, 10, 10, 10]
    assert lengths("T0:1", drawing_tasks=(DrawingTask("T0", (1,)), DrawingTask("T1"))) == [10, 3, 3]
    assert decode(text, settings=Settings(bezier_tool=("T0:1",))).marks.tool_type.to_list() == [
        "bezier",
        *["polygon"] * 3,
    ]


# Details


def details_of(*annotations):
    return [None if d is None else json.loads(d) for d in decode(json.dumps(annotations)).marks.details]


@pytest.mark.parametrize(
    "answer", [1, "text", None, [0, 2], [{"value": "a", "option": True}], {"a": 1.5}, 2**70]
)
def test_details_get_the_answers_of_their_sub_tasks(answer):
    asked = [{"task": "T0.0.0"}, {"task": "T0.0.1"}]
    assert details_of(
        {"task": "T3", "value": [{"x": 1}]},
        {"task": "T0", "value": [without(SQUARE, details=[]), without(SQUARE, frame=1, details=asked), FAR]},
        {"task": "T0.0.0", "markIndex": 0, "value": "of another mark"},
        {"task": "T0.0.0", "markIndex": 1, "value": answer},
    ) == [None, [{"task": "T0.0.0", "value": answer}, {"task": "T0.0.1"}], None]


def test_answers_belong_to_the_marks_of_the_same_occurrence_of_their_task():
    asked = [{"task": "T0.0.0"}]
    drawn = {"task": "T0", "value": [without(SQUARE, details=asked)]}
    other = {"task": "T0", "value": [without(SQUARE, details=asked, frame=1)]}

    def answer(value):
        return {"task": "T0.0.0", "markIndex": 0, "value": value}

    def answers(*annotations):
        return [item.get("value", "none") for (item,) in details_of(*annotations)]

    between = {"task": "T1", "value": 1}
    assert answers(drawn, answer(0), between, other, answer(1)) == [0, 1]
    assert answers(drawn, other, answer(1)) == ["none", 1]
    assert answers(drawn, answer(0), other) == [0, "none"]
    assert answers(answer(0), drawn, other) == [0, "none"]
    # The general decoder returns the same.
    odd = {"task": "T0", "value": [3]}
    assert answers(drawn, answer(0), other, answer(1), odd, answer(2)) == [0, 1]


def test_details_of_the_old_classifier_are_unchanged():
    old = [{"value": 0}, {"value": [1, "é"]}]
    assert details_of({"task": "T0", "value": [without(CLICKED, details=old)]}) == [old]


@pytest.mark.parametrize("details", [None, [], {}, "", 0])
def test_empty_details_are_none(details):
    assert details_of({"task": "T0", "value": [without(SQUARE, details=details)]}) == [None]


# What cannot be used

DEEP = 10_000_000
UNUSABLE_CELLS = [
    (None, reasons.ANNOTATIONS_MISSING),
    ("", reasons.ANNOTATIONS_MISSING),
    (b"  \n", reasons.ANNOTATIONS_MISSING),
    ("no JSON", reasons.ANNOTATIONS_NOT_JSON),
    (cell(SQUARE)[:-3], reasons.ANNOTATIONS_NOT_JSON),
    (b'[{"task": "\xff"}]', reasons.ANNOTATIONS_NOT_JSON),
    ("[" * DEEP, reasons.ANNOTATIONS_NOT_JSON),
    ("[" * (DEEP // 2) + "]" * (DEEP // 2), reasons.ANNOTATIONS_NOT_JSON),
    ('{"a":' * 1_000_000, reasons.ANNOTATIONS_NOT_JSON),
    ('[{"task":"T0","value":[{"toolIndex":0,"details":' + "[" * 100_000, reasons.ANNOTATIONS_NOT_JSON),
    ("null", reasons.ANNOTATIONS_NOT_A_LIST),
    ("3", reasons.ANNOTATIONS_NOT_A_LIST),
    ('"T0"', reasons.ANNOTATIONS_NOT_A_LIST),
    ("NaN", reasons.ANNOTATIONS_NOT_A_LIST),
    ('{"task": "T0", "value": []}', reasons.ANNOTATIONS_NOT_A_LIST),
    ("[1, 2]", reasons.ANNOTATIONS_NOT_A_LIST),
    ('[{"task": "T0", "value": []}, null]', reasons.ANNOTATIONS_NOT_A_LIST),
    ('[{"value": []}]', reasons.ANNOTATIONS_NOT_A_LIST),
    ('[{"task": 0, "value": []}]', reasons.ANNOTATIONS_NOT_A_LIST),
    (cell(CLICKED, task="T" * (reasons.LONGEST_TASK + 1)), reasons.ANNOTATIONS_NOT_A_LIST),
    (cell(*[{}] * (reasons.MOST_MARKS + 1)), reasons.TOO_MANY_MARKS),
    (cell(CLICKED, *[3] * reasons.MOST_MARKS), reasons.TOO_MANY_MARKS),
    (cell(without(SQUARE, details="a" * reasons.LONGEST_DETAILS)), reasons.DETAILS_TOO_LONG),
]


@pytest.mark.parametrize(("text", "reason"), UNUSABLE_CELLS, ids=lambda value: str(value)[:25])
def test_an_unusable_cell_is_rejected_as_a_whole(text, reason):
    decoded = decode(cell(SQUARE), text, cell(CLICKED))
    assert rejected(decoded) == [(1, -1, reason)]
    assert decoded.marks.row.tolist() == [0, 2]
    assert 0 < len(decoded.rejects.detail[0]) <= 120


def with_x(text):
    """Return a mark as JSON with another value as its second x."""
    return json.dumps(SQUARE).replace("[0, 2, 2, 0]", f"[0, {text}, 2, 0]", 1)


UNUSABLE_MARKS = [
    ("3", reasons.MARK_NOT_AN_OBJECT),
    ("null", reasons.MARK_NOT_AN_OBJECT),
    ("[[1]]", reasons.MARK_NOT_AN_OBJECT),
    (without(SQUARE, "toolIndex"), reasons.TOOL_MISSING),
    (without(SQUARE, toolIndex=None), reasons.TOOL_MISSING),
    (without(SQUARE, toolIndex="0"), reasons.TOOL_MISSING),
    (without(SQUARE, toolIndex=True), reasons.TOOL_MISSING),
    (without(SQUARE, toolIndex=0.5), reasons.TOOL_MISSING),
    (without(SQUARE, toolIndex=-1), reasons.TOOL_MISSING),
    (without(SQUARE, toolIndex=2**31), reasons.TOOL_MISSING),
    (without(SQUARE, tool=[]), reasons.TOOL_MISSING),
    (without(SQUARE, tool=[{"long" * 9: "text" * 9} for _ in range(9)]), reasons.TOOL_MISSING),
    (
        without(SQUARE, frame=dict.fromkeys(map(str, range(10**20, 10**20 + 9)), "text" * 99)),
        reasons.FRAME_INVALID,
    ),
    (without(SQUARE, frame=-1), reasons.FRAME_INVALID),
    (without(SQUARE, frame="0"), reasons.FRAME_INVALID),
    (without(SQUARE, frame=0.5), reasons.FRAME_INVALID),
    (without(SQUARE, frame=2**40), reasons.FRAME_INVALID),
    (without(SQUARE, frame=math.nan), reasons.FRAME_INVALID),
    (without(SQUARE, "pathY"), reasons.PATH_MISSING),
    (without(SQUARE, pathX=None), reasons.PATH_MISSING),
    (without(SQUARE, pathX="0,2,2,0"), reasons.PATH_MISSING),
    (without(SQUARE, pathX="[0,2,2,0]"), reasons.PATH_MISSING),
    (without(CLICKED, points={"x": 1, "y": 2}, toolType="polygon"), reasons.PATH_MISSING),
    (without(CLICKED, "points", toolType="polygon"), reasons.PATH_MISSING),
    (without(SQUARE, pathX=[1, 2]), reasons.PATH_LENGTHS_DIFFER),
    (without(SQUARE, pathX=[]), reasons.PATH_LENGTHS_DIFFER),
    (
        without(SQUARE, pathX=[1] * (reasons.MOST_POINTS + 1), pathY=[1] * (reasons.MOST_POINTS + 1)),
        reasons.TOO_MANY_POINTS,
    ),
    (with_x('"2"'), reasons.COORDINATE_NOT_A_NUMBER),
    (with_x('"2,3"'), reasons.COORDINATE_NOT_A_NUMBER),
    (with_x("null"), reasons.COORDINATE_NOT_A_NUMBER),
    (with_x("true"), reasons.COORDINATE_NOT_A_NUMBER),
    (with_x("[]"), reasons.COORDINATE_NOT_A_NUMBER),
    (without(CLICKED, points=[{"x": 1, "y": 2}, {"x": 1}]), reasons.COORDINATE_NOT_A_NUMBER),
    (without(CLICKED, points=[{"x": 1, "y": 2}, 3]), reasons.COORDINATE_NOT_A_NUMBER),
    (with_x("NaN"), reasons.COORDINATE_NOT_FINITE),
    (with_x("-Infinity"), reasons.COORDINATE_NOT_FINITE),
    (with_x("1e999"), reasons.COORDINATE_NOT_FINITE),
    (with_x("9" * 400), reasons.COORDINATE_NOT_FINITE),
    (with_x("9" * 5000), reasons.COORDINATE_NOT_FINITE),
    (json.dumps(CLICKED).replace("4.5", "-1e999"), reasons.COORDINATE_NOT_FINITE),
    (with_x("1000000001"), reasons.COORDINATE_TOO_LARGE),
    (with_x("-1e300"), reasons.COORDINATE_TOO_LARGE),
    (with_x("9" * 100), reasons.COORDINATE_TOO_LARGE),
    (without(SQUARE, pathX=[], pathY=[]), reasons.PATH_EMPTY),
    (without(CLICKED, "points", outline=[[1, 2], [3, 4], [5, 6]]), reasons.OUTLINE_UNKNOWN),
    (SQUARE, reasons.DUPLICATE_MARK),
]


@pytest.mark.parametrize(("mark", "reason"), UNUSABLE_MARKS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("settings", [T0, AUTOMATIC], ids=["listed", "automatic"])
def test_only_the_unusable_mark_is_rejected(mark, reason, settings):
    bad = mark if isinstance(mark, str) else json.dumps(mark)
    text = f'[{{"task": "T0", "value": [{json.dumps(SQUARE)}, {bad}, {json.dumps(CLICKED)}]}}]'
    decoded = decode("[]", text, settings=settings)
    assert rejected(decoded) == [(1, 1, reason)]
    assert paths(decoded.marks) == paths(decode(cell(SQUARE, CLICKED)).marks)
    assert decoded.marks.mark_index.tolist() == [0, 2]
    assert 0 < len(decoded.rejects.detail[0]) <= 120


def test_every_reason_of_this_stage_is_tested():
    of_this_stage = {reason.code for reason in reasons.REASONS if reason.stage == "decode"}
    assert {reason for _, reason in (*UNUSABLE_CELLS, *UNUSABLE_MARKS)} == of_this_stage


def test_marks_of_unlisted_tools_are_not_checked():
    settings = Settings(drawing_tasks=(DrawingTask("T0", (5,)),))
    decoded = decode(cell(without(SQUARE, "pathX"), without(SQUARE, frame=-1)), settings=settings)
    assert rejected(decoded) == []


def test_the_largest_coordinate_is_accepted():
    assert decode(f'[{{"task":"T0","value":[{with_x("1e9")}]}}]').marks.x.max() == reasons.LARGEST_COORDINATE


def test_bad_control_points_are_rejected_before_the_curve_is_computed():
    bad = without(CLICKED, points=[{"x": 1, "y": 2}, {"x": 1e10, "y": 2}, {"x": 1, "y": 2}])
    decoded = decode(cell(CLICKED, bad, without(CLICKED, frame=1)), settings=BEZIER)
    assert rejected(decoded) == [(0, 1, reasons.COORDINATE_TOO_LARGE)]
    assert [len(path) for path in paths(decoded.marks)] == [10, 10]


def test_half_a_surrogate_pair_can_be_encoded():
    text = cell(without(SQUARE, toolType="\ud800", details=[{"value": "\ud800"}]), task="T\ud800")
    marks = decode(text, settings=Settings(drawing_tasks=(DrawingTask("T\ud800"),))).marks
    for column in (marks.task, marks.tool, marks.tool_type, marks.details):
        column[0].encode("utf-8")


# The two decoders compared, and arbitrary input

numbers = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["task", "value", "tool", "toolIndex", "pathX", "pathY", "points", "x", "frame"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@st.composite
def good_marks(draw):
    n = draw(st.integers(1, 5))
    x, y = (draw(st.lists(numbers, min_size=n, max_size=n)) for _ in "xy")
    mark = {draw(st.sampled_from(["tool", "toolIndex"])): draw(st.integers(0, 3))}
    form = draw(st.sampled_from(["paths", "points", "none"]))
    if form == "paths":
        mark |= {"pathX": x, "pathY": y}
    elif form == "points":
        mark["points"] = [{"x": a, "y": b} for a, b in zip(x, y, strict=True)]
    else:
        mark |= {"toolType": draw(st.sampled_from(["point", "circle"])), "x": 1, "y": 2}
    if form != "none" and draw(st.booleans()):
        mark["toolType"] = draw(st.sampled_from(["polygon", "freehandLine", "bezier", "line", None, ""]))
    if draw(st.booleans()):
        mark["frame"] = draw(st.sampled_from([0, 1, None]))
    if draw(st.booleans()):
        mark["details"] = draw(st.sampled_from([[], None, [{"value": 1.5}], [{"task": "T0.0.0"}]]))
    return mark


@st.composite
def good_annotations(draw):
    task = draw(st.sampled_from(["T0", "T1"]))
    value = draw(
        st.lists(good_marks(), max_size=4)
        | st.lists(st.integers() | st.text(max_size=3), max_size=3)
        | json_values
    )
    return {"task": task, "value": value}


@st.composite
def good_cells(draw):
    annotations = draw(st.lists(good_annotations(), max_size=3))
    if draw(st.booleans()):
        answer = draw(st.integers() | st.none() | st.just([{"value": "a"}]))
        annotations.append({"task": "T0.0.0", "markIndex": draw(st.integers(0, 2)), "value": answer})
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    return json.dumps(annotations, separators=separators, ensure_ascii=draw(st.booleans()))


any_settings = st.sampled_from(
    [
        T0,
        AUTOMATIC,
        BEZIER,
        Settings(tool=(1,)),
        Settings(
            drawing_tasks=(DrawingTask("T0", (0, 1)), DrawingTask("T0", (2,), "bezier"), DrawingTask("T1"))
        ),
    ]
)


def as_plain(decoded):
    return [
        {name: list(value) for name, value in vars(part).items()} for part in (decoded.marks, decoded.rejects)
    ]


@pytest.mark.slow
@unhurried
@given(st.lists(good_cells(), max_size=4), any_settings)
def test_the_fast_and_the_general_decoder_agree(cells, settings):
    both = decode_annotations(cells, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "decode_cell_fast", lambda cell, selection: None)
        general = decode_annotations(cells, settings)
    assert as_plain(both) == as_plain(general)


@unhurried
@given(st.lists(good_marks(), min_size=1, max_size=3))
def test_the_fast_decoder_reads_ordinary_marks(marks):
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(reader, "decode_cell")
        decode_annotations([cell(*marks)], T0)


def mutations(text):
    positions = st.integers(0, max(len(text) - 1, 0))
    return st.tuples(
        positions, st.sampled_from(["", "[", "]", "{", ",", '"', "9", "-", "null", "\\", "e"])
    ).map(lambda change: text[: change[0]] + change[1] + text[change[0] + 1 :])


any_cells = (
    st.none()
    | st.text()
    | st.binary()
    | json_values.map(json.dumps)
    | st.lists(good_annotations() | json_values, max_size=3).map(json.dumps)
    | good_cells().flatmap(mutations)
)


@unhurried
@given(st.lists(any_cells, max_size=5), any_settings)
def test_no_input_raises_and_no_mark_is_lost(cells, settings):
    decoded = decode_annotations(cells, settings)
    marks, rejects = decoded.marks, decoded.rejects
    assert len(marks.x) == len(marks.y) == marks.offsets[-1]
    assert (np.diff(marks.offsets) > 0).all()
    assert (np.abs([*marks.x, *marks.y]) <= reasons.LARGEST_COORDINATE * (1 + 1e-9)).all()
    assert {*rejects.reason} <= {reason.code for reason in reasons.REASONS if reason.stage == "decode"}
    assert all(0 < len(detail) <= 120 for detail in rejects.detail)
    rejected_rows = {row for row, index in zip(rejects.row, rejects.mark_index, strict=True) if index < 0}
    used = list(zip(marks.row, marks.mark_index, strict=True))
    unused = list(zip(rejects.row, rejects.mark_index, strict=True))
    assert used == sorted(used)
    assert unused == sorted(unused)
    assert len({*used, *unused}) == len(used) + len(unused)
    assert not rejected_rows & {*marks.row, *(row for row, index in unused if index >= 0)}
    for row, text in enumerate(cells):
        if text is None or not is_json_list(text):
            assert row in rejected_rows


def is_json_list(text):
    try:
        return isinstance(json.loads(text.decode("utf-8") if isinstance(text, bytes) else text), list)
    except ValueError:
        return False


@unhurried
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**80), 2**80)))
def test_numbers_are_parsed_as_by_python(values):
    for separator in (",", " ,\n"):
        parsed = numbers_from_text(separator.join(map(json.dumps, values)).encode())
        assert parsed.tolist() == [float(value) for value in values]


# The real project


def test_the_cat_project_has_the_published_extractions(cat_project):
    with (cat_project / "cat-project-classifications.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["workflow_version"] == "13.19"]
    decoded = decode_annotations([row["annotations"] for row in rows], T0)
    assert len(decoded.rejects.row) == 0
    ours = {}
    for row, tool, path in zip(decoded.marks.row, decoded.marks.tool, paths(decoded.marks), strict=True):
        ours.setdefault((rows[row]["classification_id"], tool), []).append(path)

    published = {}
    with (cat_project / "polygon_extractor_extractions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for tool in ("T0_toolIndex0", "T0_toolIndex1"):
                x, y = (row[f"data.frame0.{tool}_path{axis}"] for axis in "XY")
                if x:
                    pairs = zip(json.loads(x), json.loads(y), strict=True)
                    published[row["classification_id"], tool] = [list(zip(*xy, strict=True)) for xy in pairs]
    assert ours == published
    assert len(published) > 100
