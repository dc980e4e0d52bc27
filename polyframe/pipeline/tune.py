"""Compare many settings of the clustering on marks from anywhere."""

from collections.abc import Iterable, Mapping

import polars as pl

from polyframe.consensus.tune.parse_grid import EpsValues, MinSamplesValues, WordValues, grid_of
from polyframe.core.callbacks import Progress, Say, no_progress
from polyframe.core.choices import EngineName, GoldStandard, RepeatFilter
from polyframe.core.clusters import Cluster
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.errors import UsageError
from polyframe.core.notes import show
from polyframe.pipeline.configure import Configs, configure, settings_from_arguments
from polyframe.pipeline.gold.read_gold import Gold, gold_source
from polyframe.pipeline.in_memory import marks_outside_outputs
from polyframe.pipeline.load_marks import InputMarks, is_output, local_marks, place_of_marks
from polyframe.pipeline.tune_partitions import tune_frames, tune_output


def tune(
    marks: InputMarks,
    config: Configs = None,
    *,
    eps: EpsValues | None = None,
    min_samples: MinSamplesValues | None = None,
    cluster_method: WordValues | None = None,
    split: WordValues | None = None,
    gold: Gold | None = None,
    gold_workflow_id: int | None = None,
    gold_workflow_version: str | None = None,
    workflow_id: int | None = None,
    workflow_version: str | None = None,
    drawing_tasks: DrawingTask | Iterable[DrawingTask] | None = None,
    task: str | Iterable[str] | None = None,
    tool: int | Iterable[int] | None = None,
    filter: RepeatFilter | None = None,
    exclude_volunteers: str | Iterable[str] | None = None,
    gold_standard: GoldStandard | None = None,
    min_threshold: float | None = None,
    engine: EngineName | None = None,
    jobs: int | None = None,
    cluster: Cluster | None = None,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Compare many settings of the clustering on the same marks, like `polyframe tune`.

    Distances are computed once for all of them. The numbers for each combination are those of `reduce`.

    Parameters
    ----------
    marks : path, Extraction or frame
        An output directory, in which nothing is changed, or anything else that `reduce` accepts.
    config : path, mapping or several, optional
        Configuration files in the Panoptes form, or mappings with the same keys; their values of the
        settings that are compared are ignored.
    eps : str, float or iterable of float, optional
        The values to compare (0 < eps <= 1), or a string such as `"0.2:0.9:0.1"`, which includes both ends,
        or `"0.3,0.5"`. Default: 0.1 to 0.9 in steps of 0.1.
    min_samples : str, int or iterable of int, optional
        The same with integers (min_samples >= 1). Default: 2, 3, 4.
    cluster_method : {"dbscan", "hdbscan"}, or several, optional
        Words, or a string such as `"dbscan,hdbscan"`. HDBSCAN ignores `eps`, so it has a row only for each
        `min_samples`. Default: the setting of the output directory or of `config`, or `"dbscan"`.
    split : {"none", "doubled"}, or several, optional
        The same for the clusters that are split. Default: the setting of the output directory or of
        `config`, or `"none"`.
    gold : path, frame or `"gold_standard"`, optional
        The outlines of an expert, as for `score`: then the columns `gold_precision`, `gold_recall` and
        `gold_iou` say how well the averages of each pair agree with them.
    gold_workflow_id, gold_workflow_version
        The workflow and version of the outlines of the expert, as for `score`.
    workflow_id, workflow_version, drawing_tasks, task, tool
        As for `reduce`.
    filter, exclude_volunteers, gold_standard, min_threshold, engine, jobs
        As for `reduce`. For an output directory, its own settings apply unless they are overridden.
    cluster, storage_options, say, progress
        As for `run`; `cluster` and `progress` only matter for an output directory.

    Returns
    -------
    polars.DataFrame
        One row for each combination, sorted by `cluster_method`, `split`, `eps` and `min_samples`;
        `polyframe.core.result_tables.TUNING` describes the columns. Without marks all counts are 0.

    Raises
    ------
    UsageError
        If a value is not valid, there are more than 1,000 combinations, or a setting contradicts the one
        with which the marks were extracted.
    PolyframeError
        If the directory contains no extractions, or a run changes it meanwhile.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.tune("out", eps="0.2:0.9:0.1", min_samples=[2, 3, 4])  # doctest: +SKIP
    """
    chosen, say = settings_from_arguments(locals()), show if say is None else say
    source = None
    if gold is not None:
        source = gold_source(gold, gold_workflow_id, gold_workflow_version, storage_options)
    elif gold_workflow_id is not None or gold_workflow_version is not None:
        raise UsageError("gold: missing; gold_workflow_id and gold_workflow_version choose rows of it")
    grid = grid_of(eps, min_samples, cluster_method, split)
    compared = {name: values[0] for name, values in vars(grid).items() if values}
    # The values in the configuration may then contradict one another.
    configured = configure(config, chosen | compared, say, storage_options)
    if eps is not None and grid.cluster_method == ("hdbscan",):
        say("eps is ignored, since cluster_method is hdbscan")
    with local_marks(marks, storage_options, say) as (marks, say):
        place = place_of_marks(marks, storage_options)
        if place is not None and is_output(place):
            explicit = {name: value for name, value in configured.explicit.items() if name not in compared}
            return tune_output(
                place,
                explicit,
                grid,
                say,
                no_progress if progress is None else progress,
                configured.flagged,
                source,
                cluster,
            )
        extractions, classifications = marks_outside_outputs(marks, configured, say)
        return tune_frames(extractions, classifications, configured.settings, grid, say, source)
