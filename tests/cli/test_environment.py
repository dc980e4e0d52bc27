"""Settings from the environment: options override them, they override the configuration and OUT."""

from collections.abc import Callable
from pathlib import Path

import pytest
from exports import Done

import polyframe as pf

Call = Callable[..., Done]


def used(out: Path) -> tuple[float, int]:
    settings = pf.status(out).settings
    return settings["eps"], settings["min_samples"]


def test_precedence(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("reducer_config: {polygon_reducer: {eps: 0.9, min_samples: 3}}", encoding="utf-8")
    out = tmp_path / "out"
    run = ("run", small_export, "-o", out)
    monkeypatch.setenv("POLYFRAME_EPS", "0.4")
    done = polyframe(*run, "-c", config)
    assert done.code == 0
    assert done.err.splitlines()[0] == "polyframe: from the environment: POLYFRAME_EPS=0.4"
    assert used(out) == (0.4, 3)
    done = polyframe(*run, "-c", config, "--eps", "0.3")
    assert used(out) == (0.3, 3)
    assert "environment" not in done.err
    # A later stage takes over the settings of OUT, unless a variable changes them.
    assert polyframe("reduce", out).code == 0
    assert used(out) == (0.4, 3)
    monkeypatch.setenv("POLYFRAME_EPS", "")
    assert polyframe("reduce", out).code == 0
    assert used(out) == (0.4, 3)
    assert polyframe(*run).code == 0
    assert used(out) == (0.5, 2)


def test_python_ignores_the_environment(small_export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a library must not depend on the shell in which somebody started the notebook."""
    monkeypatch.setenv("POLYFRAME_DUPLICATE_MARKS", "nonsense")
    monkeypatch.setenv("POLYFRAME_WORKFLOW_ID", "8")
    assert pf.extract(small_export).extractions.height == 10


def test_repeatable_settings_and_choices(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYFRAME_EXCLUDE_VOLUNTEERS", "volunteer0, volunteer1,")
    monkeypatch.setenv("POLYFRAME_TASK", "T0")
    monkeypatch.setenv("POLYFRAME_ENGINE", "sweep")  # an earlier name
    monkeypatch.setenv("POLYFRAME_MAX_SHRINK", "20%")
    done = polyframe("run", small_export, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "volunteer0" not in done.err
    assert "classifications excluded 2" in done.out
    assert pf.status(tmp_path / "out").settings["task"] == ["T0"]
    # An option replaces all values of the variable.
    assert polyframe("run", small_export, "-o", tmp_path / "out", "--task", "T9").code == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("POLYFRAME_EPS", "abc", "Invalid value for 'POLYFRAME_EPS': 'abc' is not a valid float"),
        ("POLYFRAME_EPS", "5", "POLYFRAME_EPS: eps must be > 0 and <= 1 (got 5.0)"),
        ("POLYFRAME_AVERAGE", "mean", "Invalid value for 'POLYFRAME_AVERAGE': 'mean' is not one of 'median'"),
        ("POLYFRAME_MIN_SAMPLES", "0", "POLYFRAME_MIN_SAMPLES: min_samples must be an integer >= 1 (got 0)"),
        ("POLYFRAME_MAX_SHRINK", "lots", "POLYFRAME_MAX_SHRINK: max_shrink"),
        ("POLYFRAME_PROGRESS", "loud", "'loud' is not one of 'auto', 'on', 'off'"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(
    name: str,
    value: str,
    message: str,
    small_export: Path,
    tmp_path: Path,
    polyframe: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    done = polyframe("run", small_export, "-o", tmp_path / "out")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert done.err.startswith(f"polyframe: error: {message}") or name == "POLYFRAME_PROGRESS"
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_misspelt_variables_are_named_by_commands_with_settings(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYFRAME_EPSS", "0.4")
    done = polyframe("run", small_export, "-o", tmp_path / "out")
    note = "the environment variable POLYFRAME_EPSS has no effect; did you mean 'POLYFRAME_EPS'?"
    assert f"polyframe: {note}\n" in done.err
    assert polyframe("run", small_export, "-o", tmp_path / "out", "-q").err == ""
    assert polyframe("status", tmp_path / "out").err == ""


def test_status_shows_what_the_next_run_takes_from_the_environment(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert polyframe("run", small_export, "-o", tmp_path / "out").code == 0
    before = polyframe("status", tmp_path / "out").out
    monkeypatch.setenv("POLYFRAME_EPS", "0.4")
    line = "from the environment, for the next run: POLYFRAME_EPS=0.4\n"
    assert polyframe("status", tmp_path / "out").out == before + line
