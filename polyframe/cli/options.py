"""Define the options that several commands share; those of settings are generated from `Settings`."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from polyframe.cli.completion import clusters, files, folders
from polyframe.cli.help import SettingOption, TopicOption
from polyframe.cli.invocation import LOG_FORMATS, PROGRESS_FORMS
from polyframe.cli.parameter_types import (
    LOCAL_PATH,
    PATH_OR_ADDRESS,
    PLACE,
    STORAGE_OPTIONS,
    AliasedChoice,
    given_storage_options,
)
from polyframe.core.addresses import has_secret, is_secret
from polyframe.core.environment import CLUSTER_VARIABLE, LOG_FORMAT_VARIABLE, PROGRESS_VARIABLE, variable_of
from polyframe.core.settings import Settings
from polyframe.export.export_options import ExportOptions

Function = TypeVar("Function", bound=Callable[..., Any])

_TYPES: Final = {"workflow_id": int, "tool": int, "max_shrink": str}
_TOPICS: Final = {
    "extract": "Input",
    "reduce": "Clusters and averages",
    "contours": "Contours",
    "run": "Computation",
}


def setting_options(*affected: str, default: str | None = None) -> Callable[[Function], Function]:
    """Add an option for each setting that affects the results of some stages, or how they are computed.

    Parameters
    ----------
    *affected : str
        Stages, see `polyframe.core.setting_fields.Affects`.
    default : str, optional
        The default that the help shows, if it is not that of the setting.
    """

    def add(command: Function) -> Function:
        for f in reversed(dataclasses.fields(Settings)):
            if f.metadata.get("flag") and f.metadata["affects"] in (*affected, "run"):
                command = _option(f, None if f.metadata["affects"] == "run" else default)(command)
        return command

    return add


def named_setting_options(*names: str, default: str | None = None) -> Callable[[Function], Function]:
    """Add an option for each of the named settings.

    Parameters
    ----------
    *names : str
        Fields of `Settings` that have a flag.
    default : str, optional
        The default that the help shows, if it is not that of the setting.
    """

    def add(command: Function) -> Function:
        for f in reversed(dataclasses.fields(Settings)):
            if f.name in names:
                command = _option(f, default)(command)
        return command

    return add


def _option(f: dataclasses.Field[Any], default: str | None = None) -> Callable[[Function], Function]:
    repeatable = f.default == () and f.name in ("task", "tool", "bezier_tool", "exclude_volunteers")
    kind: Any = _TYPES.get(f.name, str if f.default in (None, ()) else type(f.default))
    if f.metadata["choices"]:
        kind = AliasedChoice(f.metadata["choices"], f.metadata["aliases"])
    default = default or ("" if f.default in (None, ()) else str(f.default))
    is_stated = "default:" in f.metadata["help"]
    default_text = f"  [default: {default}]" if default and not is_stated else ""
    return click.option(
        f.metadata["flag"],
        f.name,
        cls=SettingOption,
        envvar=variable_of(f.metadata["flag"]),
        topic=_TOPICS[f.metadata["affects"]],
        type=kind,
        multiple=repeatable,
        default=None,
        help=f.metadata["help"].replace("`", "") + default_text,
        shell_complete=files if f.name == "exclude_volunteers" else None,
    )


#: The default of a setting in commands that work on an existing output directory.
DEFAULT_OF_OUT: Final = "as in OUT"

config_option = click.option(
    "-c",
    "--config",
    multiple=True,
    type=PATH_OR_ADDRESS,
    help="YAML configuration file, as for Panoptes; repeatable",
)
classifications_argument = click.argument("classifications", nargs=-1, required=True, type=PATH_OR_ADDRESS)
output_argument = click.argument("output", metavar="OUT", type=PLACE, shell_complete=folders)
tables_option = click.option(
    "-o",
    "--output",
    required=True,
    type=PLACE,
    shell_complete=folders,
    help="directory for the tables, or an address such as s3://bucket/project",
)
_GOLD_OPTIONS: Final = (
    click.option(
        "--gold-workflow-id",
        type=int,
        help="the workflow of the expert's outlines  [default: as in OUT]",
    ),
    click.option(
        "--gold-workflow-version",
        help="its version, as for polyframe run  [default: as in OUT, or the newest of another workflow]",
    ),
)


def gold_options(command: Function) -> Function:
    """Add the options that choose outlines of an expert, beside `--gold`."""
    for option in reversed(_GOLD_OPTIONS):
        command = option(command)
    return command


def _keep_storage_options(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> None:
    """Keep the options for the addresses on the command line, which are converted later."""
    options = {}
    for value in values:
        name, separator, option = value.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", context, parameter)
        # Other users of the machine can see the command lines of processes.
        if has_secret(name, option):
            problem = "is secret" if is_secret(name) else "may contain a password"
            variable = "HTTPS_PROXY" if name.lower().endswith("proxy_url") else name.upper()
            raise click.BadParameter(
                f"{name} {problem}; set the environment variable {variable}", context, parameter
            )
        options[name] = option
    context.meta[STORAGE_OPTIONS] = options


storage_option = click.option(
    "--storage-option",
    metavar="NAME=VALUE",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_keep_storage_options,
    help="option of a store, such as aws_endpoint_url=http://localhost:9000; secrets are read from the "
    "environment; repeatable",
)
_CORRECTIONS: Final = next(f for f in dataclasses.fields(ExportOptions) if f.name == "corrections")
corrections_option = click.option(
    "--corrections", type=click.Choice(_CORRECTIONS.metadata["kind"]), help=_CORRECTIONS.metadata["help"]
)
cluster_option = click.option(
    "--cluster",
    cls=TopicOption,
    topic="Computation",
    metavar="ADDRESS",
    envvar=CLUSTER_VARIABLE,
    help="where the workers are: dask://HOST:PORT, ray://HOST:PORT, or local-dask or local-ray to start them "
    "on this machine  [default: threads or processes of this machine]",
    shell_complete=clusters,
)
words_option = click.option(
    "--workflows",
    type=PATH_OR_ADDRESS,
    help="workflow export (CSV), whose words for tasks, tools and answers are shown in place of their keys",
)
word_classifications_option = click.option(
    "--classifications",
    type=PATH_OR_ADDRESS,
    help="classification export, which records the questions of tasks, and the labels of tools if drawn with "
    "classifier 1.x",
)
title_option = click.option("--title", help="title to show  [default: what is shown]")
_IMAGE_OPTIONS: Final = (
    click.option(
        "--images",
        cls=TopicOption,
        topic="Background image",
        type=LOCAL_PATH,
        shell_complete=folders,
        help="folder of the image files that the metadata in --subjects name, or a pattern of their paths "
        "with {subject_id}, {frame} and {filename}",
    ),
    click.option(
        "--fetch",
        cls=TopicOption,
        topic="Background image",
        is_flag=True,
        help="download the images from their addresses in --subjects",
    ),
    click.option(
        "--cache",
        cls=TopicOption,
        topic="Background image",
        type=LOCAL_PATH,
        shell_complete=folders,
        help="folder that keeps downloaded images  [default: that of this system for caches]",
    ),
)


def image_options(command: Function) -> Function:
    """Add the options for the images of subjects."""
    for option in reversed(_IMAGE_OPTIONS):
        command = option(command)
    return command


force_option = click.option(
    "--force", is_flag=True, help="rebuild everything, even parts that are up to date"
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="print no progress, notes or summary")
json_option = click.option("--json", "as_json", is_flag=True, help="print the result as one JSON object")
#: The values of these two are read before Click reads any, see `polyframe.cli.invocation`.
log_format_option = click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    envvar=LOG_FORMAT_VARIABLE,
    expose_value=False,
    help="form of notes and errors: log lines with time and level, or one JSON object a line  "
    "[default: text, or plain lines on a terminal]",
)
progress_option = click.option(
    "--progress",
    type=click.Choice(PROGRESS_FORMS),
    envvar=PROGRESS_VARIABLE,
    expose_value=False,
    help="auto: a bar on a terminal, otherwise a log line at most every 30 s and every 10 %; on: a line "
    "every 10 %, even with --quiet; off: nothing  [default: auto]",
)


def drop_unset(options: dict[str, Any]) -> Any:
    """Return the options that were set on the command line, with those of stores."""
    chosen = {name: value for name, value in options.items() if value not in (None, ())}
    stores = given_storage_options(click.get_current_context())
    return {**chosen, "storage_options": stores} if stores else chosen
