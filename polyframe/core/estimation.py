"""Define which clusters are estimated: how sure their outlines are, and the IoU of marks with others."""

from typing import TYPE_CHECKING, Final

from polyframe.core.plurals import agreeing, plural

if TYPE_CHECKING:
    import polars as pl

#: Number of resamples of each cluster.
RESAMPLES: Final = 200

#: Smaller clusters have no stability: the majority region of two marks is one of the two.
LEAST_MARKS: Final = 3

#: Nothing is estimated for larger clusters. The number of memberships grows with the square of the marks, and
#: the time for each with the marks: a cluster of so many marks takes several seconds, one of thousands would
#: take hours.
MOST_MARKS: Final = 500

#: The sizes of the clusters that are estimated, for messages.
ESTIMATED_SIZES: Final = f"{LEAST_MARKS} to {MOST_MARKS} marks"

#: The expected IoU for which the column `classifications_needed` counts.
TARGET_IOU: Final = 0.95

#: The quantiles of the columns `area_low` and `area_high`.
AREA_QUANTILES: Final = (0.025, 0.975)


def unsure_lines(unsure: int, estimated: int) -> list[str]:
    """Return a line that says how many clusters need more volunteers, or no line if none was estimated.

    Parameters
    ----------
    unsure, estimated : int
        `clusters_unsure` and `clusters_estimated` of a run's counts.
    """
    if not estimated:
        return []
    return [
        f"{unsure} of {estimated} {plural(estimated, 'cluster')} {agreeing(unsure, 'need more volunteers')} "
        f"for an expected IoU of {TARGET_IOU} "
        f"(of those with {ESTIMATED_SIZES})"
    ]


def additional_classifications(needed: "pl.Expr", n_classifications: "pl.Expr") -> "pl.Expr":
    """Return how many more classifications a subject needs, 0 if it has enough; missing if unknown."""
    return (needed - n_classifications).clip(0)
