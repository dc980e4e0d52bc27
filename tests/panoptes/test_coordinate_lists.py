"""Lists of coordinates are read alike by compiled loops, by Polars and by Python."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.panoptes.annotations import coordinate_lists

Read = tuple[list[bool], list[int], list[float]]
#: Numbers at the limits of exact integers, of exact powers of ten, and of float64.
LIMITS = [
    "9007199254740992",
    "9007199254740993",
    "9007199254740993e-1",
    "1e22",
    "1e23",
    "8.5e-22",
    "1e-23",
    "0.1e23",
    "123456789012345678",
    "1234567890123456789",
    "9223372036854775808",
    "-0",
    "-0.0e5",
    "0e999",
    "1e999",
    "-1e999",
    "1e-400",
    "1e99999999999999999999",
    "4.9e-324",
    "1.7976931348623157e308",
    "2.2250738585072011e-308",
    "0.00000000000000000000000001",
    "100000000000000000000",
]
#: Anything that may be among numbers.
OTHER = st.text('-+.,0123456789eE{}":xy []é', max_size=12)


def read(lists: list[str], *, compiled: bool) -> Read:
    """Read lists out of one text, with other text between them."""
    parts = [part.encode() for part in lists]
    text, begins = b"x", []
    for part in parts:
        begins.append(len(text))
        text += part + b"9,1"
    ends = [begin + len(part) for begin, part in zip(begins, parts, strict=True)]
    function = coordinate_lists._read_compiled if compiled else coordinate_lists._read_lists
    is_usual, counts, numbers = function(
        np.frombuffer(text, np.uint8), np.array(begins), np.array(ends), np.array(["{" in p for p in lists])
    )
    return is_usual.tolist(), counts[is_usual].tolist(), numbers.tolist()


def random_numbers(count: int) -> list[str]:
    """Return numbers with parts of any length, as in JSON, and those that JavaScript writes."""
    rng = random.Random(5)

    def digits(most: int) -> str:
        return "".join(rng.choices("0123456789", k=rng.randint(1, most)))

    def number() -> str:
        if rng.random() < 0.3:
            return repr(rng.uniform(-1000, 1000) * 10.0 ** rng.randint(-30, 30))
        text = rng.choice(["", "-"]) + (digits(22).lstrip("0") or "0")
        text += f".{digits(25)}" if rng.random() < 0.7 else ""
        power = rng.choice(["e", "E"]) + rng.choice(["", "+", "-"]) + digits(3)
        return text + power if rng.random() < 0.3 else text

    return [number() for _ in range(count)]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("comma", [",", ", "])
def test_numbers_are_those_that_python_reads(comma: str, compiled: bool) -> None:
    numbers = [*LIMITS, *random_numbers(3000)]
    points = [f'{{"x":{x}{comma}"y": {y}}}' for x, y in zip(numbers, reversed(numbers), strict=True)]
    lists = [f"[{comma.join(entries)}]" for entries in (numbers, points)]
    is_usual, counts, found = read(lists, compiled=compiled)
    assert (is_usual, counts) == ([True, True], [len(numbers), 2 * len(numbers)])
    x = [float(number) + 0.0 for number in numbers]  # -0 is 0
    both = [value for pair in zip(x, reversed(x), strict=True) for value in pair]
    assert list(map(repr, found)) == list(map(repr, x + both))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        (OTHER | st.lists(st.sampled_from(['{"x":1,"y":2}', ",", " ", "1", "{", '"y":3}'])).map("".join))
        .filter(lambda text: "]" not in text)
        .map(lambda text: f"[{text}]"),
        min_size=1,
        max_size=5,
    )
)
def test_both_ways_read_the_same_lists(lists: list[str]) -> None:
    assert read(lists, compiled=True) == read(lists, compiled=False)


@pytest.mark.parametrize(
    "text", ["[]", "[1,]", "[1, ]", "[-]", "[1.]", "[1e]", '[{"x":1,"y":2},]', '[{"x":1}]', '[{"x":1,"y":]']
)
@pytest.mark.parametrize("compiled", [False, True])
def test_lists_that_end_early_are_not_usual(text: str, compiled: bool) -> None:
    assert read([text, "[7]"], compiled=compiled) == ([False, True], [1], [7.0])
