"""Provide the input of the benchmark: synthetic exports, clusters of their marks, and traced outlines."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from outlines import WORKFLOW_VERSION, Drawings, write_drawings
from processes import ROOT

import polyframe as pf
from polyframe.consensus.reduce import cluster_marks
from polyframe.core.settings import Settings
from polyframe.synthetic import SynthOptions, write_export

WORKFLOW_ID = 4321
SEED = 20
EXAMPLE = ROOT / "data" / "classifications.csv"
#: Real outlines, beside the repository; one mark in each row.
TRACED = ROOT.parent / "shared" / "bu-bil" / "classifications.csv.gz"
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
    clicked : int
        Subjects with clicked polygons.
    group : int
        Volunteers of a large group; five marks each, or a hundred identical ones.
    traced : int, optional
        Marks of the traced outlines; all by default.
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
    clicked: int = 10_000
    group: int = 1000
    traced: int | None = None


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
    clicked=50,
    group=20,
    traced=60,
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
    workflow_id : int
    """

    path: Path
    subjects: int
    rows: int
    marks: int
    megabytes: float
    workflow_version: str
    workflow_id: int = WORKFLOW_ID

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

    def jittered(self, subjects: int) -> Export:
        """Return an export like `project`, with jitter: vertices are off by 0.4 % of the radius."""
        options = {"volunteers": self.sizes.volunteers, "vertices": self.sizes.vertices, "jitter": 0.004}
        return self._export(f"jittered-{subjects}", {**options, "subjects": subjects})

    def mixed(self, subjects: int) -> Export:
        """Return an export with a bit of everything: all tools, both workflow versions, several images."""
        options = {"polygon_share": 0.3, "old_share": 0.3, "frames": 2, "slips": 0.02}
        sizes = {"subjects": subjects, "volunteers": self.sizes.volunteers, "vertices": self.sizes.vertices}
        return dataclasses.replace(self._export("mixed", options | sizes), workflow_version="7")

    def clicked(self) -> Export:
        """Return an export of polygons of 4 to 9 clicked corners."""
        drawings = Drawings(self.sizes.clicked, 12, (2, 3), vertices=(4, 9), is_clicked=True)
        return self._drawn("clicked", drawings)

    def crowded(self) -> Export:
        """Return an export of few subjects, each with 20 objects that are outlined by clicked polygons."""
        subjects = max(2, self.sizes.clicked // 80)
        return self._drawn("crowded", Drawings(subjects, 12, (20,), vertices=(4, 9), is_clicked=True))

    def group_of_five(self) -> Export:
        """Return an export of one group in which every volunteer outlines each of five objects."""
        vertices = _around(self.sizes.vertices)
        return self._drawn("group-of-five", Drawings(1, self.sizes.group, (5,), vertices=vertices))

    def group_of_one(self) -> Export:
        """Return an export of one group in which every volunteer outlines one object five times."""
        vertices = _around(self.sizes.vertices)
        return self._drawn("group-of-one", Drawings(1, self.sizes.group, marks_each=5, vertices=vertices))

    def identical(self) -> Export:
        """Return an export of one group in which every volunteer has the same outline a hundred times."""
        drawings = Drawings(1, self.sizes.group, marks_each=100, vertices=(60, 60), is_identical=True)
        return self._drawn("identical", drawings)

    def example(self) -> Export:
        """Return the small export in `data/`."""
        rows = pl.read_csv(EXAMPLE, columns=["subject_ids"])["subject_ids"]
        return Export(EXAMPLE, rows.n_unique(), len(rows), 0, EXAMPLE.stat().st_size / 1e6, "7.12")

    def traced(self) -> Export | None:
        """Return stair-shaped outlines of BU-BIL, traced from pixel masks; None if they are missing."""
        if not TRACED.exists():
            return None
        path = TRACED
        if self.sizes.traced is not None:
            path = self.folder / "traced.csv"
            pl.read_csv(TRACED, infer_schema=False).head(self.sizes.traced).write_csv(path)
        rows = pl.read_csv(path, columns=["subject_ids"])["subject_ids"]
        return Export(path, rows.n_unique(), len(rows), len(rows), path.stat().st_size / 1e6, "1.1", 1)

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
            settings = Settings(filter="all", engine="shapely")
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

    def _drawn(self, name: str, drawings: Drawings) -> Export:
        if name not in self._exports:
            path = self.folder / f"{name}.csv"
            write_drawings(path, drawings, WORKFLOW_ID)
            rows = drawings.subjects * drawings.volunteers
            megabytes = path.stat().st_size / 1e6
            self._exports[name] = Export(
                path, drawings.subjects, rows, drawings.marks, megabytes, WORKFLOW_VERSION
            )
        return self._exports[name]

    def _export(self, name: str, options: dict[str, Any]) -> Export:
        if name not in self._exports:
            path = self.folder / f"{name}.csv"
            written = write_export(path, SynthOptions(**PLAIN | options))
            first = pl.read_csv(path, n_rows=1, schema_overrides={"workflow_version": pl.String})
            version = first["workflow_version"].item()
            self._exports[name] = Export(
                path, written.subjects, written.rows, written.marks, written.bytes / 1e6, version
            )
        return self._exports[name]


def _around(vertices: int) -> tuple[int, int]:
    """Return the least and most vertices of marks that have so many on average."""
    return vertices * 5 // 7, vertices * 9 // 7
