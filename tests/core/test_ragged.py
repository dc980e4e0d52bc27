"""Ragged arrays, and list columns as flat arrays and back."""

import subprocess
import sys
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.ragged import (
    cut_by_work,
    flatten,
    list_column,
    nested_list_column,
    offsets_of,
    positions_of,
    runs_of_equal,
    string_column,
    string_parts,
)

COUNTS = st.lists(st.integers(0, 4), max_size=8)
LISTS = st.lists(st.lists(st.floats(allow_nan=False), max_size=4), max_size=6)


@pytest.mark.parametrize(
    ("counts", "offsets"),
    [([2, 0, 3], [0, 2, 2, 5]), ([], [0]), (np.array([True, False, True]), [0, 1, 1, 2])],
)
def test_offsets(counts: Any, offsets: list[int]) -> None:
    result = offsets_of(counts)
    assert result.tolist() == offsets
    assert result.dtype == np.int64


@given(COUNTS, st.data())
def test_positions_gather_the_rows(lengths: list[int], data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, 9), min_size=len(lengths), max_size=len(lengths)))
    result = positions_of(starts, lengths)
    assert result.tolist() == [s + k for s, n in zip(starts, lengths, strict=True) for k in range(n)]
    assert result.dtype == np.int64
    assert positions_of(0, lengths).tolist() == [k for n in lengths for k in range(n)]


@given(st.lists(st.integers(0, 20)), st.integers(0, 40))
def test_blocks_of_bounded_work(work: list[int], most: int) -> None:
    bounds = cut_by_work(np.array(work, dtype=np.int64), most)
    assert (bounds[0], bounds[-1]) == (0, len(work))
    blocks = [work[low:high] for low, high in pairwise(bounds)]
    assert [one for block in blocks for one in block] == work
    # Rows without work need no block of their own.
    assert all(sum(block) <= most or sum(one > 0 for one in block) == 1 for block in blocks)
    # No cut is needless.
    assert all(sum(one) + two[0] > most for one, two in pairwise(blocks))


@given(st.lists(st.integers(0, 2), max_size=9) | st.lists(st.sampled_from("ab"), max_size=9))
def test_runs_of_equal_neighbours(values: list[int] | list[str]) -> None:
    result = runs_of_equal(values)
    assert np.diff(result).tolist() == [len(list(run)) for _, run in groupby(values)]
    assert result[0] == 0
    assert result.dtype == np.int64


@given(LISTS, st.integers(0, 3))
def test_there_and_back(lists: list[list[float]], first: int) -> None:
    column = pl.Series("x", lists, pl.List(pl.Float64))[first:]
    values, offsets = flatten(column)
    assert list_column("x", values, offsets).equals(column)
    assert [values[a:b].tolist() for a, b in pairwise(offsets)] == lists[first:]


@given(st.lists(LISTS, max_size=4))
def test_lists_of_lists(nested: list[list[list[float]]]) -> None:
    inner = [numbers for lists in nested for numbers in lists]
    values = np.array([number for numbers in inner for number in numbers], np.float64)
    column = nested_list_column(
        "x",
        values,
        offsets_of([len(numbers) for numbers in inner]),
        offsets_of([len(lists) for lists in nested]),
    )
    assert column.to_list() == nested
    assert column.dtype == pl.List(pl.List(pl.Float64))


def test_missing_numbers_are_nan() -> None:
    values, _ = flatten(pl.Series([[1.0, None], [2.0]]))
    assert values.tolist() == pytest.approx([1, np.nan, 2], nan_ok=True)


def test_pandas_is_not_imported_even_if_installed() -> None:
    code = (
        "import sys, numpy as np; from polyframe.core.ragged import flatten, list_column;"
        "flatten(list_column('x', np.zeros(3), np.array([0, 1, 3])));"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@given(st.lists(st.text(max_size=4), max_size=6), st.integers(0, 3))
def test_strings_there_and_back(strings: list[str], first: int) -> None:
    column = pl.Series(strings, dtype=pl.String)[first:]
    text, offsets = string_parts(column)
    assert [text[a:b].tobytes().decode() for a, b in pairwise(offsets)] == strings[first:]
    assert string_column(text, offsets).equals(column)
