"""Test that the functions of `polyframe.geometry` accept any iterable, and read it once."""

import numpy as np
import pytest
from shapely import box

from polyframe import geometry as g

MARKS = [box(0, 0, 2, 2), None, box(1, 0, 3, 2), box(0, 1, 2, 3)]
MATRIX = g.iou_distance_matrix(MARKS)

CALLS = {
    "iou_distance_matrix": lambda form: g.iou_distance_matrix(form(MARKS), form(["a", "b", "c", "a"])),
    "consensus": lambda form: g.consensus(form(MATRIX)),
    "average_union": lambda form: g.average_union(form(MARKS)),
    "average_intersection": lambda form: g.average_intersection(form(MARKS)),
    "average_majority": lambda form: g.average_majority(form(MARKS), form(MATRIX)),
    "average_median": lambda form: g.average_median(form(MARKS), form(MATRIX)),
    "average_last": lambda form: g.average_last(form(MARKS), form(["2025-01-01", "2024-01-01"] * 2)),
    "contours": lambda form: g.contours(form(MARKS)),
    "raster_contours": lambda form: g.raster_contours(form(MARKS)),
    "polygons_from_paths": lambda form: g.polygons_from_paths(
        form([form([0, 1, 1]), form([5, 6, 6, 5])]), form([form([0, 0, 1]), form([5, 5, 6, 6])])
    ),
}


def test_every_public_function_is_called():
    assert sorted(CALLS) == sorted(g.__all__)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("form", [iter, tuple, lambda values: (value for value in values)])
def test_any_iterable_is_accepted(name, form):
    result, expected = CALLS[name](form), CALLS[name](list)
    assert np.array_equal(result, expected)
    assert not isinstance(expected, float) or 0 < expected < 1
