"""Compile entry points in a separate process, and put them into the cache on disk.

The process reads names of entry points from its standard input, one a line, and prints each when it is in the
cache, or an empty line if it cannot be cached. It ends with its standard input, hence also with the process
that started it. See `polyframe.geometry.compile_ahead`.

The types of the arguments are those of calls on tiny inputs, recorded from interpreted loops.
"""

import os
import queue
import signal
import sys
import threading
from collections.abc import Collection
from typing import Any

import numpy as np
import shapely

from polyframe.geometry.compiled import numba_jit
from polyframe.geometry.compiled.purposes import EVERYTHING, Purpose
from polyframe.geometry.majority import iou_others
from polyframe.geometry.polygon_parts import flat_rings


def sample_calls(purposes: Collection[Purpose] = EVERYTHING) -> None:
    """Call the entry points that serve some purposes, with all types that a run uses, on tiny inputs."""
    load = numba_jit.load
    marks = np.array([shapely.box(k, 0, k + 10, 10 + k / 7) for k in range(4)], dtype=object)
    starts = np.array([0, 2, 4])
    left, right = np.array([0, 2]), np.array([1, 3])
    # Two parts of level 2 touch in a point.
    touching = np.array(
        [shapely.box(0, 0, 2, 2), shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)], dtype=object
    )
    if "coordinates" in purposes:
        text, begins, ends = np.frombuffer(b"[1.5,2]", np.uint8), np.array([0]), np.array([7])
        load("coordinate_text").read_lists(text, begins, ends, np.array([False]))
    if not EVERYTHING.difference({"coordinates", "large groups"}).isdisjoint(purposes):
        crossings = load("group_crossings").find_group_crossings(marks, starts)
        known = crossings, np.arange(4)
    if "clusters" in purposes:
        crossings.intersection_areas(marks, left, right)
    if "memberships" in purposes:
        sums, cluster, nobody = load("set_sums"), np.array([0, 4]), np.full(4, -1)
        blocks = load("membership_sums").walk_memberships(marks, cluster)
        resampled = sums.CompiledResampledAreas(cluster, np.array([1]), np.zeros(1, np.uint64))
        iou_others(resampled.watch(blocks), cluster, np.ones(4), np.arange(4), nobody, sums.add_others)
        list(load("membership_sums").walk_memberships(marks, starts, known))
    if "levels" in purposes:
        load("engine").compiled_contour_rings(marks, starts, known=known)
        load("engine").compiled_cluster_contours(touching, np.array([0, 3]))
        load("engine").compiled_cluster_unions(marks, starts)
        load("engine").compiled_cluster_intersections(marks, starts)
    if "majority" in purposes:
        load("engine").compiled_cluster_majorities(marks, np.array([0, 4]), np.array([1]), known)
        load("engine").compiled_cluster_majorities(touching, np.array([0, 3]), np.array([1]))
    if "large groups" in purposes:
        load("intersection_areas").sweep_intersection_areas(marks, left, right)
        load("area_rows").area_rows(marks).of_rows(0, 2)
        outlines = load("outlines").load_outlines(
            *flat_rings(touching), np.array([0, 3]), np.ones(1, np.bool_)
        )
        load("level_events").find_level_events(outlines, 3, np.array([1]))


def recorded_arguments() -> dict[str, list[tuple[Any, ...]]]:
    """Return the arguments of the calls that `sample_calls` makes, by name of the entry point."""
    calls: dict[str, list[tuple[Any, ...]]] = {}
    numba_jit.record_calls(lambda name, arguments: calls.setdefault(name, []).append(arguments))
    try:
        sample_calls()
    finally:
        numba_jit.record_calls(None)
    return calls


def compile_entry_point(name: str, calls: list[tuple[Any, ...]]) -> None:
    """Compile an entry point for the types of some calls, unless the cache has it."""
    import numba  # type: ignore[import-untyped, import-not-found, unused-ignore]

    numba_jit.load(name.partition(".")[0])
    typeof: Any = numba.typeof
    types = (tuple(typeof(_as_loaded(value)) for value in arguments) for arguments in calls)
    for signature in dict.fromkeys(types):
        numba_jit.entry_points[name].compile(signature)


def _as_loaded(value: Any) -> Any:
    """Replace named tuples by those of the modules that are loaded now."""
    if not isinstance(value, tuple):
        return value
    items = map(_as_loaded, value)
    if not hasattr(value, "_fields"):
        return tuple(items)
    kind = type(value)
    module = numba_jit.load(kind.__module__.rpartition(".")[2])
    return getattr(module, kind.__name__)(*items)


def _main() -> None:
    # Ctrl-C in a terminal reaches this process too, but the one that started it decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    names: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            names.put(line.strip())
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    calls = recorded_arguments()
    numba_jit.compile_loops()
    while True:
        name = names.get()
        compile_entry_point(name, calls.get(name, []))
        print(name if numba_jit.is_cached(numba_jit.entry_points[name]) else "", flush=True)


if __name__ == "__main__":
    _main()
