"""Declare a setting as a field of a dataclass, and convert its values."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, Literal

from polyframe.core.local_paths import as_list
from polyframe.core.scalar_checks import as_builtin
from polyframe.core.setting_rules import Rule

#: Which results a setting changes: those of `extract` and all later stages, of `reduce` and `contours`, of
#: `contours` only; exports to other programs (`carried`); or none, but how the work is done (`run`).
Affects = Literal["extract", "reduce", "contours", "carried", "run"]


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return one or several values as a tuple."""
    return tuple(map(as_builtin, as_list(value)))


def as_strings(value: Any) -> tuple[str, ...]:
    """Return one or several values as text."""
    return tuple(map(str, as_tuple(value)))


def as_names(value: Any) -> tuple[Any, ...]:
    """Return one or several names; a name in a configuration may be a number."""
    return tuple(str(item) if isinstance(item, int) else item for item in as_tuple(value))


def as_set(items: Iterable[Any]) -> tuple[Any, ...]:
    """Return distinct items, sorted."""
    return tuple(sorted(set(items)))


def setting(
    default: Any,
    affects: Affects,
    flag: str | None,
    text: str,
    rule: Rule,
    *,
    convert: Callable[[Any], Any] = as_builtin,
    normalize: Callable[[Any], Any] | None = None,
    aliases: Mapping[str, str] = MappingProxyType({}),
    keyword: str | None = None,
    in_reducer: bool = False,
) -> Any:
    """Declare a setting.

    Parameters
    ----------
    default : Any
        The value if nobody sets it.
    affects : Affects
        Which results it changes.
    flag : str or None
        The option of the command line.
    text : str
        The help text.
    rule : Rule
        The valid values.
    convert : callable
        Converts a caller's value, such as a single task, to the type of the field.
    normalize : callable, optional
        Maps valid values with the same meaning, such as tools in another order, to one of them.
    aliases : mapping
        Earlier names of a choice.
    keyword : str, optional
        A second name of the keyword argument.
    in_reducer : bool
        True if it may also appear below a reducer in a configuration file.
    """
    return field(
        default=default,
        metadata={
            "affects": affects,
            "flag": flag,
            "help": text,
            "rule": rule,
            "choices": rule.choices,
            "convert": convert,
            "normalize": normalize,
            "aliases": aliases,
            "keyword": keyword,
            "in_reducer": in_reducer,
        },
    )
