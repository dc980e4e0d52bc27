"""Read polygons that people edited in Label Studio, from its export as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np

from polyframe.export.corrections.edited_file import (
    ClusterIdentity,
    EditedFile,
    EditedImage,
    EditedOutline,
    ReadContext,
    identity_of,
    size_of,
    time_of,
)
from polyframe.export.labelstudio import CLUSTERS, IMAGE, SIZE
from polyframe.pipeline.gold.named_outlines import ring_of

#: Percents have more digits than this.
_TOLERANCE: Final = 1e-3
_POLYGONS: Final = ("polygonlabels", "polygon")
#: Results that say something about a region, an image or two regions, so none of them is an outline.
_ANSWERS: Final = (
    *("choices", "datetime", "labels", "number", "pairwise"),
    *("ranker", "rating", "relation", "taxonomy", "textarea"),
)


def is_labelstudio(content: object) -> bool:
    """Return whether a file may be an export of Label Studio: tasks with data."""
    tasks = _tasks(content)
    return tasks is not None and all("data" in task for task in tasks)


def read_labelstudio(content: object, context: ReadContext) -> EditedFile:
    """Read the annotations that people completed; of several on a task, the newest counts.

    Parameters
    ----------
    content : list or dict
        Tasks, or a single one.
    context : ReadContext
    """
    file = EditedFile()
    for task in _tasks(content) or ():
        data = task["data"] if isinstance(task["data"], dict) else {}
        place = context.place_of(data, data.get(IMAGE))
        if place is None:
            continue
        name = f"task {task.get('id', f'of subject {place[0]}')}"
        annotations = _completed(task, name, context)
        if not annotations:
            context.skipped.add("task", "that nobody has completed", name)
            continue
        newest = max(annotations, key=lambda annotation: _edited_at(annotation) or context.corrected_at)
        if len(annotations) > 1:
            context.skipped.add("task", "with several annotations, of which the newest is used", name)
        clusters = data.get(CLUSTERS)
        identities = {
            key: identity
            for key, values in (clusters.items() if isinstance(clusters, dict) else ())
            if (identity := identity_of(values)) is not None
        }
        exported = {identity.members for identity in identities.values()}
        size = data.get(SIZE)
        image = EditedImage(
            *place,
            size_of(*size) if isinstance(size, list) and len(size) == 2 else None,
            frozenset(exported) if isinstance(clusters, dict) else None,
            _editor(newest.get("completed_by")) or context.corrected_by,
            _edited_at(newest) or context.corrected_at,
        )
        number = len(file.images)
        file.images.append(image)
        file.outlines += _outlines(newest, number, image, identities, name, context, file.unread)
    return file


def _tasks(content: object) -> list[dict[str, Any]] | None:
    tasks = [content] if isinstance(content, dict) else content
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        return None
    return tasks


def _completed(task: Mapping[str, Any], name: str, context: ReadContext) -> list[dict[str, Any]]:
    annotations = []
    for annotation in _dicts(task.get("annotations")):
        if annotation.get("was_cancelled"):
            context.skipped.add("annotation", "that was skipped (cancelled)", name)
        elif isinstance(annotation.get("result"), list):
            annotations.append(annotation)
    return annotations


def _outlines(
    annotation: Mapping[str, Any],
    number: int,
    image: EditedImage,
    identities: Mapping[str, ClusterIdentity],
    name: str,
    context: ReadContext,
    unread: set[int],
) -> Iterator[EditedOutline]:
    for result in _dicts(annotation["result"]):
        kind, value = result.get("type"), result.get("value")
        if kind not in _POLYGONS or not isinstance(value, dict):
            context.skipped.add("region", f"of the type {kind}, not a polygon", name)
            if kind not in _ANSWERS:
                unread.add(number)
            continue
        # Percents are relative to the image, so our own size gives our pixels, whatever image was shown.
        size = image.size or size_of(result.get("original_width"), result.get("original_height"))
        points = ring_of(value.get("points"))
        if result.get("image_rotation"):
            context.skipped.add("polygon", "on a rotated image", name)
            unread.add(number)
        elif size is None:
            context.skipped.add("polygon", "without the size of its image", name)
            unread.add(number)
        elif points is None:
            context.skipped.add("polygon", "with invalid coordinates", name)
            unread.add(number)
        else:
            key = result.get("id")
            identity = identities.get(key) if isinstance(key, str) else None
            labels = value.get("polygonlabels")
            label = labels[0] if isinstance(labels, list) and labels else None
            yield EditedOutline(
                number,
                label if isinstance(label, str) else None,
                identity or identity_of(result.get("meta")),
                [[points * np.array(size) / 100]],
                _TOLERANCE,
                name,
            )


def _edited_at(annotation: Mapping[str, Any]) -> datetime | None:
    return time_of(annotation.get("updated_at")) or time_of(annotation.get("created_at"))


def _editor(completed_by: object) -> str | None:
    """Return who completed an annotation: the e-mail address, or the number of the account."""
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return None if completed_by is None else str(completed_by)


def _dicts(values: object) -> Iterator[dict[str, Any]]:
    if isinstance(values, Sequence):
        yield from (value for value in values if isinstance(value, dict))
