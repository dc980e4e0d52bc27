"""The answers to sub-tasks in the `details` of a mark, as votes.

Details are a list with an item for each sub-task of the tool: `{"value": 1}` in classifier 1.x,
`{"task": "T0.0.0", "value": 1}` in 2.x. What kind of sub-task it was is not said; the form of the value
decides.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from polyframe.panoptes.annotations.mark_rules import json_text

#: The menu of an answer that was not chosen from a dropdown.
NO_MENU: Final = -1
#: Where a task's key tells which sub-task of its tool it is. Two digits are more than any tool has.
_SUBTASK: Final = re.compile(r".+\.[0-9]+\.([0-9]{1,2})", re.DOTALL)
#: Floats below it that are whole are written as whole numbers.
_LARGEST_WHOLE: Final = 2.0**53
_decode: Final = msgspec.json.Decoder().decode


class Vote(NamedTuple):
    """One answer of one mark.

    Attributes
    ----------
    subtask : int
        The sub-task's index in the details of the tool, from 0.
    menu : int
        The menu of a dropdown, from 0; `NO_MENU` for other answers.
    answer : str or None
        The answer as a JSON text, with its quotes; None where the sub-task was there and nothing was chosen.
    """

    subtask: int
    menu: int
    answer: str | None


def votes_in(details: str) -> list[Vote] | None:
    """Return the votes of one mark, each once.

    Parameters
    ----------
    details : str
        JSON text, as in the column `details` of the table `extractions`. Any text is taken; none raises.

    Returns
    -------
    list of Vote, or None
        None where the text is no JSON. Every sub-task up to the last one has at least one entry. Details of
        another form than a list of objects with a `value` or a `task` have none.
    """
    try:
        items = _any_json(details)
    except ValueError:
        return None
    except RecursionError:  # it may be JSON, but no answer is nested like that
        return []
    found: dict[Vote, None] = {}
    n_subtasks = 0
    for position, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict) or not ("value" in item or "task" in item):
            continue
        subtask = _index(item.get("task"), position)
        n_subtasks = max(n_subtasks, subtask + 1)
        for menu, answer in _answers(item.get("value")):
            found[Vote(subtask, menu, answer)] = None
    answered = {vote.subtask for vote in found}
    return [*found, *(Vote(i, NO_MENU, None) for i in range(n_subtasks) if i not in answered)]


def _any_json(text: str) -> Any:
    try:
        return _decode(text)
    except msgspec.MsgspecError:
        # Halves of surrogate pairs are JSON too.
        return json.loads(text)


def _index(task: Any, position: int) -> int:
    named = _SUBTASK.fullmatch(task) if isinstance(task, str) else None
    return int(named[1]) if named else position


def _answers(value: Any) -> Iterator[tuple[int, str | None]]:
    """Yield the menu and the text of each answer."""
    if isinstance(value, dict):  # a dropdown of classifier 2.x, which has one menu
        yield 0, _text(_chosen(value))
    elif not isinstance(value, list):
        yield NO_MENU, _text(value)
    elif any(isinstance(entry, dict) for entry in value):  # a dropdown of 1.x
        for menu, entry in enumerate(value):
            yield menu, _text(_chosen(entry) if isinstance(entry, dict) else entry)
    else:
        for entry in value:
            yield NO_MENU, _text(entry)


def _chosen(entry: dict[str, Any]) -> Any:
    return entry.get("selection", entry.get("value"))


def _text(answer: Any) -> str | None:
    """Return an answer as a JSON text; None where it is no single value."""
    if isinstance(answer, str):
        return json_text(answer)
    if isinstance(answer, float) and abs(answer) < _LARGEST_WHOLE and answer.is_integer():
        answer = int(answer)
    if answer is not None and not isinstance(answer, (bool, int, float)):
        return None
    try:
        return f'"{answer}"'
    except ValueError:  # a whole number of more digits than Python writes
        return None
