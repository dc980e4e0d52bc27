"""Measure kernels in this process: contours by cluster size, and intersection areas."""

import math
from typing import Any

import numpy as np
import ours
import shapely
from compare import ResultsDifferError, compare_levels
from floor import load_partition
from measuring import Bench, median, seconds_of, take_turns
from processes import ask_reference
from report import Row, number

from polyframe.geometry.engines import engine_named

#: The reference stops at this level.
_MOST_LEVELS = 10
_TARGETS = {(9, "fast"): 3_000, (11, "fast"): 50_000, (9, "without"): 300, (11, "without"): 4_000}
#: The reference is so slow for larger clusters that it runs once.
_ONCE = 10


def contours(bench: Bench) -> None:
    """Measure exact contours by cluster size: against the reference's exact function, then alone."""
    functions = ours.contour_functions()
    sizes = bench.sizes
    marks = {n: bench.inputs.cluster(n) for n in (*sizes.against_reference, *sizes.alone)}
    for function in functions.values():
        ours.one_cluster(function, marks[sizes.against_reference[0]])  # compiles
    theirs: dict[int, list[float]] = {n: [] for n in sizes.against_reference}
    mine: dict[tuple[int, str], list[float]] = {(n, engine): [] for n in marks for engine in functions}
    areas: dict[int, list[float]] = {}
    for turn in range(bench.runs):
        counts = [n for n in sizes.against_reference if turn == 0 or n < _ONCE]
        for n, seconds, levels in _reference_contours(bench, {n: marks[n] for n in counts}):
            theirs[n].append(seconds)
            areas[n] = levels
        for (n, engine), times in mine.items():
            times.append(seconds_of(ours.one_cluster, functions[engine], marks[n]))

    drawn = f"Marks of {shapely.get_num_coordinates(marks[max(marks)]).mean():.0f} vertices on average."
    for n in marks:
        levels_of = {engine: ours.one_cluster(function, marks[n]) for engine, function in functions.items()}
        for engine in functions:
            label = ours.LABELS[engine]
            _same_levels(levels_of[engine], levels_of["shapely"], f"{n} marks, both engines")
            row = Row(
                "contours",
                f"contours, {n} marks",
                label,
                ours=median(mine[n, engine]),
                note=drawn,
                marks=n,
            )
            row.runs["polyframe"] = mine[n, engine]
            if n in areas:
                compared = levels_of[engine][: len(areas[n])] if n > _MOST_LEVELS else levels_of[engine]
                compare_levels(compared, areas[n], f"{n} marks, {label}")
                row.against, row.theirs = "reference", median(theirs[n])
                row.ratio, row.least = row.theirs / row.ours, _TARGETS.get((n, label))
                row.runs["reference"] = theirs[n]
                row.in_plot = n in (sizes.against_reference[-1], 9)
                row.note = (
                    "The reference's exact function, called directly (above 9 marks its reducer "
                    f"takes a grid); areas of all levels equal. {drawn}"
                )
                if n >= _ONCE:
                    row.note += f" It ran once, and stops at {_MOST_LEVELS} levels."
            bench.add(row)
    if len(sizes.alone) > 1:
        small, large = sizes.alone[0], sizes.alone[-1]
        for engine in functions:
            power = math.log(median(mine[large, engine]) / median(mine[small, engine])) / math.log(
                large / small
            )
            bench.report.notes.append(
                f"Contours, {ours.LABELS[engine]}, from {small} to {large} marks: "
                f"the time grows like marks to the power of {number(power)}"
            )


def kernels(bench: Bench) -> None:
    """Compare exact contours with plain noding and polygonizing, and intersection areas with Shapely."""
    functions = ours.contour_functions()
    for n in bench.sizes.against_bare:
        marks = bench.inputs.cluster(n)
        sides: dict[str, Any] = {"bare": lambda m=marks: seconds_of(ours.bare_faces, m)}
        for engine, function in functions.items():
            ours.one_cluster(function, bench.inputs.cluster(4))  # compiles
            sides[engine] = lambda m=marks, f=function: seconds_of(ours.one_cluster, f, m)
        taken = take_turns(bench.runs, sides)
        for engine in functions:
            label = ours.LABELS[engine]
            bare, mine = median(taken["bare"]), median(taken[engine])
            bench.add(
                Row(
                    "kernels",
                    f"exact contours, {n} marks",
                    label,
                    "unary_union + polygonize",
                    bare,
                    mine,
                    bare / mine,
                    least=8 if label == "fast" else 0.5,
                    note="Against only noding the outlines and making faces of them: no counting, no levels.",
                    runs={"bare": taken["bare"], "polyframe": taken[engine]},
                )
            )
    bench.attempt("intersection areas", lambda: _intersections(bench))


def _intersections(bench: Bench) -> None:
    if "compiled" not in ours.engines():
        return
    functions = {
        "compiled": engine_named("compiled").intersection_areas,
        "shapely": ours.bare_intersection_areas,
    }
    partition = load_partition(bench.inputs.project(bench.sizes.subjects))
    left, right = partition.left[: bench.sizes.pairs], partition.right[: bench.sizes.pairs]
    polygons = partition.polygons
    functions["compiled"](polygons, left[:10], right[:10])  # compiles
    areas = {engine: function(polygons, left, right) for engine, function in functions.items()}
    distances = {
        engine: 1 - a / (partition.areas[left] + partition.areas[right] - a) for engine, a in areas.items()
    }
    largest = float(np.max(np.abs(distances["compiled"] - distances["shapely"])))
    if largest > 1e-9:
        raise ResultsDifferError(f"IoU distances of both engines differ by {largest:.2g}")
    taken = take_turns(
        bench.runs,
        {name: lambda f=f: seconds_of(f, polygons, left, right) for name, f in reversed(functions.items())},
    )
    bare, mine = median(taken["shapely"]), median(taken["compiled"])
    bench.add(
        Row(
            "kernels",
            f"intersection areas of {len(left):,} pairs",
            "fast",
            "shapely.intersection + area",
            bare,
            mine,
            bare / mine,
            least=20,
            note=f"Preparation included: {number(bare / len(left) * 1e6)} us a pair against "
            f"{number(mine / len(left) * 1e6)} us; largest difference of an IoU distance {largest:.1e}.",
            runs={"bare": taken["shapely"], "polyframe": taken["compiled"]},
        )
    )


def _reference_contours(bench: Bench, clusters: dict[int, Any]) -> list[tuple[int, float, list[float]]]:
    if not clusters:
        return []
    wkb = [[mark.hex() for mark in shapely.to_wkb(marks)] for marks in clusters.values()]
    answer, _ = ask_reference(bench.reference, {"mode": "contours", "clusters": wkb})
    return list(zip(clusters, answer["seconds"], answer["areas"], strict=True))


def _same_levels(one: list[float], other: list[float], where: str) -> None:
    if len(one) != len(other) or not np.allclose(one, other, rtol=1e-9, atol=1e-9):
        raise ResultsDifferError(f"contour areas at {where}")
