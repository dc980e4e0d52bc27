"""Progress of a run: what a terminal and a log show, with a clock that the tests set."""

import re
import threading
import time

import pytest

from polyframe.cli import invocation
from polyframe.cli.progress import ProgressBar, State, terminal_line
from polyframe.core.callbacks import DetailedProgress, Running, detailed


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return re.findall(r"INFO (.*)", capsys.readouterr().err)


def test_a_log_has_a_line_at_most_every_30_seconds_and_every_10_percent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    invocation.begin("run", [])
    now = 0
    progress = ProgressBar(quiet=False, clock=lambda: now)
    progress.begin("reading the export")
    for seconds, done in ((0, 0), (29, 90), (30, 100), (59, 300), (61, 301), (95, 350), (700, 360)):
        now = seconds
        progress(done, 1000)
    assert shown(capsys) == [
        "rows: 100 of 1,000 finished (10 %), about 4m 30s left",  # 30 s * 900 / 100
        "rows: 301 of 1,000 finished (30 %), about 2m 22s left",  # 61 s * 699 / 301
        # The silence was longer than 10 minutes; 700 s * 640 / 360.
        "rows: 360 of 1,000 finished (36 %), about 20m 44s left",
    ]


@pytest.mark.parametrize(
    ("arguments", "quiet", "lines"),
    [([], False, 0), (["--progress", "on"], False, 11), (["--progress=on"], True, 11), ([], True, 0)],
)
def test_when_progress_is_shown(
    arguments: list[str], quiet: bool, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    invocation.begin("run", arguments)
    progress = ProgressBar(quiet)
    progress.begin("reading the export")
    for done in range(41):
        progress(done, 40)
    assert len(shown(capsys)) == lines


DRAWING = Running(2500.4, "drawing contours: 120 of 777 clusters")


@pytest.mark.parametrize(
    ("state", "now", "expected"),
    [
        (State("rows", began=5), 5.9, "starting"),
        (State("rows", "publishing the tables", began=5), 67, "publishing the tables, 1m 2s so far"),
        (
            State("bytes", "copying standard input", done=3_450_000, began=5),
            7,
            "copying standard input, 3.5 MB, 2s so far",
        ),
        (
            # A tenth took 2 s, so the rest takes 18 s.
            State("bytes", "reading", done=60_000_000, total=600_000_000, updated=2),
            2,
            "[##----------------------]  10 %  reading: 60 of 600 MB, about 18s left for this step",
        ),
        (
            State("rows", total=4000, began=5),
            8,
            "[------------------------]   0 %  0 of 4,000 rows, 3s so far",
        ),
        (
            # A quarter took 10 s, so the rest takes 30 s, of which 2 have passed.
            State("rows", done=1000, total=4000, marks=2500, updated=10),
            12,
            "[######------------------]  25 %  1,000 of 4,000 rows, 2,500 marks, about 28s left",
        ),
        (
            State("rows", done=1000, total=4000, marks=1, updated=10),
            99,
            "[######------------------]  25 %  1,000 of 4,000 rows, 1 mark",
        ),
        (
            # One part in a hundred says nothing about the others.
            State("rows", done=40, total=4000, marks=90, updated=10),
            10,
            "[------------------------]   1 %  40 of 4,000 rows, 90 marks",
        ),
        (
            # 2,500.4 of 4,000 took 10 s, so the rest takes 5.997 s.
            State("rows", total=4000, updated=10, running=DRAWING),
            10,
            "[###############---------]  62 %  drawing contours: 120 of 777 clusters, about 6s left",
        ),
        (
            # 3,500.4 of 4,000; some rows are finished, so their number is shown.
            State("rows", done=1000, total=4000, marks=2500, updated=10, running=DRAWING),
            10,
            "[#####################---]  87 %  1,000 of 4,000 rows, 2,500 marks, about 1s left",
        ),
        (
            State("rows", done=4000, total=4000, marks=9000, updated=10),
            10,
            "[########################] 100 %  4,000 of 4,000 rows, 9,000 marks",
        ),
    ],
)
def test_the_line_on_a_terminal(state: State, now: float, expected: str) -> None:
    state.update(state.updated)
    assert terminal_line(state, now, 110) == expected
    bar = re.compile(r"\[[#-]*\] ")
    parts = bar.sub("", expected).split(", ")
    for width in (20, 40, 60):
        narrow = terminal_line(state, now, width)
        assert len(narrow) <= width
        assert narrow.strip()
        # Whole parts, unless the first one is too long.
        assert set(bar.sub("", narrow).split(", ")) <= set(parts) or parts[0].startswith(narrow)


def test_a_narrow_terminal_shows_the_time_rather_than_the_marks() -> None:
    state = State("rows", done=1000, total=4000, marks=2500, updated=10)
    state.update(10)
    assert terminal_line(state, 12, 46) == " 25 %  1,000 of 4,000 rows, about 28s left"
    assert terminal_line(state, 12, 39) == " 25 %  1,000 of 4,000 rows"
    assert terminal_line(state, 12, 25) == " 25 %  1,000 of 4,000"


def test_what_is_reached_never_falls() -> None:
    state = State("rows", total=100)
    for rows, now, reached, updated in (
        (20.0, 1, 20, 1),
        (0.0, 2, 20, 1),
        (30.0, 3, 30, 3),
        (900.0, 4, 100, 4),
    ):
        state.running = Running(rows)
        state.update(now)
        assert (state.reached, state.updated) == (reached, updated)


def test_steps_and_running_tasks_are_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    invocation.begin("run", ["--progress", "on"])
    now, running = 0.0, Running()
    with ProgressBar(quiet=False, clock=lambda: now) as progress:
        progress.begin("reading the export", 50_000_000, "bytes")
        now = 2.0
        progress.advance(30_000_000)
        wait_for_line(capsys, "reading the export: 30 of 50 MB finished (60 %), about 1s left for this step")
        progress(0, 400)
        running = Running(0.0, "reading: 0 of 200 rows")
        progress.watch(lambda: running)
        progress(0, 400)
        now, running = 6.0, Running(100.0, "averaging: 3 of 9 clusters")
        # A quarter took 4 s.
        wait_for_line(capsys, "rows: 0 of 400 finished (25 %), averaging: 3 of 9 clusters, about 12s left")
        progress.begin("publishing the tables")
        running = Running(400.0, "too late")
        wait_for_line(capsys, "publishing the tables")
    assert "too late" not in capsys.readouterr().err


def wait_for_line(capsys: pytest.CaptureFixture[str], expected: str) -> None:
    lines: list[str] = []
    for _ in range(200):
        lines += shown(capsys)
        if expected in lines:
            return
        time.sleep(0.05)
    pytest.fail(f"{expected!r} is not in {lines}")


def test_the_start_of_the_workers_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    invocation.begin("run", ["--progress", "on"])
    now, running = 0.0, [Running()]
    progress = ProgressBar(quiet=False, clock=lambda: now)
    progress(0, 100)
    progress.watch(lambda: running[0])
    now, running[0] = 20.0, Running(0.0, "reading: 0 of 50 rows")
    progress(0, 100)
    now, running[0] = 22.0, Running(10.0, "comparing marks")
    progress(10, 100)
    # A fifth took 2 s.
    assert shown(capsys) == ["rows: 10 of 100 finished (20 %), about 8s left"]


def test_a_finished_task_does_not_count_twice(capsys: pytest.CaptureFixture[str]) -> None:
    invocation.begin("run", ["--progress", "on"])
    running = [Running(60.0)]
    progress = ProgressBar(quiet=False, clock=lambda: 0.0)
    progress(0, 100)
    progress.watch(lambda: running[0])
    progress(10, 100)
    running[0] = Running(0.0)
    progress(60, 100)
    progress(80, 100)
    assert shown(capsys) == [
        "rows: 10 of 100 finished (70 %)",
        "rows: 80 of 100 finished (80 %)",
    ]


def test_progress_off_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    invocation.begin("run", ["--progress", "off"])
    with ProgressBar(quiet=False) as progress:
        progress.begin("sorting the rows", 10)
        progress.advance(10)
        progress(10, 10)
        assert not [t for t in threading.enumerate() if t.name == "polyframe-progress"]
    assert capsys.readouterr().err == ""


def test_plain_functions_receive_the_rows() -> None:
    received: list[tuple[int, int]] = []
    progress = detailed(lambda done, total: received.append((done, total)))
    progress.begin("reading the export")
    progress.add_marks(5)
    progress(1, 2)
    assert received == [(1, 2)]
    assert isinstance(progress, DetailedProgress)
    assert detailed(progress) is progress
