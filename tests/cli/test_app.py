"""The command line: help, version, exit codes and settings."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from exports import Done

import polyframe as pf
from polyframe.core.estimation import unsure_lines
from polyframe.core.settings import Settings
from polyframe.synthetic import SynthOptions

Call = Callable[..., Done]


def test_run_has_every_flag(polyframe: Call) -> None:
    text = polyframe("run", "--help").out
    expected = "--workflow-id --workflow-version --task --tool --average --eps --min-samples --min-threshold"
    expected += " --filter --contour-method --engine --jobs --quiet --no-contours"
    for flag in [
        *expected.split(),
        *(f.metadata["flag"] for f in dataclasses.fields(Settings) if f.metadata["flag"]),
    ]:
        assert f" {flag} " in text.replace("\n", " "), flag


def test_synth_has_an_option_for_each_field(polyframe: Call) -> None:
    text = polyframe("synth", "--help").out
    for f in dataclasses.fields(SynthOptions):
        assert f"--{f.name.replace('_', '-')} " in text


def test_version_and_engines(polyframe: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    start = f"polyframe {pf.__version__} (engines: shapely {version('shapely')}"
    assert polyframe("--version").out == f"{start}, compiled with numba {version('numba')})\n"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    expected = f"{start}; for compiled: pip install 'panoptes-polyframe[fast]')\n"
    assert polyframe("--version").out == expected


def test_version_imports_no_libraries() -> None:
    heavy = ("polars", "shapely", "numpy", "numba", "pyarrow", "obstore")
    unneeded = ("json", "logging", "shlex")
    code = (
        "import sys; from polyframe.cli import app\n"
        "sys.argv = ['polyframe', '--version']\n"
        "app.main()\n"
        f"print([m for m in {heavy + unneeded} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run"], ["run", "a.csv"], ["run", "a", "-o", "b", "--epps", "1"]]
)
def test_usage_errors_exit_with_2(arguments: list[str], polyframe: Call) -> None:
    done = polyframe(*arguments)
    assert done.code == 2
    assert done.err.startswith("polyframe: error: ")
    assert len(done.err.splitlines()) == 1


def test_the_summary_accounts_for_every_row_and_mark(
    small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    done = polyframe("run", small_export, "-o", tmp_path / "out")
    lines = done.out.splitlines()
    assert lines[0] == "rows read 10 = 0 filtered out + 0 rejected + 10 used"
    assert lines[1] == "marks seen 10 = 0 rejected + 0 set aside as repeats + 8 clustered + 2 outliers"
    assert lines[2] == "2 groups, 2 clusters, 2 outliers"
    reductions = pf.scan(tmp_path / "out", "reductions").collect()
    unsure = int((reductions["classifications_needed"] > reductions["n_classifications"]).sum())
    assert lines[3] == unsure_lines(unsure, 2)[0]
    assert lines[3] in polyframe("status", tmp_path / "out").out.splitlines()
    counts = pf.status(tmp_path / "out").accounting
    assert counts["clusters_estimated"] == 2
    assert (counts["clusters_unsure"], counts["clusters_too_large"]) == (unsure, 0)
    assert any(line.endswith(f" s, tables in {tmp_path / 'out'}") for line in lines)
    assert "workflow 7 (Outline)" in done.err
    assert "%" not in done.err  # no progress bar, since standard error is not a terminal


def test_quiet_prints_nothing(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("run", small_export, "-o", tmp_path / "out", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_no_contours(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    assert polyframe("run", small_export, "-o", tmp_path / "out", "--no-contours").code == 0
    assert not (tmp_path / "out" / "contours").exists()


def test_flags_override_the_configuration(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("reducer_config: {polygon_reducer: {eps: 0.9, average_type: union}}")
    done = polyframe("run", small_export, "-c", config, "--average", "last", "-o", tmp_path / "out")
    assert done.code == 0
    reductions = pf.scan(tmp_path / "out", "reductions").collect()
    assert reductions["average_type"].unique().to_list() == ["last"]


def test_flags_resolve_a_contradiction_in_the_configuration(
    small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("reducer_config: {polygon_reducer: {eps: 0.5}, polygon_reducer_contours: {eps: 0.4}}")
    done = polyframe("run", small_export, "-c", config, "-o", tmp_path / "out")
    assert done.code == 2
    assert "two output directories" in done.err
    assert polyframe("run", small_export, "-c", config, "--eps", "0.3", "-o", tmp_path / "out").code == 0


def test_a_later_stage_accepts_a_configuration_that_agrees(
    small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    out = tmp_path / "out"
    assert polyframe("extract", small_export, "-o", out).code == 0
    config = tmp_path / "config.yaml"
    text = "workflow_id: 7\nworkflow_version: '{}'\nextractor_config: {{polygon_extractor: [{{task: {}}}]}}\n"
    config.write_text(text.format("3.1", "T0"))
    assert polyframe("reduce", out, "-c", config).code == 0
    assert pf.scan(out, "labels").collect().height == 10
    assert polyframe("contours", out, "-c", config).code == 0
    assert polyframe("reduce", out, "--workflow-version", "3").code == 0
    assert polyframe("reduce", out).code == 0
    assert pf.scan(out, "labels").collect().height == 10
    for flag, value in (("--workflow-version", "3.2"), ("--workflow-id", "8")):
        done = polyframe("reduce", out, flag, value)
        assert done.code == 2
        assert "contradicts" in done.err


@pytest.mark.parametrize("command", ["reduce", "contours"])
def test_later_stages_have_the_flags_of_the_extraction(command: str, polyframe: Call) -> None:
    text = polyframe(command, "--help").out
    for flag in ("--workflow-id", "--workflow-version", "--task", "--tool"):
        assert f" {flag} " in text


def test_synth_writes_a_file_or_a_folder(tmp_path: Path, polyframe: Call) -> None:
    options = ("--subjects", 3, "--volunteers", 4, "--seed", 5)
    assert polyframe("synth", tmp_path / "one.csv", *options).out.startswith("3 subjects")
    assert polyframe("synth", tmp_path / "two", *options, "--quiet").out == ""
    assert (tmp_path / "two" / "classifications.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert (tmp_path / "two" / "subjects.csv").exists()
    done = polyframe("synth", tmp_path / "four.csv", *options, "--truth", tmp_path / "truth.geojson")
    assert done.out.splitlines()[1:] == [f"true outlines: {tmp_path / 'truth.geojson'}"]
    assert (tmp_path / "four.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert polyframe("run", tmp_path / "one.csv", "-o", tmp_path / "out").code == 0
    done = polyframe("synth", tmp_path / "three.csv", "--frames", 3)
    assert done.code == 2
    assert "frames" in done.err


def test_help_imports_no_libraries() -> None:
    heavy = "('polars', 'shapely', 'numpy', 'sklearn', 'pyarrow', 'joblib', 'matplotlib')"
    code = f"import sys; from polyframe.cli import app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
