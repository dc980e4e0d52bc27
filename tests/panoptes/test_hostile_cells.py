"""Test that hostile cells need bounded time and memory, and are rejected."""

import json
import time
import tracemalloc
from collections import Counter

import pytest
from exports import drawing, export_row, export_text, square
from fuzz_rows import check_run
from stores import manifest_of

from polyframe.core import reasons
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.decode import decode_annotations

TINY = '{"toolIndex":0,"pathX":[0,1,1],"pathY":[0,0,1]}'
MILLION = 1_000_000
MANY = 2 * reasons.MOST_POINTS


def drawn(*marks, task="T0"):
    return f'[{{"task":"{task}","value":[{",".join(marks)}]}}]'


def with_details(details, more=""):
    return f'[{{"task":"T0","value":[{TINY[:-1]},"details":{details}}}]}}{more}]'


def answered(n_marks, n_items, answer):
    """Return marks that all name the same sub-task many times, and the answer of that sub-task."""
    details = json.dumps([{"task": "T0.0"}] * n_items)
    marks = [f'{TINY[:-1]},"details":{details}}}'] * n_marks
    answers = [{"task": "T0.0", "markIndex": index, "value": answer} for index in range(n_marks)]
    return f"{drawn(*marks)[:-1]},{json.dumps(answers)[1:]}"


def nested(opening, closing, depth):
    return opening * depth + closing * depth


REJECTED_CELLS = {
    "ten megabytes of brackets": ("[" * 10 * MILLION, reasons.ANNOTATIONS_NOT_JSON),
    "deep objects": (nested('{"a":', "}", MILLION).replace(":}", ":1}"), reasons.ANNOTATIONS_NOT_JSON),
    "deep details": (with_details(nested("[", "]", MILLION)), reasons.ANNOTATIONS_NOT_JSON),
    "deep points": (
        drawn(f'{{"toolIndex":0,"points":{nested("[", "]", MILLION)}}}'),
        reasons.ANNOTATIONS_NOT_JSON,
    ),
    "deep value": (f'[{{"task":"T0","value":{nested("[", "]", MILLION)}}}]', reasons.ANNOTATIONS_NOT_JSON),
    "a bare NUL": (drawn(TINY).replace("T0", "T\0"), reasons.ANNOTATIONS_NOT_JSON),
    "many tiny marks": (drawn(*[TINY] * 30_000), reasons.TOO_MANY_MARKS),
    "many annotations of one mark": (
        "[" + ",".join([drawn(TINY)[1:-1]] * 20_000) + "]",
        reasons.TOO_MANY_MARKS,
    ),
    "a long task at many marks": (drawn(*[TINY] * 5_000, task="T" * MILLION), reasons.ANNOTATIONS_NOT_A_LIST),
    "a long answer named ten thousand times": (answered(1, 10_000, "a" * MILLION), reasons.DETAILS_TOO_LONG),
    "a long answer at every mark": (answered(reasons.MOST_MARKS, 1, "a" * 10_000), reasons.DETAILS_TOO_LONG),
    "long details": (with_details(json.dumps(["a" * MILLION])), reasons.DETAILS_TOO_LONG),
}
REJECTED_MARKS = {
    "a hundred thousand points too many": (
        f'{{"toolIndex":0,"pathX":[{",".join("1" * MANY)}],"pathY":[{",".join("2" * MANY)}]}}',
        reasons.TOO_MANY_POINTS,
    ),
    "as many as objects": (
        '{"toolIndex":0,"points":[' + ",".join(['{"x":1,"y":2}'] * MANY) + "]}",
        reasons.TOO_MANY_POINTS,
    ),
    "a coordinate of a million digits": (
        TINY.replace("[0,1,1]", f"[{'9' * MILLION},1,1]"),
        reasons.COORDINATE_NOT_FINITE,
    ),
    "1e308": (TINY.replace("[0,1,1]", "[1e308,1,1]"), reasons.COORDINATE_TOO_LARGE),
    "1e400": (TINY.replace("[0,1,1]", "[-1e400,1,1]"), reasons.COORDINATE_NOT_FINITE),
    "a tool of ten thousand digits": (TINY.replace(":0", f":{'9' * 10_000}"), reasons.TOOL_MISSING),
    "a frame of ten thousand digits": (f'{TINY[:-1]},"frame":{"9" * 10_000}.0}}', reasons.FRAME_INVALID),
}
TAKEN_CELLS = {
    "minus zero": drawn(TINY.replace("[0,1,1]", "[-0,1,1]")),
    "digits beyond any double": drawn(TINY.replace("[0,1,1]", f"[0.{'1' * MILLION},1,1]")),
    "tiny": drawn(TINY.replace("[0,1,1]", "[1e-400,1,1]")),
    "a huge integer as details": with_details("9" * 10_000),
    "a huge markIndex": f'{drawn(TINY)[:-1]},{{"task":"T0","markIndex":{"9" * 10_000},"value":[]}}]',
    "an escaped NUL": with_details('["\\u0000"]'),
    "half a surrogate pair": with_details('["\\ud800"]'),
    "keys that come twice": drawn(TINY.replace('"toolIndex":0', '"toolIndex":"x","pathX":3,"toolIndex":0')),
    "a formula": with_details("""["=cmd|' /C calc'!A0"]"""),
    "a great many answers": answered(reasons.MOST_MARKS, 1, 1),
    "as many marks as may be": drawn(*[TINY] * reasons.MOST_MARKS),
    "as many points as may be": drawn(
        f'{{"toolIndex":0,"pathX":[{",".join("1" * reasons.MOST_POINTS)}],'
        f'"pathY":[{",".join("2" * reasons.MOST_POINTS)}]}}'
    ),
}


@pytest.fixture(params=["automatic", "listed"])
def decode_in_bounds(request):
    """Decode a cell between two valid ones; fail if that takes too long or too much memory."""
    tasks = () if request.param == "automatic" else (DrawingTask("T0"),)
    # Thousands of copies of a mark are a simple long cell.
    settings = Settings(drawing_tasks=tasks, duplicate_marks="keep")

    def decode(text):
        started = time.process_time()
        decoded = decode_annotations([drawn(TINY), text, drawn(TINY)], settings)
        assert time.process_time() - started < 10
        tracemalloc.start()
        try:
            decode_annotations([text], settings)
            # A few hundred bytes for each of the smallest JSON values.
            assert tracemalloc.get_traced_memory()[1] < 10_000_000 + 150 * len(text)
        finally:
            tracemalloc.stop()
        assert {0, 2} <= {*decoded.marks.row}
        assert all(len(detail) <= 120 for detail in decoded.rejects.detail)
        return decoded

    return decode


@pytest.mark.slow
@pytest.mark.parametrize("name", REJECTED_CELLS)
def test_a_hostile_cell_is_rejected(name, decode_in_bounds):
    text, reason = REJECTED_CELLS[name]
    decoded = decode_in_bounds(text)
    assert decoded.marks.row.tolist() == [0, 2]
    assert decoded.rejects.row.tolist() == [1]
    assert decoded.rejects.mark_index.tolist() == [-1]
    assert decoded.rejects.reason == [reason]


@pytest.mark.slow
@pytest.mark.parametrize("name", REJECTED_MARKS)
def test_only_the_hostile_mark_is_rejected(name, decode_in_bounds):
    mark, reason = REJECTED_MARKS[name]
    decoded = decode_in_bounds(drawn(TINY, mark, TINY))
    assert decoded.marks.row.tolist() == [0, 1, 1, 2]
    assert list(zip(decoded.rejects.mark_index, decoded.rejects.reason, strict=True)) == [(1, reason)]


@pytest.mark.parametrize("name", TAKEN_CELLS)
def test_harmless_cells_that_look_hostile_are_used(name, decode_in_bounds):
    decoded = decode_in_bounds(TAKEN_CELLS[name])
    assert 1 in decoded.marks.row
    assert decoded.rejects.reason == []
    for details in decoded.marks.details:
        (details or "").encode("utf-8")


@pytest.mark.parametrize("zero", ["-0", "-0.0", "-0e5", "-1e-400"])
@pytest.mark.parametrize("general", ["", '{"toolIndex":"x","pathX":[1]},'])
def test_minus_zero_becomes_zero(zero, general):
    paths = drawn(general + TINY.replace("[0,1,1]", f"[{zero},1,1]"))
    points = drawn(general + f'{{"toolIndex":0,"points":[{{"x":{zero},"y":{zero}}}]}}')
    decoded = decode_annotations([paths, points], Settings())
    assert [str(x) for x in decoded.marks.x] == ["0.0", "1.0", "1.0", "0.0"]


def test_bytes_that_are_not_utf8_are_rejected():
    for good in (b"task", b"T0", b"toolIndex", b"none"):
        text = drawn(TINY[:-1] + ',"none":"none"}').encode().replace(good, good + b"\xff", 1)
        decoded = decode_annotations([text], Settings())
        assert decoded.rejects.reason == [reasons.ANNOTATIONS_NOT_JSON]


@pytest.mark.slow
def test_a_run_over_all_hostile_cells_rejects_each(tmp_path):
    rejected_marks = {name: (drawn(mark), reason) for name, (mark, reason) in REJECTED_MARKS.items()}
    cells = [drawing(square(shift, 0)) for shift in range(4)]
    cells += [text for text, _ in (*REJECTED_CELLS.values(), *rejected_marks.values())]
    cells += TAKEN_CELLS.values()
    # One subject for each: the geometry of thousands of overlapping marks is another matter.
    rows = [export_row(number, text, subject_ids=number) for number, text in enumerate(cells)]
    rows[0]["user_name"] = "=cmd|' /C calc'!A0"
    rows[1]["user_name"] = "a" * MILLION
    started = time.process_time()
    assert check_run(export_text(rows).encode(), len(rows), {"workflow_id": 7}, tmp_path) == ""
    assert time.process_time() - started < 120  # the first run ever compiles the kernels
    counts = manifest_of(tmp_path / "out").accounting.to_dict()
    expected = Counter(reason for _, reason in (*REJECTED_CELLS.values(), *REJECTED_MARKS.values()))
    assert {reason: n for reason, n in counts["reasons"].items() if reason in expected} == expected
    assert counts["rows_rejected"] == len(REJECTED_CELLS)
