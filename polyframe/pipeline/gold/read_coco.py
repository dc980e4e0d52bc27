"""Read the outlines of an expert from COCO instance segmentation."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np

from polyframe.core.arrays import Floats
from polyframe.core.errors import PolyframeError
from polyframe.pipeline.gold.named_outlines import NamedOutlines, OutlineList, number_of, ring_of
from polyframe.pipeline.gold.project import Project, Skipped

#: The name of an image as `polyframe export --to coco` writes it by default.
_DEFAULT_NAME: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,9})")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")


def outlines_of_annotations(
    content: dict[str, Any], name: str, project: Project, skipped: Skipped
) -> NamedOutlines:
    """Read the annotations of a COCO file.

    Parameters
    ----------
    content : dict
        The file. An image is that of its `subject_id` and `frame`, which our exporter writes; otherwise that
        of its name: `1000003-0.png` or, for frame 0, any name with exactly one number that is a subject of
        the project. The tool of an annotation is the `tool` of its category, which our exporter writes, or
        else its name. Images without annotations count: the expert looked at them.
    name : str
        Name of the file, for messages.
    project : Project
    skipped : Skipped
        Receives what cannot be used: masks as run lengths (RLE) and regions of crowds among it.

    Raises
    ------
    PolyframeError
        If a list is missing.
    """
    images, annotations = content.get("images"), content.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise PolyframeError(f"{name}: a COCO file needs the lists images and annotations")
    places: dict[Any, tuple[int, int]] = {}
    outlines = OutlineList()
    for image in filter(_is_object, images):
        place = place_of_image(image, project)
        if place is None:
            skipped.add("image", f"without a subject in {project.name}", image.get("file_name") or "no name")
        elif isinstance(image.get("id"), (int, str)):
            places[image["id"]] = place
            outlines.images.add(place)
    tools = _categories(content.get("categories"))
    outlines.tools |= set(tools.values())
    for annotation in filter(_is_object, annotations):
        image_id, category = annotation.get("image_id"), annotation.get("category_id")
        number = f"annotation {annotation.get('id')}"
        place = places.get(image_id) if isinstance(image_id, (int, str)) else None
        if annotation.get("iscrowd"):
            skipped.add("annotation", "of a crowd (iscrowd) instead of a single object", number)
        elif isinstance(annotation.get("segmentation"), dict):
            skipped.add("annotation", "with a mask (RLE), not polygons; convert masks to polygons", number)
        elif place is None:
            skipped.add("annotation", "without a usable image", number)
        elif (parts := parts_of_segmentation(annotation.get("segmentation"))) is None:
            skipped.add("annotation", "without polygons or with invalid coordinates", number)
        else:
            tool = tools.get(category) if isinstance(category, (int, str)) else None
            outlines.add((*place, tool), parts)
    return outlines.finish()


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _categories(categories: Any) -> dict[int | str, str]:
    """Return the tools of the categories by their id: `tool`, which our exporter writes, or the name."""
    listed = categories if isinstance(categories, list) else []
    return {
        category["id"]: tool
        for category in filter(_is_object, listed)
        for tool in [_first_string(category.get("tool"), category.get("name"))]
        if isinstance(category.get("id"), (int, str)) and tool is not None
    }


def _first_string(*values: Any) -> str | None:
    return next((value for value in values if isinstance(value, str)), None)


def place_of_image(image: Mapping[str, Any], project: Project) -> tuple[int, int] | None:
    """Return subject and frame of an image, by its fields or its name; None if they are not known."""
    subject = number_of(image.get("subject_id"))
    if subject is not None:
        frame = number_of(image.get("frame") or 0, is_frame=True)
        return None if frame is None else (subject, frame)
    file_name = image.get("file_name")
    if not isinstance(file_name, str):
        return None
    stem = PurePosixPath(file_name.replace("\\", "/")).stem
    if match := _DEFAULT_NAME.fullmatch(stem):
        return int(match[1]), int(match[2])
    subjects = {int(digits) for digits in _DIGITS.findall(stem)} & project.subjects
    return (subjects.pop(), 0) if len(subjects) == 1 else None


def parts_of_segmentation(segmentation: Any) -> list[list[Floats]] | None:
    """Return the polygons of an annotation: lists of x and y in turn; None if one is not valid."""
    if not isinstance(segmentation, list) or not segmentation:
        return None
    parts = []
    for numbers in segmentation:
        if not isinstance(numbers, list) or len(numbers) % 2:
            return None
        ring = ring_of(list(zip(numbers[::2], numbers[1::2], strict=True)) or np.empty((0, 2)))
        if ring is None:
            return None
        parts.append([ring])
    return parts
