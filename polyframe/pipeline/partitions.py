"""Cut the subjects into partitions: ranges of about equal weight with stable borders.

A later run on a grown export keeps the borders, so that it can reuse the part files of unchanged subjects.
New subjects are appended: to the last partition until it is full, then to new ones. A partition that has
become much too large is split, and its pieces are named after it (`00003-00`, `00003-01`): all other part
files keep their names, and the order of part names remains that of the subjects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.store.subject_ranges import within_range

#: A partition is split when it is larger than this multiple of the intended size.
_TOLERANCE: Final = 2
#: The pieces of a split are numbered with two digits.
_MOST_PIECES: Final = 100
#: The number of the first partition with a name of more than five digits.
_LONG_NAMES: Final = 99_999


@dataclass(frozen=True)
class Border:
    """The beginning of a partition.

    Attributes
    ----------
    name : str
        Name of the partition, such as `00012` or, after a split, `00012-01`.
    first_subject : int or None
        Its first subject; None for the first partition, which also has the rows without a valid subject.
    """

    name: str
    first_subject: int | None


@dataclass(frozen=True)
class Partition:
    """A range of subjects, with hashes of its rows.

    Attributes
    ----------
    name : str
        Part of the names of its part files.
    first_subject, next_subject : int or None
        The range, `first_subject` included and `next_subject` excluded; None is open.
    content, places : str
        Hashes of the content of its rows, and of their content and positions in the export.
    rows : int
        The number of its rows.
    """

    name: str
    first_subject: int | None
    next_subject: int | None
    content: str
    places: str
    rows: int


def plan_borders(
    subjects: pl.DataFrame,
    partition_bytes: int,
    old_borders: Sequence[Border] = (),
    last_known: int | None = None,
) -> list[Border]:
    """Cut the subjects into ranges of about equal weight.

    Parameters
    ----------
    subjects : polars.DataFrame
        From `polyframe.panoptes.classifications.census.used_subjects`.
    partition_bytes : int
        Approximate size of a partition; a single subject may exceed it.
    old_borders : sequence of Border
        Borders of an earlier run, which are kept.
    last_known : int, optional
        The last subject of the earlier run.

    Returns
    -------
    list of Border
        In the order of the subjects; at least one.
    """
    with_id = subjects.filter(pl.col("subject_id").is_not_null())
    ids, weights = with_id["subject_id"].to_numpy(), with_id["bytes"].to_numpy()
    old = list(old_borders) or [Border(_part_number(0), None)]
    firsts = np.array([border.first_subject for border in old[1:]], np.int64)
    starts = [0, *np.searchsorted(ids, firsts).tolist(), len(ids)]
    borders: list[Border] = []
    for border, begin, end in zip(old[:-1], starts[:-2], starts[1:-1], strict=True):
        borders += _split_if_grown(border, ids[begin:end], weights[begin:end], partition_bytes)
    last = slice(starts[-2], None)
    return borders + _last_borders(old[-1], ids[last], weights[last], partition_bytes, last_known)


def partitions_of(subjects: pl.DataFrame, borders: Sequence[Border]) -> list[Partition]:
    """Return the partitions between borders.

    Parameters
    ----------
    subjects : polars.DataFrame
        From `polyframe.panoptes.classifications.census.used_subjects`.
    borders : sequence of Border
        From `plan_borders`.
    """
    firsts = [border.first_subject for border in borders[1:]]
    ids = subjects["subject_id"].fill_null(np.iinfo(np.int64).min).to_numpy()
    offsets = [0, *np.searchsorted(ids, np.array(firsts, np.int64)).tolist(), len(ids)]
    content, places = (
        [f"{value:016x}" for value in _sums(subjects[name].to_numpy(), offsets)]
        for name in ("content", "places")
    )
    rows = _sums(subjects["rows"].to_numpy(), offsets)
    return [
        Partition(border.name, border.first_subject, next_subject, content[k], places[k], rows[k])
        for k, (border, next_subject) in enumerate(zip(borders, [*firsts, None], strict=True))
    ]


def split_partition(partition: Partition, subjects: pl.DataFrame, pieces: int = 2) -> list[Partition]:
    """Split a partition that is too large for a worker into pieces of about equal weight.

    Parameters
    ----------
    partition : Partition
    subjects : polars.DataFrame
        From `polyframe.panoptes.classifications.census.used_subjects`.
    pieces : int
        Number of pieces, if it has that many subjects.

    Returns
    -------
    list of Partition
        The partition itself if it contains a single subject.
    """
    within = within_range("subject_id", partition.first_subject, partition.next_subject)
    own = subjects.filter(within)
    with_id = own.filter(pl.col("subject_id").is_not_null())
    if with_id.height < 2:
        return [partition]
    target = -(-int(with_id["bytes"].sum()) // pieces)
    ids = with_id["subject_id"].to_numpy()
    cuts = _cuts(with_id["bytes"].to_numpy(), target, most=_MOST_PIECES) or [len(ids) // 2]
    border = Border(partition.name, partition.first_subject)
    *others, last = partitions_of(own, _pieces(border, ids, cuts))
    return [*others, replace(last, next_subject=partition.next_subject)]


def _part_number(index: int) -> str:
    """Return the name of a partition from its number; the order of names is that of numbers.

    Five digits, and from 99,999 on the largest of them followed by seven more.
    """
    return f"{index:05d}" if index < _LONG_NAMES else f"{_LONG_NAMES}{index - _LONG_NAMES:07d}"


def _number_of(name: str) -> int:
    """Return the number of a partition from its name, or from that of one of its pieces."""
    digits = name.split("-")[0]
    return int(digits) if len(digits) == len(str(_LONG_NAMES)) else _LONG_NAMES + int(digits[-7:])


def _sums(values: NDArray[Any], offsets: list[int]) -> list[int]:
    """Add up hashes or counts within ranges, modulo 2**64."""
    before = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    sums: list[int] = (before[offsets[1:]] - before[offsets[:-1]]).tolist()
    return sums


def _cuts(weights: NDArray[Any], target: int, *, filled: int = 0, most: int | None = None) -> list[int]:
    """Return the positions at which ranges of at most `target` bytes begin, except for the first range.

    The first range already contains `filled` bytes. A range has at least one subject, which may exceed the
    target.
    """
    total = np.cumsum(weights)
    cuts: list[int] = []
    cut = int(np.searchsorted(total, target - filled, side="right")) or int(filled == 0)
    while cut < len(total) and (most is None or len(cuts) < most - 1):
        cuts.append(cut)
        before = total[cut - 1] if cut else 0
        cut = max(int(np.searchsorted(total, before + target, side="right")), cut + 1)
    return cuts


def _split_if_grown(
    border: Border, ids: NDArray[Any], weights: NDArray[Any], partition_bytes: int
) -> list[Border]:
    if len(ids) < 2 or weights.sum() <= _TOLERANCE * partition_bytes:
        return [border]
    cuts = _cuts(weights, partition_bytes)
    if len(cuts) >= _MOST_PIECES:
        # Two digits cannot number so many: make large pieces, which are then split themselves.
        cuts = _cuts(weights, 2 * int(weights.sum()) // _MOST_PIECES, most=_MOST_PIECES)
    pieces = zip(_pieces(border, ids, cuts), [0, *cuts], [*cuts, len(ids)], strict=True)
    return [
        part
        for piece, begin, end in pieces
        for part in _split_if_grown(piece, ids[begin:end], weights[begin:end], partition_bytes)
    ]


def _pieces(border: Border, ids: NDArray[Any], cuts: list[int]) -> list[Border]:
    firsts = [border.first_subject, *ids[cuts].tolist()]
    return [Border(f"{border.name}-{k:02d}", first) for k, first in enumerate(firsts)]


def _last_borders(
    border: Border, ids: NDArray[Any], weights: NDArray[Any], partition_bytes: int, last_known: int | None
) -> list[Border]:
    """Fill the last partition with new subjects, and put those that do not fit into new partitions."""
    n_known = 0 if last_known is None else int(np.searchsorted(ids, last_known, side="right"))
    known = _split_if_grown(border, ids[:n_known], weights[:n_known], partition_bytes)
    # If it had to be split, it is more than full, and new subjects begin another partition.
    filled = int(weights[:n_known].sum())
    number = _number_of(border.name) + 1
    cuts = _cuts(weights[n_known:], partition_bytes, filled=filled)
    return known + [Border(_part_number(number + k), int(ids[n_known + cut])) for k, cut in enumerate(cuts)]
