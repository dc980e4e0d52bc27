"""What several tests share: marks and ids, the real project, and tools in environments of their own."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from environments import python_with
from exports import ROOT, Done, drawing, export_row, export_text, square

from polyframe.cli import app

REFERENCE = "panoptes_aggregation==5.3.1"
#: It brings the version of DuckDB that it was made for.
SPATIAL = "duckdb-extension-spatial==1.5.5"

#: A machine that has much to do is no fault of what is tested.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

#: Where this is set, as in CI, nothing may be missing: a test that skips fails.
REQUIRE_ALL = "POLYFRAME_REQUIRE_ALL"
#: But for these reasons, which nobody can do anything about.
MAY_SKIP = ("the reference tool fails here",)
#: What tests need that use these fixtures: they are marked with it.
NEEDS = {
    "reference_python": "network",
    "spatial_python": "network",
    "lowest": "network",
    "driver": "browser",
    "little_disk": "root",
}
_LONGEST_ID = 60


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests by the fixtures that they use."""
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in NEEDS:
            item.add_marker(NEEDS[fixture])


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name values by their parameter that make no name: they may be long, or differ from run to run."""
    if isinstance(val, bytes):
        val = val.decode("latin-1")
    if isinstance(val, str) and (len(val) > _LONGEST_ID or not (val.isascii() and val.isprintable())):
        return argname
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Let a test fail that skips where nothing may be missing."""
    return _required((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Let a file fail that skips where nothing may be missing."""
    return _required((yield))


def _required(report: Any) -> Any:
    if os.environ.get(REQUIRE_ALL) and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(allowed in reason for allowed in MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"{REQUIRE_ALL} is set, but this did not run: {reason}"
    return report


@pytest.fixture
def like_anybody() -> Iterator[None]:
    """Take from root, in this thread, the right to read and write whatever the permissions say."""
    if os.name == "nt":
        pytest.skip("permissions as POSIX has them")
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root cannot give up its rights here")
    system = ctypes.CDLL(None)
    # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of this thread; the form is the third version of the call's.
    version, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert system.capget(version, rights) == 0
    effective = rights[0]
    rights[0] = effective & ~0b110
    assert system.capset(version, rights) == 0
    yield
    rights[0] = effective
    assert system.capset(version, rights) == 0


@pytest.fixture(scope="session")
def cat_project() -> Path:
    """The folder of a real project with published results; it is not part of the repository."""
    folder = ROOT.parent / "shared" / "cat-project"
    if not folder.is_dir():
        pytest.skip("the real project is missing: put it into ../shared/cat-project")
    return folder


@pytest.fixture(scope="session")
def reference_python() -> str:
    """A Python that has the reference tool: POLYFRAME_REFERENCE_PYTHON, or an environment made for it."""
    return python_with("reference", [REFERENCE])


@pytest.fixture(scope="session")
def spatial_python() -> str:
    """A Python with DuckDB's spatial extension: POLYFRAME_SPATIAL_PYTHON, or an environment made for it."""
    return python_with("spatial", [SPATIAL])


@pytest.fixture
def polyframe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Call the command line within this process."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr("sys.argv", ["polyframe", *map(str, arguments)])
        code = 0
        try:
            app.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def small_export(tmp_path: Path) -> Path:
    """Four volunteers outline one object of subject 1 and one of subject 2; a fifth draws elsewhere."""
    rows = [
        export_row(5 * (subject - 1) + place, drawing(square(shift, 0)), subject_ids=subject)
        for subject in (1, 2)
        for place, shift in enumerate((0, 1, 2, 1, 50))
    ]
    path = tmp_path / "small.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path
