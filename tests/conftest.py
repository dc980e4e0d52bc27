"""Share fixtures, mark tests by their fixtures, and let skipped tests fail if they are required."""

import collections
import ctypes
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from consumers import requirements
from environments import python_with
from exports import ROOT, Done, drawing, export_row, export_text, square
from log_lines import as_on_terminal
from postgres_server import Database, Server, postgres_server
from s3_server import Bucket, new_bucket, s3_server
from web_server import WebServer, web_server

from polyframe.cli import app

REFERENCE = "panoptes_aggregation==5.3.1"
#: Readers of Parquet, and extensions of DuckDB, which require the version for which they were built.
READERS = ("tests/consumers/test_parquet_readers.py", "tests/end_to_end/test_readable.py")

#: Tests must not fail because the machine is busy.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")

#: If this variable is set, as in CI, a skipped test fails.
REQUIRE_ALL = "POLYFRAME_REQUIRE_ALL"
#: Reasons for which a test may be skipped even then. Only a benchmark compares with crowd-kit and SimpleITK,
#: which are large.
MAY_SKIP = ("the reference tool fails here", "crowd-kit==", "SimpleITK==")
#: The marks of tests that use these fixtures.
MARKS = {
    "reference_python": "network",
    "ducklake_packages": "network",
    "readers_python": "network",
    "training_python": "network",
    "lowest": "network",
    "pdf_python": "network",
    "page_checkers": "network",
    "driver": "browser",
    "each_browser": "browser",
    "firefox_window": "browser",
    "small_disk": "root",
}
_LONGEST_ID = 60


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist distribute the files in our order; it would start those with few tests last, however slow."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start one process more than there are processors, since some tests wait for other processes."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", usable + 1))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the fast engine before xdist starts its processes, each of which would compile it."""
    is_controller = getattr(session.config.option, "tx", None) and not hasattr(session.config, "workerinput")
    if is_controller and importlib.util.find_spec("numba"):
        code = "from polyframe.geometry.compile_ahead import ensure_compiled; ensure_compiled(lambda _: None)"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start with the files that may take longest, so that no processor waits for another at the end."""
    if hasattr(config, "workerinput"):  # in a process of xdist
        slow = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "network")))}
        tests = collections.Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path not in slow, -tests[item.path]))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests by the fixtures that they use."""
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in MARKS:
            item.add_marker(MARKS[fixture])


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long, unprintable and varying values by their parameter."""
    if isinstance(val, bytes):
        val = val.decode("latin-1")
    if isinstance(val, str) and (len(val) > _LONGEST_ID or not (val.isascii() and val.isprintable())):
        return argname
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Let skipped tests fail if they are required."""
    return _failed_if_required((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Let skipped files fail if they are required."""
    return _failed_if_required((yield))


def _failed_if_required(report: Any) -> Any:
    if os.environ.get(REQUIRE_ALL) and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(allowed in reason for allowed in MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"{REQUIRE_ALL} is set, but this did not run: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def without_waiting_for_the_disk() -> Iterator[None]:
    """Do not wait until files are on the disk, which would take a third of the time; other processes do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)  # raises for the same descriptors
        yield


@pytest.fixture(scope="session", autouse=True)
def parts_that_can_be_damaged() -> Iterator[None]:
    """Let tests write into parts, also without root's rights; those of other processes are read-only."""
    with pytest.MonkeyPatch.context() as patch:
        if os.name != "nt" and os.geteuid() != 0:
            patch.setattr("polyframe.store.part_files._WRITABLE", 0)
        yield


@pytest.fixture
def without_root_rights() -> Iterator[None]:
    """Remove root's right to ignore file permissions, in this thread."""
    if os.name == "nt":
        pytest.skip("permissions as POSIX has them")
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root cannot drop its rights here")
    system = ctypes.CDLL(None)
    # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of this thread, by the third version of this interface.
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
    """Return the folder of a real project with published results; it is not part of the repository."""
    folder = ROOT.parent / "shared" / "cat-project"
    if not folder.is_dir():
        pytest.skip("the real project is missing: put it into ../shared/cat-project")
    return folder


@pytest.fixture(scope="session")
def bu_bil() -> Path:
    """Return a folder with outlines of volunteers and an expert; it is not part of the repository."""
    folder = ROOT.parent / "shared" / "bu-bil"
    if not folder.is_dir():
        pytest.skip("the images with an expert's outlines are missing: put them into ../shared/bu-bil")
    return folder


@pytest.fixture(scope="session")
def reference_python() -> str:
    """Return a Python with the reference tool."""
    return python_with("reference", [REFERENCE])


@pytest.fixture(scope="session")
def readers_python() -> str:
    """Return a Python with readers of Parquet, among them DuckDB with its spatial extension."""
    return python_with("readers", [package for file in READERS for package in requirements(file)])


@pytest.fixture
def polyframe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Return a function that runs the command line in this process."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr("sys.argv", ["polyframe", *map(str, arguments)])
        code = 0
        try:
            app.main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, as_on_terminal(captured.err))

    return call


@pytest.fixture
def small_export(tmp_path: Path) -> Path:
    """Write an export of two subjects: four volunteers outline one object, and a fifth draws elsewhere."""
    rows = [
        export_row(5 * (subject - 1) + volunteer, drawing(square(shift, 0)), subject_ids=subject)
        for subject in (1, 2)
        for volunteer, shift in enumerate((0, 1, 2, 1, 50))
    ]
    path = tmp_path / "small.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The endpoint of an S3 server on this machine."""
    pytest.importorskip("moto")
    pytest.importorskip("boto3")
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str) -> Bucket:
    """A new bucket; its options and environment contain the credentials."""
    return new_bucket(s3_endpoint)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a PostgreSQL server with PostGIS on this machine."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Database:
    """Return a new schema of a database with PostGIS."""
    return postgres.new_schema()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A web server on this machine, reached without the proxy of the environment."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with web_server() as server:
        yield server
