"""Compiling in separate processes: complete, announced, stopped with the body, and never necessary."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from environments import json_from
from exports import drawing, export_row, export_text, square

from polyframe.geometry import compile_ahead as module
from polyframe.geometry.compiled import numba_jit
from polyframe.geometry.compiled.purposes import EVERYTHING, PURPOSES, Purpose, serves
from polyframe.synthetic import SynthOptions, write_export

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: the extra `fast`"
)

#: What a run with contours needs for the average `median`, if no subject is large.
ORDINARY = {"coordinates", "clusters", "memberships", "levels"}
COMPILE = """
from polyframe.geometry.compile_ahead import ensure_compiled
ensure_compiled(lambda note: print(note, flush=True))
"""
RUN = """
import sys
import polyframe as pf
from polyframe.geometry import compile_ahead
from polyframe.geometry.compiled import numba_jit
from polyframe.geometry.compiled.purposes import serves

asked = set()
uncached_functions = compile_ahead.uncached_functions

def recorded(purposes):
    missing = uncached_functions(purposes)
    asked.update(name for name in numba_jit.entry_points if serves(name, purposes))
    return missing

compile_ahead.uncached_functions = recorded
path, squares, out, *averages = sys.argv[1:]
for average in averages:
    pf.run(path, out, engine="compiled", average=average, eps=0.9, say=lambda note: print(note))
pf.contours(pf.extract(squares), engine="compiled", eps=1)
for stat in ("cache_hits", "cache_misses"):
    print(*sorted(name for name, function in numba_jit.entry_points.items() if getattr(function.stats, stat)))
print(*sorted(asked))
"""
#: Removes what is compiled from the cache, except some functions.
KEEP_ONLY = """
import sys
from pathlib import Path
from polyframe.geometry.compiled import numba_jit
numba_jit.compile_loops()
numba_jit.load_all()
for name in numba_jit.entry_points.keys() - set(sys.argv[1:]):
    Path(numba_jit.cache_file(numba_jit.entry_points[name])._index_path).unlink()
"""


def python(script: str, cache: Path, *arguments: object) -> str:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_run_compiles_nothing_that_was_compiled_ahead(tmp_path: Path) -> None:
    announced = python(COMPILE, tmp_path / "cache").splitlines()
    total = len(announced) - 1
    assert announced[0].endswith(f"once per installation: 0 of {total} functions")
    assert [line.split(",")[0] for line in announced[1:]] == [
        f"compiling the fast engine: {done} of {total} functions" for done in range(1, total + 1)
    ]
    write_export(tmp_path / "export.csv", SynthOptions(subjects=8, volunteers=9, vertices=60, seed=1))
    # Parts of a level touch in a point.
    squares = square(0, 0, 20), square(0, 0), square(10, 10)
    rows = [export_row(k, drawing(drawn)) for k, drawn in enumerate(squares)]
    (tmp_path / "squares.csv").write_text(export_text(rows), encoding="utf-8")
    paths = tmp_path / "export.csv", tmp_path / "squares.csv", tmp_path / "out"
    said = python(RUN, tmp_path / "cache", *paths, "median", "union", "intersection", "majority")
    *notes, called, compiled, _ = said.split("\n")[:-1]
    assert compiled == ""
    assert not [note for note in notes if "compiling" in note]
    assert called.split() == [
        name for name in sorted(PURPOSES) if serves(name, EVERYTHING - {"large groups"})
    ]

    # Only what the average needs is compiled ahead, and nothing is missing.
    names = [name for name in sorted(PURPOSES) if serves(name, ORDINARY)]
    python(KEEP_ONLY, tmp_path / "cache", *names)
    said = python(RUN, tmp_path / "cache", *paths[:2], tmp_path / "out again", "median")
    *notes, called, compiled, asked = said.split("\n")[:-1]
    assert compiled == ""
    assert not [note for note in notes if "compiling" in note]
    assert asked.split() == names
    assert set(called.split()) <= set(names)


#: Prints the entry points that the sample calls reach, for each purpose and for all, and all that there are.
REACHED = """
import json
from polyframe.geometry.compiled import numba_jit, precompile
from polyframe.geometry.compiled.purposes import EVERYTHING

def reached(purposes):
    names = set()
    numba_jit.record_calls(lambda name, arguments: names.add(name))
    precompile.sample_calls(purposes)
    numba_jit.record_calls(None)
    return sorted(names)

by_purpose = {name: reached({name}) for name in EVERYTHING} | {"all": reached(EVERYTHING)}
numba_jit.compile_loops()
numba_jit.load_all()
print(json.dumps([by_purpose, sorted(numba_jit.entry_points)]))
"""


@pytest.fixture(scope="module")
def reached() -> tuple[dict[str, list[str]], list[str]]:
    by_purpose, everything = json_from(sys.executable, REACHED)
    return by_purpose, everything


@pytest.mark.parametrize("purpose", [None, *sorted(EVERYTHING)])
def test_the_sample_calls_reach_the_entry_points_of_their_purposes(
    purpose: Purpose | None, reached: tuple[dict[str, list[str]], list[str]]
) -> None:
    by_purpose, everything = reached
    assert everything == sorted(PURPOSES)
    purposes = EVERYTHING if purpose is None else {purpose}
    assert by_purpose[purpose or "all"] == sorted(name for name in PURPOSES if serves(name, purposes))


def test_nothing_is_started_if_everything_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_jit, "is_cached", lambda dispatcher: True)
    monkeypatch.setattr(module, "_start_process", lambda: pytest.fail("started a process"))
    loaded: list[object] = []
    monkeypatch.setattr(module, "load", lambda name: SimpleNamespace(sample_calls=loaded.append))
    notes: list[str] = []
    module.ensure_compiled(notes.append, {"coordinates"})
    assert notes == []
    assert loaded == [{"coordinates"}]


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let some functions seem to be missing; return their names."""
    names = ["one.a", "two.b", "two.c"]
    monkeypatch.setattr(module, "uncached_functions", lambda purposes: (names, ""))
    return names


def stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Start processes that run another script."""
    original = subprocess.Popen

    def start(command: list[str], **options: object) -> object:
        return original([command[0], "-c", script], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)


def test_each_function_is_compiled_once(cold: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)")
    notes: list[str] = []
    module.ensure_compiled(notes.append)
    assert [note.split(":")[1].split(",")[0].strip() for note in notes] == [
        f"{done} of 3 functions" for done in range(4)
    ]


@pytest.mark.parametrize(
    "script",
    [
        "raise SystemExit(1)",
        "input(); import os; os.kill(os.getpid(), 9)",
        # The cache cannot be written.
        "for _ in range(2): input(); print(flush=True)",
    ],
)
def test_a_run_goes_on_if_the_processes_die_or_compile_in_vain(
    script: str, cold: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, script)
    notes: list[str] = []
    module.ensure_compiled(notes.append)
    assert notes[1:] == [
        "3 functions could not be compiled in a separate process: this process compiles them when needed"
    ]


@pytest.mark.parametrize("executable", ["", "/nowhere/python"])
def test_a_run_goes_on_if_no_process_can_be_started(
    executable: str, cold: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    notes: list[str] = []
    module.ensure_compiled(notes.append)
    assert notes[1].startswith("3 functions could not be compiled")


def test_processes_end_with_the_body(cold: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import time; time.sleep(600)")
    started: list[subprocess.Popen[str]] = []
    original = module._start_process

    def start() -> "subprocess.Popen[str] | None":
        process = original()
        assert process is not None
        started.append(process)
        return process

    monkeypatch.setattr(module, "_start_process", start)
    with pytest.raises(KeyboardInterrupt), module.compile_ahead(lambda _: None):
        raise KeyboardInterrupt
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_processes_end_if_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    script = """
import time
from polyframe.geometry import compile_ahead
process = compile_ahead._start_process()
print(process.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(600):
        if not runs(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the process did not end")


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # of one that nobody waits for, the number remains
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_it_is_said_once_if_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_jit, "cache_file", lambda dispatcher: None)
    monkeypatch.setattr(numba_jit, "entry_points", {"a.b": type("Function", (), {"overloads": {}})()})
    notes: list[str] = []
    module.ensure_compiled(notes.append)
    assert len(notes) == 1
    assert "NUMBA_CACHE_DIR" in notes[0]


def test_processes_that_have_nothing_left_to_do_are_no_zombies(
    cold: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)")
    started: list[subprocess.Popen[str] | None] = []
    original = module._start_process
    monkeypatch.setattr(module, "_start_process", lambda: started.append(original()) or started[-1])
    with module.compile_ahead(lambda _: None) as ready:
        ready()
        for _ in range(600):
            if all(process and process.returncode == 0 for process in started):
                break
            time.sleep(0.1)
        assert [process and process.returncode for process in started] == [0, 0]
