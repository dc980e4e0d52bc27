"""Forked processes: they work, or fail at once with a message; none hangs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from exports import ROOT

SECONDS = 60

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

#: What is done before the fork, and whether the child can compute afterwards.
BEFORE = {
    "nothing": ("", True),
    "an import": ("from polyframe import run; import polars", True),
    "a run": ("pf.run(export, out / 'before', engine='shapely')", False),
    "a call in memory": ("pf.extract(export)", False),
    "a query of the caller": (
        "import polars; polars.DataFrame({'a': range(9), 'b': 1}).group_by('b').sum()",
        False,
    ),
}
#: What the child does.
CALLS = {
    "run": "pf.run(export, out / 'new', engine='shapely')",
    "extract": "pf.extract(export)",
    "scan": "pf.scan(out / 'before', 'labels').collect()",
    "reduce": "pf.reduce(out / 'before', engine='shapely')",
    "tune": "pf.tune(out / 'before', engine='shapely')",
    "validate": "pf.validate(out / 'before')",
    "export": "pf.export(out / 'before', 'geojson', out / 'new.geojson')",
    "report": "pf.report(out / 'before', out / 'new.html')",
}
SCRIPT = """
import os, pathlib, sys, warnings
warnings.simplefilter("ignore")
import polyframe as pf

export, out = map(pathlib.Path, sys.argv[1:])
{before}
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    {call}
except pf.PolyframeError as error:
    print(error, flush=True)
    os._exit(3)
os._exit(0)
"""


def forked(before: str, call: str, export: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Do something, fork, and do something in the child; kill both processes if the child hangs."""
    script = SCRIPT.format(before=before, call=call)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(export), str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.fail("the forked process hangs")
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@pytest.mark.parametrize("before", BEFORE)
def test_a_fork_works_or_explains_why_not(before: str, small_export: Path, tmp_path: Path) -> None:
    code, works = BEFORE[before]
    done = forked(code, CALLS["run"], small_export, tmp_path)
    assert (done.returncode, done.stderr) == (0 if works else 3, "")
    assert (tmp_path / "new" / "polyframe.json").exists() == works
    assert ("get_context('spawn')" in done.stdout) != works


@pytest.mark.parametrize("call", CALLS)
def test_every_call_refuses_after_a_run(call: str, small_export: Path, tmp_path: Path) -> None:
    done = forked(BEFORE["a run"][0], CALLS[call], small_export, tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("this process was forked from one in which Polars has threads")
    assert {path.name for path in tmp_path.iterdir()} <= {small_export.name, "before"}
