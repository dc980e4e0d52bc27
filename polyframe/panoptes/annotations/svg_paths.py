"""Outlines that are stored as SVG path text, such as `M 11,10 L 111,10 L 111,110 Z`."""

import re
from itertools import pairwise
from typing import Final

#: Points of a curve beside its first one, at equally spaced parameters; with the first, as many as a
#: quadratic curve of a Bezier mark has.
POINTS_PER_CURVE: Final = 9
_TOKEN: Final = re.compile(
    r"[\s,]*(?:([A-Za-z])|([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))", re.ASCII
)
_BLANK: Final = re.compile(r"[\s,]*", re.ASCII)
#: How many numbers follow each command.
_NUMBERS: Final = {"M": 2, "L": 2, "H": 1, "V": 1, "Z": 0, "C": 6, "S": 4, "Q": 4, "T": 2}

_Point = tuple[float, float]


class SvgPathError(ValueError):
    """A text is not an SVG path, or not one of a single outline."""


def outline_from_svg(text: str, most_points: int) -> tuple[list[float], list[float]]:
    """Return the points of an outline that is stored as SVG path text.

    Parameters
    ----------
    text : str
        The commands M, L, H, V, Z and the curves C, S, Q, T, absolute or relative. Curves become points at
        equally spaced parameters. Arcs (A) are not read.
    most_points : int
        Reading stops once there are more.

    Returns
    -------
    x, y : list of float
        Empty for a blank text. A closing Z adds no point.

    Raises
    ------
    SvgPathError
        Where the text is not an SVG path, or draws several outlines; the message says where, or what.
    """
    tokens, kept = _tokens(text), _Outlines()
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
            if not kept.lines and command not in "Mm":
                raise SvgPathError(f"`path` begins with {command}, expected M")
        elif command in ("", "Z", "z"):
            raise SvgPathError(f"`path` has a number {'after Z' if command else 'first'}, expected M")
        n_numbers = _NUMBERS[command.upper()]
        numbers = tokens[place : place + n_numbers]
        if len(numbers) < n_numbers or any(isinstance(number, str) for number in numbers):
            raise SvgPathError(f"`path` has too few numbers after {command}")
        place += n_numbers
        kept.draw(command, [float(number) for number in numbers])
        # Further pairs of numbers after a move are lines.
        command = {"M": "L", "m": "l"}.get(command, command)
        if kept.n_points > most_points:
            break
    return kept.the_outline()


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


class _Outlines:
    """The lines that a pen has drawn, one for each move that came before it."""

    def __init__(self) -> None:
        self.lines: list[list[_Point]] = []
        self.pen: _Point = (0.0, 0.0)
        self.control: _Point | None = None
        self.before = ""
        self.closed = False
        self.n_points = 0

    def draw(self, command: str, numbers: list[float]) -> None:
        """Carry out one command."""
        kind, x, y = command.upper(), *self.pen
        if kind == "Z":
            self.pen = self.lines[-1][0]
            self.closed = True
        elif kind in "HV":
            (value,) = numbers
            along = value if command == kind else value + (x if kind == "H" else y)
            self._to((along, y) if kind == "H" else (x, along))
        else:
            left, up = (0.0, 0.0) if command == kind else (x, y)
            places = [(a + left, b + up) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
            if kind == "M":
                self.lines.append(places)
                self.pen = places[0]
                self.closed = False
            elif kind == "L":
                self._to(places[0])
            else:
                self._curve(kind, places)
        self.before = kind

    def _curve(self, kind: str, places: list[_Point]) -> None:
        if kind in "ST":
            # The reflection of the control point of a curve of this kind just before, else the pen.
            follows = self.before in ("CS" if kind == "S" else "QT") and self.control is not None
            x, y = self.control if follows and self.control else self.pen
            places = [(2 * self.pen[0] - x, 2 * self.pen[1] - y), *places]
        start = self.pen
        self.control = places[-2]
        for step in range(1, POINTS_PER_CURVE):
            self._to(_on_curve([start, *places], step / POINTS_PER_CURVE))
        self._to(places[-1])

    def _to(self, place: _Point) -> None:
        if self.closed:
            self.lines.append([self.pen])
            self.closed = False
        self.lines[-1].append(place)
        self.pen = place
        self.n_points += 1

    def the_outline(self) -> tuple[list[float], list[float]]:
        """Return the only line; a move after which nothing is drawn counts only where nothing else does."""
        drawn = [line for line in self.lines if len(line) > 1] or self.lines[:1]
        if len(drawn) > 1:
            raise SvgPathError(f"`path` draws {len(drawn)} outlines, expected one")
        return ([], []) if not drawn else ([x for x, _ in drawn[0]], [y for _, y in drawn[0]])


def _on_curve(places: list[_Point], t: float) -> _Point:
    """Return the point of a Bezier curve at the parameter t, by the algorithm of de Casteljau."""
    while len(places) > 1:
        places = [
            ((1 - t) * x + t * next_x, (1 - t) * y + t * next_y)
            for (x, y), (next_x, next_y) in pairwise(places)
        ]
    return places[0]
