"""The same bytes on every processor and system, names and output in any encoding, and no warning anywhere."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from everything import CONFIG, EXPORT, everything, run_python
from exports import ROOT

SOURCES = sorted((ROOT / "polyframe").rglob("*.py"))
#: Processors of long ago, for NumPy, its BLAS, and the C library; unknown names do nothing.
OLD_PROCESSOR = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_ICL AVX512_SPR X86_V3 X86_V4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
#: Their last digit depends on the processor or the C library.
DEPENDS = {
    *("dot", "vdot", "inner", "matmul", "tensordot", "einsum", "linalg", "convolve", "polyfit"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "atan2", "hypot", "exp", "expm1", "log"),
    *("log2", "log10", "log1p", "power", "float_power", "cbrt", "sinh", "cosh", "tanh"),
}
#: Where that does no harm, and why.
ALLOWED = {
    "polyframe/export/report/backgrounds.py",  # rounded down to a power of ten
    "polyframe/synthetic/random_numbers.py",  # rounded to 30 binary places
    "polyframe/synthetic/subject_images.py",  # rounded to 16384th parts of a turn
    "polyframe/synthetic/toy_clusters.py",  # for pictures in the guide; nothing is written
}


@pytest.mark.slow
def test_the_bytes_are_those_of_any_processor(tmp_path: Path) -> None:
    here, there = everything(tmp_path / "here"), everything(tmp_path / "there", **OLD_PROCESSOR)
    assert len(here) > 15
    assert set(here) == set(there)
    assert [name for name in here if here[name] != there[name] and not name.endswith("polyframe.json")] == []


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def test_numbers_are_made_by_operations_that_every_processor_rounds_alike() -> None:
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        if name in ALLOWED or name.startswith("polyframe/plot/"):
            continue
        for node in nodes(path):
            assert not isinstance(node, ast.MatMult), name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert not (node.value.id in ("np", "math") and node.attr in DEPENDS), (name, node.lineno)


def test_files_of_text_say_their_encoding_and_how_their_lines_end() -> None:
    """Otherwise both are the system's."""
    written = 0
    for path in SOURCES:
        for node in nodes(path):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            keywords = {keyword.arg for keyword in node.keywords}
            where = (path.relative_to(ROOT).as_posix(), node.lineno)
            texts = [n.value for n in node.args if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            mode = next((text for text in texts if set(text) <= set("rwaxbt+")), "r")
            is_open = called in ("open", "fdopen") and not _of_a_library(node.func) and "b" not in mode
            if is_open or called in ("read_text", "write_text"):
                assert "encoding" in keywords, where
            if called == "write_text" or (is_open and set(mode) & set("wax+")):
                assert "newline" in keywords, where
                written += 1
    assert written >= 4


def _of_a_library(function: ast.expr) -> bool:
    """Whether `open` is not that of Python: `os.open`, `Image.open`, `opener.open`."""
    owner = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in ("os", "Pillow", "opener")


@pytest.mark.parametrize("call", [["--version"], ["run", EXPORT, "-c", CONFIG, "-o", "out", "-q"]])
def test_python_has_nothing_to_warn_of(call: list[object], tmp_path: Path) -> None:
    """Neither has it of what is left open at the end."""
    done = run_python("-X", "dev", "-W", "error", "-m", "polyframe", *call, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


NAMED = "Кошки ☃ 😀"
READING = ("status", "validate", "export --to geojson -o OUT/../x.geojson", "report -o OUT/../x.html")


def call_in(folder: bytes, line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Call the command line with an output directory and an export of that folder."""
    command, *options = (word.replace(b"OUT", folder + b"/out") for word in line.encode().split(b" "))
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(places), **variables}
    what = [folder + b"/x.csv", b"-o"] if command == b"run" else []
    call = [os.fsencode(sys.executable), b"-m", b"polyframe", command, *what, folder + b"/out", *options]
    return subprocess.run(call, env=variables, capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16", "utf-8:strict"])
def test_what_is_said_fits_into_any_encoding(encoding: str, tmp_path: Path) -> None:
    folder = tmp_path / NAMED
    folder.mkdir()
    shutil.copy(EXPORT, folder / "x.csv")
    place = os.fsencode(folder)
    run = f"run -c {CONFIG} --engine shapely --jobs 1 --workflow-version 7.12"
    for line in (run, *READING):
        done = call_in(place, line, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
    name = encoding.partition(":")[0]
    told = json.loads(call_in(place, "status --json", PYTHONIOENCODING=encoding).stdout.decode(name))
    assert Path(told["output"]) == folder / "out"
    assert told["sources"] == ["x.csv"]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are text there, in Unicode")
@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        (b"caf\xe9", {}, "not valid UTF-8; rename the file"),
        (NAMED.encode(), {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, "set PYTHONUTF8=1"),
    ],
    ids=["other bytes", "other encoding"],
)
def test_names_that_polars_cannot_be_told_are_named_in_one_line(
    name: bytes, variables: dict[str, str], words: str, tmp_path: Path
) -> None:
    folder = os.fsencode(tmp_path) + b"/" + name
    Path(os.fsdecode(folder)).mkdir()
    shutil.copy(EXPORT, folder + b"/x.csv")
    for line in ("run", *READING):
        done = call_in(folder, line, **variables)
        told = done.stderr.decode()
        assert done.returncode == 1
        assert told.startswith("polyframe: error: ")
        assert words in told
        assert told.count("\n") == 1
    # An export by its name alone, and a pattern.
    for pattern in (b"/x.csv", b"/*.csv"):
        call = [os.fsencode(sys.executable), b"-m", b"polyframe", b"run", folder + pattern, b"-o", b"out"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert done.returncode == 1
        assert words in done.stderr.decode()


@pytest.mark.skipif(os.name == "nt", reason="pipes as POSIX has them")
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_reader_that_has_gone_ends_the_command_without_a_word(closed: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    call = ["run", EXPORT, "-o", tmp_path / "out", "--engine", "shapely", "--jobs", "1"]
    other = "stderr" if closed == "stdout" else "stdout"
    done = subprocess.run(
        [sys.executable, "-m", "polyframe", *call],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **{closed: writer, other: subprocess.PIPE},
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    if closed == "stdout":
        assert all(line.startswith(b"polyframe: ") for line in done.stderr.splitlines())
        assert b"error" not in done.stderr
