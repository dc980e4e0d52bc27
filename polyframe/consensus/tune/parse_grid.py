"""Parse and check the values of `eps` and `min_samples` to compare: numbers, lists and ranges."""

import contextlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from polyframe.core.errors import UsageError
from polyframe.core.local_paths import as_list
from polyframe.core.scalar_checks import as_builtin
from polyframe.core.settings import Settings

#: A value, several, or a string such as `0.2:0.9:0.1` or `0.3,0.5`.
EpsValues = str | float | Iterable[float]
MinSamplesValues = str | int | Iterable[int]

DEFAULT_EPS: Final = "0.1:0.9:0.1"
DEFAULT_MIN_SAMPLES: Final = "2,3,4"
MOST_SETTINGS: Final = 1000

_LARGEST_MIN_SAMPLES: Final = 1_000_000_000
#: Floats are rounded to so many digits, so that 3 * 0.1 is 0.3.
_DIGITS: Final = 12

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Grid:
    """The settings to compare: each `eps` with each `min_samples`.

    Attributes
    ----------
    eps : tuple of float
        Distinct fractions in ascending order.
    min_samples : tuple of int
        Distinct values in ascending order.
    """

    eps: tuple[float, ...]
    min_samples: tuple[int, ...]

    @property
    def settings(self) -> list[tuple[float, int]]:
        """All pairs of `eps` and `min_samples`, in the order of the table."""
        return [(eps, least) for eps in self.eps for least in self.min_samples]


def grid_of(eps: EpsValues | None = None, min_samples: MinSamplesValues | None = None) -> Grid:
    """Parse the values to compare.

    Parameters
    ----------
    eps : str, float or iterable of float, optional
        A number, several numbers, or a string: a list such as `0.3,0.5`, a range `start:stop:step` that
        includes `stop` if the steps reach it, or a list of both. Numbers are rounded to 12 digits, so that
        `numpy.arange` gives 0.3 and not 0.30000000000000004. Default: 0.1 to 0.9 in steps of 0.1.
    min_samples : str, int or iterable of int, optional
        The same with integers; `2:5` is a range in steps of 1. Default: 2, 3, 4.

    Raises
    ------
    UsageError
        If a value is not a number or is out of range; if there are no settings, or more than 1,000.
    """
    grid = Grid(
        _values("eps", DEFAULT_EPS if eps is None else eps, _as_eps, "start:stop:step", 3),
        _values(
            "min_samples",
            DEFAULT_MIN_SAMPLES if min_samples is None else min_samples,
            _as_min_samples,
            "start:stop",
            2,
        ),
    )
    _check_number(len(grid.eps) * len(grid.min_samples), "eps and min_samples")
    return grid


def _values(
    name: str,
    values: object,
    checked: Callable[[object], Number],
    form: str,
    least_parts: int,
) -> tuple[Number, ...]:
    """Return the distinct values in ascending order; `checked` raises a UsageError for an invalid one."""
    if isinstance(values, str):
        items = values.split(",")
        numbers = [
            checked(value) for item in items for value in _expanded(name, item, checked, form, least_parts)
        ]
    else:
        numbers = [checked(value) for value in as_list(values)]
    if not numbers:
        raise UsageError(f"{name}: no value to try; expected {form} or a list such as {_example(name)}")
    return tuple(sorted(set(numbers)))


def _expanded(
    name: str, item: str, checked: Callable[[object], Number], form: str, least_parts: int
) -> list[Decimal]:
    """Return the numbers of an item of a list: one, or those of a range."""
    numbers: list[Decimal] = []
    with contextlib.suppress(InvalidOperation):
        numbers = [Decimal(part.strip()) for part in item.split(":")]
    if len(numbers) == 1:
        return numbers
    if not least_parts <= len(numbers) <= 3 or not all(number.is_finite() for number in numbers):
        raise UsageError(f"{name}: {item!r} is not {form} and not a number; a list is {_example(name)}")
    start, stop, step = [*numbers, Decimal(1)][:3]
    checked(start), checked(stop)
    # As a float, a step may be too small or too large.
    if not 0 < float(step) < math.inf:
        raise UsageError(f"{name}: the step of {item!r} is not above 0")
    if stop < start:
        raise UsageError(f"{name}: {item!r} ends before it begins")
    # Check before the list is made: it could be of any length.
    steps = int((stop - start) / step) + 1
    _check_number(steps, f"{name} {item}")
    return [start + k * step for k in range(steps)]


def _as_eps(value: object) -> float:
    number = as_builtin(value)
    if isinstance(number, Decimal):
        number = math.nan if number.is_snan() else float(number)
    if isinstance(number, float):
        number = float(f"{number:.{_DIGITS}g}")
    return float(Settings(eps=number).eps)


def _as_min_samples(value: object) -> int:
    number = as_builtin(value)
    if isinstance(number, Decimal) and number.is_finite() and abs(number) < 1e12 and number == int(number):
        number = int(number)
    if isinstance(number, Decimal):
        number = str(number)
    min_samples = Settings(min_samples=number).min_samples
    if min_samples > _LARGEST_MIN_SAMPLES:
        raise UsageError(f"min_samples: {min_samples} is above {_LARGEST_MIN_SAMPLES:,}")
    return min_samples


def _example(name: str) -> str:
    return "0.3,0.5" if name == "eps" else DEFAULT_MIN_SAMPLES


def _check_number(number: int, name: str) -> None:
    if number > MOST_SETTINGS:
        raise UsageError(f"{name}: {number:,} settings are too many to compare (at most {MOST_SETTINGS:,})")
