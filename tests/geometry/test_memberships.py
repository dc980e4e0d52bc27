"""Test memberships against exact arithmetic, and against GEOS faces with one point test each."""

import importlib.util
import itertools
import json
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
import shapely
from area_cases import scribble, star
from degenerate_clusters import MARKS_OF_CELLS, SMALL_GRID, bounded, clusters, nudged, polygons_of, scaled
from exact_oracle import Overlay, marks_of
from hypothesis import given
from hypothesis import strategies as st
from shapely import box
from shapely.affinity import translate

from polyframe.core.ragged import offsets_of
from polyframe.core.reasons import LARGEST_COORDINATE
from polyframe.geometry import membership_arcs, recorded_crossings
from polyframe.geometry.candidate_pairs import all_pairs
from polyframe.geometry.compiled.numba_jit import load
from polyframe.geometry.crossing_areas import crossing_intersection_areas
from polyframe.geometry.engines import engine_named
from polyframe.geometry.memberships import (
    MembershipBlock,
    drop_rounding_errors,
    merge_equal_sets,
    pack_sets,
    repeat_marks,
)
from polyframe.geometry.recorded_crossings import RecordedCrossings

ENGINES = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]
FRAME = box(0, 0, 9, 9).difference(box(2, 2, 7, 7))
SQUARE = box(0, 0, 4, 4)

#: Marks, and the areas that exactly some of them cover, worked by hand.
BY_HAND = {
    "one mark": ([SQUARE], {(0,): 16}),
    "two that overlap": ([SQUARE, box(2, 2, 6, 6)], {(0,): 12, (1,): 12, (0, 1): 4}),
    "two that are apart": ([SQUARE, box(9, 9, 10, 10)], {(0,): 16, (1,): 1}),
    "identical": ([SQUARE] * 3, {(0, 1, 2): 16}),
    "nested": ([SQUARE, box(1, 1, 2, 2), box(0, 0, 3, 3)], {(0,): 7, (0, 2): 8, (0, 1, 2): 1}),
    "a shared edge, on other sides": ([SQUARE, box(4, 1, 5, 2)], {(0,): 16, (1,): 1}),
    "a shared edge, on the same side": ([SQUARE, box(3, 1, 4, 2)], {(0,): 15, (0, 1): 1}),
    "corners that touch": ([SQUARE, box(4, 4, 5, 5), box(0, 0, 1, 1)], {(0,): 15, (1,): 1, (0, 2): 1}),
    "a mark that fills the hole of another": ([FRAME, box(2, 2, 7, 7)], {(0,): 56, (1,): 25}),
    "a mark across a hole": ([FRAME, box(1, 4, 8, 5)], {(0,): 54, (1,): 5, (0, 1): 2}),
    "a frame around a mark in another frame": (
        [FRAME, box(3, 3, 4, 4), box(-9, -9, 18, 18)],
        {(2,): 27**2 - 81 + 24, (0, 2): 56, (1, 2): 1},
    ),
    "three that cross in a point": (
        [box(0, 0, 2, 1), box(0, 0, 1, 2), shapely.Polygon([(0, 0), (2, 0), (0, 2)])],
        {(0,): Fraction(1, 2), (1,): Fraction(1, 2), (0, 2): Fraction(1, 2), (1, 2): Fraction(1, 2)}
        | {(0, 1, 2): 1},
    ),
}


def blocks_of(engine, marks, offsets=None):
    polygons = np.array(marks, dtype=object)
    bounds = np.array([0, len(polygons)]) if offsets is None else offsets
    return list(engine_named(engine).memberships(polygons, bounds))


def areas_by_set(blocks, cluster=0):
    """Add up the areas of each set of a cluster over blocks."""
    areas = defaultdict(float)
    for block in blocks:
        members = np.unpackbits(block.bits.astype("<u8").view(np.uint8), axis=1, bitorder="little")
        for k in np.flatnonzero(block.cluster == cluster).tolist():
            areas[tuple(np.flatnonzero(members[k]).tolist())] += float(block.areas[k])
    return dict(areas)


def check(computed, expected, slack):
    """Check the areas of sets; without a set, its area is 0."""
    for members in {*computed, *expected}:
        assert abs(computed.get(members, 0.0) - float(expected.get(members, 0))) <= slack, members


def exact_areas(marks):
    return {tuple(sorted(members)): area for members, area in Overlay(marks_of(marks)).memberships.items()}


def areas_by_faces(marks):
    """Find memberships from the faces of GEOS and one point test for each."""
    polygons = np.array(marks, dtype=object)
    lines = shapely.get_parts(shapely.node(shapely.multilinestrings(shapely.get_rings(polygons))))
    faces = shapely.get_parts(shapely.polygonize(lines))
    inside = shapely.point_on_surface(faces)
    members = np.stack([shapely.contains_properly(polygon, inside) for polygon in polygons])
    areas = defaultdict(float)
    for column, area in zip(members.T, shapely.area(faces).tolist(), strict=True):
        if column.any():
            areas[tuple(np.flatnonzero(column).tolist())] += area
    return dict(areas)


def check_both(marks):
    expected, total = exact_areas(marks), float(shapely.area(marks).sum())
    # Coordinates are differences of numbers as large as these.
    far = 1e-15 * float(np.abs(shapely.total_bounds(marks)).max()) * float(shapely.length(marks).sum())
    for engine in ENGINES:
        check(areas_by_set(blocks_of(engine, marks)), expected, 1e-9 * total + far)


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("engine", ENGINES)
def test_areas_worked_by_hand(engine, name):
    marks, expected = BY_HAND[name]
    assert areas_by_set(blocks_of(engine, marks)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", BY_HAND)
def test_the_oracle_against_areas_worked_by_hand(name):
    marks, expected = BY_HAND[name]
    assert exact_areas(marks) == expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("snap", [0, 3])
def test_drawn_outlines_against_faces(engine, snap):
    rng = np.random.default_rng(4)
    for count in (1, 2, 5, 12):
        marks = [translate(star(rng, 60, radius=40), *rng.normal(0, 4, 2)) for _ in range(count)]
        marks = [shapely.set_precision(mark, 10.0**-snap) for mark in marks]
        marks = [max(shapely.get_parts(mark), key=shapely.area) for mark in marks]
        total = shapely.area(marks).sum()
        check(areas_by_set(blocks_of(engine, marks)), areas_by_faces(marks), 1e-9 * total)


@pytest.mark.parametrize("engine", ENGINES)
def test_scribbles_with_holes(engine):
    rng = np.random.default_rng(8)
    marks = [scribble(rng, 40, snap) for snap in (True, False) for _ in range(3)]
    assert shapely.get_num_interior_rings(marks).sum() > 0
    check(areas_by_set(blocks_of(engine, marks)), exact_areas(marks), 1e-9 * shapely.area(marks).sum())


@pytest.mark.parametrize("engine", ENGINES)
def test_clusters_do_not_depend_on_one_another(engine):
    rng = np.random.default_rng(3)
    drawn = [
        [translate(star(rng, 30), *rng.normal(0, 0.2, 2)) for _ in range(size)] for size in (3, 0, 1, 70, 9)
    ]
    offsets = offsets_of([len(marks) for marks in drawn])
    together = blocks_of(engine, list(itertools.chain(*drawn)), offsets)
    for block in together:
        assert np.all(np.diff(block.cluster) >= 0)
        assert np.all(block.bits.any(axis=1))
    for cluster, marks in enumerate(drawn):
        assert areas_by_set(together, cluster) == areas_by_set(blocks_of(engine, marks))


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_and_empty_polygons_are_in_no_set(engine):
    marks = [None, SQUARE, shapely.Polygon(), box(2, 2, 6, 6)]
    assert areas_by_set(blocks_of(engine, marks)) == {(1,): 12, (3,): 12, (1, 3): 4}
    assert areas_by_set(blocks_of(engine, [None, shapely.Polygon()])) == {}
    assert areas_by_set(blocks_of(engine, [])) == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_sets_of_several_words(engine):
    # Columns of nested boxes: mark k contains the marks after it.
    marks = [box(0, 0, 300 - k, 1) for k in range(150)]
    expected = {tuple(range(k + 1)): 1 for k in range(149)} | {tuple(range(150)): 151}
    assert areas_by_set(blocks_of(engine, marks)) == pytest.approx(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_many_copies_of_an_outline(engine):
    marks = [SQUARE, box(2, 2, 6, 6)] * 60 + [None, box(2, 2, 3, 3)]
    even, odd = tuple(range(0, 120, 2)), tuple(range(1, 120, 2))
    everything = tuple(range(120))
    assert areas_by_set(blocks_of(engine, marks)) == {even: 12, odd: 12, everything: 3, (*everything, 121): 1}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_largest_coordinates(engine):
    marks = [box(x, x, x + 4, x + 4) for x in (0, 2, 3)]
    far = [translate(mark, LARGEST_COORDINATE - 8, 8 - LARGEST_COORDINATE) for mark in marks]
    assert areas_by_set(blocks_of(engine, far)) == areas_by_set(blocks_of(engine, marks))
    assert areas_by_set(blocks_of(engine, marks)) == exact_areas(marks)


def test_large_clusters_are_spread_over_blocks(monkeypatch):
    rng = np.random.default_rng(6)
    marks = [translate(star(rng, 20), *rng.normal(0, 0.1, 2)) for _ in range(40)]
    whole = areas_by_set(blocks_of("shapely", marks))
    monkeypatch.setattr(membership_arcs, "_BLOCK_WORDS", 500)
    blocks = blocks_of("shapely", marks)
    assert len(blocks) > 3
    check(areas_by_set(blocks), whole, 1e-9)
    # Their crossings are not in memory at the same time either.
    monkeypatch.setattr(membership_arcs, "_MOST_MARKS", 2)
    monkeypatch.setattr(membership_arcs, "_PART_EVENTS", 7 * 16 * 64)
    monkeypatch.setattr(membership_arcs, "_BLOCK_WORDS", 1 << 20)
    blocks = blocks_of("shapely", [*marks, FRAME])
    assert len(blocks) == 6
    monkeypatch.undo()
    check(areas_by_set(blocks), areas_by_set(blocks_of("shapely", [*marks, FRAME])), 1e-9)


@pytest.mark.skipif("compiled" not in ENGINES, reason="needs numba")
def test_parts_of_large_clusters(monkeypatch):
    rng = np.random.default_rng(6)
    marks = [translate(star(rng, 20), *rng.normal(0, 0.1, 2)) for _ in range(70)] + [box(9, 9, 10, 10)]
    offsets = np.array([0, 1, 71])
    whole = blocks_of("compiled", marks, offsets)
    sums = load("membership_sums")
    monkeypatch.setattr(sums, "_MOST_WHOLE", 0)
    monkeypatch.setattr(sums, "_BLOCK", 1)
    monkeypatch.setattr(sums, "_PART_WORDS", 20_000)
    parts = blocks_of("compiled", marks, offsets)
    assert len(parts) > 4
    for cluster in (0, 1):
        check(areas_by_set(parts, cluster), areas_by_set(whole, cluster), 1e-12)


def areas_of_marks_and_pairs(blocks, marks):
    """Return the areas of all marks, and those that pairs share, as sums over sets: a matrix."""
    total = np.zeros((marks, marks))
    for block in blocks:
        bits = np.unpackbits(block.bits.view(np.uint8), axis=1, bitorder="little")[:, :marks].astype(float)
        total += bits.T @ (bits * block.areas[:, None])
    return total


@pytest.mark.parametrize("engine", ENGINES)
def test_areas_of_marks_and_pairs_if_sets_have_several_words(engine, monkeypatch):
    monkeypatch.setattr(membership_arcs, "_memberships_by_faces", not_to_be_called)
    rng = np.random.default_rng(1)
    marks = np.array([translate(star(rng, 12, 0.1), *rng.normal(0, 0.05, 2)) for _ in range(80)])
    left, right = np.triu_indices(len(marks))
    expected = shapely.area(shapely.intersection(marks[left], marks[right]))
    limits = {
        "one block": (),
        "several blocks": ((membership_arcs, "_BLOCK_WORDS", 1 << 12),),
        "parts": ((membership_arcs, "_MOST_MARKS", 2), (membership_arcs, "_PART_EVENTS", 1 << 16)),
    }
    if engine == "compiled":
        limits["parts"] = ((load("membership_sums"), "_MOST_WHOLE", 0),)
    for name, values in limits.items():
        with monkeypatch.context() as context:
            for value in values:
                context.setattr(*value)
            blocks = blocks_of(engine, marks)
        assert (len(blocks) > 1) == (name == "parts" or (name == "several blocks" and engine == "shapely"))
        assert areas_of_marks_and_pairs(blocks, len(marks))[left, right] == pytest.approx(expected, abs=1e-9)


def not_to_be_called(*_):
    raise AssertionError("crossings are searched again, or faces are built")


@pytest.mark.parametrize("engine", ENGINES)
def test_known_crossings_give_the_same_bytes(engine, monkeypatch):
    rng = np.random.default_rng(6)
    marks = np.array(
        [translate(star(rng, 20), *rng.normal(0, 0.1, 2)) for _ in range(30)]
        + [FRAME, box(1, 1, 8, 8), SQUARE, SQUARE, box(1, 0, 2, 4), shapely.Polygon([(0, 0), (9, 9), (0, 9)])]
        + [scribble(rng, 40, True), translate(FRAME, 0.5, 0.25)],
        dtype=object,
    )
    groups = np.array([0, 30, 38])
    functions = engine_named(engine)
    crossings = functions.group_crossings(marks, groups)
    left, right = all_pairs(groups)
    for some in (slice(None, None, 2), slice(1, None, 2)):
        crossings.intersection_areas(marks, left[some], right[some])
    # Two clusters of the first group, and an outlier.
    members = np.array([*range(0, 28, 2), *range(1, 30, 2), *range(30, 38)])
    offsets = np.array([0, 14, 29, 37])
    (searched,) = functions.memberships(marks[members], offsets)
    if engine == "shapely":
        monkeypatch.setattr("polyframe.geometry.mark_crossings.overlapping_boxes", not_to_be_called)
    else:
        monkeypatch.setattr(load("sorted_blocks"), "find_crossings", not_to_be_called)
    (known,) = functions.memberships(marks[members], offsets, (crossings, members))
    assert np.array_equal(known.areas, searched.areas)
    assert np.array_equal(known.bits, searched.bits)
    assert np.array_equal(known.cluster, searched.cluster)


def test_only_clusters_with_unknown_pairs_are_searched():
    rng = np.random.default_rng(7)
    marks = np.array([translate(star(rng, 20), *rng.normal(0, 0.1, 2)) for _ in range(12)], dtype=object)
    groups = np.array([0, 6, 12])
    left, right = all_pairs(groups)
    crossings = RecordedCrossings(marks, groups)
    kept = np.arange(len(left)) != 2  # a pair of the first group
    areas = crossings.intersection_areas(marks, left[kept], right[kept])
    assert np.array_equal(areas, crossing_intersection_areas(marks, left[kept], right[kept]))
    members, offsets = np.array([0, 1, 3, 4, 6, 7, 8, 11]), np.array([0, 4, 8])
    assert crossings.among(members, offsets).is_known.tolist() == [False, True]
    in_reverse = np.array([4, 2, 1, 0, 11, 8, 7, 6])
    assert crossings.among(in_reverse, offsets).is_known.tolist() == [True, True]
    for some in (members, in_reverse):
        known = list(engine_named("shapely").memberships(marks[some], offsets, (crossings, some)))
        searched = blocks_of("shapely", marks[some], offsets)
        for cluster in (0, 1):
            assert areas_by_set(known, cluster) == areas_by_set(searched, cluster)


def test_large_groups_are_not_recorded(monkeypatch):
    monkeypatch.setattr(recorded_crossings, "_MOST_MARKS", 2)
    marks = np.array([SQUARE, box(2, 2, 6, 6), SQUARE, box(3, 3, 6, 6), SQUARE], dtype=object)
    groups = np.array([0, 3, 5])
    crossings = RecordedCrossings(marks, groups)
    areas = crossings.intersection_areas(marks, *all_pairs(groups))
    assert areas.tolist() == [4, 16, 4, 1]
    assert crossings.among(np.arange(5), groups).is_known.tolist() == [False, True]


@pytest.mark.skipif("compiled" not in ENGINES, reason="needs numba")
def test_clusters_that_the_walk_cannot_handle(monkeypatch):
    offsets = np.array([0, 2, 4, 5])
    marks = [SQUARE, box(2, 2, 6, 6), SQUARE, box(3, 3, 6, 6), SQUARE]
    whole = blocks_of("compiled", marks, offsets)
    sums = load("membership_sums")
    # As if a check had failed.
    monkeypatch.setattr(sums, "drop_rounding_errors", lambda block, _: (block, np.array([1])))
    blocks = blocks_of("compiled", marks, offsets)
    assert [1 in block.cluster for block in blocks] == [False, True]
    for cluster in range(3):
        check(areas_by_set(blocks, cluster), areas_by_set(whole, cluster), 1e-12)
    # Too small for the exact predicates.
    tiny = [shapely.transform(mark, lambda points: points * 1e-70) for mark in marks]
    areas = areas_by_set(blocks_of("compiled", tiny, offsets))
    assert areas == pytest.approx({(0,): 12e-140, (1,): 12e-140, (0, 1): 4e-140})


def test_interpreted_loops_give_the_same_sets():
    rng = np.random.default_rng(6)
    marks = [translate(star(rng, 20), *rng.normal(0, 0.1, 2)) for _ in range(6)] + [FRAME, box(1, 1, 8, 8)]
    code = """
import sys
sys.modules["numba"] = None
import numpy as np, shapely
from polyframe.geometry.compiled.membership_sums import walk_memberships
marks = shapely.from_wkb(sys.argv[1:])
(block,) = walk_memberships(marks, np.array([0, len(marks)]))
print([[int(word), area] for (word,), area in zip(block.bits.tolist(), block.areas.tolist())])
"""
    interpreted = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *shapely.to_wkb(marks, hex=True)],
        capture_output=True,
        text=True,
        check=True,
    )
    areas = defaultdict(float)
    for word, area in json.loads(interpreted.stdout):
        areas[tuple(bit for bit in range(64) if word >> bit & 1)] += area
    check(dict(areas), areas_by_set(blocks_of("shapely", marks)), 1e-9 * float(shapely.area(marks).sum()))


def test_equal_sets_are_added_up_in_each_cluster():
    bits = np.array([[5], [0], [5], [1 << 63], [5]], dtype=np.uint64)
    block = merge_equal_sets(np.array([1.0, 9.0, 2.0, 4.0, 8.0]), bits, np.array([1, 1, 1, 0, 0]))
    assert areas_by_set([block], 0) == {(63,): 4, (0, 2): 8}
    assert areas_by_set([block], 1) == {(0, 2): 3}
    assert block.counts().tolist() == [int(word).bit_count() for word in block.bits[:, 0]]


@pytest.mark.parametrize("marks", [64, 130, 200])
def test_sets_that_differ_in_few_marks_are_kept_apart(marks):
    rng = np.random.default_rng(marks)
    members = np.tile(rng.random(marks) < 0.5, (marks * (marks - 1) // 2, 1))
    one, other = np.triu_indices(marks, 1)
    rows = np.arange(len(members))
    members[rows, one] ^= True
    members[rows, other] ^= True
    order = rng.permutation(2 * len(members)) % len(members)
    bits = pack_sets(members)[order]
    block = merge_equal_sets(np.ones(len(bits)), bits, np.zeros(len(bits), dtype=np.int64))
    assert len(block.areas) == len(members)
    assert np.all(block.areas == 2)


def test_equal_hashes_change_no_sum(monkeypatch):
    monkeypatch.setattr("polyframe.geometry.memberships._hashes", lambda bits: np.zeros(len(bits), np.uint64))
    bits = np.array([[5], [3], [5]], dtype=np.uint64)
    block = merge_equal_sets(np.array([1.0, 2.0, 4.0]), bits, np.zeros(3, dtype=np.int64))
    assert areas_by_set([block]) == {(0, 2): 5, (0, 1): 2}


def test_rounding_errors_are_dropped_and_negative_areas_reported():
    bits = np.array([[1], [2], [3], [1]], dtype=np.uint64)
    block = MembershipBlock(np.array([1.0, 1e-16, -1e-15, -0.5]), bits, np.array([0, 0, 0, 1]))
    kept, wrong = drop_rounding_errors(block, np.array([1.0, 1.0]))
    assert areas_by_set([kept]) == {(0,): 1.0}
    assert wrong.tolist() == [1]


def test_sets_contain_their_marks():
    members = np.zeros((3, 130), dtype=np.bool_)
    members[0, [0, 63]], members[1, [64, 129]], members[2, 127] = True, True, True
    block = MembershipBlock(np.ones(3), pack_sets(members), np.zeros(3, dtype=np.int64))
    for mark in range(130):
        assert np.array_equal(block.contains(np.full(3, mark)), members[:, mark])
    assert not np.any(block.contains(np.array([-1, 192, 1000])))


def test_repeated_marks_are_in_the_sets_of_their_first_copy():
    block = MembershipBlock(np.ones(2), np.array([[1], [2]], dtype=np.uint64), np.zeros(2, dtype=np.int64))
    repeated = repeat_marks(block, np.array([0] * 70 + [1]))
    assert areas_by_set([repeated]) == {tuple(range(70)): 1, (70,): 1}


@bounded(30)
@given(clusters(SMALL_GRID, (2, 5)))
def test_shared_vertices_and_edges(paths):
    check_both(polygons_of(paths))


@pytest.mark.slow
@bounded(120)
@given(clusters(SMALL_GRID, (2, 5)), st.sampled_from([0.1, 1 / 3, 0.01, 2.54]))
def test_fractions_of_a_pixel(paths, scale):
    check_both(polygons_of(scaled(paths, scale)))


@pytest.mark.slow
@bounded(120)
@given(
    clusters(SMALL_GRID, (2, 5)),
    st.sampled_from([0.02, 1e-4, 1e-6, 1e-12]),
    st.randoms(use_true_random=False),
)
def test_slivers(paths, width, random):
    check_both(polygons_of(nudged(paths, width, random)))


@pytest.mark.slow
@bounded(60)
@given(MARKS_OF_CELLS)
def test_marks_made_of_cells(marks):
    check_both(marks)


def test_faces_are_used_if_areas_are_negative(monkeypatch):
    rng = np.random.default_rng(31)
    clusters = [[star(rng, 30) for _ in range(count)] for count in (4, 7)]
    marks, offsets = np.array([*clusters[0], *clusters[1]], dtype=object), np.array([0, 4, 11])
    (whole,) = membership_arcs.cluster_memberships(marks, offsets)
    monkeypatch.setattr(membership_arcs, "drop_rounding_errors", lambda block, _: (block, np.array([1])))
    blocks = list(membership_arcs.cluster_memberships(marks, offsets))
    for cluster in (0, 1):
        expected, computed = (
            {
                tuple(bits): area
                for block in some
                for area, bits, owner in zip(block.areas, block.bits.tolist(), block.cluster, strict=True)
                if owner == cluster and area > 1e-9
            }
            for some in ([whole], blocks)
        )
        assert computed == pytest.approx(expected, abs=1e-9)
    assert [np.unique(block.cluster).tolist() for block in blocks] == [[1], [0]]
