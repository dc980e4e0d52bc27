"""Define Click parameter types: paths, addresses, ids, contour levels, durations, choices with aliases."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from polyframe.core.addresses import Address, as_address
from polyframe.core.durations import parse_duration
from polyframe.core.levels import parse_level
from polyframe.core.local_paths import local_path, place_of

_LARGEST: Final = 2**63 - 1
#: The key, in `click.Context.meta`, of the options of stores that the command line sets.
STORAGE_OPTIONS: Final = "polyframe.storage_options"


class AliasedChoice(click.Choice[str]):
    """A choice that also accepts earlier names, which its help does not show."""

    def __init__(self, choices: tuple[str, ...], aliases: Mapping[str, str]) -> None:
        super().__init__(choices)
        self._aliases = aliases

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the current name of a choice."""
        return super().convert(self._aliases.get(value, value), param, ctx)


class _LocalPath(click.Path):
    """A local path; an address such as `s3://bucket` is refused before a folder of that name is made."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        return super().convert(local_path(value, _name(param)), param, ctx)


class _PathOrAddress(_LocalPath):
    """A local path, or an address such as `s3://bucket/exports/*.csv`."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        return as_address(value, given_storage_options(ctx)) or super().convert(value, param, ctx)


class _GoldOutlines(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A file, also at an address, or `gold_standard`."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | Address:
        return as_address(value, given_storage_options(ctx)) or value


class _Place(_LocalPath):
    """A local path, or the address of a bucket such as `s3://bucket/project`."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        place = place_of(value, _name(param), given_storage_options(ctx))
        return place if isinstance(place, Address) else super().convert(place, param, ctx)


class _SubjectId(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A nonnegative integer of at most 64 bits."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number: int = click.INT.convert(value, param, ctx)
        if not 0 <= number <= _LARGEST:
            self.fail(f"{number} is not a subject id.", param, ctx)
        return number


class _Level(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A contour level, as a count or a share, kept as text."""

    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return parse_level(value).text


class _Duration(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A duration such as `30d`, `26h` or `90m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        return parse_duration(value, _name(param))


def given_storage_options(ctx: click.Context | None) -> dict[str, str] | None:
    """Return the values of `--storage-option`, which addresses carry."""
    return None if ctx is None else ctx.meta.get(STORAGE_OPTIONS)


def _name(param: click.Parameter | None) -> str:
    """Return the name of a parameter for messages: `--output` for an option, `OUT` for an argument."""
    if param is None:
        return "path"
    return param.opts[-1] if param.opts[0].startswith("-") else param.human_readable_name


LOCAL_PATH: Final = _LocalPath(path_type=Path)
GOLD_OUTLINES: Final = _GoldOutlines()
PATH_OR_ADDRESS: Final = _PathOrAddress(path_type=Path)
PLACE: Final = _Place(path_type=Path)
SUBJECT_ID: Final = _SubjectId()
LEVEL: Final = _Level()
DURATION: Final = _Duration()
