"""The split into training and validation: by subject, and never to be changed."""

import itertools

import pytest

from polyframe.export.split import side_of

SUBJECTS = [*range(1, 10), *range(1000001, 1000013)]


def validation(share: float, seed: int = 0, subjects: list[int] = SUBJECTS) -> list[int]:
    return [subject for subject in subjects if side_of(subject, share, seed) == "val"]


@pytest.mark.parametrize(
    ("seed", "subjects"),
    [(0, [7, 1000003, 1000006, 1000007]), (1, [1000006]), (7, [3, 4, 7, 8, 1000001, 1000012])],
)
def test_the_split_stays_as_it_is(seed: int, subjects: list[int]) -> None:
    """The hashes are those of `printf 0:7 | sha256sum`; of these subjects, they begin with less than 3333."""
    assert validation(0.2, seed) == subjects


def test_a_larger_share_moves_subjects_only_to_the_validation() -> None:
    subjects = [*range(20_000)]
    sides = [set(validation(share, 3, subjects)) for share in (0, 0.1, 0.2, 0.5, 1)]
    assert [len(side) for side in sides] == pytest.approx([0, 2000, 4000, 10_000, 20_000], abs=250)
    assert all(small <= large for small, large in itertools.pairwise(sides))
    assert (sides[0], sides[-1]) == (set(), set(subjects))
