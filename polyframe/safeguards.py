"""Keep a run from quietly replacing good tables: the workflow and version that it keeps."""

import json
import typing
from pathlib import Path
from typing import Any

from polyframe._errors import UsageError
from polyframe.choices import VersionChosenBy
from polyframe.manifest import MANIFEST
from polyframe.panoptes.selection import MadeWith
from polyframe.panoptes.versions import parse_version_spec


def made_with(output: Path) -> MadeWith | None:
    """Return the workflow and version that an output directory was made with.

    The manifest of another version of polyframe tells it too, although nothing else there can be reused.

    Parameters
    ----------
    output : Path
        The output directory; it need not exist.

    Returns
    -------
    MadeWith or None
        None where there are no tables yet, or the manifest does not tell.
    """
    recorded = _recorded(output)
    extraction = recorded.get("extraction")
    if not isinstance(extraction, dict):
        return None
    workflow_id, version = extraction.get("workflow_id"), extraction.get("workflow_version")
    if not isinstance(workflow_id, int) or not isinstance(version, str):
        return None
    try:
        parse_version_spec(version)
    except UsageError:
        return None
    told = recorded.get("version_chosen_by")
    choices: tuple[VersionChosenBy, ...] = typing.get_args(VersionChosenBy)
    chosen_by: VersionChosenBy = next((choice for choice in choices if choice == told), choices[0])
    return MadeWith(str(output), workflow_id, version, choices[0] if ".." in version else chosen_by)


def _recorded(output: Path) -> dict[str, Any]:
    """Return what the manifest holds, whatever its form; nothing where it is no JSON object."""
    try:
        recorded = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return recorded if isinstance(recorded, dict) else {}
