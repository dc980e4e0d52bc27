"""Describe which values a setting accepts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from polyframe.core.errors import UsageError, short_repr
from polyframe.core.scalar_checks import as_builtin, is_integer


@dataclass(frozen=True)
class Rule:
    """The values that a setting accepts.

    Attributes
    ----------
    expected : str
        Completes `eps must be ...`.
    accepts : callable
        Returns whether a value is valid.
    interval : str
        The range as shown in help texts, with braces for the name: `0 < {} <= 1`; empty if there is none.
    choices : tuple of str
        The words to choose from; empty if the value is not a choice.
    accepts_item : callable, optional
        For tuples: returns whether one item is valid.
    """

    expected: str
    accepts: Callable[[Any], bool]
    interval: str = ""
    choices: tuple[str, ...] = ()
    accepts_item: Callable[[Any], bool] | None = None

    def check(self, name: str, value: object) -> None:
        """Raise a UsageError such as `eps must be > 0 and <= 1 (got 0.0)` if a value is not valid."""
        if not self.accepts(value):
            raise UsageError(f"{name} must be {self.expected} (got {short_repr(self._culprit(value))})")

    def _culprit(self, value: object) -> object:
        """Return the first invalid item of a tuple, or the value itself."""
        if self.accepts_item is None or not isinstance(value, tuple):
            return value
        return next(item for item in value if not self.accepts_item(item))


def number(least: float, most: float, *, exclusive: bool = False) -> Rule:
    """Accept numbers from `least` to `most`, both included, or above `least` if it is exclusive; not NaN."""
    below, above = ("<", ">") if exclusive else ("<=", ">=")

    def accepts(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return least <= value <= most and not (exclusive and value == least)

    return Rule(f"{above} {least:g} and <= {most:g}", accepts, f"{least:g} {below} {{}} <= {most:g}")


def integer(least: int | None = None, most: int | None = None) -> Rule:
    """Accept integers from `least` to `most`, both included."""

    def accepts(value: Any) -> bool:
        return is_integer(value) and (least is None or value >= least) and (most is None or value <= most)

    if least is None:
        return Rule("an integer", accepts)
    if most is None:
        return Rule(f"an integer >= {least}", accepts, f"{{}} >= {least}")
    return Rule(f"an integer from {least} to {most}", accepts, f"{least} <= {{}} <= {most}")


def one_of(*choices: str) -> Rule:
    """Accept some words."""

    def accepts(value: Any) -> bool:
        return isinstance(value, str) and value in choices

    return Rule(f"one of {', '.join(choices)}", accepts, choices=choices)


def optional(rule: Rule) -> Rule:
    """Accept None as well."""
    return replace(rule, interval="", accepts=lambda value: value is None or rule.accepts(value))


def tuple_of(expected: str, accepts: Callable[[Any], bool]) -> Rule:
    """Accept tuples whose items are all valid."""
    return Rule(
        expected, lambda value: isinstance(value, tuple) and all(map(accepts, value)), accepts_item=accepts
    )


def as_share(value: Any) -> Any:
    """Return a string such as `50%` or `0.5` as a fraction, and any other value unchanged."""
    if not isinstance(value, str):
        return as_builtin(value)
    text, percent, rest = value.strip().partition("%")
    try:
        share = Decimal(text.strip())
    except InvalidOperation:
        return value
    return value if rest or not share.is_finite() else float(share / 100 if percent else share)


ANYTHING: Final = Rule("", lambda _: True)
BOOLEAN: Final = Rule("true or false", lambda value: isinstance(value, bool))
NAMES: Final = tuple_of("names", lambda value: isinstance(value, str) and bool(value.strip()))
STRING: Final = Rule("a string", lambda value: isinstance(value, str))
SHARE: Final = Rule("a share from 0 to 100%, such as 50% or 0.5", number(0, 1).accepts)
