"""Define the commands that list rows of an output directory, the worst first: volunteers and subjects."""

import click

from polyframe.cli.console import print_object
from polyframe.cli.help import command
from polyframe.cli.options import json_option, log_format_option, output_argument, storage_option
from polyframe.core.addresses import Place

_limit_option = click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="show so many rows  [default: 20; all with --json]",
)


@command(
    "polyframe volunteers out",
    "polyframe volunteers out --limit 5",
    "polyframe volunteers out --json",
    short_help="List how well volunteers agree with the others, worst first.",
)
@output_argument
@_limit_option
@storage_option
@json_option
@log_format_option
def volunteers(output: Place, limit: int | None, as_json: bool) -> None:
    """List how well each volunteer in OUT agrees with the others, worst first.

    Precision is the share of their marks that others confirm, recall the share of the objects that others
    found, IoU the agreement of their marks with the majority of the others. The score combines them, and
    depends less on chance if a volunteer made few classifications.
    """
    from polyframe import api
    from polyframe.cli.print_worst_first import table_object, volunteers_lines

    table = api.volunteers(output)
    if as_json:
        print_object(table_object(table, limit, "volunteers", output))
        return
    for line in volunteers_lines(table, limit):
        click.echo(line)


@command(
    "polyframe subjects out",
    "polyframe subjects out --limit 5",
    "polyframe subjects out --json",
    short_help="List how sure the outlines of subjects are, worst first.",
)
@output_argument
@_limit_option
@storage_option
@json_option
@log_format_option
def subjects(output: Place, limit: int | None, as_json: bool) -> None:
    """List how sure the outlines of each subject in OUT are, worst first.

    The first ones need the most additional classifications. Of the others, those with the least certain
    outlines come first.
    """
    from polyframe import api
    from polyframe.cli.print_worst_first import subjects_lines, table_object

    table = api.subjects(output)
    if as_json:
        print_object(table_object(table, limit, "subjects", output))
        return
    for line in subjects_lines(table, limit):
        click.echo(line)
