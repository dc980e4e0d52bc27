"""Define the command `polyframe tune`."""

from pathlib import Path
from typing import Any

import click

from polyframe.cli import completion
from polyframe.cli.console import say
from polyframe.cli.help import command
from polyframe.cli.options import (
    DEFAULT_OF_OUT,
    cluster_option,
    config_option,
    drop_unset,
    gold_options,
    log_format_option,
    named_setting_options,
    output_argument,
    progress_option,
    quiet_option,
    storage_option,
    title_option,
    words_option,
)
from polyframe.cli.parameter_types import GOLD_OUTLINES, LOCAL_PATH, given_storage_options
from polyframe.cli.progress import ProgressBar
from polyframe.core.addresses import Address, Place
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import file_ending, name_of_place


@command(
    "polyframe tune out --eps 0.2:0.9:0.1 --min-samples 2,3,4",
    "polyframe tune out --cluster-method dbscan,hdbscan --split none,doubled",
    "polyframe tune out -o settings.csv --plot settings.png",
    "polyframe tune out --gold data/expert.geojson",
    short_help="Compare settings of the clustering.",
)
@output_argument
@config_option
@click.option(
    "--eps",
    metavar="VALUES",
    help="values to try: start:stop:step including both ends, or a list such as 0.3,0.5 (0 < eps <= 1)  "
    "[default: 0.1:0.9:0.1]",
)
@click.option(
    "--min-samples",
    metavar="VALUES",
    help="values to try: a list such as 2,3,4, or start:stop (at least 1)  [default: 2,3,4]",
)
@click.option(
    "--cluster-method",
    metavar="VALUES",
    help="methods to try: dbscan, hdbscan, or both  [default: as in OUT]",
)
@click.option("--split", metavar="VALUES", help="splits to try: none, doubled, or both  [default: as in OUT]")
@click.option(
    "--gold",
    type=GOLD_OUTLINES,
    metavar="FILE|gold_standard",
    shell_complete=completion.gold,
    help="an expert's outlines, as for polyframe score: adds precision, recall and mean IoU of the averages",
)
@gold_options
@click.option("-o", "--output", "table_file", type=LOCAL_PATH, help="save the table as .csv or .parquet")
@click.option(
    "--plot", "picture", metavar="FILE", type=LOCAL_PATH, help="draw the table as .png, .svg or .pdf"
)
@words_option
@title_option
@named_setting_options(
    *("task", "tool", "filter", "exclude_volunteers", "gold_standard", "min_threshold"),
    default=DEFAULT_OF_OUT,
)
@named_setting_options("engine", "jobs")
@storage_option
@cluster_option
@quiet_option
@progress_option
@log_format_option
def tune(
    output: Place,
    config: tuple[Path, ...],
    eps: str | None,
    min_samples: str | None,
    cluster_method: str | None,
    split: str | None,
    gold: str | Address | None,
    table_file: Path | None,
    picture: Path | None,
    workflows: Path | Address | None,
    title: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Compare settings of the clustering on the extractions in OUT.

    Prints a line for each combination of values: the number of clusters and outliers, clusters with two
    marks of one classification (doubled), clusters that the last step of eps joined to others (merged), and
    the quartiles of consensus. hdbscan ignores eps. Distances are computed only once. Nothing in OUT is
    changed. Settings that are omitted are those of OUT.
    """
    for name, value in (("workflows", workflows), ("title", title)):
        if value is not None and not picture:
            raise UsageError(f"--{name} needs --plot FILE")
    if picture:
        # Fail before the work if Matplotlib is missing or the format is unknown.
        from polyframe import plot as pictures
        from polyframe.plot.figures import PICTURE_ENDINGS

        file_ending(picture, PICTURE_ENDINGS, "picture")
    from polyframe import api
    from polyframe.cli.print_tuning import tuning_lines
    from polyframe.cli.printed_tables import check_table_format, write_table
    from polyframe.export.words import words_of_output

    if table_file:
        check_table_format(table_file, output)
    stores = given_storage_options(click.get_current_context())
    with ProgressBar(quiet, "classifications") as progress:
        words = words_of_output(output, workflows, None, say(quiet), stores)
        name = words.workflow or name_of_place(output)
        table = api.tune(
            output,
            config,
            eps=eps,
            min_samples=min_samples,
            cluster_method=cluster_method,
            split=split,
            gold=gold,
            say=say(quiet),
            progress=progress,
            **drop_unset(options),
        )
    # Print first, so that the result of minutes survives if a file cannot be written.
    if not quiet:
        for line in tuning_lines(table, str(output)):
            click.echo(line)
    if table_file:
        write_table(table, table_file)
    if picture:
        with pictures.own_style():
            figure = pictures.tuning_figure(table, name=name, title=title)
            pictures.save_figure(figure, picture)
