"""Test SVG path data against points computed by hand from the SVG specification."""

import numpy as np
import pytest

from polyframe.panoptes.annotations.svg_paths import SvgPathError, outline_from_svg

TRIANGLE = [(1.0, 2.0), (3.0, 4.0), (5.0, 0.0)]


def points(text, most=1000):
    return list(zip(*outline_from_svg(text, most), strict=True))


def near(places):
    return pytest.approx(np.array(places))


@pytest.mark.parametrize(
    "text",
    [
        "M 1,2 L 3,4 L 5,0",
        "M1 2 3 4 5 0",
        "m1,2 2,2 2-4",
        "M1,2l2,2L5,0z",
        "  M1\t2\nL3,4,5,0 Z  ",
        "M 1 2 M 1 2 L 3 4 L 5 0",
        "M 1 2 L 3 4 L 5 0 Z M 9 9",
        "M+1.0e0,.2e1L3.,4 5 0",
        "M9 9m-8-7 2 2 2-4",
    ],
)
def test_ways_to_write_the_same_triangle(text):
    assert points(text) == TRIANGLE


def test_horizontal_and_vertical_lines():
    square = [(11.0, 10.0), (111.0, 10.0), (111.0, 110.0), (11.0, 110.0)]
    assert points("M 11,10 H 111 V 110 H 11 Z") == points("m 11,10 h 100 v 100 h -100 z") == square
    assert points("M 0 0 H 1 2 3") == [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]


def test_curves_become_points_at_equally_spaced_parameters():
    # x of a quadratic curve with the control points 0, 0, 9 is 9 t^2; of a cubic one with 0, 0, 0, 27 it is
    # 27 t^3.
    quadratic = [(t * t / 9, float(2 * t)) for t in range(10)]
    assert np.array(points("M0,0 Q0,9 9,18")) == near(quadratic)
    cubic = [(t**3 / 27, float(t)) for t in range(10)]
    for text in ("M0,0 C0,3 0,6 27,9", "M0,0c0,3 0,6 27,9"):
        assert np.array(points(text)) == near(cubic)


def test_smooth_curves_reflect_the_previous_control_point():
    assert np.array(points("M0,0 Q5,10 10,0 T20,0")) == near(points("M0,0 Q5,10 10,0 Q15,-10 20,0"))
    assert np.array(points("M0,0 Q5,10 10,0 t10,0 10,0")) == near(
        points("M0,0Q5,10 10,0Q15-10 20,0Q25 10 30 0")
    )
    assert np.array(points("M0,0 C1,5 8,5 9,0 S20,1 18,0")) == near(
        points("M0,0C1,5 8,5 9,0C10,-5 20,1 18,0")
    )
    # Without a previous control point, it is the current point.
    assert np.array(points("M0,0 T18,9")) == near(points("M0,0 Q0,0 18,9"))
    assert np.array(points("M0,0 Q5,10 10,0 S20,1 18,0")) == near(points("M0,0 Q5,10 10,0 C10,0 20,1 18,0"))


@pytest.mark.parametrize(("text", "expected"), [("", []), (" ", []), ("M 1 2", [(1.0, 2.0)])])
def test_paths_without_lines(text, expected):
    assert points(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("M 0 0 A 1 1 0 0 1 2 2", "A, an elliptical arc"),
        ("M 0 0 a1 1 0 00 2 2", "a, an elliptical arc"),
        ("M 0 0 B 1 1", "B, not a command"),
        ("L 1 2 3 4", "begins with L"),
        ("Z", "begins with Z"),
        ("1 2 3 4", "a number first"),
        ("M 0 0 L 1 1 Z 5 5", "a number after Z"),
        ("M 0 0 L 1", "too few numbers after L"),
        ("M 0 L 1 2", "too few numbers after M"),
        ("M 0 0 L 1 1; 2 2", "at character 12"),
        ("drawing.svg", "at character 8"),
        ("\u0661 \u0662", "at character 1"),
        ("M0 0 1 0 1 1Z M5 5 6 5 6 6Z", "draws 2 outlines"),
        ("M0 0 1 0 1 1Z L5 5", "draws 2 outlines"),
    ],
)
def test_paths_that_are_not_one_outline_are_errors(text, message):
    with pytest.raises(SvgPathError, match=message):
        points(text)


def test_parsing_stops_soon_after_the_largest_number_of_points():
    assert 100 < len(points("M0 0" + "L1 1" * 1000, most=100)) < 110


def test_any_text_is_parsed_or_an_error_in_linear_time():
    for text in (
        "M" * 10**6,
        "1" * 10**6,
        " " * 10**6,
        "M0 0" + "-" * 10**6,
        "M0 0" + "1e" * 10**5,
        "." * 10**6,
    ):
        with pytest.raises(SvgPathError):
            raise SvgPathError(str(len(points(text))))
