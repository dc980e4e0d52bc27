"""The settings as keyword arguments of the public functions, for type checkers.

`None` means "not set". A test compares the names and types with `polyframe.core.settings.Settings`.
"""

from collections.abc import Iterable
from typing import TypedDict

from polyframe.core.callbacks import Progress, Say
from polyframe.core.choices import (
    AverageType,
    ClusterMethod,
    ContourMethod,
    DuplicateMarks,
    EngineName,
    GoldStandard,
    RepeatFilter,
    Smoothing,
    Split,
    Visitors,
    Volunteers,
)
from polyframe.core.clusters import Cluster
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.object_stores import StorageOptions


class CallKeywords(TypedDict, total=False):
    """How to reach the input, and how to report and repeat the work; these are not settings."""

    storage_options: StorageOptions | None
    cluster: Cluster | None
    force: bool
    say: Say | None
    progress: Progress | None


class ExtractKeywords(CallKeywords, total=False):
    """Settings of `extract`, and how to do the work."""

    workflow_id: int | None
    workflow_version: str | None
    drawing_tasks: DrawingTask | Iterable[DrawingTask] | None
    task: str | Iterable[str] | None
    tool: int | Iterable[int] | None
    bezier_tool: int | str | Iterable[int | str] | None
    duplicate_marks: DuplicateMarks | None
    volunteers: Volunteers | None
    visitors: Visitors | None
    engine: EngineName | None
    jobs: int | None
    partition_size: int | None
    max_shrink: float | str | None
    keep_versions: int | None


class ReduceKeywords(ExtractKeywords, total=False):
    """Settings of `reduce`."""

    filter: RepeatFilter | None
    exclude_volunteers: str | Iterable[str] | None
    gold_standard: GoldStandard | None
    average: AverageType | None
    average_type: AverageType | None
    eps: float | None
    min_samples: int | None
    cluster_method: ClusterMethod | None
    split: Split | None
    min_threshold: float | None
    collab: bool | None
    step_key: str | None
    task_index: int | None
    tool_type: str | None
    subtask_extractors: str | Iterable[str] | None


class ContoursKeywords(ReduceKeywords, total=False):
    """Settings of `contours`."""

    contour_method: ContourMethod | None
    num_grid_points: int | None
    smoothing: Smoothing | None
    max_levels: int | None
