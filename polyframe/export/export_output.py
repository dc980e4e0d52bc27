"""Exporting in one of the formats, by its name."""

import importlib
import os
from typing import Any

from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError, in_short
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
    """Write what an output directory holds in the form of another program, like `polyframe export`.

    Parameters
    ----------
    output : path
        What a run wrote; nothing in it is changed.
    to : str
        One of `polyframe.export.export_options.FORMATS`, such as `panoptes-csv`.
    path : path
        The file to write, or the folder for formats of several files; what is there is replaced.
    say : callable
        Told what was chosen without being asked for.
    **options
        Any field of `polyframe.export.export_options.ExportOptions`.

    Returns
    -------
    list of Exported
        Each file that was written, or folder.

    Raises
    ------
    UsageError
        Where a format or an option is unknown, or does not fit.
    PolyframeError
        Where a table is missing, the output changes meanwhile, or a file cannot be written.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.export("out", "panoptes-csv", "reductions.csv")  # doctest: +SKIP
    """
    folder, target = local_path(output, "output"), local_path(path, "path")
    if not isinstance(to, str) or to not in FORMATS:
        raise UsageError(f"no format {in_short(to)}{nearest(to, FORMATS)}")
    known = ExportOptions.__dataclass_fields__
    for name in options:
        if name not in known:
            raise UsageError(f"unknown option {name!r}{nearest(name, known)}")
    chosen = ExportOptions(**options)
    chosen.check_for(to)
    # Before anything is written.
    read_manifest(folder)
    module = importlib.import_module(f"polyframe.export.{FORMATS[to]}")
    written: list[Exported] = module.write(folder, target, chosen, say)
    return written
