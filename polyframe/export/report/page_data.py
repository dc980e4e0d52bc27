"""The data of the page: plain columns, so that a browser reads thousands of clusters at once.

What is as long as it must be is text: identifiers (a browser rounds large numbers) and paths of SVG.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.colours import HEAT_STEPS
from polyframe.export.report.backgrounds import Background, Sources
from polyframe.export.report.svg_outlines import svg_paths
from polyframe.export.report.worst_clusters import Chosen

#: More of what a project's team wrote of a subject is cut; what begins so is not meant to be shown.
_LONGEST_TOLD: Final = 500
_MOST_TOLD: Final = 30
_HIDDEN: Final = ("#", "//", "!")


def page_data(chosen: Chosen, behind: list[Background], given: Sources, *, contours: bool) -> dict[str, Any]:
    """Return what the page's script draws.

    Parameters
    ----------
    chosen : Chosen
    behind : list of Background
        One for each of `chosen.images`.
    given : Sources
        What is known of the subjects.
    contours : bool
        Whether the output has contours.

    Returns
    -------
    dict
        Plain JSON values: `clusters`, `groups` and `images` as columns; `subjects` by number.
    """
    return {
        "contours": contours,
        "heat": HEAT_STEPS,
        "clusters": _clusters(chosen, behind),
        "groups": _groups(chosen, behind),
        "images": {
            "subject": list(map(str, chosen.images["subject_id"])),
            "frame": chosen.images["frame"].to_list(),
            "box": [_rounded(one.box, one.unit) for one in behind],
            "unit": [one.unit for one in behind],
            "sizeFrom": [one.size_from for one in behind],
            "address": [one.address for one in behind],
        },
        "subjects": {
            str(subject): {"clusters": clusters, "told": _told(given, subject)}
            for subject, clusters in chosen.of_subject.iter_rows()
        },
    }


def _clusters(chosen: Chosen, behind: list[Background]) -> dict[str, Any]:
    rows = chosen.clusters
    image = chosen.groups["image"].to_numpy()[rows["group"].to_numpy()]
    boxes = (
        chosen.marks.group_by("group", "cluster_label")
        .agg(
            left=pl.col("x").list.min().min(),
            top=pl.col("y").list.min().min(),
            right=pl.col("x").list.max().max(),
            bottom=pl.col("y").list.max().max(),
        )
        .with_columns(box=pl.concat_list("left", "top", "right", "bottom"))
        .select("group", "cluster_label", "box")
    )
    boxes = rows.select("group", "cluster_label").join(
        boxes, on=["group", "cluster_label"], how="left", maintain_order="left"
    )
    level = chosen.levels.with_columns(
        path=_paths(chosen.levels, image[chosen.levels["cluster"].to_numpy()], behind)
    )
    levels: list[list[str]] = [[] for _ in range(rows.height)]
    areas: list[list[float]] = [[] for _ in range(rows.height)]
    for cluster, path, area in level.select("cluster", "path", pl.col("area").round(2)).iter_rows():
        levels[cluster].append(path)
        areas[cluster].append(area)
    averages = rows.select(x="clusters_x", y="clusters_y")
    return {
        "group": rows["group"].to_list(),
        "label": rows["cluster_label"].to_list(),
        "marks": rows["clusters_count"].to_list(),
        "threshold": rows["threshold"].to_list(),
        "consensus": rows["consensus"].to_list(),
        "type": rows["average_type"].to_list(),
        "area": rows["area"].round(2).to_list(),
        "votes": rows["details_votes"].to_list(),
        "place": rows["place"].to_list(),
        "average": _paths(averages, image, behind).to_list(),
        "box": [
            None if box is None else _rounded(box, behind[k].unit)
            for box, k in zip(boxes["box"], image, strict=True)
        ],
        "levels": levels,
        "levelAreas": areas,
    }


def _groups(chosen: Chosen, behind: list[Background]) -> dict[str, Any]:
    marks = chosen.marks.with_columns(
        path=_paths(chosen.marks, chosen.marks["image"].to_numpy(), behind),
        classification_id=pl.col("classification_id").cast(pl.String),
    )
    listed = marks.group_by("group", maintain_order=True).agg(
        "path", "cluster_label", "classification_id", "mark_index"
    )
    rows = chosen.groups.join(listed, on="group", how="left", maintain_order="left")
    lists = {
        name: rows[column].fill_null([]).to_list()
        for name, column in (
            ("paths", "path"),
            ("labels", "cluster_label"),
            ("classificationIds", "classification_id"),
            ("markIndexes", "mark_index"),
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


def _paths(outlines: pl.DataFrame, image: NDArray[Any], behind: list[Background]) -> pl.Series:
    units = np.array([one.unit for one in behind])
    tolerances = np.array([one.tolerance for one in behind])
    return svg_paths(outlines["x"], outlines["y"], units[image], tolerances[image])


def _rounded(numbers: Iterable[float], unit: float) -> list[int]:
    """Return pixels as whole steps of the outlines."""
    return [round(number / unit) for number in numbers]


def _told(given: Sources, subject_id: int) -> list[tuple[str, str]]:
    """Return what the project's team lets volunteers see of a subject."""
    subject = given.subjects.get(subject_id)
    shown = [
        (key[:_LONGEST_TOLD], str(value)[:_LONGEST_TOLD])
        for key, value in (subject.metadata.items() if subject else ())
        if not key.startswith(_HIDDEN) and isinstance(value, (str, int, float)) and str(value).strip()
    ]
    return shown[:_MOST_TOLD]
