"""Reports of a task: loops, nested ones too, say how much of a step is done."""

from pathlib import Path

import pytest

from polyframe.core import task_reports
from polyframe.core.task_reports import TaskReport, begin_step, in_pieces, read_report, reporting_to


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(task_reports, "_PAUSE", 0)
    path = tmp_path / "task"
    path.touch()
    return path


def test_without_a_file_a_loop_reports_nothing() -> None:
    begin_step("contours", 10)
    assert list(in_pieces([0, 3, 10], "contours")) == [(0, 3), (3, 10)]
    assert list(in_pieces([0], "contours")) == []


def test_a_loop_reports_the_pieces_that_are_finished(file: Path) -> None:
    assert read_report(file) is None
    with reporting_to(file):
        begin_step("contours", 10)
        pieces = in_pieces([10, 14, 14, 20], "contours")
        shares = [(piece, read_report(file)) for piece in pieces]
        assert read_report(file) == TaskReport("contours", 10, 1.0)
    assert shares == [
        ((10, 14), TaskReport("contours", 10, 0.0)),
        ((14, 14), TaskReport("contours", 10, 0.4)),
        ((14, 20), TaskReport("contours", 10, 0.4)),
    ]


def test_an_inner_loop_reports_its_share_of_the_piece(file: Path) -> None:
    with reporting_to(file):
        begin_step("averages", 4)
        shares = [
            read_report(file)
            for _ in in_pieces([0, 1, 4], "averages")
            for _ in in_pieces([0, 5, 10], "averages")
        ]
    assert [report and report.share for report in shares] == [0, 0.125, 0.25, 0.625]


def test_a_loop_of_another_step_and_an_earlier_share_report_nothing(file: Path) -> None:
    with reporting_to(file):
        begin_step("pairs", 8)
        assert list(in_pieces([0, 8], "contours")) == [(0, 8)]
        assert read_report(file) == TaskReport("pairs", 8, 0.0)
        for _ in in_pieces([0, 8], "pairs"):
            pass
        for _ in in_pieces([0, 4, 8], "pairs"):
            assert read_report(file) == TaskReport("pairs", 8, 1.0)
        # A loop that was left early has no effect on the next step.
        next(in_pieces([0, 4, 8], "pairs"))
        begin_step("rows")
        assert read_report(file) == TaskReport("rows", 0, 0.0)
        for _ in in_pieces([0, 1, 2], "rows"):
            pass
        assert read_report(file) == TaskReport("rows", 0, 1.0)


def test_reports_of_a_moment_ago_are_not_repeated(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_reports, "_PAUSE", 1000)
    with reporting_to(file):
        begin_step("pairs", 8)
        for _ in in_pieces([0, 4, 8], "pairs"):
            assert read_report(file) == TaskReport("pairs", 8, 0.0)


def test_a_missing_file_does_not_stop_the_work(file: Path) -> None:
    with reporting_to(file):
        file.unlink()
        begin_step("pairs", 8)
        assert len(list(in_pieces([0, 4, 8], "pairs"))) == 2
    assert read_report(file) is None
    assert not file.exists()
