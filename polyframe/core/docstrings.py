"""Fill options into the docstrings of public functions, from where they are declared."""

import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from polyframe.core.setting_fields import Affects
from polyframe.core.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])
_Field = dataclasses.Field[Any]

_WIDTH: Final = 96


def with_settings(*stages: Affects) -> Callable[[Function], Function]:
    """Replace the line `{settings}` of a docstring by an entry for each setting of some stages.

    Parameters
    ----------
    *stages : {"extract", "reduce", "contours", "carried", "run"}
        The settings are listed in the order of their declaration.
    """
    declared = [f for f in dataclasses.fields(Settings) if f.metadata["affects"] in stages]
    return _docstring_filler("{settings}", declared)


def with_options(options: Any) -> Callable[[Function], Function]:
    """Replace the line `{options}` of a docstring by an entry for each field of a dataclass.

    Parameters
    ----------
    options : type
        A dataclass whose fields have their help text as metadata.
    """
    return _docstring_filler("{options}", dataclasses.fields(options))


def _docstring_filler(marker: str, fields: Iterable[_Field]) -> Callable[[Function], Function]:
    def fill(function: Function) -> Function:
        if function.__doc__ is not None:  # it is with `python -OO`
            entries = "\n".join(line for f in fields for line in _entry(f))
            text = inspect.cleandoc(function.__doc__)
            function.__doc__ = re.sub(f"^{re.escape(marker)}$", lambda _: entries, text, flags=re.MULTILINE)
        return function

    return fill


def _entry(f: _Field) -> Iterator[str]:
    """Yield the lines of one option in the NumPy style."""
    names = ", ".join(filter(None, (f.name, f.metadata.get("keyword"))))
    yield f"{names} : {_type_name(f)}, optional"
    text, *rest = f.metadata["help"].split("  [default: ")
    sentences = f"{text[0].upper()}{text[1:].rstrip('.')}."
    if rest:
        sentences += f" Default: {rest[0].removesuffix(']')}."
    elif f.default not in (None, ()):
        shown = f'"{f.default}"' if isinstance(f.default, str) else repr(f.default)
        sentences += f" Default: {shown}."
    margin = " " * 4
    yield from textwrap.wrap(
        sentences, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )


def _type_name(f: _Field) -> str:
    kind: Any = f.type
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return f"{arguments[0].__name__}, or several"
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        kind = arguments[0]
    if arguments[:2] == (int, str):
        return "int or str"
    if typing.get_origin(kind) is typing.Literal:
        return "{" + ", ".join(f'"{choice}"' for choice in typing.get_args(kind)) + "}"
    return "path" if len(arguments) > 2 else str(kind.__name__)
