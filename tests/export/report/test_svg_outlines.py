"""SVG paths of outlines: by hand, and within the tolerance by an independent parser and Shapely."""

import re

import numpy as np
import polars as pl
import pytest
import shapely

from polyframe.export.report.svg_outlines import svg_paths


def rings_of(path: str) -> list[list[tuple[int, int]]]:
    """Parse a path of M, l and z; as in SVG, z returns to the first point."""
    rings, here = [], (0, 0)
    for part in re.findall(r"M[^M]*", path):
        match = re.fullmatch(r"M(-?\d+)[ ]?(-?\d+)(?:l((?:[ ]?-?\d+)+))?z", part)
        assert match, part
        here = (int(match[1]), int(match[2]))
        ring = [here]
        steps = [int(number) for number in re.findall(r"-?\d+", match[3] or "")]
        for dx, dy in zip(steps[::2], steps[1::2], strict=True):
            here = (here[0] + dx, here[1] + dy)
            ring.append(here)
        rings.append(ring)
    return rings


def paths(outlines: list[list[tuple[float, float]]], unit: float, tolerance: float) -> list[str]:
    x, y = (
        pl.Series([[point[k] for point in outline] for outline in outlines], dtype=pl.List(pl.Float64))
        for k in (0, 1)
    )
    n = len(outlines)
    return svg_paths(x, y, np.full(n, unit), np.full(n, tolerance)).to_list()


def test_a_square_by_hand() -> None:
    ring = [(10.0, -2.0), (20.0, -2.0), (20.0, 8.04), (10.0, 8.0), (10.0, -2.0)]
    assert paths([ring, ring[:-1]], 0.1, 0.01) == ["M100-20l100 0 0 100-100 0z"] * 2
    # The side of 0.04 pixels vanishes.
    assert paths([[(1.2, 3.0), (1.2, 3.04), (1.2, 3.0)]], 1, 0) == ["M1 3z"]


def test_every_outline_has_a_path() -> None:
    ring = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)]
    assert paths([], 1, 0) == []
    assert paths([[], []], 1, 0) == ["", ""]
    assert paths([[], ring, [(1.0, 1.0)], ring], 1, 0) == ["", "M0 0l5 0 0 5z", "", "M0 0l5 0 0 5z"]


@pytest.mark.parametrize(
    ("size", "unit", "tolerance"), [(640.0, 0.1, 0.16), (9.0, 0.001, 0.002), (1e9, 1e5, 0)]
)
def test_paths_are_within_the_tolerance_of_their_outlines(size: float, unit: float, tolerance: float) -> None:
    rng = np.random.default_rng(5)
    outlines = []
    for n in (3, 4, 50, 400):
        angle = np.sort(rng.uniform(0, 2 * np.pi, n))
        radius = size * rng.uniform(0.3, 0.45, n)
        ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]) + size / 2
        outlines.append([tuple(point) for point in np.vstack([ring, ring[:1]]).tolist()])
    texts = paths(outlines, unit, tolerance)
    for outline, path in zip(outlines, texts, strict=True):
        (ring,) = rings_of(path)
        drawn = shapely.LinearRing(np.array(ring) * unit)
        distance = shapely.hausdorff_distance(shapely.LinearRing(outline), drawn, densify=0.1)
        assert distance <= tolerance + unit * 0.75
        assert len(ring) <= len(outline)
    # They can be concatenated.
    assert rings_of("".join(texts)) == [ring for path in texts for ring in rings_of(path)]


def test_invisible_points_are_omitted() -> None:
    angle = np.linspace(0, 2 * np.pi, 2001)
    circle = [(100 + 50 * np.cos(a), 100 + 50 * np.sin(a)) for a in angle]
    (ring,) = rings_of(paths([circle], 0.1, 0.1)[0])
    # The sagitta of a chord of n sides is r (1 - cos(pi / n)): 0.1 pixels for 50 sides.
    assert 35 < len(ring) < 100
