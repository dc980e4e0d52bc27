"""Options that several commands have, made from the settings they stand for."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from polyframe.cli.completion import folders
from polyframe.cli.help import TopicOption
from polyframe.cli.parameter_types import LOCAL_PATH
from polyframe.core.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

_TYPES: Final = {"workflow_id": int, "tool": int, "max_shrink": str}
_TOPICS: Final = {
    "extract": "What is read",
    "reduce": "Clusters and averages",
    "contours": "Contours",
    "run": "How it is computed",
}


class Choice(click.Choice[str]):
    """A choice that also accepts earlier names, which its help does not show."""

    def __init__(self, choices: tuple[str, ...], aliases: Mapping[str, str]) -> None:
        super().__init__(choices)
        self._aliases = aliases

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the choice that a value names."""
        return super().convert(self._aliases.get(value, value), param, ctx)


def setting_options(*affected: str, default: str | None = None) -> Callable[[Function], Function]:
    """Give a command one option for each setting that changes its results.

    Parameters
    ----------
    *affected : str
        Which results, see `polyframe.core.settings.Affects`.
    default : str, optional
        What the help says holds without the option, where that is not the default of the setting.
    """

    def add(command: Function) -> Function:
        for f in reversed(dataclasses.fields(Settings)):
            if f.metadata.get("flag") and f.metadata["affects"] in (*affected, "run"):
                command = _option(f, None if f.metadata["affects"] == "run" else default)(command)
        return command

    return add


def named_setting_options(*names: str, default: str | None = None) -> Callable[[Function], Function]:
    """Give a command one option for each setting that is named.

    Parameters
    ----------
    *names : str
        Fields of `Settings` that have a flag.
    default : str, optional
        What the help says holds without the option, where that is not the default of the setting.
    """

    def add(command: Function) -> Function:
        for f in reversed(dataclasses.fields(Settings)):
            if f.name in names:
                command = _option(f, default)(command)
        return command

    return add


def _option(f: dataclasses.Field[Any], default: str | None = None) -> Callable[[Function], Function]:
    repeatable = f.default == () and f.name in ("task", "tool", "bezier_tool")
    kind: Any = _TYPES.get(f.name, str if f.default in (None, ()) else type(f.default))
    if f.metadata["choices"]:
        kind = Choice(f.metadata["choices"], f.metadata["aliases"])
    default = default or ("" if f.default in (None, ()) else str(f.default))
    shown = f"  [default: {default}]" if default else ""
    return click.option(
        f.metadata["flag"],
        f.name,
        cls=TopicOption,
        topic=_TOPICS[f.metadata["affects"]],
        type=kind,
        multiple=repeatable,
        default=None,
        help=f.metadata["help"].replace("`", "") + shown,
    )


#: What holds where a command that works in OUT is given no other value.
AS_MADE: Final = "as OUT was made with"

config_option = click.option(
    "-c",
    "--config",
    multiple=True,
    type=LOCAL_PATH,
    help="a YAML file in the Panoptes form; repeatable",
)
classifications_argument = click.argument("classifications", nargs=-1, required=True, type=LOCAL_PATH)
output_argument = click.argument("output", metavar="OUT", type=LOCAL_PATH, shell_complete=folders)
tables_option = click.option(
    "-o",
    "--output",
    required=True,
    type=LOCAL_PATH,
    shell_complete=folders,
    help="the directory for the tables",
)
force_option = click.option(
    "--force", is_flag=True, help="make everything anew, also what earlier work answers"
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="no progress, no notes, no summary")


def drop_unset(options: dict[str, Any]) -> Any:
    """Drop the options that were not given."""
    return {name: value for name, value in options.items() if value not in (None, ())}
