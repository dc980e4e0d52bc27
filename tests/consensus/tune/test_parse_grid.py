"""Values of `eps` and `min_samples` to compare: numbers, lists and ranges as people write them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.consensus.tune.parse_grid import grid_of
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("0.2:0.9:0.1", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
        ("0.1:1:0.3", (0.1, 0.4, 0.7, 1.0)),
        ("0.1:0.9:0.3", (0.1, 0.4, 0.7)),
        ("0.3,0.5", (0.3, 0.5)),
        (" 0.5 , .3,0.30 ", (0.3, 0.5)),
        ("0.5", (0.5,)),
        ("0.4:0.4:0.1", (0.4,)),
        ("0.2:0.4:0.1,0.35,5e-1", (0.2, 0.3, 0.35, 0.4, 0.5)),
        (0.5, (0.5,)),
        (1, (1.0,)),
        ([0.5, 0.3, 0.3], (0.3, 0.5)),
        (np.arange(0.1, 0.45, 0.1), (0.1, 0.2, 0.3, 0.4)),
        ([3 * 0.1], (0.3,)),
        (np.float32(0.25), (0.25,)),
        (None, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
    ],
)
def test_values_of_eps(argument, values) -> None:
    eps = grid_of(argument, 2).eps
    assert eps == values
    assert all(type(value) is float for value in eps)


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("2,3,4", (2, 3, 4)),
        ("2:5", (2, 3, 4, 5)),
        ("2:9:3", (2, 5, 8)),
        ("1", (1,)),
        (3, (3,)),
        ([4, 2], (2, 4)),
        (np.array([2, 3]), (2, 3)),
        (range(2, 4), (2, 3)),
        (None, (2, 3, 4)),
    ],
)
def test_values_of_min_samples(argument, values) -> None:
    assert grid_of(0.5, argument).min_samples == values


def test_settings_are_all_pairs_in_order() -> None:
    assert [
        (setting.eps, setting.min_samples)
        for setting in grid_of("0.3,0.5", "2,3").with_defaults(Settings()).combinations
    ] == [(0.3, 2), (0.3, 3), (0.5, 2), (0.5, 3)]


@pytest.mark.parametrize(
    ("eps", "message"),
    [
        ("0", "eps must be > 0 and <= 1 (got 0.0)"),
        ("1.2", "eps must be > 0 and <= 1 (got 1.2)"),
        ("-0.5", "eps must be > 0 and <= 1 (got -0.5)"),
        ("0:0.9:0.1", "eps must be > 0 and <= 1 (got 0.0)"),
        ("0.5:1.1:0.1", "eps must be > 0 and <= 1 (got 1.1)"),
        ("nan", "eps must be > 0 and <= 1 (got nan)"),
        ("inf", "eps must be > 0 and <= 1 (got inf)"),
        ("many", "eps: 'many' is not start:stop:step"),
        ("", "eps: '' is not"),
        ("0.3,,0.5", "eps: '' is not"),
        ("0.1:0.9", "eps: '0.1:0.9' is not start:stop:step"),
        ("0.1:0.9:0.1:3", "is not start:stop:step"),
        ("0.1:nan:0.1", "is not start:stop:step"),
        ("0.9:0.1:0.1", "ends before it begins"),
        ("0.1:0.9:0", "the step of '0.1:0.9:0' is not above 0"),
        ("0.1:0.9:-0.1", "is not above 0"),
        ("0.1:0.9:1e-99999", "is not above 0"),
        ("0.1:0.9:1e-9", "too many to compare (at most 1,000)"),
        ("0.001:0.9:0.001", "2,700 settings are too many"),
        ("0.1:0.9:1e-300", "too many"),
        ("0.1:0.1000000000001:1e-30", "too many"),
        ("snan", "eps must be > 0 and <= 1 (got nan)"),
        ("0.1:1e999999:0.1", "eps must be > 0 and <= 1 (got inf)"),
        ([], "eps: no value to try"),
        (["0.3"], "eps must be > 0 and <= 1 (got '0.3')"),
        ([None], "eps must be > 0 and <= 1 (got None)"),
        (True, "eps must be > 0 and <= 1 (got True)"),
        ([0.2, float("nan")], "eps must be > 0 and <= 1 (got nan)"),
    ],
)
def test_invalid_eps(eps, message: str) -> None:
    with pytest.raises(UsageError) as error:
        grid_of(eps)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("min_samples", "message"),
    [
        ("0", "min_samples must be an integer >= 1 (got 0)"),
        ("2.5", "min_samples must be an integer >= 1 (got '2.5')"),
        ("two", "min_samples: 'two' is not start:stop"),
        ("nan", "min_samples must be an integer >= 1 (got 'NaN')"),
        ("9" * 30, "min_samples must be an integer >= 1 (got "),
        (10**12, "is above 1,000,000,000"),
        ("1:2000", "too many"),
        ("5:2", "ends before it begins"),
        ([2.0], "min_samples must be an integer >= 1 (got 2.0)"),
        ([], "min_samples: no value to try"),
    ],
)
def test_invalid_min_samples(min_samples, message: str) -> None:
    with pytest.raises(UsageError) as error:
        grid_of(0.5, min_samples)
    assert message in str(error.value)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(1, 50))
def test_ranges_in_hundredths_are_exact(start: int, more: int, step: int) -> None:
    stop = min(start + more, 100)
    eps = grid_of(f"{start / 100}:{stop / 100}:{step / 100}", 2).eps
    assert eps == tuple(k / 100 for k in range(start, stop + 1, step))
