"""Provide polygons whose intersection areas are worked by hand, degenerate ones, and random ones."""

import itertools

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, box
from shapely.affinity import rotate, translate

UNIT = box(0, 0, 1, 1)
TRIANGLE = Polygon([(0, 0), (4, 0), (0, 4)])
FRAME = box(0, 0, 9, 9).difference(box(2, 2, 7, 7))

#: Two polygons and the area they share, worked by hand.
BY_HAND = {
    "identical": (TRIANGLE, TRIANGLE, 8),
    "quarter": (UNIT, box(0.5, 0.5, 1.5, 1.5), 0.25),
    "inside": (box(0, 0, 9, 9), box(1, 1, 3, 3), 4),
    "shared edge, other side": (UNIT, box(1, 0, 2, 1), 0),
    "shared level edge, other side": (UNIT, box(0, 1, 1, 2), 0),
    "shared edge, same side": (UNIT, box(0, 0, 0.25, 1), 0.25),
    "touching corners": (UNIT, box(1, 1, 2, 2), 0),
    "apart in y": (UNIT, box(0, 2, 1, 3), 0),
    "apart in x": (UNIT, box(2, 0, 3, 1), 0),
    "boxes overlap, outlines do not": (TRIANGLE, Polygon([(4, 4), (4, 0.5), (0.5, 4)]), 0),
    "corner of a triangle": (TRIANGLE, box(1, 1, 9, 9), 2),
    "sides that cross": (Polygon([(0, 0), (2, 0), (0, 2)]), Polygon([(0, 0), (2, 0), (2, 2)]), 1),
    "sides that cross between levels": (
        Polygon([(0, 0), (2, 3), (0, 3)]),
        Polygon([(2, 0), (2, 3), (0, 3)]),
        1.5,
    ),
    "star of two triangles": (Polygon([(0, 0), (6, 0), (3, 3)]), Polygon([(0, 2), (6, 2), (3, -1)]), 6),
    "lens of two thin triangles": (Polygon([(0, 0), (4, 0), (2, 2)]), Polygon([(0, 2), (4, 2), (2, 0)]), 2),
    "frame and its hole": (FRAME, box(2, 2, 7, 7), 0),
    "frame and what crosses its hole": (FRAME, box(1, 4, 8, 5), 2),
    "frame and itself": (FRAME, FRAME, 56),
    "two columns and a beam": (MultiPolygon([box(0, 0, 1, 5), box(3, 0, 4, 5)]), box(0.5, 1, 3.25, 3), 1.5),
    "teeth": (
        Polygon([(0, 0), (6, 0), (6, 3), (5, 1), (4, 3), (3, 1), (2, 3), (1, 1), (0, 3)]),
        box(0, 2, 6, 3),
        1.5,
    ),
}


def largest_part(polygon):
    return max(shapely.get_parts(polygon), key=lambda part: part.area)


def star(rng, vertices, jitter=0.4, radius=1.0):
    angle = np.sort(rng.uniform(0, 2 * np.pi, vertices))
    reach = radius * rng.uniform(1 - jitter, 1, vertices)
    return largest_part(Polygon(np.column_stack([reach * np.cos(angle), reach * np.sin(angle)])).buffer(0))


def scribble(rng, vertices, snap):
    points = np.cumsum(rng.normal(0, 1, (vertices, 2)), axis=0)
    return largest_part(Polygon(np.round(points) if snap else points).buffer(0))


def zigzag(strokes, angle):
    """Return a ribbon of long strokes up and down: each slab contains a piece of every stroke."""
    x = np.arange(strokes)
    y = 20.0 * (x % 2) + 0.01 * x
    ribbon = Polygon(np.concatenate([np.column_stack([x, y]), np.column_stack([x, y + 1])[::-1]]))
    return rotate(ribbon, angle, origin=(strokes / 2, 10))


DEGENERATE = {
    "slivers": [Polygon([(0, 0), (1, 1e-9 * k), (1, 2e-9 * k), (0, 1e-9)]) for k in (1, 2, 3)],
    "upright slivers": [Polygon([(0, 0), (1e-9 * k, 1), (2e-9 * k, 1), (1e-9, 0)]) for k in (1, 2, 3)],
    "wide slivers": [Polygon([(-1e6, -1e-12 * k), (1e6, 0), (0, 1e-12)]) for k in (1, 2, 3)],
    "spikes": [
        Polygon([(0, 0), (4, 0), (4, 4), (2 + k + 2e-9, 4), (2 + k + 1e-9, 9), (2 + k, 4), (0, 4)])
        for k in (-1, 0, 0.5e-9, 1)
    ],
    "nearly level": [
        Polygon([(0, 0), (1, 1e-16 * k), (2, 0), (2, 1), (1, 1 + 4e-16 * k), (0, 1)]) for k in range(4)
    ],
    "a step of nearly no height": [
        Polygon([(0, 0), (4, 5e-324), (4, 1), (0, 1)]),
        Polygon([(0, 5e-324), (3, 0), (3, 2), (1, 2)]),
    ],
    "steps": [Polygon([(0, 0), (3, 0), (3, k), (2, k), (2, 2), (1, 2), (1, 3), (0, 3)]) for k in (1, 0.5, 2)],
    "boxes on a grid": [box(x, y, x + 2, y + h) for x, y, h in itertools.product((0, 1, 2), (0, 1), (1, 3))],
    "touching holes": [
        Polygon([(0, 0), (8, 0), (8, 8), (0, 8)], [[(2, 2), (4, 2), (4, 4)], [(4, 4), (6, 4), (6, 6)]]),
        Polygon([(0, 0), (8, 0), (8, 8), (0, 8)], [[(0, 4), (2, 2), (2, 6)]]),
        box(1, 1, 5, 5),
    ],
    "rotated by very little": [rotate(box(0, 0, 2, 1), turn) for turn in (0, 1e-9, 1e-6, 1e-3, 45, 90)],
    "moved by very little": [
        translate(TRIANGLE, x, y) for x, y in ((0, 0), (1e-15, 0), (0, 1e-12), (1e-9, 1e-9))
    ],
}
