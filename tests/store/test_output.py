"""The files of an output have keys and names by which polyframe recognizes its own."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from polyframe.core.addresses import as_address
from polyframe.core.tables import STORED_TABLES
from polyframe.store import foreign_files
from polyframe.store.foreign_files import is_part_name
from polyframe.store.output import (
    WORK,
    Output,
    Work,
    manifest_key,
    number_of,
    part_key,
    part_name,
    partition_of,
)

OUTPUT = Output(Path("out"))
RUN = Work(OUTPUT, Path("out") / WORK)


@dataclass(frozen=True)
class Identity:
    fingerprint: str
    places: str | None


def in_work(path: Path) -> str:
    return path.relative_to(RUN.folder).as_posix()


@pytest.mark.parametrize("name", ["next", "replaced", "started", "rows", "sources"])
def test_folders_of_a_run_are_recognized(name: str) -> None:
    assert foreign_files._FOLDERS.fullmatch(in_work(getattr(RUN, name)))


@pytest.mark.parametrize("table", STORED_TABLES)
@pytest.mark.parametrize("partition", ["00000", "00012-03"])
def test_parts_are_recognized(table: str, partition: str) -> None:
    name = part_name(partition)
    assert name == f"part-{partition}.parquet"
    assert is_part_name(name)
    assert partition_of(name) == partition
    assert foreign_files._FOLDERS.fullmatch(in_work(RUN.next / table))
    assert foreign_files._FILES.fullmatch(in_work(RUN.next / table / name))


def test_the_lock_is_recognized() -> None:
    assert foreign_files._FILES.fullmatch(in_work(RUN.lock))


def test_parts_of_other_rows_settings_or_positions_have_other_keys() -> None:
    identities = [Identity("a", None), Identity("b", None), Identity("a", "p"), Identity("a", "q")]
    keys = {
        part_key(table, partition, identity)
        for table in ("labels", "groups")
        for partition in ("00000", "00000-00")
        for identity in identities
    }
    assert len(keys) == 16
    assert part_key("labels", "00003", Identity("ab", None)) == "parts/labels/part=00003/ab.parquet"
    assert part_key("labels", "00003", Identity("ab", "cd")) == "parts/labels/part=00003/ab-cd.parquet"


def test_manifests_in_the_order_of_their_keys_are_in_the_order_of_their_numbers() -> None:
    numbers = [1, 9, 10, 99, 100, 12_345_678]
    keys = [manifest_key(number) for number in numbers]
    assert keys == sorted(keys)
    assert [number_of(key) for key in keys] == numbers
    assert keys[0] == "manifests/00000001.json"


@pytest.mark.parametrize(
    "key",
    [
        "manifests/1.json",
        "manifests/.00000001.json.tmp",
        "manifests/00000001.json~",
        "manifests/a/00000001.json",
        "shards/00000001.json",
        "00000001.json",
    ],
)
def test_other_files_are_not_manifests(key: str) -> None:
    assert number_of(key) is None


def test_a_local_output_keeps_its_store_in_a_hidden_folder_and_a_bucket_has_nothing_else() -> None:
    assert OUTPUT.objects.place_of("manifests/a.json") == Path("out/.polyframe/manifests/a.json")
    assert OUTPUT.folder == Path("out")
    address = as_address("s3://bucket/project")
    assert address is not None
    in_bucket = Output(address)
    assert str(in_bucket.objects.place_of("manifests/a.json")) == "s3://bucket/project/manifests/a.json"
    assert in_bucket.folder is None
