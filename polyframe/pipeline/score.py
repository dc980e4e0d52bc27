"""Score marks, averages or contours against the outlines of an expert."""

from collections.abc import Iterable, Mapping

import polars as pl

from polyframe.core.callbacks import Progress, Say, detailed, no_progress
from polyframe.core.choices import CorrectionsUse, ScoredTable
from polyframe.core.levels import AnyLevel, parse_level
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.notes import show
from polyframe.pipeline.configure import configure, settings_from_arguments
from polyframe.pipeline.gold.read_gold import Gold, gold_source
from polyframe.pipeline.score_output import ScoreOptions, score_output
from polyframe.store.corrections import uses_corrections


def score(
    output: AnyPlace,
    gold: Gold,
    *,
    what: ScoredTable | None = None,
    level: AnyLevel | None = None,
    min_iou: float | None = None,
    gold_workflow_id: int | None = None,
    gold_workflow_version: str | None = None,
    task: str | Iterable[str] | None = None,
    tool: int | Iterable[int] | None = None,
    corrections: CorrectionsUse | None = None,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Score averaged polygons, contours or marks against the outlines of an expert, like `polyframe score`.

    On each image and for each tool, pairs with an IoU below `min_iou` are removed; then the one-to-one
    matching with the largest sum of IoU is chosen. Images that the expert did not look at do not count.

    Parameters
    ----------
    output : path
        An output directory; nothing in it is changed.
    gold : path, frame or `"gold_standard"`
        The outlines of the expert: a classification export (a path or a frame), whose marks are extracted
        with the settings of `output`; a file of GeoJSON whose features have the property `subject_id` and
        perhaps `frame` and `tool`; a file of COCO with polygons; or `"gold_standard"`, the classifications in
        `output` that are marked so.
    what : {"reductions", "contours", "marks"}, optional
        What to score. Default: reductions, or contours with `level`. Marks are matched for each
        classification, and scored for each volunteer too.
    level : int or str, optional
        The contour level: a number of marks, such as 3, or a share of the marks of each cluster, such as
        `50%`.
    min_iou : float, optional
        The least IoU of a match (0 <= min_iou <= 1). Default: 0.5.
    gold_workflow_id : int, optional
        The workflow of the gold outlines. Default: that of `output`.
    gold_workflow_version : str, optional
        The version of that workflow, as `workflow_version` for `run`. Default: that of `output`, or the
        newest of another workflow.
    task, tool
        As for `reduce`: score only these.
    corrections : {"use", "ignore"}, optional
        Whether imported corrections replace the polygons of their clusters. Default: use.
    storage_options : mapping, optional
        As for `polyframe.scan`.
    say : callable, optional
        Receives notes, for example about gold outlines that cannot be used.
    progress : callable, optional
        Receives the numbers of partitions that are read and to read, for each table.

    Returns
    -------
    polars.DataFrame
        `polyframe.core.result_tables.SCORES` describes the columns: a row for everything, one for each tool
        and, for marks, one for each volunteer. Without gold outlines on an image that the expert looked at,
        precision is 0 and recall is missing.

    Raises
    ------
    UsageError
        If an option is not valid, or the gold outlines name no tool and the project has several.
    PolyframeError
        If the gold outlines cannot be read or contain no subject of `output`, if the expert's classifications
        took part in the clusters, or if a table is missing or changes meanwhile.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.score("out", "data/expert.geojson")  # doctest: +SKIP
    """
    chosen, say = settings_from_arguments(locals()), show if say is None else say
    chosen_level = None if level is None else parse_level(level)
    iou, corrected = 0.5 if min_iou is None else min_iou, uses_corrections(corrections)
    options = ScoreOptions(what, chosen_level, iou, corrected)
    configured = configure(None, chosen, say)
    source = gold_source(gold, gold_workflow_id, gold_workflow_version, storage_options)
    place, steps = place_of(output, "output", storage_options), detailed(progress or no_progress)
    return score_output(place, source, options, configured, say, steps)
