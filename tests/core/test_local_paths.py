"""Paths and configurations as arguments: the valid ones, and the messages for the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exports import ROOT

import polyframe as pf
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.local_paths import local_path
from polyframe.core.settings import Settings
from polyframe.pipeline.configure import configure

CONFIG = ROOT / "data" / "config.yaml"
NESTED: dict[str, Any] = {
    "workflow_id": 4321,
    "workflow_version": "7.10",
    "extractor_config": {
        "polygon_extractor": [{"task": "T0", "tools": [0, 1]}],
        "bezier_extractor": {"task": "T3"},
    },
    "reducer_config": {"polygon_reducer": {"eps": 0.4, "average_type": "union"}},
}


def test_a_configuration_as_a_mapping() -> None:
    assert configure({"eps": 0.3, "task": ["T0"]}, {}).settings == Settings(eps=0.3, task=("T0",))
    assert configure(NESTED, {}).settings == Settings(
        workflow_id=4321,
        workflow_version="7.10",
        drawing_tasks=(DrawingTask("T0", (0, 1)), DrawingTask("T3", None, "bezier")),
        eps=0.4,
        average_type="union",
    )
    assert (
        configure({}, {}).settings == configure(None, {}).settings == configure([], {}).settings == Settings()
    )
    assert configure({"eps": np.float64(0.3), "min_samples": None}, {}).settings == Settings(eps=0.3)
    # Options override it, as they override a file.
    assert configure({"eps": 0.3}, {"eps": 0.7}).settings == Settings(eps=0.7)


def test_files_and_mappings_together(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("min_samples: 3\n", encoding="utf-8")
    assert configure([file, {"eps": 0.3}], {}).settings == Settings(eps=0.3, min_samples=3)
    with pytest.raises(
        pf.UsageError, match=r"a\.yaml: min_samples sets .* 3, config\[1\]: min_samples sets it to 2"
    ):
        configure([file, {"min_samples": 2}], {})


def test_a_mapping_has_the_same_effect_as_a_file(tmp_path: Path) -> None:
    export = ROOT / "data" / "classifications.csv"
    extraction = pf.extract(export, {"extractor_config": {"polygon_extractor": [{"task": "T0"}]}})
    file = tmp_path / "a.yaml"
    file.write_text("extractor_config: {polygon_extractor: [{task: T0}]}", encoding="utf-8")
    assert extraction.extractions.equals(pf.extract(export, file).extractions)
    assert pf.reduce(extraction, {"eps": 0.2}, engine="shapely").labels.equals(
        pf.reduce(extraction, eps=0.2, engine="shapely").labels
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"eps": 2}, "config: eps must be > 0 and <= 1 (got 2.0)"),
        ({"epsilon": 0.5}, "config: unknown key 'epsilon'; did you mean 'eps'?"),
        ([{}, {"eps": "x"}], "config[1]: eps: 'x' is not a number"),
        ({"eps": {0.5}}, "config: eps: expected text, a number, a list or a mapping, got set"),
        ({1: 2}, "config: the key 1 is not a string"),
        ({"extractor_config": {"polygon_extractor": [{"tools": [0]}]}}, "the key `task` is missing"),
        # 7.10 as a number is 7.1.
        ({"workflow_version": 7.1}, "config: workflow_version: 7.1 is not one of"),
        ({"workflow_version": {"min": 7.1}}, "write it in quotes, since 13.10 as a number is 13.1"),
        (5, "config: expected a YAML file, a mapping, or a list of them, got 5"),
        (b"x", "config: expected a YAML file, a mapping, or a list of them, got bytes"),
        ([None], "config: expected a YAML file, a mapping, or a list of them, got None"),
        (Settings(), "config: expected a YAML file, a mapping, or a list of them, got Settings"),
        ("no such.yaml", "no such.yaml: no such file"),
    ],
    ids=str,
)
def test_invalid_configurations(config: Any, message: str) -> None:
    with pytest.raises(pf.UsageError) as caught:
        configure(config, {})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_integer_version_is_a_major_version() -> None:
    assert configure({"workflow_version": 7}, {}).settings.workflow_version == "7"


ADDRESSES = [
    "s3://bucket/export.csv",
    "gs://bucket/export.csv",
    "https://www.zooniverse.org/export.csv",
    "abfs://container@account/export.csv",
    "S3://bucket/export.csv",
    Path("s3://bucket/export.csv"),  # which drops one slash
]


@pytest.mark.parametrize("address", ADDRESSES, ids=str)
def test_addresses_are_refused(address: Any) -> None:
    with pytest.raises(
        pf.UsageError,
        match=r"^(s3|gs|https|abfs)://[a-z].*: expected a local path here; copy the files from or to",
    ):
        local_path(address, "output")


SIGNED = "https://me:pass/word@host/x?sig=secret"


@pytest.mark.parametrize(
    "call",
    [
        lambda: pf.export("out", "coco", SIGNED),
        lambda: pf.report("out", SIGNED),
        lambda: pf.report("out", "report.html", images=SIGNED),
        lambda: pf.synth(SIGNED),
    ],
    ids=["export", "report", "report images", "synth"],
)
def test_messages_show_no_password(call: Callable[[], object]) -> None:
    with pytest.raises(pf.UsageError) as caught:
        call()
    message = str(caught.value)
    assert "https:" in message
    assert not any(part in message for part in ("pass", "word", "secret"))


def test_paths_that_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_path("file:///tmp/a%20b.csv", "output") == Path("/tmp/a b.csv")
    assert local_path(Path("file:///tmp/x.csv"), "output") == Path("/tmp/x.csv")
    assert local_path("C:/data/x.csv", "output") == Path("C:/data/x.csv")
    monkeypatch.chdir(tmp_path)
    Path("ab:").mkdir()
    assert local_path("ab:/", "output") == Path("ab:")


@pytest.mark.parametrize("bad", [None, 5, b"out", ["out"], {"out": 1}, "", "a\0b"], ids=str)
def test_invalid_paths(bad: Any) -> None:
    with pytest.raises(pf.UsageError, match=r"^output: "):
        local_path(bad, "output")
