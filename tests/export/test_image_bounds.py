"""Outlines clipped at the borders of their image, by hand."""

import numpy as np
import pytest
import shapely

from polyframe.export.image_bounds import clip_to_image

SIZE = (10, 6)
Corners = list[tuple[float, float]]


def clip(corners: Corners, size: tuple[int, int] = SIZE) -> list[Corners]:
    return [part.tolist() for part in clip_to_image(np.array([*corners, corners[0]], float), size)]


def box(left: float, top: float, right: float, bottom: float) -> Corners:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@pytest.mark.parametrize(
    "inside", [box(0, 0, 10, 6), box(0, 0, 3, 6), box(7, 0, 10, 2), box(2, 4, 5, 6), box(2, 2, 3, 3)]
)
def test_an_outline_inside_or_on_the_border_is_unchanged(inside: Corners) -> None:
    """Point by point, with the same first point: the border belongs to the image."""
    for turned in range(4):
        corners = inside[turned:] + inside[:turned]
        assert clip(corners) == [[list(point) for point in [*corners, corners[0]]]]


def test_an_outline_inside_that_crosses_itself_is_unchanged() -> None:
    """It is not clipped, so it is not repaired either."""
    bow: Corners = [(0, 0), (10, 6), (10, 0), (0, 5)]
    assert clip(bow) == [[list(point) for point in [*bow, bow[0]]]]


@pytest.mark.parametrize(
    ("outline", "inside"),
    [
        # Half a pixel over each of the four borders, and over all of them.
        (box(-0.5, 1, 4, 3), box(0, 1, 4, 3)),
        (box(1, -0.5, 4, 3), box(1, 0, 4, 3)),
        (box(6, 1, 10.5, 3), box(6, 1, 10, 3)),
        (box(6, 1, 9, 6.5), box(6, 1, 9, 6)),
        (box(-1, -1, 11, 7), box(0, 0, 10, 6)),
        # Width and height differ.
        (box(1, 1, 2, 10), box(1, 1, 2, 6)),
        (box(-4, 5, 12, 8), box(0, 5, 10, 6)),
    ],
)
def test_an_outline_beyond_a_border_is_clipped(outline: Corners, inside: Corners) -> None:
    (clipped,) = clip(outline)
    assert shapely.Polygon(clipped).equals(shapely.Polygon(inside))
    assert clipped[0] == clipped[-1]
    xs, ys = np.array(clipped).T
    assert (xs.min(), xs.max()) == (min(x for x, _ in inside), max(x for x, _ in inside))
    assert (ys.min(), ys.max()) == (min(y for _, y in inside), max(y for _, y in inside))


@pytest.mark.parametrize(
    "outline", [box(10, 0, 12, 6), box(-3, 1, 0, 2), box(0, 6, 5, 8), box(20, 20, 30, 30)]
)
def test_an_outline_that_touches_the_border_from_outside_is_empty(outline: Corners) -> None:
    assert clip(outline) == []


def test_an_outline_may_be_clipped_into_several_parts() -> None:
    """A U whose base is above the image: 1 x 2 on the left, 2 x 2 on the right."""
    outline: Corners = [(1, -2), (8, -2), (8, 2), (6, 2), (6, -1), (2, -1), (2, 2), (1, 2)]
    parts = [shapely.Polygon(part) for part in clip(outline)]
    assert sorted(part.area for part in parts) == [2.0, 4.0]
    assert {part.bounds for part in parts} == {(1.0, 0.0, 2.0, 2.0), (6.0, 0.0, 8.0, 2.0)}


def test_the_tip_of_a_triangle_is_clipped() -> None:
    """Base 8 on y = 2, tip on y = -2: at y = 0 it is 4 wide, and 2 (8 + 4) / 2 = 12 remain."""
    (clipped,) = clip([(1, 2), (9, 2), (5, -2)])
    assert shapely.Polygon(clipped).area == 12
    assert sorted(map(tuple, clipped[:-1])) == [(1, 2), (3, 0), (7, 0), (9, 2)]


@pytest.mark.parametrize(
    "points", [np.empty((0, 2)), np.zeros((3, 2)), np.array([[1.0, 1], [2, 2], [3, 3], [1, 1]])]
)
def test_an_outline_without_an_area_is_empty(points: np.ndarray) -> None:
    assert clip_to_image(points, SIZE) == []
