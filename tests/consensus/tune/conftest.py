"""Share the outputs on which settings are compared: the example, and a project of several partitions."""

from pathlib import Path

import pytest
from exports import ROOT

import polyframe as pf
from polyframe.pipeline import plan
from polyframe.synthetic import write_export
from polyframe.synthetic.synth_options import SynthOptions


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of the example in the folder data."""
    out = tmp_path_factory.mktemp("tuning") / "example"
    data = ROOT / "data"
    pf.run(data / "classifications.csv", out, data / "config.yaml", contours=False, jobs=1)
    return out


@pytest.fixture(scope="session")
def partitioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several partitions with overlapping objects and repeating volunteers; min_threshold 0.3."""
    folder = tmp_path_factory.mktemp("tuning")
    options = SynthOptions(
        subjects=14, volunteers=7, seed=5, vertices=40, close_pairs=0.8, repeats=0.3, scribblers=0.2
    )
    write_export(folder / "export.csv", options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MEGABYTE", 5_000)
        pf.run(
            folder / "export.csv",
            folder / "out",
            contours=False,
            jobs=1,
            eps=0.6,
            min_samples=3,
            min_threshold=0.3,
            workflow_version="4..13",
        )
    assert len(list((folder / "out" / "extractions").iterdir())) > 3
    return folder / "out"
