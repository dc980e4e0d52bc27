"""Define the commands that make tables: run, extract, reduce, contours.

They import the API when the progress is shown, since that takes a second, and more after an installation.
"""

from pathlib import Path
from typing import Any

import click

from polyframe.cli.completion import folders
from polyframe.cli.console import print_summary, say
from polyframe.cli.help import command
from polyframe.cli.options import (
    DEFAULT_OF_OUT,
    classifications_argument,
    cluster_option,
    config_option,
    drop_unset,
    force_option,
    json_option,
    log_format_option,
    output_argument,
    progress_option,
    quiet_option,
    setting_options,
    storage_option,
    tables_option,
)
from polyframe.cli.parameter_types import PATH_OR_ADDRESS, PLACE
from polyframe.cli.progress import ProgressBar
from polyframe.core.addresses import Place
from polyframe.core.errors import UsageError


@command(
    "polyframe run data/classifications.csv -c data/config.yaml -o out",
    "polyframe run data/classifications.csv -c data/config.yaml -o union --average union --eps 0.4",
    short_help="Make all tables from a classification export.",
)
@classifications_argument
@config_option
@tables_option
@click.option("--no-contours", is_flag=True, help="skip the contours")
@setting_options("extract", "reduce", "contours")
@storage_option
@cluster_option
@force_option
@quiet_option
@progress_option
@log_format_option
@json_option
def run(
    classifications: tuple[Path, ...],
    config: tuple[Path, ...],
    output: Place,
    no_contours: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make all tables from the export CLASSIFICATIONS.

    CLASSIFICATIONS is one or more files (CSV, optionally compressed with gzip or zstd, or Parquet), a quoted
    pattern such as "exports/*.csv", - for standard input, a link such as "https://...", or an object or a
    pattern in a store such as "s3://bucket/exports/*.csv.gz". Parts of OUT that are up to date are kept.
    """
    with ProgressBar(quiet) as progress:
        from polyframe import api

        summary = api.run(
            classifications,
            output,
            config,
            contours=not no_contours,
            force=force,
            say=say(quiet),
            progress=progress,
            **drop_unset(options),
        )
    print_summary(summary, quiet, as_json)


@command(
    "polyframe extract data/classifications.csv -c data/config.yaml -o out",
    short_help="Extract the marks of an export.",
)
@classifications_argument
@config_option
@tables_option
@setting_options("extract")
@storage_option
@cluster_option
@force_option
@quiet_option
@progress_option
@log_format_option
@json_option
def extract(
    classifications: tuple[Path, ...],
    config: tuple[Path, ...],
    output: Place,
    force: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make the tables classifications, extractions and rejects from the export CLASSIFICATIONS."""
    with ProgressBar(quiet) as progress:
        from polyframe import api

        summary = api.extract(
            classifications,
            config,
            output=output,
            force=force,
            say=say(quiet),
            progress=progress,
            **drop_unset(options),
        )
    print_summary(summary, quiet, as_json)


@command(
    "polyframe reduce out -c data/config.yaml --average union",
    short_help="Cluster marks and average each cluster.",
)
@click.argument("extractions", metavar="OUT|EXTRACTIONS.csv", type=PATH_OR_ADDRESS)
@config_option
@click.option(
    "-o",
    "--output",
    type=PLACE,
    shell_complete=folders,
    help="directory or address for the tables, with EXTRACTIONS.csv",
)
@setting_options("extract", "reduce", default=DEFAULT_OF_OUT)
@storage_option
@cluster_option
@force_option
@quiet_option
@progress_option
@log_format_option
@json_option
def reduce(
    extractions: Place,
    config: tuple[Path, ...],
    output: Place | None,
    force: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make the tables groups, labels, reductions, subjects and volunteers from the extractions in OUT.

    Or from EXTRACTIONS.csv, written by panoptes_aggregation: then also the tables classifications,
    extractions and rejects, in the directory given with -o. That file does not contain the workflow version.
    """
    is_file = extractions.is_file() if isinstance(extractions, Path) else extractions.is_csv_file
    if output is None and is_file:
        raise UsageError(f"{extractions}: name the directory for its tables with -o OUT")
    with ProgressBar(quiet) as progress:
        from polyframe import api

        summary = api.reduce(
            extractions,
            config,
            output=output or extractions,
            force=force,
            say=say(quiet),
            progress=progress,
            **drop_unset(options),
        )
    print_summary(summary, quiet, as_json)


@command(
    "polyframe contours out -c data/config.yaml",
    short_help="Make the contours of each cluster.",
)
@output_argument
@config_option
@setting_options("extract", "reduce", "contours", default=DEFAULT_OF_OUT)
@storage_option
@cluster_option
@force_option
@quiet_option
@progress_option
@log_format_option
@json_option
def contours(
    output: Place, config: tuple[Path, ...], force: bool, quiet: bool, as_json: bool, **options: Any
) -> None:
    """Make the table contours from the extractions in OUT."""
    with ProgressBar(quiet) as progress:
        from polyframe import api

        summary = api.contours(
            output,
            config,
            output=output,
            force=force,
            say=say(quiet),
            progress=progress,
            **drop_unset(options),
        )
    print_summary(summary, quiet, as_json)
