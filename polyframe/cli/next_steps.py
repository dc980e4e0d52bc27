"""Suggest what to do next: commands with the paths of the user, ready to paste into a shell."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyframe.core.addresses import Place

#: How the exports that Zooniverse makes are named: `my-project-classifications.csv`.
_EXPORTS: Final = "*classifications*.csv*"
#: What marks an output directory: its manifest. It is not read.
_MANIFEST: Final = "polyframe.json"


@dataclass(frozen=True)
class Step:
    """Something to do next.

    Attributes
    ----------
    purpose : str
        Such as `Compare settings of the clustering`.
    arguments : tuple of str
        The call, without `polyframe`.
    """

    purpose: str
    arguments: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the purpose and, in a line of its own so that it can be copied, the command."""
        return [f"{self.purpose}:", f"  {shell_command(('polyframe', *self.arguments))}"]


def shell_command(arguments: Sequence[str]) -> str:
    """Return a call for the shell of this system, with quotes if they are needed."""
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline(arguments)
    import shlex  # late, since `polyframe --version` shows no commands

    return shlex.join(arguments)


def steps_after_run(
    output: Place, stages: Collection[str], storage_options: Mapping[str, str] | None = None
) -> list[Step]:
    """Return what to do next with the tables of an output.

    Parameters
    ----------
    output : Path or Address
        As the user gave it.
    stages : collection of str
        Those whose tables it has: `extract`, and possibly `reduce` and `contours`.
    storage_options : mapping, optional
        Options of the store that were given on the command line, which contain nothing secret.
    """
    options = [f"--storage-option={name}={value}" for name, value in (storage_options or {}).items()]

    def step(purpose: str, command: str, *others: str) -> Step:
        # A name that begins with a dash would be taken for an option.
        name = f"./{output}" if str(output).startswith("-") else str(output)
        return Step(purpose, (command, name, *others, *options))

    if "reduce" not in stages:
        return [
            step("Cluster the marks and average each cluster", "reduce"),
            step("Compare settings of the clustering", "tune"),
            step("See what is there", "status"),
        ]
    return [
        step(
            "Look at the clusters in a browser, the lowest consensus first",
            "report",
            "-o",
            f"{output.name if output.name.strip('.') else 'polyframe'}-report.html",
        ),
        step("Compare settings of the clustering", "tune"),
        step("See which volunteers agree least with the others", "volunteers"),
    ]


def first_steps(folder: Path) -> list[str]:
    """Return the lines that `polyframe` alone prints: how to begin, with the files of the current folder.

    Parameters
    ----------
    folder : Path
        The current folder. Of several outputs or exports in it, the newest is shown.
    """
    export = _newest(folder.glob(_EXPORTS))
    output = _newest(path.parent for path in folder.glob(f"*/{_MANIFEST}"))
    of_project = ("run", export.name if export else "CLASSIFICATIONS.csv", "-o", "out")
    steps = [
        Step(
            "Try it: write an example project with images, and everything up to the report", ("demo", "demo")
        ),
        Step("Make the tables of your project from its classification export", of_project),
        *steps_after_run(Path(output.name if output else "out"), ("extract", "reduce", "contours")),
    ]
    return [
        "polyframe: consensus polygons and agreement contours from the drawings of Zooniverse volunteers",
        "",
        *(line for step in steps for line in step.lines()),
        "",
        "All commands: polyframe --help",
    ]


def _newest(paths: Iterator[Path]) -> Path | None:
    """Return the path that changed last; None if there is none, or they cannot be read."""
    try:
        return max(paths, key=lambda path: (path.stat().st_mtime, path.name), default=None)
    except OSError:
        return None
