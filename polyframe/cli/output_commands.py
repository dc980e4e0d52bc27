"""The commands that read an output directory: status, validate, export, report."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from polyframe.cli.completion import folders
from polyframe.cli.console import say
from polyframe.cli.help import command
from polyframe.cli.options import Function, drop_unset, output_argument, quiet_option
from polyframe.cli.parameter_types import LOCAL_PATH
from polyframe.export.export_options import FORMATS, ExportOptions
from polyframe.export.report import LIMIT

_json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object on standard output")


@command("polyframe status out", short_help="Tell what a directory holds, and whether a run works there.")
@output_argument
@_json_option
def status(output: Path, as_json: bool) -> None:
    """Tell what OUT holds: tables, settings, what is current, what was rejected, and who works there.

    Nothing in OUT is changed, and a run that works there is not disturbed. The exit code is 1 if a part is
    missing or damaged, as far as its length and its footer tell; polyframe validate reads all of it.
    """
    from polyframe.cli import format
    from polyframe.store import status

    found = status.status(output)
    for line in format.status_json(found) if as_json else format.status_lines(found):
        click.echo(line)
    if found.not_current:
        sys.exit(1)


@command("polyframe validate out", short_help="Read all of a directory and tell what is off.")
@output_argument
@_json_option
def validate(output: Path, as_json: bool) -> None:
    """Read everything in OUT and check it: files, columns, order, keys, counts, fingerprints, geometries.

    One line for each thing that is off; the exit code is 1 if anything is.
    """
    from polyframe.cli import format
    from polyframe.store import validation

    checked = validation.check(output)
    for line in format.checked_json(output, checked) if as_json else format.checked_lines(output, checked):
        click.echo(line)
    if checked.findings:
        sys.exit(1)


def _export_options(command: Function) -> Function:
    """Give a command one option for each field of `ExportOptions`."""
    for f in reversed(dataclasses.fields(ExportOptions)):
        command = click.option(
            f"--{f.name.replace('_', '-')}",
            type=_parameter_type(f.metadata["kind"]),
            default=None,
            help=f"{', '.join(f.metadata['formats'])}: {f.metadata['help']}",
        )(command)
    return command


def _parameter_type(kind: Any) -> Any:
    if isinstance(kind, tuple):
        return click.Choice(kind)
    return LOCAL_PATH if kind is Path else kind


@command(
    "polyframe export out --to panoptes-csv -o csv",
    "polyframe export out --to geojson --what contours --level 2 -o level.geojson",
    "polyframe export out --to coco --classifications data/classifications.csv -o coco.json",
    short_help="Write the tables in the form of another program.",
)
@output_argument
@click.option("--to", required=True, type=click.Choice(tuple(FORMATS)), help="the form to write")
@click.option("-o", "--output", "path", required=True, type=LOCAL_PATH, help="the file or folder")
@_export_options
@quiet_option
def export(output: Path, to: str, path: Path, quiet: bool, **options: Any) -> None:
    """Hand on what is in OUT in the form of another program; nothing in OUT is changed."""
    from polyframe.export.export_output import export as write

    for done in write(output, to, path, say=say(quiet), **drop_unset(options)):
        if not quiet:
            click.echo(f"{done.path}: {done.written} {done.of_what}")


@command(
    "polyframe report out -o report.html",
    "polyframe report out --subjects data/subjects.csv --images data/images -o report.html",
    short_help="Write one HTML file: numbers, and clusters from the worst on.",
)
@output_argument
@click.option("-o", "--output", "path", required=True, type=LOCAL_PATH, help="the HTML file")
@click.option("--subjects", type=LOCAL_PATH, help="the subjects export, CSV")
@click.option(
    "--images",
    type=LOCAL_PATH,
    shell_complete=folders,
    help="a folder with the files that the metadata in --subjects name",
)
@click.option(
    "--classifications",
    type=LOCAL_PATH,
    help="the classification export, which records the sizes of the images",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT,
    show_default=True,
    help="show so many clusters, those with the least consensus",
)
@quiet_option
def report(output: Path, path: Path, quiet: bool, **options: Any) -> None:
    """Write one HTML file about OUT: numbers, distribution of consensus, clusters from the worst on.

    It works offline, and has no names of volunteers in it. Without --images the background of the outlines is
    white.

    Images need the extra panoptes-polyframe[report].
    """
    from polyframe.export.report.write_report import report as write

    done = write(output, path, say=say(quiet), **options)
    if not quiet:
        click.echo(done)
