"""Define the command `polyframe load`."""

import click

from polyframe.cli.console import print_result, say
from polyframe.cli.help import command
from polyframe.cli.options import (
    json_option,
    log_format_option,
    output_argument,
    progress_option,
    quiet_option,
    storage_option,
)
from polyframe.cli.parameter_types import given_storage_options
from polyframe.cli.progress import ProgressBar
from polyframe.core.addresses import Place
from polyframe.export.load.target_kinds import EXAMPLES


@command(
    "polyframe load out --to duckdb:///project.duckdb",
    short_help="Load the tables into a warehouse, replacing only what differs.",
)
@output_argument
@click.option("--to", required=True, metavar="TARGET", help=f"address of the warehouse, such as {EXAMPLES}")
@click.option(
    "--allow-schema-change",
    is_flag=True,
    help="rebuild tables of the warehouse whose columns differ from those of this version",
)
@storage_option
@json_option
@quiet_option
@progress_option
@log_format_option
def load(output: Place, to: str, allow_schema_change: bool, as_json: bool, quiet: bool) -> None:
    """Load the tables of OUT into a warehouse. Nothing in OUT is changed.

    Only parts that differ from what was loaded before are deleted and inserted, all tables in one transaction
    if the warehouse has transactions. So the command can be repeated, also after it was stopped.

    Each kind of warehouse needs an extra, such as panoptes-polyframe[duckdb].
    """
    from polyframe import api

    with ProgressBar(quiet, "parts") as progress:
        loaded = api.load(
            output,
            to,
            allow_schema_change=allow_schema_change,
            storage_options=given_storage_options(click.get_current_context()),
            say=say(quiet),
            progress=progress,
        )
    print_result(loaded, quiet, as_json)
