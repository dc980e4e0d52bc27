"""Name what was drawn: a category for each tool, with its label in the project."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.core.callbacks import Say
from polyframe.core.plurals import plural
from polyframe.export.export_options import ExportOptions
from polyframe.panoptes.annotations.tool_labels import ToolLabels, read_tool_labels
from polyframe.panoptes.annotations.tools import task_and_index
from polyframe.panoptes.config.workflow_export import read_workflows
from polyframe.panoptes.config.workflow_words import workflow_words
from polyframe.store.reading import OutputTables

#: In the names of tools of classifier 2.x.
_OF_CLASSIFIER_2: Final = "_toolIndex"


@dataclass(frozen=True)
class Category:
    """What a tool draws.

    Attributes
    ----------
    number : int
        From 1.
    name : str
        The label of the tool, such as `Cell`; the name of the tool if the label is not known.
    tool, task : str
        Such as `T0_toolIndex0` and `T0`.
    """

    number: int
    name: str
    tool: str
    task: str


@dataclass(frozen=True)
class Categories:
    """The categories of an export.

    Attributes
    ----------
    by_tool : dict of (int, str) to Category
        By workflow and tool, in the order of their numbers.
    """

    by_tool: Mapping[tuple[int, str], Category]

    def of(self, properties: Mapping[str, Any]) -> Category:
        """Return the category of a shape or a row of a table."""
        return self.by_tool[properties["workflow_id"], properties["tool"]]


def read_categories(tables: OutputTables, options: ExportOptions, say: Say) -> Categories:
    """Return a category for every tool that somebody used, in alphabetical order of the tools.

    Parameters
    ----------
    tables : OutputTables
    options : ExportOptions
        Labels are those in `workflows`, else those that the marks in `classifications` carry.
    say : callable
        Receives a note about tools without a label in the workflow export.

    Raises
    ------
    PolyframeError
        If one of these files cannot be read.
    """
    tools: set[tuple[str, int, str]] = set()
    # `polyframe contours` can follow `polyframe extract` directly.
    table = next((name for name in ("groups", "contours", "extractions") if tables.contains(name)), "groups")
    for frames in tables.counted_partitions("listing the tools", **{table: ["tool", "workflow_id", "task"]}):
        tools |= set(frames[table].select("tool", "workflow_id", "task").unique().iter_rows())
    labels: ToolLabels = {}
    keys = {(workflow, tool) for tool, workflow, _ in tools}
    if options.workflows is not None:
        labels |= _labels_of_workflows(tables, Path(options.workflows), keys)
    # Marks of classifier 2.x have no labels.
    in_marks = {key for key in keys - labels.keys() if _OF_CLASSIFIER_2 not in key[1]}
    if options.classifications is not None and in_marks:
        labels = read_tool_labels(Path(options.classifications)) | labels
    missing = sorted(tool for _, tool in keys - labels.keys())
    if missing and options.workflows is not None:
        count = plural(len(missing), "tool")
        say(f"{options.workflows}: contains no label for the {count} {', '.join(missing)}")
    names = {(workflow, tool): labels.get((workflow, tool), tool) for tool, workflow, _ in tools}
    uses = Counter(names.values())
    return Categories(
        {
            (workflow, tool): Category(
                number,
                f"{name} ({tool})" if uses[name] > 1 and name != tool else name,
                tool,
                task,
            )
            for number, (tool, workflow, task) in enumerate(sorted(tools), start=1)
            for name in [names[workflow, tool]]
        }
    )


def _labels_of_workflows(tables: OutputTables, path: Path, tools: set[tuple[int, str]]) -> ToolLabels:
    """Return the labels in a workflow export: each of the newest extracted version that has the tool."""
    labels: ToolLabels = {}
    workflows = read_workflows(path)
    for workflow_id in sorted({workflow for workflow, _ in tools}):
        by_index = workflow_words(workflows, workflow_id, tables.manifest.versions).tools
        for key in tools:
            pair = task_and_index(key[1])
            if key[0] == workflow_id and pair is not None and pair in by_index:
                labels[key] = by_index[pair]
    return labels
