"""Engines: the same tables from GEOS alone and from the compiled loops."""

import importlib.util
from typing import Any

import pytest

import polyframe as pf
from polyframe.geometry.engines import engine_named
from polyframe.synthetic import SynthOptions, write_export
from polyframe.tables import EXTRACTIONS

fast = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: the extra `fast`"
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> pf.Extraction:
    path = tmp_path_factory.mktemp("engines") / "classifications.csv"
    write_export(path, SynthOptions(subjects=30, volunteers=9, seed=3))
    return pf.extract(path)


@fast
@pytest.mark.parametrize("average", ["median", "union", "intersection"])
@pytest.mark.parametrize("eps", [0.2, 0.5, 0.95])
def test_engines_agree_on_reductions(found: pf.Extraction, average: Any, eps: float) -> None:
    geos, compiled = (
        pf.reduce(found, eps=eps, average_type=average, engine=engine) for engine in ("shapely", "sweep")
    )
    assert compiled.labels.equals(geos.labels)
    assert compiled.groups.equals(geos.groups)
    for column in ("consensus", "area"):
        assert compiled.reductions[column].to_list() == pytest.approx(
            geos.reductions[column].to_list(), rel=1e-9
        )


@fast
@pytest.mark.parametrize("eps", [0.5, 0.95])
def test_engines_agree_on_contours(found: pf.Extraction, eps: float) -> None:
    geos, compiled = (pf.contours(found, eps=eps, engine=engine) for engine in ("shapely", "sweep"))
    assert compiled["number_of_contours"].equals(geos["number_of_contours"])
    for ours, theirs in zip(compiled["contours_area"], geos["contours_area"], strict=True):
        assert ours.to_list() == pytest.approx(theirs.to_list(), rel=1e-9)


@fast
def test_auto_is_the_compiled_engine_where_it_is_installed() -> None:
    assert engine_named("auto").name == engine_named("sweep").name == "sweep"
    assert engine_named("shapely").name == "shapely"


def test_without_numba_auto_is_geos_and_sweep_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert engine_named("auto").name == "shapely"
    with pytest.raises(pf.UsageError, match=r"pip install 'polyframe\[fast\]'"):
        pf.reduce(EXTRACTIONS.empty(), engine="sweep")
