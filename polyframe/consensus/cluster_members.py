"""Identify clusters by their marks, so that work on a cluster is used only for these marks."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.ragged import runs_of_equal
from polyframe.core.tables import CLUSTER_KEYS

#: The columns of `labels` from which `cluster_members` computes its result.
MEMBER_COLUMNS: Final = (*CLUSTER_KEYS, "classification_id", "mark_index")
#: Two hashes of 64 bits make collisions unlikely in any project. Files contain them: never change these.
_SEEDS: Final = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)


def cluster_members(labels: pl.DataFrame) -> pl.DataFrame:
    """Return a hash of the marks of each cluster.

    Parameters
    ----------
    labels : polars.DataFrame
        `MEMBER_COLUMNS` of whole groups, in any order. Outliers (label -1) belong to no cluster.

    Returns
    -------
    polars.DataFrame
        The group keys, `cluster_label` and `members` (32 hexadecimal digits), sorted by the keys. The hash
        depends on the classifications and positions of the marks only, not on their order or the label.

    Notes
    -----
    Each mark is hashed with the finalizer of SplitMix64; those of a cluster are added modulo 2^64.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA (2014).

    Examples
    --------
    >>> import polyframe as pf
    >>> cluster_members(pf.scan("out", "labels").collect())  # doctest: +SKIP
    """
    marks = labels.filter(pl.col("cluster_label") >= 0).sort(CLUSTER_KEYS)
    offsets = runs_of_equal(marks.select(pl.struct(CLUSTER_KEYS).rle_id()).to_series().to_numpy())
    sums = np.empty((len(offsets) - 1, len(_SEEDS)), ">u8")
    for number, seed in enumerate(_SEEDS):
        hashes = _mixed(marks["classification_id"].to_numpy().astype(np.uint64) ^ np.uint64(seed))
        hashes = _mixed(hashes + marks["mark_index"].to_numpy().astype(np.uint64))
        if len(hashes):
            sums[:, number] = np.add.reduceat(hashes, offsets[:-1])
    digits, width = sums.tobytes().hex(), 2 * sums.dtype.itemsize * len(_SEEDS)
    members = [digits[start : start + width] for start in range(0, len(digits), width)]
    clusters = marks[offsets[:-1]].select(CLUSTER_KEYS)
    return clusters.with_columns(members=pl.Series(members, dtype=pl.String))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the finalizer of SplitMix64 of each value."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
