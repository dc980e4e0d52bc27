"""The average `majority`: in commands, configurations and exports, and on the marks of real people."""

import csv
import importlib.util
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from exports import ROOT, Done

import polyframe as pf
from polyframe.consensus.reduce import averaged_polygons, cluster_marks
from polyframe.core.settings import Settings
from polyframe.geometry.engines import engine_named
from polyframe.geometry.majority import majority_areas
from polyframe.geometry.polygon_parts import fill_holes

Call = Callable[..., Done]

ENGINES = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]
EXPORT = ROOT / "data" / "classifications.csv"


def faces_of(marks: list[shapely.Polygon], median: int) -> shapely.Geometry:
    """Return the majority region of some marks, put together from the faces of their outlines by GEOS."""
    lines = shapely.node(shapely.multilinestrings(list(shapely.get_rings(marks))))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    inside = shapely.point_on_surface(faces)
    shapely.prepare(marks)
    members = np.stack([shapely.contains_properly(mark, inside) for mark in marks])
    twice = 2 * members.sum(axis=0)
    return shapely.union_all(faces[(twice > len(marks)) | ((twice == len(marks)) & members[median])])


def test_areas_of_a_real_project_equal_those_of_the_memberships(cat_project: Path) -> None:
    found = pf.extract(cat_project / "cat-project-classifications.csv", workflow_id=28090)
    outlines = {}
    for engine in ENGINES:
        settings = Settings().replace({"average_type": "majority", "engine": engine})
        clusters = cluster_marks(found.extractions, found.classifications, settings)
        outlines[engine] = shapely.area(averaged_polygons(clusters, settings))
    offsets, marks = clusters.member_offsets, clusters.marks.polygons[clusters.members]
    medians = np.array([np.flatnonzero(clusters.members == mark)[0] for mark in clusters.median])
    bounds = list(itertools.pairwise(offsets.tolist()))
    regions = np.array(
        [faces_of(marks[a:b], median - a) for (a, b), median in zip(bounds, medians, strict=True)]
    )
    parts = [max(shapely.get_parts(region), key=shapely.area) for region in regions]
    largest = shapely.area(fill_holes(np.array(parts)))
    areas = shapely.area(regions)
    is_one_part = np.abs(largest - areas) <= 1e-9 * areas
    assert len(areas) > 30
    assert np.mean(is_one_part) > 0.5
    assert np.mean(np.diff(offsets) % 2 == 0) > 0.2
    for engine in ENGINES:
        by_memberships = majority_areas(engine_named(engine).memberships(marks, offsets), offsets, medians)
        assert by_memberships == pytest.approx(areas, rel=1e-9)
        assert outlines[engine][is_one_part] == pytest.approx(by_memberships[is_one_part], rel=1e-9)
        assert outlines[engine] == pytest.approx(largest, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_majority_is_nearer_to_an_expert_than_the_median(bu_bil: Path, engine: str, tmp_path: Path) -> None:
    ious = {}
    for average in ("median", "majority"):
        out = tmp_path / average
        pf.run(
            bu_bil / "classifications.csv.gz",
            out,
            average_type=average,
            eps=0.9,
            contours=False,
            jobs=1,
            engine=engine,
        )
        scores = pf.score(out, bu_bil / "gold.csv.gz", min_iou=0).filter(scope="all")
        assert scores["n_predicted"].item() == 197
        ious[average] = scores["gold_iou"].item()
    assert ious["median"] == pytest.approx(0.7736, abs=5e-5)
    # Published with the data, for level 4 of 7.
    assert ious["majority"] == pytest.approx(0.7914, abs=5e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_command_the_configuration_and_python_give_the_same(
    engine: str, tmp_path: Path, polyframe: Call
) -> None:
    config = tmp_path / "reducer.yaml"
    config.write_text("reducer_config: {polygon_reducer: {average_type: majority}}\n", encoding="utf-8")
    flags = ("--engine", engine, "--jobs", 1, "-q")
    one = polyframe("run", EXPORT, "-o", tmp_path / "one", "--average", "majority", *flags)
    assert one.code == 0, one.err
    assert polyframe("extract", EXPORT, "-o", tmp_path / "two", *flags).code == 0
    two = polyframe("reduce", tmp_path / "two", "-c", config, *flags)
    assert two.code == 0, two.err
    found = pf.extract(EXPORT)
    rows = pf.reduce(found, average="majority", engine=engine).reductions
    for out in ("one", "two"):
        assert pf.scan(tmp_path / out, "reductions").collect().equals(rows)
    assert rows["average_type"].unique().to_list() == ["majority"]
    assert pf.status(tmp_path / "one").settings["average_type"] == "majority"
    assert not pf.validate(tmp_path / "one")
    # Level n // 2 + 1 of an odd number of marks; more than that and at most half of them, if it is even.
    levels = pf.explode_levels(pf.scan(tmp_path / "one", "contours"))
    keys = ["workflow_id", "subject_id", "task", "frame", "tool", "cluster_label"]
    half = levels.select(*keys, "level", level_area="area")
    for row in rows.join(half, on=keys).iter_rows(named=True):
        more_than_half = row["clusters_count"] // 2 + 1
        if row["level"] == more_than_half:
            assert row["area"] >= row["level_area"] * (1 - 1e-9)
            if row["clusters_count"] % 2:
                assert row["area"] == pytest.approx(row["level_area"], rel=1e-9)
        elif row["level"] == more_than_half - 1:
            assert row["area"] <= row["level_area"] * (1 + 1e-9)


def test_both_engines_give_the_same_areas_of_the_example(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="the compiled loops need the extra `fast` (numba)")
    found = pf.extract(EXPORT)
    one, other = (
        pf.reduce(found, average="majority", eps=0.9, min_samples=1, engine=engine).reductions
        for engine in ("shapely", "compiled")
    )
    numbers = ["consensus", "area", "expected_iou", "area_low", "area_high"]
    shapes = ["geometry", "clusters_x", "clusters_y"]
    assert one.drop(*numbers, *shapes).equals(other.drop(*numbers, *shapes))
    for name in numbers:
        values = one[name].fill_null(0).to_list()
        assert other[name].fill_null(0).to_list() == pytest.approx(values, rel=1e-9), name
    assert one["clusters_count"].n_unique() > 3


def test_the_csv_of_panoptes_aggregation(tmp_path: Path) -> None:
    pf.run(EXPORT, tmp_path / "out", average="majority", engine="shapely", jobs=1, filter="all")
    (done,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "reductions.csv")
    with done.path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shapes = []
    for row in rows:
        for column in row:
            if column.endswith("_clusters_x") and row[column]:
                x, y = (json.loads(row[column[:-1] + axis]) for axis in "xy")
                shapes += [shapely.Polygon(zip(*path, strict=True)) for path in zip(x, y, strict=True)]
    areas = pf.scan(tmp_path / "out", "reductions").select("area").collect()["area"]
    assert sorted(shapely.area(shapes)) == pytest.approx(sorted(areas.to_list()), rel=1e-9)
