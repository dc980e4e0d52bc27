"""Partitions: ranges of subjects of about equal weight, whose borders stay from one run to the next.

A later run on a grown export keeps the borders, so that the part files of subjects that did not change are
those that are there already. New subjects go behind, into the last partition until it is full, then into new
ones. A partition that has grown far beyond its size is split, and its pieces are named after it (`00003-00`,
`00003-01`), so that no other part file has to change its name, and part names keep the order of the subjects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.store.subject_ranges import within_range

#: A partition is split when it has grown to more than so many times its size.
_TOLERATED: Final = 2
#: The most pieces of one split: two digits number them.
_MOST_PIECES: Final = 100


@dataclass(frozen=True)
class Border:
    """Where a partition begins.

    Attributes
    ----------
    name : str
        The name of the partition, such as `00012` or, after a split, `00012-01`.
    first_subject : int or None
        Its first subject; None for the first partition, which also has the rows without a readable subject.
    """

    name: str
    first_subject: int | None


@dataclass(frozen=True)
class Partition:
    """A range of subjects and what the export holds of them.

    Attributes
    ----------
    name : str
        Goes into the names of its part files.
    first_subject, next_subject : int or None
        The subjects from the one up to but without the other; None is open.
    content, places : str
        Hashes of its rows: of what stands in them, and of that together with where in the export.
    """

    name: str
    first_subject: int | None
    next_subject: int | None
    content: str
    places: str


def plan_borders(
    subjects: pl.DataFrame, partition_bytes: int, kept: Sequence[Border] = (), known_until: int | None = None
) -> list[Border]:
    """Cut the subjects into ranges of about equal weight.

    Parameters
    ----------
    subjects : polars.DataFrame
        From `polyframe.panoptes.classifications.selection.used_subjects`.
    partition_bytes : int
        About how many bytes a partition holds; a single subject may exceed it.
    kept : sequence of Border
        Of an earlier run; they stay. Empty for a first run.
    known_until : int, optional
        The last subject of the earlier run.

    Returns
    -------
    list of Border
        In the order of the subjects; at least one.
    """
    numbered = subjects.filter(pl.col("subject_id").is_not_null())
    ids, weights = numbered["subject_id"].to_numpy(), numbered["bytes"].to_numpy()
    old = list(kept) or [Border(_numbered(0), None)]
    firsts = np.array([border.first_subject for border in old[1:]], np.int64)
    starts = [0, *np.searchsorted(ids, firsts).tolist(), len(ids)]
    borders: list[Border] = []
    for border, begin, end in zip(old[:-1], starts[:-2], starts[1:-1], strict=True):
        borders += _split_if_grown(border, ids[begin:end], weights[begin:end], partition_bytes)
    return borders + _last_borders(
        old[-1], ids[starts[-2] :], weights[starts[-2] :], partition_bytes, known_until
    )


def partitions_of(subjects: pl.DataFrame, borders: Sequence[Border]) -> list[Partition]:
    """Put together the partitions between borders.

    Parameters
    ----------
    subjects : polars.DataFrame
        From `polyframe.panoptes.classifications.selection.used_subjects`.
    borders : sequence of Border
        From `plan_borders`.
    """
    first = [border.first_subject for border in borders[1:]]
    ids = subjects["subject_id"].fill_null(np.iinfo(np.int64).min).to_numpy()
    offsets = [0, *np.searchsorted(ids, np.array(first, np.int64)).tolist(), len(ids)]
    content, places = (_sums(subjects[name].to_numpy(), offsets) for name in ("content", "places"))
    return [
        Partition(border.name, border.first_subject, following, content[k], places[k])
        for k, (border, following) in enumerate(zip(borders, [*first, None], strict=True))
    ]


def split(partition: Partition, subjects: pl.DataFrame, pieces: int = 2) -> list[Partition]:
    """Split a partition that is too much for a worker into pieces of about equal weight.

    Parameters
    ----------
    partition : Partition
        The partition.
    subjects : polars.DataFrame
        From `polyframe.panoptes.classifications.selection.used_subjects`.
    pieces : int
        How many, where it has that many subjects.

    Returns
    -------
    list of Partition
        Only itself where it holds a single subject.
    """
    within = within_range("subject_id", partition.first_subject, partition.next_subject)
    own = subjects.filter(within)
    numbered = own.filter(pl.col("subject_id").is_not_null())
    if numbered.height < 2:
        return [partition]
    target = -(-int(numbered["bytes"].sum()) // pieces)
    ids = numbered["subject_id"].to_numpy()
    cuts = _cuts(numbered["bytes"].to_numpy(), target, most=_MOST_PIECES) or [len(ids) // 2]
    border = Border(partition.name, partition.first_subject)
    found = partitions_of(own, _pieces(border, ids, cuts))
    last = found[-1]
    return [
        *found[:-1],
        Partition(last.name, last.first_subject, partition.next_subject, last.content, last.places),
    ]


def _numbered(index: int) -> str:
    return f"{index:05d}"


def _sums(hashes: NDArray[np.uint64], offsets: list[int]) -> list[str]:
    """Add up hashes within ranges, modulo 2**64."""
    before = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)])
    sums = before[offsets[1:]] - before[offsets[:-1]]
    return [f"{value:016x}" for value in sums.tolist()]


def _cuts(weights: NDArray[Any], target: int, *, filled: int = 0, most: int | None = None) -> list[int]:
    """Return where ranges of at most `target` bytes begin, without the first, which has `filled` already.

    A range has at least one subject, which may exceed the target alone.
    """
    until = np.cumsum(weights)
    cuts: list[int] = []
    cut = int(np.searchsorted(until, target - filled, side="right")) or int(filled == 0)
    while cut < len(until) and (most is None or len(cuts) < most - 1):
        cuts.append(cut)
        before = until[cut - 1] if cut else 0
        cut = max(int(np.searchsorted(until, before + target, side="right")), cut + 1)
    return cuts


def _split_if_grown(
    border: Border, ids: NDArray[Any], weights: NDArray[Any], partition_bytes: int
) -> list[Border]:
    if len(ids) < 2 or weights.sum() <= _TOLERATED * partition_bytes:
        return [border]
    cuts = _cuts(weights, partition_bytes)
    if len(cuts) >= _MOST_PIECES:
        # More than two digits can number: large pieces first, which are then split themselves.
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
    border: Border, ids: NDArray[Any], weights: NDArray[Any], partition_bytes: int, known_until: int | None
) -> list[Border]:
    """Fill the last partition with new subjects, and put those that do not fit into new ones."""
    n_known = 0 if known_until is None else int(np.searchsorted(ids, known_until, side="right"))
    known = _split_if_grown(border, ids[:n_known], weights[:n_known], partition_bytes)
    # Where it had to be split it is more than full: what is new begins a partition of its own.
    filled = int(weights[:n_known].sum())
    following = int(border.name.split("-")[0]) + 1
    cuts = _cuts(weights[n_known:], partition_bytes, filled=filled)
    return known + [Border(_numbered(following + k), int(ids[n_known + cut])) for k, cut in enumerate(cuts)]
