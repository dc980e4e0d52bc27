"""Collect the data of the page in plain columns, so that a browser reads thousands of clusters at once.

Identifiers are strings, since a browser rounds large numbers.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.colours import HEAT_STEPS
from polyframe.core.levels import Level
from polyframe.export.report.backgrounds import Background, ImageSources
from polyframe.export.report.live_settings import LiveSettings
from polyframe.export.report.svg_outlines import svg_paths
from polyframe.export.report.volunteer_rows import VolunteerRows
from polyframe.export.report.worst_clusters import WorstClusters

#: Longer metadata of a subject is cut.
_LONGEST_METADATA: Final = 500
_MOST_METADATA: Final = 30
#: Subjects without marks that are listed.
_MOST_WITHOUT_MARKS: Final = 200
#: Metadata whose names begin so are hidden from volunteers.
_HIDDEN: Final = ("#", "//", "!")


def page_data(
    worst: WorstClusters,
    backgrounds: list[Background],
    sources: ImageSources,
    live: LiveSettings,
    volunteers: VolunteerRows,
    outlines: pl.DataFrame,
    majorities: pl.DataFrame,
    level: Level | None = None,
    *,
    contours: bool,
) -> dict[str, Any]:
    """Return the data that the script of the page draws.

    Parameters
    ----------
    worst : WorstClusters
    backgrounds : list of Background
        One for each of `worst.images`.
    sources : ImageSources
        Contains the metadata of the subjects.
    live : LiveSettings
        With which the page clusters the marks again.
    volunteers : VolunteerRows
        Those who can be chosen.
    outlines : polars.DataFrame
        `x`, `y` of the outline of each cluster that is drawn with a thick line.
    majorities : polars.DataFrame
        `cluster`, `x`, `y` of the majority outlines that no table contains.
    level : Level, optional
        The level of these outlines.
    contours : bool
        Whether the output has contours.

    Returns
    -------
    dict
        Plain JSON values: `clusters`, `groups` and `images` as columns; `subjects` by number.
    """
    return {
        "contours": contours,
        "level": None if level is None else str(level),
        "heat": HEAT_STEPS,
        "live": live.data,
        "clusters": _clusters(worst, backgrounds, outlines, majorities),
        "groups": _groups(worst, backgrounds, volunteers),
        "images": {
            "subject": list(map(str, worst.images["subject_id"])),
            "frame": worst.images["frame"].to_list(),
            "box": [_rounded(background.box, background.unit) for background in backgrounds],
            "unit": [background.unit for background in backgrounds],
            "sizeFrom": [background.size_from for background in backgrounds],
            "address": [background.address for background in backgrounds],
        },
        "subjects": _subjects(worst, sources),
        "subjectsWithoutMarks": list(map(str, worst.without_marks.head(_MOST_WITHOUT_MARKS))),
        "volunteers": _volunteers(volunteers),
    }


def _subjects(worst: WorstClusters, sources: ImageSources) -> dict[str, Any]:
    columns = {
        "clusters": "clusters",
        "classifications": "n_classifications",
        "volunteers": "n_volunteers",
        "expected": "expected_iou_min",
        "needed": "classifications_needed",
    }
    return {
        str(row["subject_id"]): {
            **{name: row[column] for name, column in columns.items()},
            "metadata": _metadata(sources, row["subject_id"]),
        }
        for row in worst.subjects.iter_rows(named=True)
    }


def _volunteers(volunteers: VolunteerRows) -> dict[str, Any]:
    rows = volunteers.rows
    return {
        "name": rows["name"].to_list(),
        "classifications": rows["n_classifications"].to_list(),
        "marks": rows["n_marks"].to_list(),
        "outliers": rows["n_outliers"].to_list(),
        **{name: rows[name].to_list() for name in ("precision", "recall", "iou", "score")},
    }


def _clusters(
    worst: WorstClusters, backgrounds: list[Background], outlines: pl.DataFrame, majorities: pl.DataFrame
) -> dict[str, Any]:
    rows = worst.clusters
    image = worst.groups["image"].to_numpy()[rows["group"].to_numpy()]
    level = worst.levels.with_columns(
        path=_paths(worst.levels, image[worst.levels["cluster"].to_numpy()], backgrounds)
    )
    levels: list[list[str]] = [[] for _ in range(rows.height)]
    numbers: list[list[int]] = [[] for _ in range(rows.height)]
    areas: list[list[float]] = [[] for _ in range(rows.height)]
    columns = level.select("cluster", "level", "path", pl.col("area").round(2))
    for cluster, number, path, area in columns.iter_rows():
        levels[cluster].append(path)
        numbers[cluster].append(number)
        areas[cluster].append(area)
    majority: list[str | None] = [None] * rows.height
    of_majority = majorities["cluster"].to_numpy()
    for cluster, path in zip(of_majority, _paths(majorities, image[of_majority], backgrounds), strict=True):
        majority[cluster] = path
    return {
        "group": rows["group"].to_list(),
        "label": rows["cluster_label"].to_list(),
        "marks": rows["clusters_count"].to_list(),
        "threshold": rows["threshold"].to_list(),
        "consensus": rows["consensus"].to_list(),
        "type": rows["average_type"].to_list(),
        "area": rows["area"].round(2).to_list(),
        "expected": rows["expected_iou"].to_list(),
        "needed": rows["classifications_needed"].to_list(),
        "votes": rows["details_votes"].to_list(),
        "correction": rows["correction"].to_list(),
        "correctedBy": rows["corrected_by"].to_list(),
        "correctedAt": rows["corrected_at"].dt.to_string("%Y-%m-%d %H:%M UTC").to_list(),
        "average": _paths(outlines, image, backgrounds).to_list(),
        "majority": majority,
        "levels": levels,
        "levelNumbers": numbers,
        "levelAreas": areas,
    }


def _groups(worst: WorstClusters, backgrounds: list[Background], volunteers: VolunteerRows) -> dict[str, Any]:
    marks = worst.marks.with_columns(
        volunteers.places(worst.marks["volunteer"]),
        path=_paths(worst.marks, worst.marks["image"].to_numpy(), backgrounds),
        classification_id=pl.col("classification_id").cast(pl.String),
    )
    by_group = marks.group_by("group", maintain_order=True).agg(
        "path", "cluster_label", "classification_id", "mark_index", "place"
    )
    rows = worst.groups.join(by_group, on="group", how="left", maintain_order="left")
    lists = {
        name: rows[column].fill_null([]).to_list()
        for name, column in (
            ("paths", "path"),
            ("labels", "cluster_label"),
            ("classificationIds", "classification_id"),
            ("markIndexes", "mark_index"),
            ("volunteers", "place"),
        )
    }
    return {
        "image": rows["image"].to_list(),
        "workflow": list(map(str, rows["workflow_id"])),
        "task": rows["task"].to_list(),
        "tool": rows["tool"].to_list(),
        "classifications": rows["n_classifications"].to_list(),
        "outliers": rows["n_outliers"].to_list(),
        **lists,
    }


def _paths(outlines: pl.DataFrame, image: NDArray[Any], backgrounds: list[Background]) -> pl.Series:
    units = np.array([background.unit for background in backgrounds])
    tolerances = np.array([background.tolerance for background in backgrounds])
    return svg_paths(outlines["x"], outlines["y"], units[image], tolerances[image])


def _rounded(numbers: Iterable[float], unit: float) -> list[int]:
    """Return pixels as integer units of the paths."""
    return [round(number / unit) for number in numbers]


def _metadata(sources: ImageSources, subject_id: int) -> list[tuple[str, str]]:
    """Return the metadata of a subject that volunteers may see."""
    subject = sources.subjects.get(subject_id)
    visible = [
        (key[:_LONGEST_METADATA], str(value)[:_LONGEST_METADATA])
        for key, value in (subject.metadata.items() if subject else ())
        if not key.startswith(_HIDDEN) and isinstance(value, (str, int, float)) and str(value).strip()
    ]
    return visible[:_MOST_METADATA]
