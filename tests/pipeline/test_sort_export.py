"""Exports sorted in one level and in two, by the workers of this machine: the same bytes."""

from pathlib import Path
from typing import Any

import pytest
from run_processes import ENGINE, PARTITION_BYTES, outcome, part_files, small_export, start
from stores import leftovers

import polyframe as pf
from polyframe.pipeline import plan, sort_export


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export with eleven partitions of two subjects."""
    monkeypatch.setattr(plan, "_MEGABYTE", 2 * PARTITION_BYTES)
    return small_export(tmp_path / "export.csv", 22)


@pytest.mark.parametrize("jobs", [1, 2])
def test_two_levels_give_the_bytes_of_one(
    jobs: int, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    one = pf.run(export, whole, engine="shapely", jobs=1)
    numbers: list[list[int]] = []
    original = sort_export.sort_super_partitions

    def record(*arguments: Any) -> Any:
        done = original(*arguments)
        numbers.append(done.ranges.tolist())
        return done

    monkeypatch.setattr(sort_export, "sort_super_partitions", record)
    monkeypatch.setattr(sort_export, "MOST_PIECES_ON_DISK", 10)
    two = pf.run(export, out, engine="shapely", jobs=jobs)
    assert one.made == two.made == 11
    assert numbers == [list(range(11))]
    assert part_files(out) == part_files(whole)
    assert leftovers(out) == []
    # A volunteer of the third subject and one of the twentieth disappear: only their partitions are sorted.
    lines = export.read_text().splitlines(keepends=True)
    del lines[5 * 20], lines[5 * 3]
    export.write_text("".join(lines))
    monkeypatch.setattr(sort_export, "MOST_PIECES_ON_DISK", 1)
    assert pf.run(export, out, engine="shapely", jobs=jobs).made == 2
    assert numbers[1:] == [[1, 9]]


def test_a_worker_that_dies_in_the_second_level(export: Path, tmp_path: Path) -> None:
    once, out = tmp_path / "once", tmp_path / "out"
    once.mkdir()
    pf.run(export, tmp_path / "whole", engine="shapely", jobs=1)
    code, errors = outcome(
        start(
            *("run", export, "-o", out, *ENGINE, "--jobs", 2),
            partition_bytes=2 * PARTITION_BYTES,
            backend="loky",
            most_pieces=10,
            kill_sorter=["second"],
            once=str(once),
        )
    )
    assert code == 0, errors
    assert [path.name for path in once.iterdir()] == ["second"]
    assert part_files(out) == part_files(tmp_path / "whole")
    assert leftovers(out) == []
