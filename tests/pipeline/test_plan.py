"""Partitions contain every subject once, are not too large, and keep their borders."""

import itertools
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyframe.pipeline.partitions import Border, Partition, partitions_of, plan_borders, split_partition
from polyframe.store.subject_ranges import within_range

TARGET = 1000

#: Subjects with their sizes in bytes; some are larger than a partition.
subject_weights = st.dictionaries(
    st.integers(-50, 400),
    st.integers(1, 600) | st.integers(1, 3 * TARGET) | st.sampled_from([TARGET // 4, TARGET // 2, TARGET]),
    max_size=40,
)


def subjects_of(weights: dict[int, int], *, without_subject: int = 0) -> pl.DataFrame:
    """Return a result of `used_subjects`, with ids as hashes, so that sums can be checked."""
    ids: list[int | None] = sorted(weights)
    sizes = [weights[subject] for subject in sorted(weights)]
    if without_subject:
        ids, sizes = [None, *ids], [without_subject, *sizes]
    hashes = [7 if subject is None else subject % 2**64 for subject in ids]
    return pl.DataFrame(
        {"subject_id": ids, "rows": 1, "bytes": sizes, "content": hashes, "places": hashes[::-1]},
        schema={"subject_id": pl.Int64, "rows": pl.Int64, "bytes": pl.Int64}
        | dict.fromkeys(("content", "places"), pl.UInt64),
    )


def ranges(weights: dict[int, int], borders: list[Border]) -> list[list[int]]:
    """Return the subjects between the borders, by checking each subject."""
    firsts = [border.first_subject for border in borders[1:]]
    subjects: list[list[int]] = [[] for _ in borders]
    for subject in sorted(weights):
        subjects[sum(first <= subject for first in firsts if first is not None)].append(subject)
    return subjects


def greedy(weights: dict[int, int]) -> list[list[int]]:
    """Fill one partition after the other from the left."""
    partitions: list[list[int]] = [[]]
    for subject in sorted(weights):
        if partitions[-1] and sum(weights[s] for s in partitions[-1]) + weights[subject] > TARGET:
            partitions.append([])
        partitions[-1].append(subject)
    return partitions


def file_names(borders: list[Border]) -> list[str]:
    return [f"part-{border.name}.parquet" for border in borders]


def batches(values: list[int], number: int) -> list[list[int]]:
    size = max(1, len(values) // number)
    return [values[begin : begin + size] for begin in range(0, len(values), size)]


def last_of(weights: dict[int, int]) -> int | None:
    return max(weights, default=None)


@given(subject_weights)
def test_the_first_plan_fills_partitions_from_the_left(weights: dict[int, int]) -> None:
    borders = plan_borders(subjects_of(weights), TARGET)
    assert ranges(weights, borders) == greedy(weights)
    assert [border.name for border in borders] == [f"{k:05d}" for k in range(len(borders))]
    assert borders[0].first_subject is None


@given(subject_weights)
def test_a_second_plan_of_the_same_subjects_changes_nothing(weights: dict[int, int]) -> None:
    subjects = subjects_of(weights)
    first = plan_borders(subjects, TARGET)
    assert plan_borders(subjects, TARGET, first, last_of(weights)) == first


@given(subject_weights, st.lists(st.integers(1, 3 * TARGET), max_size=30), st.integers(1, 4))
def test_appended_subjects_give_the_plan_of_a_first_run(
    weights: dict[int, int], more: list[int], steps: int
) -> None:
    grown, known = dict(weights), last_of(weights)
    borders = plan_borders(subjects_of(grown), TARGET)
    for step in batches(more, steps):
        first_new = (last_of(grown) or 0) + 1
        grown |= {first_new + k: weight for k, weight in enumerate(step)}
        later = plan_borders(subjects_of(grown), TARGET, borders, known)
        assert later[: len(borders)] == borders
        borders, known = later, last_of(grown)
    assert borders == plan_borders(subjects_of(grown), TARGET)


@given(st.lists(subject_weights, min_size=2, max_size=5), st.sampled_from([50, 300, 1000, 5000]))
def test_any_change_keeps_the_borders(exports: list[dict[int, int]], other_size: int) -> None:
    """Subjects are added, removed and resized anywhere, and the partition size changes once."""
    borders: list[Border] = []
    known = None
    for k, weights in enumerate(exports):
        target = other_size if k == 1 else TARGET
        subjects = subjects_of(weights)
        kept, borders = borders, plan_borders(subjects, target, borders, known)
        firsts = [border.first_subject for border in borders]
        assert firsts[0] is None
        assert firsts[1:] == sorted(set(firsts[1:]))
        names = file_names(borders)
        assert names == sorted(set(names))
        # Each old range is now one or several ranges whose names begin with the old name.
        assert {border.first_subject for border in kept} <= set(firsts)
        old = {border.first_subject: border.name for border in kept}
        new = {border.first_subject: border.name for border in borders}
        assert all(new[first].startswith(name) for first, name in old.items())
        for inside in ranges(weights, borders):
            assert len(inside) < 2 or sum(weights[s] for s in inside) <= 2 * target
        assert plan_borders(subjects, target, borders, last_of(weights)) == borders
        known = last_of(weights)


def test_a_partition_may_be_exactly_full() -> None:
    weights = dict.fromkeys(range(6), TARGET // 2)
    for kept in ([], [Border("00000", None)]):
        borders = plan_borders(subjects_of(weights), TARGET, kept, None)
        assert [border.first_subject for border in borders] == [None, 2, 4]


def test_a_grown_partition_is_split_in_place() -> None:
    before = dict.fromkeys(range(10, 100, 10), 300)
    borders = plan_borders(subjects_of(before), TARGET)
    grown = before | dict.fromkeys(range(41, 48), 300)
    later = plan_borders(subjects_of(grown), TARGET, borders, 90)
    assert [(b.name, b.first_subject) for b in later] == [
        ("00000", None),
        ("00001-00", 40),
        ("00001-01", 43),
        ("00001-02", 46),
        ("00001-03", 60),
        ("00002", 70),
    ]
    again = plan_borders(
        subjects_of(grown | dict.fromkeys((48, 49, 51, 52, 53, 54, 55), 300)), TARGET, later, 90
    )
    assert [b.name for b in again][3:7] == ["00001-02-00", "00001-02-01", "00001-02-02", "00001-02-03"]
    assert file_names(again) == sorted(file_names(again))


def test_a_last_partition_that_was_split_is_followed_by_a_new_number() -> None:
    before = dict.fromkeys(range(3), 300)
    borders = plan_borders(subjects_of(before), TARGET)
    grown = dict.fromkeys(range(3), 900)
    later = plan_borders(subjects_of(grown | {3: 10}), TARGET, borders, 2)
    assert [(b.name, b.first_subject) for b in later] == [
        ("00000-00", None),
        ("00000-01", 1),
        ("00000-02", 2),
        ("00001", 3),
    ]


def test_a_much_too_large_partition_is_split_into_the_intended_size() -> None:
    """For example, after `--partition-size 1000` and then 8."""
    weights = dict.fromkeys(range(5000), 100)
    subjects = subjects_of(weights)
    borders = plan_borders(subjects, TARGET, plan_borders(subjects, 10**6), 4999)
    assert max(len(inside) for inside in ranges(weights, borders)) <= 2 * TARGET // 100
    assert file_names(borders) == sorted(file_names(borders))
    assert plan_borders(subjects, TARGET, borders, 4999) == borders


@pytest.mark.parametrize("without_subject", [0, 5000])
def test_no_subjects(without_subject: int) -> None:
    subjects = subjects_of({}, without_subject=without_subject)
    borders = plan_borders(subjects, TARGET)
    assert borders == [Border("00000", None)]
    assert plan_borders(subjects, TARGET, borders, None) == borders
    (partition,) = partitions_of(subjects, borders)
    assert (partition.first_subject, partition.next_subject) == (None, None)
    assert int(partition.content, 16) == (7 if without_subject else 0)


def test_rows_without_a_subject_belong_to_the_first_partition() -> None:
    subjects = subjects_of(dict.fromkeys((-5, 1, 2, 3), 600), without_subject=600)
    partitions = partitions_of(subjects, plan_borders(subjects, TARGET))
    assert int(partitions[0].content, 16) == (7 - 5) % 2**64
    within = [
        subjects.filter(within_range("subject_id", p.first_subject, p.next_subject))["subject_id"].to_list()
        for p in partitions
    ]
    assert within == [[None, -5], [1], [2], [3]]


@pytest.mark.parametrize("first", [None, 0])
@pytest.mark.parametrize("following", [None, 20_000])
def test_a_range_with_open_ends_filters_any_number_of_rows(first: int | None, following: int | None) -> None:
    subjects = pl.DataFrame({"subject_id": [None, *range(20_000)]}, schema={"subject_id": pl.Int64})
    inside = subjects.filter(within_range("subject_id", first, following))
    assert inside.height == 20_000 + (first is None)


def sums(subjects: pl.DataFrame, partition: Partition) -> tuple[int, int]:
    """Return the sums of the hashes within a range, added up in Python."""
    own = subjects.filter(within_range("subject_id", partition.first_subject, partition.next_subject))
    return sum(own["content"].to_list()) % 2**64, sum(own["places"].to_list()) % 2**64


@given(subject_weights, st.integers(0, 3 * TARGET), st.sampled_from([1, 2, 3, 7, 500]))
def test_partitions_and_their_pieces_contain_all_subjects(
    weights: dict[int, int], without_subject: int, pieces: int
) -> None:
    subjects = subjects_of(weights, without_subject=without_subject)
    partitions = partitions_of(subjects, plan_borders(subjects, TARGET))
    for wholes in (partitions, [piece for p in partitions for piece in split_partition(p, subjects, pieces)]):
        assert wholes[0].first_subject is None
        assert wholes[-1].next_subject is None
        for one, following in itertools.pairwise(wholes):
            assert one.next_subject == following.first_subject
        for partition in wholes:
            assert (int(partition.content, 16), int(partition.places, 16)) == sums(subjects, partition)
            within = within_range("subject_id", partition.first_subject, partition.next_subject)
            assert partition.rows == subjects.filter(within).height
        names = [f"part-{partition.name}.parquet" for partition in wholes]
        assert names == sorted(set(names))


@given(st.dictionaries(st.integers(1, 100), st.integers(1, 300), min_size=2, max_size=30))
def test_a_split_makes_smaller_pieces(weights: dict[int, int]) -> None:
    subjects = subjects_of(weights)
    whole = Partition("00004", 1, 101, "", "", len(weights))
    pieces = split_partition(whole, subjects)
    assert len(pieces) > 1
    assert [piece.name for piece in pieces] == [f"00004-{k:02d}" for k in range(len(pieces))]
    assert (pieces[0].first_subject, pieces[-1].next_subject) == (1, 101)
    parts = [subjects.filter(within_range("subject_id", p.first_subject, p.next_subject)) for p in pieces]
    assert all(part.height for part in parts)
    half = -(-sum(weights.values()) // 2)
    assert all(part.height == 1 or part["bytes"].sum() <= half for part in parts)


def test_a_single_subject_cannot_be_split() -> None:
    partition = Partition("00001", 5, 9, "", "", 1)
    assert split_partition(partition, subjects_of({5: 10**9, 9: 1})) == [partition]


def test_hashes_wrap_around() -> None:
    rows: dict[str, Any] = {"subject_id": [1, 2, 3], "rows": [1, 2, 3], "bytes": [1, 1, 1]}
    hashes = pl.Series([2**64 - 1, 2**64 - 1, 5], dtype=pl.UInt64)
    subjects = pl.DataFrame(rows).with_columns(content=hashes, places=hashes)
    (partition,) = partitions_of(subjects, [Border("00000", None)])
    assert int(partition.content, 16) == (2 * (2**64 - 1) + 5) % 2**64
    assert len(partition.content) == 16
    assert partition.rows == 6


def test_the_order_of_names_is_that_of_numbers_above_99999_partitions() -> None:
    n = 100_050
    subjects = subjects_of(dict.fromkeys(range(n), TARGET))
    borders = plan_borders(subjects, TARGET)
    names = [border.name for border in borders]
    assert len(names) == len(set(names)) == n
    assert names == sorted(names)
    assert names[99_998:100_001] == ["99998", "999990000000", "999990000001"]
    # Subjects that come later get the next names.
    grown = subjects_of(dict.fromkeys(range(n + 2), TARGET))
    assert [border.name for border in plan_borders(grown, TARGET, borders, n - 1)][n - 1 :] == [
        "999990000050",
        "999990000051",
        "999990000052",
    ]
    assert "99998-05" < "999990000000"  # a piece of the last one with five digits
