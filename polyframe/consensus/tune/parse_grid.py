"""Parse and check the values to compare: numbers, lists and ranges of `eps` and `min_samples`, and words."""

import contextlib
import math
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple, TypeVar

from polyframe.core.choices import ClusterMethod, Split
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import as_list
from polyframe.core.scalar_checks import as_builtin
from polyframe.core.settings import Settings

#: A value, several, or a string such as `0.2:0.9:0.1` or `0.3,0.5`.
EpsValues = str | float | Iterable[float]
MinSamplesValues = str | int | Iterable[int]
#: A word, several, or a string such as `dbscan,hdbscan`.
WordValues = str | Iterable[str]

DEFAULT_EPS: Final = "0.1:0.9:0.1"
DEFAULT_MIN_SAMPLES: Final = "2,3,4"
MOST_SETTINGS: Final = 1000

_LARGEST_MIN_SAMPLES: Final = 1_000_000_000
#: Floats are rounded to so many digits, so that 3 * 0.1 is 0.3.
_DIGITS: Final = 12

Number = TypeVar("Number", int, float)
_Word = TypeVar("_Word", bound=str)


class Combination(NamedTuple):
    """Settings to compare with others; `eps` is None for HDBSCAN, which ignores it."""

    eps: float | None
    min_samples: int
    cluster_method: ClusterMethod = "dbscan"
    split: Split = "none"

    @property
    def settings(self) -> Settings:
        """As settings, with the defaults of all others."""
        return Settings().replace(self._asdict())


def combination_of(settings: Settings) -> Combination:
    """Return the settings that are compared."""
    eps = None if settings.cluster_method == "hdbscan" else settings.eps
    return Combination(eps, settings.min_samples, settings.cluster_method, settings.split)


@dataclass(frozen=True)
class Grid:
    """The settings to compare: each with each.

    Attributes
    ----------
    eps : tuple of float
        Distinct fractions in ascending order.
    min_samples : tuple of int
        Distinct values in ascending order.
    cluster_method : tuple of str
        Distinct words; empty for that of the marks.
    split : tuple of str
        Distinct words; empty for that of the marks.
    """

    eps: tuple[float, ...]
    min_samples: tuple[int, ...]
    cluster_method: tuple[ClusterMethod, ...] = ("dbscan",)
    split: tuple[Split, ...] = ("none",)

    @property
    def combinations(self) -> list[Combination]:
        """All combinations, in the order of the table."""
        return [
            Combination(eps, least, method, split)
            for method in self.cluster_method
            for split in self.split
            for eps in ((None,) if method == "hdbscan" else self.eps)
            for least in self.min_samples
        ]

    def with_defaults(self, settings: Settings) -> "Grid":
        """Return the grid with words from some settings if it has none of its own."""
        return replace(
            self,
            cluster_method=self.cluster_method or (settings.cluster_method,),
            split=self.split or (settings.split,),
        )


def grid_of(
    eps: EpsValues | None = None,
    min_samples: MinSamplesValues | None = None,
    cluster_method: WordValues | None = None,
    split: WordValues | None = None,
) -> Grid:
    """Parse the values to compare.

    Parameters
    ----------
    eps : str, float or iterable of float, optional
        A number, several numbers, or a string: a list such as `0.3,0.5`, a range `start:stop:step` that
        includes `stop` if the steps reach it, or a list of both. Numbers are rounded to 12 digits, so that
        `numpy.arange` gives 0.3 and not 0.30000000000000004. Default: 0.1 to 0.9 in steps of 0.1.
    min_samples : str, int or iterable of int, optional
        The same with integers; `2:5` is a range in steps of 1. Default: 2, 3, 4.
    cluster_method, split : str or iterable of str, optional
        Words, several, or a list such as `dbscan,hdbscan`. Default: none.

    Raises
    ------
    UsageError
        If a value is not valid; if there are no settings, or more than 1,000.
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
        _words("cluster_method", cluster_method, typing.get_args(ClusterMethod)),
        _words("split", split, typing.get_args(Split)),
    )
    ways = max(len(grid.cluster_method), 1) * max(len(grid.split), 1)
    _check_number(len(grid.eps) * len(grid.min_samples) * ways, "eps and min_samples")
    return grid


def _words(name: str, values: WordValues | None, choices: tuple[_Word, ...]) -> tuple[_Word, ...]:
    """Return the distinct words in alphabetical order, as the table is sorted."""
    if values is None:
        return ()
    words = values.split(",") if isinstance(values, str) else as_list(values)
    named = [word.strip() if isinstance(word, str) else word for word in words]
    for word in named:
        Settings().replace({name: word})
    if not named:
        raise UsageError(f"{name}: no value to try; expected a list such as {','.join(choices)}")
    return tuple(choice for choice in sorted(choices) if choice in named)


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
