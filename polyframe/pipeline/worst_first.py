"""List volunteers and subjects, the worst first."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from polyframe.consensus.reduce import Reduction
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.estimation import additional_classifications
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.store.output import Output
from polyframe.store.reading import read_table
from polyframe.store.versions import read_manifest

_EXPECTED: Final = "an output directory, or a Reduction"
Reduced = Reduction | AnyPlace


def volunteers(
    reduced: Reduced, *, limit: int | None = None, storage_options: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """List how well each volunteer agrees with the others, the worst first, like `polyframe volunteers`.

    Parameters
    ----------
    reduced : path or Reduction
        An output directory, or the result of `reduce`.
    limit : int, optional
        Return only so many rows.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    polars.DataFrame
        The table `volunteers`, by ascending `score`; those without one come last. Of equal scores, that of
        more judged marks comes first.

    Raises
    ------
    UsageError
        If `limit` is below 0.
    PolyframeError
        If the directory does not contain the table, or was made without names of volunteers.

    See Also
    --------
    polyframe.scan : read the table sorted by its keys.

    Examples
    --------
    >>> import polyframe as pf
    >>> worst = pf.volunteers("out", limit=10)  # doctest: +SKIP
    """
    _check_limit(limit)
    if isinstance(reduced, Reduction):
        table = reduced.volunteers
    else:
        place = place_of(reduced, "output", storage_options, expected=_EXPECTED)
        table = read_table(place, "volunteers")
        if read_manifest(Output(place)).settings.volunteers == "drop":
            raise PolyframeError(
                f"{place}: was made with --volunteers drop, so its volunteers are not known; "
                "run it again with --volunteers hash"
            )
    order = ("score", "n_judged", "workflow_id", "volunteer")
    table = table.sort(order, descending=[name == "n_judged" for name in order], nulls_last=True)
    return table if limit is None else table.head(limit)


def subjects(
    reduced: Reduced, *, limit: int | None = None, storage_options: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """List how sure the outlines of each subject are, the worst first, like `polyframe subjects`.

    Parameters
    ----------
    reduced : path or Reduction
        An output directory, or the result of `reduce`.
    limit : int, optional
        Return only so many rows.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    polars.DataFrame
        The table `subjects`: those that need the most additional classifications first, and those for which
        that is not known, since no cluster has 3 to 500 marks, last. Of equal ones, that with the least
        `expected_iou_min` comes first, then that with the least `consensus_min`, then that with the most
        outliers.

    Raises
    ------
    UsageError
        If `limit` is below 0.
    PolyframeError
        If the directory does not contain the table.

    Examples
    --------
    >>> import polyframe as pf
    >>> worst = pf.subjects("out", limit=10)  # doctest: +SKIP
    """
    _check_limit(limit)
    if isinstance(reduced, Reduction):
        table = reduced.subjects
    else:
        table = read_table(place_of(reduced, "output", storage_options, expected=_EXPECTED), "subjects")
    table = table.sort(
        additional_classifications(pl.col("classifications_needed"), pl.col("n_classifications")),
        *("expected_iou_min", "consensus_min", "n_outliers", "workflow_id", "subject_id"),
        descending=[True, False, False, True, False, False],
        nulls_last=True,
    )
    return table if limit is None else table.head(limit)


def _check_limit(limit: object) -> None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise UsageError(f"limit: {short_repr(limit)} is not an integer from 0")
