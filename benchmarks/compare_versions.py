"""Compare the tables that two versions of polyframe make from the same exports.

    git worktree add ../before main
    python benchmarks/compare_versions.py ../before           # takes some minutes
    python benchmarks/compare_versions.py ../before --quick   # tiny exports; few new processes

Use it if you change how something is computed. The source tree of the earlier version and this one run on
every kind of outline, with each engine. Tables must be equal: numbers to 1e-9, rings up to their start vertex
and direction. The engines of this version must agree in the same way, and a repeated run must give the same
bytes. Columns that only this version has are listed. Exit code 1 if anything differs.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import ours
from compare import ResultsDifferError, compare_files
from inputs import QUICK, Export, Inputs, Sizes
from processes import ROOT, ProcessError, run_process
from tables import compare_outputs

import polyframe as pf
from polyframe.core.choices import AverageType

#: Large enough for several partitions and for clusters of all kinds.
_SIZES = Sizes(subjects=120, clicked=1500, group=60)

#: Runs the version of a source tree on an export, into an output directory, with settings.
_Run = Callable[[Path, Path, Path, dict[str, Any]], None]


@dataclass(frozen=True)
class _Case:
    """An export, and settings beside the defaults."""

    name: str
    export: Export
    settings: Mapping[str, Any] = field(default_factory=dict)


def main(arguments: list[str] | None = None) -> int:
    """Compare both versions on all exports; return 1 if anything differs, otherwise 0."""
    chosen = _arguments(arguments)
    problems: list[str] = []

    def check(what: str, comparison: Callable[[], str]) -> None:
        try:
            print(f"{what}: {comparison()}", flush=True)
        except (ResultsDifferError, ProcessError, pf.PolyframeError) as error:
            problems.append(f"{what}: {error}")
            print(f"!!! {problems[-1]}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="polyframe-compare-") as name:
        folder = Path(name)
        for case in _cases(Inputs(folder, QUICK if chosen.quick else _SIZES)):
            for engine in chosen.engines:
                what = f"{case.name}, {engine}"
                run = _run_here if chosen.quick else _run_command
                # The example is repeated in a new process, in which sets, for example, have another order.
                again = _run_command if case.name == "data" else run
                sides = (chosen.before, "before", run), (ROOT, engine, run), (ROOT, "again", again)
                check(what, lambda c=case, e=engine, s=sides: _versions(folder, c, e, *s))
            if len(chosen.engines) > 1:
                outputs = [folder / engine for engine in chosen.engines]
                check(f"{case.name}, engines", lambda pair=outputs: _described(*pair))
    print("no differences" if not problems else f"{len(problems)} differences")
    return int(bool(problems))


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="the source tree of the earlier version")
    parser.add_argument("--engines", default="compiled,shapely", help="some of compiled,shapely")
    parser.add_argument("--quick", action="store_true", help="tiny exports")
    chosen = parser.parse_args(arguments)
    chosen.engines = [engine for engine in ours.engines() if engine in chosen.engines.split(",")]
    if not (chosen.before / "polyframe").is_dir():
        parser.error(f"{chosen.before} is not a source tree of polyframe")
    return chosen


def _cases(inputs: Inputs) -> list[_Case]:
    subjects = inputs.sizes.subjects
    keep = {"duplicate_marks": "keep"}
    exports = {
        "data": inputs.example(),
        "plain": inputs.project(subjects),
        "jittered": inputs.jittered(subjects),
        "clicked": inputs.clicked(),
        "five objects": inputs.group_of_five(),
        "one object": inputs.group_of_one(),
        "traced": inputs.traced(),
    }
    cases = [_Case(name, export) for name, export in exports.items() if export]
    cases.append(_Case("identical", inputs.identical(), keep))
    mixed = inputs.mixed(subjects)
    return cases + [_Case(f"mixed, {name}", mixed, {"average": name}) for name in get_args(AverageType)]


def _versions(
    folder: Path,
    case: _Case,
    engine: str,
    *sides: tuple[Path, str, _Run],
) -> str:
    """Run both versions, and this one twice, into folders of these names, in these ways; compare them."""
    outputs = []
    for tree, name, run in sides:
        output = folder / name
        shutil.rmtree(output, ignore_errors=True)
        version = case.export.workflow_version
        settings = {"workflow_id": case.export.workflow_id, "workflow_version": version}
        run(tree, case.export.path, output, {**settings, "engine": engine, "jobs": 1, **case.settings})
        outputs.append(output)
    before, after, again = outputs
    compare_files(after, again)
    return _described(before, after)


def _run_command(tree: Path, export: Path, output: Path, settings: dict[str, Any]) -> None:
    """Run the version of a source tree in a new process."""
    command = [sys.executable, "-m", "polyframe", "run", str(export), "--output", str(output), "--quiet"]
    for name, value in settings.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    run_process(command, folder=tree)


def _run_here(tree: Path, export: Path, output: Path, settings: dict[str, Any]) -> None:
    """Run this version in this process, which starts faster, and an earlier one in a new one."""
    if tree.resolve() == ROOT:
        pf.run(export, output, **settings, say=lambda _: None)
    else:
        _run_command(tree, export, output, settings)


def _described(one: Path, other: Path) -> str:
    compared = compare_outputs(one, other)
    same = sum(table.is_identical for table in compared)
    turned = sum(table.turned for table in compared)
    new = [f"{table.table}.{column}" for table in compared for column in table.new_columns]
    text = f"{same} of {len(compared)} tables identical, the others equal to 1e-9"
    text += f", {turned:,} rings up to their start vertex" if turned else ""
    return text + (f"; new columns: {', '.join(new)}" if new else "")


if __name__ == "__main__":
    raise SystemExit(main())
