"""The soak test of `benchmarks/`: it passes if the tables agree, and fails if one differs."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from exports import ROOT

import polyframe as pf

SCRIPT = ROOT / "benchmarks" / "soak.py"


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    if not SCRIPT.exists():
        pytest.skip("benchmarks/ is not part of this copy")
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_three_nights(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--nights", "3", "--subjects", "12", "--engine", "shapely"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 5
    rows = [int(line.split()[1]) for line in table[1:4]]
    assert rows == sorted(set(rows))


@pytest.mark.parametrize("changed", ["a file", "a table"])
def test_a_difference_fails(
    changed: str, soak: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = pf.run

    def run_with_change(export: Path, out: Path, **options: Any) -> pf.Summary:
        is_changed = "force" in options if changed == "a file" else out.name.startswith("fresh")
        return run(export, out, **options, **({"average_type": "union"} if is_changed else {}))

    monkeypatch.setattr(pf, "run", run_with_change)
    assert soak.main(["--nights", "1", "--subjects", "4", "--engine", "shapely"]) == 1
    assert "differs" in capsys.readouterr().err
