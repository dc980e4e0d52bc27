"""Cells whose lists of coordinates are cut out have the same marks as by the general decoder alone."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.reasons import ANNOTATIONS_NOT_JSON, MOST_POINTS
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations import read_cells
from polyframe.panoptes.annotations.coordinate_lists import CutCells, cut_cells
from polyframe.panoptes.annotations.decode import Decoded, decode_annotations

AUTOMATIC = Settings(duplicate_marks="keep")
SELECTIONS = [
    AUTOMATIC,
    Settings(),
    Settings(drawing_tasks=(DrawingTask("T0"),)),
    Settings(drawing_tasks=(DrawingTask("T0", None, "bezier"), DrawingTask("T1", (0,)))),
    Settings(tool=(1,)),
    Settings(task=("T1",)),
]
#: Numbers of coordinates, as JSON and as text that JSON or these lists may not contain.
NUMBERS = ["1", "2.5", "-3", "0", "-0", "1e3", "1E-2", "12345678901234567890", "0.1", "7e-299", "10e-300"]
BAD_NUMBERS = ["01", "+1", ".5", "1.", "1e", "NaN", "Infinity", "1e999", "null", '"1"', "", " 1", "[1]", "{}"]
#: Other parts of a mark.
OTHERS = [
    '"details":[]',
    '"details":[{"value":1}]',
    '"details":[{"value":"\\"pathX\\": [1, 2]"}]',
    '"details":[{"points":[{"x":1,"y":2}]}]',
    '"details":{"pathX":[1,2]}',
    '"note":"\\"pathX\\":[1,2]","b\\"pathX":[1,2]',
    '"note":"1e-299 [, ]"',
    '"frame":1',
    '"frame":1e-299',
    '"frame":-1',
    '"toolType":"bezier"',
    '"toolType":"point"',
    '"toolType":"polygon"',
    '"pathX":[9,8,7]',
    '"points":[]',
    '"path":"M0 0L1 1"',
    '"vertices":[[1,2],[3,4],[5,6]]',
    '"task":"T0"',
    '"toolIndex":1',
    '"tool":[{"points":[{"x":1,"y":2}],"pathX":[1,2]}]',
]


@st.composite
def lists(draw: st.DrawFn, key: str) -> str:
    """Return a list of coordinates as JSON text, seldom an invalid one."""
    number = st.sampled_from(NUMBERS * 3 + BAD_NUMBERS if draw(st.integers(0, 5)) == 0 else NUMBERS[:9])
    comma = draw(st.sampled_from([",", ",", ", ", " ,"]))
    colon = draw(st.sampled_from([":", ":", ": ", ":  ", " :"]))
    form = key if draw(st.integers(0, 15)) else draw(st.sampled_from(["points", "pathX"]))
    entries = draw(st.lists(number, min_size=0 if draw(st.integers(0, 9)) == 0 else 1, max_size=4))
    if form == "points":
        entries = [f'{{"x"{colon}{entry}{comma}"y"{colon}{draw(number)}}}' for entry in entries]
    return f'"{key}"{colon}[{comma.join(entries)}]'


@st.composite
def marks(draw: st.DrawFn) -> str:
    n_paths = draw(st.integers(0, 2))
    parts = [[draw(lists("points"))], [draw(lists("pathX")), draw(lists("pathY"))], []][n_paths]
    parts += draw(st.lists(st.sampled_from(OTHERS), max_size=2))
    parts.append(draw(st.sampled_from(['"toolIndex":0', '"tool":1', '"toolIndex":1', '"toolIndex":"a"'])))
    return f"{{{','.join(draw(st.permutations(parts)))}}}"


@st.composite
def cells(draw: st.DrawFn) -> str:
    annotations = []
    for _ in range(draw(st.integers(0, 2))):
        task = draw(st.sampled_from(["T0", "T1", "T2", 'a\\"points\\":[1', "\\u0054\\u0030"]))
        value = f"[{','.join(draw(st.lists(marks(), max_size=3)))}]"
        more = draw(st.sampled_from(["", "", ',"markIndex":0', ',"pathX":[1,2]', ',"value":[{"tool":1}]']))
        annotations.append(f'{{"task":"{task}","value":{value}{more}}}')
    text = f"[{','.join(annotations)}]"
    if draw(st.integers(0, 4)) == 0 and text:
        # A cell that is cut off or has another character somewhere, for example where a list begins or ends.
        at = draw(st.integers(0, len(text) - 1))
        text = (
            text[:at]
            + draw(st.sampled_from(["", "[", "]", ",", "}", '"', "\\", "\ufeff", "é"]))
            + text[at + 1 :]
        )
    return text


def uncut(column: pl.Series, *, compiled: bool) -> CutCells:
    none = np.empty(0, np.int64)
    return CutCells(column, np.zeros(len(column) + 1, np.int64), none > 0, none, np.empty(0))


def as_plain(decoded: Decoded) -> list[dict[str, list[Any]]]:
    return [
        {name: list(value) for name, value in vars(part).items()} for part in (decoded.marks, decoded.rejects)
    ]


def by_the_general_decoder(column: list[str | bytes | None], selection: Settings) -> Decoded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_cells, "decode_cell_fast", lambda *_: None)
        patch.setattr(read_cells, "cut_cells", uncut)
        return decode_annotations(column, selection)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(cells() | st.none() | st.sampled_from(["", "[]", '"pathX":', "[1,2]", b"\xff"]), max_size=6),
    st.sampled_from(SELECTIONS),
)
def test_cut_cells_have_the_marks_that_the_general_decoder_reads(
    column: list[str | bytes | None], selection: Settings
) -> None:
    expected = as_plain(by_the_general_decoder(column, selection))
    for compiled in (False, True):
        assert as_plain(decode_annotations(column, selection, compiled=compiled)) == expected


@pytest.mark.parametrize("other", OTHERS)
def test_every_other_part_of_a_mark_is_read_alike(other: str) -> None:
    points = f'{{"toolIndex":0,"points":[{{"x":1,"y":2}},{{"x": 3, "y": 4}}],{other}}}'
    paths = f'{{{other},"tool":0,"pathX":[1,2.5],"pathY": [-3, 4e0]}}'
    column = [f'[{{"task":"{task}","value":[{points},{paths}]}}]' for task in ("T0", "T1", "T0")]
    for selection in SELECTIONS:
        assert as_plain(decode_annotations(column, selection)) == as_plain(
            by_the_general_decoder(column, selection)
        )


@pytest.mark.parametrize("column", [[], [None], ["[]", None]])
def test_columns_without_marks(column: list[str | bytes | None]) -> None:
    decoded = decode_annotations(column, AUTOMATIC)
    assert decoded.marks.offsets.tolist() == [0]
    assert len(decoded.rejects.row) == column.count(None)


def test_usual_cells_are_read_once_for_each_skeleton(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[Any] = []
    fast = read_cells.decode_cell_fast
    monkeypatch.setattr(read_cells, "decode_cell_fast", lambda *given: texts.append(given[0]) or fast(*given))
    monkeypatch.delattr(read_cells, "decode_cell")
    column = [
        f'[{{"task":"{task}","value":[{{"toolIndex":0,"points":[{{"x":{n},"y":{n / 4}}}]}},'
        f'{{"toolIndex":1,"pathX":[{n}, 1],"pathY":[2, {n}]}}]}}]'
        for n in range(50)
        for task in ("T0", "T1")
    ]
    decoded = decode_annotations(pl.Series(column), AUTOMATIC)
    assert len(texts) == 2
    assert decoded.marks.x.tolist() == [x for n in range(50) for _ in range(2) for x in (n, n, 1)]
    assert decoded.marks.y.tolist() == [y for n in range(50) for _ in range(2) for y in (n / 4, 2, n)]
    assert decoded.marks.row.tolist() == [row for row in range(100) for _ in range(2)]
    assert decoded.marks.task.to_list() == [task for _ in range(50) for task in ("T0", "T0", "T1", "T1")]


def test_a_cell_with_the_text_of_a_skeleton_has_no_lists() -> None:
    good = '[{"task":"T0","value":[{"toolIndex":0,"points":[{"x":1,"y":2}]}]}]'
    skeleton = cut_cells(pl.Series([good])).skeletons[0]
    assert len(skeleton) < len(good)
    for column in ([good, skeleton], [skeleton, good], [skeleton, good, skeleton]):
        decoded = decode_annotations(column, AUTOMATIC)
        assert decoded.marks.row.tolist() == [column.index(good)]
        assert decoded.rejects.row.tolist() == [row for row, cell in enumerate(column) if cell == skeleton]


def test_a_list_beside_the_text_of_a_skeleton_is_not_json() -> None:
    good = '{"toolIndex":0,"points":[{"x":1,"y":2}]}'
    for values in (f'{{"toolIndex":0,"points":[,"a":1}},{good}', f'{good},{{"toolIndex":0,"pathX":[}}'):
        decoded = decode_annotations([f'[{{"task":"T0","value":[{values}]}}]'], AUTOMATIC)
        assert decoded.rejects.reason == [ANNOTATIONS_NOT_JSON]


@pytest.mark.parametrize("number", ["1e-299", "10E-300", "0." + "0" * 298 + "1"])
def test_numbers_equal_to_those_in_place_of_lists_are_not_mistaken(number: str) -> None:
    # The list of the first tool is not selected, that of the second has an unusual form, so it is not cut.
    cut, uncut_points = '"pathX":[5],"pathY":[6]', f'"points":[{{"y":{number},"x":{number}}}]'
    text = f'[{{"task":"T0","value":[{{"toolIndex":0,{cut}}},{{"toolIndex":1,{uncut_points}}}]}}]'
    assert decode_annotations([text], Settings(tool=(1,))).marks.x.tolist() == [1e-299]


@pytest.mark.parametrize("lengths", [(2, 3), (MOST_POINTS + 1, MOST_POINTS + 1)])
def test_marks_with_bad_lists_are_rejected_alone(lengths: tuple[int, int]) -> None:
    def cell(n_x: int, n_y: int) -> str:
        mark = {"toolIndex": 0, "pathX": [1] * n_x, "pathY": [2] * n_y}
        return json.dumps([{"task": "T0", "value": [mark]}])

    column: list[str | bytes | None] = [cell(2, 2), cell(*lengths), cell(3, 3)]
    decoded = decode_annotations(column, AUTOMATIC)
    assert decoded.marks.row.tolist() == [0, 2]
    assert as_plain(decoded) == as_plain(by_the_general_decoder(column, AUTOMATIC))
