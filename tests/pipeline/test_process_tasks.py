"""Partitions whose workers die: the parts of their pieces are joined, or a subject is named at the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports import drawing, export_row, export_text, square
from losing_executor import LosingExecutor
from run_processes import part_files

import polyframe as pf
from polyframe.pipeline import plan, run

#: About seven subjects fit into eight times this size.
PARTITION_BYTES = 4_000


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty subjects with repeats, rejects of all stages, rows without a subject, and several tools."""
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    rows = []
    for subject in range(1, 21):
        for volunteer, shift in enumerate((0, 1, 2, 4, 50)):
            marks = [square(shift, 0), square(shift, 100, toolIndex=subject % 4)]
            if subject == 3:
                marks.append(square(shift, 100, pathX="?"))
            number = 10 * subject + volunteer
            cells = {"user_name": f"v{volunteer}", "subject_ids": subject}
            rows.append(export_row(number, drawing(*marks), **cells))
        rows.append(export_row(10 * subject + 5, drawing(square(0, 0)), user_name="v1", subject_ids=subject))
        rows.append(export_row(10 * subject + 6, drawing(task="T5"), subject_ids=subject))
    rows.append(export_row(11, drawing(square(0, 0)), user_name="v1", subject_ids=1))
    rows.append(export_row(151, drawing(square(0, 0)), user_name="v1", subject_ids=15))
    rows += [export_row(800 + k, "?", subject_ids="none") for k in range(3)]
    path = tmp_path / "export.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LosingExecutor]:
    """Return a function that makes all later runs lose the workers of some partitions."""

    def lose(*patterns: str) -> LosingExecutor:
        executor = LosingExecutor(patterns)
        monkeypatch.setattr(run, "open_executor", lambda *_, **__: executor)
        return executor

    return lose


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tool": 2},
        {"filter": "all", "exclude_volunteers": ["v3", "nobody"], "average_type": "union"},
        {"volunteers": "hash", "contours": False},
        {"volunteers": "drop", "task": "T0"},
    ],
)
def test_joined_pieces_have_the_bytes_of_an_undisturbed_run(
    options: dict[str, Any],
    export: Path,
    tmp_path: Path,
    lose: Callable[..., LosingExecutor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POLYFRAME_VOLUNTEERS_KEY", "secret")
    pf.run(export, tmp_path / "whole", engine="shapely", jobs=1, **options)
    executor = lose("00000", "00000-01", "00001", "00001-00", "00001-00-00")
    notes: list[str] = []
    summary = pf.run(export, tmp_path / "split", engine="shapely", say=notes.append, **options)
    assert "00001-00-00-01" in executor.names
    assert summary.made == summary.partitions == 3
    assert part_files(tmp_path / "split") == part_files(tmp_path / "whole")
    assert len([note for note in notes if "the worker died again: splitting partition" in note]) == 5


def test_a_subject_that_always_kills_its_worker_is_named(
    export: Path, tmp_path: Path, lose: Callable[..., LosingExecutor]
) -> None:
    out = tmp_path / "out"
    pf.run(export, tmp_path / "whole", engine="shapely", jobs=1)
    executor = lose("00000", "00001", "00001-*")
    with pytest.raises(pf.PolyframeError) as raised:
        pf.run(export, out, engine="shapely")
    message = str(raised.value)
    assert message.startswith("partition 00001-00")
    assert "its worker died every time, most likely for lack of memory: free memory, or try " in message
    assert raised.value.__notes__ == [
        "2 of 3 partitions are finished and kept; run the same command to continue"
    ]
    # The others were finished first, and no part of a piece is left.
    assert executor.names.index("00002") < executor.names.index("00001-00")
    assert {path.parent.name for path in out.rglob("*.parquet")} == {"part=00000", "part=00002"}
    lose()
    assert pf.run(export, out, engine="shapely").made == 1
    assert part_files(out) == part_files(tmp_path / "whole")


def test_partitions_of_extractions_are_not_split(
    export: Path, tmp_path: Path, lose: Callable[..., LosingExecutor]
) -> None:
    out = tmp_path / "out"
    pf.extract(export, output=out, engine="shapely", jobs=1)
    lose("00001")
    with pytest.raises(pf.PolyframeError, match=r"^partition 00001 \(.*\): its worker died every time"):
        pf.reduce(out, output=out, engine="shapely")
