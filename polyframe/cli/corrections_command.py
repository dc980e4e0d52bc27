"""Define the command `polyframe import-corrections`."""

import typing
from pathlib import Path
from typing import Any

import click

from polyframe.cli.completion import files
from polyframe.cli.console import print_result, say
from polyframe.cli.help import command
from polyframe.cli.options import (
    drop_unset,
    json_option,
    log_format_option,
    named_setting_options,
    output_argument,
    quiet_option,
    storage_option,
)
from polyframe.cli.parameter_types import PATH_OR_ADDRESS
from polyframe.core.addresses import Address, Place
from polyframe.core.choices import MissingPolygons


@command(
    "polyframe import-corrections out labelstudio.json",
    "polyframe import-corrections out coco.json --missing remove --corrected-by Ada",
    short_help="Import polygons that people corrected in Label Studio or CVAT.",
)
@output_argument
@click.argument("file", type=PATH_OR_ADDRESS, shell_complete=files)
@click.option(
    "--missing",
    type=click.Choice(typing.get_args(MissingPolygons)),
    help="clusters without a polygon on the images of FILE that count as removed: those that FILE lists as "
    "exported, none (keep), or all (remove)  [default: listed]",
)
@click.option("--replace", is_flag=True, help="forget all earlier corrections")
@click.option("--corrected-by", metavar="NAME", help="who corrected the polygons, if FILE does not say")
@click.option("--subjects", type=PATH_OR_ADDRESS, help="subject export (CSV), as for polyframe export")
@click.option("--workflows", type=PATH_OR_ADDRESS, help="workflow export (CSV), as for polyframe export")
@click.option(
    "--classifications", type=PATH_OR_ADDRESS, help="classification export, as for polyframe export"
)
@click.option("--image-name", help="name of an image, as for polyframe export")
@named_setting_options("keep_versions")
@storage_option
@json_option
@quiet_option
@log_format_option
def import_corrections(
    output: Place, file: Path | Address, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Import polygons that people corrected in another program, as the table corrections of OUT.

    FILE is a JSON export of Label Studio, or COCO from CVAT and others, after `polyframe export --to
    labelstudio` or `--to coco`. Exports, scores, reports and plots then show the corrected polygons in place
    of the averages. A correction belongs to the marks of its cluster: if they change, it is not used. Runs
    keep the table.
    """
    from polyframe import api

    imported = api.import_corrections(output, file, say=say(quiet), **drop_unset(options))
    print_result(imported, quiet, as_json)
