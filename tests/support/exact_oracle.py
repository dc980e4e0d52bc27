"""Compute contours and intersections in rational arithmetic: a test oracle, independent of both engines.

The plane is cut into vertical slabs at every vertex and every crossing, and each slab into cells by the edges
that span it. No edge ends or crosses another inside a slab, so a cell is a trapezoid with one depth and an
exact area. Cells that share a piece of edge of positive length are neighbours; cells that touch in a point
are not. So regions that touch only in a point are different parts, and a region that is connected to the
outside only by a point is a hole.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import shapely

Point = tuple[Fraction, Fraction]
Ring = list[Point]
Mark = list[Ring]
Segment = tuple[Point, Point]


@dataclass(frozen=True)
class Cell:
    """A trapezoid between two edges, in one slab; unbounded cells have no area.

    Attributes
    ----------
    members : frozenset of int
        The marks that contain it.
    area : Fraction
    left, right : pair of Fraction
        Its lower and upper y on the left and on the right side of its slab; None is infinity.
    """

    members: frozenset[int]
    area: Fraction | None
    left: tuple[Fraction | None, Fraction | None]
    right: tuple[Fraction | None, Fraction | None]

    @property
    def depth(self) -> int:
        """How many marks contain it."""
        return len(self.members)


class Overlay:
    """The cells of some marks, each of them a list of rings with an even-odd interior."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self.count = len(marks)
        edges = [
            (*sorted(pair), number)
            for number, mark in enumerate(marks)
            for ring in mark
            for pair in itertools.pairwise([*ring, ring[0]])
        ]
        sides = [edge for edge in edges if edge[0][0] != edge[1][0]]
        cuts = {point[0] for edge in edges for point in edge[:2]}
        cuts |= {
            crossing[0]
            for one, other in itertools.combinations(sides, 2)
            if (crossing := crossing_of(one[:2], other[:2]))
        }
        self.cells: list[Cell] = []
        self.neighbours: list[tuple[int, int]] = []
        before = self._add_slab(Fraction(0), Fraction(0), [])  # everything to the left
        for start, end in itertools.pairwise(sorted(cuts)):
            slab = self._add_slab(start, end, [side for side in sides if side[0][0] <= start < side[1][0]])
            self._join(before, slab)
            before = slab
        self._join(before, self._add_slab(Fraction(0), Fraction(0), []))

    def _add_slab(
        self, start: Fraction, end: Fraction, sides: Iterable[tuple[Point, Point, int]]
    ) -> list[int]:
        middle = (start + end) / 2
        rows: dict[Fraction, list[tuple[Point, Point, int]]] = defaultdict(list)
        for side in sides:
            rows[_height(side, middle)].append(side)
        inside: set[int] = set()
        left: Fraction | None = None
        right: Fraction | None = None
        first = len(self.cells)
        for _, row in sorted(rows.items()):
            top_left, top_right = _height(row[0], start), _height(row[0], end)
            area = None
            if left is not None and right is not None:
                area = (top_left - left + top_right - right) * (end - start) / 2
            self.cells.append(Cell(frozenset(inside), area, (left, top_left), (right, top_right)))
            for *_, mark in row:
                inside ^= {mark}
            left, right = top_left, top_right
        assert not inside
        self.cells.append(Cell(frozenset(), None, (left, None), (right, None)))
        numbers = list(range(first, len(self.cells)))
        self.neighbours += itertools.pairwise(numbers)
        return numbers

    def _join(self, before: list[int], slab: list[int]) -> None:
        i = j = 0
        while i < len(before) and j < len(slab):
            one, other = self.cells[before[i]].right, self.cells[slab[j]].left
            low = max((y for y in (one[0], other[0]) if y is not None), default=None)
            high = min((y for y in (one[1], other[1]) if y is not None), default=None)
            if low is None or high is None or low < high:
                self.neighbours.append((before[i], slab[j]))
            ends = high is None or one[1] == high, high is None or other[1] == high
            i, j = i + ends[0], j + ends[1]

    def parts(self, level: int) -> list[list[int]]:
        """Return the parts of the region where at least `level` marks overlap, as cells."""
        components = self._components(lambda cell: self.cells[cell].depth >= level)
        return [part for part in components if self.area(part) > 0]

    def area(self, cells: Iterable[int]) -> Fraction:
        """Return the area of some cells."""
        return sum((self.cells[cell].area or Fraction(0) for cell in cells), Fraction(0))

    def filled_area(self, part: list[int]) -> Fraction:
        """Return the area of a part, including its holes."""
        cells = set(part)
        others = self._components(lambda cell: cell not in cells)
        holes = [hole for hole in others if all(self.cells[cell].area is not None for cell in hole)]
        return self.area(part) + sum((self.area(hole) for hole in holes), Fraction(0))

    def largest_parts(self, level: int) -> list[list[int]]:
        """Return the largest parts of a level, several on ties, none without an area.

        Coordinates are rounded, so areas within a fraction of 1e-12 are tied.
        """
        parts = self.parts(level)
        most = max((self.area(part) for part in parts), default=Fraction(0))
        return [part for part in parts if self.area(part) >= most * (1 - Fraction(1, 10**12))]

    @cached_property
    def contour_areas(self) -> list[list[Fraction]]:
        """Return the areas of all contours, holes filled: for each level those of tied parts."""
        levels = [
            [self.filled_area(part) for part in self.largest_parts(level)]
            for level in range(1, self.count + 1)
        ]
        return list(itertools.takewhile(bool, levels))

    @cached_property
    def common_areas(self) -> list[Fraction]:
        """Return the areas of the average `intersection`, holes excluded: 0, or those of tied parts."""
        return [self.area(part) for part in self.largest_parts(self.count)] or [Fraction(0)]

    @cached_property
    def memberships(self) -> dict[frozenset[int], Fraction]:
        """Return the area that exactly some marks cover, for each set of marks with an area."""
        areas: dict[frozenset[int], Fraction] = defaultdict(Fraction)
        for cell in self.cells:
            if cell.members and cell.area:
                areas[cell.members] += cell.area
        return dict(areas)

    def area_from_depth(self, level: int) -> Fraction:
        """Return the area of the whole level."""
        return self.area(cell for cell, known in enumerate(self.cells) if known.depth >= level)

    def _components(self, chosen: Callable[[int], bool]) -> list[list[int]]:
        root = {cell: cell for cell in range(len(self.cells)) if chosen(cell)}

        def find(cell: int) -> int:
            while root[cell] != cell:
                root[cell] = root[root[cell]]
                cell = root[cell]
            return cell

        for one, other in self.neighbours:
            if one in root and other in root:
                root[find(one)] = find(other)
        members = defaultdict(list)
        for cell in root:
            members[find(cell)].append(cell)
        return list(members.values())


def crossing_of(one: Segment, other: Segment) -> Point | None:
    """Return the intersection point of two segments, or None if there is none or they are parallel."""
    (ax, ay), (bx, by) = one
    (cx, cy), (dx, dy) = other
    if max(ax, bx) < min(cx, dx) or max(cx, dx) < min(ax, bx):
        return None
    if max(ay, by) < min(cy, dy) or max(cy, dy) < min(ay, by):
        return None
    whole = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
    if whole == 0:
        return None
    along = Fraction((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / whole
    across = Fraction((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / whole
    if not (0 <= along <= 1 and 0 <= across <= 1):
        return None
    return ax + along * (bx - ax), ay + along * (by - ay)


def marks_of(polygons: Iterable[shapely.Polygon]) -> list[Mark]:
    """Return polygons with their exact coordinates."""
    return [
        [
            [(Fraction(x), Fraction(y)) for x, y in ring.coords[:-1]]
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        for polygon in polygons
    ]


def _height(side: tuple[Point, Point, int], x: Fraction) -> Fraction:
    (ax, ay), (bx, by) = side[:2]
    return ay + (by - ay) * (x - ax) / (bx - ax)
