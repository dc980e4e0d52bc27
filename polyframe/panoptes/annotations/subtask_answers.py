"""Read the answers to sub-tasks in the `details` of a mark, as votes.

Details are a list with an item for each sub-task of the tool: `{"value": 1}` in classifier 1.x,
`{"task": "T0.0.0", "value": 1}` in 2.x. The type of sub-task is not stored; it follows from the form of the
value.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from polyframe.panoptes.annotations.mark_rules import json_text

#: The menu of an answer that is not from a dropdown.
NO_MENU: Final = -1
#: The key of a sub-task ends in its index within the tool; no tool has more than two digits.
_SUBTASK: Final = re.compile(r".+\.[0-9]+\.([0-9]{1,2})", re.DOTALL)
#: Integral floats below this are written as integers.
_LARGEST_EXACT: Final = 2.0**53
_decode: Final = msgspec.json.Decoder().decode


class Vote(NamedTuple):
    """One answer of one mark.

    Attributes
    ----------
    subtask : int
        Index of the sub-task in the details of the tool, from 0.
    menu : int
        Menu of a dropdown, from 0; `NO_MENU` for other answers.
    answer : str or None
        The answer as a quoted JSON string; None if the sub-task was not answered.
    """

    subtask: int
    menu: int
    answer: str | None


def votes_in(details: str) -> list[Vote] | None:
    """Return the votes of one mark, each once.

    Parameters
    ----------
    details : str
        JSON, as in the column `details` of the table `extractions`. No text raises an exception.

    Returns
    -------
    list of Vote, or None
        None if the text is not JSON. Every sub-task up to the last has at least one entry. Details that are
        not a list of objects with a `value` or a `task` have none.
    """
    try:
        items = _any_json(details)
    except ValueError:
        return None
    except RecursionError:  # it may be JSON, but no answer is nested so deeply
        return []
    votes: dict[Vote, None] = {}
    n_subtasks = 0
    for position, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict) or not ("value" in item or "task" in item):
            continue
        subtask = _index(item.get("task"), position)
        n_subtasks = max(n_subtasks, subtask + 1)
        for menu, answer in _answers(item.get("value")):
            votes[Vote(subtask, menu, answer)] = None
    answered = {vote.subtask for vote in votes}
    return [*votes, *(Vote(i, NO_MENU, None) for i in range(n_subtasks) if i not in answered)]


def _any_json(text: str) -> Any:
    try:
        return _decode(text)
    except msgspec.MsgspecError:
        # Python also accepts half of a surrogate pair.
        return json.loads(text)


def _index(task: Any, position: int) -> int:
    match = _SUBTASK.fullmatch(task) if isinstance(task, str) else None
    return int(match[1]) if match else position


def _answers(value: Any) -> Iterator[tuple[int, str | None]]:
    """Yield the menu and the JSON string of each answer."""
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
    """Return an answer as a JSON string; None if it is not a single value."""
    if isinstance(answer, str):
        return json_text(answer)
    if isinstance(answer, float) and abs(answer) < _LARGEST_EXACT and answer.is_integer():
        answer = int(answer)
    if answer is not None and not isinstance(answer, (bool, int, float)):
        return None
    try:
        return f'"{answer}"'
    except ValueError:  # an integer with more digits than Python converts
        return None
