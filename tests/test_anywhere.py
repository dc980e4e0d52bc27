"""The same bytes on every processor and system, and no warning anywhere."""

import ast
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
    "polyframe/reporting/backgrounds.py",  # rounded down to a power of ten
    "polyframe/synthetic/chance.py",  # rounded to 30 binary places
    "polyframe/synthetic/images.py",  # rounded to 16384th parts of a turn
    "polyframe/synthetic/toy.py",  # for pictures in the guide; nothing is written
}


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
