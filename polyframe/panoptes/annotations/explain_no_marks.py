"""Explain why an export has no marks: what its annotations contain, and which settings exclude marks."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import polars as pl

from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.plurals import agreeing, counted, plural
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.decode import decode_annotations
from polyframe.panoptes.annotations.general_decoder import is_annotation, with_nested

#: How many rows are examined.
MOST_ROWS: Final = 2_000
_MOST_KINDS: Final = 4
_MOST_KEYS: Final = 8
_LONGEST_NAME: Final = 30
#: Keys that do not distinguish kinds of marks.
_COMMON_KEYS: Final = frozenset({"closed", "details", "frame", "tool_label"})

_Kind = tuple[str, tuple[str, ...]]


def explain_no_marks(rows: pl.LazyFrame, settings: Settings) -> str:
    """Say what an export contains instead of marks, and what to do.

    Parameters
    ----------
    rows : polars.LazyFrame
        The rows that are used, of which the first 2,000 are examined.
    settings : Settings
        The settings of the extraction that gave no marks.

    Returns
    -------
    str
        Such as `no marks; the annotations contain 55 objects of task T0 with the keys path, tool; ...`.
    """
    cells = rows.select("annotations").head(MOST_ROWS + 1).collect()["annotations"].to_list()
    examined = cells[:MOST_ROWS]
    where = f" of the first {MOST_ROWS:,} rows" if len(cells) > MOST_ROWS else ""
    content = f"the annotations{where} contain {_content(examined, settings)}"
    return f"no marks; {content}; {_advice(examined, settings)}"


def _content(cells: Iterable[str | None], settings: Settings) -> str:
    kinds: Counter[_Kind] = Counter()
    tools: dict[_Kind, set[int]] = {}
    answered: dict[str, None] = {}
    for annotation in _annotations(cells):
        task, value = _short(annotation["task"]), annotation.get("value")
        objects = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
        marks = [entry for entry in objects if not is_annotation(entry)]
        if not objects:
            answered[task] = None
        for entry in marks:
            kind = (task, tuple(sorted({*entry} - _COMMON_KEYS)))
            kinds[kind] += 1
            tools.setdefault(kind, set()).update(_tools(entry))
    if not kinds:
        tasks = ", ".join(list(answered)[:_MOST_KEYS])
        return f"only answers to the tasks {tasks}" if answered else "nothing readable"
    names_tools = bool(settings.tool) or any(drawing.tools is not None for drawing in settings.drawing_tasks)
    listed = [
        _describe_kind(kind, number, tools[kind] if names_tools else set())
        for kind, number in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    ]
    more = (
        f", and {counted(len(listed) - _MOST_KINDS, 'more kind')} of objects"
        if len(listed) > _MOST_KINDS
        else ""
    )
    return ", ".join(listed[:_MOST_KINDS]) + more


def _annotations(cells: Iterable[str | None]) -> Iterator[dict[str, Any]]:
    for cell in cells:
        try:
            annotations = json.loads(cell or "")
        except (ValueError, RecursionError, MemoryError):
            continue
        if isinstance(annotations, list):
            known = [a for a in annotations if isinstance(a, dict) and isinstance(a.get("task"), str)]
            yield from with_nested(known)


def _tools(entry: Mapping[str, Any]) -> Iterator[int]:
    tool = entry.get("toolIndex") if entry.get("tool") is None else entry["tool"]
    if type(tool) is int:
        yield tool


def _describe_kind(kind: _Kind, number: int, tools: set[int]) -> str:
    task, keys = kind
    shown = ", ".join(map(_short, keys[:_MOST_KEYS])) + ", ..." * (len(keys) > _MOST_KEYS)
    with_keys = f"with the {plural(len(keys), 'key')} {shown}" if keys else "without a key"
    of_tools = f" ({plural(len(tools), 'tool')} {', '.join(map(str, sorted(tools)[:_MOST_KEYS]))})"
    return f"{counted(number, 'object')} of task {task} {with_keys}" + of_tools * bool(tools)


def _advice(cells: list[str | None], settings: Settings) -> str:
    """Say which settings exclude marks, or which keys are read if none do."""
    selects = {
        f"-c selects {', '.join(map(_describe_drawing, settings.drawing_tasks))}": bool(
            settings.drawing_tasks
        ),
        f"--task selects {', '.join(settings.task)}": bool(settings.task),
        f"--tool selects {', '.join(map(str, settings.tool))}": bool(settings.tool),
    }
    narrowing = [text for text, is_set in selects.items() if is_set]
    everything = settings.replace({"task": (), "tool": (), "drawing_tasks": ()})
    n_marks = len(decode_annotations(cells, everything).marks.row) if narrowing else 0
    if n_marks:
        flags = " and ".join(text.split(" ", 1)[0] for text in narrowing)
        marks = f"{agreeing(n_marks, 'are')} {counted(n_marks, 'mark')}"
        return f"{', '.join(narrowing)}; without {flags} there {marks}"
    return "outlines are read from the keys points, pathX and pathY, and path"


def _describe_drawing(drawing: DrawingTask) -> str:
    if drawing.tools is None:
        return drawing.task
    return f"{drawing.task} {plural(len(drawing.tools), 'tool')} {', '.join(map(str, drawing.tools))}"


def _short(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}..."
