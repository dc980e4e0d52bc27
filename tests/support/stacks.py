"""Define stacks of marks with contours worked by hand, for the tests of both ways to contours."""

import itertools

import numpy as np
import shapely
from shapely import box

FRAME = box(0, 0, 9, 9).difference(box(2, 2, 7, 7))
SQUARES = [box(x, y, x + 1, y + 1) for x, y in ((0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5))]
LEFT_C = shapely.Polygon([(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (4, 4), (4, 5), (0, 5)])
RIGHT_C = shapely.affinity.scale(LEFT_C, -1, 1, origin=(4, 0))
TRIANGLE = shapely.Polygon([(0, 0), (4, 0), (2, 3)])

#: Stacks of marks, and the areas of their contours worked by hand; None if those can only be compared.
STACKS = {
    "four squares": (SQUARES, [2.25, 1.25, 0.25, 0.25]),
    "one": ([TRIANGLE], [6]),
    "the same mark three times": ([TRIANGLE] * 3, [6, 6, 6]),
    "the same mark from other vertices": (
        [TRIANGLE, shapely.Polygon([(2, 3), (0, 0), (4, 0)]), shapely.Polygon([(4, 0), (0, 0), (2, 3)])],
        [6, 6, 6],
    ),
    "apart: the larger": ([box(0, 0, 1, 1), box(5, 5, 7, 7)], [4]),
    "an edge in common is one part": ([box(0, 0, 1, 1), box(1, 0, 2, 1), box(9, 9, 10, 10)], [2]),
    "a part of an edge in common": ([box(0, 0, 1, 3), box(1, 1, 2, 2)], [4]),
    "a slanted edge in common": ([TRIANGLE, shapely.Polygon([(4, 0), (4, 3), (2, 3)])], [9]),
    "a point in common is two parts": ([box(0, 0, 1, 1), box(1, 1, 3, 3)], [4]),
    "a vertex on an edge is two parts": ([box(0, 0, 3, 3), shapely.Polygon([(3, 1), (4, 0), (4, 2)])], [9]),
    "nested": ([box(0, 0, 9, 9), box(1, 1, 4, 4), box(2, 2, 3, 3)], [81, 9, 1]),
    "nested, on the edge": ([box(0, 0, 9, 9), box(0, 0, 4, 4), box(0, 2, 3, 3)], [81, 16, 3]),
    "a hole is filled": ([FRAME], [81]),
    "inside a hole": ([FRAME, box(3, 3, 6, 6)], [81]),
    "a hole that another mark fills": ([FRAME, box(2, 2, 7, 7)], [81]),
    "across a hole": ([FRAME, box(1, 1, 8, 8)], [81, 49]),
    "larger than the frame around it": (
        [box(0, 0, 9, 9).difference(box(0.1, 0.1, 8.9, 8.9)), box(1, 1, 8, 8)],
        [49],
    ),
    "smaller than the filled frame, but larger than its area": (
        [box(0, 0, 10, 10).difference(box(1, 1, 9, 9)), box(20, 0, 26, 5)],
        [100],
    ),
    "two C close a ring along edges": ([LEFT_C, RIGHT_C], [40]),
    "two C close a ring by overlap": (
        [LEFT_C, shapely.union(shapely.affinity.translate(RIGHT_C, -0.5), box(3, 0, 4, 1))],
        [37.5, 1],
    ),
    "a C that touches itself in a corner, with a lid": (
        [shapely.union(box(0, 0, 3, 1), box(0, 0, 1, 3)), shapely.union(box(1, 2, 3, 3), box(2, 1, 3, 3))],
        [9],
    ),
    "two U whose intersection has two parts": (
        [
            shapely.Polygon([(0, 0), (5, 0), (5, 4), (4, 4), (4, 1), (1, 1), (1, 4), (0, 4)]),
            shapely.Polygon([(0, 5), (5, 5), (5, 2), (3, 2), (3, 4), (1, 4), (1, 3), (0, 3)]),
        ],
        [25, 2],
    ),
    "crossing in the middle of edges": ([box(0, 1, 3, 2), box(1, 0, 2, 3)], [5, 1]),
    "three lines through one point": (
        [
            box(-3, -1, 0, 2),
            shapely.Polygon([(-2, -2), (2, 2), (-2, 2)]),
            shapely.Polygon([(0, -3), (0, 3), (3, 3), (3, -3)]),
        ],
        None,
    ),
    "a spike": (
        [shapely.Polygon([(0, 0), (4, 0), (4, 2), (2, 2), (2, 9), (1.999, 2), (0, 2)]), box(1, 1, 3, 5)],
        None,
    ),
    "slivers": ([box(0, 0, 1000, 1e-5), box(0, 5e-6, 1000, 1), box(0, 0, 1e-7, 1)], None),
    "only missing and empty": ([None, shapely.Polygon()], []),
    "no marks": ([], []),
    "missing marks are ignored": ([None, *SQUARES, shapely.Polygon()], [2.25, 1.25, 0.25, 0.25]),
    "inside a hole, touching it": ([FRAME, box(2, 2, 6, 6)], [81]),
    "two that close a ring": ([box(0, 0, 4, 1), box(0, 3, 4, 4), box(0, 0, 1, 4), box(3, 0, 4, 4)], [16, 1]),
    "corners that close a ring": ([box(1, 0, 2, 1), box(0, 1, 1, 2), box(2, 1, 3, 2), box(1, 2, 2, 3)], [1]),
    "the same mark twice, and one moved": ([box(0, 0, 2, 1), box(0, 0, 2, 1), box(1, 0, 3, 1)], [3, 2, 1]),
    "the same rectangle three times": ([box(0, 0, 2, 1)] * 3, [2, 2, 2]),
}


def as_array(marks):
    """Return marks as an array of objects."""
    return np.array(list(marks), dtype=object)


def together(stacks):
    """Return the marks of several stacks in one array, and their offsets."""
    return as_array(itertools.chain(*stacks)), np.cumsum([0, *map(len, stacks)])
