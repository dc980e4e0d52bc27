"""The census of an export: what it counts, and hashes that notice every change."""

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

from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.selection import Selection, take_census, used_subjects
from polyframe.panoptes.classifications.sources import open_sources

Row = dict[str, Any]

READ = [name for name in (*REQUIRED, *OPTIONAL) if name not in ("workflow_name", "metadata")]

#: Cells that look alike, so that rows have much in common.
cells = (
    st.none()
    | st.sampled_from(["1", "2", "12", "1.0", " 1", "a", "A", "null", "é", "\ufffd", "[]"])
    | st.text(max_size=3)
)
rows = st.lists(st.fixed_dictionaries(dict.fromkeys(READ, cells)), min_size=1, max_size=6)


def frame_of(given_rows: list[Row]) -> pl.LazyFrame:
    schema = {"source": pl.UInt16, "row": pl.UInt32, **dict.fromkeys([*REQUIRED, *OPTIONAL], pl.String)}
    full = [
        {"source": 0, "row": number, "workflow_name": None, "metadata": None} | row
        for number, row in enumerate(given_rows, 1)
    ]
    return pl.DataFrame(full, schema=schema).lazy()


def total(column: str, given_rows: list[Row]) -> int:
    """The hash of all rows together."""
    return sum(take_census(frame_of(given_rows))[column].to_list()) % 2**64


def as_set(given_rows: list[Row]) -> list[str]:
    return sorted(map(repr, given_rows))


@settings(max_examples=100, deadline=None)
@given(given_rows=rows, data=st.data())
def test_the_hash_changes_with_any_change(given_rows: list[Row], data: Any) -> None:
    """One cell, two cells that change places, a row that goes, a row that comes again."""
    rows_and_columns = st.tuples(st.integers(0, len(given_rows) - 1), st.sampled_from(READ))
    (i, a), (j, b) = data.draw(rows_and_columns), data.draw(rows_and_columns)
    other = [dict(row) for row in given_rows]
    change = data.draw(st.sampled_from(["cell", "swap", "drop", "again"]))
    if change == "cell":
        other[i][a] = data.draw(cells)
    elif change == "swap":
        other[i][a], other[j][b] = other[j][b], other[i][a]
    elif change == "drop":
        del other[i]
    else:
        other.append(other[i])
    same = as_set(given_rows) == as_set(other)
    assert (total("content", given_rows) == total("content", other)) == same


@settings(max_examples=50, deadline=None)
@given(given_rows=rows, data=st.data())
def test_the_order_of_rows_matters_to_places_alone(given_rows: list[Row], data: Any) -> None:
    other = data.draw(st.permutations(given_rows))
    assert total("content", given_rows) == total("content", other)
    assert (total("places", given_rows) == total("places", other)) == (given_rows == other)


@pytest.mark.parametrize("name", READ)
def test_every_column_that_is_read_counts(name: str) -> None:
    row = dict.fromkeys(READ, "1")
    found = {total("content", [row | {name: cell}]) for cell in ("1", "2", None, "", " 1", "1.0")}
    assert len(found) == 6


@pytest.mark.parametrize("one", READ)
def test_cells_that_change_columns_are_noticed(one: str) -> None:
    for other in READ:
        if other != one:
            row = dict.fromkeys(READ, "1")
            swapped = [row | {one: "2"}, row | {other: "2"}]
            assert total("content", [swapped[0]]) != total("content", [swapped[1]])


def test_a_column_that_no_run_reads_does_not_count() -> None:
    row = dict.fromkeys(READ, "1")
    assert total("content", [row]) == total("content", [row | {"workflow_name": "x"}])


SIZE = '"subject_dimensions": [{"naturalWidth": %d, "naturalHeight": 480}]'


def test_of_the_metadata_only_what_a_table_shows_counts() -> None:
    visitor = dict.fromkeys(READ, "1") | {"user_name": "not-logged-in-1"}

    def of(metadata: str, **cells: str) -> int:
        return total("content", [visitor | {"metadata": metadata} | cells])

    plain = of('{"session": "a"}')
    assert of('{"session": "b"}') != plain != of("{}")
    assert of('{"utc_offset": "0", "session":"a", "x": {"session": "b"}}') == plain
    assert of('{"session": "a", %s}' % (SIZE % 640)) != plain != of('{"session": "a", %s}' % (SIZE % 641))
    # Of others than visitors no table shows the session.
    assert of('{"session": "a"}', user_name="ann") == of('{"session": "b"}', user_name="ann")
    by_name = {
        take_census(frame_of([visitor | {"metadata": f'{{"session": "{session}"}}'}]), "name")[
            "content"
        ].item()
        for session in "ab"
    }
    assert len(by_name) == 1


def test_places_go_by_file_and_number() -> None:
    row = dict.fromkeys(READ, "1")
    places = [("source", 1), ("row", 2), ("row", 1)]
    found = [total("places", [row | {name: value}]) for name, value in places]
    assert len(set(found)) == 3
    assert found[2] == total("places", [row])


def subjects_of(census: pl.DataFrame) -> pl.DataFrame:
    return used_subjects(census, Selection(7, ("3.1",), (), 0, 0, ()))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([None, "5", "6", " 5", "5.0", "x"]), min_size=1, max_size=12))
def test_hashes_of_a_subject_are_sums_that_wrap(ids: list[str | None]) -> None:
    row = dict.fromkeys(READ, "1") | {"workflow_id": "7", "workflow_version": "3.1"}
    given_rows = [row | {"subject_ids": subject, "user_id": str(k)} for k, subject in enumerate(ids)]
    found = subjects_of(take_census(frame_of(given_rows)))
    number = {None: None, "x": None, "5": 5, " 5": 5, "5.0": 5, "6": 6}
    expected: dict[int | None, int] = {}
    for given_row, subject in zip(given_rows, ids, strict=True):
        one = total("content", [given_row])
        expected[number[subject]] = (expected.get(number[subject], 0) + one) % 2**64
    assert dict(found.select("subject_id", "content").rows()) == expected
    # Missing first, then by number.
    assert found["subject_id"].to_list() == sorted(expected, key=lambda s: (s is not None, s))


def test_rows_of_other_workflows_and_versions_do_not_count() -> None:
    row = dict.fromkeys(READ, "1") | {"workflow_id": "7", "workflow_version": "3.1", "subject_ids": "5"}
    alone = subjects_of(take_census(frame_of([row])))
    others = [row, row | {"workflow_id": "8"}, row | {"workflow_version": "3.0"}]
    assert subjects_of(take_census(frame_of(others))).equals(alone)
    # These are rejected, so they do.
    for odd in ({"workflow_id": "x"}, {"workflow_version": None}):
        assert not subjects_of(take_census(frame_of([row, row | odd]))).equals(alone)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("census") / "export.csv"
    made = [
        export_row(
            k,
            drawing(square(k % 7, 0)) + " " * (k % 50),
            subject_ids=k % 40,
            user_name=None if k % 9 else "é",
        )
        for k in range(3000)
    ]
    path.write_text(export_text(made), encoding="utf-8")
    return path


CENSUS = """
import sys
from pathlib import Path
from polyframe.panoptes.classifications.selection import take_census
from polyframe.panoptes.classifications.sources import open_sources
census = take_census(open_sources([Path(sys.argv[1])], Path(sys.argv[2])).rows)
print(census.select("subject_id", "rows", "bytes", "content", "places").rows())
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_every_process_finds_the_same(threads: str, export: Path, tmp_path: Path) -> None:
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
