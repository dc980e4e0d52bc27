"""Read the workflow export of Panoptes, and generate configuration files for a workflow."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from polyframe.core.errors import PolyframeError, UsageError, no_such_file
from polyframe.core.frames import clean_name
from polyframe.core.plurals import plural
from polyframe.core.settings import Settings
from polyframe.panoptes.annotations.mark_rules import NO_OUTLINE_TYPES, draws_outlines
from polyframe.panoptes.classifications.workflow_versions import (
    is_version,
    parse_version_spec,
    selects,
    version_key,
)
from polyframe.panoptes.config.read_config import TASK_LABELS

_COLUMNS: Final = ("workflow_id", "version", "minor_version", "tasks")
_NUMBER: Final = re.compile("[0-9]{1,18}")
_LARGEST_FIELD: Final = 2**31 - 1
_MOST_LISTED: Final = 20


@dataclass(frozen=True)
class Workflow:
    """A version of a workflow.

    Attributes
    ----------
    workflow_id : int
    name : str
        Its name; empty if the export does not contain it.
    version : str
        Such as `13.19`.
    tasks : str
        JSON.
    strings : str
        The texts of the tasks by key, as JSON; empty if the export does not contain them.
    """

    workflow_id: int
    name: str
    version: str
    tasks: str
    strings: str = ""


def read_workflows(path: Path) -> list[Workflow]:
    """Read a workflow export; rows without an ID or a version are skipped.

    Raises
    ------
    PolyframeError
        If it is missing or not a workflow export.
    """
    csv.field_size_limit(_LARGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            rows.fieldnames = list(map(clean_name, rows.fieldnames or ()))
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise PolyframeError(
                    f"{path}: not a workflow export: missing {plural(len(missing), 'column')} "
                    f"{', '.join(missing)}; name the workflow export of Zooniverse"
                )
            workflows = [_workflow(row) for row in rows]
    except FileNotFoundError:
        raise PolyframeError(no_such_file(path)) from None
    except IsADirectoryError:
        raise PolyframeError(f"{path}: is a directory; name the workflow export, a CSV file") from None
    except (OSError, ValueError, csv.Error) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise PolyframeError(f"{path}: cannot be read as CSV in UTF-8 ({cause}); download it again") from None
    return [workflow for workflow in workflows if workflow is not None]


def choose_workflow(
    workflows: Sequence[Workflow], path: Path, workflow_id: int | None, version: str | None
) -> Workflow:
    """Choose a workflow and the newest of the requested versions.

    Parameters
    ----------
    workflows : sequence of Workflow
        From `read_workflows`.
    path : Path
        For messages.
    workflow_id : int or None
        None chooses the only one.
    version : str or None
        As the setting `workflow_version`; None chooses the newest.

    Raises
    ------
    PolyframeError
        If there is no such workflow or version; the message lists those that there are.
    UsageError
        If there are several workflows and none was requested, or the version is not valid.
    """
    if not workflows:
        raise PolyframeError(f"{path}: contains no workflows")
    names = {w.workflow_id: w.name for w in sorted(workflows, key=lambda w: w.workflow_id)}
    listed = ", ".join(f"{number} ({name})" if name else str(number) for number, name in names.items())
    if workflow_id is None and len(names) > 1:
        raise UsageError(f"{path}: contains several workflows: {listed}; choose one with --workflow-id")
    chosen_id = next(iter(names)) if workflow_id is None else workflow_id
    if chosen_id not in names:
        raise PolyframeError(f"{path}: contains no workflow {chosen_id}; it contains {listed}")
    versions = sorted(
        (w for w in workflows if w.workflow_id == chosen_id), key=lambda w: version_key(w.version)
    )
    texts = [w.version for w in versions]
    chosen = selects(version, texts) if version is not None else [True] * len(texts)
    if not any(chosen):
        more = f"{len(texts) - _MOST_LISTED} more, " if len(texts) > _MOST_LISTED else ""
        shown = ", ".join(texts[-_MOST_LISTED:])
        raise PolyframeError(f"{path}: workflow {chosen_id} has no version {version}; it has {more}{shown}")
    return [w for w, is_chosen in zip(versions, chosen, strict=True) if is_chosen][-1]


@dataclass(frozen=True)
class DrawingTools:
    """The tools of a workflow, by what they draw.

    Attributes
    ----------
    outlines : dict
        Tools that draw outlines: extractor -> task -> tool indices.
    skipped : tuple of str
        Other tools and tasks, such as `T0 tool 2 (point)` and `T1 (single)`.
    unknown : tuple of str
        Tools of unknown types, such as `T0 tool 3 (lasso)`.
    """

    outlines: dict[str, dict[str, list[int]]]
    skipped: tuple[str, ...]
    unknown: tuple[str, ...]


def drawing_tools(workflow: Workflow) -> DrawingTools:
    """Return the tools of a workflow by what they draw.

    Raises
    ------
    PolyframeError
        If the tasks are not JSON, or have no tool that draws outlines; the message lists their tools.
    """
    name = f"workflow {workflow.workflow_id} version {workflow.version}"
    try:
        tasks = json.loads(workflow.tasks)
    except (ValueError, RecursionError) as error:
        raise PolyframeError(
            f"{name}: its tasks are not valid JSON ({error}); re-export the workflows"
        ) from None
    outlines: dict[str, dict[str, list[int]]] = {}
    described: list[str] = []
    skipped: list[str] = []
    unknown: list[str] = []
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        kind = task.get("type") if isinstance(task, dict) else None
        tools = _as_list(task.get("tools")) if isinstance(task, dict) else []
        types = [tool.get("type") if isinstance(tool, dict) else None for tool in tools]
        described.append(f"{key} ({kind}{': ' if types else ''}{', '.join(map(str, types))})")
        if kind != "drawing":
            # The tasks of a combo task are listed separately.
            skipped += [f"{key} ({kind})"] * (kind != "combo")
            continue
        for index, of_tool in enumerate(types):
            if isinstance(of_tool, str) and draws_outlines(of_tool):
                extractor = "bezier_extractor" if "bezier" in of_tool.lower() else "polygon_extractor"
                outlines.setdefault(extractor, {}).setdefault(key, []).append(index)
            else:
                others = skipped if of_tool in NO_OUTLINE_TYPES else unknown
                others.append(f"{key} tool {index} ({of_tool})")
    if not outlines:
        raise PolyframeError(
            f"{name}: has no drawing task with a tool that draws outlines, such as freehandLine, polygon or "
            f"bezier; it has {', '.join(described) or 'no tasks'}"
        )
    return DrawingTools(outlines, tuple(skipped), tuple(unknown))


def notes_on_tools(tools: DrawingTools) -> list[str]:
    """Return notes on the tools that are not in the configuration."""
    notes = []
    if tools.skipped:
        notes.append(f"skipped, since they draw no outlines: {', '.join(tools.skipped)}")
    if tools.unknown:
        notes.append(
            f"skipped, since the type is unknown: {', '.join(tools.unknown)}; if it draws "
            "outlines, add its index to the tools of polygon_extractor"
        )
    return notes


def config_texts(workflow: Workflow, version: str | None) -> dict[str, str]:
    """Return the configuration files of a workflow: name -> YAML.

    Parameters
    ----------
    workflow : Workflow
        From `choose_workflow`.
    version : str or None
        The requested version, which the files then contain; otherwise they contain that of the workflow.
    """
    extractors = {
        extractor: [{"task": task, "tools": tools} for task, tools in of_tasks.items()]
        for extractor, of_tasks in sorted(drawing_tools(workflow).outlines.items(), reverse=True)
    }
    settings = Settings()
    clustering = {"eps": settings.eps, "min_samples": settings.min_samples}
    average = {"average_type": settings.average_type, **clustering}
    contours = {**clustering, "rasterisation": False}
    suffix = f"workflow_{workflow.workflow_id}_V{workflow.version}"
    files: dict[str, dict[str, Any]] = {
        f"Extractor_config_{suffix}.yaml": {
            "workflow_id": workflow.workflow_id,
            "workflow_version": _as_panoptes(version) if version else workflow.version,
            "extractor_config": extractors,
        },
        # The reference tool names a file of a reducer after its extractor.
        **{
            f"Reducer_config_{suffix}_{extractor}.yaml": {"reducer_config": {"polygon_reducer": average}}
            for extractor in extractors
        },
        f"Reducer_config_{suffix}_polygon_reducer_contours.yaml": {
            "reducer_config": {"polygon_reducer_contours": contours}
        },
        f"{TASK_LABELS}{suffix}.yaml": task_labels(workflow),
    }
    return {
        name: yaml.safe_dump(content, sort_keys=False, default_flow_style=False, indent=4, allow_unicode=True)
        for name, content in files.items()
    }


def task_labels(workflow: Workflow) -> dict[str, str]:
    """Return the texts of the tasks of a workflow by key, such as `T0.tools.0.label`, sorted."""
    try:
        tasks, strings = json.loads(workflow.tasks), json.loads(workflow.strings or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(tasks, dict) or not isinstance(strings, dict):
        return {}
    return {
        key: text
        for key, text in sorted(strings.items())
        if isinstance(text, str) and key.partition(".")[0] in tasks
    }


def _as_panoptes(version: str) -> str | dict[str, str]:
    """Return a version, or the ends of a range, in the form that panoptes_aggregation accepts."""
    text = parse_version_spec(version).text
    low, dots, high = text.partition("..")
    return {name: end for name, end in (("min", low), ("max", high)) if end} if dots else text


def _workflow(row: dict[str, str | None]) -> Workflow | None:
    cells = {name: (row.get(name) or "").strip() for name in (*_COLUMNS, "display_name", "strings")}
    version = f"{cells['version']}.{cells['minor_version'] or 0}"
    if not (_NUMBER.fullmatch(cells["workflow_id"]) and is_version(version)):
        return None
    return Workflow(
        int(cells["workflow_id"]), cells["display_name"], version, cells["tasks"], cells["strings"]
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
