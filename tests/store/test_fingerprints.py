"""Fingerprints change with everything that matters to a table, and with nothing else."""

import dataclasses
import hashlib
import json
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest

from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.setting_fields import Affects
from polyframe.core.settings import Settings
from polyframe.core.table_schema import Column
from polyframe.core.tables import CONTOURS, STORED_TABLES
from polyframe.store import fingerprints
from polyframe.store.fingerprints import (
    columns_digest,
    digest_of_key,
    fingerprints_by_content,
    places_fingerprint,
    stage_fingerprints,
)
from polyframe.store.stages import ENGINE_STAGES, STAGE_TABLES, stage_settings

#: Another valid value for every setting; a new setting must be added here.
OTHER: dict[str, Any] = {
    "workflow_id": 8,
    "workflow_version": "4..13.19",
    "drawing_tasks": (DrawingTask("T0"),),
    "task": ("T0",),
    "tool": (1,),
    "bezier_tool": ("T0:1",),
    "duplicate_marks": "keep",
    "volunteers": "drop",
    "visitors": "name",
    "filter": "last",
    "exclude_volunteers": ("hmac-sha256:" + "0" * 32,),
    "gold_standard": "exclude",
    "average_type": "union",
    "eps": 0.4,
    "min_samples": 3,
    "cluster_method": "hdbscan",
    "split": "doubled",
    "min_threshold": 0.1,
    "contour_method": "raster",
    "num_grid_points": 50,
    "smoothing": "rounded",
    "max_levels": 9,
    "collab": True,
    "step_key": "S1",
    "task_index": 1,
    "tool_type": "polygon",
    "subtask_extractors": ("T0_tool0_subtask0=text_extractor",),
    "engine": "shapely",
    "jobs": 3,
    "partition_size": 9,
    "max_shrink": 0.9,
    "keep_versions": 3,
}
#: The stages whose fingerprints a setting changes, by the `affects` of the setting.
CHANGED: dict[str, set[str]] = {
    "extract": {"extract", "reduce", "contours"},
    "reduce": {"reduce", "contours"},
    "contours": {"contours"},
    "carried": set(),
    "run": set(),
}
FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def changed(one: Settings, other: Settings) -> set[str]:
    before, after = (stage_fingerprints("0" * 16, settings) for settings in (one, other))
    assert set(before) == set(after) == set(STAGE_TABLES)
    return {stage for stage in before if before[stage] != after[stage]}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if isinstance(field.default, float)])
def test_equal_numbers_have_the_same_fingerprint(name: str) -> None:
    ones = [Settings(**{name: value}) for value in (1, 1.0, np.float64(1))]
    assert [repr(getattr(settings, name)) for settings in ones] == ["1.0"] * 3
    assert not changed(ones[0], ones[1]) | changed(ones[1], ones[2])


def test_zero_has_no_sign() -> None:
    assert not changed(Settings(min_threshold=-0.0), Settings(min_threshold=0.0))


def test_every_setting_is_covered() -> None:
    assert set(OTHER) == set(FIELDS)
    assert set(CHANGED) == set(get_args(Affects))


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_changes_the_stages_that_it_affects(name: str) -> None:
    expected = CHANGED[FIELDS[name].metadata["affects"]]
    if name == "engine":
        # Decided by then; `auto` stands for an engine that was not recorded.
        expected = set(ENGINE_STAGES)
    if name == "average_type":
        # Contours are made from clusters, not from averages.
        expected = {"reduce"}
    choices = FIELDS[name].metadata["choices"]
    others = [value for value in choices or [OTHER[name]] if value != FIELDS[name].default]
    assert others
    for value in others:
        assert changed(Settings(), Settings().replace({name: value})) == expected


@pytest.mark.parametrize(
    "task", [DrawingTask("T1"), DrawingTask("T0", (0,)), DrawingTask("T0", kind="bezier")], ids=str
)
def test_every_part_of_a_drawing_task_matters(task: DrawingTask) -> None:
    one, other = (Settings(drawing_tasks=(which,)) for which in (DrawingTask("T0"), task))
    assert changed(one, other) == set(STAGE_TABLES)


def test_stages_and_rows_have_different_fingerprints() -> None:
    one, other = (stage_fingerprints(content, Settings()) for content in ("0" * 16, "1" * 16))
    digests = [*one.values(), *other.values()]
    assert len(set(digests)) == 2 * len(STAGE_TABLES)
    assert all(len(digest) == 32 and int(digest, 16) >= 0 for digest in digests)
    assert stage_fingerprints("0" * 16, Settings()) == one
    for settings in (Settings(), Settings(engine="compiled", eps=0.3, exclude_volunteers=("ada", 'b",["c'))):
        of_content = fingerprints_by_content(settings, "key")
        for content in ("0" * 16, "1" * 16, ""):
            assert of_content(content) == stage_fingerprints(content, settings, "key")
            # A part of an earlier run stays up to date: this is how its fingerprint was computed.
            whole = [
                *fingerprints._MADE_BY,
                columns_digest(),
                "extract",
                content,
                "key",
                stage_settings(settings, "extract"),
            ]
            text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
            digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
            assert of_content(content)["extract"] == digest


@pytest.mark.parametrize("place", range(len(fingerprints._MADE_BY)))
def test_another_program_changes_all_fingerprints(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage_fingerprints("0" * 16, Settings())
    made_by = list(fingerprints._MADE_BY)
    made_by[place] = "other"
    monkeypatch.setattr(fingerprints, "_MADE_BY", tuple(made_by))
    after = stage_fingerprints("0" * 16, Settings())
    assert all(before[stage] != after[stage] for stage in STAGE_TABLES)


def test_another_column_changes_all_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage_fingerprints("0" * 16, Settings())
    more = dataclasses.replace(CONTOURS, columns=(*CONTOURS.columns, Column("new", pl.Int32, "a new column")))
    other = dataclasses.replace(
        CONTOURS, columns=(Column("workflow_id", pl.Int32, ""), *CONTOURS.columns[1:])
    )
    nullable = dataclasses.replace(
        CONTOURS,
        columns=(dataclasses.replace(CONTOURS.columns[0], nullable=True), *CONTOURS.columns[1:]),
    )
    for table in (more, other, nullable):
        monkeypatch.setattr(fingerprints, "STORED_TABLES", {**STORED_TABLES, "contours": table})
        columns_digest.cache_clear()
        after = stage_fingerprints("0" * 16, Settings())
        assert all(before[stage] != after[stage] for stage in STAGE_TABLES)
    columns_digest.cache_clear()


def test_places_depend_on_file_names_only_if_there_are_several_files() -> None:
    assert places_fingerprint("0", ("a.csv",)) == places_fingerprint("0", ("b.csv",))
    assert places_fingerprint("0", ("a.csv",)) != places_fingerprint("1", ("a.csv",))
    several = [places_fingerprint("0", names) for names in (("a",), ("a", "b"), ("b", "a"), ("a", "c"))]
    assert len(set(several)) == 4


def test_another_secret_changes_all_fingerprints() -> None:
    digests = [digest_of_key(key) for key in (b"", b"secret", b"other")]
    assert digests[0] is None
    found = [stage_fingerprints("0" * 16, Settings(), digest) for digest in digests]
    assert all(len({one[stage] for one in found}) == 3 for stage in STAGE_TABLES)
