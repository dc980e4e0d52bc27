"""Find the words of a project in its workflow export: the texts of tasks, tools, questions and answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyframe.panoptes.classifications.workflow_versions import version_key
from polyframe.panoptes.config.workflow_export import Workflow, task_labels


@dataclass(frozen=True)
class Question:
    """A question about each mark of a tool: a sub-task.

    Attributes
    ----------
    text : str
        Empty if the export does not contain it.
    answers : dict of str to str
        The text of each answer by how `details_votes` names it: by its number, or by the value of an option
        of a menu. Empty for questions without choices.
    """

    text: str
    answers: Mapping[str, str]


@dataclass(frozen=True)
class WorkflowWords:
    """The words of one or more versions of a workflow.

    Attributes
    ----------
    name : str
        Of the workflow; empty if the export does not contain it.
    tasks : dict of str to str
        The question or the instruction of each task that has one.
    tools : dict of (str, int) to str
        The label of each tool that has one, by task and index.
    questions : dict of (str, int) to list of Question
        The questions about the marks of each tool.
    """

    name: str
    tasks: Mapping[str, str]
    tools: Mapping[tuple[str, int], str]
    questions: Mapping[tuple[str, int], Sequence[Question]]


def workflow_words(workflows: Sequence[Workflow], workflow_id: int, versions: Sequence[str]) -> WorkflowWords:
    """Return the words of the versions of a workflow that were extracted.

    Parameters
    ----------
    workflows : sequence of Workflow
        From `read_workflows`.
    workflow_id : int
    versions : sequence of str
        The extracted versions. Of several, the newest that has a word decides; if the export has none of
        them, its newest version does.
    """
    of_workflow = sorted(
        (w for w in workflows if w.workflow_id == workflow_id), key=lambda w: version_key(w.version)
    )
    extracted = [w for w in of_workflow if w.version in versions] or of_workflow[-1:]
    tasks: dict[str, str] = {}
    tools: dict[tuple[str, int], str] = {}
    questions: dict[tuple[str, int], Sequence[Question]] = {}
    for workflow in extracted:
        texts = task_labels(workflow)
        for key, task in _objects(_parsed(workflow.tasks)):
            if text := _task_text(texts, key, task):
                tasks[key] = text
            for index, tool in enumerate(_list(task.get("tools"))):
                place = f"{key}.tools.{index}"
                tool = tool if isinstance(tool, dict) else {}
                if label := _text(texts, f"{place}.label", tool.get("label")):
                    tools[key, index] = label
                if details := _list(tool.get("details")):
                    questions[key, index] = [
                        _question(texts, f"{place}.details.{number}", entry)
                        for number, entry in enumerate(details)
                    ]
    name = next((w.name for w in reversed(extracted) if w.name), "")
    return WorkflowWords(name, tasks, tools, questions)


def _task_text(texts: Mapping[str, str], key: str, task: Mapping[str, Any]) -> str:
    names = ("question", "instruction")
    return next(filter(None, (_text(texts, f"{key}.{name}", task.get(name)) for name in names)), "")


def _question(texts: Mapping[str, str], place: str, entry: Any) -> Question:
    entry = entry if isinstance(entry, dict) else {}
    names = ("question", "instruction")
    text = next(filter(None, (_text(texts, f"{place}.{name}", entry.get(name)) for name in names)), "")
    answers = {
        str(number): label
        for number, answer in enumerate(_list(entry.get("answers")))
        if (label := _label(texts, f"{place}.answers.{number}.label", answer))
    }
    for number, menu in enumerate(_list(entry.get("selects"))):
        options = menu.get("options") if isinstance(menu, dict) else None
        for condition, listed in _items(options):
            for position, option in enumerate(_list(listed)):
                key = f"{place}.selects.{number}.options.{condition}.{position}.label"
                value = option.get("value") if isinstance(option, dict) else None
                if isinstance(value, str) and (label := _label(texts, key, option)):
                    answers[value] = label
    return Question(text, answers)


def _label(texts: Mapping[str, str], key: str, entry: Any) -> str:
    return _text(texts, key, entry.get("label") if isinstance(entry, dict) else None)


def _text(texts: Mapping[str, str], key: str, value: Any) -> str:
    """Return a text of a workflow, which it contains itself, or by its key among the texts."""
    text = texts.get(value if isinstance(value, str) else key, texts.get(key, value))
    if not isinstance(text, str) or text == key:
        return ""
    # Half of a surrogate pair, which JSON can escape, cannot be encoded.
    return text.strip().encode("utf-8", "replace").decode()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _objects(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((key, entry) for key, entry in _items(value) if isinstance(entry, dict))


def _items(value: Any) -> Sequence[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
