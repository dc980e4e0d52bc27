"""Score what an output directory contains against the outlines of an expert."""

import typing
from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely

from polyframe.consensus.exclusion import digests_by_name, with_digests
from polyframe.consensus.explode_levels import explode_levels
from polyframe.consensus.marks import counted_classifications, marks_taking_part, selected_marks
from polyframe.consensus.score.compare import Comparison, compare_clusters, compare_marks, score_table
from polyframe.consensus.score.outlines import KeyedOutlines
from polyframe.core.addresses import Place
from polyframe.core.callbacks import NO_PROGRESS, DetailedProgress, Say
from polyframe.core.choices import ScoredTable
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.levels import Level, MissingLevels
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.core.tables import CONTOURS
from polyframe.pipeline.configure import ResolvedSettings
from polyframe.pipeline.gold.of_output import (
    check_gold_apart,
    gold_of_output,
    rows_of_subjects,
)
from polyframe.pipeline.gold.read_gold import GoldSource, ReadGold
from polyframe.pipeline.safeguards import check_tools_exist, extracted_tools
from polyframe.store.corrections import CORRECTION, use_corrections_of_level
from polyframe.store.reading import OutputTables, open_tables
from polyframe.store.recorded_settings import check_volunteers_known, settings_for_stage

_KEYS = ["subject_id", "task", "frame", "tool"]


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, and how.

    Attributes
    ----------
    what : {"reductions", "contours", "marks"} or None
        None is reductions, or contours with a level.
    level : Level or None
        The contour level.
    min_iou : float
        The least IoU of a match.
    corrected : bool
        Whether corrections replace the polygons of their clusters.

    Raises
    ------
    UsageError
        If a value is not valid, or they contradict each other.
    """

    what: ScoredTable | None
    level: Level | None
    min_iou: float
    corrected: bool = True

    def __post_init__(self) -> None:
        """Check every value."""
        choices = typing.get_args(ScoredTable)
        if self.what is not None and not (isinstance(self.what, str) and self.what in choices):
            raise UsageError(f"what: {short_repr(self.what)} is not one of {', '.join(choices)}")
        level = self.level
        if level is not None and self.what not in (None, "contours"):
            raise UsageError(f"level: {self.what} have no levels; omit it, or score contours")
        if level is None and self.what == "contours":
            raise UsageError("contours: choose one of their levels with level, such as --level 3")
        iou = self.min_iou
        if isinstance(iou, bool) or not isinstance(iou, (int, float)) or not 0 <= iou <= 1:
            raise UsageError(f"min_iou must be >= 0 and <= 1 (got {short_repr(iou)})")

    @property
    def table(self) -> ScoredTable:
        """What is scored."""
        return self.what or ("reductions" if self.level is None else "contours")


def score_output(
    output: Place,
    gold: GoldSource,
    options: ScoreOptions,
    configured: ResolvedSettings,
    say: Say,
    progress: DetailedProgress = NO_PROGRESS,
) -> pl.DataFrame:
    """Score the marks, averages or contours of an output directory.

    Parameters
    ----------
    output : Path
        An output directory; it is not changed.
    gold : GoldSource
        The outlines of an expert.
    options : ScoreOptions
    configured : ResolvedSettings
        `task` and `tool`; the other settings are those of the output.
    say : callable
        Receives notes.
    progress : DetailedProgress
        Receives what is read and compared.

    Returns
    -------
    polars.DataFrame
        The table `polyframe.core.result_tables.SCORES`.

    Raises
    ------
    UsageError, PolyframeError
        As from `polyframe.pipeline.score.score`.
    """
    with open_tables(output, "score", corrected=options.corrected, progress=progress) as tables:
        manifest = tables.manifest
        settings = settings_for_stage(manifest, "reduce", configured.explicit)
        settings = with_digests(settings, digests_by_name(settings))
        check_tools_exist(str(output), extracted_tools(manifest), settings, configured.flagged, say)
        if options.table == "marks":
            check_volunteers_known(settings, output)
        else:
            list(tables.partitions([], **{options.table: None}))  # fails early if there is no such table
        progress.begin("reading the expert's outlines")
        expert = gold_of_output(tables, settings, gold, say)
        subjects = expert.outlines.subjects.to_list()
        classifications = rows_of_subjects(tables, "classifications", subjects)
        if options.table == "marks":
            comparison = _compare_marks(tables, classifications, expert, settings, options.min_iou)
            return score_table(comparison, "marks")
        how_to_exclude = f"`polyframe reduce {output} --gold-standard exclude`"
        check_gold_apart(str(output), classifications, expert, settings, how_to_exclude)
        if options.level is None:
            clusters, scored = _reductions(tables, subjects, settings)
        else:
            clusters, scored = _contours(tables, subjects, settings, options.level, say)
        _note_other_tools(clusters, expert, say)
        progress.begin(f"comparing {counted(len(clusters.areas), 'outline')} with the expert's")
        return score_table(compare_clusters(clusters, expert.outlines, options.min_iou), scored)


def _compare_marks(
    tables: OutputTables,
    classifications: pl.DataFrame,
    expert: ReadGold,
    settings: Settings,
    min_iou: float,
) -> Comparison:
    """Compare the marks of each classification that counts, except those of the expert."""
    subjects = expert.outlines.subjects.to_list()
    is_expert = pl.col("classification_id").is_in(sorted(expert.classifications))
    others = classifications.filter(~is_expert)
    extractions = rows_of_subjects(tables, "extractions", subjects).filter(~is_expert)
    marks = marks_taking_part(selected_marks(extractions, settings), others, settings)
    keys = marks.keys.select(*_KEYS, "classification_id", "volunteer")
    volunteers = counted_classifications(others, settings).join(
        others.select("subject_id", "classification_id", "volunteer"),
        on=["subject_id", "classification_id"],
        maintain_order="left",
    )
    outlines = KeyedOutlines(keys, marks.polygons, marks.areas)
    tables.progress.begin(f"comparing {counted(len(marks.areas), 'mark')} with the expert's outlines")
    return compare_marks(outlines, volunteers, expert.outlines, min_iou)


def _reductions(tables: OutputTables, subjects: list[int], settings: Settings) -> tuple[KeyedOutlines, str]:
    columns = [*_KEYS, "area", "average_type", "geometry"]
    rows = selected_marks(rows_of_subjects(tables, "reductions", subjects, columns), settings)
    types = rows["average_type"].unique().sort().to_list() or [settings.average_type]
    return _outlines(rows), ", ".join(types)


def _contours(
    tables: OutputTables, subjects: list[int], settings: Settings, level: Level, say: Say
) -> tuple[KeyedOutlines, str]:
    columns = [*CONTOURS.schema.names(), CORRECTION]
    rows = selected_marks(rows_of_subjects(tables, "contours", subjects, columns), settings)
    wanted = level.numbers(rows["clusters_count"])
    rows = use_corrections_of_level(rows, wanted)
    missing = MissingLevels(level)
    known = (rows["number_of_contours"], rows["contours_level"].to_list(), rows[CORRECTION].is_null())
    for number, highest, levels, by_volunteers in zip(wanted, *known, strict=True):
        if by_volunteers:
            missing.look_up(number, highest, levels)
    for note in missing.notes("of these subjects"):
        say(f"{note}, so their objects count as missed")
    levels = explode_levels(rows)
    is_wanted = levels["level"] == pl.Series(level.numbers(levels["clusters_count"]), dtype=pl.Int32)
    return _outlines(levels.filter(is_wanted)), str(level)


def _outlines(rows: pl.DataFrame) -> KeyedOutlines:
    polygons = np.asarray(shapely.from_wkb(rows["geometry"].to_numpy(allow_copy=True)), dtype=object)
    return KeyedOutlines(rows.select(_KEYS), polygons, np.asarray(shapely.area(polygons), dtype=np.float64))


def _note_other_tools(clusters: KeyedOutlines, expert: ReadGold, say: Say) -> None:
    """Say which tools cannot be scored since the expert did not use them."""
    used = expert.outlines.tools
    others = [] if used is None else sorted(set(clusters.keys["tool"].to_list()) - used)
    if others:
        say(f"{expert.name}: has no outlines of {', '.join(others)}, which are not scored")
