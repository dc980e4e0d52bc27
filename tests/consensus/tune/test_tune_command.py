"""`polyframe tune`: the table that it prints and writes, and its one-line errors."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import ROOT, Done
from PIL import Image

import polyframe as pf
from polyframe.cli import app

Call = Callable[..., Done]


def test_the_table_is_printed_and_written(example: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe(
        "tune", example, "--eps", "0.2:0.4:0.1,0.5", "--min-samples", "2,4", "-o", tmp_path / "new" / "x.csv"
    )
    assert done.code == 0
    assert (
        done.err == f"polyframe: settings of {example}: task all, tool all, filter first, min_threshold 0.0\n"
    )
    lines = done.out.splitlines()
    assert len(lines) == 2 + 8 + 1
    assert lines[-1] == f"* settings of {example}"
    starred = [line for line in lines[:-1] if line.startswith("*")]
    assert [line.split()[1:4] for line in starred] == [["0.5", "2", "36"]]
    # The columns are aligned.
    ends = {tuple(m.end() for m in re.finditer(r"\S+", line.replace("*", " "))) for line in lines[2:-1]}
    assert len(ends) == 1
    table = pf.tune(example, eps=[0.2, 0.3, 0.4, 0.5], min_samples=[2, 4])
    written = pl.read_csv(tmp_path / "new" / "x.csv", schema=table.schema)
    assert written.equals(table)
    for row, line in zip(table.iter_rows(named=True), lines[2:-1], strict=True):
        cells = line.replace("*", " ").split()
        assert cells[:3] == [f"{row['eps']:g}", str(row["min_samples"]), str(row["clusters"])]
        assert cells[5:7] == [str(row["outliers"]), f"{row['outlier_share']:.1%}"]
        assert cells[-2] == f"{row['consensus_median']:.3f}"


def test_methods_and_splits_are_printed_if_there_are_others(example: Path, polyframe: Call) -> None:
    call = ["tune", example, "--eps", "0.5", "--min-samples", "2", "--jobs", "1"]
    done = polyframe(*call, "--cluster-method", "hdbscan,dbscan", "--split", "none")
    heads, lines = done.out.splitlines()[:2], done.out.splitlines()[2:4]
    assert [heads[0].split()[0], heads[1].split()[0]] == ["cluster_", "method"]
    assert [line.replace("*", " ").split()[:4] for line in lines] == [
        ["dbscan", "0.5", "2", "36"],
        ["hdbscan", "-", "2", "36"],
    ]
    done = polyframe(*call, "--split", "none,doubled")
    assert [line.replace("*", " ").split()[:2] for line in done.out.splitlines()[2:4]] == [
        ["doubled", "0.5"],
        ["none", "0.5"],
    ]
    done = polyframe(*call, "--split", "twice")
    assert (done.code, done.err) == (
        2,
        "polyframe: error: split must be one of none, doubled (got 'twice')\n",
    )


def test_quiet_prints_nothing_and_writes_all(example: Path, tmp_path: Path, polyframe: Call) -> None:
    for name in ("a", "b"):
        done = polyframe(
            "tune", example, "-q", "-o", tmp_path / f"{name}.parquet", "--plot", tmp_path / f"{name}.png"
        )
        assert (done.code, done.out, done.err) == (0, "", "")
    assert pl.read_parquet(tmp_path / "a.parquet").equals(pf.tune(example))
    for ending in ("parquet", "png"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 1200
        # All three lines are there.
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0, 0x9E, 0x73)} <= colours


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--eps", "0:0.5:0.1"], 2, "eps must be > 0 and <= 1 (got 0.0)"),
        (["--eps", "a"], 2, "eps: 'a' is not start:stop:step"),
        (["--min-samples", "0"], 2, "min_samples must be an integer >= 1 (got 0)"),
        (["--eps", "0.0001:1:0.0001"], 2, "too many"),
        (["-o", "x.txt"], 2, "x.txt: the name of a table must end in .csv or .parquet"),
        (["--plot", "x.jpg"], 2, "x.jpg: the name of a picture must end in .png, .svg or .pdf"),
        (["-c", "config.yaml"], 2, "contradicts"),
        (["--min-threshold", "2"], 2, "min_threshold"),
        (["--average", "union"], 2, "No such option"),
        (["-o", "here.csv/x.csv"], 1, "cannot be written"),
    ],
)
def test_wrong_calls_end_with_one_line(
    arguments: list[str],
    code: int,
    message: str,
    example: Path,
    tmp_path: Path,
    polyframe: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.csv").touch()
    Path("config.yaml").write_text("workflow_id: 1\n", encoding="utf-8")
    done = polyframe("tune", example, "-q", *arguments)
    assert done.code == code
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"here.csv", "config.yaml"}


def test_a_table_of_the_output_is_not_replaced(example: Path, polyframe: Call) -> None:
    part = next((example / "labels").iterdir())
    before = part.read_bytes()
    done = polyframe("tune", example, "-o", part)
    assert (done.code, part.read_bytes()) == (2, before)
    assert "belongs to the tables" in done.err


def test_the_table_is_printed_even_if_it_cannot_be_written(
    example: Path, tmp_path: Path, polyframe: Call
) -> None:
    (tmp_path / "x.csv").mkdir()
    done = polyframe("tune", example, "--eps", "0.5", "--min-samples", "2", "-o", tmp_path / "x.csv")
    assert (done.code, "is a directory" in done.err, "* settings of" in done.out) == (1, True, True)


def test_a_directory_without_extractions_is_an_error(tmp_path: Path, polyframe: Call) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        done = polyframe("tune", folder)
        assert done.code == 1
        assert done.err.startswith(f"polyframe: error: {folder}: ")


def test_without_matplotlib_only_the_plot_fails(
    example: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("matplotlib", "polyframe.plot"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delattr(pf, "plot", raising=False)
    done = polyframe("tune", example, "-q", "--plot", tmp_path / "x.png", "-o", tmp_path / "x.csv")
    assert (done.code, done.out) == (1, "")
    assert done.err == "polyframe: error: pictures need Matplotlib: pip install 'panoptes-polyframe[plot]'\n"
    assert not list(tmp_path.iterdir())
    assert polyframe("tune", example, "-q", "-o", tmp_path / "x.csv").code == 0


def test_tuning_does_not_load_matplotlib(example: Path) -> None:
    code = (
        "import sys, polyframe as pf; "
        f"pf.tune({str(example)!r}, eps=0.5, min_samples=2, engine='shapely', jobs=1); "
        "assert 'matplotlib' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_tune_is_a_command() -> None:
    assert "tune" in app.cli.commands
