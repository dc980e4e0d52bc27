"""Write answers to sub-tasks as panoptes_aggregation extracts them; the reverse of `extracted_answers`."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from polyframe.core.drawing_tasks import SUBTASK_EXTRACTOR

#: What the reference tool writes for a sub-task without an extractor.
_NO_EXTRACTOR: Final = "No extractor for this subtask type"
#: The name of a sub-task in the details of classifier 2.x ends in its index.
_SUBTASK: Final = re.compile(r".+\.([0-9]+)", re.DOTALL)
_OLD_TOOL: Final = re.compile(r".+_tool[0-9]+", re.DOTALL)
_DIGIT_COMMA: Final = re.compile(r"(?<=[0-9]),(?=[0-9])")
_NOT_IN_SLUGS: Final = re.compile(r"[\W_]+")


def extractors_by_tool(subtask_extractors: Iterable[str]) -> dict[str, dict[int, str]]:
    """Return the extractor of each sub-task, by tool and index, from the setting `subtask_extractors`."""
    by_tool: dict[str, dict[int, str]] = {}
    for text in subtask_extractors:
        if match := SUBTASK_EXTRACTOR.fullmatch(text):
            by_tool.setdefault(match[1], {})[int(match[2])] = match[3]
    return by_tool


def extracts(tool: str, details: str | None, extractors: Mapping[int, str]) -> dict[str, str]:
    """Return what the reference tool extracts of the sub-tasks of one mark.

    Parameters
    ----------
    tool : str
        Such as `T0_toolIndex1` (classifier 2.x) or `T0_tool1` (1.x).
    details : str or None
        As in the table `extractions`.
    extractors : mapping of int to str
        The extractor of each sub-task of the tool, see `extractors_by_tool`.

    Returns
    -------
    dict of str to str
        Python literals by the end of the column's name: for 1.x one list, `details`; for 2.x one extract for
        each sub-task that the mark has, such as `subtask0`.
    """
    items = _items(details)
    if _OLD_TOOL.fullmatch(tool):
        of_mark = [_extract(extractors.get(i, "none"), item) for i, item in enumerate(items)]
        return {"details": repr(of_mark)}
    by_column: dict[str, str] = {}
    for item in items:
        match = _SUBTASK.fullmatch(item["task"]) if isinstance(item.get("task"), str) else None
        if match and int(match[1]) in extractors:
            by_column[f"subtask{int(match[1])}"] = repr(_extract(extractors[int(match[1])], item))
    return by_column


def _items(details: str | None) -> list[dict[str, Any]]:
    try:
        items = json.loads(details or "[]")
    except (ValueError, RecursionError):
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _extract(extractor: str, item: Mapping[str, Any]) -> Any:
    value = item.get("value")
    if extractor in ("question_extractor", "shortcut_extractor"):
        return dict(Counter(map(_answer, value if isinstance(value, list) else [value])))
    if extractor == "dropdown_extractor":
        menus = value if isinstance(value, list) else [] if value is None else [value]
        return {"value": [{_answer(_chosen(menu)): 1} for menu in menus]}
    if extractor == "text_extractor":
        return {"text": value, "gold_standard": False}
    if extractor == "slider_extractor":
        return {"slider_value": value}
    return _NO_EXTRACTOR


def _chosen(menu: Any) -> Any:
    return menu.get("selection", menu.get("value")) if isinstance(menu, dict) else menu


def _answer(value: Any) -> str:
    return _slug(value) if isinstance(value, str) else str(value)


def _slug(text: str) -> str:
    """Return a text as a slug: lower case, without accents, with hyphens between words.

    Letters without a Latin base, such as ß, are kept; the reference tool transliterates them.
    """
    decomposed = unicodedata.normalize("NFKD", text.replace("'", "-"))
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _NOT_IN_SLUGS.sub("-", _DIGIT_COMMA.sub("", letters.lower())).strip("-")
