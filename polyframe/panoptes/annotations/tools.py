"""List the tasks and tools with outlines in an export, and those in the settings that it lacks."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import polars as pl

from polyframe.core.drawing_tasks import split_tool
from polyframe.core.plurals import plural
from polyframe.core.reasons import LONGEST_TASK
from polyframe.core.scalar_checks import LARGEST_INDEX
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.mark_rules import (
    OUTLINE_KEYS,
    draws_outlines,
    tool_name,
    unknown_outline_keys,
)

#: The settings that name tasks and tools.
TOOL_SETTINGS: Final = ("drawing_tasks", "task", "tool", "bezier_tool")
_TOOL: Final = re.compile(r"(.*)_tool(?:Index)?([0-9]{1,10})", re.DOTALL)
#: Largest number of tools that are recorded for a partition, and listed in a message.
_RECORDED: Final = 100
_LISTED: Final = 20


@dataclass(frozen=True)
class Tools:
    """The tasks and tools of some outlines.

    Attributes
    ----------
    pairs : frozenset of (str, int)
        Task and index of each tool with an outline.
    undrawn : frozenset of str
        Drawing tasks that were answered without an outline.
    """

    pairs: frozenset[tuple[str, int]] = frozenset()
    undrawn: frozenset[str] = field(default_factory=frozenset)

    def __str__(self) -> str:
        tools: dict[str, list[int]] = {}
        for task, tool in sorted(self.pairs):
            tools.setdefault(task, []).append(tool)
        listed = [
            f"{task} ({plural(len(of_task), 'tool')} {', '.join(map(str, of_task[:_LISTED]))})"
            for task, of_task in tools.items()
        ]
        more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
        return ", ".join(listed[:_LISTED]) + more or "none of any task"

    def selected(self, settings: Settings) -> "Tools":
        """Return those that the settings select."""
        return Tools(
            frozenset(pair for pair in self.pairs if _takes(settings, *pair)),
            frozenset(task for task in self.undrawn if _selects_task_without_marks(settings, task)),
        )

    def missing(self, settings: Settings, names: Collection[str] = TOOL_SETTINGS) -> list[str]:
        """Describe the tasks and tools in the settings that are missing here.

        Parameters
        ----------
        settings : Settings
            All settings.
        names : collection of str
            The `TOOL_SETTINGS` to check.
        """
        tasks = {task for task, _ in self.pairs} | self.undrawn
        missing: list[str] = []
        for drawing in settings.drawing_tasks if "drawing_tasks" in names else ():
            if drawing.task not in tasks:
                missing.append(f"task {drawing.task}")
                continue
            missing += [
                f"tool {tool} of task {drawing.task}"
                for tool in drawing.tools or ()
                if (drawing.task, tool) not in self.pairs
            ]
        if "task" in names:
            missing += [f"task {task}" for task in settings.task if task not in tasks]
        if "tool" in names:
            of_selected = {tool for task, tool in self.pairs if _takes(settings, task, tool)}
            missing += [
                f"tool {tool}{_task_suffix(settings)}" for tool in settings.tool if tool not in of_selected
            ]
        for text in settings.bezier_tool if "bezier_tool" in names else ():
            task, tool = split_tool(text)
            if not any(pair == (task or pair[0], tool) for pair in self.pairs):
                missing.append(f"tool {tool} of task {task}" if task else f"tool {tool}")
        return list(dict.fromkeys(missing))


def tools_in_extractions(extractions: pl.DataFrame) -> Tools:
    """Return the tasks and tools of rows of the table extractions; tools without a number are skipped."""
    pairs = (
        extractions.select(
            "task", pl.col("tool").cast(pl.String).str.extract("([0-9]{1,10})$").cast(pl.Int64)
        )
        .unique()
        .drop_nulls()
    )
    return Tools(frozenset(pairs.rows()))


def tools_to_record(extractions: pl.DataFrame, cells: Iterable[str | None], settings: Settings) -> list[str]:
    """Return the tools of a partition that are recorded with it.

    Parameters
    ----------
    extractions : polars.DataFrame
        Its marks.
    cells : iterable of (str or None)
        Its `annotations`. They are searched only if the settings name a task or tool that has no marks here,
        so that a message can say which there are instead.
    settings : Settings
        The settings of the extraction.

    Returns
    -------
    list of str
        Such as `T0_toolIndex1`, or `T0` for a drawing task that was answered without an outline; sorted.
    """
    tools = tools_in_extractions(extractions)
    if tools.missing(settings):
        tools = _add_tools_of_cells(cells, tools)
    return _recorded(tools, settings)


def joined_tools(extractions: pl.DataFrame, recorded: Iterable[str], settings: Settings) -> list[str]:
    """Return the tools that are recorded with a partition from those recorded with its pieces.

    Parameters
    ----------
    extractions : polars.DataFrame
        The marks of the partition.
    recorded : iterable of str
        The tools recorded with any of its pieces. A piece that lacks tools has searched its cells for them.
    settings : Settings
        The settings of the extraction.
    """
    tools = tools_in_extractions(extractions)
    return _recorded(tools_from_names(recorded) if tools.missing(settings) else tools, settings)


def _recorded(tools: Tools, settings: Settings) -> list[str]:
    # Selected tools first: a hostile partition can have any number of tools.
    selected = tools.selected(settings)
    pairs = [*sorted(selected.pairs), *sorted(tools.pairs - selected.pairs)][:_RECORDED]
    undrawn = [*sorted(selected.undrawn), *sorted(tools.undrawn - selected.undrawn)][:_RECORDED]
    return sorted([*undrawn, *(tool_name(task, tool, old=False) for task, tool in pairs)])


def tools_from_names(names: Iterable[str]) -> Tools:
    """Return the tools that `tools_to_record` listed."""
    pairs, undrawn = set(), set()
    for name in names:
        pair = task_and_index(name)
        if pair:
            pairs.add(pair)
        else:
            undrawn.add(name)
    return Tools(frozenset(pairs), frozenset(undrawn))


def task_and_index(tool: str) -> tuple[str, int] | None:
    """Return task and index of a tool from its name, such as `T0_tool1`; None if it has another form."""
    match = _TOOL.fullmatch(tool)
    return (match[1], int(match[2])) if match else None


def _selects_task_without_marks(settings: Settings, task: str) -> bool:
    """Return whether a task without marks is selected; it is not if only tools are selected."""
    configured = not settings.drawing_tasks or any(drawing.task == task for drawing in settings.drawing_tasks)
    only_tools = settings.tool and not (settings.task or settings.drawing_tasks)
    return configured and not only_tools and (not settings.task or task in settings.task)


def _takes(settings: Settings, task: str, tool: int) -> bool:
    configured = not settings.drawing_tasks or any(
        drawing.task == task and (drawing.tools is None or tool in drawing.tools)
        for drawing in settings.drawing_tasks
    )
    selected = (not settings.task or task in settings.task) and (not settings.tool or tool in settings.tool)
    return configured and selected


def _task_suffix(settings: Settings) -> str:
    return f" of task {' or '.join(settings.task)}" if settings.task else ""


def _add_tools_of_cells(cells: Iterable[str | None], known: Tools) -> Tools:
    pairs = set(known.pairs)
    empty: set[str] = set()
    other: set[str] = set()
    for cell in cells:
        for task, value in _annotations(cell):
            objects = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
            pairs.update((task, tool) for tool in map(_tool, objects) if tool is not None)
            (empty if value == [] else other if not objects else set()).add(task)
    return Tools(frozenset(pairs), frozenset(empty - other - {task for task, _ in pairs}))


def _annotations(cell: str | None) -> Iterator[tuple[str, Any]]:
    """Yield task and value of every annotation of a cell, including those in combo tasks."""
    waiting = [_parsed(cell)]
    while waiting:
        value = waiting.pop()
        for annotation in value if isinstance(value, list) else ():
            task = annotation.get("task") if isinstance(annotation, dict) else None
            if (
                not isinstance(task, str)
                or len(task) > LONGEST_TASK
                or annotation.get("markIndex") is not None
            ):
                continue
            value = annotation.get("value")
            yield task.encode("utf-8", "replace").decode(), value
            waiting.append(value)


def _parsed(cell: str | None) -> Any:
    try:
        return msgspec.json.decode(cell or "[]")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            return json.loads(cell or "[]")
        except (ValueError, RecursionError):
            return None


def _tool(entry: Mapping[str, Any]) -> int | None:
    """Return the tool index of an object that is or should be an outline."""
    tool_type = entry.get("toolType")
    drawn = isinstance(tool_type, str) and draws_outlines(tool_type)
    if not drawn and all(entry.get(key) is None for key in OUTLINE_KEYS) and not unknown_outline_keys(entry):
        return None
    tool: Any = entry.get("tool") if entry.get("tool") is not None else entry.get("toolIndex")
    is_integer = type(tool) is int or (type(tool) is float and tool.is_integer())
    return int(tool) if is_integer and 0 <= tool <= LARGEST_INDEX else None
