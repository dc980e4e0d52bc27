"""Declare the settings: names, defaults, ranges, flags and help texts.

The command line, the configuration files, the Parquet footers and the documentation are generated from the
fields of `Settings`. The signatures of the public functions are spelled out; a test compares them with it.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from polyframe.core.choices import (
    ENGINE_ALIASES,
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
from polyframe.core.drawing_tasks import (
    BEZIER_TOOLS,
    DRAWING_TASKS,
    SUBTASK_EXTRACTORS,
    TASKS,
    TOOLS,
    DrawingTask,
    normal_drawing_tasks,
    normal_tools,
)
from polyframe.core.errors import UsageError
from polyframe.core.setting_fields import Affects, as_names, as_set, as_strings, as_tuple, setting
from polyframe.core.setting_rules import (
    ANYTHING,
    BOOLEAN,
    NAMES,
    SHARE,
    STRING,
    as_share,
    integer,
    number,
    one_of,
    optional,
)
from polyframe.core.suggestions import nearest

_COPIED: Final = "not used; copied to the Panoptes CSV export"


@dataclass(frozen=True)
class Settings:
    """All settings; each field has its help text, flag, default and valid values.

    Raises
    ------
    UsageError
        If a value is not valid; the message names the setting, the valid values and the value.
    """

    workflow_id: int | None = setting(
        None,
        "extract",
        "--workflow-id",
        "the workflow to use; needed if the export contains several, unless OUT was made with one of them",
        optional(integer(0)),
    )
    workflow_version: str | None = setting(
        None,
        "extract",
        "--workflow-version",
        "`13.19` exactly, `13` for all 13.x, a range `4..13.19` with both ends included, or `newest`; "
        "default: the version of OUT, or the newest for a new OUT",
        ANYTHING,
    )
    drawing_tasks: tuple[DrawingTask, ...] = setting(
        (),
        "extract",
        None,
        "the drawing tasks in the configuration's `extractor_config`; "
        "default: every task with polygon-like marks",
        DRAWING_TASKS,
        convert=as_tuple,
        normalize=normal_drawing_tasks,
    )
    task: tuple[str, ...] = setting(
        (),
        "extract",
        "--task",
        "use only this task, such as `T0`; repeatable",
        TASKS,
        convert=as_tuple,
        normalize=as_set,
    )
    tool: tuple[int, ...] = setting(
        (),
        "extract",
        "--tool",
        "use only the tool with this index, such as `1`; repeatable",
        TOOLS,
        convert=as_tuple,
        normalize=as_set,
    )
    bezier_tool: tuple[str, ...] = setting(
        (),
        "extract",
        "--bezier-tool",
        "read the marks of the tool with this index as Bezier curves, such as `1`, or `T0:1` for one task; "
        "repeatable. Marks of classifier 1.x do not say whether they are curves",
        BEZIER_TOOLS,
        convert=as_strings,
        normalize=normal_tools,
    )
    duplicate_marks: DuplicateMarks = setting(
        "reject",
        "extract",
        "--duplicate-marks",
        "what to do with an exact copy of a mark in the same classification, task, frame and tool",
        one_of(*typing.get_args(DuplicateMarks)),
    )
    volunteers: Volunteers = setting(
        "keep",
        "extract",
        "--volunteers",
        "names and ids of volunteers in the tables: keep them, hash them with the secret in the environment "
        "variable `POLYFRAME_VOLUNTEERS_KEY`, or drop them",
        one_of(*typing.get_args(Volunteers)),
    )
    visitors: Visitors = setting(
        "session",
        "extract",
        "--visitors",
        "how to distinguish visitors who are not logged in, who share one name per network address: by the "
        "session in the metadata, if there is one, or by name only",
        one_of(*typing.get_args(Visitors)),
    )
    filter: RepeatFilter = setting(
        "first",
        "reduce",
        "--filter",
        "which classification counts if a volunteer classified a subject more than once",
        one_of(*typing.get_args(RepeatFilter)),
    )
    exclude_volunteers: tuple[str, ...] = setting(
        (),
        "reduce",
        "--exclude-volunteers",
        "a volunteer whose marks and classifications do not count, or a file with one name per line; "
        "repeatable. Tables record digests of the names",
        NAMES,
        convert=as_names,
        normalize=as_set,
    )
    gold_standard: GoldStandard = setting(
        "use",
        "reduce",
        "--gold-standard",
        "whether classifications that are marked as gold standards take part in the reduction",
        one_of(*typing.get_args(GoldStandard)),
    )
    average_type: AverageType = setting(
        "median",
        "reduce",
        "--average",
        "how the marks of a cluster become one polygon",
        one_of(*typing.get_args(AverageType)),
        keyword="average",
        in_reducer=True,
    )
    eps: float = setting(
        0.5,
        "reduce",
        "--eps",
        "largest IoU distance between neighbours (0 < eps <= 1)",
        number(0, 1, exclusive=True),
        in_reducer=True,
    )
    min_samples: int = setting(
        2,
        "reduce",
        "--min-samples",
        "neighbours, itself included, that make a mark the core of a cluster (min_samples >= 1)",
        integer(1),
        in_reducer=True,
    )
    cluster_method: ClusterMethod = setting(
        "dbscan",
        "reduce",
        "--cluster-method",
        "how marks are clustered; `hdbscan` finds the distances by itself, and ignores `eps`",
        one_of(*typing.get_args(ClusterMethod)),
        in_reducer=True,
    )
    split: Split = setting(
        "none",
        "reduce",
        "--split",
        "which clusters are split: none, or the doubled ones, in which several classifications have two or "
        "more marks, since they most likely contain several objects",
        one_of(*typing.get_args(Split)),
        in_reducer=True,
    )
    min_threshold: float = setting(
        0.0,
        "reduce",
        "--min-threshold",
        "drop clusters whose share of the classifications is not above this (0 <= min_threshold <= 1)",
        number(0, 1),
        in_reducer=True,
    )
    contour_method: ContourMethod = setting(
        "exact",
        "contours",
        "--contour-method",
        "compute contours from the outlines themselves, or from counts on a grid",
        one_of(*typing.get_args(ContourMethod)),
    )
    num_grid_points: int = setting(
        100,
        "contours",
        "--num-grid-points",
        "grid points along each axis for `raster` (2 <= num_grid_points <= 10000)",
        integer(2, 10_000),
        in_reducer=True,
    )
    smoothing: Smoothing = setting(
        "minimal_sides",
        "contours",
        "--smoothing",
        "how `raster` contours are smoothed",
        one_of(*typing.get_args(Smoothing)),
        in_reducer=True,
    )
    max_levels: int = setting(
        256,
        "contours",
        "--max-levels",
        "largest number of contour levels written for a cluster (max_levels >= 1); of a cluster with more, "
        "evenly spaced ones from the first to the last are written, or only the first if it is 1",
        integer(1),
    )
    collab: bool = setting(False, "carried", None, _COPIED, BOOLEAN, in_reducer=True)
    step_key: str = setting("S0", "carried", None, _COPIED, STRING, in_reducer=True)
    task_index: int = setting(0, "carried", None, _COPIED, integer(), in_reducer=True)
    tool_type: str = setting("freehandLine", "carried", None, _COPIED, STRING, in_reducer=True)
    subtask_extractors: tuple[str, ...] = setting(
        (),
        "carried",
        None,
        "the sub-tasks whose answers the Panoptes CSV export of extractions contains, such as "
        "`T0_toolIndex0_subtask1=text_extractor`; default: the `details` in the configuration's "
        "`extractor_config`",
        SUBTASK_EXTRACTORS,
        convert=as_tuple,
        normalize=as_set,
    )
    engine: EngineName = setting(
        "auto",
        "run",
        "--engine",
        "what computes areas and contours: GEOS (`shapely`), or loops compiled by numba (`compiled`, the "
        "extra `fast`); `auto` is `compiled` if it is installed and there are more than 2,000 rows, "
        "10 MB of drawings, or 1 MB of drawings of one subject",
        one_of(*typing.get_args(EngineName)),
        aliases=ENGINE_ALIASES,
    )
    jobs: int = setting(
        0,
        "run",
        "--jobs",
        "number of workers (jobs >= 0); 0 means one per processor; the results are the same",
        integer(0),
    )
    partition_size: int = setting(
        8,
        "run",
        "--partition-size",
        "megabytes of the export that a worker processes at once (partition_size >= 1)",
        integer(1),
    )
    max_shrink: float = setting(
        0.5,
        "run",
        "--max-shrink",
        "stop if the marks or clusters in OUT would shrink by more than this share, such as `50%` or `0.5`, "
        "with the settings that OUT was made with; `100%` never stops",
        SHARE,
        convert=as_share,
    )
    keep_versions: int = setting(
        2,
        "run",
        "--keep-versions",
        "how many versions of the tables a local OUT keeps, for `pf.scan(OUT, table, version=N)` "
        "(keep_versions >= 1); a bucket keeps all until `polyframe vacuum`",
        integer(1),
    )

    def __post_init__(self) -> None:
        """Check every value, replace earlier names of choices, and store values of the same meaning alike.

        Otherwise they would have different fingerprints, and everything would be rebuilt.
        """
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, str) and value in f.metadata["aliases"]:
                value = f.metadata["aliases"][value]
            f.metadata["rule"].check(f.name, value)
            if isinstance(f.default, float):
                value = float(value) + 0.0  # neither 1 nor -0.0
            if f.metadata["normalize"]:
                value = f.metadata["normalize"](value)
            object.__setattr__(self, f.name, value)

    def replace(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with some values changed.

        Parameters
        ----------
        values : mapping
            Settings by name; None keeps the present value.

        Returns
        -------
        Settings

        Raises
        ------
        UsageError
            If a name is not a setting (the message suggests the nearest one), or a value is not valid.
        """
        fields = {f.name: f for f in dataclasses.fields(self)}
        for name in values:
            if name not in fields:
                raise UsageError(f"unknown setting {name!r}{nearest(name, fields)}")
        changed = {
            name: fields[name].metadata["convert"](value)
            for name, value in values.items()
            if value is not None
        }
        return dataclasses.replace(self, **changed)

    def affecting(self, *stages: Affects) -> dict[str, Any]:
        """Return the settings that change the results of some stages, as plain JSON values.

        Parameters
        ----------
        *stages : {"extract", "reduce", "contours", "carried", "run"}

        Returns
        -------
        dict
            By name, in the order of the fields; drawing tasks as dictionaries, tuples as lists.
        """
        return {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if f.metadata["affects"] in stages
        }


def _plain(value: Any) -> Any:
    if isinstance(value, DrawingTask):
        return {"task": value.task, "tools": _plain(value.tools), "kind": value.kind}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
