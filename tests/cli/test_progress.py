"""Progress of a run: what a terminal and a log show, with a clock that the tests set."""

import re

import pytest

from polyframe.cli import invocation
from polyframe.cli.progress import ProgressBar, State, terminal_line
from polyframe.core.callbacks import DetailedProgress, detailed


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


@pytest.mark.parametrize(
    ("state", "now", "expected"),
    [
        (State("rows", began=5), 5.9, "starting"),
        (State("rows", "reading the export", began=5), 67, "reading the export, 1m 2s so far"),
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
            State("rows", done=4000, total=4000, marks=9000, updated=10),
            10,
            "[########################] 100 %  4,000 of 4,000 rows, 9,000 marks",
        ),
        (State("rows", "publishing the tables", 4000, 4000, 9000, 10, 10), 10, "publishing the tables"),
    ],
)
def test_the_line_on_a_terminal(state: State, now: float, expected: str) -> None:
    assert terminal_line(state, now, 99) == expected
    for width in (20, 40, 60):
        narrow = terminal_line(state, now, width)
        assert len(narrow) <= width
        assert narrow.strip()
        assert narrow in expected


def test_plain_functions_receive_the_rows() -> None:
    received: list[tuple[int, int]] = []
    progress = detailed(lambda done, total: received.append((done, total)))
    progress.begin("reading the export")
    progress.add_marks(5)
    progress(1, 2)
    assert received == [(1, 2)]
    assert isinstance(progress, DetailedProgress)
    assert detailed(progress) is progress
