"""Read YAML files strictly: only mappings, lists and plain scalars, which keep their original text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from polyframe.core.addresses import Address
from polyframe.core.errors import UsageError, no_such_file, one_line
from polyframe.core.local_copies import read_file
from polyframe.core.local_paths import type_name
from polyframe.core.scalar_checks import as_builtin

_LARGEST_FILE: Final = 1_000_000
#: Aliases can multiply: ten give a few dozen copies at most, but a hundred can fill the memory.
_MOST_ALIASES: Final = 10
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Scalar:
    """A plain value: the value in Python, and its text in the file; None if it is not from a file."""

    value: Any
    text: str | None


#: A value of a YAML file.
Tree = dict[str, "Tree"] | list["Tree"] | Scalar


def read_yaml(path: Path | Address) -> Tree:
    """Read a YAML file of at most a megabyte.

    Parameters
    ----------
    path : Path or Address

    Returns
    -------
    dict, list or Scalar
        An empty file is an empty mapping.

    Raises
    ------
    UsageError
        If the file cannot be read, is not UTF-8 or not YAML, contains a key twice, or uses YAML features
        other than plain values; the message is one line and names the file.
    """
    text = _read_text(path)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return {} if node is None else _tree(loader, node, "", ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}" if mark else ""
        problem = error.problem or error.context or "malformed"
        raise UsageError(f"{path}: not YAML{where}: {one_line(problem)}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {one_line(str(error))}") from None
    except _Unreadable as error:
        raise UsageError(f"{path}: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply for a configuration") from None


def tree_of(value: Any, place: str) -> Tree:
    """Convert Python values to a tree, as `read_yaml` returns it for a file.

    Parameters
    ----------
    value : mapping, list, tuple, str, number, bool or None
    place : str
        Its place, for messages.

    Raises
    ------
    UsageError
        If it contains anything else, or a key that is not a string.
    """
    try:
        return _tree_of(value, place)
    except RecursionError:
        raise UsageError(f"{place}: nested too deeply for a configuration") from None


def _tree_of(value: Any, place: str) -> Tree:
    value = as_builtin(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UsageError(f"{place}: the key {key!r} is not a string")
        return {key: _tree_of(one, f"{place}: {key}") for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tree_of(one, f"{place}[{index}]") for index, one in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        # The original text of a number is unknown: 13.10 and 13.1 are equal.
        return Scalar(value, value if isinstance(value, str) else None)
    raise UsageError(f"{place}: expected text, a number, a list or a mapping, got {type_name(value)}")


class _Unreadable(Exception):  # noqa: N818 - becomes a UsageError with the file's name
    """An error in a file; the message does not contain its name."""


class _Loader(yaml.SafeLoader):
    """The safe loader, with a bound on aliases."""

    n_aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.n_aliases += 1
            if self.n_aliases > _MOST_ALIASES:
                raise _Unreadable(f"more than {_MOST_ALIASES} YAML aliases; write the values out")
        return super().compose_node(parent, index)


def _read_text(path: Path | Address) -> str:
    try:
        data = read_file(path, _LARGEST_FILE) if isinstance(path, Address) else _start_of(path)
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory, expected a YAML file") from None
    except FileNotFoundError:
        raise UsageError(no_such_file(str(path))) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _LARGEST_FILE:
        raise UsageError(
            f"{path}: larger than {_LARGEST_FILE // 1_000_000} MB, expected a YAML configuration"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}: not UTF-8 at line {line}; expected a YAML configuration, saved as UTF-8"
        ) from None


def _start_of(path: Path) -> bytes:
    """Return the content of a file, or one byte more than is allowed."""
    with path.open("rb") as file:
        return file.read(_LARGEST_FILE + 1)


def _tree(loader: _Loader, node: yaml.Node, place: str, parents: tuple[yaml.Node, ...]) -> Tree:
    if any(node is parent for parent in parents):
        raise _Unreadable(f"line {node.start_mark.line + 1}: an alias that contains itself")
    parents = (*parents, node)
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        return {
            key: _tree(loader, value, f"{place}.{key}" if place else key, parents)
            for key, value in _distinct_keys(node, place)
        }
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        return [_tree(loader, value, f"{place}[{i}]", parents) for i, value in enumerate(node.value)]
    where = f"line {node.start_mark.line + 1}"
    if not isinstance(node, yaml.ScalarNode):
        raise _Unreadable(f"{where}: the YAML tag {node.tag!r} is not supported in configurations")
    try:
        return Scalar(loader.construct_object(node), node.value)
    except ValueError as error:
        raise _Unreadable(f"{where}: {one_line(str(error))}") from None


def _distinct_keys(node: yaml.MappingNode, place: str) -> Iterator[tuple[str, yaml.Node]]:
    seen: set[str] = set()
    for key, value in node.value:
        where = f"line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise _Unreadable(f"{where}: a key must be a plain scalar")
        if key.tag == _TAG + "merge":
            raise _Unreadable(
                f"{where}: the merge key '<<' is not supported in configurations; write the values out"
            )
        if key.value in seen:
            name = f"{place}.{key.value}" if place else key.value
            raise _Unreadable(f"{where}: the key {name!r} occurs twice; keep one")
        seen.add(key.value)
        yield key.value, value
