"""Define the commands that prepare input: config (configuration files) and synth (synthetic exports)."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from polyframe.cli.completion import folders
from polyframe.cli.console import say
from polyframe.cli.help import command
from polyframe.cli.options import Function, log_format_option, progress_option, quiet_option, storage_option
from polyframe.cli.parameter_types import LOCAL_PATH, PATH_OR_ADDRESS
from polyframe.cli.progress import ProgressBar
from polyframe.core.plurals import plural
from polyframe.synthetic.synth_options import SynthOptions


@command(
    "polyframe config data/workflows.csv --workflow-id 4321 -o configs",
    short_help="Write configuration files from a workflow export.",
)
@click.argument("workflows", metavar="WORKFLOWS.csv", type=PATH_OR_ADDRESS)
@click.option("--workflow-id", type=int, help="workflow; required if the export contains several")
@click.option("--version", help="workflow version, such as 13.19, 13 or 4..13  [default: the newest]")
@click.option(
    "-o",
    "--output",
    required=True,
    type=LOCAL_PATH,
    shell_complete=folders,
    help="folder for the files",
)
@storage_option
@click.option("--force", is_flag=True, help="replace existing files")
@quiet_option
@log_format_option
def config(
    workflows: Path, workflow_id: int | None, version: str | None, output: Path, force: bool, quiet: bool
) -> None:
    """Write configuration files for a workflow from the workflow export WORKFLOWS.csv."""
    from polyframe import api

    for path in api.config(workflows, output, workflow_id, version, force=force, say=say(quiet)):
        if not quiet:
            click.echo(path)


def _synth_options(command: Function) -> Function:
    """Add an option for each field of `SynthOptions`."""
    for f in reversed(dataclasses.fields(SynthOptions)):
        kind: Any = click.Choice(f.metadata["choices"]) if f.metadata["choices"] else type(f.default)
        command = click.option(
            f"--{f.name.replace('_', '-')}",
            type=kind,
            default=f.default,
            show_default=True,
            help=f.metadata["help"],
        )(command)
    return command


@command(
    "polyframe synth toy.csv --subjects 100 --volunteers 12 --seed 7",
    short_help="Write a synthetic export.",
)
@click.argument("output", metavar="OUT", type=LOCAL_PATH)
@_synth_options
@click.option(
    "--truth",
    metavar="FILE",
    type=LOCAL_PATH,
    help="also write the true outlines to this file, as GeoJSON for score --gold",
)
@quiet_option
@progress_option
@log_format_option
def synth(output: Path, truth: Path | None, quiet: bool, **options: Any) -> None:
    """Write a synthetic export to OUT.

    OUT is a file if its name ends in .csv or .csv.gz, otherwise a directory for classifications.csv and
    subjects.csv. The same options give the same bytes.
    """
    from polyframe import api

    with ProgressBar(quiet, "subjects") as progress:
        export = api.synth(output, truth=truth, progress=progress, **options)
    if not quiet:
        click.echo(
            f"{export.subjects} {plural(export.subjects, 'subject')}, "
            f"{export.rows} {plural(export.rows, 'row')}, "
            f"{export.marks} {plural(export.marks, 'mark')}, {export.bytes} bytes: "
            f"{export.path}"
        )
        if truth is not None:
            click.echo(f"true outlines: {truth}")
