"""Measure how close averages are to the truth: of synthetic scenes, and of real people with an expert.

    python benchmarks/accuracy.py            # everything, about five minutes
    python benchmarks/accuracy.py --quick    # tiny scenes, to see that all of it works

See benchmarks/README.md.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import raster_tools
import shapely
from accuracy_plot import plot
from accuracy_report import AccuracyReport
from accuracy_rows import Scene, rows_of
from inputs import TRACED
from numpy.typing import NDArray
from raster_tools import RasterTools
from report import describe_machine

import polyframe as pf
from polyframe.consensus.extract import Extraction
from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.reduce import averaged_polygons, cluster_keys, cluster_marks
from polyframe.consensus.score.match_outlines import best_matches, overlapping_pairs
from polyframe.consensus.score.outlines import GoldOutlines, KeyedOutlines
from polyframe.core.choices import AverageType, EngineUsed
from polyframe.core.ragged import offsets_of, positions_of
from polyframe.core.settings import Settings
from polyframe.geometry.engines import choose_engine, engine_named
from polyframe.pipeline.gold.of_output import project_of_frames
from polyframe.pipeline.gold.read_gold import GoldSource, read_gold

FOLDER = Path(__file__).resolve().parent
GOLD = TRACED.with_name("gold.csv.gz")
#: Contour level ceil(n / 2), which is no average of its own.
LEVEL = "level n/2"
METHODS = (*get_args(AverageType), LEVEL)
#: What the results say of the machine; no figure depends on its speed.
_RECORDED = ("measured", "commit", "python", "versions")
#: All scenes show the same objects. With so many volunteers in the project, shares of them are exact.
SCENES = {
    "seed": 20,
    "pool": 200,
    "scribblers": 0.0,
    "repeats": 0.0,
    "empty": 0.0,
    "old_share": 0.0,
    "frames": 1,
}


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes
    ----------
    subjects, vertices : int
        Of the synthetic scenes.
    volunteers : tuple of int
        Volunteers of each subject.
    shares : tuple of float
        Shares of careless volunteers; each with each number of volunteers.
    scribblers : tuple of float
        Shares of scribblers, with ten volunteers.
    in_pixels : tuple of Scene
        Scenes in which the tools for pixels take part.
    people : tuple of int
        Workers of BU-BIL who take part.
    images : int or None
        So many images of BU-BIL; None for all.
    """

    subjects: int = 50
    vertices: int = 80
    volunteers: tuple[int, ...] = (3, 4, 5, 7, 10, 20)
    shares: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    scribblers: tuple[float, ...] = (0.1, 0.3, 0.5)
    in_pixels: tuple[Scene, ...] = tuple(
        Scene("careless", volunteers, bad) for bad in (0.0, 0.3) for volunteers in (5, 10)
    )
    people: tuple[int, ...] = (3, 5, 7)
    images: int | None = None

    def scenes(self) -> Iterator[Scene]:
        """Yield all synthetic scenes."""
        for bad in self.shares:
            yield from (Scene("careless", volunteers, bad) for volunteers in self.volunteers)
        yield from (Scene("scribblers", 10, bad) for bad in self.scribblers)


QUICK = Sizes(
    subjects=5,
    vertices=24,
    volunteers=(3, 10),
    shares=(0.0, 0.2),
    scribblers=(0.3,),
    in_pixels=(Scene("careless", 3, 0.2),),
    people=(3, 7),
    images=5,
)


@dataclass(frozen=True)
class Objects:
    """The objects of a scene for which there is a cluster; c objects.

    Attributes
    ----------
    marks : (m,) array of shapely.Polygon
        The marks of their clusters, sorted by cluster.
    offsets : (c + 1,) int64
    workers : (m,) int64
        Who drew each mark.
    truths : (c,) array of shapely.Polygon
    subject : (c,) int64
    averages : dict of str to (c,) array of shapely.Polygon
        By method.
    count : int
        Objects of the scene, with a cluster or not.
    """

    marks: NDArray[Any]
    offsets: NDArray[np.int64]
    workers: NDArray[np.int64]
    truths: NDArray[Any]
    subject: NDArray[np.int64]
    averages: dict[str, NDArray[Any]]
    count: int


def main() -> int:
    """Measure everything, and save the results."""
    arguments = _arguments()
    sizes = QUICK if arguments.quick else Sizes()
    tools = raster_tools.install(arguments.tools)
    setup = {"subjects": sizes.subjects, "vertices": sizes.vertices, **SCENES}
    machine = {key: value for key, value in describe_machine().items() if key in _RECORDED}
    report = AccuracyReport(setup, machine, tools.versions, tools.missing)
    rows = sizes.subjects * sum(scene.volunteers for scene in sizes.scenes())
    engine = choose_engine("auto", rows)
    start = time.perf_counter()
    for scene in sizes.scenes():
        with tempfile.TemporaryDirectory(prefix="polyframe-accuracy-") as folder:
            objects = synthetic_objects(scene, sizes, Path(folder), engine)
        add_rows(report, scene, objects, tools if scene in sizes.in_pixels else None)
    if TRACED.exists() and GOLD.exists():
        for workers in sizes.people:
            scene = Scene("people", workers)
            in_pixels = tools if workers == max(sizes.people) else None
            objects = people_objects(workers, sizes.images, engine)
            add_rows(report, scene, objects, in_pixels)
    else:
        report.notes.append("BU-BIL was not measured: ../shared/bu-bil is missing.")
    report.save(arguments.out)
    plot(report, arguments.out / "accuracy.png")
    print(report.markdown())
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


def synthetic_objects(scene: Scene, sizes: Sizes, folder: Path, engine: EngineUsed) -> Objects:
    """Generate a synthetic project, and cluster the marks of its objects."""
    export, truth = folder / "export.csv", folder / "truth.geojson"
    options: dict[str, Any] = {**SCENES, scene.kind: scene.bad}
    pf.synth(
        export,
        subjects=sizes.subjects,
        vertices=sizes.vertices,
        volunteers=scene.volunteers,
        truth=truth,
        **options,
    )
    return objects_of(pf.extract(export), truth, 0.5, engine)


def people_objects(workers: int, images: int | None, engine: EngineUsed) -> Objects:
    """Cluster the marks on BU-BIL of the first workers on each image."""
    extraction = traced_marks()
    subjects = extraction.classifications["subject_id"].unique().sort().head(images or 10**9)
    # Names are those of places in one of several batches.
    place = pl.col("classification_id").rank("ordinal").over("subject_id")
    classifications = extraction.classifications.filter(
        place <= workers, pl.col("subject_id").is_in(subjects.implode())
    )
    ids = classifications["classification_id"]
    extractions = extraction.extractions.filter(pl.col("classification_id").is_in(ids.implode()))
    return objects_of(Extraction(classifications, extractions, extraction.rejects), GOLD, 0.9, engine)


@cache
def traced_marks() -> Extraction:
    """Extract the marks of BU-BIL."""
    return pf.extract(TRACED)


def objects_of(extraction: Extraction, gold: Path, eps: float, engine: EngineUsed) -> Objects:
    """Cluster marks, find the cluster of each true outline, and average it in every way."""
    truths = read_truths(extraction, gold)
    settings = Settings(eps=eps, engine=engine)
    clusters = cluster_marks(extraction.extractions, extraction.classifications, settings)
    cluster, truth = clusters_of_truths(clusters, truths)
    counts = clusters.counts[cluster]
    members = clusters.members[positions_of(clusters.member_offsets[cluster], counts)]
    marks, offsets = clusters.marks.polygons[members], offsets_of(counts)
    averages = {
        average: averaged_polygons(clusters, settings.replace({"average_type": average}))[cluster]
        for average in get_args(AverageType)
    }
    averages[LEVEL] = half_levels(marks, offsets, settings)
    keys = truths.outlines.keys[truth]
    _, volunteers = np.unique(clusters.marks.keys["volunteer"].fill_null("").to_list(), return_inverse=True)
    return Objects(
        marks,
        offsets,
        volunteers[members],
        truths.outlines.polygons[truth],
        keys["subject_id"].to_numpy(),
        averages,
        len(truths.outlines.areas),
    )


def read_truths(extraction: Extraction, gold: Path) -> GoldOutlines:
    """Read the true outlines of the subjects of an extraction, like `polyframe score --gold`."""
    project = project_of_frames("the project", None, extraction.classifications, extraction.extractions)
    return read_gold(GoldSource(gold), project, Settings(), lambda: extraction, lambda _: None).outlines


def clusters_of_truths(
    clusters: Clusters, truths: GoldOutlines
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the clusters of true outlines, and these outlines: the best matches of the median marks.

    All averages of a cluster are compared with the same outline, however bad they are.
    """
    keys = cluster_keys(clusters, np.arange(len(clusters.median)))
    medians = clusters.marks.polygons[clusters.median]
    outlines = KeyedOutlines(
        keys.select("subject_id", "task", "frame", "tool"), medians, shapely.area(medians)
    )
    matches = best_matches(overlapping_pairs(outlines, truths.outlines, 0.0))
    return matches.scored, matches.gold


def half_levels(marks: NDArray[Any], offsets: NDArray[np.int64], settings: Settings) -> NDArray[Any]:
    """Return contour level ceil(n / 2) of each cluster of n marks; empty if there is none."""
    levels = engine_named(settings.engine).contours(marks, offsets)
    position = levels.offsets[:-1] + (np.diff(offsets) + 1) // 2 - 1
    exists = position < levels.offsets[1:]
    found = np.full(len(position), shapely.Polygon(), dtype=object)
    found[exists] = levels.polygons[position[exists]]
    return found


def add_rows(report: AccuracyReport, scene: Scene, objects: Objects, tools: RasterTools | None) -> None:
    """Compare all averages of a scene with the truth, and those by tools for pixels, if any."""
    regions = dict(objects.averages)
    if tools is not None:
        regions |= tools.combine(objects.marks, objects.offsets, objects.workers)
    counts = np.diff(objects.offsets)
    for row in rows_of(scene, regions, objects.truths, objects.subject):
        row.objects, row.found = objects.count, len(counts)
        row.marks = float(counts.mean()) if len(counts) else 0.0
        report.rows.append(row)
    print(f"{scene}: {len(counts)} of {objects.count} objects", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny scenes: shows that it works")
    parser.add_argument("--out", type=Path, help="where accuracy.json, accuracy.md and accuracy.png go")
    tools = ",".join(raster_tools.REQUIREMENTS)
    parser.add_argument("--tools", default=tools, help=f"tools for pixels: some of {tools}, or none")
    arguments = parser.parse_args()
    arguments.tools = [] if arguments.tools == "none" else arguments.tools.split(",")
    unknown = [name for name in arguments.tools if name not in raster_tools.REQUIREMENTS]
    if unknown:
        parser.error(f"--tools: {unknown[0]!r} is not one of {tools}")
    # Quick results must not replace measured ones.
    folder = FOLDER / ("results-quick" if arguments.quick else "results")
    arguments.out = (arguments.out or folder).resolve()
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
