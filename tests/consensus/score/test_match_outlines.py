"""Matches with the outlines of an expert: hand cases, brute force, and the matching of COCO."""

import itertools

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from polyframe.consensus.score.match_outlines import OutlinePairs, best_matches, overlapping_pairs
from polyframe.consensus.score.outlines import OUTLINE_SCHEMA, KeyedOutlines

NUMBERS = st.integers(0, 3)
#: Pairs of small numbers with weights of which no two sums are equal by accident.
WEIGHTS = st.dictionaries(st.tuples(NUMBERS, NUMBERS), st.integers(500, 1000), max_size=10)
#: Above .5: two gold outlines that do not overlap may both have an IoU of exactly .5 with another outline.
LEAST = 0.55
BOXES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(0, 6), st.integers(1, 9), st.integers(1, 9)),
    max_size=6,
)


def outlines(boxes: list[tuple[int, int, int, int, int]]) -> KeyedOutlines:
    """Return boxes as outlines: subject, left, top, width, height."""
    polygons = np.array([shapely.box(x, y, x + w, y + h) for _, x, y, w, h in boxes], dtype=object)
    keys = pl.DataFrame(
        [(subject, "T0", 0, "T0_toolIndex0") for subject, *_ in boxes], OUTLINE_SCHEMA, orient="row"
    )
    return KeyedOutlines(keys, polygons, np.array([polygon.area for polygon in polygons], float))


def pairs_of(weights: dict[tuple[int, int], int]) -> OutlinePairs:
    scored, gold = np.array(list(weights), int).reshape(-1, 2).T
    return OutlinePairs(scored, gold, np.array(list(weights.values()), float) / 1000)


def best_sum(weights: dict[tuple[int, int], float]) -> float:
    """Return the largest sum of a one-to-one matching, by trying all of them."""
    rows = sorted({row for row, _ in weights})
    columns: list[int | None] = [*{column for _, column in weights}, *(None for _ in rows)]
    return max(
        sum(
            weights.get((row, column), 0)
            for row, column in zip(rows, order, strict=False)
            if column is not None
        )
        for order in itertools.permutations(columns, len(rows))
    )


@given(WEIGHTS)
def test_the_sum_is_the_largest_of_all_matchings(weights: dict[tuple[int, int], int]) -> None:
    matches = best_matches(pairs_of(weights))
    chosen = list(zip(matches.scored.tolist(), matches.gold.tolist(), strict=True))
    assert set(chosen) <= set(weights)
    for side in zip(*chosen, strict=True):
        assert len(side) == len(set(side))
    assert sum(weights[pair] for pair in chosen) == (best_sum(weights) if weights else 0)
    assert matches.iou.tolist() == [weights[pair] / 1000 for pair in chosen]


@given(st.lists(WEIGHTS, min_size=2, max_size=3))
def test_each_drawer_is_matched_alone(drawn: list[dict[tuple[int, int], int]]) -> None:
    """The outlines of the k-th drawer are numbered from 10 k; the gold outlines are the same for all."""
    together = {(10 * k + row, column): w for k, one in enumerate(drawn) for (row, column), w in one.items()}
    pairs = pairs_of(together)
    matches = best_matches(pairs, pairs.scored // 10)
    alone = [best_matches(pairs_of(one)) for one in drawn]
    scored = np.concatenate([10 * k + one.scored for k, one in enumerate(alone)])
    assert matches.scored.tolist() == scored.tolist()
    assert matches.gold.tolist() == np.concatenate([one.gold for one in alone]).tolist()


def test_the_best_pair_is_not_always_chosen() -> None:
    """Greedily, 1 takes the second gold outline, and 0 is left without one."""
    matches = best_matches(pairs_of({(0, 1): 600, (1, 1): 800, (1, 0): 700}))
    assert (matches.scored.tolist(), matches.gold.tolist()) == ([0, 1], [1, 0])


@given(BOXES, BOXES, st.sampled_from([0.0, 0.3, 0.5, 0.75]))
def test_pairs_equal_those_of_a_naive_comparison(scored: list, gold: list, least: float) -> None:
    found = overlapping_pairs(outlines(scored), outlines(gold), least)
    expected = {}
    for (i, a), (k, b) in itertools.product(enumerate(scored), enumerate(gold)):
        if a[0] != b[0]:
            continue
        width = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
        height = min(a[2] + a[4], b[2] + b[4]) - max(a[2], b[2])
        shared = max(width, 0) * max(height, 0)
        iou = shared / (a[3] * a[4] + b[3] * b[4] - shared)
        if iou >= least and iou > 0:
            expected[i, k] = iou
    assert list(zip(found.scored.tolist(), found.gold.tolist(), strict=True)) == sorted(expected)
    assert found.iou == pytest.approx([expected[pair] for pair in sorted(expected)], abs=1e-12)


def test_an_iou_of_exactly_a_half_is_enough() -> None:
    found = overlapping_pairs(outlines([(0, 0, 0, 10, 10)]), outlines([(0, 0, 0, 10, 5)]), 0.5)
    assert found.iou.tolist() == [0.5]


def test_empty_outlines_match_nothing() -> None:
    some = outlines([(0, 0, 0, 4, 4)])
    empty = KeyedOutlines(some.keys, np.array([shapely.Polygon()]), np.zeros(1))
    for one, other in ((some, empty), (empty, some), (empty, empty), (outlines([]), some)):
        assert not len(overlapping_pairs(one, other, 0.0).iou)


def coco_matches(scored: list, gold: list) -> set[tuple[int, int]]:
    """Return the matches of pycocotools."""
    coco, cocoeval = (pytest.importorskip(f"pycocotools.{name}") for name in ("coco", "cocoeval"))
    images = [{"id": subject, "width": 32, "height": 32} for subject in (0, 1)]
    sides: list = []
    for boxes in (gold, scored):
        annotations = [
            {
                "id": number,
                "image_id": subject,
                "category_id": 1,
                "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                "area": w * h,
                "bbox": [x, y, w, h],
                "iscrowd": 0,
                "score": 1 / number,
            }
            for number, (subject, x, y, w, h) in enumerate(boxes, start=1)
        ]
        side = coco.COCO()
        side.dataset = {"images": images, "categories": [{"id": 1, "name": "T0"}], "annotations": annotations}
        side.createIndex()
        sides.append(side)
    evaluation = cocoeval.COCOeval(*sides, iouType="segm")
    evaluation.params.iouThrs = np.array([LEAST])
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e9]], ["all"]
    evaluation.evaluate()
    return {
        (dt - 1, int(gt) - 1)
        for image in filter(None, evaluation.evalImgs)
        for dt, gt in zip(image["dtIds"], image["dtMatches"][0], strict=True)
        if gt
    }


@settings(max_examples=40)
@given(BOXES, BOXES)
def test_the_matches_of_coco(scored: list, gold: list) -> None:
    """COCO matches greedily by score. If gold outlines do not overlap, it matches the same ones.

    Then an outline has an IoU above .5 with at most one of them, and if outlines do not overlap either, there
    is no choice at all.
    """
    gold, others = apart(gold), apart(scored)
    for boxes in (scored, others):
        matches = best_matches(overlapping_pairs(outlines(boxes), outlines(gold), LEAST))
        pairs = set(zip(matches.scored.tolist(), matches.gold.tolist(), strict=True))
        expected = coco_matches(boxes, gold)
        assert {k for _, k in pairs} == {k for _, k in expected}
    assert pairs == expected


def test_coco_matches_fewer_than_possible_if_objects_overlap() -> None:
    """The first outline is nearer to the second gold one, which is the only one near the other outline."""
    gold = [(0, 0, 0, 10, 8), (0, 0, 0, 10, 10)]
    scored = [(0, 0, 0, 10, 9), (0, 0, 0, 10, 17)]
    matches = best_matches(overlapping_pairs(outlines(scored), outlines(gold), 0.5))
    assert matches.scored.tolist() == [0, 1]
    assert matches.iou.sum() == pytest.approx(8 / 9 + 10 / 17)
    assert len(coco_matches(scored, gold)) == 1


def apart(boxes: list) -> list:
    """Return boxes of which none overlaps another."""
    chosen: list = []
    for box in boxes:
        (polygon,) = outlines([box]).polygons
        shared = [
            outlines([one]).polygons[0].intersection(polygon).area for one in chosen if one[0] == box[0]
        ]
        if not any(shared):
            chosen.append(box)
    return chosen
