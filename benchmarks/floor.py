"""Measure the floor: only the necessary library calls, on arrays in memory.

A whole run of the same export cannot avoid them: decoding the JSON, making and validating polygons,
intersection areas, one DBSCAN, noding and polygonizing (or the depth walk). Reading, selecting rows, sorting,
checks, tables and writing are not included, and preparation is not timed. The floor is processor time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import ours
import polars as pl
import shapely
from inputs import WORKFLOW_ID, Export
from measuring import Bench, median
from report import Row, seconds
from scipy.sparse import coo_array
from sklearn.cluster import DBSCAN

import polyframe as pf
from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.reduce import cluster_marks
from polyframe.core.ragged import flatten
from polyframe.core.settings import Settings
from polyframe.geometry.candidate_pairs import all_pairs, candidate_pairs
from polyframe.geometry.engines import engine_named
from polyframe.panoptes.annotations.parse_coordinates import numbers_from_text


class _Mark(msgspec.Struct, gc=False):
    pathX: msgspec.Raw = msgspec.Raw()  # noqa: N815 - the names of the export
    pathY: msgspec.Raw = msgspec.Raw()  # noqa: N815


class _Annotation(msgspec.Struct, gc=False):
    task: str
    value: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True)
class Partition:
    """An export in memory, as arrays.

    Attributes
    ----------
    cells : list of bytes
        Its annotations.
    coordinates, rings : ndarray
        The marks as closed rings: points and offsets.
    polygons, areas : ndarray
        The polygons that take part, sorted by group.
    left, right : ndarray of int64
        The pairs whose distances a run computes.
    graph : sparse matrix
        Distances of neighbours.
    members : ndarray of shapely.Polygon
    member_offsets : ndarray of int64
        The marks of each cluster.
    """

    cells: list[bytes]
    coordinates: Any
    rings: Any
    polygons: Any
    areas: Any
    left: Any
    right: Any
    graph: Any
    members: Any
    member_offsets: Any


def load_partition(export: Export) -> Partition:
    """Prepare the arrays of an export with polyframe's own functions."""
    extraction = pf.extract(export.path, workflow_id=WORKFLOW_ID)
    engine = ours.engines()[0]
    settings = Settings(filter="all", eps=ours.EPS, min_samples=ours.MIN_SAMPLES, engine=engine)
    clusters = cluster_marks(extraction.extractions, extraction.classifications, settings)
    cells = pl.read_csv(export.path, columns=["annotations"])["annotations"].to_list()

    x, offsets = flatten(extraction.extractions["x"])
    y, _ = flatten(extraction.extractions["y"])
    drawn = shapely.linearrings(
        np.column_stack([x, y]), indices=np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    )
    rings = np.concatenate([[0], np.cumsum(shapely.get_num_coordinates(drawn))])

    polygons, areas = clusters.marks.polygons, clusters.marks.areas
    left, right = _needed_pairs(clusters)
    shared = engine_named(engine).intersection_areas(polygons, left, right)
    distances = 1 - shared / (areas[left] + areas[right] - shared)
    near = distances <= ours.EPS
    both = np.concatenate([left[near], right[near]]), np.concatenate([right[near], left[near]])
    values = np.tile(distances[near], 2)
    graph = coo_array((values, both), shape=(len(polygons), len(polygons))).tocsr()
    return Partition(
        cells=[cell.encode() for cell in cells],
        coordinates=shapely.get_coordinates(drawn),
        rings=rings,
        polygons=polygons,
        areas=areas,
        left=left,
        right=right,
        graph=graph,
        members=polygons[clusters.members],
        member_offsets=clusters.member_offsets,
    )


def floor(bench: Bench) -> None:
    """Compare whole runs with the floor of the same export."""
    export = bench.inputs.project(bench.sizes.subjects)
    partition = load_partition(export)
    for engine in bench.engines:
        bench.attempt(
            f"floor, {ours.LABELS[engine]}", lambda e=engine: _against_floor(bench, export, partition, e)
        )


def _against_floor(bench: Bench, export: Export, partition: Partition, engine: str) -> None:
    label = ours.LABELS[engine]
    startup = bench.startup("run", engine)
    steps = _steps(partition, engine)
    for step in steps.values():
        step()  # compiles and allocates memory
    whole: list[float] = []
    second: list[float] = []
    each: dict[str, list[float]] = {name: [] for name in steps}
    again = [ours.settings(export, engine)] * 2
    is_first = engine == bench.engines[0]
    for _ in range(bench.runs if is_first else 1):
        whole.append(bench.whole("run", export, "ours", engine).seconds)
        if is_first:
            second.append(bench.in_one_process(export, "second", again)[0][1])
        for name, step in steps.items():
            start = time.process_time()
            step()
            each[name].append(time.process_time() - start)
    times = {name: median(values) for name, values in each.items()}
    lowest, mine = sum(times.values()), median(whole)
    steps_text = ", ".join(f"{name} {seconds(value)}" for name, value in times.items())
    files = _file_seconds(bench, export)
    note = f"{export.described}. {steps_text}." + (" Measured once." if not is_first else "")
    runs = {"polyframe": whole, **each}
    add = bench.add
    add(
        Row(
            "floor",
            "whole run / floor",
            label,
            "floor",
            lowest,
            mine,
            mine / lowest,
            most=1.4,
            note=note,
            runs=runs,
        )
    )
    add(
        Row(
            "floor",
            "the same without start-up",
            label,
            "floor",
            lowest,
            mine - startup,
            (mine - startup) / lowest,
            note=f"Start-up, {label}: {seconds(startup)}.",
        )
    )
    add(
        Row(
            "floor",
            "the same, against the floor and bare reading and writing",
            label,
            "floor + files",
            lowest + files,
            mine - startup,
            (mine - startup) / (lowest + files),
            note="Files: polars.read_csv of the export, and write_parquet of the same tables, not synced.",
        )
    )
    if second:
        mine = median(second)
        row = Row("floor", "second run in one process / floor, processor time", label, "floor", lowest, mine)
        row.ratio, row.note, row.runs = mine / lowest, note, {"second": second}
        add(bench.set_target(row, "second run / floor"))
    proven = getattr(
        engine_named(engine).contours(partition.members, partition.member_offsets), "proven", None
    )
    if proven is not None:
        bench.report.notes.append(
            f"Of {len(proven):,} clusters the depth walk passed {int(np.sum(~proven)):,} to the arrangement "
            f"({100 * np.mean(~proven):.2g} %)"
        )


def _steps(partition: Partition, engine: str) -> dict[str, Callable[[], Any]]:
    p = partition
    chosen = engine_named(engine)
    areas = chosen.intersection_areas if engine == "compiled" else ours.bare_intersection_areas
    ends = p.member_offsets

    def contours() -> Any:
        if engine == "compiled":
            return chosen.contours(p.members, ends)
        return [ours.bare_faces(p.members[a:b]) for a, b in pairwise(ends)]

    return {
        "decode": lambda: _decode(p.cells),
        "from_ragged_array, is_valid, buffer(0)": lambda: _make_polygons(p.coordinates, p.rings),
        "slab sweep" if engine == "compiled" else "intersection + area": lambda: areas(
            p.polygons, p.left, p.right
        ),
        "DBSCAN": lambda: DBSCAN(eps=ours.EPS, min_samples=ours.MIN_SAMPLES, metric="precomputed").fit(
            p.graph
        ),
        "depth walk" if engine == "compiled" else "unary_union + polygonize": contours,
    }


def _decode(cells: list[bytes]) -> Any:
    """Decode all cells: extract the paths with a typed decoder, then parse all numbers at once."""
    annotations = msgspec.json.Decoder(list[_Annotation]).decode
    marks = msgspec.json.Decoder(list[_Mark]).decode
    x, y = [], []
    for cell in cells:
        for annotation in annotations(cell):
            if annotation.task == "T0":
                for mark in marks(annotation.value):
                    x.append(bytes(mark.pathX)[1:-1])
                    y.append(bytes(mark.pathY)[1:-1])
    return [numbers_from_text(b",".join(path for path in paths if path)) for paths in (x, y)]


def _make_polygons(coordinates: Any, rings: Any) -> Any:
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, coordinates, (rings, np.arange(len(rings)))
    )
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.buffer(polygons[broken], 0)
    return polygons


def _needed_pairs(clusters: Clusters) -> tuple[Any, Any]:
    """Return the pairs that a run computes: candidates for neighbours, and the others within clusters."""
    marks = clusters.marks
    ids, n = marks.classification, len(marks.polygons)
    left, right = candidate_pairs(marks.bounds, marks.areas, marks.group_offsets, ids, ours.EPS)
    first, second = all_pairs(clusters.member_offsets)
    one, other = np.sort([clusters.members[first], clusters.members[second]], axis=0)
    different = ids[one] != ids[other]
    keys = np.unique(np.concatenate([left * n + right, one[different] * n + other[different]]))
    return keys // n, keys % n


def _file_seconds(bench: Bench, export: Export) -> float:
    """Return the time in which Polars reads the export and writes the tables of the last run."""
    output, copies = bench.inputs.folder / "ours", bench.inputs.new_folder("copies")
    tables = {path.parent.name: pl.read_parquet(path.parent) for path in output.glob("*/part-00000.parquet")}
    times = []
    for _ in range(bench.runs):
        start = time.perf_counter()
        pl.read_csv(export.path, infer_schema=False)
        for name, table in tables.items():
            table.write_parquet(copies / f"{name}.parquet")
        times.append(time.perf_counter() - start)
    return median(times)
