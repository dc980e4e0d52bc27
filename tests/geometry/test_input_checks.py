"""Test that all functions treat None, empty, multi-part and invalid polygons, and other objects, the same."""

import datetime
import importlib.util

import numpy as np
import pytest
import shapely
from shapely import box

from polyframe import geometry as g

NOW = datetime.datetime(2025, 1, 30, tzinfo=datetime.UTC)
with np.errstate(invalid="ignore"):
    WITH_NAN = shapely.from_wkt("POLYGON ((0 0, NaN 1, 2 2, 0 0))")
BOW_TIE = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
TWO_PARTS = shapely.MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 6)])


def matrix_for(marks):
    """Return a distance matrix of that size, in which all distances are 1."""
    return 1.0 - np.eye(len(marks))


#: Every function of polygons.
OF_MARKS = {
    "iou_distance_matrix": g.iou_distance_matrix,
    "average_union": g.average_union,
    "average_intersection": g.average_intersection,
    "average_majority": g.average_majority,
    "average_median": lambda marks, **engine: g.average_median(
        marks, matrix_for(marks) if hasattr(marks, "__len__") else [[0]], **engine
    ),
    "average_last": lambda marks, **engine: g.average_last(
        marks, [NOW] * (len(marks) if hasattr(marks, "__len__") else 1), **engine
    ),
    "contours": g.contours,
    "raster_contours": g.raster_contours,
}
#: The others.
OF_OTHERS = {
    "consensus": lambda engine: g.consensus([[0, 0.5], [0.5, 0]], engine=engine),
    "polygons_from_paths": lambda engine: (
        g.polygons_from_paths([[0, 1, 1]], [[0, 0, 1]], engine=engine)[0].area
    ),
}
ENGINES = ["auto", "shapely"] + ["compiled"] * (importlib.util.find_spec("numba") is not None)


def test_every_public_function_is_tested():
    assert sorted([*OF_MARKS, *OF_OTHERS]) == sorted(g.__all__)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OF_MARKS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (TWO_PARTS, r"polygons\[1\] is a MultiPolygon, expected a Polygon; pass one of its parts"),
        (shapely.MultiPolygon([box(0, 0, 1, 1)]), r"polygons\[1\] is a MultiPolygon"),
        (BOW_TIE, r"polygons\[1\] is not valid \(Self-intersection\[1 1\]\); polygons_from_paths repairs"),
        (shapely.Polygon([(0, 0), (1, 1), (2, 2)]), r"polygons\[1\] is not valid"),
        (WITH_NAN, r"polygons\[1\] is not valid"),
        (shapely.Point(1, 1), r"polygons\[1\] is a Point, expected a Polygon"),
        (shapely.LinearRing([(0, 0), (1, 0), (1, 1)]), r"polygons\[1\] is a LinearRing, expected a Polygon"),
        (box(0, 0, 1, 1).wkb, r"polygons\[1\] is a bytes, expected a Polygon; shapely\.from_wkb"),
        ("POLYGON EMPTY", r"polygons\[1\] is a str, expected a Polygon; shapely\.from_wkt"),
        ({"type": "Polygon"}, r"polygons\[1\] is a dict, expected a Polygon; shapely\.geometry\.shape"),
        ([(0, 0), (1, 0), (1, 1)], r"polygons\[1\] is a list, expected a Polygon"),
        (7, r"polygons\[1\] is a int, expected a Polygon"),
        (np.nan, r"polygons\[1\] is a float, expected a Polygon"),
    ],
)
def test_an_element_that_is_not_a_mark_is_named_by_its_index(name, engine, bad, message):
    with pytest.raises(ValueError, match=message):
        OF_MARKS[name]([box(0, 0, 1, 1), bad, box(0, 0, 1, 1)], engine=engine)


@pytest.mark.parametrize("name", OF_MARKS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "polygons is NoneType, expected a list"),
        (box(0, 0, 1, 1), "polygons is a Polygon, expected a list"),
        (7, "polygons is int, expected a list"),
        ("POLYGON EMPTY", "polygons is str, expected a list"),
        (b"", "polygons is bytes, expected a list"),
        ({"a": box(0, 0, 1, 1)}, "polygons is dict, expected a list"),
        (np.zeros((4, 2)), r"polygons\[0\] is a ndarray, expected a Polygon"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_polygons_that_are_not_a_list_raise(name, bad, message):
    with pytest.raises(ValueError, match=message):
        OF_MARKS[name](bad)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "nothing", [None, shapely.Polygon(), shapely.MultiPolygon(), shapely.GeometryCollection()], ids=str
)
def test_none_and_empty_polygons_are_ignored(nothing, engine):
    # Two squares of 4 that share 2, worked by hand, with missing marks before, between and after them.
    one, other = box(0, 0, 2, 2), box(1, 0, 3, 2)
    marks = [nothing, one, nothing, other, nothing]
    distances = g.iou_distance_matrix(marks, engine=engine)
    expected = 1.0 - np.eye(5)
    expected[1, 3] = expected[3, 1] = 1 - 2 / 6
    assert distances == pytest.approx(expected, abs=1e-12)
    assert g.average_median(marks, distances, engine=engine) is one
    assert g.average_last(marks, [None, NOW, None, NOW, None], engine=engine) is one
    assert g.average_union(marks, engine=engine).area == pytest.approx(6)
    assert g.average_intersection(marks, engine=engine).area == pytest.approx(2)
    assert shapely.area(g.contours(marks, engine=engine)) == pytest.approx([6, 2])
    assert len(g.raster_contours(marks, engine=engine)) == 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("marks", [[], [None], [shapely.Polygon(), None]], ids=len)
@pytest.mark.parametrize("name", OF_MARKS)
def test_results_without_any_mark(name, marks, engine):
    result = OF_MARKS[name](marks, engine=engine)
    if name == "iou_distance_matrix":
        assert np.array_equal(result, matrix_for(marks))
    elif name.startswith("average"):
        assert result.equals(shapely.Polygon())
        assert result.geom_type == "Polygon"
    else:
        assert result == []


@pytest.mark.parametrize("name", [*OF_MARKS, *OF_OTHERS])
@pytest.mark.parametrize("engine", ["geos", "", None, 7, ["auto"]])
def test_unknown_engines_raise(name, engine):
    call = OF_OTHERS.get(name, lambda engine: OF_MARKS[name]([box(0, 0, 1, 1)], engine=engine))
    with pytest.raises(ValueError, match=r"engine: .* is not one of auto, shapely, compiled"):
        call(engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_that_do_not_depend_on_the_engine_accept_every_engine(engine):
    assert [call(engine) for call in OF_OTHERS.values()] == [0.5, 0.5]


def test_polygons_may_have_holes_and_heights():
    frame = box(0, 0, 4, 4).difference(box(1, 1, 2, 2))
    high = shapely.Polygon([(0, 0, 7), (4, 0, 7), (4, 4, 7), (0, 4, 7)])
    for engine in ENGINES:
        assert g.iou_distance_matrix([frame, high], engine=engine)[0, 1] == pytest.approx(1 / 16)
        assert shapely.area(g.contours([frame, high], engine=engine)) == pytest.approx([16, 16])


@pytest.mark.parametrize(
    ("volunteers", "message"),
    [
        ("ab", "volunteers is str, expected a list"),
        (7, "volunteers is int, expected a list"),
        (["a", ["b"]], r"volunteers\[1\] is a list, expected a name or a number"),
        (["a", np.zeros(2)], r"volunteers\[1\] is a ndarray, expected a name or a number"),
        (["a"], "2 polygons, but 1 volunteer"),
    ],
    ids=["text", "number", "list", "array", "short"],
)
def test_invalid_volunteers_raise(volunteers, message):
    with pytest.raises(ValueError, match=message):
        g.iou_distance_matrix([box(0, 0, 1, 1)] * 2, volunteers)


def test_missing_values_of_pandas_are_neither_names_nor_times():
    pandas = pytest.importorskip("pandas", reason="pandas is missing: the extra `test`")
    names = pandas.array(["a", None, None, "a"], dtype="string")
    matrix = g.iou_distance_matrix([box(0, 0, 1, 1)] * 4, names)
    assert np.argwhere(np.isinf(matrix)).tolist() == [[0, 3], [3, 0]]
    times = pandas.to_datetime(pandas.Series(["2025-01-30", None]))
    with pytest.raises(ValueError, match=r"created_at\[1\] is not a time"):
        g.average_last([box(0, 0, 1, 1)] * 2, times)
    later = pandas.to_datetime(pandas.Series(["2025-01-30", "2025-01-31"]))
    assert g.average_last([box(0, 0, 1, 1), box(0, 0, 2, 1)], later).area == 2


@pytest.mark.parametrize(
    ("xs", "ys", "message"),
    [
        (None, [[0, 1]], "xs is NoneType, expected a list"),
        ([[0, 1]], 7, "ys is int, expected a list"),
        ([["a", "b"]], [[0, 1]], r"xs\[0\] is not a list of numbers"),
        ([[0, 1]], [[[0, 1], [2]]], r"ys\[0\] is not a list of numbers"),
        ([[[0, 1], [2, 3]]], [[0, 1]], r"xs\[0\] is of shape \(2, 2\), not the coordinates of a path"),
        ([[0, 1, 1], None], [[0, 0, 1], None], r"xs\[1\] is None, not the coordinates of a path"),
    ],
)
def test_invalid_paths_raise(xs, ys, message):
    with pytest.raises(ValueError, match=message):
        g.polygons_from_paths(xs, ys)


def test_a_path_without_numbers_has_no_polygon():
    polygons = g.polygons_from_paths([[], [0, 1, 1], [0, 1, None]], [[], [0, 0, 1], [0, 0, 1]])
    assert [mark is None for mark in polygons] == [True, False, True]


@pytest.mark.parametrize("points", [1, 0, -3, 10_001, 10.5, "100", None, True])
def test_invalid_grid_sizes_raise(points):
    with pytest.raises(ValueError, match=r"num_grid_points must be an integer from 2 to 10000 \(got "):
        g.raster_contours([box(0, 0, 1, 1)], num_grid_points=points)


@pytest.mark.parametrize("matrix", [None, "abc", [[0, 1], [1]], [["a"]], 7])
def test_invalid_matrices_raise(matrix):
    with pytest.raises(ValueError, match="a distance matrix is square"):
        g.consensus(matrix)
    with pytest.raises(ValueError, match="a distance matrix is square"):
        g.average_median([box(0, 0, 1, 1)], matrix)
    with pytest.raises(ValueError, match="a distance matrix is square and not empty"):
        g.consensus(g.iou_distance_matrix([]))
