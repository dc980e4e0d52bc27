"""Convert answers to sub-tasks in extractions of panoptes_aggregation to details of marks.

A cell has an entry for each mark of a frame and tool: for classifier 1.x a list of the extracts of all
sub-tasks, for 2.x the extract of one sub-task. An extract counts answers, such as `{'0': 1}`, and is written
as a Python literal.
"""

import ast
import json
import re
import warnings
from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

from polyframe.core import reasons

_NO_VALUE: Final = object()
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_WORDS: Final[Mapping[str, bool | None]] = {"None": None, "True": True, "False": False}


def details_of_marks(tool: str, cells: Mapping[int | None, str], n_marks: int) -> list[list[Any]]:
    """Return the details of each mark of a frame and tool.

    Parameters
    ----------
    tool : str
        Task and tool as in the keys of sub-tasks, such as `T0.1`.
    cells : mapping of int or None to str
        The cell of each sub-task (2.x), or of all sub-tasks under the key None (1.x). Any text is accepted.
    n_marks : int
        Number of marks of the frame and tool. A cell with another number of entries is omitted, since its
        marks are unknown.

    Returns
    -------
    list of list
        As in an export: `{"value": 1}` for each sub-task, with its `task` in 2.x.
    """
    details: list[list[Any]] = [[] for _ in range(n_marks)]
    for subtask, cell in cells.items():
        entries = _literal(cell)
        if not isinstance(entries, list) or len(entries) != n_marks:
            continue
        for items, entry in zip(details, entries, strict=True):
            if subtask is not None:
                items.append({"task": f"{tool}.{subtask}", **_item(entry)})
            elif isinstance(entry, list):
                items += map(_item, entry)
    return details


def _literal(cell: str) -> Any:
    """Parse a cell without evaluating it; None if it is too long or cannot be parsed."""
    if len(cell) > reasons.LONGEST_DETAILS:
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(cell)
            repr(value)  # raises if an integer has more digits than Python converts
            return value
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _item(extract: Any) -> dict[str, Any]:
    """Return the item of details that an extract comes from; without a value if there is no extract."""
    if not isinstance(extract, dict):
        return {}
    if isinstance(menus := extract.get("value"), list):
        return {"value": [{"value": _first_or_none(_answers(menu))} for menu in menus]}
    # A count under one of these names is a vote for an answer of that name.
    text = extract.get("text", _NO_VALUE)
    if isinstance(text, str) or (text is None and "gold_standard" in extract):
        return {"value": text}
    if isinstance(value := extract.get("slider_value", _NO_VALUE), (str, int, float, NoneType)):
        return {"value": value}
    answers = _answers(extract)
    return {"value": answers[0] if len(answers) == 1 else answers}


def _answers(counted: Any) -> list[Any]:
    names = [str(name) for name in counted] if isinstance(counted, dict) else []
    return [int(name) if _NUMBER.fullmatch(name) else _WORDS.get(name, name) for name in names]


def _first_or_none(answers: list[Any]) -> Any:
    return answers[0] if answers else None
