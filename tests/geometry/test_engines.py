"""Test that GEOS and the compiled loops give the same tables, and which engine is chosen."""

import dataclasses
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import shapely
from exports import Done

import polyframe as pf
from polyframe import geometry as g
from polyframe.core.drawing_sizes import DrawingSizes
from polyframe.core.settings import Settings
from polyframe.core.tables import EXTRACTIONS
from polyframe.geometry import engines
from polyframe.geometry.compiled import numba_jit
from polyframe.geometry.engines import (
    MOST_BYTES_FOR_GEOS,
    MOST_ROWS_FOR_GEOS,
    MOST_SUBJECT_BYTES_FOR_GEOS,
    choose_engine,
    engine_for,
    engine_named,
)
from polyframe.pipeline.configure import configure
from polyframe.synthetic import SynthOptions, write_export

FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
fast = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: the extra `fast`"
)


@pytest.fixture(scope="module")
def extraction(tmp_path_factory: pytest.TempPathFactory) -> pf.Extraction:
    path = tmp_path_factory.mktemp("engines") / "classifications.csv"
    write_export(path, SynthOptions(subjects=30, volunteers=9, seed=3))
    return pf.extract(path)


@fast
@pytest.mark.parametrize("average", ["median", "union", "intersection"])
@pytest.mark.parametrize("eps", [0.2, 0.5, 0.95])
def test_engines_agree_on_reductions(extraction: pf.Extraction, average: Any, eps: float) -> None:
    geos, compiled = (
        pf.reduce(extraction, eps=eps, average_type=average, engine=engine)
        for engine in ("shapely", "compiled")
    )
    assert compiled.labels.drop("iou_others").equals(geos.labels.drop("iou_others"))
    ious = [reduction.labels["iou_others"].fill_null(-1.0).to_numpy() for reduction in (geos, compiled)]
    np.testing.assert_allclose(*ious, rtol=0, atol=1e-9)
    assert compiled.groups.equals(geos.groups)
    for column in ("consensus", "area"):
        assert compiled.reductions[column].to_list() == pytest.approx(
            geos.reductions[column].to_list(), rel=1e-9
        )


@fast
@pytest.mark.parametrize("eps", [0.5, 0.95])
def test_engines_agree_on_contours(extraction: pf.Extraction, eps: float) -> None:
    geos, compiled = (pf.contours(extraction, eps=eps, engine=engine) for engine in ("shapely", "compiled"))
    assert compiled["number_of_contours"].equals(geos["number_of_contours"])
    for ours, theirs in zip(compiled["contours_area"], geos["contours_area"], strict=True):
        assert ours.to_list() == pytest.approx(theirs.to_list(), rel=1e-9)


@fast
def test_auto_depends_on_the_size_of_the_work_only() -> None:
    sizes = 0, MOST_ROWS_FOR_GEOS, MOST_ROWS_FOR_GEOS + 1
    assert [choose_engine("auto", size) for size in sizes] == ["shapely", "shapely", "compiled"]
    most, one = MOST_BYTES_FOR_GEOS, MOST_SUBJECT_BYTES_FOR_GEOS
    drawings = [DrawingSizes(*size) for size in ((most, one), (most + 1, one), (most, one + 1))]
    assert [choose_engine("auto", 5, size) for size in drawings] == ["shapely", "compiled", "compiled"]
    assert [choose_engine("shapely", size) for size in sizes] == ["shapely"] * 3
    assert [choose_engine("compiled", size) for size in sizes] == ["compiled"] * 3
    assert [engine_named(name).name for name in ("shapely", "compiled")] == ["shapely", "compiled"]


def test_auto_must_be_decided_before_an_engine_is_used() -> None:
    with pytest.raises(ValueError, match="'auto' was not decided"):
        engine_named("auto")


def test_the_help_names_the_limit() -> None:
    text = FIELDS["engine"].metadata["help"]
    assert f"more than {MOST_ROWS_FOR_GEOS:,} rows" in text
    most, of_one = MOST_BYTES_FOR_GEOS / 1e6, MOST_SUBJECT_BYTES_FOR_GEOS / 1e6
    assert f"{most:g} MB of drawings, or {of_one:g} MB of drawings of one subject" in text


@fast
@pytest.mark.parametrize("earlier", ["sweep", "fast"])
def test_earlier_names_of_the_compiled_engine_are_accepted(
    earlier: str, extraction: pf.Extraction, tmp_path: Path, polyframe: Callable[..., Done]
) -> None:
    assert Settings(engine=cast(Any, earlier)).engine == "compiled"
    assert engine_named(earlier).name == "compiled"
    assert g.contours([shapely.box(0, 0, 1, 1)], engine=cast(Any, earlier))[0].area == 1
    few = extraction.extractions.head(20)
    assert pf.reduce(few, engine=cast(Any, earlier)).reductions.equals(
        pf.reduce(few, engine="compiled").reductions
    )
    config = tmp_path / "engine.yaml"
    config.write_text(f"engine: {earlier}\n")
    assert configure(config, {}).settings.engine == "compiled"
    missing = tmp_path / "no.csv"
    done = polyframe("extract", "--engine", earlier, missing, "-o", tmp_path / "out")
    assert (done.code, "no.csv: no such file" in done.err) == (1, True)
    refused = polyframe("extract", "--engine", "other", missing, "-o", tmp_path / "out")
    assert (refused.code, "'auto', 'shapely', 'compiled'" in refused.err) == (2, True)


def test_without_numba_auto_is_geos_and_compiled_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose_engine("auto", 10**9) == "shapely"
    for name in ("compiled", "sweep"):
        with pytest.raises(pf.UsageError, match=r"pip install 'panoptes-polyframe\[fast\]'"):
            pf.reduce(EXTRACTIONS.empty(), engine=cast(Any, name))
        with pytest.raises(pf.UsageError, match=r"pip install 'panoptes-polyframe\[fast\]'"):
            g.contours([], engine=cast(Any, name))


@fast
@pytest.mark.parametrize("imported", [True, False])
def test_a_numba_that_does_not_compile_is_not_used(imported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if imported:  # which has read the variable
        monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    else:
        monkeypatch.delitem(sys.modules, "numba", raising=False)
        monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert choose_engine("auto", 10**9) == "shapely"
    with pytest.raises(
        pf.UsageError, match="cannot compile while the environment variable NUMBA_DISABLE_JIT"
    ):
        choose_engine("compiled", 5)
    monkeypatch.setattr(numba_jit, "_enabled", False)
    assert not numba_jit.compile_loops()


def test_a_small_cluster_does_not_import_numba() -> None:
    # 9 marks of 100 corners each.
    script = """
import sys, numpy, shapely
from polyframe import geometry as g
angle = numpy.linspace(0, 6.28, 100)
marks = [shapely.Polygon(numpy.column_stack([numpy.cos(angle) + k / 99, numpy.sin(angle)])) for k in range(9)]
matrix = g.iou_distance_matrix(marks)
assert len(g.contours(marks)) == 9 and 0 < g.consensus(matrix) < 1
g.average_union(marks), g.average_intersection(marks), g.average_median(marks, matrix)
g.raster_contours(marks)
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@fast
def test_loops_interpreted_before_are_compiled_on_request() -> None:
    script = """
import sys
from polyframe.geometry.compiled import outlines
from polyframe.geometry.engines import engine_named
interpreted = outlines._load
engine_named("compiled")
compiled = sys.modules["polyframe.geometry.compiled.outlines"]._load
assert not hasattr(interpreted, "py_func")
assert compiled.py_func.__code__.co_code == interpreted.__code__.co_code
"""
    subprocess.run([sys.executable, "-c", script], check=True)


WHILE_LOADING = """
import threading
from polyframe.geometry.compiled import numba_jit

results = []

def interpret(delay):
    threading.Event().wait(delay)
    results.append(numba_jit.load("depth_walk").walk_contours.__name__)

def compile_all(delay):
    threading.Event().wait(delay)
    results.append(numba_jit.compile_loops())

threads = [threading.Thread(target=interpret, args=(0,)), threading.Thread(target=compile_all, args=(DELAY,))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(map(str, results)) == ["True", "walk_contours"], results
"""


@fast
@pytest.mark.parametrize("delay", [0, 0.005])
def test_a_thread_can_load_loops_while_another_has_them_compiled(delay: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHILE_LOADING.replace("DELAY", str(delay))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@fast
def test_a_change_in_a_module_invalidates_the_cache_of_what_reaches_it_only(tmp_path: Path) -> None:
    folder = Path(numba_jit.__file__).parent
    copy = tmp_path / "polyframe" / "geometry" / "compiled"
    shutil.copytree(folder.parents[1], tmp_path / "polyframe", ignore=shutil.ignore_patterns("__pycache__"))
    script = """
from polyframe.geometry.compiled import numba_jit
numba_jit.compile_loops()
numba_jit.load_all()
for name, function in sorted(numba_jit.entry_points.items()):
    print(name.split(".")[0], function._cache._cache_file._source_stamp)
"""

    def stamps() -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-c", script],
            env=os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())

    before = stamps()
    assert {"arcs", "intersection_areas"} <= before.keys()
    (copy / "predicates.py").write_text((copy / "predicates.py").read_text() + "\n")
    after = stamps()
    changed = {name for name in before if before[name] != after[name]}
    assert "arcs" in changed
    assert not {"intersection_areas", "slab_decomposition"} & changed


@fast
def test_a_large_cluster_is_compiled_and_gives_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = np.array([shapely.box(k, 0, k + 10, 10 + k / 7) for k in range(8)], dtype=object)
    geos = g.iou_distance_matrix(marks), g.contours(marks)
    assert engine_for("auto", marks, is_quadratic=True).name == "shapely"
    monkeypatch.setattr(engines, "_WORTH_COMPILING", 8 * 8 * 5 - 1)
    assert engine_for("auto", marks, is_quadratic=True).name == "compiled"
    assert engine_for("auto", marks[:7], is_quadratic=True).name == "shapely"
    # GEOS is as fast.
    assert engine_for("auto", marks, is_quadratic=False).name == "shapely"
    assert g.iou_distance_matrix(marks) == pytest.approx(geos[0], abs=1e-9)
    assert shapely.area(g.contours(marks)) == pytest.approx(shapely.area(geos[1]))
    # Worked by hand: the first two share 9 by 10.
    assert g.iou_distance_matrix(marks)[0, 1] == pytest.approx(1 - 90 / (100 + 10 * (10 + 1 / 7) - 90))
