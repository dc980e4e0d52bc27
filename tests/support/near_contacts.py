"""Draw clusters whose outlines nearly touch, so that a rounding step decides whether contours are valid."""

import numpy as np
import shapely

ANGLES = (np.pi / 2, np.pi / 3, np.pi / 4, 0.1, 1e-3, 1e-6, 1e-9, 1e-12)


def near_contacts(seed):
    """Return marks of one object: stars, moved or turned copies, vertices on edges of others."""
    rng = np.random.default_rng(seed)
    decimals, count, size = rng.integers(0, 4), int(rng.integers(2, 9)), rng.choice([4, 12, 60])
    marks = []
    while len(marks) < count:
        kind = rng.integers(0, 4)
        if kind == 0 or not marks:
            points = star(rng, size, decimals)
        else:
            points = corners(rng, marks)[:-1]
            if kind == 1:
                points = rotated(rng, points, decimals)
            elif kind == 2:
                points = with_vertices_on_edges(rng, points, marks)
            else:
                by = rng.choice([0, 10.0**-decimals, 1e-13, 0.1], 2)
                points = np.roll(points, int(rng.integers(len(points))), 0) + by
        mark = shapely.Polygon(points)
        if not mark.is_valid:
            mark = shapely.buffer(mark, 0)
            mark = shapely.Polygon(mark.exterior) if mark.geom_type == "Polygon" else shapely.Polygon()
        if mark.is_valid and mark.area > 1e-6:
            marks.append(mark)
    return marks


def star(rng, size, decimals):
    angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 14))))
    reach = size * rng.uniform(0.4, 1, len(angle))
    return np.round(np.stack([np.cos(angle), np.sin(angle)], 1) * reach[:, None] + 50, decimals)


def rotated(rng, points, decimals):
    angle = rng.choice(ANGLES)
    centre = points[int(rng.integers(len(points)))] if rng.integers(2) else np.array([50.0, 50.0])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = (points - centre) @ turn + centre
    return np.round(turned, decimals) if rng.integers(2) else turned


def with_vertices_on_edges(rng, points, marks):
    moved = points.copy()
    for i in range(len(moved)):
        if rng.uniform() < 0.4:
            outline = corners(rng, marks)
            j = int(rng.integers(len(outline) - 1))
            moved[i] = outline[j] + rng.choice([0, 0.5, rng.uniform()]) * (outline[j + 1] - outline[j])
    return moved


def corners(rng, marks):
    return shapely.get_coordinates(marks[int(rng.integers(len(marks)))])
