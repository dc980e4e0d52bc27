"""The census of an export: its counts, and hashes that change with the rows."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import ROOT, drawing, export_row, export_text, square
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.panoptes.classifications.census import take_census, used_subjects
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.sources import open_sources
from polyframe.panoptes.classifications.version_selection import Selection

Row = dict[str, Any]

READ = [name for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata")]

#: Similar cells, so that rows have much in common.
cells = (
    st.none()
    | st.sampled_from(["1", "2", "12", "1.0", " 1", "a", "A", "null", "é", "\ufffd", "[]"])
    | st.text(max_size=3)
)
rows = st.lists(st.fixed_dictionaries(dict.fromkeys(READ, cells)), min_size=1, max_size=6)


def frame_of(export_rows: list[Row]) -> pl.LazyFrame:
    schema = {"source": pl.UInt16, "row": pl.UInt32, **dict.fromkeys([*REQUIRED, *OPTIONAL], pl.String)}
    full = [
        {"source": 0, "row": number, "workflow_name": None, "metadata": None} | row
        for number, row in enumerate(export_rows, 1)
    ]
    return pl.DataFrame(full, schema=schema).lazy()


def total(column: str, export_rows: list[Row]) -> int:
    """Return the hash of all rows."""
    return sum(take_census(frame_of(export_rows))[column].to_list()) % 2**64


def as_set(export_rows: list[Row]) -> list[str]:
    return sorted(map(repr, export_rows))


@settings(max_examples=100, deadline=None)
@given(export_rows=rows, data=st.data())
def test_the_hash_changes_with_any_change(export_rows: list[Row], data: Any) -> None:
    """Change a cell, exchange two cells, drop a row or repeat one."""
    rows_and_columns = st.tuples(st.integers(0, len(export_rows) - 1), st.sampled_from(READ))
    (i, a), (j, b) = data.draw(rows_and_columns), data.draw(rows_and_columns)
    other = [dict(row) for row in export_rows]
    change = data.draw(st.sampled_from(["cell", "swap", "drop", "again"]))
    if change == "cell":
        other[i][a] = data.draw(cells)
    elif change == "swap":
        other[i][a], other[j][b] = other[j][b], other[i][a]
    elif change == "drop":
        del other[i]
    else:
        other.append(other[i])
    same = as_set(export_rows) == as_set(other)
    assert (total("content", export_rows) == total("content", other)) == same


@settings(max_examples=50, deadline=None)
@given(export_rows=rows, data=st.data())
def test_only_places_depend_on_the_order_of_rows(export_rows: list[Row], data: Any) -> None:
    other = data.draw(st.permutations(export_rows))
    assert total("content", export_rows) == total("content", other)
    assert (total("places", export_rows) == total("places", other)) == (export_rows == other)


@pytest.mark.parametrize("name", READ)
def test_the_hash_depends_on_every_column_that_is_read(name: str) -> None:
    row = dict.fromkeys(READ, "1")
    hashes = {total("content", [row | {name: cell}]) for cell in ("1", "2", None, "", " 1", "1.0")}
    assert len(hashes) == 6


@pytest.mark.parametrize("one", READ)
def test_the_hash_depends_on_the_column_of_a_cell(one: str) -> None:
    for other in READ:
        if other != one:
            row = dict.fromkeys(READ, "1")
            swapped = [row | {one: "2"}, row | {other: "2"}]
            assert total("content", [swapped[0]]) != total("content", [swapped[1]])


def test_the_hash_ignores_columns_that_are_not_read() -> None:
    row = dict.fromkeys(READ, "1")
    assert total("content", [row]) == total("content", [row | {"workflow_name": "x"}])


SIZE = '"subject_dimensions": [{"naturalWidth": %d, "naturalHeight": 480}]'


def test_the_hash_depends_only_on_metadata_in_tables() -> None:
    visitor = dict.fromkeys(READ, "1") | {"user_name": "not-logged-in-1"}

    def of(metadata: str, **cells: str) -> int:
        return total("content", [visitor | {"metadata": metadata} | cells])

    plain = of('{"session": "a"}')
    assert of('{"session": "b"}') != plain != of("{}")
    assert of('{"utc_offset": "0", "session":"a", "x": {"session": "b"}}') == plain
    assert of('{"session": "a", %s}' % (SIZE % 640)) != plain != of('{"session": "a", %s}' % (SIZE % 641))
    # Tables contain the sessions of visitors only.
    assert of('{"session": "a"}', user_name="ann") == of('{"session": "b"}', user_name="ann")
    by_name = {
        take_census(frame_of([visitor | {"metadata": f'{{"session": "{session}"}}'}]), "name")[
            "content"
        ].item()
        for session in "ab"
    }
    assert len(by_name) == 1


def test_places_depend_on_file_and_row() -> None:
    row = dict.fromkeys(READ, "1")
    places = [("source", 1), ("row", 2), ("row", 1)]
    hashes = [total("places", [row | {name: value}]) for name, value in places]
    assert len(set(hashes)) == 3
    assert hashes[2] == total("places", [row])


def subjects_of(census: pl.DataFrame) -> pl.DataFrame:
    return used_subjects(census, Selection(7, ("3.1",), (), 0, 0, ()))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([None, "5", "6", " 5", "5.0", "x"]), min_size=1, max_size=12))
def test_hashes_of_a_subject_are_sums_that_wrap(ids: list[str | None]) -> None:
    row = dict.fromkeys(READ, "1") | {"workflow_id": "7", "workflow_version": "3.1"}
    export_rows = [row | {"subject_ids": subject, "user_id": str(k)} for k, subject in enumerate(ids)]
    subjects = subjects_of(take_census(frame_of(export_rows)))
    number = {None: None, "x": None, "5": 5, " 5": 5, "5.0": 5, "6": 6}
    expected: dict[int | None, int] = {}
    for given_row, subject in zip(export_rows, ids, strict=True):
        one = total("content", [given_row])
        expected[number[subject]] = (expected.get(number[subject], 0) + one) % 2**64
    assert dict(subjects.select("subject_id", "content").rows()) == expected
    # Missing ones first, then by id.
    assert subjects["subject_id"].to_list() == sorted(expected, key=lambda s: (s is not None, s))


def test_rows_of_other_workflows_and_versions_do_not_count() -> None:
    row = dict.fromkeys(READ, "1") | {"workflow_id": "7", "workflow_version": "3.1", "subject_ids": "5"}
    alone = subjects_of(take_census(frame_of([row])))
    others = [row, row | {"workflow_id": "8"}, row | {"workflow_version": "3.0"}]
    assert subjects_of(take_census(frame_of(others))).equals(alone)
    # Rejected rows do.
    for odd in ({"workflow_id": "x"}, {"workflow_version": None}):
        assert not subjects_of(take_census(frame_of([row, row | odd]))).equals(alone)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("census") / "export.csv"
    export_rows = [
        export_row(
            k,
            drawing(square(k % 7, 0)) + " " * (k % 50),
            subject_ids=k % 40,
            user_name=None if k % 9 else "é",
        )
        for k in range(3000)
    ]
    path.write_text(export_text(export_rows), encoding="utf-8")
    return path


CENSUS = """
import sys
from pathlib import Path
from polyframe.panoptes.classifications.census import take_census
from polyframe.panoptes.classifications.sources import open_sources
census = take_census(open_sources([Path(sys.argv[1])], Path(sys.argv[2])).rows)
print(census.select("subject_id", "rows", "bytes", "content", "places").rows())
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_every_process_gives_the_same_census(threads: str, export: Path, tmp_path: Path) -> None:
    census = take_census(open_sources([export], tmp_path).rows)
    ours = census.select("subject_id", "rows", "bytes", "content", "places").rows()
    environment = os.environ | {
        "POLARS_MAX_THREADS": threads,
        "PYTHONHASHSEED": threads,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", CENSUS, export, tmp_path]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    assert theirs.strip() == str(ours)
    assert census["rows"].sum() == 3000
