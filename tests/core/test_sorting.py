"""Test fast orders against those of NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.sorting import distinct, is_among, order_in_groups, stable_order


@given(st.lists(st.one_of(st.integers(0, 5), st.integers(0, 2**62)), max_size=40))
def test_stable_order(numbers):
    keys = np.array(numbers, dtype=np.int64)
    assert np.array_equal(stable_order(keys), np.argsort(keys, kind="stable"))


@given(*[st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=20)] * 2)
def test_distinct_values_and_which_are_among_them(numbers, others):
    keys, values = np.array(numbers, dtype=np.int64), np.array(others, dtype=np.int64)
    assert np.array_equal(distinct(keys), np.unique(keys))
    assert np.array_equal(is_among(values, np.sort(keys)), np.isin(values, keys))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0, 0.5, 0.5 + 2e-16, 1]))),
    st.integers(0, 10**9 - 4),
)
def test_order_in_groups(rows, offset):
    group, quarter, slope = np.array([*rows, (0, 0, 0)], dtype=np.float64).T
    group, quarter = group.astype(np.int64) + offset * (group > 1), quarter.astype(np.int64)
    order = order_in_groups(group % 10**6, (slope, quarter), (quarter + slope) / 4)
    assert np.array_equal(order, np.lexsort((slope, quarter, group % 10**6)))


def test_order_in_groups_of_nothing():
    assert order_in_groups(np.empty(0, dtype=np.int64), (np.empty(0),), np.empty(0)).tolist() == []
