"""Write configuration files for a workflow from the workflow export."""

import os
from pathlib import Path

from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import local_path
from polyframe.core.notes import Information, show
from polyframe.core.object_stores import StorageOptions
from polyframe.core.scalar_checks import as_builtin, is_integer
from polyframe.panoptes.classifications.workflow_versions import NEWEST, version_spec_from_config
from polyframe.panoptes.config.workflow_export import (
    choose_workflow,
    config_texts,
    drawing_tools,
    notes_on_tools,
    read_workflows,
)


def config(
    workflows: AnyFile,
    folder: str | os.PathLike[str],
    workflow_id: int | None = None,
    version: str | None = None,
    *,
    storage_options: StorageOptions | None = None,
    force: bool = False,
    say: Say | None = None,
) -> list[Path]:
    """Write configuration files from a workflow export, like `polyframe config`.

    Parameters
    ----------
    workflows : path or address
        The workflow export of the project: CSV.
    folder : path
        For a file with the extractors, one with the averages of each extractor, one with the contours and one
        with the texts of tasks, named as by panoptes_aggregation. Created if it does not exist.
    workflow_id : int, optional
        Required if the export contains several workflows.
    version : str, optional
        As the setting `workflow_version`; the tasks are those of the newest version that it selects.
    storage_options : mapping, optional
        Credentials and endpoint, as for `run`, if `workflows` is in a store.
    force : bool
        Replace existing files.
    say : callable, optional
        Receives notes: what was chosen by default, and which tools and tasks are skipped.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    UsageError, PolyframeError
        If there is no such workflow or version, it has no tool that draws outlines, or a file exists.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.config("workflows.csv", "configs", workflow_id=28090)  # doctest: +SKIP
    """
    say = show if say is None else say
    folder = local_path(folder, "folder")
    workflow_id = as_builtin(workflow_id)
    if workflow_id is not None and not is_integer(workflow_id):
        raise UsageError(f"workflow_id: {short_repr(workflow_id)} is not an integer")
    if folder.is_file():
        raise PolyframeError(f"{folder}: is a file; name a folder for the configuration files")
    if version is not None and not isinstance(version, str):
        version = version_spec_from_config(version)
    version = None if version == NEWEST else version
    with local_copies([workflows], say, storage_options) as ((file,), _):
        path = local_path(file, "workflows")
        chosen = choose_workflow(read_workflows(path), path, workflow_id, version)
    files = {folder / name: text for name, text in config_texts(chosen, version).items()}
    existing = [file for file in files if os.path.lexists(file)]
    if existing and not force:
        raise PolyframeError(f"{existing[0]}: exists; use --force to replace it, or another folder")
    if workflow_id is None:
        say(Information(f"workflow {chosen.workflow_id}, the only one in the export"))
    say(Information(f"the tasks of version {chosen.version}, the newest that was requested"))
    for note in notes_on_tools(drawing_tools(chosen)):
        say(note)
    for file, text in files.items():
        with atomic_text(file) as opened:
            opened.write(text)
    return list(files)
