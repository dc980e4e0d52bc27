"""The settings of a run: names, defaults, ranges and help texts, in one place.

The command line, the configuration files, the Parquet footers and the table of settings in the README are
all made from the fields of `Settings`.
"""

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Literal, Self, TypedDict

from polyframe.core.choices import (
    ENGINE_ALIASES,
    AverageType,
    ContourMethod,
    DuplicateMarks,
    EngineName,
    ExtractorKind,
    RepeatFilter,
    Smoothing,
    Visitors,
    Volunteers,
)
from polyframe.core.errors import UsageError, in_short
from polyframe.core.local_paths import listed
from polyframe.core.suggestions import nearest
from polyframe.core.values import LARGEST_INDEX, as_builtin, is_integer

#: Which results a setting changes: `extract` and all that follows, `reduce` and `contours`, `contours` alone,
#: what is handed on to other programs (`carried`), or none of them, only how the work is done (`run`).
Affects = Literal["extract", "reduce", "contours", "carried", "run"]


@dataclass(frozen=True)
class DrawingTask:
    """One drawing task to extract.

    Attributes
    ----------
    task : str
        The task's key, such as `T0`.
    tools : tuple of int, or None
        The indices of its tools; None takes all of them.
    kind : {"polygon", "bezier"}
        How the points are read: as the outline itself, or as control points of quadratic Bezier curves.
    """

    task: str
    tools: tuple[int, ...] | None = None
    kind: ExtractorKind = "polygon"


def _setting(
    default: Any,
    affects: Affects,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    aliases: Mapping[str, str] = MappingProxyType({}),
    flag: str | None = None,
) -> Any:
    metadata = {"affects": affects, "help": text, "choices": choices, "aliases": aliases, "flag": flag}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; see the help text of each field.

    Raises
    ------
    UsageError
        Where a value is out of its range; the message names the setting, the value and the range.
    """

    workflow_id: int | None = _setting(
        None,
        "extract",
        "the workflow to use; needed where the export holds several, unless OUT was made with one of them",
        flag="--workflow-id",
    )
    workflow_version: str | None = _setting(
        None,
        "extract",
        "`13.19` exactly, `13` for all 13.x, a range `4..13.19` with both ends included, or `newest`; "
        "default: as OUT was made with, or the newest for a new OUT",
        flag="--workflow-version",
    )
    drawing_tasks: tuple[DrawingTask, ...] = _setting(
        (),
        "extract",
        "the drawing tasks of the configuration's `extractor_config`; "
        "default: every task with polygon-like marks",
    )
    task: tuple[str, ...] = _setting(
        (), "extract", "use only this task, such as `T0`; repeatable", flag="--task"
    )
    tool: tuple[int, ...] = _setting(
        (), "extract", "use only the tool with this index, such as `1`; repeatable", flag="--tool"
    )
    bezier_tool: tuple[str, ...] = _setting(
        (),
        "extract",
        "read the marks of the tool with this index as Bezier curves, such as `1`, or `T0:1` for that of one "
        "task; repeatable. Classifier 1.x does not say which marks are curves",
        flag="--bezier-tool",
    )
    duplicate_marks: DuplicateMarks = _setting(
        "reject",
        "extract",
        "what becomes of an exact copy of a mark in the same classification, task, frame and tool",
        choices=typing.get_args(DuplicateMarks),
        flag="--duplicate-marks",
    )
    volunteers: Volunteers = _setting(
        "keep",
        "extract",
        "names and numbers of volunteers in what is written: as they are, hashed with the secret in the "
        "environment variable `POLYFRAME_VOLUNTEERS_KEY`, or left out",
        choices=typing.get_args(Volunteers),
        flag="--volunteers",
    )
    visitors: Visitors = _setting(
        "session",
        "extract",
        "how to distinguish visitors who are not logged in, who share one name per network address: by the "
        "session in the metadata, where there is one, or by name only",
        choices=typing.get_args(Visitors),
        flag="--visitors",
    )
    filter: RepeatFilter = _setting(
        "first",
        "reduce",
        "which classification counts where a volunteer classified a subject more than once",
        choices=typing.get_args(RepeatFilter),
        flag="--filter",
    )
    average_type: AverageType = _setting(
        "median",
        "reduce",
        "how the marks of a cluster become one polygon",
        choices=typing.get_args(AverageType),
        flag="--average",
    )
    eps: float = _setting(
        0.5,
        "reduce",
        "the largest IoU distance between neighbours, above 0 and up to 1 (fraction)",
        flag="--eps",
    )
    min_samples: int = _setting(
        2,
        "reduce",
        "how many marks (itself included) make a mark the core of a cluster; at least 1",
        flag="--min-samples",
    )
    min_threshold: float = _setting(
        0.0,
        "reduce",
        "drop clusters whose share of the classifications is not above this (fraction, 0 to 1)",
        flag="--min-threshold",
    )
    contour_method: ContourMethod = _setting(
        "exact",
        "contours",
        "contours from the outlines themselves, or from counts on a grid",
        choices=typing.get_args(ContourMethod),
        flag="--contour-method",
    )
    num_grid_points: int = _setting(
        100, "contours", "grid points along each axis for `raster`; at least 2", flag="--num-grid-points"
    )
    smoothing: Smoothing = _setting(
        "minimal_sides",
        "contours",
        "what `raster` does to the steps of its grid",
        choices=typing.get_args(Smoothing),
        flag="--smoothing",
    )
    collab: bool = _setting(False, "carried", "accepted for Panoptes; kept for the Panoptes CSV export")
    step_key: str = _setting("S0", "carried", "accepted for Panoptes; kept for the Panoptes CSV export")
    task_index: int = _setting(0, "carried", "accepted for Panoptes; kept for the Panoptes CSV export")
    tool_type: str = _setting(
        "freehandLine", "carried", "accepted for Panoptes; kept for the Panoptes CSV export"
    )
    engine: EngineName = _setting(
        "auto",
        "run",
        "what computes areas and contours: GEOS (`shapely`), or loops compiled by numba (`compiled`, the "
        "extra `fast`); `auto` takes the faster one that is installed",
        choices=typing.get_args(EngineName),
        aliases=ENGINE_ALIASES,
        flag="--engine",
    )
    jobs: int = _setting(
        0, "run", "workers; 0 means one for each processor; the results are the same", flag="--jobs"
    )
    partition_size: int = _setting(
        8, "run", "megabytes of the export that a worker takes at once", flag="--partition-size"
    )
    max_shrink: float = _setting(
        0.5,
        "run",
        "stop where marks or clusters would fall by more than this share of those in OUT, such as `50%` or "
        "`0.5`, with the settings that OUT was made with; `100%` never stops",
        flag="--max-shrink",
    )

    def __post_init__(self) -> None:
        """Check every value; an earlier name of a choice becomes the one of today."""
        _rename_choices(self)
        _check_choices(self)
        _require(0 < _number("eps", self.eps) <= 1, "eps", self.eps, "a fraction above 0 and up to 1")
        _require(
            is_integer(self.min_samples) and self.min_samples >= 1,
            "min_samples",
            self.min_samples,
            "a whole number from 1",
        )
        _require(
            0 <= _number("min_threshold", self.min_threshold) <= 1,
            "min_threshold",
            self.min_threshold,
            "a fraction from 0 to 1",
        )
        _require(
            is_integer(self.num_grid_points) and 2 <= self.num_grid_points <= 10_000,
            "num_grid_points",
            self.num_grid_points,
            "a whole number from 2 to 10000",
        )
        _require(isinstance(self.collab, bool), "collab", self.collab, "true or false")
        for name in ("step_key", "tool_type"):
            _require(isinstance(getattr(self, name), str), name, getattr(self, name), "a text")
        _require(is_integer(self.task_index), "task_index", self.task_index, "a whole number")
        _require(is_integer(self.jobs) and self.jobs >= 0, "jobs", self.jobs, "a whole number from 0")
        _require(
            is_integer(self.partition_size) and self.partition_size >= 1,
            "partition_size",
            self.partition_size,
            "a whole number from 1",
        )
        share = self.max_shrink
        _require(
            isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share <= 1,
            "max_shrink",
            share,
            "a share from 0 to 100%, such as 50% or 0.5",
        )
        _require(
            self.workflow_id is None or (is_integer(self.workflow_id) and self.workflow_id >= 0),
            "workflow_id",
            self.workflow_id,
            "a whole number",
        )
        _require(
            all(isinstance(task, str) and task for task in self.task),
            "task",
            self.task,
            "task keys such as T0",
        )
        _require(
            all(
                isinstance(drawing, DrawingTask)
                and isinstance(drawing.task, str)
                and (drawing.tools is None or isinstance(drawing.tools, tuple))
                for drawing in self.drawing_tasks
            ),
            "drawing_tasks",
            self.drawing_tasks,
            "several DrawingTask, such as DrawingTask('T0', (0, 1))",
        )
        tools = [tool for drawing in self.drawing_tasks for tool in drawing.tools or ()]
        _require(
            all(is_integer(tool) and 0 <= tool <= LARGEST_INDEX for tool in tools),
            "drawing_tasks",
            tools,
            "tool indices such as 0",
        )
        _require(
            all(is_integer(tool) and 0 <= tool <= LARGEST_INDEX for tool in self.tool),
            "tool",
            self.tool,
            "tool indices such as 0",
        )
        for tool in self.bezier_tool:
            split_tool(tool)

    def replace(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with some values changed.

        Parameters
        ----------
        values : mapping
            Settings by name. None means "as it is".

        Returns
        -------
        Settings

        Raises
        ------
        UsageError
            Where a name is no setting (the nearest one is named) or a value is out of its range.
        """
        names = [f.name for f in dataclasses.fields(self)]
        for name in values:
            if name not in names:
                raise UsageError(f"unknown setting {name!r}{nearest(name, names)}")
        given = {name: as_builtin(value) for name, value in values.items() if value is not None}
        for name in ("drawing_tasks", "task", "tool", "bezier_tool"):
            if name in given:
                given[name] = _as_tuple(given[name])
        if "max_shrink" in given:
            given["max_shrink"] = _as_share(given["max_shrink"])
        if "bezier_tool" in given:
            given["bezier_tool"] = tuple(str(tool) for tool in given["bezier_tool"])
        return dataclasses.replace(self, **given)

    def affecting(self, *stages: Affects) -> dict[str, Any]:
        """Return the settings that change the results of some stages, as plain JSON values.

        Parameters
        ----------
        *stages : {"extract", "reduce", "contours", "carried", "run"}

        Returns
        -------
        dict
            Setting names in the order of the fields; drawing tasks as dictionaries, tuples as lists.
        """
        return {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if f.metadata["affects"] in stages
        }


class TuneOptions(TypedDict, total=False):
    """The keyword arguments of `tune` beside the values to compare: fields of `Settings`, see there."""

    workflow_id: int | None
    workflow_version: str | None
    drawing_tasks: tuple[DrawingTask, ...] | None
    task: str | Iterable[str] | None
    tool: int | Iterable[int] | None
    filter: RepeatFilter | None
    min_threshold: float | None
    engine: EngineName | None
    jobs: int | None


class Options(TuneOptions, total=False):
    """The keyword arguments of the public functions: any field of `Settings`, see there."""

    bezier_tool: int | str | Iterable[int | str] | None
    duplicate_marks: DuplicateMarks | None
    volunteers: Volunteers | None
    visitors: Visitors | None
    average_type: AverageType | None
    eps: float | None
    min_samples: int | None
    contour_method: ContourMethod | None
    num_grid_points: int | None
    smoothing: Smoothing | None
    collab: bool | None
    step_key: str | None
    task_index: int | None
    tool_type: str | None
    partition_size: int | None
    max_shrink: float | str | None


def split_tool(tool: str) -> tuple[str | None, int]:
    """Return task and index of a tool that is named as `1` or `T0:1`; without a task, None.

    Raises
    ------
    UsageError
        Where it has another form.
    """
    task, colon, index = str(tool).strip().rpartition(":")
    if not (index.isascii() and index.isdecimal()) or len(index) > len("2147483647") or (colon and not task):
        raise UsageError(f"bezier_tool: {in_short(tool)} is not the index of a tool, such as 1 or T0:1")
    return task or None, int(index)


def _rename_choices(settings: Settings) -> None:
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if isinstance(value, str) and value in f.metadata["aliases"]:
            object.__setattr__(settings, f.name, f.metadata["aliases"][value])


def _check_choices(settings: Settings) -> None:
    for f in dataclasses.fields(settings):
        choices: tuple[str, ...] = f.metadata["choices"]
        value = getattr(settings, f.name)
        if choices and not (isinstance(value, str) and value in choices):
            raise UsageError(f"{f.name}: {in_short(value)} is not one of {', '.join(choices)}")


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise UsageError(f"{name}: {in_short(value)} is not {expected}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(f"{name}: {in_short(value)} is not a number")
    return float(value)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(map(as_builtin, listed(value)))


def _as_share(value: Any) -> Any:
    """Turn a text such as `50%` or `0.5` into a fraction; leave what is no such text as it is."""
    if not isinstance(value, str):
        return value
    number, percent, rest = value.strip().partition("%")
    try:
        share = Decimal(number.strip())
    except InvalidOperation:
        return value
    return value if rest or not share.is_finite() else float(share / 100 if percent else share)


def _plain(value: Any) -> Any:
    if isinstance(value, DrawingTask):
        return {"task": value.task, "tools": _plain(value.tools), "kind": value.kind}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
