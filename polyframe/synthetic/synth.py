"""Write a synthetic export to a file, or to a folder with its subjects."""

import os
from collections.abc import Callable
from pathlib import Path

from polyframe.core.atomic_files import cannot_write
from polyframe.core.docstrings import with_options
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.local_paths import local_path
from polyframe.core.scalar_checks import as_builtin
from polyframe.synthetic.synth_options import RowOrder, SynthOptions
from polyframe.synthetic.synthetic_export import ExportSummary, write_export
from polyframe.synthetic.truth_geojson import truth_path, write_truth


@with_options(SynthOptions)
def synth(
    output: str | os.PathLike[str],
    *,
    subjects: int = 12,
    volunteers: int = 8,
    seed: int = 1,
    objects: int = 3,
    vertices: int = 250,
    jitter: float = 0.0,
    scribblers: float = 0.08,
    careless: float = 0.0,
    repeats: float = 0.06,
    empty: float = 0.05,
    slips: float = 0.0,
    close_pairs: float = 0.25,
    polygon_share: float = 0.3,
    old_share: float = 0.2,
    bezier_share: float = 0.5,
    frames: int = 2,
    pool: int = 0,
    first_subject: int = 1_000_001,
    workflow_id: int = 4321,
    order: RowOrder = "time",
    truth: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ExportSummary:
    """Write a synthetic classification export, like `polyframe synth`.

    The same options give the same bytes. Fractions are probabilities, so the shares in a small export vary.

    Parameters
    ----------
    output : path
        A file if the name ends in `.csv` or `.csv.gz`; otherwise a folder, which gets `classifications.csv`
        and `subjects.csv`. Existing files are replaced.
    {options}
    truth : path, optional
        Also write the true outlines of all objects to this file, as GeoJSON for the `gold` of `score`. Their
        tools are those of the newer workflow version.
    progress : callable, optional
        Receives the number of finished subjects and the number of all subjects.

    Returns
    -------
    ExportSummary
        The path of the export, and the numbers of its subjects, rows, marks and bytes.

    Raises
    ------
    UsageError
        If an option is out of its range, or `truth` is no name for a file of its own.
    PolyframeError
        If a file cannot be written.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.synth("toy", subjects=100, seed=7)  # doctest: +SKIP
    >>> pf.synth("toy", subjects=100, seed=7, truth="truth.geojson")  # doctest: +SKIP
    """
    arguments = locals()
    options = SynthOptions(
        **{name: as_builtin(arguments[name]) for name in SynthOptions.__dataclass_fields__}
    )
    path = local_path(output, "output")
    is_file = path.name.endswith((".csv", ".csv.gz"))
    export, subjects_csv = (path, None) if is_file else (path / "classifications.csv", path / "subjects.csv")
    truth_file = None if truth is None else _truth_file(truth, export, subjects_csv)
    done = 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        if progress is not None:
            progress(done, subjects)

    if not is_file:
        _make_folder(path)
    if truth_file is not None:
        # First, because it takes little time: if it cannot be written, the error comes at once.
        write_truth(truth_file, options)
    return write_export(export, options, subjects_csv=subjects_csv, progress=advance)


def _truth_file(truth: str | os.PathLike[str], *others: Path | None) -> Path:
    """Return the path for the true outlines, which must differ from the files of the export."""
    path = truth_path(truth, "truth")
    if any(other is not None and path.absolute() == other.absolute() for other in others):
        raise UsageError(f"truth: {path} is a file of the export; name another one")
    return path


def _make_folder(path: Path) -> None:
    if path.is_file():
        raise PolyframeError(f"{path}: is a file; name a folder, or a file that ends in .csv or .csv.gz")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None
