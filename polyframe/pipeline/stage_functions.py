"""Provide the functions of the stages, on paths or on frames in memory: run, extract, reduce and contours."""

from collections.abc import Iterable
from typing import Unpack, overload

import polars as pl

from polyframe.consensus.extract import Extraction
from polyframe.consensus.reduce import Reduction
from polyframe.core import choices
from polyframe.core.callbacks import Progress, Say
from polyframe.core.clusters import Cluster
from polyframe.core.docstrings import with_settings
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.notes import show
from polyframe.core.object_stores import StorageOptions
from polyframe.core.setting_keywords import ContoursKeywords, ExtractKeywords, ReduceKeywords
from polyframe.pipeline.configure import Configs, configure, settings_from_arguments
from polyframe.pipeline.in_memory import (
    Exports,
    contours_in_memory,
    export_sources,
    extract_in_memory,
    reduce_in_memory,
)
from polyframe.pipeline.load_marks import InputMarks, local_marks
from polyframe.pipeline.summary import Summary
from polyframe.pipeline.write_tables import write_stage, write_tables


@with_settings("extract", "reduce", "contours", "carried", "run")
def run(
    classifications: Exports,
    output: AnyPlace,
    config: Configs = None,
    *,
    contours: bool = True,
    workflow_id: int | None = None,
    workflow_version: str | None = None,
    drawing_tasks: DrawingTask | Iterable[DrawingTask] | None = None,
    task: str | Iterable[str] | None = None,
    tool: int | Iterable[int] | None = None,
    bezier_tool: int | str | Iterable[int | str] | None = None,
    duplicate_marks: choices.DuplicateMarks | None = None,
    volunteers: choices.Volunteers | None = None,
    visitors: choices.Visitors | None = None,
    filter: choices.RepeatFilter | None = None,
    exclude_volunteers: str | Iterable[str] | None = None,
    gold_standard: choices.GoldStandard | None = None,
    average: choices.AverageType | None = None,
    average_type: choices.AverageType | None = None,
    eps: float | None = None,
    min_samples: int | None = None,
    cluster_method: choices.ClusterMethod | None = None,
    split: choices.Split | None = None,
    min_threshold: float | None = None,
    contour_method: choices.ContourMethod | None = None,
    num_grid_points: int | None = None,
    smoothing: choices.Smoothing | None = None,
    max_levels: int | None = None,
    collab: bool | None = None,
    step_key: str | None = None,
    task_index: int | None = None,
    tool_type: str | None = None,
    subtask_extractors: str | Iterable[str] | None = None,
    engine: choices.EngineName | None = None,
    jobs: int | None = None,
    partition_size: int | None = None,
    max_shrink: float | str | None = None,
    keep_versions: int | None = None,
    storage_options: StorageOptions | None = None,
    cluster: Cluster | None = None,
    force: bool = False,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Make all tables from a classification export, like `polyframe run`.

    Parameters
    ----------
    classifications : path, address, frame, or several
        The export. A path is a CSV file in UTF-8, plain or compressed with gzip or zstd, a Parquet file, a
        pattern such as `exports/*.csv`, or `-` for standard input. An address is a link (`https://`), or an
        object or a pattern in a store (`s3://bucket/exports/*.csv.gz`, `gs://`, `az://`; extra `cloud`). A
        frame has the columns of an export: of Polars (eager or lazy), pandas, or any library that exports
        Arrow, such as pyarrow and DuckDB.
    output : path or address
        The output directory, such as `out` or `s3://bucket/project`: new, empty, or from an earlier run.
        Parts that are up to date are kept.
    config : path, address, mapping or several, optional
        Configuration files in the Panoptes form, or mappings with the same keys.
    contours : bool
        False omits the table `contours`.
    {settings}
    storage_options : mapping, optional
        Credentials, endpoint and region of stores, named as in obstore and Polars, such as
        `{"aws_endpoint_url": "http://localhost:9000"}`. Others are those of the environment.
    cluster : str, distributed.Client or the module ray, optional
        Where the workers are: `"dask://HOST:PORT"`, `"ray://HOST:PORT"`, workers of Dask or Ray started on
        this machine (`"local-dask"`, `"local-ray"`), or what connects this process with a cluster already.
        Default: threads or processes of this machine. The tables are the same.
    force : bool
        Rebuild everything, even parts that are up to date.
    say : callable, optional
        Receives each note as a string.
    progress : callable, optional
        Receives the number of rows that are processed and the number of rows to process; rows that are up to
        date do not count.

    Returns
    -------
    Summary
        The counts of rows and marks; `print` shows them as the command does.

    Raises
    ------
    UsageError
        If a setting is not valid, or settings contradict one another.
    PolyframeError
        If the export cannot be used or the output cannot be written, if a task or tool in the settings has
        no outlines, or if marks or clusters would shrink by more than `max_shrink`.

    Notes
    -----
    Settings override the configuration. If no workflow or version is set, those of the output directory
    apply, or else the only workflow and the newest version of the export.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.run("classifications.csv", "out", eps=0.5, min_samples=2)  # doctest: +SKIP
    """
    chosen, say = settings_from_arguments(locals()), show if say is None else say
    stages = ["extract", "reduce", "contours"] if contours else ["extract", "reduce"]
    configured = configure(config, chosen, say, storage_options)
    sources = export_sources(classifications, storage_options)
    place = place_of(output, "output", storage_options)
    return write_tables(stages, sources, place, configured, say, progress, force=force, cluster=cluster)


@overload
def extract(
    classifications: Exports,
    config: Configs = None,
    *,
    output: None = None,
    **settings: Unpack[ExtractKeywords],
) -> Extraction: ...
@overload
def extract(
    classifications: Exports, config: Configs = None, *, output: AnyPlace, **settings: Unpack[ExtractKeywords]
) -> Summary: ...
@with_settings("extract", "run")
def extract(
    classifications: Exports,
    config: Configs = None,
    *,
    output: AnyPlace | None = None,
    workflow_id: int | None = None,
    workflow_version: str | None = None,
    drawing_tasks: DrawingTask | Iterable[DrawingTask] | None = None,
    task: str | Iterable[str] | None = None,
    tool: int | Iterable[int] | None = None,
    bezier_tool: int | str | Iterable[int | str] | None = None,
    duplicate_marks: choices.DuplicateMarks | None = None,
    volunteers: choices.Volunteers | None = None,
    visitors: choices.Visitors | None = None,
    engine: choices.EngineName | None = None,
    jobs: int | None = None,
    partition_size: int | None = None,
    max_shrink: float | str | None = None,
    keep_versions: int | None = None,
    storage_options: StorageOptions | None = None,
    cluster: Cluster | None = None,
    force: bool = False,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Extraction | Summary:
    """Extract the marks of a classification export, like `polyframe extract`.

    Parameters
    ----------
    classifications : path, address, frame, or several
        The export, as for `run`.
    config : path, address, mapping or several, optional
        Configuration files in the Panoptes form, or mappings with the same keys.
    output : path, optional
        Write the tables `classifications`, `extractions` and `rejects` to this output directory.
    {settings}
    storage_options, cluster, force, say, progress
        As for `run`; `cluster`, `force` and `progress` only matter with `output`.

    Returns
    -------
    Extraction
        The frames `classifications`, `extractions` and `rejects`; with `output`, a `Summary` instead.

    Raises
    ------
    UsageError, PolyframeError
        As for `run`.
    """
    chosen, say = settings_from_arguments(locals()), show if say is None else say
    configured = configure(config, chosen, say, storage_options)
    if output is None:
        return extract_in_memory(export_sources(classifications, storage_options), configured, say)
    sources = export_sources(classifications, storage_options)
    place = place_of(output, "output", storage_options)
    return write_tables(["extract"], sources, place, configured, say, progress, force=force, cluster=cluster)


@overload
def reduce(
    marks: InputMarks, config: Configs = None, *, output: None = None, **settings: Unpack[ReduceKeywords]
) -> Reduction: ...
@overload
def reduce(
    marks: InputMarks, config: Configs = None, *, output: AnyPlace, **settings: Unpack[ReduceKeywords]
) -> Summary: ...
@with_settings("extract", "reduce", "carried", "run")
def reduce(
    marks: InputMarks,
    config: Configs = None,
    *,
    output: AnyPlace | None = None,
    workflow_id: int | None = None,
    workflow_version: str | None = None,
    drawing_tasks: DrawingTask | Iterable[DrawingTask] | None = None,
    task: str | Iterable[str] | None = None,
    tool: int | Iterable[int] | None = None,
    bezier_tool: int | str | Iterable[int | str] | None = None,
    duplicate_marks: choices.DuplicateMarks | None = None,
    volunteers: choices.Volunteers | None = None,
    visitors: choices.Visitors | None = None,
    filter: choices.RepeatFilter | None = None,
    exclude_volunteers: str | Iterable[str] | None = None,
    gold_standard: choices.GoldStandard | None = None,
    average: choices.AverageType | None = None,
    average_type: choices.AverageType | None = None,
    eps: float | None = None,
    min_samples: int | None = None,
    cluster_method: choices.ClusterMethod | None = None,
    split: choices.Split | None = None,
    min_threshold: float | None = None,
    collab: bool | None = None,
    step_key: str | None = None,
    task_index: int | None = None,
    tool_type: str | None = None,
    subtask_extractors: str | Iterable[str] | None = None,
    engine: choices.EngineName | None = None,
    jobs: int | None = None,
    partition_size: int | None = None,
    max_shrink: float | str | None = None,
    keep_versions: int | None = None,
    storage_options: StorageOptions | None = None,
    cluster: Cluster | None = None,
    force: bool = False,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Reduction | Summary:
    """Cluster marks and average each cluster, like `polyframe reduce`.

    Parameters
    ----------
    marks : Extraction, frame or path
        The result of `extract`; a frame with the columns of the table `extractions`; an output directory,
        whose settings apply unless they are overridden; or a CSV file of extractions of panoptes_aggregation,
        also at an address. With a frame, `n_classifications` of the results counts only classifications with
        a mark.
    config : path, address, mapping or several, optional
        Configuration files in the Panoptes form, or mappings with the same keys.
    output : path, optional
        Write the tables `groups`, `labels`, `reductions`, `subjects` and `volunteers`. If `marks` is an
        output directory, this is the same one; if it is a CSV file, any directory. Marks in memory cannot be
        written.
    {settings}
    storage_options, cluster, force, say, progress
        As for `run`; `cluster`, `force` and `progress` only matter with `output`.

    Returns
    -------
    Reduction
        The frames `groups`, `labels`, `reductions`, `subjects` and `volunteers`, empty without marks; with
        `output`, a `Summary` instead.

    Raises
    ------
    UsageError, PolyframeError
        As for `run`, or if a frame lacks columns, or `output` does not fit the marks.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.reduce(pf.extract("classifications.csv"), eps=0.4).reductions  # doctest: +SKIP
    >>> pf.reduce("out", output="out", average="union")  # doctest: +SKIP
    """
    chosen, say = settings_from_arguments(locals()), show if say is None else say
    configured = configure(config, chosen, say, storage_options)
    with local_marks(marks, storage_options, say) as (marks, say):
        if output is not None:
            place = place_of(output, "output", storage_options)
            return write_stage(
                "reduce", marks, place, configured, say, progress, force=force, cluster=cluster
            )
        return reduce_in_memory(marks, configured, say)


@overload
def contours(
    marks: InputMarks, config: Configs = None, *, output: None = None, **settings: Unpack[ContoursKeywords]
) -> pl.DataFrame: ...
@overload
def contours(
    marks: InputMarks, config: Configs = None, *, output: AnyPlace, **settings: Unpack[ContoursKeywords]
) -> Summary: ...
@with_settings("extract", "reduce", "contours", "carried", "run")
def contours(
    marks: InputMarks,
    config: Configs = None,
    *,
    output: AnyPlace | None = None,
    workflow_id: int | None = None,
    workflow_version: str | None = None,
    drawing_tasks: DrawingTask | Iterable[DrawingTask] | None = None,
    task: str | Iterable[str] | None = None,
    tool: int | Iterable[int] | None = None,
    bezier_tool: int | str | Iterable[int | str] | None = None,
    duplicate_marks: choices.DuplicateMarks | None = None,
    volunteers: choices.Volunteers | None = None,
    visitors: choices.Visitors | None = None,
    filter: choices.RepeatFilter | None = None,
    exclude_volunteers: str | Iterable[str] | None = None,
    gold_standard: choices.GoldStandard | None = None,
    average: choices.AverageType | None = None,
    average_type: choices.AverageType | None = None,
    eps: float | None = None,
    min_samples: int | None = None,
    cluster_method: choices.ClusterMethod | None = None,
    split: choices.Split | None = None,
    min_threshold: float | None = None,
    contour_method: choices.ContourMethod | None = None,
    num_grid_points: int | None = None,
    smoothing: choices.Smoothing | None = None,
    max_levels: int | None = None,
    collab: bool | None = None,
    step_key: str | None = None,
    task_index: int | None = None,
    tool_type: str | None = None,
    subtask_extractors: str | Iterable[str] | None = None,
    engine: choices.EngineName | None = None,
    jobs: int | None = None,
    partition_size: int | None = None,
    max_shrink: float | str | None = None,
    keep_versions: int | None = None,
    storage_options: StorageOptions | None = None,
    cluster: Cluster | None = None,
    force: bool = False,
    say: Say | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame | Summary:
    """Cluster marks and compute the agreement contours of each cluster, like `polyframe contours`.

    Parameters
    ----------
    marks : Extraction, frame or path
        As for `reduce`.
    config : path, address, mapping or several, optional
        Configuration files in the Panoptes form, or mappings with the same keys.
    output : path, optional
        Write the table `contours`; `marks` must be the same output directory.
    {settings}
    storage_options, cluster, force, say, progress
        As for `run`; `cluster`, `force` and `progress` only matter with `output`.

    Returns
    -------
    polars.DataFrame
        The table `contours`, empty without clusters; with `output`, a `Summary` instead.

    Raises
    ------
    UsageError, PolyframeError
        As for `reduce`.
    """
    chosen, say = settings_from_arguments(locals()), show if say is None else say
    configured = configure(config, chosen, say, storage_options)
    with local_marks(marks, storage_options, say) as (marks, say):
        if output is not None:
            place = place_of(output, "output", storage_options)
            return write_stage(
                "contours", marks, place, configured, say, progress, force=force, cluster=cluster
            )
        return contours_in_memory(marks, configured, say)
