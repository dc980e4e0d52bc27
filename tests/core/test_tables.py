"""The tables: names, columns, types and sort keys are those of the design."""

import re

import polars as pl
import pytest

from polyframe.core.table_schema import TIMESTAMP
from polyframe.core.tables import PUBLIC_TABLES, STORED_TABLES, TABLES

GROUP = {
    "workflow_id": pl.Int64,
    "subject_id": pl.Int64,
    "task": pl.String,
    "frame": pl.Int32,
    "tool": pl.String,
}
MARK = {
    "classification_id": pl.Int64,
    "mark_index": pl.Int32,
    "created_at": TIMESTAMP,
}
PERSON = {"volunteer": pl.String, "user_name": pl.String}
POINTS = pl.List(pl.Float64)
EXPECTED = {
    "classifications": {
        "workflow_id": pl.Int64,
        "subject_id": pl.Int64,
        "classification_id": pl.Int64,
        "created_at": TIMESTAMP,
        **PERSON,
        "user_id": pl.Int64,
        "workflow_version": pl.String,
        "gold_standard": pl.Boolean,
        "n_marks": pl.Int32,
        "image_width": pl.Int32,
        "image_height": pl.Int32,
    },
    "extractions": {
        **GROUP,
        **MARK,
        **PERSON,
        "user_id": pl.Int64,
        "tool_type": pl.String,
        "gold_standard": pl.Boolean,
        "x": POINTS,
        "y": POINTS,
        "details": pl.String,
    },
    "groups": {
        **GROUP,
        "n_classifications": pl.Int32,
        "n_marks": pl.Int32,
        "n_clusters": pl.Int32,
        "n_outliers": pl.Int32,
    },
    "labels": {
        **GROUP,
        **MARK,
        "user_name": pl.String,
        "cluster_label": pl.Int32,
        "volunteer": pl.String,
        "iou_others": pl.Float64,
    },
    "reductions": {
        **GROUP,
        "cluster_label": pl.Int32,
        "clusters_count": pl.Int32,
        "n_classifications": pl.Int32,
        "threshold": pl.Float64,
        "consensus": pl.Float64,
        "average_type": pl.String,
        "area": pl.Float64,
        "clusters_x": POINTS,
        "clusters_y": POINTS,
        "geometry": pl.Binary,
        "details_votes": pl.String,
        "expected_iou": pl.Float64,
        "area_low": pl.Float64,
        "area_high": pl.Float64,
        "classifications_needed": pl.Int32,
    },
    "subjects": {
        "workflow_id": pl.Int64,
        "subject_id": pl.Int64,
        "n_classifications": pl.Int32,
        "n_volunteers": pl.Int32,
        "n_marks": pl.Int32,
        "n_clusters": pl.Int32,
        "n_outliers": pl.Int32,
        "consensus_min": pl.Float64,
        "consensus_mean": pl.Float64,
        "expected_iou_min": pl.Float64,
        "classifications_needed": pl.Int32,
    },
    "volunteers": {
        "workflow_id": pl.Int64,
        **PERSON,
        "n_classifications": pl.Int64,
        "n_marks": pl.Int64,
        "n_outliers": pl.Int64,
        "n_judged": pl.Int64,
        "n_confirmed": pl.Int64,
        "precision": pl.Float64,
        "n_expected": pl.Int64,
        "n_drawn": pl.Int64,
        "recall": pl.Float64,
        "iou": pl.Float64,
        "score": pl.Float64,
    },
    "contours": {
        **GROUP,
        "cluster_label": pl.Int32,
        "clusters_count": pl.Int32,
        "consensus": pl.Float64,
        "number_of_contours": pl.Int32,
        "contours_x": pl.List(POINTS),
        "contours_y": pl.List(POINTS),
        "contours_area": POINTS,
        "contours_level": pl.List(pl.Int32),
        "geometry": pl.Binary,
    },
    "rejects": {
        "classification_id": pl.Int64,
        "subject_id": pl.Int64,
        "mark_index": pl.Int32,
        "stage": pl.String,
        "reason": pl.String,
        "detail": pl.String,
    },
    "corrections": {
        **GROUP,
        "cluster_label": pl.Int32,
        "members": pl.String,
        "corrected_by": pl.String,
        "corrected_at": TIMESTAMP,
        "geometry": pl.Binary,
    },
}
SORTED_BY = {
    "extractions": (*GROUP, "created_at", "classification_id", "mark_index"),
    "labels": (*GROUP, "created_at", "classification_id", "mark_index"),
    "groups": tuple(GROUP),
    "reductions": (*GROUP, "cluster_label"),
    "contours": (*GROUP, "cluster_label"),
    "subjects": ("workflow_id", "subject_id"),
    "volunteers": ("workflow_id", "volunteer"),
    "corrections": (*GROUP, "cluster_label", "members"),
}


def test_every_table_is_defined() -> None:
    assert set(PUBLIC_TABLES) == set(EXPECTED)
    assert set(TABLES) == set(EXPECTED) - {"corrections"}


@pytest.mark.parametrize("name", EXPECTED)
def test_columns_and_types(name: str) -> None:
    assert list(PUBLIC_TABLES[name].schema.items()) == list(pl.Schema(EXPECTED[name]).items())


@pytest.mark.parametrize("name", SORTED_BY)
def test_sort_keys(name: str) -> None:
    assert PUBLIC_TABLES[name].sort_by == SORTED_BY[name]


def test_conform_selects_casts_and_sorts_with_missing_first() -> None:
    frame = pl.DataFrame(
        {
            "detail": ["b", "a", "c"],
            "subject_id": [2, None, 1],
            "classification_id": [1, 2, 3],
            "mark_index": [0, 0, 0],
            "stage": ["read"] * 3,
            "reason": ["r"] * 3,
            "more": [1, 2, 3],
        }
    )
    table = TABLES["rejects"].conform(frame)
    assert table.schema == TABLES["rejects"].schema
    assert table["detail"].to_list() == ["a", "c", "b"]


def test_conform_sorts_a_frame_that_only_lacks_the_order() -> None:
    groups = TABLES["groups"]
    frame = pl.DataFrame(
        {name: [1, 2, 3] for name in groups.schema if name not in ("task", "tool")}
        | {"task": ["T0", "T0", "T0"], "tool": ["a", "b", "c"]},
    )
    table = groups.conform(frame)
    assert table.schema == groups.schema
    assert groups.conform(table).equals(table)
    assert groups.conform(table.reverse()).equals(table)
    assert groups.conform(table.select(reversed(table.columns))).equals(table)


def test_conform_refuses_numbers_that_do_not_fit() -> None:
    frame = TABLES["groups"].empty().cast({"frame": pl.Int64})
    row = {name: ["T0" if dtype == pl.String else 2**40] for name, dtype in frame.schema.items()}
    with pytest.raises(pl.exceptions.InvalidOperationError):
        TABLES["groups"].conform(pl.DataFrame(row))


#: The columns in which values can be missing; their meanings say when.
NULLABLE = {
    "classifications": {
        *("created_at", "volunteer", "user_name", "user_id", "gold_standard"),
        *("image_width", "image_height"),
    },
    "extractions": {"created_at", "volunteer", "user_name", "user_id", "gold_standard", "details"},
    "groups": set(),
    "labels": {"created_at", "volunteer", "user_name", "iou_others"},
    "reductions": {"details_votes", "expected_iou", "area_low", "area_high", "classifications_needed"},
    "subjects": {"consensus_min", "consensus_mean", "expected_iou_min", "classifications_needed"},
    "volunteers": {"user_name", "precision", "recall", "iou", "score"},
    "contours": set(),
    "rejects": {"classification_id", "subject_id", "mark_index"},
}


@pytest.mark.parametrize("name", NULLABLE)
def test_only_these_columns_are_nullable(name: str) -> None:
    table = TABLES[name]
    assert {column.name for column in table.columns if column.nullable} == NULLABLE[name]
    for column in table.columns:
        if re.search(r"; missing\b", column.meaning):
            assert column.nullable, column.name


def test_keys_are_never_missing() -> None:
    """Other than times, and the keys of rejects, which could not be read."""
    for table in STORED_TABLES.values():
        if table.name != "rejects":
            nullable = {column.name for column in table.columns if column.nullable}
            assert nullable & {*table.key, *table.sort_by} <= {"created_at"}
