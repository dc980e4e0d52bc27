"""Parse outlines stored as SVG path data, such as `M 11,10 L 111,10 L 111,110 Z`.

W3C, Scalable Vector Graphics 1.1, chapter 8 (paths).
"""

import re
from itertools import pairwise
from typing import Final

#: Points of a curve besides its first one, at equally spaced parameters; with it, as many as a curve of a
#: Bezier mark.
POINTS_PER_CURVE: Final = 9
_TOKEN: Final = re.compile(
    r"[\s,]*(?:([A-Za-z])|([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))", re.ASCII
)
_BLANK: Final = re.compile(r"[\s,]*", re.ASCII)
#: Count of numbers after each command.
_NUMBERS: Final = {"M": 2, "L": 2, "H": 1, "V": 1, "Z": 0, "C": 6, "S": 4, "Q": 4, "T": 2}

_Point = tuple[float, float]


class SvgPathError(ValueError):
    """A string is not SVG path data, or contains several outlines."""


def outline_from_svg(text: str, most_points: int) -> tuple[list[float], list[float]]:
    """Return the points of an outline stored as SVG path data.

    Parameters
    ----------
    text : str
        The commands M, L, H, V, Z and the curves C, S, Q, T, absolute or relative. Curves become points at
        equally spaced parameters. Arcs (A) are not supported.
    most_points : int
        Parsing stops once there are more.

    Returns
    -------
    x, y : list of float
        Empty for a blank string. A closing Z adds no point.

    Raises
    ------
    SvgPathError
        If the string is not SVG path data or contains several outlines.
    """
    tokens, pen = _tokens(text), _Pen()
    place = 0
    command = ""
    while place < len(tokens):
        token = tokens[place]
        if isinstance(token, str):
            command = token
            place += 1
            if command.upper() not in _NUMBERS:
                known = "an elliptical arc" if command in "Aa" else "not a command of SVG paths"
                raise SvgPathError(f"`path` has {command}, {known}")
            if not pen.lines and command not in "Mm":
                raise SvgPathError(f"`path` begins with {command}, expected M")
        elif command in ("", "Z", "z"):
            raise SvgPathError(f"`path` has a number {'after Z' if command else 'first'}, expected M")
        n_numbers = _NUMBERS[command.upper()]
        numbers = tokens[place : place + n_numbers]
        if len(numbers) < n_numbers or any(isinstance(number, str) for number in numbers):
            raise SvgPathError(f"`path` has too few numbers after {command}")
        place += n_numbers
        pen.draw(command, [float(number) for number in numbers])
        # More pairs of numbers after a move are lines.
        command = {"M": "L", "m": "l"}.get(command, command)
        if pen.n_points > most_points:
            break
    return pen.outline()


def _tokens(text: str) -> list[str | float]:
    tokens: list[str | float] = []
    end = 0
    while match := _TOKEN.match(text, end):
        letter, number = match.groups()
        tokens.append(letter or float(number))
        end = match.end()
    blank = _BLANK.match(text, end)
    end = blank.end() if blank else end
    if end < len(text):
        raise SvgPathError(f"`path` is not an SVG path at character {end + 1}")
    return tokens


class _Pen:
    """A pen that draws lines, a new one after each move."""

    def __init__(self) -> None:
        self.lines: list[list[_Point]] = []
        self.place: _Point = (0.0, 0.0)
        self.control: _Point | None = None
        self.previous = ""
        self.closed = False
        self.n_points = 0

    def draw(self, command: str, numbers: list[float]) -> None:
        """Execute a command."""
        kind, x, y = command.upper(), *self.place
        if kind == "Z":
            self.place = self.lines[-1][0]
            self.closed = True
        elif kind in "HV":
            (value,) = numbers
            along = value if command == kind else value + (x if kind == "H" else y)
            self._line_to((along, y) if kind == "H" else (x, along))
        else:
            left, up = (0.0, 0.0) if command == kind else (x, y)
            points = [(a + left, b + up) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
            if kind == "M":
                self.lines.append(points)
                self.place = points[0]
                self.closed = False
            elif kind == "L":
                self._line_to(points[0])
            else:
                self._curve(kind, points)
        self.previous = kind

    def _curve(self, kind: str, points: list[_Point]) -> None:
        if kind in "ST":
            # Reflect the last control point if the previous command was such a curve, else the place.
            continues = self.previous in ("CS" if kind == "S" else "QT") and self.control is not None
            x, y = self.control if continues and self.control else self.place
            points = [(2 * self.place[0] - x, 2 * self.place[1] - y), *points]
        start = self.place
        self.control = points[-2]
        for step in range(1, POINTS_PER_CURVE):
            self._line_to(_on_curve([start, *points], step / POINTS_PER_CURVE))
        self._line_to(points[-1])

    def _line_to(self, place: _Point) -> None:
        if self.closed:
            self.lines.append([self.place])
            self.closed = False
        self.lines[-1].append(place)
        self.place = place
        self.n_points += 1

    def outline(self) -> tuple[list[float], list[float]]:
        """Return the only line; a move without a line counts only if there is no line at all."""
        drawn = [line for line in self.lines if len(line) > 1] or self.lines[:1]
        if len(drawn) > 1:
            raise SvgPathError(f"`path` draws {len(drawn)} outlines, expected one")
        return ([], []) if not drawn else ([x for x, _ in drawn[0]], [y for _, y in drawn[0]])


def _on_curve(points: list[_Point], t: float) -> _Point:
    """Return the point of a Bezier curve at the parameter t, by de Casteljau's algorithm."""
    while len(points) > 1:
        points = [
            ((1 - t) * x + t * next_x, (1 - t) * y + t * next_y)
            for (x, y), (next_x, next_y) in pairwise(points)
        ]
    return points[0]
