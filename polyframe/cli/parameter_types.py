"""What the arguments of commands may be, beside what Click knows: local paths, and numbers of subjects."""

import os
from pathlib import Path
from typing import Any, Final

import click

from polyframe.core.local_paths import local_path

_LARGEST: Final = 2**63 - 1


class _LocalPath(click.Path):
    """A path; the address of a bucket or of the web is refused before a folder of that name is made."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        return super().convert(local_path(value, _name(param)), param, ctx)


class _SubjectId(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A whole number from 0, as far as the tables can hold it."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number: int = click.INT.convert(value, param, ctx)
        if not 0 <= number <= _LARGEST:
            self.fail(f"{number} is not the number of a subject.", param, ctx)
        return number


def _name(param: click.Parameter | None) -> str:
    """Return what a message calls a parameter: `--output`, or `OUT` of an argument."""
    if param is None:
        return "path"
    return param.opts[-1] if param.opts[0].startswith("-") else param.human_readable_name


LOCAL_PATH: Final = _LocalPath(path_type=Path)
SUBJECT_ID: Final = _SubjectId()
