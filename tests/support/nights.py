"""Make the output directories of an export that grows from night to night, in small partitions."""

import shutil
from pathlib import Path

import pytest
from exports import drawing, export_row, export_text, square

import polyframe as pf
from polyframe.pipeline import plan

#: About the bytes of two subjects of `write_night`.
_PARTITION_BYTES = 6_000


def write_night(path: Path, night: int) -> Path:
    """Write the export after some nights: more subjects, more classifications of earlier ones, and rejects.

    Each subject has up to five classifications, which come in over five nights. Subjects are not classified
    in the order of their ids, so partitions grow and are split.
    """
    rows = []
    for started in range(1, night + 1):
        for subject in (started, 100 - started):
            for volunteer in range(min(night - started + 2, 5)):
                marks = drawing(square(volunteer, subject), square(50 + volunteer, 0))
                annotations = "broken" if volunteer == 3 else marks
                rows.append(export_row(10 * subject + volunteer, annotations, subject_ids=subject))
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def run_night(folder: Path, night: int) -> None:
    """Make the tables in `folder / "out"` from the export after some nights."""
    export = write_night(folder / "classifications.csv", night)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MEGABYTE", _PARTITION_BYTES)
        pf.run(export, folder / "out", jobs=1, partition_size=1, engine="shapely", say=str)


def nightly_outputs(folder: Path, nights: int) -> list[Path]:
    """Return copies of the output directory, one after the run of each night."""
    copies = []
    for night in range(1, nights + 1):
        run_night(folder, night)
        copies.append(Path(shutil.copytree(folder / "out", folder / f"out-{night}")))
    return copies
