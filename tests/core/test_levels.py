"""Check levels as counts and as shares, and the notes about clusters without a level."""

from decimal import ROUND_CEILING, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.errors import UsageError
from polyframe.core.levels import MissingLevels, parse_level


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, [3, 3, 3, 3, 3]),
        ("3", [3, 3, 3, 3, 3]),
        (np.int64(2), [2, 2, 2, 2, 2]),
        ("50%", [1, 1, 2, 2, 5]),
        ("50 %", [1, 1, 2, 2, 5]),
        (" 50.0% ", [1, 1, 2, 2, 5]),
        ("66.7%", [1, 2, 3, 3, 7]),
        ("66.6%", [1, 2, 2, 3, 7]),
        ("100%", [1, 2, 3, 4, 10]),
        ("0%", [1, 1, 1, 1, 1]),
        (".5%", [1, 1, 1, 1, 1]),
    ],
)
def test_levels_of_clusters(value: Any, expected: list[int]) -> None:
    level = parse_level(value)
    assert level.numbers([1, 2, 3, 4, 10]) == expected
    assert [level.number(marks) for marks in (1, 2, 3, 4, 10)] == expected
    assert str(level) == f"level {str(value).strip()}"


def test_shares_are_not_rounded_to_binary_fractions() -> None:
    # 0.07 * 100 is 7.000000000000001, and 0.29 * 100 is 28.999999999999996.
    assert [parse_level(f"{share}%").number(100) for share in (7, 14, 28, 29, 55, 57)] == [
        7,
        14,
        28,
        29,
        55,
        57,
    ]
    assert parse_level("33.33333333333333333%").number(3) == 1
    assert parse_level("33.33333333333333334%").number(3) == 2


@given(st.integers(0, 100_000), st.integers(1, 10_000))
def test_shares_are_rounded_up_in_decimal_arithmetic(thousandths: int, marks: int) -> None:
    share = Decimal(thousandths) / 1000
    expected = max(1, int((share * marks / 100).to_integral_value(ROUND_CEILING)))
    assert parse_level(f"{share:f}%").number(marks) == expected


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        True,
        2.0,
        0.5,
        None,
        "",
        "0",
        "-3",
        "+3",
        "3.5",
        "half",
        "%",
        ".%",
        "101%",
        "100.0001%",
        "-5%",
        "5%%",
        "1e1%",
        "٣",
        "nan%",
        [3],
        b"3",
        "9" * 5000,
        "9" * 5000 + "%",
    ],
)
def test_other_values_are_errors(value: Any) -> None:
    with pytest.raises(UsageError) as error:
        parse_level(value)
    message = str(error.value)
    assert "is neither a number of marks from 1, such as 3, nor a share of the marks up to 100%" in message
    assert message.startswith("level: ")
    assert len(message) < 300


def test_a_level_that_no_table_can_contain() -> None:
    assert parse_level(10**30).number(5) == 2**31 - 1


def test_clusters_without_a_level_are_counted_by_reason() -> None:
    missing = MissingLevels(parse_level("50%"))
    assert missing.look_up(3, 5, [1, 2, 3, 4, 5]) is None
    assert missing.notes() == []
    assert missing.look_up(3, 2, [1, 2]) == "have no level 50%"
    assert missing.look_up(6, 9, [1, 5, 9]) == "have level 50%, but it was not written (max_levels)"
    assert missing.look_up(1, 0, []) == "have no level 50%"
    assert missing.notes("of these subjects") == [
        "2 of 4 clusters of these subjects have no level 50%",
        "1 of 4 clusters of these subjects has level 50%, but it was not written (max_levels)",
    ]
