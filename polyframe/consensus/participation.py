"""Who takes part in a reduction: the marks of the chosen tools, one classification a volunteer."""

import numpy as np
import polars as pl

from polyframe.core.arrays import Flags, Ints
from polyframe.core.choices import RepeatFilter
from polyframe.core.settings import Settings
from polyframe.panoptes.metadata import is_visitor

_SUBJECT_KEYS = ["workflow_id", "subject_id"]
_CLASSIFICATION_KEYS = [*_SUBJECT_KEYS, "classification_id"]


def selected_marks(extractions: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Keep the marks of the chosen tasks and tools.

    Parameters
    ----------
    extractions : polars.DataFrame
        Has the columns `task` and `tool`.
    settings : Settings
        `drawing_tasks`, `task` and `tool`; an empty one chooses everything.
    """
    index = pl.col("tool").str.extract("([0-9]+)$").cast(pl.Int64, strict=False)
    wanted: list[pl.Expr] = []
    if settings.drawing_tasks:
        drawn = [
            (pl.col("task") == drawing.task) & (True if drawing.tools is None else index.is_in(drawing.tools))
            for drawing in settings.drawing_tasks
        ]
        wanted.append(pl.any_horizontal(drawn))
    if settings.task:
        wanted.append(pl.col("task").is_in(settings.task))
    if settings.tool:
        wanted.append(index.is_in(settings.tool))
    return extractions.filter(*wanted) if wanted else extractions


def counted_classifications(classifications: pl.DataFrame, repeats: RepeatFilter) -> pl.DataFrame:
    """Choose which classifications count where a volunteer classified a subject more than once.

    Parameters
    ----------
    classifications : polars.DataFrame
        Has the columns of the table of that name.
    repeats : {"first", "last", "all"}
        By `created_at`, then `classification_id`; one whose time could not be read counts only where the
        volunteer has none with a time. Classifications without a `volunteer` count one by one.

    Returns
    -------
    polars.DataFrame
        `workflow_id, subject_id, classification_id` of those that count.
    """
    if repeats == "all":
        return classifications.select(_CLASSIFICATION_KEYS)
    volunteer = [*_SUBJECT_KEYS, "volunteer"]
    # Unreadable times stand at the end that is not taken.
    ordered = classifications.sort("created_at", "classification_id", nulls_last=repeats == "first")
    known = pl.col("volunteer").is_not_null()
    once = ordered.filter(known).unique(volunteer, keep=repeats, maintain_order=True)
    return pl.concat([once, ordered.filter(~known)]).select(_CLASSIFICATION_KEYS)


def visitor_repeats(classifications: pl.DataFrame) -> int:
    """Return how many classifications of visitors who are not logged in are not their first of a subject.

    Parameters
    ----------
    classifications : polars.DataFrame
        The table of that name, before names are hashed.
    """
    visits = classifications.filter(is_visitor("user_name") & pl.col("volunteer").is_not_null())
    return visits.height - visits.n_unique([*_SUBJECT_KEYS, "volunteer"])


def known_classifications(extractions: pl.DataFrame, classifications: pl.DataFrame | None) -> pl.DataFrame:
    """Return what the filter needs of the classifications; where only marks are known, of those."""
    columns = [*_CLASSIFICATION_KEYS, "created_at", "volunteer"]
    if classifications is not None:
        return classifications.select(columns)
    return extractions.select(columns).unique(_CLASSIFICATION_KEYS, maintain_order=True)


def in_classifications(extractions: pl.DataFrame, counted: pl.DataFrame) -> Flags:
    """Tell which marks belong to the given classifications."""
    marked = counted.unique().with_columns(pl.lit(value=True).alias("counts"))
    joined = extractions.select(_CLASSIFICATION_KEYS).join(
        marked, on=_CLASSIFICATION_KEYS, how="left", maintain_order="left"
    )
    return joined["counts"].fill_null(value=False).to_numpy()


def classifications_per_group(marks: pl.DataFrame, group_offsets: Ints, counted: pl.DataFrame) -> Ints:
    """Return how many of the counted classifications the subject of each group has, (g,) int64."""
    numbers = counted.group_by(_SUBJECT_KEYS).len("n_classifications")
    subjects = marks.select(_SUBJECT_KEYS)[group_offsets[:-1]]
    joined = subjects.join(numbers, on=_SUBJECT_KEYS, how="left", maintain_order="left")
    return joined["n_classifications"].to_numpy().astype(np.int64)
