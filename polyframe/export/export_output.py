"""Export an output directory in one of the formats."""

import importlib
import os
from typing import Any

from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.local_paths import local_path
from polyframe.core.suggestions import nearest
from polyframe.export.export_options import FORMATS, ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.store.manifest import read_manifest


def export(
    output: str | os.PathLike[str],
    to: str,
    path: str | os.PathLike[str],
    *,
    say: Say = lambda _: None,
    **options: Any,
) -> list[Exported]:
    """Write the tables of an output directory for another program, like `polyframe export`.

    Parameters
    ----------
    output : path
        The output directory; nothing in it is changed.
    to : str
        The format: `panoptes-csv`, `geojson`, `coco`, `masks` or `labelstudio`.
    path : path
        The file to write, or the folder for formats of several files; existing files are replaced.
    say : callable
        Receives notes, for example about omitted shapes.
    **options
        `what`, `level`, `classifications`, `image_size` or `image_name`.

    Returns
    -------
    list of Exported
        The files and folders that were written.

    Raises
    ------
    UsageError
        If the format or an option is unknown, or they do not fit.
    PolyframeError
        If a table is missing, the output changes during the export, or a file cannot be written.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.export("out", "panoptes-csv", "reductions.csv")  # doctest: +SKIP
    """
    folder, target = local_path(output, "output"), local_path(path, "path")
    if not isinstance(to, str) or to not in FORMATS:
        raise UsageError(f"unknown format {short_repr(to)}{nearest(to, FORMATS)}")
    known = ExportOptions.__dataclass_fields__
    for name in options:
        if name not in known:
            raise UsageError(f"unknown option {name!r}{nearest(name, known)}")
    checked = ExportOptions(**options)
    checked.check_for(to)
    read_manifest(folder)  # fails before anything is written
    module = importlib.import_module(f"polyframe.export.{FORMATS[to]}")
    exported: list[Exported] = module.write(folder, target, checked, say)
    return exported
