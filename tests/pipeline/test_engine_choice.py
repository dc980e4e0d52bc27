"""The engine `auto`: decided once per run by the size of the work, recorded, and part of the fingerprints."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from exports import drawing, export_row, export_text, square
from stores import edit_manifest, manifest_of

import polyframe as pf
from polyframe.core.settings import Settings
from polyframe.geometry import engines
from polyframe.pipeline import engine_choice, in_memory
from polyframe.store.stages import stage_of

fast = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: the extra `fast`"
)
#: The limit in these tests.
FEW = 12


@pytest.fixture(autouse=True)
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MOST_ROWS_FOR_GEOS", FEW)


def export(path: Path, rows: int, others: int = 3) -> Path:
    """Write an export with four rows per subject, one of them not usable, and rows of another workflow."""
    cells = [
        export_row(
            number,
            "no JSON" if number == 2 else drawing(square(number % 4, 0)),
            subject_ids=1 + number // 4,
        )
        for number in range(rows)
    ]
    more = [export_row(500 + number, drawing(square(0, 0)), workflow_id=8) for number in range(others)]
    path.write_text(export_text(cells + more), encoding="utf-8")
    return path


def run(path: Path, out: Path, **settings: object) -> pf.Summary:
    return pf.run(path, out, workflow_id=7, say=lambda _: None, **settings)  # type: ignore[arg-type]


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*/*.parquet"))}


def used(out: Path) -> dict[str, str]:
    return dict(manifest_of(out).engines)


@fast
def test_an_export_that_grows_past_the_limit_is_rebuilt_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(export(tmp_path / "a.csv", FEW), out)
    assert used(out) == dict.fromkeys(("reduce", "contours"), "shapely")
    assert run(tmp_path / "a.csv", out).made == 0
    notes: list[str] = []
    assert pf.run(export(tmp_path / "a.csv", FEW + 1), out, workflow_id=7, say=notes.append).made == 1
    tables = "groups, labels, reductions, subjects, volunteers and contours"
    changed = f"the engine is now compiled (before: shapely), so {tables} are rebuilt"
    assert notes.count(changed) == 1
    assert used(out) == dict.fromkeys(("reduce", "contours"), "compiled")
    before = contents(out)
    assert run(tmp_path / "a.csv", out).made == 0
    assert pf.reduce(out, output=out, say=lambda _: None).made == 0
    assert pf.contours(out, output=out, say=lambda _: None).made == 0
    assert run(tmp_path / "a.csv", out, engine="compiled").made == 0
    assert run(tmp_path / "a.csv", out, force=True).made == 1
    assert contents(out) == before
    assert not pf.validate(out)
    assert pf.status(out).engines == used(out)


@fast
def test_later_stages_decide_as_the_run_did(tmp_path: Path) -> None:
    # One of the rows is rejected, so counting only rows of `classifications` would give another engine.
    path, whole, steps = export(tmp_path / "a.csv", FEW + 1), tmp_path / "whole", tmp_path / "steps"
    run(path, whole)
    pf.extract(path, output=steps, workflow_id=7, say=lambda _: None)
    assert used(steps) == {}
    pf.reduce(steps, output=steps, say=lambda _: None)
    assert used(steps) == {"reduce": "compiled"}
    pf.contours(steps, output=steps, say=lambda _: None)
    assert contents(steps) == contents(whole)
    assert used(steps) == used(whole)


@fast
def test_a_subject_with_many_drawings_is_large_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = export(tmp_path / "a.csv", FEW), tmp_path / "out"
    # Four rows of the largest subject, each with 200 bytes beside its annotations.
    size = sum(200 + len(drawing(square(number, 0))) for number in range(4))
    for limit, engine in ((size, "shapely"), (size - 1, "compiled")):
        monkeypatch.setattr(engines, "MOST_SUBJECT_BYTES_FOR_GEOS", limit)
        run(path, out)
        assert used(out) == dict.fromkeys(("reduce", "contours"), engine)
        assert pf.contours(out, output=out, say=lambda _: None).made == 0


@fast
def test_many_drawings_in_few_rows_are_large_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = export(tmp_path / "a.csv", FEW), tmp_path / "out"
    # Four rows of each subject; a cell that is no JSON counts, too.
    cells = [*(drawing(square(number % 4, 0)) for number in range(FEW) if number != 2), "no JSON"]
    size = sum(200 + len(cell) for cell in cells)
    for limit, engine in ((size, "shapely"), (size - 1, "compiled")):
        monkeypatch.setattr(engines, "MOST_BYTES_FOR_GEOS", limit)
        run(path, out)
        assert used(out) == dict.fromkeys(("reduce", "contours"), engine)
        assert pf.reduce(out, output=out, say=lambda _: None).made == 0
    extraction = pf.extract(path, workflow_id=7, say=lambda _: None)
    # A vertex counts as 20 bytes.
    points = 20 * int(extraction.extractions["x"].list.len().sum())
    for limit, engine in ((points, "shapely"), (points - 1, "compiled")):
        monkeypatch.setattr(engines, "MOST_BYTES_FOR_GEOS", limit)
        settings = engine_choice.engine_for_marks(Settings(), extraction.extractions)
        assert settings.engine == engine


@fast
def test_functions_for_large_groups_are_compiled_ahead_only_if_a_subject_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = export(tmp_path / "a.csv", FEW), tmp_path / "out"
    compiled: list[frozenset[str]] = []

    def compile_ahead(say: object, purposes: frozenset[str]) -> AbstractContextManager[Callable[[], None]]:
        compiled.append(purposes)
        return nullcontext(lambda: None)

    monkeypatch.setattr(engine_choice, "compile_ahead", compile_ahead)
    monkeypatch.setattr(in_memory, "ensure_compiled", compile_ahead)
    reduction, ordinary = {"clusters", "memberships"}, {"coordinates", "clusters", "memberships", "levels"}
    run(path, tmp_path / "other", engine="compiled")
    run(path, out, engine="compiled", average="majority", contours=False)
    pf.contours(out, output=out, engine="compiled", say=lambda _: None)
    pf.reduce(out, engine="compiled", average="union")
    first = {"coordinates", "majority"} | reduction
    assert compiled == [ordinary, first, {"clusters", "levels"}, reduction | {"levels"}]
    compiled.clear()
    monkeypatch.setattr(engines, "MOST_SUBJECT_BYTES_FOR_GEOS", 100)
    run(path, out, engine="compiled", force=True)
    pf.reduce(out, output=out, engine="compiled", force=True, say=lambda _: None)
    pf.contours(out, engine="compiled")
    large = {"large groups"}
    assert compiled == [ordinary | large, reduction | large, {"clusters", "levels"} | large]


@fast
def test_another_engine_rebuilds_a_stage_and_keeps_the_others(tmp_path: Path) -> None:
    path, out = export(tmp_path / "a.csv", FEW), tmp_path / "out"
    run(path, out)
    before = contents(out)
    notes: list[str] = []
    assert pf.contours(out, output=out, engine="compiled", say=notes.append).made == 1
    assert "the engine is now compiled (before: shapely), so contours are rebuilt" in notes
    assert used(out) == {"reduce": "shapely", "contours": "compiled"}
    assert not pf.validate(out)
    after = contents(out)
    changed = {Path(file).parent.name for file in before if before[file] != after[file]}
    assert changed == {"contours"}
    assert before.keys() == after.keys()
    # An extraction keeps both.
    pf.extract(path, output=out, workflow_id=7, say=lambda _: None)
    assert contents(out) == after
    assert used(out) == {"reduce": "shapely", "contours": "compiled"}
    # The contours of the version before are still there.
    assert run(path, out).made == 0
    assert contents(out) == before


def test_an_output_without_recorded_engines_is_used_and_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = export(tmp_path / "a.csv", FEW), tmp_path / "out"
    with monkeypatch.context() as earlier:
        # As before engines were recorded.
        earlier.setattr("polyframe.store.fingerprints.ENGINE_STAGES", ())
        run(path, out)
    edit_manifest(out, lambda manifest: manifest.pop("engines"))
    assert not pf.validate(out)
    assert pf.status(out).engines == {}
    pf.contours(out, output=out, say=lambda _: None)
    assert used(out) == {"contours": "shapely"}
    assert not pf.validate(out)
    assert run(path, out).made == 1
    assert used(out) == dict.fromkeys(("reduce", "contours"), "shapely")
    assert {stage_of(file.split("/")[0]) for file in contents(out)} == {"extract", "reduce", "contours"}
    assert not pf.validate(out)


def test_without_numba_geos_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "is_compiled", lambda: False)
    run(export(tmp_path / "a.csv", FEW + 1), tmp_path / "out")
    assert used(tmp_path / "out") == dict.fromkeys(("reduce", "contours"), "shapely")


@fast
@pytest.mark.parametrize(("marks", "expected"), [(FEW, "shapely"), (FEW + 1, "compiled")])
def test_marks_in_memory_decide_by_their_number(
    marks: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction = pf.extract(export(tmp_path / "a.csv", 30), workflow_id=7, say=lambda _: None)
    few = extraction.extractions.head(marks)
    named: list[str] = []
    original = engines.engine_named
    for module in ("consensus.marks", "consensus.contours"):
        monkeypatch.setattr(f"polyframe.{module}.engine_named", lambda n: named.append(n) or original(n))
    pf.contours(few)
    pf.tune(few, eps=0.5, min_samples=2)
    assert set(named) == {expected}


def test_a_small_run_imports_neither_numba_nor_scipy(tmp_path: Path) -> None:
    path = export(tmp_path / "a.csv", FEW)
    script = f"""
import sys
import polyframe as pf
pf.run({str(path)!r}, {str(tmp_path / "out")!r}, workflow_id=7)
pf.tune({str(tmp_path / "out")!r})
pf.contours({str(tmp_path / "out")!r})
assert not {{"numba", "scipy"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
