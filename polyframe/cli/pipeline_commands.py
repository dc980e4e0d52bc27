"""Define the commands that make tables: run, extract, reduce, contours."""

from pathlib import Path
from typing import Any

import click

from polyframe.cli.completion import folders
from polyframe.cli.console import ProgressBar, print_summary, say
from polyframe.cli.help import command
from polyframe.cli.options import (
    DEFAULT_OF_OUT,
    classifications_argument,
    config_option,
    drop_unset,
    force_option,
    output_argument,
    quiet_option,
    setting_options,
    tables_option,
)
from polyframe.cli.parameter_types import LOCAL_PATH
from polyframe.core.errors import PolyframeError, UsageError, no_such_file


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
@force_option
@quiet_option
def run(
    classifications: tuple[Path, ...],
    config: tuple[Path, ...],
    output: Path,
    no_contours: bool,
    force: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make all tables from the export CLASSIFICATIONS.

    CLASSIFICATIONS is one or more files (CSV, optionally compressed with gzip or zstd, or Parquet), a quoted
    pattern such as "exports/*.csv", or - for standard input. Parts of OUT that are up to date are kept.
    """
    from polyframe import api

    with ProgressBar(quiet) as progress:
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
    print_summary(summary, quiet)


@command(
    "polyframe extract data/classifications.csv -c data/config.yaml -o out",
    short_help="Extract the marks of an export.",
)
@classifications_argument
@config_option
@tables_option
@setting_options("extract")
@force_option
@quiet_option
def extract(
    classifications: tuple[Path, ...],
    config: tuple[Path, ...],
    output: Path,
    force: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make the tables classifications, extractions and rejects from the export CLASSIFICATIONS."""
    from polyframe import api
    from polyframe.pipeline.run import run_export

    tell = say(quiet)
    wanted = api.given_settings(config, drop_unset(options), tell)
    settings = api.checked_settings(wanted)
    with ProgressBar(quiet) as progress:
        summary = run_export(
            classifications,
            output,
            settings,
            ["extract"],
            tell,
            progress,
            force=force,
            given=wanted,
            flagged=drop_unset(options),
        )
    print_summary(summary, quiet)


@command(
    "polyframe reduce out -c data/config.yaml --average union",
    short_help="Cluster marks and average each cluster.",
)
@click.argument("extractions", metavar="OUT|EXTRACTIONS.csv", type=LOCAL_PATH)
@config_option
@click.option(
    "-o",
    "--output",
    type=LOCAL_PATH,
    shell_complete=folders,
    help="directory for the tables, with EXTRACTIONS.csv",
)
@setting_options("extract", "reduce", default=DEFAULT_OF_OUT)
@force_option
@quiet_option
def reduce(
    extractions: Path,
    config: tuple[Path, ...],
    output: Path | None,
    force: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make the tables groups, labels and reductions from the extractions in OUT.

    Or from EXTRACTIONS.csv, written by panoptes_aggregation: then also the tables classifications,
    extractions and rejects, in the directory given with -o. That file does not contain the workflow version.
    """
    if not extractions.is_file():
        if not extractions.exists() and (output is not None or extractions.suffix.lower() == ".csv"):
            raise PolyframeError(no_such_file(extractions))
        if output is not None:
            raise UsageError(f"-o needs a CSV file of extractions, and {extractions} is not one")
        _from_extractions("reduce", extractions, config, force, quiet, options)
        return
    if output is None:
        raise UsageError(f"{extractions}: name the directory for its tables with -o OUT")
    from polyframe import api
    from polyframe.pipeline import from_extractions

    tell = say(quiet)
    wanted = api.given_settings(config, drop_unset(options), tell)
    settings = api.checked_settings(wanted)
    with ProgressBar(quiet) as progress:
        summary = from_extractions.run_extractions_csv(
            extractions,
            output,
            settings,
            tell,
            progress,
            force=force,
            given=wanted,
            flagged=drop_unset(options),
        )
    print_summary(summary, quiet)


@command(
    "polyframe contours out -c data/config.yaml",
    short_help="Make the contours of each cluster.",
)
@output_argument
@config_option
@setting_options("extract", "reduce", "contours", default=DEFAULT_OF_OUT)
@force_option
@quiet_option
def contours(output: Path, config: tuple[Path, ...], force: bool, quiet: bool, **options: Any) -> None:
    """Make the table contours from the extractions in OUT."""
    _from_extractions("contours", output, config, force, quiet, options)


def _from_extractions(
    stage: str, output: Path, config: tuple[Path, ...], force: bool, quiet: bool, options: dict[str, Any]
) -> None:
    from polyframe import api
    from polyframe.pipeline.run import run_extractions
    from polyframe.store import manifest, recorded_settings

    wanted = api.given_settings(config, drop_unset(options), say(quiet))
    api.checked_settings(wanted)
    settings = recorded_settings.settings_for_stage(manifest.read_manifest(output), stage, wanted)
    taken_over = recorded_settings.not_default(settings, without=wanted)
    say(quiet)(f"settings that are not given are as {output} was made with: {taken_over or 'the defaults'}")
    with ProgressBar(quiet) as progress:
        summary = run_extractions(
            output, settings, stage, say(quiet), progress, force=force, flagged=drop_unset(options)
        )
    for note in summary.notes:
        say(quiet)(note)
    print_summary(summary, quiet)
