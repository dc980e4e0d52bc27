from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.runs import offsets_of, positions_of, runs_of_equal

counts = st.lists(st.integers(0, 4), max_size=8)


@pytest.mark.parametrize(
    ("given_counts", "offsets"),
    [([2, 0, 3], [0, 2, 2, 5]), ([], [0]), (np.array([True, False, True]), [0, 1, 1, 2])],
)
def test_offsets(given_counts, offsets):
    found = offsets_of(given_counts)
    assert found.tolist() == offsets
    assert found.dtype == np.int64


@given(counts, st.data())
def test_positions_gather_the_runs(lengths, data):
    starts = data.draw(st.lists(st.integers(0, 9), min_size=len(lengths), max_size=len(lengths)))
    found = positions_of(starts, lengths)
    assert found.tolist() == [s + k for s, n in zip(starts, lengths, strict=True) for k in range(n)]
    assert found.dtype == np.int64
    assert positions_of(0, lengths).tolist() == [k for n in lengths for k in range(n)]


@given(st.lists(st.integers(0, 2), max_size=9) | st.lists(st.sampled_from("ab"), max_size=9))
def test_runs_of_equal_neighbours(values):
    found = runs_of_equal(values)
    assert np.diff(found).tolist() == [len(list(run)) for _, run in groupby(values)]
    assert found[0] == 0
    assert found.dtype == np.int64
