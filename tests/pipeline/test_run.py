"""Runs on synthetic exports: the output does not depend on how the work is divided, and nothing is lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import shapely
from exports import Done
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import leftovers, manifest_of, published, unneeded

import polyframe as pf
from polyframe.core.tables import GROUP_KEYS, SCHEMA_VERSION, STORED_TABLES, TABLES
from polyframe.store.output import MANIFEST, STORE
from polyframe.synthetic import EXAMPLE, SynthOptions, true_outlines, write_export

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of about 2 MB, which has several partitions of 1 MB."""
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, SynthOptions(subjects=100, volunteers=9, vertices=100, seed=11, slips=0.02))
    return path


@pytest.fixture(scope="module")
def whole(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a run with one worker."""
    out = tmp_path_factory.mktemp("whole") / "out"
    pf.run(export, out, jobs=1, partition_size=1)
    return out


def tables(out: Path) -> dict[str, pl.DataFrame]:
    return {name: pf.scan(out, name).collect() for name in TABLES}


def test_the_export_has_several_partitions(whole: Path) -> None:
    assert len(list((whole / "labels").glob("*.parquet"))) > 1


def test_the_number_of_workers_does_not_change_a_byte(export: Path, whole: Path, tmp_path: Path) -> None:
    pf.run(export, tmp_path / "out", jobs=2, partition_size=1)
    assert published(tmp_path / "out") == published(whole)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_backend_does_not_change_a_byte(backend: str, export: Path, whole: Path, tmp_path: Path) -> None:
    with joblib.parallel_config(backend=backend):
        pf.run(export, tmp_path / "out", jobs=2, partition_size=1)
    assert published(tmp_path / "out") == published(whole)


def test_partitions_do_not_change_the_tables(export: Path, whole: Path, tmp_path: Path) -> None:
    pf.run(export, tmp_path / "out", partition_size=1000)
    assert len(list((tmp_path / "out" / "labels").glob("*.parquet"))) == 1
    for name, table in tables(tmp_path / "out").items():
        assert table.equals(pf.scan(whole, name).collect()), name


def test_parts_in_name_order_are_sorted_by_the_keys(whole: Path) -> None:
    for name, table in tables(whole).items():
        keys = table.select(TABLES[name].sort_by)
        assert keys.equals(
            keys.sort(keys.columns, nulls_last=[key == "created_at" for key in keys.columns])
        ), name
        assert table.schema == TABLES[name].schema


def test_keys_are_unique(whole: Path) -> None:
    keys = {
        "classifications": ["classification_id", "subject_id"],
        "extractions": ["classification_id", "subject_id", "mark_index"],
        "labels": ["classification_id", "subject_id", "mark_index"],
        "groups": list(GROUP_KEYS),
        "reductions": [*GROUP_KEYS, "cluster_label"],
        "contours": [*GROUP_KEYS, "cluster_label"],
    }
    for name, columns in keys.items():
        assert not pf.scan(whole, name).select(columns).collect().is_duplicated().any()


def test_tables_agree_with_each_other(whole: Path) -> None:
    frames = tables(whole)
    counts = manifest_of(whole).accounting.to_dict()
    labels, groups = frames["labels"], frames["groups"]
    assert (
        frames["classifications"]["n_marks"].sum() == frames["extractions"].height == counts["marks_decoded"]
    )
    assert groups["n_marks"].sum() == labels.height
    assert groups["n_outliers"].sum() == (labels["cluster_label"] == -1).sum() == counts["marks_outliers"]
    assert (
        groups["n_clusters"].sum()
        == frames["reductions"].height
        == frames["contours"].height
        == counts["clusters"]
    )
    assert frames["reductions"]["clusters_count"].sum() == counts["marks_clustered"]
    assert counts["rows_read"] == counts["rows_filtered"] + counts["rows_rejected"] + counts["rows_used"]
    assert counts["marks_rejected"] == frames["rejects"].height > 0
    assert counts["marks_set_aside"] > 0
    assert counts["marks_seen"] == (
        counts["marks_rejected"]
        + counts["marks_set_aside"]
        + counts["marks_clustered"]
        + counts["marks_outliers"]
    )


def test_geometry_agrees_with_the_coordinates(whole: Path) -> None:
    reductions, contours = (pf.scan(whole, name).collect() for name in ("reductions", "contours"))
    outlines = shapely.from_wkb(reductions["geometry"].to_list())
    assert shapely.area(outlines) == pytest.approx(reductions["area"].to_numpy())
    outlines = shapely.from_wkb(contours["geometry"].to_list())
    assert shapely.area(outlines) == pytest.approx(contours["contours_area"].list.first().to_numpy())
    assert (contours["number_of_contours"] == contours["contours_x"].list.len()).all()
    assert (contours["number_of_contours"] <= contours["clusters_count"]).all()


def test_footers_contain_the_settings(whole: Path) -> None:
    for name in STORED_TABLES:
        for path in (whole / name).glob("*.parquet"):
            metadata = pq.read_metadata(path).metadata
            footer = json.loads(metadata[b"polyframe"])
            assert footer["table"] == name
            assert footer["polyframe_version"] == pf.__version__
            assert footer["schema_version"] == SCHEMA_VERSION
            assert ("eps" in footer["settings"]) == (
                name not in ("classifications", "extractions", "rejects")
            )
            assert (b"geo" in metadata) == (name in ("reductions", "contours"))
            if b"geo" in metadata:
                geo = json.loads(metadata[b"geo"])
                assert geo["version"] == "1.1.0"
                column = geo["columns"]["geometry"]
                assert len(column.pop("bbox")) == 4
                assert column == {
                    "encoding": "WKB",
                    "geometry_types": ["Polygon"],
                    "crs": None,
                    "edges": "planar",
                }


def test_metadata_can_be_read_from_whole_folders(whole: Path) -> None:
    for name in ("reductions", "contours"):
        schema = pq.ParquetDataset(whole / name).schema
        assert json.loads(schema.metadata[b"geo"])["primary_column"] == "geometry"
        assert json.loads(schema.metadata[b"polyframe"])["table"] == name


def test_no_temporary_files_remain(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {*TABLES, MANIFEST, STORE}
    assert leftovers(whole) == []
    assert unneeded(whole) == set()


def test_single_stages_equal_a_run(export: Path, whole: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("extract", export, "-o", out, "--partition-size", 1).code == 0
    assert {path.name for path in out.iterdir()} == {
        "classifications",
        "extractions",
        "rejects",
        MANIFEST,
        STORE,
    }
    assert polyframe("reduce", out).code == 0
    assert polyframe("contours", out).code == 0
    assert published(out) == published(whole)


def test_reduce_with_other_settings_replaces_tables_and_removes_outdated_ones(
    export: Path, tmp_path: Path, polyframe: Call
) -> None:
    out = tmp_path / "out"
    polyframe("run", export, "-o", out)
    extractions = (out / "extractions" / "part-00000.parquet").read_bytes()
    done = polyframe("reduce", out, "--average", "union")
    assert done.code == 0
    assert (out / "contours").exists()
    assert pf.scan(out, "reductions").collect()["average_type"].unique().to_list() == ["union"]
    done = polyframe("reduce", out, "--eps", "0.3")
    assert "contours" in done.err
    assert not (out / "contours").exists()
    done = polyframe("contours", out, "--eps", "0.5")
    assert done.code == 2
    assert "0.3" in done.err
    assert polyframe("contours", out).code == 0
    assert set(pf.scan(out, "contours").select(GROUP_KEYS).collect().rows()) <= set(
        pf.scan(out, "reductions").select(GROUP_KEYS).collect().rows()
    )
    assert (out / "extractions" / "part-00000.parquet").read_bytes() == extractions


def test_frames_in_memory_equal_the_files(export: Path, whole: Path) -> None:
    extraction = pf.extract(export)
    result = pf.reduce(extraction)
    for name in ("classifications", "extractions", "rejects"):
        assert getattr(extraction, name).equals(pf.scan(whole, name).collect()), name
    for name in ("groups", "labels", "reductions"):
        assert getattr(result, name).equals(pf.scan(whole, name).collect()), name
    assert pf.contours(extraction).equals(pf.scan(whole, "contours").collect())
    assert pf.contours(whole).equals(pf.scan(whole, "contours").collect())


def test_reduce_accepts_a_frame_of_extractions(export: Path) -> None:
    extraction = pf.extract(export)
    alone = pf.reduce(extraction.extractions, filter="all")
    assert alone.labels.equals(pf.reduce(extraction, filter="all").labels)
    with_a_mark = extraction.extractions.group_by("subject_id").agg(pl.col("classification_id").n_unique())
    counted = alone.groups.select("subject_id", "n_classifications").unique()
    assert dict(counted.rows()) == dict(with_a_mark.rows())


def test_task_and_tool_select_marks(export: Path, whole: Path, tmp_path: Path, polyframe: Call) -> None:
    labels = pf.scan(whole, "labels").filter(pl.col("tool") == "T0_toolIndex1").collect()
    assert polyframe("run", export, "-o", tmp_path / "one", "--task", "T0", "--tool", "1").code == 0
    assert pf.scan(tmp_path / "one", "labels").collect().equals(labels)
    assert polyframe("extract", export, "-o", tmp_path / "two").code == 0
    assert polyframe("reduce", tmp_path / "two", "--tool", "1").code == 0
    assert pf.scan(tmp_path / "two", "labels").collect().equals(labels)
    one, two = (manifest_of(tmp_path / out).accounting.to_dict() for out in ("one", "two"))
    for name in ("marks_rejected", "marks_set_aside", "marks_clustered", "marks_outliers"):
        assert one[name] == two[name], name
    assert two["marks_not_selected"] == two["marks_seen"] - one["marks_seen"] > 0
    assert pf.validate(tmp_path / "two") == []


def test_the_reductions_of_the_example_are_its_true_objects(tmp_path: Path, polyframe: Call) -> None:
    root = Path(__file__).parents[2]
    done = polyframe(
        "run", root / "data/classifications.csv", "-c", root / "data/config.yaml", "-o", tmp_path / "out"
    )
    assert done.code == 0
    reductions = pf.scan(tmp_path / "out", "reductions").collect()
    outlines = shapely.from_wkb(reductions["geometry"].to_numpy())
    n_objects = 0
    for subject in range(EXAMPLE.first_subject, EXAMPLE.first_subject + EXAMPLE.subjects):
        for outline in true_outlines(EXAMPLE, subject):
            n_objects += 1
            here = (reductions["subject_id"] == subject) & (reductions["frame"] == outline.frame)
            here &= reductions["tool"] == f"T0_toolIndex{outline.tool}"
            shape = shapely.Polygon(np.column_stack([outline.x, outline.y]))
            candidates = outlines[here.to_numpy()]
            iou = shapely.area(candidates & shape) / shapely.area(candidates | shape)
            assert iou.max() > 0.8
    assert reductions.height == n_objects


def test_older_version_with_bezier_curves(tmp_path: Path, polyframe: Call) -> None:
    root = Path(__file__).parents[2] / "data"
    done = polyframe(
        "run", root / "classifications.csv", "-c", root / "config-older.yaml", "-o", tmp_path / "out"
    )
    assert done.code == 0
    tools = pf.scan(tmp_path / "out", "extractions").select("tool", "tool_type").unique().collect().rows()
    assert ("T3_tool0", "bezier") in tools
    assert any(tool.startswith("T0_tool") for tool, _ in tools)


def test_progress_is_the_number_of_rows_of_finished_partitions(export: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    pf.run(export, tmp_path / "out", jobs=1, partition_size=1, progress=lambda *step: steps.append(step))
    classifications, rejects = (
        pf.scan(tmp_path / "out", name).collect() for name in ("classifications", "rejects")
    )
    n_rows = classifications.height + rejects["mark_index"].is_null().sum()
    assert [steps[0], steps[-1]] == [(0, n_rows), (n_rows, n_rows)]
    parts = list((tmp_path / "out" / "classifications").iterdir())
    assert len(set(steps)) == len(parts) + 1 > 2
    assert steps == sorted(steps)


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("marks") / "classifications.csv"
    write_export(path, SynthOptions(subjects=8, volunteers=6, vertices=40, seed=5))
    return pf.extract(path).extractions


@pytest.fixture(scope="module")
def contours_of_marks(marks: pl.DataFrame) -> pl.DataFrame:
    return pf.contours(marks)


@pytest.fixture(scope="module")
def reductions_of_marks(marks: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The reductions by average."""
    averages = ("median", "union", "intersection")
    return {average: pf.reduce(marks, average_type=average).reductions for average in averages}


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_names_of_volunteers_do_not_change_geometry(
    marks: pl.DataFrame,
    contours_of_marks: pl.DataFrame,
    reductions_of_marks: dict[str, pl.DataFrame],
    chance: Any,
) -> None:
    names = marks["user_name"].unique().sort().to_list()
    shuffled = names.copy()
    chance.shuffle(shuffled)
    renamed = marks.with_columns(pl.col("user_name").replace(names, shuffled))
    assert pf.contours(renamed).equals(contours_of_marks)
    assert pf.reduce(renamed).reductions.equals(reductions_of_marks["median"])


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_volunteers_does_not_change_areas(marks: pl.DataFrame, chance: Any) -> None:
    numbers = marks["classification_id"].unique().sort().to_list()
    shuffled = numbers.copy()
    chance.shuffle(shuffled)
    renumbered = marks.with_columns(
        pl.col("classification_id").replace(numbers, shuffled), pl.lit(None).alias("created_at")
    )
    keys = ["subject_id", "frame", "tool", "clusters_count"]
    ours, theirs = (
        pf.contours(frame, filter="all").with_columns(pl.col("consensus").round(9)).sort(*keys, "consensus")
        for frame in (marks, renumbered)
    )
    assert ours.select(*keys, "consensus").equals(theirs.select(*keys, "consensus"))
    areas = zip(ours["contours_area"], theirs["contours_area"], strict=True)
    assert all(a.to_list() == pytest.approx(b.to_list(), rel=1e-9) for a, b in areas)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([0.001, 0.5, 3.0, 1000.0]))
def test_scaling_coordinates_scales_areas(
    marks: pl.DataFrame,
    contours_of_marks: pl.DataFrame,
    reductions_of_marks: dict[str, pl.DataFrame],
    factor: float,
) -> None:
    scaled = marks.with_columns(pl.col("x", "y").list.eval(pl.element() * factor))
    for average, before in reductions_of_marks.items():
        after = pf.reduce(scaled, average_type=average).reductions
        assert after["area"].to_list() == pytest.approx((before["area"] * factor**2).to_list(), rel=1e-9)
        assert after["consensus"].to_list() == pytest.approx(before["consensus"].to_list(), abs=1e-9)
    after = pf.contours(scaled)
    for a, b in zip(contours_of_marks["contours_area"], after["contours_area"], strict=True):
        assert b.to_list() == pytest.approx((a * factor**2).to_list(), rel=1e-9)


def test_contour_areas_lie_between_intersection_and_union(
    contours_of_marks: pl.DataFrame, reductions_of_marks: dict[str, pl.DataFrame]
) -> None:
    contours = contours_of_marks
    union, intersection = reductions_of_marks["union"], reductions_of_marks["intersection"]
    assert union["area"].to_list() == pytest.approx(contours["contours_area"].list.first().to_list())
    for row, common in zip(contours.iter_rows(named=True), intersection["area"], strict=True):
        assert row["contours_area"] == sorted(row["contours_area"], reverse=True)
        if row["number_of_contours"] == row["clusters_count"]:
            assert row["contours_area"][-1] == pytest.approx(common)
        else:
            assert common == 0
