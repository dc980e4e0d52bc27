"""Through an output directory, partition by partition, to the table of settings; nothing in it is changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.consensus.marks import marks_taking_part, selected_marks
from polyframe.consensus.tune.counts import Tally, count_settings
from polyframe.consensus.tune.table import tuning_table
from polyframe.consensus.tune.values import Grid
from polyframe.core.atomic_files import placed_whole
from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings
from polyframe.core.tables import TABLES
from polyframe.pipeline.safeguards import check_named, extracted_tools
from polyframe.pipeline.workers import each
from polyframe.store.dataset import part_paths
from polyframe.store.opened import opened
from polyframe.store.parts import read_parts
from polyframe.store.stages import check_volunteers_known, settings_for_stage, settings_of, shown

#: Settings of the clustering, beside those that are compared, that are named; drawing tasks are long.
_NAMED: Final = ("task", "tool", "filter", "min_threshold")

FORMATS: Final = (".csv", ".parquet")


@dataclass(frozen=True)
class _Part:
    """One partition: its two part files and what to do with them."""

    extractions: Path
    classifications: Path
    settings: Settings
    grid: Grid


def tune_output(
    output: Path,
    given: Mapping[str, Any],
    grid: Grid,
    say: Say,
    progress: Callable[[int, int], None],
    flagged: Collection[str] = (),
) -> pl.DataFrame:
    """Compare settings on the extractions in an output directory.

    Parameters
    ----------
    output : Path
        What a run wrote; nothing in it is changed.
    given : mapping
        Settings by name from configuration files and options; the others are those of the output.
    grid : Grid
        What is compared.
    say, progress : callable
        Told which settings are used, and partitions done and in all.
    flagged : collection of str
        The settings that were given by flags or arguments: tasks and tools that they name must be there.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.tables.TUNING`.

    Raises
    ------
    PolyframeError
        Where the directory holds no extractions, a part is damaged, or a run changes it meanwhile.
    """
    with opened(output, "tune") as found:
        settings = _settings(output, found.manifest, given, say)
        check_named(str(output), extracted_tools(found.manifest), settings, flagged, say)
        current = _current(found.manifest)
        if current and current not in grid.settings:
            made_with = f"eps {current[0]:g}, min_samples {current[1]}"
            say(f"{output} was made with {made_with}, which is not among these")
        marks, classifications = (
            part_paths(output, name, found.manifest) for name in ("extractions", "classifications")
        )
        parts = [_Part(*pair, settings, grid) for pair in zip(marks, classifications, strict=True)]
        return tuning_table(_tallies(parts, settings.jobs, progress), grid, current)


def tune_frames(
    extractions: pl.DataFrame, classifications: pl.DataFrame | None, settings: Settings, grid: Grid
) -> pl.DataFrame:
    """Compare settings on marks in memory.

    Parameters
    ----------
    extractions, classifications : polars.DataFrame
        The tables of these names; None for classifications where only those with marks are known.
    settings : Settings
        All but `eps` and `min_samples`.
    grid : Grid
        What is compared.
    """
    return tuning_table([_tally(extractions, classifications, settings, grid)], grid, None)


def check_table_format(path: Path, output: Path | None = None) -> str:
    """Return the ending of a table's name.

    Raises
    ------
    UsageError
        Where tables are not written in it, or the file is one of those in `output`.
    """
    ending = path.suffix.lower()
    folder = path.resolve().parent
    if output and folder.parent == output.resolve() and folder.name in TABLES:
        raise UsageError(f"{path}: belongs to the tables in {output}; name another place")
    if ending not in FORMATS:
        raise UsageError(f"{path}: the name of a table ends in {' or '.join(FORMATS)}")
    return ending


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by the ending of its name; whole or not at all.

    Raises
    ------
    UsageError
        Where the name ends in something else.
    PolyframeError
        Where it cannot be written.
    """
    ending = check_table_format(path)
    with placed_whole(path) as temporary, temporary.open("wb") as file:
        if ending == ".csv":
            table.write_csv(file)
        else:
            table.write_parquet(file)


def _settings(output: Path, manifest: Mapping[str, Any], given: Mapping[str, Any], say: Say) -> Settings:
    """Put the settings together, and say which are used."""
    settings = settings_for_stage(manifest, "reduce", given)
    check_volunteers_known(settings, output)

    def told(names: Sequence[str]) -> str:
        return ", ".join(f"{name} {shown(getattr(settings, name))}" for name in names)

    chosen, kept = ([n for n in _NAMED if (given.get(n) is None) == taken] for taken in (False, True))
    said = [f"as given: {told(chosen)}"] if chosen else []
    said += [f"as in {output}: {told(kept)}"] if kept else []
    say("; ".join(said))
    return settings


def _current(manifest: Mapping[str, Any]) -> tuple[float, int] | None:
    if not {"reduce", "contours"} & set(manifest["stages"]):
        return None
    settings = settings_of(manifest["settings"])
    return float(settings.eps), settings.min_samples


def _tallies(parts: Sequence[_Part], jobs: int, progress: Callable[[int, int], None]) -> list[Tally]:
    tallies: list[Tally] = []
    progress(0, len(parts))
    for tally in each(_tally_part, parts, jobs):
        tallies.append(tally)
        progress(len(tallies), len(parts))
    return tallies


def _tally_part(part: _Part) -> Tally:
    extractions, classifications = read_parts([part.extractions]), read_parts([part.classifications])
    return _tally(extractions, classifications, part.settings, part.grid)


def _tally(
    extractions: pl.DataFrame, classifications: pl.DataFrame | None, settings: Settings, grid: Grid
) -> Tally:
    selected = selected_marks(extractions, settings)
    marks = marks_taking_part(selected, classifications, settings.filter)
    return count_settings(marks, grid, settings.min_threshold, settings.engine)
