"""Say in the words of the project what the tables name by keys: tools, tasks and answers."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyframe.core.addresses import Place, as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import one_line
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import local_path
from polyframe.core.notes import Information
from polyframe.core.object_stores import StorageOptions
from polyframe.export.categories import read_categories
from polyframe.export.export_options import ExportOptions
from polyframe.panoptes.annotations.task_labels import read_task_labels
from polyframe.panoptes.annotations.tools import task_and_index
from polyframe.panoptes.config.workflow_export import read_workflows
from polyframe.panoptes.config.workflow_words import Question, workflow_words
from polyframe.store.reading import OutputTables, open_tables

#: Longer questions and answers are cut, since instructions can fill a page.
_LONGEST: Final = 120
#: How `details_votes` counts marks for which a question was not answered.
_UNANSWERED: Final = "None"
#: The key of a tool in a message, but not in the name of a file.
_KEY: Final = re.compile(r"(?<![\w/.-])\w+_tool(?:Index)?[0-9]{1,10}(?![\w/-]|\.\w)")


@dataclass(frozen=True)
class Words:
    """The words of a project.

    Attributes
    ----------
    workflow : str
        The name of the workflow; empty if it is not known.
    tools : dict of str to str
        The label of each tool, such as `Cell` of `T0_toolIndex0`; tools without a label are not in it. Labels
        that several tools share are followed by the key of the tool.
    tasks : dict of str to str
        The question or the instruction of each task.
    questions : dict of str to sequence of Question
        The questions about the marks of each tool.
    unused : dict of (str, int) to str
        The labels of all tools of the workflow by task and index: of those with which nobody drew, too.
    """

    workflow: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    questions: Mapping[str, tuple[Question, ...]] = field(default_factory=dict)
    unused: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def tool(self, name: str) -> str:
        """Return the label of a tool, or its name if it has none. No two tools have the same label."""
        if name in self.tools:
            return self.tools[name]
        # Only an expert drew with it; the label may be that of another tool.
        pair = task_and_index(name)
        return f"{self.unused[pair]} ({name})" if pair is not None and pair in self.unused else name

    def in_text(self, text: str) -> str:
        """Return a message with the labels of tools in place of their names."""
        return _KEY.sub(lambda match: self.tool(match[0]), text)

    def in_notes(self, say: Say) -> Say:
        """Return a function that passes notes on to another one, with the labels of tools."""

        def say_in_words(note: str) -> None:
            text = self.in_text(note)
            say(Information(text) if isinstance(note, Information) else text)

        return say_in_words

    def answers(self, tool: str, details_votes: str | None) -> str | None:
        """Say how the volunteers answered the questions about the marks of a cluster.

        Parameters
        ----------
        tool : str
            Its name, such as `T0_toolIndex0`.
        details_votes : str or None
            As in the table `reductions`.

        Returns
        -------
        str or None
            Such as `Is it dividing? Yes 3, No 1; Remarks: "odd" 1`. What has no words is named by its number;
            None if nothing has any.
        """
        questions = self.questions.get(tool, ())
        if details_votes is None or not any(question.text or question.answers for question in questions):
            return None
        parts = []
        for number, counts in enumerate(json.loads(details_votes)):
            question = questions[number] if number < len(questions) else Question("", {})
            menus = counts if isinstance(counts, list) else [counts]
            listed = ", ".join(
                f"{_answer(question, answer)} {votes}" for menu in menus for answer, votes in menu.items()
            )
            text = _shortened(question.text) or f"Question {number + 1}"
            parts.append(f"{text}{'' if text.endswith(('?', ':', '.', '!')) else ':'} {listed}")
        return "; ".join(parts)

    def for_page(self) -> dict[str, Any]:
        """Return the words that the page of the report shows, as plain JSON values."""
        return {"tools": dict(sorted(self.tools.items())), "tasks": dict(sorted(self.tasks.items()))}


def read_words(tables: OutputTables, workflows: Path | None, classifications: Path | None, say: Say) -> Words:
    """Read the words of a project from its exports.

    Parameters
    ----------
    tables : OutputTables
        With a table of groups, of contours or of extractions.
    workflows : Path or None
        The workflow export, which contains all words.
    classifications : Path or None
        The classification export. It contains the questions of tasks, and the labels of tools if the marks
        were drawn with classifier 1.x.
    say : callable
        Receives a note about tools without a label in the workflow export.

    Raises
    ------
    PolyframeError
        If one of these files cannot be read.
    """
    if workflows is None and classifications is None:
        return Words()
    options = ExportOptions(workflows=workflows, classifications=classifications)
    by_tool = read_categories(tables, options, say).by_tool
    labels = {
        tool: one_line(category.name) for (_, tool), category in by_tool.items() if category.name != tool
    }
    used = {category.task for category in by_tool.values()}
    workflow_ids = {workflow for workflow, _ in by_tool}
    tasks: dict[str, str] = {}
    questions: dict[str, tuple[Question, ...]] = {}
    unused: dict[tuple[str, int], str] = {}
    name = ""
    if classifications is not None:
        of_export = read_task_labels(classifications)
        tasks |= {task: text for (workflow, task), text in of_export.items() if workflow in workflow_ids}
    # An output has the tables of one workflow.
    for workflow_id in sorted(workflow_ids) if workflows is not None else ():
        assert workflows is not None
        words = workflow_words(read_workflows(workflows), workflow_id, tables.manifest.versions)
        name, tasks = words.name, tasks | dict(words.tasks)
        unused |= {pair: one_line(label) for pair, label in words.tools.items()}
        for tool in labels.keys() | {tool for _, tool in by_tool}:
            pair = task_and_index(tool)
            if pair is not None and pair in words.questions:
                questions[tool] = tuple(words.questions[pair])
    return Words(
        one_line(name),
        labels,
        {task: _shortened(text) for task, text in tasks.items() if task in used},
        questions,
        unused,
    )


def words_of_output(
    output: Place,
    workflows: AnyFile | None,
    classifications: AnyFile | None,
    say: Say,
    storage_options: StorageOptions | None = None,
) -> Words:
    """Read the words of the project of an output directory.

    Parameters
    ----------
    output : path or address
        With tables.
    workflows, classifications : path or address, or None
        As for `read_words`.
    say : callable
        Receives a note about tools without a label in the workflow export.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Raises
    ------
    PolyframeError
        If one of these files or a table cannot be read.
    """
    if workflows is None and classifications is None:
        return Words()
    exports = [
        None if value is None else as_address(value, storage_options) or local_path(value, name)
        for name, value in (("workflows", workflows), ("classifications", classifications))
    ]
    with (
        open_tables(output, "read") as tables,
        local_copies(exports, say, storage_options) as (copies, say_of_copies),
    ):
        return read_words(tables, copies[0], copies[1], say_of_copies)


def _answer(question: Question, answer: str) -> str:
    if answer in question.answers:
        return _shortened(question.answers[answer])
    if answer == _UNANSWERED:
        return "no answer"
    return (
        f"answer {int(answer) + 1}" if question.answers and answer.isdecimal() else f'"{_shortened(answer)}"'
    )


def _shortened(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
