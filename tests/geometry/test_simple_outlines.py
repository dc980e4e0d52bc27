"""Test which outlines are certainly simple: against exact fractions, and against GEOS."""

from fractions import Fraction

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from polyframe.geometry import simple_outlines
from polyframe.geometry.simple_outlines import are_simple

SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
#: A five-pointed star drawn without lifting the pen: from its centre, it turns around twice.
PENTAGRAM = [(0.0, 5.0), (3.0, -4.0), (-5.0, 2.0), (5.0, 2.0), (-3.0, -4.0)]


def detect(outlines):
    points = [np.array(outline, dtype=np.float64) for outline in outlines]
    boxes = np.column_stack([np.concatenate([p.min(axis=0), p.max(axis=0)]) for p in points])
    offsets = np.cumsum([0, *map(len, points)])
    return are_simple(*np.concatenate(points).T, offsets, boxes).tolist()


def by_fractions(outline):
    """Return whether the vertices turn once around the centre of the box, always in the same direction."""
    points = [(Fraction(x), Fraction(y)) for x, y in outline]
    if points[0] == points[-1]:
        points = points[:-1]
    xs, ys = zip(*points, strict=True)
    centre = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    points = [(x - centre[0], y - centre[1]) for x, y in points]
    sides = list(zip(points, points[1:] + points[:1], strict=True))
    turns = [ax * by - ay * bx for (ax, ay), (bx, by) in sides]
    if not (all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)):
        return False
    # Crossings of the ray to the right.
    return (
        sum((ay < 0) != (by < 0) and (ax * by - bx * ay) * (by - ay) > 0 for (ax, ay), (bx, by) in sides) == 1
    )


@pytest.mark.parametrize(
    ("outline", "expected"),
    [
        (SQUARE, True),
        ([*SQUARE, SQUARE[0]], True),
        (SQUARE[::-1], True),
        (PENTAGRAM, False),
        (PENTAGRAM * 2, False),
        (SQUARE * 2, False),
        ([*SQUARE, (0.0, 1.0)], False),  # a repeated point
        ([(0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (0, 1)], False),  # L: its centre is outside
        ([(0, 0), (2, 2), (2, 0), (0, 2)], False),
        ([(0, 0), (1, 0), (2, 0)], False),
        ([(0, 0), (2, 0), (2, 1), (1, 0.5), (0, 1)], False),  # through the centre
        ([(0, 0), (2, 0), (2, 1), (1, 0.5625), (0, 1)], True),
    ],
)
def test_one_outline(outline, expected):
    assert detect([outline]) == [expected]
    assert not expected or shapely.is_valid(shapely.Polygon(outline))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=8),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 20),
)
def test_small_outlines_equal_exact_fractions(outlines, points_at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simple_outlines, "_POINTS_AT_ONCE", points_at_once)
        simple = detect(outlines)
    assert simple == [by_fractions(outline) for outline in outlines]
    assert all(
        shapely.is_valid(shapely.Polygon(o))
        for o, is_certain in zip(outlines, simple, strict=True)
        if is_certain
    )


@pytest.mark.parametrize(
    ("centre", "size"), [(0, 1e-155), (1e9 - 10, 1e-6), (1e5, 1e-10), (300.1, 80), (0, 1e9)]
)
def test_rounding_makes_no_outline_simple(centre, size):
    rng = np.random.default_rng(5)
    outlines = []
    for _ in range(300):
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 40))) + rng.normal(0, 1e-3)
        reach = size * rng.choice([1e-8, 1.0, 1.0, 1.0], len(angle))
        outlines.append(centre + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    simple = detect(outlines)
    assert any(simple) == (size > 1e-12)
    for outline, is_certain in zip(outlines, simple, strict=True):
        if is_certain:
            assert shapely.is_valid(shapely.Polygon(outline))


def test_smooth_outlines_are_simple():
    angle = np.linspace(0, 2 * np.pi, 300)
    reach = (100 + 10 * np.cos(3 * angle))[:, None]
    assert detect([500 + reach * np.column_stack([np.cos(angle), np.sin(angle)])]) == [True]


def trembling(points, jitter, seed):
    rng = np.random.default_rng(seed)
    angle = rng.choice([-1, 1]) * np.linspace(0, 2 * np.pi, points, endpoint=False) + rng.uniform(0, 6)
    reach = (1 + 0.1 * np.cos(3 * angle))[:, None]
    outline = reach * np.column_stack([np.cos(angle), np.sin(angle)])
    return 500 + 60 * (outline + rng.normal(0, jitter, outline.shape))


@pytest.mark.parametrize(("jitter", "least"), [(0.0, 1.0), (0.006, 0.8), (0.02, 0.0), (0.1, 0.0)])
def test_outlines_of_a_trembling_hand(jitter, least):
    outlines = [trembling(300, jitter, seed) for seed in range(150)]
    valid = shapely.is_valid(np.array([shapely.Polygon(outline) for outline in outlines]))
    simple = np.array(detect(outlines))
    assert not np.any(simple & ~valid)
    assert simple.sum() >= least * valid.sum()
    star_shaped = sum(by_fractions(outline) for outline in outlines[:40])
    assert simple[:40].sum() >= star_shaped + (8 if jitter == 0.006 else 0)


@pytest.mark.parametrize(
    ("detour", "expected"),
    [
        ([], True),
        ([(103, 4), (102, 2), (101, 6)], True),  # back and forth
        ([(103, 6), (101, 6), (101, 3), (104, 4)], False),  # a loop
        ([(103, 6), (103, 2)], False),  # back along the same line
        ([(103, 4), (103, 2), (103, 4)], False),
        ([(104, 6), (102, 3), (104, 0)], False),  # touches the outline: (104, 0) is one of its points
        ([(-100, 1), (101, 6)], False),  # through the centre and back
        ([(99, 40), (98, 8)], False),  # into another sector
    ],
)
def test_detours(detour, expected):
    angle = np.linspace(-2, 2 * np.pi - 2, 160, endpoint=False)
    circle = [(round(104 * np.cos(a), 3), round(104 * np.sin(a), 3)) for a in angle]
    before = [point for point, a in zip(circle, angle, strict=True) if a < -0.01]
    after = [point for point, a in zip(circle, angle, strict=True) if a > 0.08]
    for outline in ([*before, (104, 0), *detour, *after], [*before, (104, 0), *detour, *after][::-1]):
        assert detect([outline]) == [expected]
        assert not expected or shapely.is_valid(shapely.Polygon(outline))


@given(
    st.lists(st.tuples(st.integers(34, 40), st.integers(-6, 6)), min_size=1, max_size=9),
    st.integers(1, 3),
    st.booleans(),
)
def test_any_detour_that_is_accepted_is_valid(detour, margin, is_reversed):
    angle = np.linspace(0.2, 2 * np.pi - 0.2, 130)
    outline = [*zip(37 * np.cos(angle), 37 * np.sin(angle), strict=True)]
    outline = [*outline[60:], *detour, *outline[:60]][:: -1 if is_reversed else 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simple_outlines, "_MARGIN", margin)
        patch.setattr(simple_outlines, "_LONGEST_STRETCH", 20)
        simple = detect([outline])
    assert shapely.is_valid(shapely.Polygon(outline)) or simple == [False]
