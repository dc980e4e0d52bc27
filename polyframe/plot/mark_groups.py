"""What the tables of an output directory know of a subject: its marks, clusters, averages and contours."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Floats, Ints
from polyframe.core.choices import TableName
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.frames import Frame, columns_of
from polyframe.core.local_paths import as_list, local_path
from polyframe.core.tables import GROUP_KEYS, TABLES
from polyframe.core.values import as_builtin, is_integer
from polyframe.store.output import Output
from polyframe.store.reading import current_manifest, scan

#: (n, 2) float64, image pixels, y downwards.

_MARK: Final = ("classification_id", "mark_index")
_NAMED: Final = 5
#: What is drawn of each table, beside the group keys.
_COLUMNS: Final = {
    "extractions": (*_MARK, "x", "y"),
    "labels": (*_MARK, "volunteer", "cluster_label"),
    "reductions": ("cluster_label", "consensus", "average_type", "clusters_x", "clusters_y"),
    "contours": ("cluster_label", "contours_x", "contours_y"),
}


@dataclass(frozen=True)
class Cluster:
    """One cluster of a group.

    Attributes
    ----------
    label : int
        From 0.
    n_marks : int
    consensus : float or None
        Fraction; None where `min_threshold` has dropped the cluster from the tables.
    average_type : str or None
        How the average was made.
    average : (n, 2) float64
        Outline of the averaged polygon, closed; (0, 2) where it is empty or dropped.
    levels : list of (n, 2) float64, or None
        Outlines of the contours from level 1, closed; None where there is no table of contours.
    """

    label: int
    n_marks: int
    consensus: float | None
    average_type: str | None
    average: Floats
    levels: list[Floats] | None


@dataclass(frozen=True)
class MarkGroup:
    """The marks of one subject, task, frame and tool that took part.

    Attributes
    ----------
    subject_id, task, frame, tool
        The group's keys.
    marks : list of (n, 2) float64
        Each outline as drawn, closed, image pixels, y downwards.
    labels : (n_marks,) int64
        The cluster of each mark; -1 for an outlier.
    n_volunteers : int
        People who drew them; those without a name count once for each classification.
    clusters : list of Cluster
        By label.
    """

    subject_id: int
    task: str
    frame: int
    tool: str
    marks: list[Floats]
    labels: Ints
    n_volunteers: int
    clusters: list[Cluster]

    @property
    def n_outliers(self) -> int:
        """Marks in no cluster."""
        return int((self.labels < 0).sum())


def read_groups(
    output: str | os.PathLike[str],
    subject_id: int,
    *,
    tasks: str | Iterable[str] = (),
    frames: int | Iterable[int] = (),
    tools: int | Iterable[int] = (),
) -> list[MarkGroup]:
    """Read the groups of a subject from an output directory.

    Parameters
    ----------
    output : path
        What a run wrote. Without the table `contours` the clusters have no levels.
    subject_id : int
    tasks, frames, tools : text or number, or several
        Only these tasks (such as `"T0"`), frames and indexes of tools; all where empty.

    Returns
    -------
    list of MarkGroup
        Sorted by task, frame and tool; at least one.

    Raises
    ------
    UsageError
        Where one of these is of another type.
    PolyframeError
        Where OUT lacks a table or the subject, or the subject has no marks of a task, frame or tool that is
        named; the message names what there is.
    """
    output = local_path(output, "output")
    subject_id = as_builtin(subject_id)
    if not is_integer(subject_id):
        raise UsageError(f"subject_id: {short_repr(subject_id)} is not a whole number")
    tasks, frames, tools = map(as_list, (tasks, frames, tools))
    if not all(isinstance(task, str) for task in tasks):
        raise UsageError(f"tasks: {short_repr(tasks)} are not task keys such as T0")
    for name, numbers in (("frames", frames), ("tools", tools)):
        if not all(is_integer(as_builtin(number)) for number in numbers):
            raise UsageError(f"{name}: {short_repr(numbers)} are not whole numbers")
    wanted = pl.col("subject_id") == subject_id
    labels = _rows(output, "labels", wanted)
    if labels.is_empty():
        raise PolyframeError(_unknown(output, subject_id))
    # Of contours the reader can do without.
    has_contours = "contours" in current_manifest(Output(output)).stages
    contours = _rows(output, "contours", wanted) if has_contours else None
    groups = groups_of(
        _rows(output, "extractions", wanted), labels, _rows(output, "reductions", wanted), contours
    )
    chosen = [
        group
        for group in groups
        if (not tasks or group.task in tasks)
        and (not frames or group.frame in frames)
        and (not tools or _tool_index(group.tool) in tools)
    ]
    for what, named, held in (
        ("task", tasks, {group.task for group in chosen}),
        ("frame", frames, {group.frame for group in chosen}),
        ("tool", tools, {_tool_index(group.tool) for group in chosen}),
    ):
        missing = [str(value) for value in named if value not in held]
        # Where nothing is chosen, it may be that no value is wrong by itself.
        if missing and chosen:
            raise PolyframeError(_not_there(subject_id, f"of {what} {', '.join(missing)}", groups))
    if not chosen:
        raise PolyframeError(_not_there(subject_id, "of that choice", groups))
    return chosen


def _not_there(subject_id: int, what: str, groups: list[MarkGroup]) -> str:
    there = ", ".join(f"frame {group.frame} {group.tool}" for group in groups[:_NAMED])
    more = f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else ""
    return f"subject {subject_id} has no marks {what}; it has {there}{more}"


def groups_of(
    extractions: Frame,
    labels: Frame,
    reductions: Frame,
    contours: Frame | None = None,
) -> list[MarkGroup]:
    """Put the groups of any subjects together from rows of the tables.

    Parameters
    ----------
    extractions, labels, reductions : frame
        Rows of these tables, of the same subjects; of Polars, pandas or Arrow.
    contours : frame, optional
        Rows of that table.

    Returns
    -------
    list of MarkGroup
        Sorted by the group keys; empty for no labels.

    Raises
    ------
    UsageError
        Where one is no frame, or lacks columns of its table.
    """
    extractions, labels, reductions = (
        _columns(table, name)
        for name, table in (("extractions", extractions), ("labels", labels), ("reductions", reductions))
    )
    contours = None if contours is None else _columns(contours, "contours")
    outlines = extractions.select(*GROUP_KEYS, *_MARK, "x", "y")
    drawn = labels.join(outlines, on=[*GROUP_KEYS, *_MARK], maintain_order="left")
    averaged, levelled = _by_group(reductions), {} if contours is None else _by_group(contours)
    groups = []
    for key, rows in _by_group(drawn).items():
        found = rows["cluster_label"].to_numpy().astype(np.int64)
        averages = {row["cluster_label"]: row for row in _dicts(averaged.get(key))}
        stacks = {row["cluster_label"]: row for row in _dicts(levelled.get(key))}
        clusters = [
            _cluster(
                int(label),
                int((found == label).sum()),
                averages.get(label),
                stacks.get(label),
                contours is None,
            )
            for label in np.unique(found[found >= 0])
        ]
        groups.append(
            MarkGroup(
                subject_id=key[1],
                task=key[2],
                frame=key[3],
                tool=key[4],
                marks=[closed(x, y) for x, y in zip(rows["x"], rows["y"], strict=True)],
                labels=found,
                n_volunteers=rows.select(
                    pl.coalesce("volunteer", pl.format("\0{}", "classification_id")).n_unique()
                ).item(),
                clusters=clusters,
            )
        )
    return groups


def closed(x: Any, y: Any) -> Floats:
    """Return an outline as points, the first again at its end; (0, 2) for none."""
    points = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    if len(points) and not np.array_equal(points[0], points[-1]):
        points = np.vstack([points, points[:1]])
    return points


def _columns(table: Frame, name: str) -> pl.DataFrame:
    return columns_of(table, name, TABLES[name].schema, (*GROUP_KEYS, *_COLUMNS[name]))


def _cluster(
    label: int, n_marks: int, average: dict[str, Any] | None, stack: dict[str, Any] | None, unknown: bool
) -> Cluster:
    levels = [] if stack is None else list(map(closed, stack["contours_x"], stack["contours_y"]))
    return Cluster(
        label=label,
        n_marks=n_marks,
        consensus=average["consensus"] if average else None,
        average_type=average["average_type"] if average else None,
        average=closed(average["clusters_x"], average["clusters_y"]) if average else closed([], []),
        levels=None if unknown else levels,
    )


def _rows(output: str | os.PathLike[str], table: TableName, wanted: pl.Expr) -> pl.DataFrame:
    try:
        return scan(output, table).filter(wanted).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        told = str(error).splitlines()[0]
        raise PolyframeError(
            f"{output}: table {table} cannot be read ({told}); see `polyframe validate`"
        ) from None


def _by_group(rows: pl.DataFrame) -> dict[tuple[Any, ...], pl.DataFrame]:
    return rows.partition_by(*GROUP_KEYS, as_dict=True, maintain_order=True)


def _dicts(rows: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if rows is None else rows.to_dicts()


def _tool_index(tool: str) -> int:
    digits = tool[len(tool.rstrip("0123456789")) :]
    return int(digits) if digits else -1


def _unknown(output: str | os.PathLike[str], subject_id: int) -> str:
    """Say why there is nothing to draw of a subject, and name the nearest subjects that can be drawn."""
    seen = scan(output, "classifications").filter(pl.col("subject_id") == subject_id).select(pl.len())
    classifications = seen.collect().item()
    there = (
        scan(output, "groups")
        .select(pl.col("subject_id").unique())
        .sort((pl.col("subject_id") - subject_id).abs(), "subject_id")
        .head(_NAMED)
        .collect()["subject_id"]
    )
    problem = (
        f"subject {subject_id} has {classifications} classifications, but no mark that took part"
        if classifications
        else f"{output}: no subject {subject_id}"
    )
    named = ", ".join(map(str, sorted(there)))
    return f"{problem}; there are for instance {named}" if named else f"{problem}; no subject there has marks"
