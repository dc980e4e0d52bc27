"""The command line: parse, call, print."""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import click

from polyframe import __version__
from polyframe._errors import PolyframeError, UsageError
from polyframe.cli_plot import plot
from polyframe.exporting.options import FORMATS, ExportOptions
from polyframe.settings import Settings
from polyframe.stopping import StoppedError, end_now, stoppable
from polyframe.synthetic.options import SynthOptions

if TYPE_CHECKING:
    from polyframe.outcome import Summary

Command = TypeVar("Command", bound=Callable[..., Any])

_TYPES: Final = {"workflow_id": int, "tool": int}
_SHORT_HELP: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _setting_options(*affected: str) -> Callable[[Command], Command]:
    """Give a command one option for each setting that changes its results."""

    def add(command: Command) -> Command:
        for f in reversed(dataclasses.fields(Settings)):
            if f.metadata.get("flag") and f.metadata["affects"] in (*affected, "run"):
                command = _option(f)(command)
        return command

    return add


def _option(f: dataclasses.Field[Any]) -> Callable[[Command], Command]:
    repeatable = f.default == () and f.name in ("task", "tool")
    kind: Any = _TYPES.get(f.name, str if f.default in (None, ()) else type(f.default))
    if f.metadata["choices"]:
        kind = click.Choice(f.metadata["choices"])
    shown = "" if f.default in (None, ()) else f"  [default: {f.default}]"
    return click.option(
        f.metadata["flag"],
        f.name,
        type=kind,
        multiple=repeatable,
        default=None,
        help=f.metadata["help"].replace("`", "") + shown,
    )


_config_option = click.option(
    "-c",
    "--config",
    multiple=True,
    type=click.Path(path_type=Path),
    help="a YAML file in the Panoptes form; repeatable",
)
_classifications_argument = click.argument(
    "classifications", nargs=-1, required=True, type=click.Path(path_type=Path)
)
_force_option = click.option(
    "--force", is_flag=True, help="make everything anew, also what earlier work answers"
)
_quiet_option = click.option("-q", "--quiet", is_flag=True, help="no progress, no notes, no summary")


@click.group(context_settings=_SHORT_HELP)
@click.version_option(__version__, prog_name="polyframe")
def cli() -> None:
    """Consensus polygons and agreement contours from the drawings of Zooniverse volunteers."""


@cli.command(epilog="Example: polyframe run data/classifications.csv -c data/config.yaml -o out")
@_classifications_argument
@_config_option
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="the directory for the tables"
)
@click.option("--no-contours", is_flag=True, help="leave the table contours out")
@_setting_options("extract", "reduce", "contours")
@_force_option
@_quiet_option
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

    CLASSIFICATIONS is one file or several: CSV, plain or packed with gzip or zstd, or Parquet; a pattern in
    quotes, such as "exports/*.csv"; or - for standard input. What an earlier run into the same directory made
    of the same rows with the same settings stays as it is.
    """
    from polyframe import api

    with _Progress(quiet) as progress:
        summary = api.run(
            classifications,
            output,
            config,
            contours=not no_contours,
            force=force,
            say=_say(quiet),
            progress=progress,
            **_given(options),
        )
    _print_summary(summary, quiet)


@cli.command(epilog="Example: polyframe extract data/classifications.csv -c data/config.yaml -o out")
@_classifications_argument
@_config_option
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="the directory for the tables"
)
@_setting_options("extract")
@_force_option
@_quiet_option
def extract(
    classifications: tuple[Path, ...],
    config: tuple[Path, ...],
    output: Path,
    force: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make the tables classifications, extractions and rejects from the export CLASSIFICATIONS."""
    from polyframe import api, pipeline

    say = _say(quiet)
    settings = api.settings_from(config, _given(options), say)
    with _Progress(quiet) as progress:
        summary = pipeline.run_export(
            classifications, output, settings, ["extract"], say, progress, force=force
        )
    _print_summary(summary, quiet)


@cli.command(epilog="Example: polyframe reduce out -c data/config.yaml --average union")
@click.argument("extractions", metavar="OUT|EXTRACTIONS.csv", type=click.Path(path_type=Path))
@_config_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="the directory, for EXTRACTIONS.csv")
@_setting_options("extract", "reduce")
@_force_option
@_quiet_option
def reduce(
    extractions: Path,
    config: tuple[Path, ...],
    output: Path | None,
    force: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make the tables groups, labels and reductions from the extractions in OUT.

    Or from EXTRACTIONS.csv, which panoptes_aggregation wrote: then also classifications, extractions and
    rejects, into the directory that -o names. What that file lacks is the version of the workflow.
    """
    if not extractions.is_file():
        if output is not None:
            raise UsageError(f"-o is for a CSV file of extractions; {extractions} is none")
        _from_extractions("reduce", extractions, config, force, quiet, options)
        return
    if output is None:
        raise UsageError(f"{extractions}: name the directory for its tables with -o OUT")
    from polyframe import api, takeover

    say = _say(quiet)
    settings = api.settings_from(config, _given(options), say)
    with _Progress(quiet) as progress:
        summary = takeover.run_extractions_csv(extractions, output, settings, say, progress, force=force)
    _print_summary(summary, quiet)


@cli.command(epilog="Example: polyframe contours out -c data/config.yaml")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@_config_option
@_setting_options("extract", "reduce", "contours")
@_force_option
@_quiet_option
def contours(output: Path, config: tuple[Path, ...], force: bool, quiet: bool, **options: Any) -> None:
    """Make the table contours from the extractions in OUT."""
    _from_extractions("contours", output, config, force, quiet, options)


_json_option = click.option("--json", "as_json", is_flag=True, help="one JSON object on standard output")


@cli.command(epilog="Example: polyframe status out")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@_json_option
def status(output: Path, as_json: bool) -> None:
    """Tell what OUT holds: tables, settings, what is current, what was rejected, and who works there.

    Nothing in OUT is changed, and a run that works there is not disturbed.
    """
    from polyframe import reports, state

    found = state.status(output)
    for line in reports.status_json(found) if as_json else reports.status_lines(found):
        click.echo(line)


@cli.command(epilog="Example: polyframe validate out")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@_json_option
def validate(output: Path, as_json: bool) -> None:
    """Read everything in OUT and check it: files, columns, order, keys, counts, fingerprints, geometries.

    One line for each thing that is off; the exit code is 1 if anything is.
    """
    from polyframe import reports, validation

    checked = validation.check(output)
    for line in reports.checked_json(output, checked) if as_json else reports.checked_lines(output, checked):
        click.echo(line)
    if checked.findings:
        sys.exit(1)


def _export_options(command: Command) -> Command:
    """Give a command one option for each field of `ExportOptions`."""
    for f in reversed(dataclasses.fields(ExportOptions)):
        kind = f.metadata["kind"]
        command = click.option(
            f"--{f.name.replace('_', '-')}",
            type=click.Choice(kind) if isinstance(kind, tuple) else kind,
            default=None,
            help=f"{', '.join(f.metadata['formats'])}: {f.metadata['help']}",
        )(command)
    return command


@cli.command(epilog="Example: polyframe export out --to panoptes-csv -o csv")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(tuple(FORMATS)), help="the form to write")
@click.option(
    "-o", "path", metavar="PATH", required=True, type=click.Path(path_type=Path), help="the file or folder"
)
@_export_options
@_quiet_option
def export(output: Path, to: str, path: Path, quiet: bool, **options: Any) -> None:
    """Hand on what is in OUT in the form of another program; nothing in OUT is changed."""
    from polyframe.exporting.dispatch import export as write

    for done in write(output, to, path, say=_say(quiet), **_given(options)):
        if not quiet:
            click.echo(f"{done.path}: {done.written} {done.of_what}")


@cli.command(epilog="Example: polyframe config data/workflows.csv --workflow-id 4321 -o configs")
@click.argument("workflows", metavar="WORKFLOWS.csv", type=click.Path(path_type=Path))
@click.option("--workflow-id", type=int, help="the workflow; needed where the export holds several")
@click.option("--version", help="its version, such as 13.19, 13 or 4..13  [default: the newest]")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="the folder for the files"
)
@click.option("--force", is_flag=True, help="replace files that are there")
@_quiet_option
def config(
    workflows: Path, workflow_id: int | None, version: str | None, output: Path, force: bool, quiet: bool
) -> None:
    """Write configuration files for a workflow from the workflow export WORKFLOWS.csv."""
    from polyframe.configuring import config as write

    for path in write(workflows, output, workflow_id, version, force=force, say=_say(quiet)):
        if not quiet:
            click.echo(path)


def _synth_options(command: Command) -> Command:
    """Give a command one option for each field of `SynthOptions`."""
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


@cli.command(epilog="Example: polyframe synth toy.csv --subjects 100 --volunteers 12 --seed 7")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@_synth_options
@_quiet_option
def synth(output: Path, quiet: bool, **options: Any) -> None:
    """Write a synthetic export to OUT.

    OUT is a file where it ends in .csv or .csv.gz; else a directory, which gets classifications.csv and
    subjects.csv. Same options, same bytes.
    """
    from polyframe.synthetic import write_export

    chosen = SynthOptions(**options)
    as_file = output.name.endswith((".csv", ".csv.gz"))
    if not as_file:
        output.mkdir(parents=True, exist_ok=True)
    export = output if as_file else output / "classifications.csv"
    subjects = None if as_file else output / "subjects.csv"
    with _Progress(quiet, "subjects") as progress:
        done = write_export(export, chosen, subjects_csv=subjects, progress=progress.advance(chosen.subjects))
    if not quiet:
        click.echo(
            f"{done.subjects} subjects, {done.rows} rows, {done.marks} marks, {done.bytes} bytes: {done.path}"
        )


cli.add_command(plot)


def _from_extractions(
    stage: str, output: Path, config: tuple[Path, ...], force: bool, quiet: bool, options: dict[str, Any]
) -> None:
    from polyframe import api, manifest, pipeline, stages

    given = api.given_settings(config, _given(options), _say(quiet))
    api.checked_settings(given)
    settings = stages.settings_for_stage(manifest.read_manifest(output), stage, given)
    with _Progress(quiet) as progress:
        summary = pipeline.run_extractions(output, settings, stage, _say(quiet), progress, force=force)
    for note in summary.notes:
        _say(quiet)(note)
    _print_summary(summary, quiet)


def _given(options: dict[str, Any]) -> Any:
    """Drop the options that were not given."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def _say(quiet: bool) -> Callable[[str], None]:
    def say(note: str) -> None:
        if not quiet:
            click.echo(f"polyframe: {note}", err=True)

    return say


class _Progress:
    """A progress bar on standard error, only where that is a terminal."""

    #: Those that are done, and all, of the run that is under way.
    partitions: ClassVar[tuple[int, int] | None] = None

    def __init__(self, quiet: bool, label: str = "partitions") -> None:
        self.label = label
        self.shown = not quiet and sys.stderr.isatty()
        self.bar: Any = None
        _Progress.partitions = (0, 0) if label == "partitions" else None

    def __enter__(self) -> "_Progress":
        return self

    def __call__(self, done: int, of_all: int) -> None:
        if self.label == "partitions":
            _Progress.partitions = (done, of_all)
        if not self.shown:
            return
        if self.bar is None:
            self.bar = click.progressbar(length=of_all, label=self.label, file=sys.stderr)
            self.bar.__enter__()
        self.bar.update(done - self.bar.pos)

    def advance(self, of_all: int) -> Callable[[int], None]:
        """Return a function that takes steps instead of how far it is."""
        done = 0

        def step(steps: int) -> None:
            nonlocal done
            done += steps
            self(done, of_all)

        return step

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)


def _print_summary(summary: "Summary", quiet: bool) -> None:
    if quiet:
        return
    from polyframe.summary import summary_lines

    for line in summary_lines(summary):
        click.echo(line)


def main() -> None:
    """Run the command line; errors end in one line on standard error."""
    try:
        with stoppable(_abandon, lambda: _print_error(_stopped())):
            cli(standalone_mode=False)
    except (StoppedError, click.exceptions.Abort):
        _abandon()
        end_now(lambda: _print_error(_stopped()))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except UsageError as error:
        _fail(str(error), 2)
    except PolyframeError as error:
        _fail("; ".join([str(error), *getattr(error, "__notes__", [])]), 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", 1)
    except MemoryError:
        _fail("not enough memory; try a smaller --partition-size or fewer --jobs", 1)
    except Exception as error:
        if os.environ.get("POLYFRAME_DEBUG"):
            raise
        told = f"{type(error).__name__}: {error}"
        _fail(f"internal error, please report it with the output of POLYFRAME_DEBUG=1: {told[:300]}", 1)


def _abandon() -> None:
    from polyframe import workplace

    workplace.abandon()


def _stopped() -> str:
    """Return what is to be said of a run that was asked to stop."""
    if _Progress.partitions is None:
        return "stopped"
    done, of_all = _Progress.partitions
    if not done:
        return "stopped; the output is as it was; the same command goes on"
    return (
        f"stopped; {done} of {of_all} partitions are finished and kept; the same command goes on from there"
    )


def _fail(message: str, code: int) -> None:
    _print_error(message)
    sys.exit(code)


def _print_error(message: str) -> None:
    click.echo(f"polyframe: error: {' '.join(message.split())}", err=True)
