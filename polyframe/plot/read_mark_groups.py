"""Read the marks, clusters, averages and contours of a subject from the tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.addresses import as_address
from polyframe.core.arrays import Floats, Ints
from polyframe.core.choices import CorrectionsUse
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.frames import Frame, columns_of
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import AnyPlace, as_list, local_path, place_of
from polyframe.core.notes import show
from polyframe.core.plurals import counted
from polyframe.core.scalar_checks import as_builtin, is_integer
from polyframe.core.tables import GROUP_KEYS, PUBLIC_TABLES
from polyframe.export.words import Words, read_words
from polyframe.store.corrections import uses_corrections
from polyframe.store.reading import OutputTables, explain_damage, open_tables

_MARK: Final = ("classification_id", "mark_index")
_MOST_LISTED: Final = 5
#: The columns to draw, beside the group keys.
_COLUMNS: Final = {
    "extractions": (*_MARK, "x", "y"),
    "labels": (*_MARK, "volunteer", "cluster_label"),
    "reductions": ("cluster_label", "consensus", "average_type", "clusters_x", "clusters_y"),
    "contours": ("cluster_label", "number_of_contours", "contours_level", "contours_x", "contours_y"),
}


@dataclass(frozen=True)
class MarkCluster:
    """One cluster of a group.

    Attributes
    ----------
    label : int
        From 0.
    n_marks : int
    consensus : float or None
        Fraction; None if `min_threshold` has dropped the cluster from the tables.
    average_type : str or None
        The kind of average.
    average : (n, 2) float64
        Outline of the averaged polygon, closed; (0, 2) if empty or dropped.
    levels : list of (n, 2) float64, or None
        Outlines of the contours, closed; None without the table of contours.
    level_numbers : list of int, or None
        The level of each of them; None means 1, 2, 3, ...
    highest_level : int or None
        The highest level with an area, written or not; None if it is the last of them.
    answers : str
        How volunteers answered the questions about its marks, in words; empty if they are not known.
    """

    label: int
    n_marks: int
    consensus: float | None
    average_type: str | None
    average: Floats
    levels: list[Floats] | None
    level_numbers: list[int] | None = None
    highest_level: int | None = None
    answers: str = ""


@dataclass(frozen=True)
class MarkGroup:
    """The clustered marks of one subject, task, frame and tool.

    Attributes
    ----------
    subject_id, task, frame, tool
        The group's keys.
    marks : list of (n, 2) float64
        Each outline as drawn, closed, image pixels, y downwards.
    labels : (n_marks,) int64
        The cluster of each mark, or -1 for outliers.
    n_volunteers : int
        Number of volunteers; those without a name count once for each classification.
    clusters : list of MarkCluster
        By label.
    tool_label, question : str
        The label of the tool and the question of the task in the project; empty if they are not known.
    """

    subject_id: int
    task: str
    frame: int
    tool: str
    marks: list[Floats]
    labels: Ints
    n_volunteers: int
    clusters: list[MarkCluster]
    tool_label: str = ""
    question: str = ""

    @property
    def n_outliers(self) -> int:
        """Marks in no cluster."""
        return int((self.labels < 0).sum())


def read_groups(
    output: AnyPlace,
    subject_id: int,
    *,
    tasks: str | Iterable[str] = (),
    frames: int | Iterable[int] = (),
    tools: int | Iterable[int] = (),
    workflows: AnyFile | None = None,
    classifications: AnyFile | None = None,
    corrections: CorrectionsUse | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> list[MarkGroup]:
    """Read the groups of a subject from an output directory.

    Parameters
    ----------
    output : path
        The output directory. Without the table `contours` the clusters have no levels.
    subject_id : int
    tasks, frames, tools : str or int, or several
        Only these tasks (such as `"T0"`), frames and tool indexes; all if empty.
    workflows : path or address, optional
        The workflow export, whose words for tasks, tools and answers the drawings show.
    classifications : path or address, optional
        The classification export. It contains the questions of tasks, and the labels of tools if the marks
        were drawn with classifier 1.x.
    corrections : {"use", "ignore"}, optional
        Whether imported corrections replace the averages of their clusters. Default: use.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    list of MarkGroup
        Sorted by task, frame and tool; at least one.

    Raises
    ------
    UsageError
        If an argument has another type.
    PolyframeError
        If a table or the subject is missing, or the subject has no marks of a task, frame or tool in the
        choice. The message lists what is available.
    """
    output = place_of(output, "output", storage_options)
    subject_id = as_builtin(subject_id)
    if not is_integer(subject_id):
        raise UsageError(f"subject_id: {short_repr(subject_id)} is not an integer")
    tasks, frames, tools = map(as_list, (tasks, frames, tools))
    if not all(isinstance(task, str) for task in tasks):
        raise UsageError(f"tasks: {short_repr(tasks)} are not task keys such as T0")
    for name, numbers in (("frames", frames), ("tools", tools)):
        if not all(is_integer(as_builtin(number)) for number in numbers):
            raise UsageError(f"{name}: {short_repr(numbers)} are not integers")
    of_subject = pl.col("subject_id") == subject_id
    exports = [
        None if value is None else as_address(value, storage_options) or local_path(value, name)
        for name, value in (("workflows", workflows), ("classifications", classifications))
    ]
    with (
        open_tables(output, "plot", corrected=uses_corrections(corrections)) as source,
        local_copies(exports, show, storage_options) as (copies, _),
    ):
        labels = _rows(source, "labels", of_subject)
        if labels.is_empty():
            raise PolyframeError(_unknown_subject(source, subject_id))
        contours = _rows(source, "contours", of_subject) if source.contains("contours") else None
        extractions = _rows(source, "extractions", of_subject)
        reductions = _rows(source, "reductions", of_subject)
        groups = groups_of(extractions, labels, reductions, contours)
        groups = _in_words(groups, reductions, read_words(source, copies[0], copies[1], show))
    chosen = [
        group
        for group in groups
        if (not tasks or group.task in tasks)
        and (not frames or group.frame in frames)
        and (not tools or _tool_index(group.tool) in tools)
    ]
    for what, requested, present in (
        ("task", tasks, {group.task for group in chosen}),
        ("frame", frames, {group.frame for group in chosen}),
        ("tool", tools, {_tool_index(group.tool) for group in chosen}),
    ):
        missing = [str(value) for value in requested if value not in present]
        # If nothing matches, each value alone may still be valid.
        if missing and chosen:
            raise PolyframeError(_no_marks(subject_id, f"of {what} {', '.join(missing)}", groups))
    if not chosen:
        raise PolyframeError(_no_marks(subject_id, "of this choice", groups))
    return chosen


def _in_words(groups: list[MarkGroup], reductions: pl.DataFrame, words: Words) -> list[MarkGroup]:
    """Return the groups with the words of the project."""
    keys = ("task", "frame", "tool", "cluster_label")
    votes = {tuple(row): votes for *row, votes in reductions.select(*keys, "details_votes").iter_rows()}

    def in_words(group: MarkGroup, cluster: MarkCluster) -> MarkCluster:
        of_cluster = votes.get((group.task, group.frame, group.tool, cluster.label))
        return replace(cluster, answers=words.answers(group.tool, of_cluster) or "")

    return [
        replace(
            group,
            tool_label=words.tools.get(group.tool, ""),
            question=words.tasks.get(group.task, ""),
            clusters=[in_words(group, cluster) for cluster in group.clusters],
        )
        for group in groups
    ]


def _no_marks(subject_id: int, what: str, groups: list[MarkGroup]) -> str:
    available = ", ".join(
        f"frame {group.frame} {group.tool}{_in_brackets(group)}" for group in groups[:_MOST_LISTED]
    )
    more = f" and {len(groups) - _MOST_LISTED} more" if len(groups) > _MOST_LISTED else ""
    return f"subject {subject_id} has no marks {what}; it has {available}{more}"


def _in_brackets(group: MarkGroup) -> str:
    return f" ({group.tool_label})" if group.tool_label and group.tool not in group.tool_label else ""


def groups_of(
    extractions: Frame,
    labels: Frame,
    reductions: Frame,
    contours: Frame | None = None,
) -> list[MarkGroup]:
    """Combine rows of the tables into groups.

    Parameters
    ----------
    extractions, labels, reductions : frame
        Rows of these tables, of the same subjects; of Polars, pandas or Arrow.
    contours : frame, optional
        Rows of that table.

    Returns
    -------
    list of MarkGroup
        Sorted by the group keys; empty without labels.

    Raises
    ------
    UsageError
        If one is not a frame, or lacks columns of its table.
    """
    extractions, labels, reductions = (
        _columns(table, name)
        for name, table in (("extractions", extractions), ("labels", labels), ("reductions", reductions))
    )
    contours = None if contours is None else _columns(contours, "contours")
    outlines = extractions.select(*GROUP_KEYS, *_MARK, "x", "y")
    drawn = labels.join(outlines, on=[*GROUP_KEYS, *_MARK], maintain_order="left")
    reductions_of = _by_group(reductions)
    contours_of = {} if contours is None else _by_group(contours)
    groups = []
    for key, rows in _by_group(drawn).items():
        mark_labels = rows["cluster_label"].to_numpy().astype(np.int64)
        averages = {row["cluster_label"]: row for row in _dicts(reductions_of.get(key))}
        stacks = {row["cluster_label"]: row for row in _dicts(contours_of.get(key))}
        clusters = [
            _cluster(
                int(label),
                int((mark_labels == label).sum()),
                averages.get(label),
                stacks.get(label),
                contours is None,
            )
            for label in np.unique(mark_labels[mark_labels >= 0])
        ]
        groups.append(
            MarkGroup(
                subject_id=key[1],
                task=key[2],
                frame=key[3],
                tool=key[4],
                marks=[closed(x, y) for x, y in zip(rows["x"], rows["y"], strict=True)],
                labels=mark_labels,
                n_volunteers=rows.select(
                    pl.coalesce("volunteer", pl.format("\0{}", "classification_id")).n_unique()
                ).item(),
                clusters=clusters,
            )
        )
    return groups


def closed(x: Any, y: Any) -> Floats:
    """Return an outline as points, the first repeated at its end; (0, 2) for an empty one."""
    points = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    if len(points) and not np.array_equal(points[0], points[-1]):
        points = np.vstack([points, points[:1]])
    return points


def _columns(table: Frame, name: str) -> pl.DataFrame:
    return columns_of(table, name, PUBLIC_TABLES[name].schema, (*GROUP_KEYS, *_COLUMNS[name]))


def _cluster(
    label: int, n_marks: int, average: dict[str, Any] | None, stack: dict[str, Any] | None, unknown: bool
) -> MarkCluster:
    levels = [] if stack is None else list(map(closed, stack["contours_x"], stack["contours_y"]))
    return MarkCluster(
        label=label,
        n_marks=n_marks,
        consensus=average["consensus"] if average else None,
        average_type=average["average_type"] if average else None,
        average=closed(average["clusters_x"], average["clusters_y"]) if average else closed([], []),
        levels=None if unknown else levels,
        level_numbers=None if stack is None else stack["contours_level"],
        highest_level=None if stack is None else stack["number_of_contours"],
    )


def _rows(source: OutputTables, table: str, of_subject: pl.Expr) -> pl.DataFrame:
    with explain_damage(source.output):
        return source.scan(table).filter(of_subject).collect()


def _by_group(rows: pl.DataFrame) -> dict[tuple[Any, ...], pl.DataFrame]:
    return rows.partition_by(*GROUP_KEYS, as_dict=True, maintain_order=True)


def _dicts(rows: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if rows is None else rows.to_dicts()


def _tool_index(tool: str) -> int:
    digits = tool[len(tool.rstrip("0123456789")) :]
    return int(digits) if digits else -1


def _unknown_subject(source: OutputTables, subject_id: int) -> str:
    """Return the error for a subject without marks, with the nearest subjects that have some."""
    seen = source.scan("classifications").filter(pl.col("subject_id") == subject_id).select(pl.len())
    classifications = seen.collect().item()
    subjects = (
        source.scan("groups")
        .select(pl.col("subject_id").unique())
        .sort((pl.col("subject_id") - subject_id).abs(), "subject_id")
        .head(_MOST_LISTED)
        .collect()["subject_id"]
    )
    problem = (
        f"subject {subject_id} has {counted(classifications, 'classification')}, but no usable marks"
        if classifications
        else f"{source.output}: no subject {subject_id}"
    )
    nearest = ", ".join(map(str, sorted(subjects)))
    return f"{problem}; subjects with marks: {nearest}" if nearest else f"{problem}; no subject has marks"
