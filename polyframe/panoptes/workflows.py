"""The workflow export of Panoptes, and the configuration files that follow from it."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from polyframe._errors import PolyframeError, UsageError, no_such_file
from polyframe.panoptes.versions import is_version, parse_version_spec, selects, version_key
from polyframe.settings import Settings

_COLUMNS: Final = ("workflow_id", "version", "minor_version", "tasks")
#: The tools that draw outlines, and the extractor of each.
_EXTRACTORS: Final = {
    "freehandLine": "polygon_extractor",
    "polygon": "polygon_extractor",
    "bezier": "bezier_extractor",
}
_NUMBER: Final = re.compile("[0-9]{1,18}")
_LARGEST_FIELD: Final = 2**31 - 1
_MOST_LISTED: Final = 20


@dataclass(frozen=True)
class Workflow:
    """One version of a workflow.

    Attributes
    ----------
    workflow_id : int
    name : str
        What it is called; empty where the export does not say.
    version : str
        Such as `13.19`.
    tasks : str
        JSON.
    """

    workflow_id: int
    name: str
    version: str
    tasks: str


def read_workflows(path: Path) -> list[Workflow]:
    """Read a workflow export; rows without a number or a version are passed over.

    Raises
    ------
    PolyframeError
        Where it is missing, or no workflow export.
    """
    csv.field_size_limit(_LARGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise PolyframeError(
                    f"{path}: is no workflow export; columns missing: {', '.join(missing)}; "
                    "name the workflow export of Zooniverse"
                )
            found = [_workflow(row) for row in rows]
    except FileNotFoundError:
        raise PolyframeError(no_such_file(path)) from None
    except IsADirectoryError:
        raise PolyframeError(f"{path}: is a directory; name the workflow export, a CSV file") from None
    except (OSError, ValueError, csv.Error) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise PolyframeError(f"{path}: cannot be read as CSV in UTF-8 ({told}); download it again") from None
    return [workflow for workflow in found if workflow is not None]


def choose_workflow(
    workflows: Sequence[Workflow], path: Path, workflow_id: int | None, version: str | None
) -> Workflow:
    """Choose a workflow, and the newest of the versions asked for.

    Parameters
    ----------
    workflows : sequence of Workflow
        From `read_workflows`.
    path : Path
        For messages.
    workflow_id : int or None
        None takes the only one.
    version : str or None
        As the setting `workflow_version`; None takes the newest.

    Raises
    ------
    PolyframeError
        Where it is not there; the message lists what is.
    UsageError
        Where there are several workflows and none was asked for, or the version has no known form.
    """
    if not workflows:
        raise PolyframeError(f"{path}: holds no workflows")
    held = {found.workflow_id: found.name for found in sorted(workflows, key=lambda w: w.workflow_id)}
    listed = ", ".join(f"{number} ({name})" if name else str(number) for number, name in held.items())
    if workflow_id is None and len(held) > 1:
        raise UsageError(f"{path}: holds several workflows, choose one with --workflow-id; it holds {listed}")
    wanted = next(iter(held)) if workflow_id is None else workflow_id
    if wanted not in held:
        raise PolyframeError(f"{path}: holds no workflow {wanted}; it holds {listed}")
    versions = sorted(
        (found for found in workflows if found.workflow_id == wanted), key=lambda w: version_key(w.version)
    )
    texts = [found.version for found in versions]
    chosen = selects(version, texts) if version is not None else [True] * len(texts)
    if not any(chosen):
        more = f"{len(texts) - _MOST_LISTED} more, " if len(texts) > _MOST_LISTED else ""
        shown = ", ".join(texts[-_MOST_LISTED:])
        raise PolyframeError(f"{path}: workflow {wanted} holds no version {version}; it holds {more}{shown}")
    return [found for found, yes in zip(versions, chosen, strict=True) if yes][-1]


def drawing_tools(workflow: Workflow) -> dict[str, dict[str, list[int]]]:
    """Return the tools that draw outlines: extractor -> task -> tool indices.

    Raises
    ------
    PolyframeError
        Where the tasks are no JSON, or have no such tool; the message lists what they have.
    """
    name = f"workflow {workflow.workflow_id} version {workflow.version}"
    try:
        tasks = json.loads(workflow.tasks)
    except (ValueError, RecursionError) as error:
        raise PolyframeError(f"{name}: its tasks are no JSON ({error}); export the workflows again") from None
    found: dict[str, dict[str, list[int]]] = {}
    held: list[str] = []
    for key, task in tasks.items() if isinstance(tasks, dict) else ():
        kind = task.get("type") if isinstance(task, dict) else None
        tools = task.get("tools") if kind == "drawing" else None
        types = [tool.get("type") if isinstance(tool, dict) else None for tool in _as_list(tools)]
        held.append(f"{key} ({kind}{': ' if types else ''}{', '.join(map(str, types))})")
        for index, of_tool in enumerate(types):
            if isinstance(of_tool, str) and of_tool in _EXTRACTORS:
                found.setdefault(_EXTRACTORS[of_tool], {}).setdefault(key, []).append(index)
    if not found:
        raise PolyframeError(
            f"{name}: has no drawing task with a tool of the type {', '.join(_EXTRACTORS)}; "
            f"it has {', '.join(held) or 'no tasks'}"
        )
    return found


def config_texts(workflow: Workflow, version: str | None) -> dict[str, str]:
    """Return the configuration files of a workflow: name -> YAML.

    Parameters
    ----------
    workflow : Workflow
        From `choose_workflow`.
    version : str or None
        What was asked for, which the files then name; else they name the version of the workflow.
    """
    extractors = {
        extractor: [{"task": task, "tools": tools} for task, tools in of_tasks.items()]
        for extractor, of_tasks in sorted(drawing_tools(workflow).items(), reverse=True)
    }
    settings = Settings()
    clustering = {"eps": settings.eps, "min_samples": settings.min_samples}
    average = {"average_type": settings.average_type, **clustering}
    contours = {**clustering, "rasterisation": False}
    of_workflow = f"config_workflow_{workflow.workflow_id}_V{workflow.version}"
    files: dict[str, dict[str, Any]] = {
        f"Extractor_{of_workflow}.yaml": {
            "workflow_id": workflow.workflow_id,
            "workflow_version": _as_panoptes(version) if version else workflow.version,
            "extractor_config": extractors,
        },
        f"Reducer_{of_workflow}_polygon_reducer.yaml": {"reducer_config": {"polygon_reducer": average}},
        f"Reducer_{of_workflow}_polygon_reducer_contours.yaml": {
            "reducer_config": {"polygon_reducer_contours": contours}
        },
    }
    return {
        name: yaml.safe_dump(told, sort_keys=False, default_flow_style=False, indent=4, allow_unicode=True)
        for name, told in files.items()
    }


def _as_panoptes(version: str) -> str | dict[str, str]:
    """Return a version, or the ends of a range, as panoptes_aggregation takes them too."""
    text = parse_version_spec(version).text
    low, dots, high = text.partition("..")
    return {name: end for name, end in (("min", low), ("max", high)) if end} if dots else text


def _workflow(row: dict[str, str | None]) -> Workflow | None:
    cells = {name: (row.get(name) or "").strip() for name in (*_COLUMNS, "display_name")}
    version = f"{cells['version']}.{cells['minor_version'] or 0}"
    if not (_NUMBER.fullmatch(cells["workflow_id"]) and is_version(version)):
        return None
    return Workflow(int(cells["workflow_id"]), cells["display_name"], version, cells["tasks"])


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
