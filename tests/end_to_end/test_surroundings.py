"""Closed streams, too little memory, faults below Python: it works, or one line says what is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square
from log_lines import as_on_terminal

import polyframe as pf
from polyframe.core.settings import Settings
from polyframe.geometry.isolate_failures import apply_isolated
from polyframe.panoptes.annotations import general_decoder
from polyframe.panoptes.annotations.decode import decode_annotations
from polyframe.pipeline import partition_task, plan

Call = Callable[..., Done]

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")


@pytest.fixture
def partitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export of eight subjects in several partitions."""
    monkeypatch.setattr(plan, "_MEGABYTE", 1000)
    rows = [export_row(k, drawing(square(k % 3, 0)), subject_ids=1 + k // 3) for k in range(24)]
    path = tmp_path / "export.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def in_shell(redirected: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a shell that redirects or closes its standard streams."""
    return subprocess.run(
        [
            "sh",
            "-c",
            f'exec "$@" {redirected}',
            "sh",
            sys.executable,
            "-m",
            "polyframe",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@posix
@pytest.mark.parametrize("redirected", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_run_does_not_need_open_streams(redirected: str, small_export: Path, tmp_path: Path) -> None:
    done = in_shell(redirected, "run", small_export, "-o", tmp_path / "out", "--engine", "shapely")
    assert done.returncode == 0
    assert ("Traceback" in done.stderr, "error" in done.stderr) == (False, False)
    assert pf.validate(tmp_path / "out") == []
    assert pf.scan(tmp_path / "out", "labels").collect().height == 10


@posix
def test_files_do_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Otherwise errors of libraries would be written to the file."""
    fill = "from polyframe.cli import app; app._reopen_closed_streams()"
    script = f"import sys; {fill}; f = open(sys.argv[1], 'w')"
    code = "print(f.fileno(), file=f)"
    path = tmp_path / "file"
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", f"{script}; {code}", str(path)]
    subprocess.run(shell, check=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert int(path.read_text()) > 2


@posix
@pytest.mark.parametrize("redirected", ["2>&-", "<&- >&- 2>&-"])
def test_an_error_with_closed_streams_is_an_exit_code(redirected: str, tmp_path: Path) -> None:
    done = in_shell(redirected, "run", tmp_path / "none.csv", "-o", tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, "")
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize(
    ("redirected", "words"),
    [
        ("<&-", "standard input: is closed; name a file"),
        ("0>/dev/null", "standard input: cannot be read (Bad file descriptor)"),
        ("</dev/null", "standard input: is empty"),
    ],
)
def test_an_unreadable_standard_input_is_one_line(redirected: str, words: str, tmp_path: Path) -> None:
    done = in_shell(redirected, "run", "-", "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert as_on_terminal(done.stderr).startswith(f"polyframe: error: {words}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_standard_input_without_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", object())
    with pytest.raises(pf.PolyframeError, match="standard input: contains no bytes here; name a file"):
        pf.run("-", tmp_path / "out")


@pytest.mark.parametrize("jobs", [1, 2])
def test_too_little_memory_names_the_partition(
    jobs: int, partitions: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = partition_task.extract_and_repair

    def extract(checked: Any, settings: Settings) -> Any:
        if 4 in checked.rows["subject_id"]:
            raise MemoryError
        return original(checked, settings)

    monkeypatch.setattr(partition_task, "extract_and_repair", extract)
    run = ("run", partitions, "-o", tmp_path / "out", "--engine", "shapely", "--jobs", jobs)
    done = polyframe(*run, "--partition-size", 1, "-q")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    words = r"polyframe: error: partition 0000\d \(subjects from .*: not enough memory. Free memory, or try"
    assert pl.Series([done.err]).str.contains(f"^{words}").all()
    monkeypatch.setattr(partition_task, "extract_and_repair", original)
    assert polyframe(*run, "--partition-size", 1, "-q") == Done(0, "", "")
    assert pf.validate(tmp_path / "out") == []


def test_a_cell_is_not_rejected_if_memory_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def loads(*_: object, **__: object) -> Any:
        raise MemoryError

    monkeypatch.setattr(general_decoder.json, "loads", loads)
    with pytest.raises(MemoryError):
        decode_annotations(['[{"task": "T0", "value": [7, {}]}]'], Settings())


def test_a_geometry_is_not_rejected_if_memory_is_too_small() -> None:
    def union(_: Any) -> Any:
        raise shapely.errors.GEOSException("std::bad_alloc")

    with pytest.raises(MemoryError):
        apply_isolated(union, np.array([None, None]), failed=None)


def test_a_panic_of_rust_is_one_line(
    small_export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        pass

    def panic(*_: object) -> Any:
        raise PanicException("invalid or out-of-range datetime")

    monkeypatch.delenv("POLYFRAME_DEBUG", raising=False)
    monkeypatch.setattr(partition_task, "extract_and_repair", panic)
    done = polyframe("run", small_export, "-o", tmp_path / "out", "-q")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "internal error" in done.err
    assert "PanicException: invalid or out-of-range" in done.err


def test_a_joblib_backend_that_forks_is_not_used(partitions: Path, tmp_path: Path) -> None:
    pf.run(partitions, tmp_path / "alone", jobs=1, partition_size=1, engine="shapely")
    warning = "MultiprocessingBackend.*loky is used instead"
    with joblib.parallel_config(backend="multiprocessing"):
        with pytest.warns(RuntimeWarning, match=warning):
            pf.run(partitions, tmp_path / "out", jobs=2, partition_size=1, engine="shapely")
        with pytest.warns(RuntimeWarning, match=warning):
            tuned = pf.tune(tmp_path / "out", eps=[0.5], min_samples=[2], engine="shapely", jobs=2)
    assert tuned["clusters"].to_list() == [8]
    for table in ("extractions", "labels", "reductions", "contours"):
        alone = sorted((tmp_path / "alone" / table).iterdir())
        assert [path.read_bytes() for path in alone] == [
            path.read_bytes() for path in sorted((tmp_path / "out" / table).iterdir())
        ]
