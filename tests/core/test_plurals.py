"""Test the singular and plural of words in messages."""

import pytest

from polyframe.core.plurals import agreeing, counted, plural


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (2, "more row", "2 more rows"),
        (1, "gold outline", "1 gold outline"),
        (1_204, "row", "1,204 rows"),
    ],
)
def test_counted(number: int, noun: str, expected: str) -> None:
    assert counted(number, noun) == expected
    assert expected.endswith(plural(number, noun))


@pytest.mark.parametrize(
    ("phrase", "singular"),
    [
        ("need more volunteers", "needs more volunteers"),
        ("have no area", "has no area"),
        ("are covered by smaller ones", "is covered by smaller ones"),
        ("do not say", "does not say"),
        ("were repaired", "was repaired"),
        ("cover no pixel", "covers no pixel"),
        ("wait", "waits"),
    ],
)
def test_agreeing(phrase: str, singular: str) -> None:
    assert agreeing(1, phrase) == singular
    assert agreeing(0, phrase) == agreeing(2, phrase) == phrase
