"""Read the `extractor_config` of a Panoptes configuration as drawing tasks."""

import re
from typing import Final

from polyframe.core.choices import ExtractorKind
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.scalar_checks import LARGEST_INDEX
from polyframe.core.suggestions import nearest
from polyframe.panoptes.config.strict_yaml import Scalar, Tree
from polyframe.panoptes.config.typed_values import (
    Place,
    describe_tree,
    integer,
    known_items,
    scalar,
)

_EXTRACTORS: Final[dict[str, ExtractorKind]] = {"polygon_extractor": "polygon", "bezier_extractor": "bezier"}
#: Other extractors of Panoptes, which are skipped.
_OTHER_EXTRACTORS: Final = (
    "all_tasks_empty_extractor",
    "dropdown_extractor",
    "i2a_extractor",
    "line_text_extractor",
    "nfn_extractor",
    "pluck_and_split_extractor",
    "point_extractor",
    "point_extractor_by_frame",
    "poly_line_text_extractor",
    "question_extractor",
    "rectangle_extractor",
    "shape_extractor",
    "shortcut_extractor",
    "slider_extractor",
    "survey_extractor",
    "survey_whitelist_extractor",
    "sw_extractor",
    "sw_graphic_extractor",
    "sw_variant_extractor",
    "text_extractor",
)
#: Prefix of extractors of shapes, such as `shape_extractor_rectangle`.
_SHAPE_EXTRACTOR: Final = "shape_extractor"
_DETAILS: Final = "details"
#: The extractors of answers to sub-tasks.
_SUBTASK_EXTRACTORS: Final = (
    "dropdown_extractor",
    "question_extractor",
    "shortcut_extractor",
    "slider_extractor",
    "text_extractor",
)
_NO_EXTRACTOR: Final = "none"
#: Keys of details: the tool of classifier 1.x with a list of extractors, or a sub-task of 2.x with one.
_OLD_DETAILS: Final = re.compile(r".+_tool[0-9]{1,10}", re.DOTALL)
_NEW_DETAILS: Final = re.compile(r".+_toolIndex[0-9]{1,10}_subtask[0-9]{1,2}", re.DOTALL)
_EXPECTED_DETAILS: Final = (
    "expected `T0_tool0: [question_extractor]` or `T0_toolIndex0_subtask0: question_extractor`"
)
_WHY_IGNORED: Final = {
    "gold_standard": "it is read from the export",
    "no_version": "tables contain no version",
    "pluck": "metadata are not extracted",
    "recursive": "every annotation of the task is read",
    "recursive_subject_ids": "every annotation of the task is read",
}


def drawing_tasks(place: Place, tree: Tree, notes: list[str]) -> tuple[DrawingTask, ...]:
    """Return the drawing tasks of an `extractor_config`.

    Parameters
    ----------
    place : Place
        Its place, for messages.
    tree : dict, list or Scalar
        `polygon_extractor` and `bezier_extractor`, each with a list of `{task: T0, tools: [0, 1]}`; without
        `tools` all tools of the task. Other extractors of Panoptes and keys that it ignores are allowed.
    notes : list of str
        Receives notes on what is skipped or ignored.

    Returns
    -------
    tuple of DrawingTask
        One for each task and kind, sorted.

    Raises
    ------
    UsageError
        If it contains no polygon or Bezier extractor, has invalid values, or lists a tool in both.
    """
    claims: dict[tuple[str, ExtractorKind], set[int] | None] = {}
    is_empty = True
    shapes = [name for name in tree if _SHAPE_EXTRACTOR in name] if isinstance(tree, dict) else []
    known = (*_EXTRACTORS, *_OTHER_EXTRACTORS, *shapes)
    for name, extractor_place, entries in known_items(place, tree, known, notes):
        if name not in _EXTRACTORS:
            notes.append(f"{extractor_place} is skipped; polyframe has {' and '.join(_EXTRACTORS)}")
            continue
        is_empty = False
        entries = entries if isinstance(entries, list) else [entries]
        if not entries:
            raise UsageError(f"{extractor_place}: an empty list, expected entries such as `task: T0`")
        for i, entry in enumerate(entries):
            task, tools = _read_entry(extractor_place.item(i), entry, notes)
            claimed = claims.setdefault((task, _EXTRACTORS[name]), set())
            both = None if tools is None or claimed is None else claimed | tools
            claims[task, _EXTRACTORS[name]] = both
    if is_empty:
        names = list(tree) if isinstance(tree, dict) else []
        near = next((nearest(name, _EXTRACTORS) for name in names if name not in known), "")
        listed = ", ".join(names) or "none"
        raise UsageError(f"{place} contains no {' or '.join(_EXTRACTORS)}; it contains: {listed}{near}")
    _refuse_double_claims(place, claims)
    return tuple(
        DrawingTask(task, None if tools is None else tuple(sorted(tools)), kind)
        for (task, kind), tools in sorted(claims.items(), key=lambda claim: claim[0])
    )


def subtask_extractors(place: Place, tree: Tree, notes: list[str]) -> tuple[str, ...]:
    """Return the extractors of sub-tasks in the `details` of an `extractor_config`.

    Parameters
    ----------
    place : Place
        Its place, for messages.
    tree : dict, list or Scalar
        As for `drawing_tasks`, which has checked it. Details are a mapping such as
        `{T0_tool0: [question_extractor, text_extractor]}` (classifier 1.x) or
        `{T0_toolIndex0_subtask0: question_extractor}` (2.x).
    notes : list of str
        Receives notes on keys and extractors that are skipped.

    Returns
    -------
    tuple of str
        As in the setting `subtask_extractors`, sorted; an extractor is `none` if it is skipped.
    """
    texts: list[str] = []
    for _, extractor_place, entries in known_items(place, tree, tuple(_EXTRACTORS), []):
        for i, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            for _, details_place, details in known_items(extractor_place.item(i), entry, (_DETAILS,), []):
                texts += _read_details(details_place, details, notes)
    return tuple(sorted(set(texts)))


def _read_details(place: Place, tree: Tree, notes: list[str]) -> list[str]:
    texts: list[str] = []
    if not isinstance(tree, dict) and describe_tree(tree) != "None":
        notes.append(f"{place} is ignored; {_EXPECTED_DETAILS}")
    for key, value in tree.items() if isinstance(tree, dict) else ():
        key_place = place.key(key)
        if _NEW_DETAILS.fullmatch(key):
            texts.append(f"{key}={_read_extractor(key_place, value, notes)}")
        elif _OLD_DETAILS.fullmatch(key) and isinstance(value, list):
            texts += [
                f"{key}_subtask{i}={_read_extractor(key_place.item(i), item, notes)}"
                for i, item in enumerate(value)
            ]
        else:
            notes.append(f"{key_place} is ignored; {_EXPECTED_DETAILS}")
    return texts


def _read_extractor(place: Place, tree: Tree, notes: list[str]) -> str:
    name = scalar(place, tree).value
    if name in _SUBTASK_EXTRACTORS:
        return str(name)
    if name is not None:
        known = ", ".join(_SUBTASK_EXTRACTORS)
        notes.append(f"{place}: {short_repr(name)} is skipped; answers are exported by {known}")
    return _NO_EXTRACTOR


def _read_entry(place: Place, tree: Tree, notes: list[str]) -> tuple[str, set[int] | None]:
    task: str | None = None
    tools: set[int] | None = None
    for key, key_place, value in known_items(place, tree, ("task", "tools", _DETAILS, *_WHY_IGNORED), notes):
        if key == "task":
            task = _read_task(key_place, value)
        elif key == "tools":
            tools = _read_tools(key_place, value)
        elif key != _DETAILS:
            notes.append(f"{key_place} is ignored; {_WHY_IGNORED[key]}")
    if task is None:
        raise UsageError(f"{place}: the key `task` is missing, such as `task: T0`")
    return task, tools


def _read_task(place: Place, tree: Tree) -> str:
    task = scalar(place, tree).value
    if not isinstance(task, str) or not task.strip():
        raise UsageError(f"{place}: {task!r} is not a task key such as T0")
    if task == "all":
        raise UsageError(f"{place}: name a task such as T0; omit extractor_config to use every drawing task")
    return task.strip()


def _read_tools(place: Place, tree: Tree) -> set[int] | None:
    if isinstance(tree, Scalar) and tree.value is None:
        return None
    items = tree if isinstance(tree, list) else [tree]
    tools = [integer(place.item(i), scalar(place.item(i), item).value) for i, item in enumerate(items)]
    if not tools or min(tools) < 0 or max(tools) > LARGEST_INDEX:
        raise UsageError(
            f"{place}: {tools} is not a list of tool indices such as [0, 1]; omit it for all tools"
        )
    return set(tools)


def _refuse_double_claims(place: Place, claims: dict[tuple[str, ExtractorKind], set[int] | None]) -> None:
    for task in sorted({task for task, _ in claims}):
        if (task, "polygon") not in claims or (task, "bezier") not in claims:
            continue
        polygon, bezier = claims[task, "polygon"], claims[task, "bezier"]
        if polygon is None or bezier is None:
            which = "all tools" if polygon is bezier else f"tools {sorted(polygon or bezier or ())}"
        elif polygon & bezier:
            which = f"tools {sorted(polygon & bezier)}"
        else:
            continue
        raise UsageError(
            f"{place}: {which} of task {task} belong to both {' and '.join(_EXTRACTORS)}; list each tool once"
        )
