"""Define the command `polyframe score`."""

import typing
from pathlib import Path
from typing import Any

import click

from polyframe.cli import completion
from polyframe.cli.console import print_object, say
from polyframe.cli.help import command
from polyframe.cli.options import (
    DEFAULT_OF_OUT,
    corrections_option,
    drop_unset,
    gold_options,
    json_option,
    log_format_option,
    named_setting_options,
    output_argument,
    progress_option,
    quiet_option,
    storage_option,
    word_classifications_option,
    words_option,
)
from polyframe.cli.parameter_types import GOLD_OUTLINES, LEVEL, LOCAL_PATH, given_storage_options
from polyframe.cli.progress import ProgressBar
from polyframe.core.addresses import Address, Place
from polyframe.core.choices import ScoredTable


@command(
    "polyframe score out --gold data/expert.geojson",
    "polyframe score out --gold data/expert.geojson --level 50% -o scores.csv",
    "polyframe score out --gold data/expert.geojson --what marks --json",
    short_help="Compare averages, contours or marks with an expert's outlines.",
)
@output_argument
@click.option(
    "--gold",
    required=True,
    type=GOLD_OUTLINES,
    metavar="FILE|gold_standard",
    shell_complete=completion.gold,
    help="the expert's outlines: a classification export, GeoJSON or COCO; or gold_standard for the rows of "
    "OUT that are marked so",
)
@gold_options
@click.option(
    "--what",
    type=click.Choice(typing.get_args(ScoredTable)),
    help="what to score; marks also gives a row for each volunteer  [default: reductions]",
)
@click.option(
    "--level", type=LEVEL, help="score this contour level, a number of marks or a share such as 50%"
)
@click.option("--min-iou", type=float, help="least IoU of a match (0 <= min_iou <= 1)  [default: 0.5]")
@named_setting_options("task", "tool", default=DEFAULT_OF_OUT)
@corrections_option
@words_option
@word_classifications_option
@click.option("-o", "--output", "table_file", type=LOCAL_PATH, help="save the table as .csv or .parquet")
@storage_option
@json_option
@quiet_option
@progress_option
@log_format_option
def score(
    output: Place,
    gold: str | Address,
    workflows: Path | Address | None,
    classifications: Path | Address | None,
    table_file: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Compare what OUT contains with the outlines of an expert. Nothing in OUT is changed.

    On each image and for each tool, outlines are matched one to one so that the sum of their IoU is largest.
    Prints precision, recall, F1, mean IoU, the distance between boundaries and the ratio of areas, for
    everything and for each tool. Images that the expert did not look at do not count. Files and JSON name
    tools by their keys.
    """
    from polyframe import api
    from polyframe.cli.print_scores import score_lines, score_object
    from polyframe.cli.printed_tables import check_table_format, write_table
    from polyframe.export.words import words_of_output

    if table_file:
        check_table_format(table_file, output)
    notes = say(quiet)
    stores = given_storage_options(click.get_current_context())
    with ProgressBar(quiet, "partitions") as progress:
        words = words_of_output(output, workflows, classifications, notes, stores)
        table = api.score(output, gold, say=words.in_notes(notes), progress=progress, **drop_unset(options))
    if as_json:
        print_object(score_object(table, str(output), str(gold)))
    elif not quiet:
        for line in score_lines(table, words):
            click.echo(line)
    if table_file:
        write_table(table, table_file)
