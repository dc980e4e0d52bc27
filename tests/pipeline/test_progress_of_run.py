"""What a run reports while it works: bytes, rows, and how far its tasks have come."""

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import drawing, export_row, export_text, square
from terminal import on_terminal

import polyframe as pf
from polyframe.core import task_reports
from polyframe.core.callbacks import DetailedProgress, Running, no_progress
from polyframe.synthetic import SynthOptions, write_export

TEXT = export_text(
    export_row(n, drawing(square(n % 5, 0)), subject_ids=n % 9, workflow_version="3.1" if n % 4 else "2.1")
    for n in range(400)
)


class Recorder(DetailedProgress):
    """Remembers each step with its total, its unit and what was done."""

    def __init__(self) -> None:
        super().__init__(no_progress)
        self.steps: list[tuple[str, int, str, int]] = []
        self.rows: list[tuple[int, int]] = []

    def begin(self, step: str, total: int = 0, unit: str = "rows") -> None:
        self.steps.append((step, total, unit, 0))

    def advance(self, number: int) -> None:
        *step, done = self.steps[-1]
        self.steps[-1] = (*step, done + number)  # type: ignore[assignment]

    def __call__(self, done: int, total: int) -> None:
        self.rows.append((done, total))


def steps_of_run(source: object, output: Path) -> list[tuple[str, int, str, int]]:
    progress = Recorder()
    pf.run(source, output, say=lambda _: None, progress=progress, engine="shapely")  # type: ignore[arg-type]
    assert progress.rows == [(0, 300), (300, 300)]
    return progress.steps


def test_reading_and_sorting_are_counted_to_the_end(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.csv", tmp_path / "packed.csv.gz"
    plain.write_text(TEXT)
    packed.write_bytes(gzip.compress(TEXT.encode()))
    for path in (plain, packed):
        size = path.stat().st_size
        assert steps_of_run(path, tmp_path / path.stem) == [
            ("reading the export", size, "bytes", size),
            ("counting the rows", 400, "rows", 400),
            ("sorting the rows", 300, "rows", 300),
            ("preparing the work", 0, "rows", 0),
            ("publishing the tables", 0, "rows", 0),
        ]
    # Nothing to sort, since all parts are up to date.
    progress = Recorder()
    pf.run(plain, tmp_path / "plain", say=lambda _: None, progress=progress, engine="shapely")
    assert [(step, done) for step, _, _, done in progress.steps if step == "sorting the rows"] == [
        ("sorting the rows", 0)
    ]


def test_several_files_and_a_repair_are_counted(tmp_path: Path) -> None:
    lines = TEXT.splitlines(keepends=True)
    good, bad, last = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    good.write_text("".join(lines[:101]))
    # An unclosed quote in a line of its own.
    bad.write_text("".join([lines[0], *lines[101:201], '"\n', *lines[201:301]]))
    last.write_text("".join([lines[0], *lines[301:]]))
    progress = Recorder()
    pf.run([good, bad, last], tmp_path / "out", say=lambda _: None, progress=progress, engine="shapely")
    sizes = [path.stat().st_size for path in (good, bad, last)]
    assert progress.steps[:4] == [
        ("reading the export", sum(sizes), "bytes", sizes[0] + sizes[1]),
        ("reading the export line by line", sizes[1], "bytes", sizes[1]),
        ("reading the export", sizes[2], "bytes", sizes[2]),
        # Nobody knows yet how many rows the repaired file has.
        ("counting the rows", 0, "rows", 401),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_copied_first(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text(TEXT)
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(TEXT.encode()[:60_000])
    size = 60_000
    path = Path(f"/dev/fd/{reader}")
    progress = Recorder()
    pf.run(path, tmp_path / "out", say=lambda _: None, progress=progress, engine="shapely")
    assert progress.steps[:2] == [
        (f"copying {path}", 0, "bytes", size),
        ("reading the export", size, "bytes", size),
    ]


def test_a_frame_has_rows_but_no_bytes(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text(TEXT)
    steps = steps_of_run(pl.read_csv(plain, infer_schema=False), tmp_path / "out")
    assert steps[:2] == [("reading the export", 0, "bytes", 0), ("counting the rows", 400, "rows", 400)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_tasks_report_while_they_run(jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each report that is written is read at once, as the thread that draws the line does it."""
    monkeypatch.setattr(task_reports, "_PAUSE", 0)
    seen: list[Running] = []
    progress = Recorder()
    watched: list[Callable[[], Running]] = []
    progress.watch = watched.append  # type: ignore[method-assign]
    write = task_reports._Task.write

    def write_and_read(task: task_reports._Task, now: float) -> None:
        write(task, now)
        if watched:
            seen.append(watched[0]())

    monkeypatch.setattr(task_reports._Task, "write", write_and_read)
    options = SynthOptions(subjects=6, volunteers=8, old_share=0.0, frames=1, seed=4)
    export = write_export(tmp_path / "a.csv", options)
    pf.run(
        tmp_path / "a.csv",
        tmp_path / "out",
        say=lambda _: None,
        progress=progress,
        engine="shapely",
        jobs=jobs,
    )
    rows = [running.rows for running in seen]
    assert rows == sorted(rows)
    assert 0 <= rows[0] < rows[-1] < export.rows
    doing = [running.doing for running in seen]
    for text in ("reading: 0 of", "extracting marks: 0 of", "checking outlines", "writing extractions"):
        assert any(one.startswith(text) for one in doing), text
    for text in ("comparing marks", "averaging", "drawing contours"):
        counts = [re.fullmatch(rf"{text}: ([\d,]+) of ([\d,]+) \w+", one) for one in doing]
        done, totals = zip(*(count.groups() for count in counts if count), strict=True)
        assert done[0] == "0"
        assert done[-1] == totals[-1]
    # No file is left that says that a task runs.
    assert watched[0]() == Running()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs pseudo-terminals")
def test_a_terminal_shows_how_far_a_single_partition_is(tmp_path: Path) -> None:
    options = SynthOptions(subjects=60, volunteers=20, old_share=0.0, frames=1, seed=4)
    write_export(tmp_path / "a.csv", options)
    code, text = on_terminal(
        "run", tmp_path / "a.csv", "-o", tmp_path / "out", "--partition-size", "1000", "--engine", "shapely"
    )
    assert code == 0
    drawn = text.partition("rows read")[0].split("\r")
    counted = [re.search(r"drawing contours: ([\d,]+) of ([\d,]+) clusters", line) for line in drawn]
    numbers = [int(found[1].replace(",", "")) for found in counted if found]
    assert len(set(numbers)) > 2
    assert numbers == sorted(numbers)
    shares = [int(found[1]) for line in drawn if (found := re.search(r"(\d+) %  [a-z ]+: .*clusters", line))]
    assert shares == sorted(shares)
    assert any("left" in line for line in drawn)
    # The line is erased before the summary.
    assert not drawn[-1]
    assert not drawn[-2].strip()
