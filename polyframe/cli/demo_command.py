"""Define the command `polyframe demo`."""

import importlib.util
from pathlib import Path

import click

from polyframe.cli.completion import folders
from polyframe.cli.console import say
from polyframe.cli.help import command
from polyframe.cli.next_steps import Step, steps_after_run
from polyframe.cli.options import log_format_option, progress_option, quiet_option
from polyframe.cli.parameter_types import LOCAL_PATH
from polyframe.cli.progress import ProgressBar
from polyframe.core.errors import PolyframeError
from polyframe.core.extras import install_command
from polyframe.core.plurals import counted


@command(
    "polyframe demo my-demo",
    short_help="Write an example project with images, its tables and its report.",
)
@click.argument("folder", metavar="DIR", type=LOCAL_PATH, shell_complete=folders)
@quiet_option
@progress_option
@log_format_option
def demo(folder: Path, quiet: bool) -> None:
    """Write an example project to the new folder DIR, make its tables, and write a report about them.

    The project consists of a classification export, its configuration, and the images that the volunteers
    saw. The tables are in DIR/out, the report is DIR/report.html.

    Images in the report need the extra panoptes-polyframe[report].
    """
    _check_empty(folder)
    from polyframe import api
    from polyframe.synthetic.example import write_example

    # Another label than that of a run, which could be continued if it is stopped.
    with ProgressBar(quiet, "rows of the example") as progress:
        progress.begin("drawing the images")
        write_example(folder)
        export, config, output = folder / "classifications.csv", folder / "config.yaml", folder / "out"
        summary = api.run(export, output, config, say=say(quiet), progress=progress)
        progress.begin("writing the report")
        subjects, images, page = folder / "subjects.csv", folder / "images", folder / "report.html"
        workflows = folder / "workflows.csv"
        has_pillow = _has_pillow()
        api.report(
            output,
            page,
            subjects=subjects,
            images=images if has_pillow else None,
            classifications=export,
            workflows=workflows,
            say=say(quiet),
        )
    if quiet:
        return
    counts = summary.accounting
    shown_counts = f"{counted(counts.clusters, 'cluster')} and {counted(counts.marks_outliers, 'outlier')}"
    pictures = ["--images", str(images)] if has_pillow else []
    made_tables = ["run", str(export), "-c", str(config), "-o", str(output)]
    made_report = ["report", str(output), "--subjects", str(subjects), *pictures]
    made_report += ["--classifications", str(export), "--workflows", str(workflows), "-o", str(page)]
    steps = [
        Step(f"Its tables, with {shown_counts}, were made with", tuple(made_tables)),
        Step("Its report was made with", tuple(made_report)),
        # The first one is the report.
        *steps_after_run(output, summary.stages)[1:],
    ]
    click.echo(f"{folder}: an example project: {counted(counts.rows_read, 'classification')}, with images")
    if not has_pillow:
        click.echo(f"Images in the report need Pillow: {install_command('report')}")
    for step in steps:
        click.echo("\n".join(step.lines()))
    click.echo(f"Open the report in a browser:\n  {page.absolute().as_uri()}")


def _has_pillow() -> bool:
    return importlib.util.find_spec("PIL") is not None


def _check_empty(folder: Path) -> None:
    """Raise a PolyframeError if there is something in a folder already, or it is a file."""
    try:
        first = next(folder.iterdir(), None)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise PolyframeError(f"{folder}: is a file; name a new folder for the example") from None
    except OSError as error:
        raise PolyframeError(f"{folder}: cannot be read ({error.strerror}); name a new folder") from None
    if first is not None:
        raise PolyframeError(f"{folder}: is not empty (it contains {first.name}); name a new folder")
