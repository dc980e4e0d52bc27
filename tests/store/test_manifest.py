"""The manifest: written whole or not at all, read back unchanged, and clear messages for a damaged one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import polyframe as pf
from polyframe.core import atomic_files
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.store.manifest import (
    Manifest,
    PartitionRecord,
    StageRecord,
    earlier_manifest,
    new_manifest,
    part_records,
    read_manifest,
    table_parts,
    write_manifest,
)
from polyframe.store.output import MANIFEST
from polyframe.store.run_counts import Counts, accounting_of
from polyframe.store.stages import STAGE_TABLES, settings_of

SETTINGS = Settings(drawing_tasks=(DrawingTask("T0", (0, 2)),), eps=0.3)


def record(name: str, first: int | None, *stages: str) -> PartitionRecord:
    counts = Counts(rows_used=2, reasons={"frame_invalid": 1})
    places = "ab" * 16 if first else None
    records = {
        stage: StageRecord("01" * 16, places, counts, dict.fromkeys(STAGE_TABLES[stage], 5))
        for stage in stages
    }
    return PartitionRecord(name, first, "00ff" * 4, records)


#: Keys that may be missing.
OPTIONAL = ("schema_version", "engines", "drawings", "key_digest")
MERGED_RECORD = StageRecord("02" * 16, None, Counts(), {"volunteers": 5})
RECORDS = (record("00000", None, "extract", "reduce"), record("00001-01", 5, "extract", "reduce"))
MADE = new_manifest(
    SETTINGS,
    RECORDS,
    accounting_of({"rows_read": 4, "rows_used": 4}),
    sources=("é.csv",),
    versions=("3.1",),
    version_chosen_by="default",
    extraction=SETTINGS,
    last_subject=9,
    merged={"reduce": MERGED_RECORD, "contours": MERGED_RECORD},
    engines={"reduce": "shapely", "contours": "compiled"},
)


def test_a_manifest_is_read_back_unchanged(tmp_path: Path) -> None:
    write_manifest(tmp_path / MANIFEST, MADE)
    manifest = read_manifest(tmp_path)
    assert manifest == MADE
    assert manifest.partitions == RECORDS
    assert manifest.settings == SETTINGS
    assert settings_of(json.loads((tmp_path / MANIFEST).read_text("utf-8"))["settings"]) == SETTINGS
    assert manifest.stages == ("extract", "reduce")
    assert [entry.name for entry in tmp_path.iterdir()] == [MANIFEST]


def test_settings_of_the_machine_are_not_recorded() -> None:
    settings = msgspec.structs.asdict(MADE)["settings"]
    assert settings.jobs == Settings().jobs
    other = new_manifest(
        SETTINGS.replace({"jobs": 7, "engine": "shapely"}),
        RECORDS,
        MADE.accounting,
        sources=MADE.sources,
        versions=MADE.versions,
        version_chosen_by=MADE.version_chosen_by,
        extraction=SETTINGS.replace({"jobs": 7, "eps": 0.9}),
        last_subject=9,
        merged=MADE.merged,
        engines=MADE.engines,
    )
    assert other == MADE


def test_engines_are_those_of_the_stages_and_may_be_missing(tmp_path: Path) -> None:
    assert MADE.engines == {"reduce": "shapely"}
    content = MADE.to_dict()
    del content["engines"]
    (tmp_path / MANIFEST).write_text(json.dumps(content, default=msgspec.to_builtins))
    assert read_manifest(tmp_path).engines == {}


def test_each_partition_has_a_line(tmp_path: Path) -> None:
    write_manifest(tmp_path / MANIFEST, MADE)
    lines = (tmp_path / MANIFEST).read_text(encoding="utf-8").splitlines()
    assert [sum(name in line for line in lines) for name in ('"00000"', '"00001-01"')] == [1, 1]
    assert any("é.csv" in line for line in lines)


def test_table_parts_are_those_of_the_stages() -> None:
    for stage, tables in STAGE_TABLES.items():
        names = ["part-00000.parquet", "part-00001-01.parquet"] if stage != "contours" else []
        assert all(table_parts(MADE, table) == names for table in tables)
    assert table_parts(MADE, "volunteers") == ["part-00000.parquet"]
    assert part_records(MADE, "volunteers") == {"part-00000.parquet": MERGED_RECORD}
    assert list(part_records(MADE, "labels").values()) == [r.stages["reduce"] for r in RECORDS]


@pytest.mark.parametrize("name", [name for name in Manifest.__struct_fields__ if name not in OPTIONAL])
def test_a_missing_key_is_named(name: str, tmp_path: Path) -> None:
    short = {key: value for key, value in MADE.to_dict().items() if key != name}
    (tmp_path / MANIFEST).write_text(json.dumps(short, default=msgspec.to_builtins))
    with pytest.raises(
        pf.PolyframeError, match=rf"json: missing required field {name} \(damaged, or written by"
    ):
        read_manifest(tmp_path)
    assert earlier_manifest(tmp_path) is None


def test_a_manifest_of_an_earlier_checkout_is_said_to_be_one(tmp_path: Path) -> None:
    """It had a key that is unknown now, and lacked a setting."""
    content = msgspec.to_builtins(MADE.to_dict()) | {"has_large_subject": False}
    del content["settings"]["subtask_extractors"]
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    hint = r"unknown field has_large_subject \(damaged, or written by another version\); run `polyframe run`"
    with pytest.raises(pf.PolyframeError, match=hint):
        read_manifest(tmp_path)


PARTITION = msgspec.to_builtins(RECORDS[0])
DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another version": (lambda given: given | {"schema_version": 99}, "another version"),
    "an earlier version": (lambda _: {"schema_version": 1, "sources": []}, "another version"),
    "an engine of a stage without one": (
        lambda given: given | {"engines": {"extract": "shapely"}},
        "engines: 'extract' is not a stage with an engine",
    ),
    "an unknown engine": (
        lambda given: given | {"engines": {"reduce": "auto"}},
        r"engines\[...\]: invalid enum value 'auto'",
    ),
    "a list": (lambda given: [given], "another version"),
    "no merged tables": (
        lambda given: given | {"merged": {}},
        "merged: expected one size for each of volunteers",
    ),
    "merged tables of a stage without any": (
        lambda given: given | {"merged": given["merged"] | {"extract": given["merged"]["reduce"]}},
        "merged: expected one size for each of volunteers",
    ),
    "a number of partitions": (
        lambda given: given | {"partitions": 3},
        "partitions: expected array, got int",
    ),
    "partitions of strings": (lambda given: given | {"partitions": ["x"]}, r"partitions\[0\]"),
    "a partition without a name": (lambda given: given | {"partitions": [{}]}, r"partitions\[0\]: missing"),
    "a name that is a path": (
        lambda given: given | {"partitions": [PARTITION | {"name": "../00000"}]},
        r"partitions\[0\]\.name: expected str matching",
    ),
    "a name with a line feed": (
        lambda given: given | {"partitions": [PARTITION | {"name": "00000\n"}]},
        r"partitions\[0\]\.name: expected str matching",
    ),
    "a version that nobody chose": (
        lambda given: given | {"version_chosen_by": "me"},
        "version_chosen_by: invalid enum value 'me'",
    ),
    "a stage with more": (
        lambda given: given | {"partitions": [PARTITION | {"stages": {"extract": {"more": 1}}}]},
        r"partitions\[0\]\.stages.*unknown field more",
    ),
    "a stage that is missing": (
        lambda given: given | {"partitions": [PARTITION | {"stages": {}}]},
        r"partitions\[0\]\.stages: expected extract, reduce",
    ),
    "a number that is too large": (
        lambda given: given | {"last_subject": 10**400},
        "last_subject: expected int <= 9223372036854775807",
    ),
    "no counts": (lambda given: given | {"accounting": {}}, "accounting: missing required field"),
    "a fraction of rows": (
        lambda given: given | {"accounting": {"rows_read": 0.5}},
        "accounting.rows_read: expected int, got float",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_is_one_clear_line(damage: str, tmp_path: Path) -> None:
    change, message = DAMAGES[damage]
    (tmp_path / MANIFEST).write_text(json.dumps(change(MADE.to_dict()), default=msgspec.to_builtins))
    with pytest.raises(pf.PolyframeError, match=message) as caught:
        read_manifest(tmp_path)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert text.startswith(f"{tmp_path / MANIFEST}: ")
    assert text.endswith("`polyframe run`" if "another version" in message else "run `polyframe run` again")


BOMBS = {
    "empty": "",
    "an open brace": "{",
    "a null byte": "\x00",
    "a deep list": "[" * 100_000,
    "deep below a key": '{"schema_version": ' + "[" * 100_000,
    "deep below the settings": '{"schema_version": 3, "settings": ' + "[" * 100_000,
    "a long number": '{"schema_version": ' + "9" * 100_000 + "}",
    "not a number": '{"schema_version": NaN}',
    "bytes that are not UTF-8": '"\udc80"',
    "a name that is not UTF-8": '{"schema_version": 3, "polyframe_version": "\udc80"}',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_manifest_that_is_not_json_is_one_line(bomb: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(BOMBS[bomb].encode("utf-8", "surrogateescape"))
    with pytest.raises(
        pf.PolyframeError, match=r"polyframe\.json: (cannot be read|made by another)"
    ) as caught:
        read_manifest(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(pf.PolyframeError, match="no such directory"):
        read_manifest(tmp_path / "missing")
    with pytest.raises(
        pf.PolyframeError, match=r"not a polyframe output directory \(polyframe\.json is missing\)"
    ):
        read_manifest(tmp_path)
    assert earlier_manifest(tmp_path) is None


@pytest.mark.parametrize("fails", ["a full disk", "renaming"])
def test_a_failed_write_leaves_the_old_one(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(tmp_path / MANIFEST, MADE)
    if fails == "renaming":

        def refuse(_: Path, __: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", refuse)
    elif Path("/dev/full").exists():
        monkeypatch.setattr(atomic_files, "_create_empty", lambda path: path.symlink_to("/dev/full"))
    else:
        pytest.skip("needs /dev/full")
    with pytest.raises(pf.PolyframeError, match=r"polyframe\.json: cannot be written \(No space left"):
        write_manifest(tmp_path / MANIFEST, msgspec.structs.replace(MADE, versions=()))
    assert read_manifest(tmp_path) == MADE
    assert [entry.name for entry in tmp_path.iterdir()] == [MANIFEST]
