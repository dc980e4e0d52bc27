"""The command `polyframe tune`."""

from pathlib import Path
from typing import Any

import click

from polyframe.cli.console import ProgressBar, say
from polyframe.cli.help import command
from polyframe.cli.options import (
    AS_MADE,
    config_option,
    drop_unset,
    named_setting_options,
    output_argument,
    quiet_option,
)
from polyframe.cli.parameter_types import LOCAL_PATH


@command(
    "polyframe tune out --eps 0.2:0.9:0.1 --min-samples 2,3,4",
    "polyframe tune out -o settings.csv --plot settings.png",
    short_help="Compare many eps and min_samples, to choose one of each.",
)
@output_argument
@config_option
@click.option(
    "--eps",
    metavar="VALUES",
    help="values to try, start:stop:step with both ends, or a list such as 0.3,0.5; above 0 and up to 1  "
    "[default: 0.1:0.9:0.1]",
)
@click.option(
    "--min-samples",
    metavar="VALUES",
    help="values to try, a list such as 2,3,4, or start:stop; from 1  [default: 2,3,4]",
)
@click.option("-o", "--output", "table_file", type=LOCAL_PATH, help="a .csv or .parquet")
@click.option("--plot", "picture", metavar="FILE", type=LOCAL_PATH, help="a .png, .svg or .pdf")
@named_setting_options("task", "tool", "filter", "min_threshold", default=AS_MADE)
@named_setting_options("engine", "jobs")
@quiet_option
def tune(
    output: Path,
    config: tuple[Path, ...],
    eps: str | None,
    min_samples: str | None,
    table_file: Path | None,
    picture: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Compare many eps and min_samples on the extractions in OUT, to choose one of each.

    Prints one line for each setting: clusters and outliers, clusters that hold two marks of one
    classification (doubled) or were joined by the last step of eps (merged), and the quartiles of consensus.
    Distances are computed once for all of them; nothing in OUT is changed. Other settings are as OUT was
    made with, unless they are given.
    """
    if picture:
        # Before the work: an extra that is missing, or a name that says no form, is told at once.
        from polyframe import plot as pictures
        from polyframe.plot.figures import check_format

        check_format(picture)
    from polyframe import api
    from polyframe.consensus.tune.table import tuning_lines
    from polyframe.pipeline.tune import check_table_format, write_table

    if table_file:
        check_table_format(table_file, output)
    with ProgressBar(quiet, "counted") as progress:
        table = api.tune(
            output,
            config,
            eps=eps,
            min_samples=min_samples,
            say=say(quiet),
            progress=progress,
            **drop_unset(options),
        )
    # First of all: what comes of minutes is not lost where a file cannot be written.
    if not quiet:
        for line in tuning_lines(table, str(output)):
            click.echo(line)
    if table_file:
        write_table(table, table_file)
    if picture:
        with pictures.own_style():
            figure = pictures.tuning_figure(table, name=output.resolve().name)
            pictures.save_figure(figure, picture)
