"""Labels, numbers and shapes of a real project equal those of panoptes_aggregation 5.3.1."""

import csv
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely
from reference_jobs import run_jobs

import polyframe as pf

csv.field_size_limit(2**31 - 1)

AVERAGES = ("median", "union", "intersection", "last")
CLUSTERINGS = ((0.5, 2), (0.3, 2), (0.7, 2), (0.9, 2), (0.5, 1), (0.6, 3), (0.4, 4))
VERSIONS = ("13.19", "13.16", "13", {"min": "4.4", "max": "13"})

#: Each version with each average, and each clustering with two versions; the last one contains the others.
REDUCTIONS: dict[str, dict[str, Any]] = {
    f"{average}-{eps}-{min_samples}-{n}": {
        "average_type": average,
        "eps": eps,
        "min_samples": min_samples,
        "n": n,
    }
    for n in range(len(VERSIONS))
    for average in AVERAGES
    for eps, min_samples in (CLUSTERINGS if n == 0 or (n, average) == (3, "median") else ((0.5, 2),))
}
REDUCTIONS["threshold"] = {
    "average_type": "median",
    "eps": 0.5,
    "min_samples": 2,
    "min_threshold": 0.5,
    "n": 0,
}
CONTOURS: dict[str, dict[str, Any]] = {
    f"contours-{eps}-{min_samples}-{n}": {"eps": eps, "min_samples": min_samples, "n": n}
    for n in (0, 1)
    for eps, min_samples in ((0.5, 2), (0.3, 2), (0.6, 3), (0.7, 2), (0.9, 3))
}
#: These jobs fail in the reference tool with an IndexError.
KNOWN_FAILURES = {"contours-0.9-3-0"}


@pytest.fixture(scope="module")
def reference(
    cat_project: Path, reference_python: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """Run the reference tool; return the folder of its tables, and its errors by job."""
    folder = tmp_path_factory.mktemp("reference")
    jobs = []
    for name, keywords in (REDUCTIONS | CONTOURS).items():
        keywords = dict(keywords)
        job = {
            "name": name,
            "workflow_id": 28090,
            "version": VERSIONS[keywords.pop("n")],
            "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
            "reducer": "polygon_reducer_contours" if name in CONTOURS else "polygon_reducer",
            "keywords": keywords,
        }
        jobs.append(job)
    export = cat_project / "cat-project-classifications.csv"
    return folder, run_jobs(reference_python, export, folder, jobs)


@pytest.fixture(scope="module")
def extractions(cat_project: Path) -> list[pf.Extraction]:
    """Extract each of the versions."""
    export = cat_project / "cat-project-classifications.csv"
    specs = ["..".join(version.values()) if isinstance(version, dict) else version for version in VERSIONS]
    return [pf.extract(export, workflow_id=28090, workflow_version=spec) for spec in specs]


def reference_groups(path: Path) -> dict[tuple[int, int, str], dict[str, Any]]:
    """Read a table of the reference tool by subject, frame and tool, then by column."""
    groups: dict[tuple[int, int, str], dict[str, Any]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column, cell in row.items():
                match = re.fullmatch(r"data\.frame(\d+)\.(T0_tool(?:Index)?\d+)_(\w+)", column)
                if match and cell:
                    key = (int(row["subject_id"]), int(match[1]), match[2])
                    groups[key].setdefault(match[3], []).append(json.loads(cell))
    return groups


def our_groups(frame: pl.DataFrame) -> dict[tuple[int, int, str], pl.DataFrame]:
    parts = frame.partition_by("subject_id", "frame", "tool", as_dict=True, maintain_order=True)
    return {(int(subject), int(number), str(tool)): part for (subject, number, tool), part in parts.items()}


@pytest.mark.parametrize("engine", ["shapely", "compiled"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction_equals_the_reference_tool(
    name: str, engine: Any, reference: tuple[Path, dict[str, str]], extractions: list[pf.Extraction]
) -> None:
    folder, failed = reference
    if name in failed:
        assert "intersection" in name, failed[name]
        pytest.skip(f"the reference tool fails here: {failed[name]}")
    keywords = dict(REDUCTIONS[name])
    extraction = extractions[keywords.pop("n")]
    theirs = reference_groups(folder / f"{name}.csv")
    result = pf.reduce(extraction, filter="all", engine=engine, **keywords)
    labels, reductions = our_groups(result.labels), our_groups(result.reductions)

    assert {key for key, group in theirs.items() if group["cluster_labels"][0]} == set(labels)
    for key, group in theirs.items():
        assert labels[key]["cluster_label"].to_list() == group["cluster_labels"][0]
        if "consensus" not in group:
            assert key not in reductions
            continue
        ours = reductions[key]
        assert ours["clusters_count"].to_list() == group["clusters_count"][0]
        assert ours["consensus"].to_list() == pytest.approx(group["consensus"][0], abs=1e-9)
        for x, y, their_x, their_y in zip(
            ours["clusters_x"],
            ours["clusters_y"],
            group["clusters_x"][0],
            group["clusters_y"][0],
            strict=True,
        ):
            if keywords["average_type"] in ("median", "last"):
                assert x.to_list() == pytest.approx(their_x, abs=1e-9)
                assert y.to_list() == pytest.approx(their_y, abs=1e-9)
            else:
                assert_same_shape(polygon(x, y), polygon(their_x, their_y))


@pytest.mark.parametrize("engine", ["shapely", "compiled"])
@pytest.mark.parametrize("name", CONTOURS)
def test_contours_equal_the_reference_tool(
    name: str, engine: Any, reference: tuple[Path, dict[str, str]], extractions: list[pf.Extraction]
) -> None:
    folder, failed = reference
    keywords = dict(CONTOURS[name])
    ours = our_groups(pf.contours(extractions[keywords.pop("n")], filter="all", engine=engine, **keywords))
    if name in failed:
        assert name in KNOWN_FAILURES, failed[name]
        pytest.skip(f"the reference tool fails here: {failed[name]}")
    theirs = reference_groups(folder / f"{name}.csv")
    assert {key for key, group in theirs.items() if "contours_x" in group} == set(ours)
    for key, part in ours.items():
        group = theirs[key]
        by_label = dict(zip(group["cluster_label_for_contours"], range(part.height), strict=True))
        for row in part.iter_rows(named=True):
            index = by_label[row["cluster_label"]]
            assert row["consensus"] == pytest.approx(group["consensus"][index], abs=1e-9)
            if row["clusters_count"] > 9:
                continue  # the reference tool uses a grid for more than nine marks
            their_levels = list(zip(group["contours_x"][index], group["contours_y"][index], strict=True))
            our_levels = list(zip(row["contours_x"], row["contours_y"], strict=True))
            assert len(our_levels) == len(their_levels) == row["number_of_contours"]
            for (x, y), (their_x, their_y) in zip(our_levels, their_levels, strict=True):
                assert_same_shape(polygon(x, y), polygon(their_x, their_y))


def test_known_failures_still_fail(reference: tuple[Path, dict[str, str]]) -> None:
    assert set(reference[1]) >= KNOWN_FAILURES


@pytest.mark.slow
def test_published_tables_with_the_configuration_of_the_project(cat_project: Path, tmp_path: Path) -> None:
    configs = [
        argument
        for name in ("extractor_config", "reducer_config", "reducer_contours_config")
        for argument in ("-c", str(cat_project / f"cat_project_{name}.yaml"))
    ]
    export = cat_project / "cat-project-classifications.csv"
    command = [sys.executable, "-m", "polyframe", "run", str(export), *configs, "--filter", "all", "-o"]
    subprocess.run([*command, str(tmp_path / "out")], check=True, capture_output=True)

    published = reference_groups(cat_project / "polygon_reducer_reductions_median.csv")
    labels = our_groups(pf.scan(tmp_path / "out", "labels").collect())
    reductions = our_groups(pf.scan(tmp_path / "out", "reductions").collect())
    assert set(published) == set(labels)
    for key, group in published.items():
        assert labels[key]["cluster_label"].to_list() == group["cluster_labels"][0]
        for k, consensus in enumerate(group.get("consensus", [[]])[0]):
            row = reductions[key].row(k, named=True)
            assert row["consensus"] == pytest.approx(consensus, abs=1e-9)
            assert row["clusters_x"] == group["clusters_x"][0][k]
            assert row["clusters_y"] == group["clusters_y"][0][k]
    assert sum(part.height for part in reductions.values()) == 31


def test_published_extractions(cat_project: Path, extractions: list[pf.Extraction]) -> None:
    marks = defaultdict(list)
    for row in extractions[0].extractions.sort("classification_id", "mark_index").iter_rows(named=True):
        marks[row["classification_id"], row["tool"]].append((row["x"], row["y"]))
    with (cat_project / "polygon_extractor_extractions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for tool in ("T0_toolIndex0", "T0_toolIndex1"):
                x, y = (json.loads(row[f"data.frame0.{tool}_path{axis}"] or "[]") for axis in "XY")
                assert marks.pop((int(row["classification_id"]), tool), []) == list(zip(x, y, strict=True))
    assert not marks


def polygon(x: Any, y: Any) -> shapely.Polygon:
    return shapely.Polygon(zip(x, y, strict=True))


def assert_same_shape(ours: shapely.Polygon, theirs: shapely.Polygon) -> None:
    assert ours.area == pytest.approx(theirs.area, rel=1e-9, abs=1e-9)
    difference = shapely.make_valid(ours).symmetric_difference(shapely.make_valid(theirs))
    assert difference.area <= 1e-9 * max(ours.area, 1)
