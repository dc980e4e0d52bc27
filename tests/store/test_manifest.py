"""The manifest: written whole or not at all, read back as it was, and clear words where it cannot be used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import polyframe as pf
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.store import manifest as module
from polyframe.store.accounting import Accounting
from polyframe.store.manifest import (
    MANIFEST,
    PartitionRecord,
    StageRecord,
    earlier_manifest,
    manifest_of,
    partition_records,
    read_manifest,
    table_parts,
    write_manifest,
)
from polyframe.store.stages import STAGE_TABLES, settings_of

SETTINGS = Settings(drawing_tasks=(DrawingTask("T0", (0, 2)),), eps=0.3)
ORIGIN = {
    "sources": ["é.csv"],
    "versions": ["3.1"],
    "version_chosen_by": "default",
    "extraction": SETTINGS.affecting("extract"),
    "last_subject": 9,
}


def record(name: str, first: int | None, *stages: str) -> PartitionRecord:
    counts = {"rows_used": 2, "reasons": {"frame_invalid": 1}}
    places = "ab" * 16 if first else None
    made = {
        stage: StageRecord("01" * 16, places, counts, dict.fromkeys(STAGE_TABLES[stage], 5))
        for stage in stages
    }
    return PartitionRecord(name, first, "00ff" * 4, made)


RECORDS = [record("00000", None, "extract", "reduce"), record("00001-01", 5, "extract", "reduce")]
GIVEN = manifest_of(SETTINGS, RECORDS, Accounting(rows_read=4, rows_used=4), ORIGIN)


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    write_manifest(tmp_path / MANIFEST, GIVEN)
    found = read_manifest(tmp_path)
    assert found == GIVEN
    assert partition_records(found) == RECORDS
    assert settings_of(found["settings"]) == SETTINGS
    assert found["stages"] == ["extract", "reduce"]
    assert [entry.name for entry in tmp_path.iterdir()] == [MANIFEST]


def test_people_find_one_line_for_each_partition(tmp_path: Path) -> None:
    write_manifest(tmp_path / MANIFEST, GIVEN)
    lines = (tmp_path / MANIFEST).read_text(encoding="utf-8").splitlines()
    assert [sum(name in line for line in lines) for name in ('"00000"', '"00001-01"')] == [1, 1]
    assert any("é.csv" in line for line in lines)


def test_parts_are_named_for_the_stages_that_were_made() -> None:
    for stage, tables in STAGE_TABLES.items():
        names = ["part-00000.parquet", "part-00001-01.parquet"] if stage != "contours" else []
        assert all(table_parts(GIVEN, table) == names for table in tables)


@pytest.mark.parametrize("name", module._KEYS)
def test_a_key_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    short = {key: value for key, value in GIVEN.items() if key != name}
    (tmp_path / MANIFEST).write_text(json.dumps(short))
    with pytest.raises(pf.PolyframeError, match=rf"polyframe\.json: lacks '{name}'"):
        read_manifest(tmp_path)
    assert earlier_manifest(tmp_path) is None


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another version": (lambda given: given | {"schema_version": 99}, "another version"),
    "a list": (lambda given: [given], "another version"),
    "no list of partitions": (lambda given: given | {"partitions": 3}, "'partitions' is 3"),
    "partitions of text": (lambda given: given | {"partitions": ["x"]}, "partition 0"),
    "a partition without a name": (lambda given: given | {"partitions": [{}]}, "partition 0"),
    "a name that is a path": (
        lambda given: given | {"partitions": [RECORDS[0].plain() | {"name": "../00000"}]},
        "partition 0: its name",
    ),
    "a version that was chosen by nobody": (
        lambda given: given | {"version_chosen_by": "me"},
        "'version_chosen_by' is 'me', expected one of user, default, newest",
    ),
    "a stage with more": (
        lambda given: given | {"partitions": [RECORDS[0].plain() | {"stages": {"extract": {"more": 1}}}]},
        "partition 00000: its stages",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_manifest_that_cannot_be_used(damage: str, tmp_path: Path) -> None:
    change, message = DAMAGES[damage]
    (tmp_path / MANIFEST).write_text(json.dumps(change(GIVEN)))
    with pytest.raises(pf.PolyframeError, match=message):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000, '"\udc80"'])
def test_a_manifest_that_is_no_json(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(pf.PolyframeError, match=r"polyframe\.json: (cannot be read|made by another)"):
        read_manifest(tmp_path)


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(pf.PolyframeError, match="no such directory"):
        read_manifest(tmp_path / "missing")
    with pytest.raises(pf.PolyframeError, match=r"no output of polyframe \(polyframe\.json is missing\)"):
        read_manifest(tmp_path)
    assert earlier_manifest(tmp_path) is None


@pytest.mark.parametrize("fails", ["a full disk", "renaming"])
def test_a_failed_write_leaves_the_old_one(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(tmp_path / MANIFEST, GIVEN)
    if fails == "renaming":

        def refuse(_: Path, __: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module, "replace_durably", refuse)
    elif Path("/dev/full").exists():
        (tmp_path / f".{MANIFEST}.tmp").symlink_to("/dev/full")
    else:
        pytest.skip("needs /dev/full")
    with pytest.raises(pf.PolyframeError, match=r"polyframe\.json: cannot be written \(No space left"):
        write_manifest(tmp_path / MANIFEST, GIVEN | {"stages": []})
    assert read_manifest(tmp_path) == GIVEN
    assert [entry.name for entry in tmp_path.iterdir()] == [MANIFEST]
