"""Levels are evenly spaced, by the definition in exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.geometry.level_selection import evenly_spaced_levels


@given(st.lists(st.integers(0, 700), max_size=5), st.integers(1, 300))
def test_levels_are_those_of_the_definition(counts: list[int], most: int) -> None:
    levels, offsets = evenly_spaced_levels(counts, most)
    assert len(offsets) == len(counts) + 1
    for n, start, end in zip(counts, offsets, offsets[1:], strict=False):
        expected = list(range(1, n + 1))
        if n > most:
            step = Fraction(n - 1, max(most - 1, 1))
            expected = [1 + math.floor(i * step + Fraction(1, 2)) for i in range(most)]
        assert levels[start:end].tolist() == expected


@pytest.mark.parametrize(("n", "most"), [(257, 256), (5000, 256), (100_000, 256), (10, 2)])
def test_first_and_last_are_among_them(n: int, most: int) -> None:
    levels, _ = evenly_spaced_levels([n], most)
    assert (levels[0], levels[-1], len(levels)) == (1, n, most)
    gaps = np.diff(levels)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1
