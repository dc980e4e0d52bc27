"""The files of an output directory have the names by which polyframe recognizes its own."""

from pathlib import Path

import pytest

from polyframe.core.tables import STORED_TABLES
from polyframe.store import foreign_files
from polyframe.store.foreign_files import is_part_name
from polyframe.store.output import Output, part_name, partition_of

OUTPUT = Output(Path("out"))


def in_work(path: Path) -> str:
    return path.relative_to(OUTPUT.work).as_posix()


@pytest.mark.parametrize("name", ["finished", "replaced", "started", "rows", "sources"])
def test_folders_of_a_run_are_recognized(name: str) -> None:
    assert foreign_files._FOLDERS.fullmatch(in_work(getattr(OUTPUT, name)))


@pytest.mark.parametrize("table", STORED_TABLES)
@pytest.mark.parametrize("partition", ["00000", "00012-03"])
def test_parts_are_recognized(table: str, partition: str) -> None:
    part, finished = OUTPUT.part(table, partition), OUTPUT.finished_part(table, partition)
    assert part == Path("out") / table / f"part-{partition}.parquet"
    assert is_part_name(part.name)
    assert foreign_files._FOLDERS.fullmatch(in_work(OUTPUT.finished_table(table)))
    assert foreign_files._FILES.fullmatch(in_work(finished))
    assert partition_of(finished.name) == partition_of(part_name(partition)) == partition


def test_the_lock_and_the_decision_are_recognized() -> None:
    assert all(foreign_files._FILES.fullmatch(in_work(path)) for path in (OUTPUT.lock, OUTPUT.decision))


def test_the_state_changes_with_the_manifest_and_the_decision(tmp_path: Path) -> None:
    output = Output(tmp_path)
    states = [output.state()]
    for path in (output.manifest, output.decision):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
        states.append(output.state())
    output.decision.replace(output.manifest)
    states.append(output.state())
    assert len(set(states)) == 4
    assert output.state() == states[-1]
