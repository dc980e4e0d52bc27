"""Test that blocks of clusters are sorted once, and that nobody notices."""

import numpy as np
import pytest
import shapely
from area_cases import star
from shapely import box
from shapely.affinity import translate

pytest.importorskip("numba", reason="the compiled loops need the extra `fast` (numba)")

from polyframe.geometry.compiled import sorted_blocks
from polyframe.geometry.compiled.depth_walk import walk_contours
from polyframe.geometry.compiled.group_crossings import find_group_crossings
from polyframe.geometry.compiled.membership_sums import walk_memberships

OFFSETS = np.array([0, 9, 18, 24])


@pytest.fixture(scope="module")
def marks():
    """Return two clusters of stars, and one of outlines that touch, share edges and have a hole."""
    rng = np.random.default_rng(11)
    stars = [translate(star(rng, 12), *rng.normal(0, 0.1, 2)) for _ in range(18)]
    frame = box(0, 0, 9, 9).difference(box(2, 2, 7, 7))
    others = [
        frame,
        box(0, 0, 9, 9),
        box(1, 1, 8, 8),
        box(4, 0, 9, 5),
        box(2, 2, 7, 7),
        translate(frame, 1, 0),
    ]
    return np.array([*stars, *others], dtype=object)


def contours(marks, offsets, known):
    return list(vars(walk_contours(marks, offsets, known=known).rings).values())


def memberships(marks, offsets, known):
    return [
        column for block in walk_memberships(marks, offsets, known) for column in (block.areas, block.bits)
    ]


def same(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))


def test_one_block_serves_memberships_and_contours(marks, monkeypatch):
    everyone = np.arange(len(marks))
    expected = contours(marks, OFFSETS, None), memberships(marks, OFFSETS, None)
    known = find_group_crossings(marks, OFFSETS), everyone
    assert same(memberships(marks, OFFSETS, known), expected[1])
    monkeypatch.setattr(sorted_blocks, "sort_block", lambda *_: pytest.fail("sorted again"))
    for _ in range(2):
        assert same(contours(marks, OFFSETS, known), expected[0])
        assert same(memberships(marks, OFFSETS, known), expected[1])


def test_a_block_is_only_for_the_same_clusters(marks):
    known = find_group_crossings(marks, OFFSETS[[0, 2, 3]]), np.arange(len(marks))
    memberships(marks, OFFSETS, known)
    # As many marks, with the same first one: of other clusters, and other ones.
    for offsets in ([0, 10, 18, 24], [0, 4, 9, 18, 24]):
        assert same(contours(marks, np.array(offsets), known), contours(marks, np.array(offsets), None))
    chosen = np.array([0, *range(10, 18)])
    memberships(marks[chosen], np.array([0, 9]), (known[0], chosen))
    chosen = np.array([0, 9, *range(11, 18)])
    found = contours(marks[chosen], np.array([0, 9]), (known[0], chosen))
    assert same(found, contours(marks[chosen], np.array([0, 9]), None))


def test_blocks_are_kept_up_to_a_limit(marks):
    vertices = shapely.get_num_coordinates(marks).sum()
    known = find_group_crossings(marks, OFFSETS), np.arange(len(marks))
    known[0].blocks.room = int(vertices)  # less than all crossings and segments
    expected = memberships(marks, OFFSETS, None)
    assert same(memberships(marks, OFFSETS, known), expected)
    assert not known[0].blocks.kept
    assert same(memberships(marks, OFFSETS, known), expected)
