"""Compare the geometry functions with those of panoptes_aggregation 5.3.1."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import shapely

from polyframe import geometry

RASTERS = [
    [points, smoothing]
    for points in (100, 40, 11, 5)
    for smoothing in ("minimal_sides", "rounded", "no_smoothing")
]


@pytest.fixture(scope="module")
def answers(reference_python, make_cluster):
    """Return clusters (marks, volunteers, times) of up to 6 marks, each with the reference tool's results."""
    clusters, asked = [], []
    for seed, count in enumerate((1, 2, 3, 6)):
        marks = make_cluster(count, vertices=80, seed=seed, snap=0.25 if seed % 2 else 0)
        volunteers = list(range(count))
        if count > 3:
            volunteers[4] = volunteers[1]
        created_at = [f"2025-01-30 09:{(7 * k) % 5:02}:51 UTC" for k in range(count)]
        clusters.append((marks, volunteers, created_at))
        x, y = (
            [shapely.get_coordinates(mark.exterior)[:, axis].tolist() for mark in marks] for axis in (0, 1)
        )
        asked.append({"x": x, "y": y, "volunteers": volunteers, "created_at": created_at, "rasters": RASTERS})
    script = Path(__file__).parents[1] / "support" / "reference_geometry.py"
    done = subprocess.run(
        [reference_python, script], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(zip(clusters, json.loads(done.stdout), strict=True))


def same_place(mine, theirs, tolerance=1e-9):
    theirs = shapely.Polygon(theirs)
    return mine.symmetric_difference(theirs).area <= tolerance * theirs.area


def test_distances_and_consensus(answers):
    for (marks, volunteers, _), theirs in answers:
        matrix = geometry.iou_distance_matrix(marks, volunteers)
        expected = np.array(theirs["matrix"], dtype=float)
        expected[np.isnan(expected)] = np.inf
        assert matrix == pytest.approx(expected, abs=1e-12)
        assert geometry.consensus(matrix) == pytest.approx(theirs["consensus"], abs=1e-12)


def test_averages(answers):
    for (marks, volunteers, created_at), theirs in answers:
        matrix = geometry.iou_distance_matrix(marks, volunteers)
        assert shapely.get_coordinates(geometry.average_median(marks, matrix)).tolist() == theirs["median"]
        assert shapely.get_coordinates(geometry.average_last(marks, created_at)).tolist() == theirs["last"]
        assert same_place(geometry.average_union(marks), theirs["union"])
        assert same_place(geometry.average_intersection(marks), theirs["intersection"])


def test_contours(answers):
    for (marks, _, _), theirs in answers:
        mine = geometry.contours(marks)
        assert len(mine) == len(theirs["contours"]) == len(marks)
        assert all(same_place(*levels) for levels in zip(mine, theirs["contours"], strict=True))


@pytest.mark.parametrize("which", range(len(RASTERS)), ids=lambda k: "-".join(map(str, RASTERS[k])))
def test_raster_contours(answers, which):
    for (marks, _, _), theirs in answers:
        mine = geometry.raster_contours(marks, *RASTERS[which])
        assert len(mine) == len(theirs["rasters"][which])
        for level, expected in zip(mine, theirs["rasters"][which], strict=True):
            assert shapely.get_coordinates(level) == pytest.approx(np.array(expected), abs=1e-9)
