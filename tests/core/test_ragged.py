"""List columns as flat arrays, and back."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core import ragged
from polyframe.core.runs import offsets_of

LISTS = st.lists(st.lists(st.floats(allow_nan=False), max_size=4), max_size=6)


@given(LISTS, st.integers(0, 3))
def test_there_and_back(lists: list[list[float]], first: int) -> None:
    column = pl.Series("x", lists, pl.List(pl.Float64))[first:]
    values, offsets = ragged.flat(column)
    assert ragged.list_column("x", values, offsets).equals(column)
    assert [values[a:b].tolist() for a, b in pairwise(offsets)] == lists[first:]


@given(st.lists(LISTS, max_size=4))
def test_lists_of_lists(nested: list[list[list[float]]]) -> None:
    inner = [numbers for lists in nested for numbers in lists]
    values = np.array([number for numbers in inner for number in numbers], np.float64)
    column = ragged.nested_list_column(
        "x",
        values,
        offsets_of([len(numbers) for numbers in inner]),
        offsets_of([len(lists) for lists in nested]),
    )
    assert column.to_list() == nested
    assert column.dtype == pl.List(pl.List(pl.Float64))


def test_missing_numbers_are_nan() -> None:
    values, _ = ragged.flat(pl.Series([[1.0, None], [2.0]]))
    assert values.tolist() == pytest.approx([1, np.nan, 2], nan_ok=True)


def test_pandas_is_not_imported_where_it_is_installed() -> None:
    code = (
        "import sys, numpy as np; from polyframe.core import ragged;"
        "ragged.flat(ragged.list_column('x', np.zeros(3), np.array([0, 1, 3])));"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
