"""Check values of YAML files, with messages that name the file and the key."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.core.addresses import Address
from polyframe.core.errors import UsageError
from polyframe.core.suggestions import did_you_mean, nearest
from polyframe.panoptes.config.strict_yaml import Scalar, Tree

_INTEGER: Final = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_DECIMAL: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


@dataclass(frozen=True)
class Place:
    """The place of a value: the file and the keys that lead to it, joined by dots."""

    file: Path | Address
    keys: str = ""

    def key(self, name: str) -> "Place":
        """Return the place of a key of this mapping."""
        return Place(self.file, f"{self.keys}.{name}" if self.keys else name)

    def item(self, index: int) -> "Place":
        """Return the place of an item of this list."""
        return Place(self.file, f"{self.keys}[{index}]")

    def __str__(self) -> str:
        return f"{self.file}: {self.keys}" if self.keys else str(self.file)


def known_items(
    place: Place, tree: Tree, known: Sequence[str], notes: list[str] | None = None
) -> Iterator[tuple[str, Place, Tree]]:
    """Yield the keys of a mapping with their places and values.

    Parameters
    ----------
    place : Place
    tree : dict, list or Scalar
        Null is an empty mapping.
    known : sequence of str
        The valid keys.
    notes : list of str, optional
        Receives a note on each unknown key, which panoptes_aggregation ignores too; if None, such keys are
        errors.

    Raises
    ------
    UsageError
        If the value is not a mapping or has an unknown key; the message suggests the nearest known key.
    """
    if isinstance(tree, Scalar) and tree.value is None:
        return
    if not isinstance(tree, dict):
        raise UsageError(
            f"{place}: {describe_tree(tree)} is not a mapping with keys such as {', '.join(known[:4])}"
        )
    for key, value in tree.items():
        if key in known:
            yield key, place.key(key), value
        elif notes is None:
            raise UsageError(f"{place.file}: unknown key {place.key(key).keys!r}{nearest(key, known)}")
        else:
            notes.append(
                f"{place.file}: unknown key {place.key(key).keys!r} is ignored{did_you_mean(key, known)}"
            )


def scalar(place: Place, tree: Tree) -> Scalar:
    """Return a scalar; a UsageError for a list or a mapping."""
    if not isinstance(tree, Scalar):
        raise UsageError(f"{place}: {describe_tree(tree)} is not a single value")
    return tree


def integer(place: Place, value: Any) -> int:
    """Return an integer, which may be quoted or written as 2.0; a UsageError for anything else."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise UsageError(f"{place}: {value!r} is not an integer")


def number(place: Place, value: Any) -> float:
    """Return a number, which may be quoted; a UsageError for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    elif isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    raise UsageError(f"{place}: {value!r} is not a number")


def boolean(place: Place, value: Any) -> bool:
    """Return a boolean, which may be quoted; a UsageError for anything else."""
    words = {"true": True, "false": False}
    if isinstance(value, (bool, str)) and str(value).lower() in words:
        return words[str(value).lower()]
    raise UsageError(f"{place}: {value!r} is not true or false")


def describe_tree(tree: Tree) -> str:
    """Return a value as messages show it."""
    if isinstance(tree, Scalar):
        return repr(tree.value)
    return "a list" if isinstance(tree, list) else "a mapping"
