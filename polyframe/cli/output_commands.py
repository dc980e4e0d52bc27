"""Define the commands that work on an output directory: status, validate, vacuum, export, report."""

import dataclasses
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from polyframe.cli.console import print_object, print_result, say
from polyframe.cli.help import command
from polyframe.cli.log_lines import print_line
from polyframe.cli.options import (
    Function,
    corrections_option,
    drop_unset,
    image_options,
    json_option,
    log_format_option,
    output_argument,
    progress_option,
    quiet_option,
    storage_option,
    title_option,
    word_classifications_option,
    words_option,
)
from polyframe.cli.parameter_types import (
    DURATION,
    LEVEL,
    LOCAL_PATH,
    PATH_OR_ADDRESS,
    given_storage_options,
)
from polyframe.cli.progress import ProgressBar
from polyframe.core.addresses import Address, Place
from polyframe.core.errors import UsageError
from polyframe.core.levels import Level
from polyframe.core.plurals import counted
from polyframe.export.export_options import FORMATS, ExportOptions
from polyframe.export.report import LIMIT


@command(
    "polyframe status out",
    "polyframe status out --check --max-age 26h",
    short_help="Show what a directory contains and whether a run is in progress.",
)
@output_argument
@click.option("--versions", is_flag=True, help="list the versions that are kept")
@click.option("--check", is_flag=True, help="for monitoring: print one line, whether there is a problem")
@click.option(
    "--max-age",
    type=DURATION,
    help="with --check: the longest time since a run published the tables, or found that they are up to "
    "date, such as 26h, 90m or 3d",
)
@words_option
@word_classifications_option
@storage_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="print only problems and errors")
@log_format_option
def status(
    output: Place,
    versions: bool,
    check: bool,
    max_age: timedelta | None,
    workflows: Path | Address | None,
    classifications: Path | Address | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show the tables and settings of OUT, whether they are current, and whether a run is in progress.

    Nothing in OUT is changed, and a run in progress is not disturbed. The exit code is 1 if a part is missing
    or damaged, judging by its length; polyframe validate reads every row. With --check it is also 1 if there
    are no tables, or if they are older than --max-age.
    """
    if max_age is not None and not check:
        raise UsageError("--max-age needs --check")
    from polyframe import api
    from polyframe.cli.status_format import checked_line, status_lines, status_object

    result = api.status(output, versions=versions)
    problems = result.problems(max_age) if check else []
    if problems:
        print_line("ERROR", f"{output}: {'; '.join(problems)}")
    exit_code = 1 if problems or result.not_current else 0
    if as_json:
        print_object(status_object(result, problems if check else None), exit_code)
    elif not quiet:
        words = None
        # Words need the tables, which a damaged output may not have.
        has_words = not check and result.polyframe_version is not None and not result.not_current
        if has_words and (workflows is not None or classifications is not None):
            from polyframe.export.words import words_of_output

            stores = given_storage_options(click.get_current_context())
            words = words_of_output(output, workflows, classifications, say(quiet), stores)
        for line in status_lines(result, words) if not check else [] if problems else [checked_line(result)]:
            click.echo(line)
    if exit_code:
        sys.exit(exit_code)


@command("polyframe validate out", short_help="Check a directory and list problems.")
@output_argument
@storage_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="print only problems and errors")
@progress_option
@log_format_option
def validate(output: Place, as_json: bool, quiet: bool) -> None:
    """Check everything in OUT: files, columns, order, keys, counts, fingerprints and geometries.

    Prints a line for each problem; the exit code is 1 if there is any.
    """
    from polyframe import api
    from polyframe.cli.status_format import findings_lines, findings_object

    with ProgressBar(quiet, "partitions") as progress:
        findings = api.validate(output, progress=progress)
    exit_code = 1 if findings else 0
    if as_json:
        print_object(findings_object(output, findings), exit_code)
    elif findings or not quiet:
        for line in findings_lines(output, findings):
            click.echo(line)
    if exit_code:
        sys.exit(exit_code)


@command("polyframe vacuum out --keep 30d", short_help="Remove old versions of the tables.")
@output_argument
@click.option(
    "--keep",
    default="30d",
    show_default=True,
    metavar="AGE",
    help="keep versions that were the newest within this time, such as 30d or 12h",
)
@click.option(
    "--grace",
    default="7d",
    show_default=True,
    metavar="AGE",
    help="keep parts of no kept version for this time, since a run in progress may be about to publish them",
)
@storage_option
@json_option
@quiet_option
@log_format_option
def vacuum(output: Place, keep: str, grace: str, as_json: bool, quiet: bool) -> None:
    """Remove old versions of the tables in OUT, and parts that no kept version has.

    The newest version always stays. In a local OUT the parts of removed versions go at once, in a bucket a
    week after they were written: shorten --grace only if no run is in progress.
    """
    from polyframe import api

    print_result(api.vacuum(output, keep=keep, grace=grace), quiet, as_json)


def _export_options(command: Function) -> Function:
    """Add an option for each field of `ExportOptions`."""
    for f in reversed(dataclasses.fields(ExportOptions)):
        command = click.option(
            f"--{f.name.replace('_', '-')}",
            type=_parameter_type(f.metadata["kind"]),
            is_flag=f.metadata["kind"] is bool,
            default=None,
            help=f"{', '.join(f.metadata['formats'])}: {f.metadata['help']}",
        )(command)
    return command


def _parameter_type(kind: Any) -> Any:
    if isinstance(kind, tuple):
        return click.Choice(kind)
    return {Path: PATH_OR_ADDRESS, Level: LEVEL}.get(kind, kind)


@command(
    "polyframe export out --to panoptes-csv -o csv",
    "polyframe export out --to geojson --what contours --level 2 -o level.geojson",
    "polyframe export out --to coco --classifications data/classifications.csv -o coco.json",
    "polyframe export out --to levels -o levels.parquet",
    short_help="Export the tables to the format of another program.",
)
@output_argument
@click.option("--to", required=True, type=click.Choice(tuple(FORMATS)), help="format to write")
@click.option("-o", "--output", "path", required=True, type=LOCAL_PATH, help="file or folder to write")
@_export_options
@storage_option
@quiet_option
@progress_option
@log_format_option
def export(output: Place, to: Any, path: Path, quiet: bool, **options: Any) -> None:
    """Export the tables of OUT to the format of another program. Nothing in OUT is changed."""
    from polyframe import api

    with ProgressBar(quiet, "clusters") as progress:
        exported = api.export(output, to, path, say=say(quiet), progress=progress, **drop_unset(options))
    if not quiet:
        for done in exported:
            click.echo(f"{done.path}: {counted(done.count, done.kind.removesuffix('s'))}")


@command(
    "polyframe report out -o report.html",
    "polyframe report out --subjects data/subjects.csv --images data/images -o report.html",
    "polyframe report out --images 'data/images/{subject_id}-{frame}.png' -o report.html",
    short_help="Write an HTML report: statistics, and clusters worst first.",
)
@output_argument
@click.option("-o", "--output", "path", required=True, type=LOCAL_PATH, help="HTML file to write")
@click.option("--subjects", type=PATH_OR_ADDRESS, help="subject export (CSV)")
@image_options
@click.option(
    "--classifications",
    type=PATH_OR_ADDRESS,
    help="classification export, which records the sizes of the images, the questions of tasks, and the "
    "labels of tools if drawn with classifier 1.x",
)
@words_option
@title_option
@click.option(
    "--level",
    type=LEVEL,
    help="draw this contour level instead of the averaged polygon: a number of marks, or a share such as 50%",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT,
    show_default=True,
    help="number of clusters to show, those with the least consensus",
)
@click.option("--names", is_flag=True, help="show the names of volunteers instead of numbers")
@corrections_option
@storage_option
@quiet_option
@progress_option
@log_format_option
def report(output: Place, path: Path, quiet: bool, **options: Any) -> None:
    """Write an HTML report of OUT: statistics, subjects and clusters worst first, and volunteers.

    In the page, other values of eps and min_samples can be tried on all marks at once. The file works offline
    and contains no names of volunteers, unless --names is given. The background of the outlines is white
    unless --images or --fetch is given.

    Images need the extra panoptes-polyframe[report].
    """
    from polyframe import api

    with ProgressBar(quiet, "images") as progress:
        report = api.report(output, path, say=say(quiet), progress=progress, **options)
    if not quiet:
        click.echo(report)
