"""Outputs are the same on every processor and system, in any encoding, and without warnings."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from all_outputs import CONFIG, EXPORT, all_outputs, run_python
from exports import ROOT
from log_lines import as_on_terminal
from stores import without_run

SOURCES = sorted((ROOT / "polyframe").rglob("*.py"))
#: Let NumPy, its BLAS and the C library assume an old processor; unknown names have no effect.
OLD_PROCESSOR = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_ICL AVX512_SPR X86_V3 X86_V4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
#: Functions whose last digit depends on the processor or the C library.
DEPENDS = {
    *("dot", "vdot", "inner", "matmul", "tensordot", "einsum", "linalg", "convolve", "polyfit"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "atan2", "hypot", "exp", "expm1", "log"),
    *("log2", "log10", "log1p", "power", "float_power", "cbrt", "sinh", "cosh", "tanh"),
}
#: Modules that may use them, and why.
ALLOWED = {
    "polyframe/export/report/backgrounds.py",  # rounded down to a power of ten
    "polyframe/synthetic/random_numbers.py",  # rounded to 30 binary places
    "polyframe/synthetic/subject_images.py",  # rounded to 16384th parts of a turn
    "polyframe/synthetic/toy_clusters.py",  # only for pictures in the guide
}


@pytest.mark.slow
def test_outputs_do_not_depend_on_the_processor(tmp_path: Path) -> None:
    new = all_outputs(tmp_path / "new")
    old = all_outputs(tmp_path / "old", **OLD_PROCESSOR)
    assert len(new) > 15
    assert set(new) == set(old)
    assert [name for name in new if comparable(name, new[name]) != comparable(name, old[name])] == []


def comparable(name: str, content: bytes) -> bytes:
    """Return the content of a file of an output without times and names of machines."""
    is_manifest = name.endswith("polyframe.json") or "/manifests/" in name
    return without_run(content) if is_manifest else content


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def test_only_operations_with_the_same_rounding_everywhere_are_used() -> None:
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        if name in ALLOWED or name.startswith("polyframe/plot/"):
            continue
        for node in nodes(path):
            assert not isinstance(node, ast.MatMult), name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert not (node.value.id in ("np", "math") and node.attr in DEPENDS), (name, node.lineno)


def test_text_files_are_opened_with_encoding_and_newline() -> None:
    """The defaults depend on the system."""
    n_written = 0
    for path in SOURCES:
        for node in nodes(path):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            keywords = {keyword.arg for keyword in node.keywords}
            where = (path.relative_to(ROOT).as_posix(), node.lineno)
            texts = [n.value for n in node.args if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            mode = next((text for text in texts if set(text) <= set("rwaxbt+")), "r")
            is_open = called in ("open", "fdopen") and not _opens_no_text(node.func) and "b" not in mode
            if is_open or called in ("read_text", "write_text"):
                assert "encoding" in keywords, where
            if called == "write_text" or (is_open and set(mode) & set("wax+")):
                assert "newline" in keywords, where
                n_written += 1
    assert n_written >= 2


def _opens_no_text(function: ast.expr) -> bool:
    """Return whether `open` opens no text file: `os.open`, `opener.open`, `reader_of(address).open`, ..."""
    owner = function.value if isinstance(function, ast.Attribute) else None
    owner = owner.func if isinstance(owner, ast.Call) else owner
    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    return name in ("os", "Pillow", "opener", "reader_of", "_reader")


@pytest.mark.parametrize("call", [["--version"], ["run", EXPORT, "-c", CONFIG, "-o", "out", "-q"]])
def test_python_gives_no_warnings(call: list[object], tmp_path: Path) -> None:
    """Not even about files that are open at exit."""
    done = run_python("-X", "dev", "-W", "error", "-m", "polyframe", *call, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


NAME = "Кошки ☃ 😀"
READING = ("status", "validate", "export --to geojson -o OUT/../x.geojson", "report -o OUT/../x.html")


#: Runs the command line several times, since processes start slowly; each argument has the arguments of a
#: call, one on a line. The exit code is 1 if all calls fail, 0 if none does, and otherwise 2.
CALLS = """
import sys
from polyframe.cli import app
codes = set()
for call in sys.argv[1:]:
    sys.argv = ["polyframe", *call.split("\\n")]
    try:
        app.main()
        codes.add(0)
    except SystemExit as end:
        codes.add(end.code or 0)
sys.exit(codes.pop() if len(codes) == 1 else 2)
"""


def call_in(folder: bytes, *lines: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command line several times with an export and an output directory in a folder.

    The export is `x.csv` if a line does not name it.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
    calls = []
    for line in lines:
        command, *options = (word.replace(b"OUT", folder + b"/out") for word in line.encode().split(b" "))
        name = b"x.csv"
        if command == b"run" and options and options[0].endswith(b".csv"):
            name = options.pop(0)
        export = [folder + b"/" + name, b"-o"] if command == b"run" else []
        calls.append(b"\n".join([command, *export, folder + b"/out", *options]))
    call = [os.fsencode(sys.executable), b"-c", CALLS.encode(), *calls]
    return subprocess.run(call, env=variables, capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16", "utf-8:strict"])
def test_messages_can_be_printed_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    shutil.copy(EXPORT, folder / "x.csv")
    path = os.fsencode(folder)
    run = f"run -c {CONFIG} --engine shapely --jobs 1 --workflow-version 7.12"
    done = call_in(path, run, *READING, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    name = encoding.partition(":")[0]
    status = json.loads(call_in(path, "status --json", PYTHONIOENCODING=encoding).stdout.decode(name))
    assert Path(status["output"]) == folder / "out"
    assert status["sources"] == ["x.csv"]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have Unicode names")
@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        (b"caf\xe9", {}, "not valid UTF-8; rename the file"),
        (NAME.encode(), {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, "set PYTHONUTF8=1"),
    ],
    ids=["other bytes", "other encoding"],
)
def test_paths_that_polars_cannot_open_are_named_in_one_line(
    name: bytes, variables: dict[str, str], words: str, tmp_path: Path
) -> None:
    folder = os.fsencode(tmp_path) + b"/" + name
    Path(os.fsdecode(folder)).mkdir()
    shutil.copy(EXPORT, folder + b"/x.csv")
    # A single export, and a pattern.
    lines = ("run", "run *.csv", *READING)
    done = call_in(folder, *lines, **variables)
    assert done.returncode == 1, (done.stdout, done.stderr)
    messages = as_on_terminal(done.stderr.decode()).splitlines()
    assert len(messages) == len(lines)
    for message in messages:
        assert message.startswith("polyframe: error: ")
        assert words in message
    # Only the export has such a name.
    call = [os.fsencode(sys.executable), b"-m", b"polyframe", b"run", folder + b"/x.csv", b"-o", b"out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr.decode()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes")
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_pipe_ends_the_command_without_a_message(closed: str, tmp_path: Path) -> None:
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
        lines = as_on_terminal(done.stderr.decode()).splitlines()
        assert all(line.startswith("polyframe: ") and "error" not in line for line in lines)
