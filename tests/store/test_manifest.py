"""The manifest: what it records of settings, engines and parts."""

import msgspec
import pytest
from small_manifest import MADE, MERGED_RECORD, RECORDS, SETTINGS, record

from polyframe.core.settings import Settings
from polyframe.store.manifest import new_manifest, part_records
from polyframe.store.stages import STAGE_TABLES


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


def test_engines_are_those_of_the_stages() -> None:
    assert MADE.engines == {"reduce": "shapely"}


def test_part_records_are_those_of_the_stages() -> None:
    for stage, tables in STAGE_TABLES.items():
        records = {} if stage == "contours" else {r.name: r.stages[stage] for r in RECORDS}
        assert all(part_records(MADE, table) == records for table in tables)
    assert part_records(MADE, "volunteers") == {"00000": MERGED_RECORD}


def test_rows_are_those_of_all_tables_of_a_stage_or_unknown() -> None:
    first = RECORDS[0]
    one, *others = STAGE_TABLES["extract"]
    for rows, is_valid in (
        ({}, True),
        (dict.fromkeys([one, *others], 3), True),
        ({one: 3}, False),
        (dict.fromkeys([one, "labels"], 3), False),
    ):
        stage = msgspec.structs.replace(first.stages["extract"], rows=rows)
        changed = msgspec.structs.replace(first, stages={**first.stages, "extract": stage})
        if is_valid:
            assert msgspec.structs.replace(MADE, partitions=(changed, *RECORDS[1:])).partitions[0] == changed
            continue
        with pytest.raises(
            (ValueError, msgspec.ValidationError),
            match=r"partitions\[0\]\.stages\.extract\.rows: expected a number",
        ):
            msgspec.convert(
                msgspec.to_builtins(MADE)
                | {"partitions": [msgspec.to_builtins(changed), *map(msgspec.to_builtins, RECORDS[1:])]},
                type(MADE),
            )


def test_partitions_are_in_the_order_of_names_and_subjects() -> None:
    first, second = RECORDS
    for name, subject, problem in (
        ("00000", 5, "not in the order of their names"),
        ("00002", 5, "is not above"),
    ):
        third = record(name, subject, "extract", "reduce")
        with pytest.raises(ValueError, match=problem):
            new_manifest(
                SETTINGS,
                (first, second, third),
                MADE.accounting,
                sources=("a.csv",),
                versions=("3.1",),
                version_chosen_by="default",
                extraction=SETTINGS,
                last_subject=9,
                merged=MADE.merged,
            )
