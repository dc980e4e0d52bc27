"""The public functions: the same work as the command line, on paths or on frames in memory."""

import os
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import polars as pl

from polyframe.consensus.contours import contours_table
from polyframe.consensus.extract import Extraction
from polyframe.consensus.marks import selected_marks
from polyframe.consensus.reduce import (
    Clusters,
    cluster_marks,
    groups_table,
    labels_table,
    reductions_table,
)
from polyframe.consensus.tune.values import EpsValues, MinSamplesValues, grid_of
from polyframe.core.callbacks import Progress, Say
from polyframe.core.errors import UsageError
from polyframe.core.frames import FRAMES, Frame, is_frame, lazy_frame
from polyframe.core.keywords import ContoursKeywords
from polyframe.core.local_paths import as_list, local_path
from polyframe.core.settings import Settings
from polyframe.export.export_output import export
from polyframe.export.exported_file import Exported
from polyframe.export.report.write_report import Reported, report
from polyframe.geometry.engines import check_engine
from polyframe.panoptes.annotations.tools import tools_in
from polyframe.panoptes.classifications.columns import OPTIONAL, REQUIRED
from polyframe.panoptes.classifications.sources import FrameSource, SourceLike
from polyframe.panoptes.classifications.workflow_versions import version_spec_from_config
from polyframe.panoptes.config.read_config import read_config
from polyframe.panoptes.config.write_config import config
from polyframe.pipeline.given_marks import Found, directory_of, frames_of
from polyframe.pipeline.result import Summary
from polyframe.pipeline.run import extract_frames, run_export
from polyframe.pipeline.safeguards import check_tools_exist
from polyframe.pipeline.tune import tune_frames, tune_output
from polyframe.store import validation
from polyframe.store.reading import open_tables, scan
from polyframe.store.recorded_settings import check_volunteers_known, settings_for_stage
from polyframe.store.status import Status, status
from polyframe.store.validation import Finding

AnyPath = str | os.PathLike[str]
Exports = AnyPath | Frame | Iterable[AnyPath | Frame]
Config = AnyPath | Mapping[str, Any]
Configs = Config | Iterable[Config] | None

__all__ = [
    "Exported",
    "Extraction",
    "Finding",
    "Reduction",
    "Reported",
    "Status",
    "Summary",
    "config",
    "contours",
    "export",
    "extract",
    "reduce",
    "report",
    "run",
    "scan",
    "status",
    "tune",
    "validate",
]


def _silent(_note: str) -> None:
    """Say nothing; what of a configuration is not used is then a warning."""


@dataclass(frozen=True)
class Reduction:
    """The clusters of some marks.

    Attributes
    ----------
    groups, labels, reductions : polars.DataFrame
        The tables of these names, see `polyframe.core.tables`.
    """

    groups: pl.DataFrame
    labels: pl.DataFrame
    reductions: pl.DataFrame


def run(
    classifications: Exports,
    output: AnyPath,
    config: Configs = None,
    *,
    contours: bool = True,
    force: bool = False,
    say: Say = _silent,
    progress: Progress = lambda _done, _all: None,
    **options: Unpack[ContoursKeywords],
) -> Summary:
    """Make all tables from a classification export, like `polyframe run`.

    Parameters
    ----------
    classifications : path, paths or frame
        The export: CSV in UTF-8, plain or packed with gzip or zstd, or Parquet; one file or several, or a
        pattern such as `exports/*.csv`; `-` is standard input. Or a frame with the columns of an export:
        of Polars, eager or lazy, of pandas, or of what hands over Arrow, such as pyarrow and DuckDB.
    output : path
        The output directory: new, empty, or made by polyframe before. What was made there of the same rows
        with the same settings stays, the rest is replaced; where no workflow or version is given, it is that
        with which the directory was made.
    config : path, mapping or several, optional
        Configuration files in the Panoptes form, or mappings of what would stand in one. What of it is not
        used is said, or a warning.
    contours : bool
        False leaves the table `contours` out.
    force : bool
        Make everything anew, also what would stay.
    say, progress : callable
        Told what was chosen without being asked for, and partitions done and in all.
    **options
        Any field of `polyframe.core.settings.Settings`; they go over the configuration.

    Returns
    -------
    Summary
        Where every row and mark went.

    Raises
    ------
    UsageError
        Where a setting is unknown or out of its range, or settings contradict.
    PolyframeError
        Where the export cannot be used or the output not be written, a task or tool that is named has no
        outline, or marks or clusters would fall by more than `max_shrink`.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.run("classifications.csv", "out", eps=0.5, min_samples=2)  # doctest: +SKIP
    """
    given = given_settings(config, options, say)
    settings = checked_settings(given)
    stages = ["extract", "reduce", "contours"] if contours else ["extract", "reduce"]
    return run_export(
        _named(classifications),
        local_path(output, "output"),
        settings,
        stages,
        say,
        progress,
        force=force,
        given=given,
        flagged=flagged(options),
    )


def extract(
    classifications: Exports,
    config: Configs = None,
    *,
    say: Say = _silent,
    **options: Unpack[ContoursKeywords],
) -> Extraction:
    """Read the marks of a classification export into memory.

    Parameters
    ----------
    classifications : path, paths or frame
        The export, as for `run`.
    config : path, mapping or several, optional
        Configuration files in the Panoptes form, or mappings of what would stand in one. What of it is not
        used is said, or a warning.
    say : callable
        Told what was chosen without being asked for.
    **options
        Any field of `polyframe.core.settings.Settings`; they go over the configuration.

    Returns
    -------
    Extraction
        With the frames `classifications`, `extractions` and `rejects`.

    Raises
    ------
    UsageError, PolyframeError
        As from `run`.
    """
    settings = settings_from(config, options, say)
    with tempfile.TemporaryDirectory(prefix="polyframe-") as work:
        return extract_frames(_named(classifications), settings, Path(work), say, flagged(options))


def reduce(found: Found, config: Configs = None, **options: Unpack[ContoursKeywords]) -> Reduction:
    """Cluster marks and average each cluster.

    Parameters
    ----------
    found : Extraction, frame or path
        What `extract` gave; or a frame with the columns of the table `extractions`, then `n_classifications`
        counts the classifications with a mark; or an output directory, which stays as it is, and whose
        settings hold where no others are given; or a CSV file of extractions that panoptes_aggregation wrote.
    config : path, mapping or several, optional
        Configuration files in the Panoptes form, or mappings of what would stand in one. What of it is not
        used is said, or a warning.
    **options
        Any field of `polyframe.core.settings.Settings`; they go over the configuration.

    Returns
    -------
    Reduction
        With the frames `groups`, `labels` and `reductions`; empty frames for no marks.

    Raises
    ------
    UsageError
        Where a setting is unknown or out of its range, or the frame lacks columns.
    """
    settings, clusters = _cluster(found, config, options)
    return Reduction(groups_table(clusters), labels_table(clusters), reductions_table(clusters, settings))


def contours(found: Found, config: Configs = None, **options: Unpack[ContoursKeywords]) -> pl.DataFrame:
    """Cluster marks and find the agreement contours of each cluster.

    Parameters
    ----------
    found : Extraction, frame or path
        As for `reduce`.
    config : path, mapping or several, optional
        Configuration files in the Panoptes form, or mappings of what would stand in one. What of it is not
        used is said, or a warning.
    **options
        Any field of `polyframe.core.settings.Settings`; they go over the configuration.

    Returns
    -------
    polars.DataFrame
        The table `contours`.

    Raises
    ------
    UsageError
        As from `reduce`.
    """
    settings, clusters = _cluster(found, config, options)
    return contours_table(clusters, settings)


def tune(
    found: Found,
    config: Configs = None,
    *,
    eps: EpsValues | None = None,
    min_samples: MinSamplesValues | None = None,
    say: Say = _silent,
    progress: Progress = lambda _done, _all: None,
    **options: Any,
) -> pl.DataFrame:
    """Compare what several `eps` and `min_samples` make of the same marks, like `polyframe tune`.

    Distances are computed once for all settings. For each setting the numbers are those of `reduce`.

    Parameters
    ----------
    found : path, Extraction or frame
        An output directory, in which nothing is changed; or what `reduce` takes else.
    config : path, mapping or several, optional
        Configuration files in the Panoptes form, or mappings of what would stand in one; their `eps` and
        `min_samples` are passed over.
    eps : str, float or iterable of float, optional
        The values to compare: fractions above 0 and up to 1, or text such as `"0.2:0.9:0.1"`, which has both
        ends, or `"0.3,0.5"`. Default: 0.1 to 0.9 in steps of 0.1.
    min_samples : str, int or iterable of int, optional
        The same with whole numbers from 1. Default: 2, 3, 4.
    say, progress : callable
        Told which settings are used, and partitions done and in all.
    **options
        Any other field of `polyframe.core.settings.Settings` that changes clusters; they go over the
        configuration. `filter`, `min_threshold`, `task` and `tool` are those of an output directory where
        they are not given.

    Returns
    -------
    polars.DataFrame
        One row for each setting, sorted by `eps` and `min_samples`; the columns are described in
        `polyframe.core.tables.TUNING`. Without marks all counts are 0.

    Raises
    ------
    UsageError
        Where a value is out of its range, there are more than 1,000 settings, or a setting contradicts the
        one with which the marks were extracted.
    PolyframeError
        Where the directory holds no extractions, or a run changes it meanwhile.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.tune("out", eps="0.2:0.9:0.1", min_samples=[2, 3, 4])  # doctest: +SKIP
    """
    grid = grid_of(eps, min_samples)
    # So that different values in the configuration, which do not matter here, are no contradiction.
    compared = {"eps": grid.eps[0], "min_samples": grid.min_samples[0]}
    given = given_settings(config, {**options, **compared}, say)
    settings = checked_settings(given)
    directory = directory_of(found)
    if directory is not None:
        del given["eps"], given["min_samples"]
        return tune_output(directory, given, grid, say, progress, flagged(options))
    extractions, classifications = frames_of(found, settings)
    check_tools_exist(_name_of(found), tools_in(extractions), settings, flagged(options), say)
    return tune_frames(extractions, classifications, settings, grid)


def validate(output: AnyPath) -> list[Finding]:
    """Read everything in an output directory and check it, like `polyframe validate`.

    Parameters
    ----------
    output : path
        The output directory; nothing in it is changed.

    Returns
    -------
    list of Finding
        What is off; empty where nothing is.

    Raises
    ------
    PolyframeError
        If the directory is not a polyframe output directory, has no tables yet, or changed during the check.
    """
    return list(validation.check(local_path(output, "output")).findings)


def settings_from(config: Configs, options: Mapping[str, Any], say: Say = _silent) -> Settings:
    """Put settings together: defaults, then configuration files, then options.

    Parameters
    ----------
    config : path, mapping, several or None
        Configuration files, or mappings of what would stand in one.
    options : mapping
        Settings by name; None means "not given".
    say : callable
        Told what in the configuration is not used.

    Raises
    ------
    UsageError
        Where a file or an option is not valid.
    """
    return checked_settings(given_settings(config, options, say))


def given_settings(config: Configs, options: Mapping[str, Any], say: Say = _silent) -> dict[str, Any]:
    """Return the settings that configuration files and options give, by name; the options win.

    Raises
    ------
    UsageError
        Where a file is not valid.
    """
    sources = _sources(config)
    given: dict[str, Any] = {}
    if sources:
        overridden = [name for name, value in options.items() if value is not None]
        read = read_config(sources, overridden)
        for note in read.notes:
            (_warn if say is _silent else say)(note)
        given |= read.values
    given |= {name: value for name, value in options.items() if value is not None}
    if given.get("workflow_version") is not None:
        given["workflow_version"] = version_spec_from_config(given["workflow_version"])
    return given


def checked_settings(given: Mapping[str, Any]) -> Settings:
    """Make settings of given values and check those that need more than their own range.

    Raises
    ------
    UsageError
        Where a name or a value is not valid.
    """
    settings = Settings().replace(given)
    check_engine(settings.engine)
    configured = [drawing.task for drawing in settings.drawing_tasks]
    unknown = [task for task in settings.task if configured and task not in configured]
    if unknown:
        named = ", ".join(dict.fromkeys(configured))
        raise UsageError(f"task: {unknown[0]!r} is not among the tasks of the configuration ({named})")
    of_tasks = [
        drawing for drawing in settings.drawing_tasks if drawing.task in (settings.task or configured)
    ]
    known = [tool for drawing in of_tasks for tool in drawing.tools or ()]
    listed = bool(of_tasks) and all(drawing.tools is not None for drawing in of_tasks)
    unlisted = [tool for tool in settings.tool if listed and tool not in known]
    if unlisted:
        named = ", ".join(map(str, sorted(set(known))))
        raise UsageError(f"tool: {unlisted[0]} is not among the tools of the configuration ({named})")
    return settings


def flagged(options: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the settings that flags or arguments give."""
    return frozenset(name for name, value in options.items() if value is not None)


def _name_of(found: Found) -> str:
    """Name marks in a message."""
    return str(found) if isinstance(found, (str, os.PathLike)) else f"the {type(found).__name__}"


def _named(given: Any) -> list[SourceLike]:
    """Return an export as the pipeline takes it: paths, and frames that are handed over as lazy ones."""
    several = [given] if is_frame(given) else as_list(given)
    return [
        FrameSource(lazy_frame(one, (*REQUIRED, *OPTIONAL)))
        if is_frame(one)
        else local_path(one, "classifications", expected=f"a path, several, or {FRAMES}")
        for one in several
    ]


def _sources(config: Configs) -> list[Path | Mapping[str, Any]]:
    """Return configurations one by one: paths of files, and mappings of what would stand in one."""
    if config is None:
        return []
    expected = "a YAML file, a mapping, or a list of them"
    return [
        one if isinstance(one, Mapping) else local_path(one, "config", expected=expected)
        for one in as_list(config)
    ]


def _cluster(found: Found, config: Configs, options: Mapping[str, Any]) -> tuple[Settings, Clusters]:
    """Cluster marks; with the settings that an output directory was made with, where it is one."""
    given = given_settings(config, options)
    settings = checked_settings(given)
    output = directory_of(found)
    if output is not None:
        with open_tables(output, "read") as directory:
            settings = settings_for_stage(directory.manifest, "reduce", given)
            check_volunteers_known(settings, output)
            extractions, classifications = frames_of(output, settings)
    else:
        extractions, classifications = frames_of(found, settings)
    check_tools_exist(_name_of(found), tools_in(extractions), settings, flagged(options))
    return settings, cluster_marks(selected_marks(extractions, settings), classifications, settings)


def _warn(note: str) -> None:
    """Warn the caller of a public function of what in its configuration is not used."""
    warnings.warn(note, UserWarning, stacklevel=5)
