"""Generate the input of the benchmark: synthetic exports, and clusters of their marks."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import polyframe as pf
from polyframe.consensus.reduce import cluster_marks
from polyframe.core.settings import Settings
from polyframe.synthetic import SynthOptions, write_export

WORKFLOW_ID = 4321
SEED = 20
#: Both tools treat such an export alike: one workflow version, freehand marks, and one image per subject. All
#: else (scribblers, repeats, empty classifications, close pairs, other tasks) has its default.
PLAIN = {"polygon_share": 0.0, "old_share": 0.0, "frames": 1, "seed": SEED, "workflow_id": WORKFLOW_ID}
#: One object, outlined once by each volunteer.
ONE_CLUSTER = {
    "objects": 1,
    "scribblers": 0.0,
    "repeats": 0.0,
    "empty": 0.0,
    "close_pairs": 0.0,
    "subjects": 1,
}


@dataclass(frozen=True)
class Sizes:
    """Sizes of the inputs.

    Attributes
    ----------
    subjects, volunteers, vertices : int
        The project of whole runs: subjects, volunteers per subject, vertices per mark.
    reference_subjects : int
        The reference reduces only this many of those subjects, and its time is multiplied.
    scaling : tuple of int
        Subjects x1, x4, x16.
    selection : int
        Subjects x1 for the reference's selection of rows.
    against_reference, alone, against_bare : tuple of int
        Marks per cluster: contours against the reference; alone; against unary_union + polygonize.
    pairs : int
        Pairs for the comparison of the engines.
    """

    subjects: int = 300
    volunteers: int = 15
    vertices: int = 350
    reference_subjects: int = 30
    scaling: tuple[int, ...] = (100, 400, 1600)
    selection: int = 500
    against_reference: tuple[int, ...] = (4, 5, 6, 7, 8, 9, 10, 11)
    alone: tuple[int, ...] = (15, 20, 30, 50, 100, 150, 200)
    against_bare: tuple[int, ...] = (13, 30, 100)
    pairs: int = 20_000


QUICK = Sizes(
    subjects=8,
    volunteers=6,
    vertices=100,
    reference_subjects=4,
    scaling=(4, 16, 64),
    selection=40,
    against_reference=(4, 5, 6),
    alone=(15, 30),
    against_bare=(13, 30),
    pairs=500,
)


@dataclass(frozen=True)
class Export:
    """A generated export.

    Attributes
    ----------
    path : Path
    subjects : int
    rows, marks : int
        Classifications and marks in it.
    megabytes : float
    workflow_version : str
        Its only version.
    """

    path: Path
    subjects: int
    rows: int
    marks: int
    megabytes: float
    workflow_version: str

    @property
    def described(self) -> str:
        return (
            f"{self.subjects:,} subjects, {self.rows:,} classifications, {self.marks:,} marks, "
            f"{self.megabytes:,.1f} MB"
        )


class Inputs:
    """Exports in a work folder, which are generated at their first use."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self._exports: dict[str, Export] = {}
        self._marks: Any = None
        folder.mkdir(parents=True, exist_ok=True)

    def project(self, subjects: int) -> Export:
        """Return an export of some subjects of the project; more subjects are appended."""
        options = {"volunteers": self.sizes.volunteers, "vertices": self.sizes.vertices}
        return self._export(f"project-{subjects}", {**options, "subjects": subjects})

    def light(self, subjects: int) -> Export:
        """Return an export with tiny marks, to measure everything except geometry."""
        return self._export(
            f"light-{subjects}", {"subjects": subjects, "volunteers": 4, "vertices": 12, "objects": 1}
        )

    def cluster(self, count: int) -> Any:
        """Return the polygons of the first marks of a cluster, (count,) array; larger counts extend it."""
        if self._marks is None:
            sizes = self.sizes
            most = max(*sizes.against_reference, *sizes.alone, *sizes.against_bare)
            # Not every volunteer outlines the object.
            options = {**ONE_CLUSTER, "volunteers": most + most // 10 + 10, "vertices": sizes.vertices}
            extraction = pf.extract(self._export("cluster", options).path, workflow_id=WORKFLOW_ID)
            settings = Settings(filter="all")
            clusters = cluster_marks(extraction.extractions, extraction.classifications, settings)
            marks = clusters.marks.polygons[clusters.members[slice(*clusters.member_offsets[:2])]]
            if len(marks) < most:
                raise ValueError(f"the generated cluster has {len(marks)} marks, not {most}")
            self._marks = marks
        return self._marks[:count]

    def new_folder(self, name: str) -> Path:
        """Return an empty folder for results."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def remove(self) -> None:
        """Remove the work folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _export(self, name: str, options: dict[str, Any]) -> Export:
        if name not in self._exports:
            path = self.folder / f"{name}.csv"
            written = write_export(path, SynthOptions(**PLAIN, **options))
            first = pl.read_csv(path, n_rows=1, schema_overrides={"workflow_version": pl.String})
            version = first["workflow_version"].item()
            self._exports[name] = Export(
                path, written.subjects, written.rows, written.marks, written.bytes / 1e6, version
            )
        return self._exports[name]
