"""Common mistakes: one line with the file and the next step, the right exit code, no traceback."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done
from stores import copied, edit_manifest

import polyframe as pf
from polyframe.core.errors import no_such_file

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with output directories: complete (out), without contours (flat), extractions only (ext)."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "data", folder / "data")
    export, config = folder / "data" / "classifications.csv", folder / "data" / "config.yaml"
    pf.run(export, folder / "out", config, engine="shapely", jobs=1)
    pf.run(export, folder / "flat", config, engine="shapely", jobs=1, contours=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        from polyframe.cli.app import cli

        cli(
            ["extract", "data/classifications.csv", "-c", "data/config.yaml", "-o", "ext", "-q"],
            standalone_mode=False,
        )
    (folder / "gone.csv").symlink_to("nowhere.csv")
    copied(folder / "ext", folder / "old")
    edit_manifest(folder / "old", lambda manifest: manifest.update(schema_version=93))
    return folder


EXPORT = "data/classifications.csv"
PICTURE = "data/images/1000003-0.png"
MISSPELT = "data/clasifications.csv: no such file; did you mean 'data/classifications.csv'?"
READING = ("reduce", "contours", "status", "export --to coco -o x", "plot -o x.png")
NO_FOLDER = "none: no such directory; make it with `polyframe run CLASSIFICATIONS -o none`"
OTHER_VERSION = "made by another version of polyframe; rebuild the tables with `polyframe run`"
NO_OUTPUT = "(polyframe.json is missing); name the directory that `polyframe run` wrote"


@pytest.mark.parametrize(
    ("call", "message", "code"),
    [
        # A missing file.
        ("run data/clasifications.csv -o x", MISSPELT, 1),
        ("run nothing.csv -o x", "nothing.csv: no such file in ", 1),
        (
            "run none/a.csv -o x",
            "none/a.csv: no such file: the folder none does not exist; check the path",
            1,
        ),
        ("run none*.csv -o x", "none*.csv: matches no file; check the pattern", 1),
        ("run gone.csv -o x", "gone.csv: no such file in ", 1),
        ("reduce data/clasifications.csv", MISSPELT, 1),
        ("reduce data/clasifications.csv -o x", MISSPELT, 1),
        ("plot out --subject 1000003 --frame 0 --image data -o x.png", "data: is a directory", 1),
        (f"run {EXPORT} -c data/confg.yaml -o x", "did you mean 'data/config.yaml'?", 2),
        ("config data/workflow.csv -o x", "did you mean 'data/workflows.csv'?", 1),
        ("export out --to coco --classifications data/clasifications.csv -o x", MISSPELT, 1),
        (
            "plot out --subject 1000003 --frame 0 --image data/images/1000003-0.pgn -o x.png",
            f"{PICTURE}'?",
            1,
        ),
        (
            "plot out --subject 1000003 --images data/images --subjects data/subject.csv -o x.png",
            "data/subject.csv: no such file; did you mean 'data/subjects.csv'?",
            1,
        ),
        (
            "plot out --subject 1000003 --images none --subjects data/subjects.csv -o x.png",
            "none: no such folder of images; name one with --images",
            1,
        ),
        # A file of another kind.
        ("run data -o x", "data: is a directory; name the files in it, such as 'data/*.csv'", 1),
        ("run data/subjects.csv -o x", "; name the classification export", 1),
        (f"run {PICTURE} -o x", f"{PICTURE}: is a PNG image; expected a classification", 1),
        (f"run {EXPORT} -c {PICTURE} -o x", "expected a YAML configuration, saved as UTF-8", 2),
        (f"run {EXPORT} -c data -o x", "data: is a directory, expected a YAML file", 2),
        (f"config {EXPORT} -o x", "name the workflow export of Zooniverse", 1),
        ("config data -o x", "data: is a directory; name the workflow export, a CSV file", 1),
        (f"reduce {EXPORT} -o x", f"use `polyframe run {EXPORT} -o OUT`", 1),
        ("reduce data/subjects.csv -o x", "name the CSV from `panoptes_aggregation extract`", 1),
        (f"reduce {EXPORT}", "name the directory for its tables with -o OUT", 2),
        (
            "export out --to coco --classifications data/subjects.csv -o x",
            "has no image sizes: missing column subject_ids; name the classification export",
            1,
        ),
        ("plot out --subject 1000003 --frame 0 --image data/config.yaml -o x.png", "expected PNG, JPEG", 1),
        (
            "plot out --subject 1000003 --images data/images --subjects data/config.yaml -o x.png",
            "name the subject export of Zooniverse",
            1,
        ),
        # A directory that is not an output directory, or lacks a table.
        *((f"{command} none", NO_FOLDER, 1) for command in (*READING, "validate")),
        *(
            (f"{command} data", f"data: not a polyframe output directory {NO_OUTPUT}", 1)
            for command in (*READING, "validate")
        ),
        *((f"{command} old", OTHER_VERSION, 1) for command in READING),
        ("status data/config.yaml", NO_OUTPUT, 1),
        (
            "export ext --to coco -o x",
            "ext: has no table 'groups'; make it with `polyframe reduce ext`",
            1,
        ),
        ("plot ext -o x.png", "ext: has no table 'reductions'; make it with `polyframe reduce ext`", 1),
        ("plot ext --subject 1000003 -o x.png", "make it with `polyframe reduce ext`", 1),
        ("export flat --to masks --level 2 -o x", "make it with `polyframe contours flat`", 1),
        ("plot flat --subject 1000003 --level 2 -o x.png", "make it with `polyframe contours OUT`", 1),
        ("plot out --subject 7 -o x.png", "no subject 7; subjects with marks: 1000001", 1),
        # A workflow or version that the export does not contain.
        (f"run {EXPORT} --workflow-id 7 -o x", "contains no workflow 7; it contains 4321", 1),
        (f"run {EXPORT} --workflow-version 99 -o x", "has no version 99; it has 7.9, 7.12", 1),
        ("config data/workflows.csv --workflow-id 7 -o x", "contains no workflow 7; it contains 4321", 1),
        ("config data/workflows.csv --version 99 -o x", "has no version 99; it has 7.9, 7.12", 1),
        # Paths that cannot be written.
        (f"run {EXPORT} -o data", "already contains other files", 1),
        (f"run {EXPORT} -o data/config.yaml", "is a file; name a new or empty directory for the tables", 1),
        (f"run {EXPORT} -o data/config.yaml/x", "(Not a directory); name another directory", 1),
        ("export out --to coco -o data", "data: is a directory; name a file to write", 1),
        (
            "export out --to coco -o data/config.yaml/x",
            "(data/config.yaml is a file); name another place",
            1,
        ),
        ("export out --to masks -o data/config.yaml", "is a file; name a folder for the pictures", 1),
        ("plot out -o data/config.yaml/x.png", "(data/config.yaml is a file); name another place", 1),
        ("plot out -o x.bmp", "the name of a picture must end in .png, .svg or .pdf", 2),
        (
            "config data/workflows.csv -o data/config.yaml",
            "is a file; name a folder for the configuration",
            1,
        ),
        ("synth data/config.yaml", "is a file; name a folder, or a file that ends in .csv or .csv.gz", 1),
        ("synth data/config.yaml/x", "(Not a directory); name another place", 1),
        ("synth data/config.yaml/x.csv", "(Not a directory); name another place", 1),
        # Values out of their range.
        (f"run {EXPORT} --eps 2 -o x", "eps must be > 0 and <= 1 (got 2.0)", 2),
        (f"run {EXPORT} --workflow-version latest -o x", "`13.19` (exactly this version)", 2),
        (f"run {EXPORT} --volunteers hash -o x", "environment variable POLYFRAME_VOLUNTEERS_KEY", 2),
        ("export out --to geojson --level 0 -o x", "level: '0' is neither a number of marks from 1", 2),
        ("export out --to geojson --image-size 5x5 -o x", "omit it for geojson", 2),
        ("export out --to coco --image-size 5 -o x", "is not WIDTHxHEIGHT, such as 1024x768", 2),
        ("synth x.csv --repeats 7", "repeats must be >= 0 and <= 1 (got 7.0)", 2),
        ("synth x.csv --truth x.csv", "truth: x.csv is a file of the export; name another one", 2),
    ],
)
def test_the_message_names_the_problem_and_the_next_step(
    call: str, message: str, code: int, checkout: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    monkeypatch.delenv("POLYFRAME_VOLUNTEERS_KEY", raising=False)
    done = polyframe(*call.split())
    assert (done.code, done.out) == (code, "")
    *notes, line = done.err.splitlines()
    assert line.startswith("polyframe: error: ")
    assert message in line
    assert all(note.startswith("polyframe: ") and "error" not in note for note in notes)
    assert not any((checkout / name).exists() for name in ("x", "x.csv", "x.png", "none"))


@pytest.mark.skipif(os.name == "nt", reason="names ignore case there")
def test_suggestions_ignore_case(tmp_path: Path) -> None:
    (tmp_path / "Classifications.CSV").touch()
    assert no_such_file(tmp_path / "classifications.csv").endswith(f"'{tmp_path / 'Classifications.CSV'}'?")
    assert no_such_file(tmp_path / "x").endswith(f"no such file in {tmp_path.resolve()}; check the name")


@pytest.mark.skipif(os.name == "nt", reason="writing to such a pipe is another error there")
@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        (["run", "--json", "none.csv", "-o", "x"], "stdout", 1),
        (["run", "--json", "none.csv", "--eps", "2", "-o", "x"], "stdout", 2),
        (["run", "none.csv", "-o", "x"], "stderr", 1),
        (["nonsense"], "stderr", 2),
        (["--help"], "stdout", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_reader_that_has_exited(arguments: list[str], closed: str, code: int, tmp_path: Path) -> None:
    """As with `| true`: no traceback, and an error keeps its exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "polyframe", *arguments],
            stdout=writer if closed == "stdout" else subprocess.PIPE,
            stderr=writer if closed == "stderr" else subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == code
    assert len((done.stderr or "").splitlines()) == (closed == "stdout" and arguments != ["--help"])
