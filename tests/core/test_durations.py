"""Ages such as `30d`: what is read, what is refused, and how they are written."""

from datetime import timedelta
from typing import Any

import pytest

from polyframe.core.durations import format_duration, parse_duration
from polyframe.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", timedelta(days=30)),
        ("26h", timedelta(hours=26)),
        ("90m", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
        ("2w", timedelta(days=14)),
        ("1.5h", timedelta(minutes=90)),
        ("1d12h", timedelta(hours=36)),
        (" 1D 12 H ", timedelta(hours=36)),
        ("0d", timedelta(0)),
        (timedelta(hours=3), timedelta(hours=3)),
    ],
)
def test_durations(text: str | timedelta, expected: timedelta) -> None:
    assert parse_duration(text, "--keep") == expected


@pytest.mark.parametrize(
    "value", ["", " ", "30", "d", "-1d", "1 month", "1y", "30 days", "1d-12h", "d1", "٣d", "nan d", 30, None]
)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^--keep must be a duration such as 30d, 26h or 90m \(got "):
        parse_duration(value, "--keep")


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(UsageError, match="must be a duration"):
        parse_duration(timedelta(seconds=-1), "keep")


@pytest.mark.parametrize("text", ["999999999999d", "9" * 400 + "d"])
def test_too_long(text: str) -> None:
    with pytest.raises(UsageError, match="is longer than any calendar"):
        parse_duration(text, "--keep")


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(minutes=5, seconds=3), "5m 3s"),
        (timedelta(hours=26), "1d 2h"),
        (timedelta(hours=26, minutes=59), "1d 2h"),
        (timedelta(days=45), "45d"),
        (timedelta(days=1, minutes=1), "1d"),
    ],
)
def test_formatted(duration: timedelta, expected: str) -> None:
    assert format_duration(duration) == expected
    assert parse_duration(expected, "--keep") <= max(duration, timedelta(0))
