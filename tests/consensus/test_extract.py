"""Polygons made during an extraction: the same as those made later, and made only once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyframe as pf
from polyframe.consensus import extract
from polyframe.consensus.extract import repaired_polygons
from polyframe.consensus.marks import marks_taking_part, selected_marks, selected_polygons
from polyframe.core.settings import Settings
from polyframe.synthetic import SynthOptions, write_export

TABLES = ("extractions", "rejects", "groups", "labels", "reductions", "contours")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "x.csv"
    write_export(path, SynthOptions(subjects=12, volunteers=6, vertices=40, seed=4, slips=0.1, repeats=0.3))
    return path


@pytest.mark.parametrize("selection", [{}, {"tool": [0]}])
def test_one_task_for_all_stages_equals_one_for_each(
    export: Path, tmp_path: Path, selection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    original = extract.polygons_from_ragged
    monkeypatch.setattr(
        extract,
        "polygons_from_ragged",
        lambda x, y, offsets: made.append(len(offsets)) or original(x, y, offsets),
    )
    settings = {"engine": "shapely", "jobs": 1}
    pf.run(export, tmp_path / "run", **settings, **selection)
    assert len(made) == 1
    pf.extract(export, output=tmp_path / "stages", **settings)
    assert len(made) == 1
    pf.reduce(tmp_path / "stages", output=tmp_path / "stages", **settings, **selection)
    pf.contours(tmp_path / "stages", output=tmp_path / "stages", **settings, **selection)
    for name in TABLES:
        run, stages = (pf.scan(tmp_path / folder, name).collect() for folder in ("run", "stages"))
        if name not in ("extractions", "rejects") or not selection:
            assert run.equals(stages), name
        assert run.height > 0


@pytest.mark.parametrize("settings", [Settings(), Settings(tool=(0,)), Settings(task=("T0",), tool=(1,))])
def test_selected_polygons_are_those_of_the_selected_marks(export: Path, settings: Settings) -> None:
    marks = pf.extract(export).extractions
    selected = selected_marks(marks, settings)
    polygons = selected_polygons(repaired_polygons(marks), marks, settings)
    expected = repaired_polygons(selected)
    assert polygons.polygons.tolist() == expected.polygons.tolist()
    assert polygons.problems.tolist() == expected.problems.tolist()
    assert np.array_equal(polygons.areas, expected.areas)
    grouped = marks_taking_part(selected, None, Settings(), polygons)
    assert grouped.polygons.tolist() == marks_taking_part(selected, None, Settings()).polygons.tolist()
    assert len(grouped.polygons) > 0
