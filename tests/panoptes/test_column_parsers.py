"""Test the parsing of columns of text."""

import polars as pl
import pytest

from polyframe.panoptes.classifications import column_parsers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("12.0", 12),
        ("12.5", None),
        ("1e3", None),
        ("", None),
        ("9" * 30, None),
        ("-3", -3),
    ],
)
def test_integers(text: str, number: int | None) -> None:
    assert pl.DataFrame({"n": [text]}).select(column_parsers.integer("n")).item() == number


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-01-21 16:08:41 UTC", "2025-01-21 16:08:41.000000"),
        ("2025-01-21T16:08:41.123Z", "2025-01-21 16:08:41.123000"),
        ("2025-01-21 16:08:41", "2025-01-21 16:08:41.000000"),
        ("2025-01-21 16:08:41 +02:00", "2025-01-21 14:08:41.000000"),
        ("2025-01-21T16:08:41-0330", "2025-01-21 19:38:41.000000"),
        ("yesterday", None),
        ("2025-13-21 16:08:41 UTC", None),
    ],
)
def test_times(text: str, time: str | None) -> None:
    read = pl.DataFrame({"t": [text]}).select(column_parsers.timestamp("t"))["t"]
    assert read.dt.strftime("%Y-%m-%d %H:%M:%S%.6f").to_list() == [time]
    assert read.dtype == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("text", "truth"), [("true", True), ("T", True), ("0", False), ("", None), ("maybe", None)]
)
def test_booleans(text: str, truth: bool | None) -> None:
    assert pl.DataFrame({"b": [text]}).select(column_parsers.boolean("b")).item() is truth
