"""Parse a contour level: a count of marks (`3`), or a share of the marks of each cluster (`50%`)."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from polyframe.core.errors import UsageError, short_repr
from polyframe.core.plurals import agreeing, counted
from polyframe.core.scalar_checks import as_builtin, is_integer

#: What a caller may pass.
AnyLevel = int | str

#: The tables store levels as i32; no cluster has a higher one.
_LARGEST: Final = 2**31 - 1

_COUNT: Final = re.compile(r"[0-9]{1,20}")
_SHARE: Final = re.compile(r"([0-9]{0,20})(?:\.([0-9]{1,20}))? ?%")


@dataclass(frozen=True)
class Level:
    """A level to look up in each cluster.

    Attributes
    ----------
    text : str
        As the caller wrote it, such as `3` or `50%`.
    count : int or None
        The level of every cluster.
    share : (int, int) or None
        If there is no count: the part of the marks of a cluster, as a numerator and a denominator.
    """

    text: str
    count: int | None
    share: tuple[int, int] | None

    def __str__(self) -> str:
        """Return `level 3` or `level 50%`."""
        return f"level {self.text}"

    def number(self, marks: int) -> int:
        """Return the level of a cluster of so many marks: a share of them, rounded up, but at least 1."""
        if self.share is None:
            return min(self.count or 1, _LARGEST)
        numerator, denominator = self.share
        return max(-(-numerator * marks // denominator), 1)

    def numbers(self, marks: Iterable[int]) -> list[int]:
        """Return the level of each cluster, from its number of marks."""
        counts = list(marks)
        known = {count: self.number(count) for count in set(counts)}
        return [known[count] for count in counts]


def parse_level(value: Any) -> Level:
    """Return a level from what a caller passed.

    Parameters
    ----------
    value : int or str
        A count from 1, such as 3 or `3`, or a share from 0 % to 100 %, such as `50%` or `33.3%`.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> parse_level("50%").numbers([1, 2, 3, 4, 5])
    [1, 1, 2, 2, 3]
    """
    value = as_builtin(value)
    if is_integer(value) and value >= 1:
        return Level(short_repr(value), value, None)
    if isinstance(value, str):
        text = value.strip()
        if _COUNT.fullmatch(text) and int(text) >= 1:
            return Level(text, int(text), None)
        share = _share(text)
        if share and share[0] <= share[1]:
            return Level(text, None, share)
    raise UsageError(
        f"level: {short_repr(value)} is neither a number of marks from 1, such as 3, nor a share of "
        "the marks up to 100%, such as 50%"
    )


def _share(text: str) -> tuple[int, int] | None:
    """Return a percentage as a fraction, without rounding its decimals."""
    match = _SHARE.fullmatch(text)
    whole, decimals = match.groups(default="") if match else ("", "")
    return (int(whole + decimals), 100 * 10 ** len(decimals)) if whole or decimals else None


@dataclass
class MissingLevels:
    """Counts of the clusters that do not have a level.

    Attributes
    ----------
    level : Level
    clusters : int
        All clusters in which it was looked up.
    counts : dict of str to int
        By reason, the clusters that do not have it.
    """

    level: Level
    clusters: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def look_up(self, number: int, highest: int, levels: Collection[int]) -> str | None:
        """Count a cluster, and return the reason if it does not have the level.

        Parameters
        ----------
        number : int
            The level in this cluster.
        highest : int
            The highest level of the cluster with an area.
        levels : collection of int
            The levels of the cluster in the tables.
        """
        self.clusters += 1
        if number in levels:
            return None
        reason = f"have no {self.level}"
        if number <= highest:
            reason = f"have {self.level}, but it was not written (max_levels)"
        self.counts[reason] = self.counts.get(reason, 0) + 1
        return reason

    def note(self, reason: str, where: str = "") -> str:
        """Return how many clusters do not have the level for a reason.

        Parameters
        ----------
        reason : str
            From `look_up`.
        where : str
            Whose clusters they are, such as `of these subjects`; empty for those of the whole output.
        """
        number = self.counts[reason]
        clusters = " ".join([counted(self.clusters, "cluster"), *([where] if where else [])])
        return f"{number:,} of {clusters} {agreeing(number, reason)}"

    def notes(self, where: str = "") -> list[str]:
        """Return a note for each reason, none if every cluster has the level."""
        return [self.note(reason, where) for reason in self.counts]
