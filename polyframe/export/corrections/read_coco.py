"""Read polygons and masks that people edited, from COCO instance segmentation as CVAT and others write it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from polyframe.core.arrays import Floats
from polyframe.core.errors import PolyframeError
from polyframe.export.coco import EXPORTED
from polyframe.export.corrections.edited_file import (
    EditedFile,
    EditedImage,
    EditedOutline,
    ReadContext,
    identity_of,
    size_of,
    time_of,
)
from polyframe.export.corrections.run_lengths import rings_of_mask
from polyframe.pipeline.gold.read_coco import parts_of_segmentation

#: Programs write two digits.
_POLYGON_TOLERANCE: Final = 0.02
#: The outline of a mask runs along pixels.
_MASK_TOLERANCE: Final = 1.5


def is_coco(content: object) -> bool:
    """Return whether a file may be COCO."""
    return isinstance(content, dict) and "images" in content and "annotations" in content


def read_coco(content: Mapping[str, Any], context: ReadContext) -> EditedFile:
    """Read the annotations of a COCO file. Its ids count only within the file.

    Parameters
    ----------
    content : dict
    context : ReadContext

    Raises
    ------
    PolyframeError
        If a list is missing.
    """
    if not isinstance(content["images"], list) or not isinstance(content["annotations"], list):
        raise PolyframeError(f"{context.name}: a COCO file needs the lists images and annotations")
    info = content.get("info") if isinstance(content.get("info"), dict) else {}
    contributor = info.get("contributor") if isinstance(info, dict) else None
    by = contributor if isinstance(contributor, str) and contributor else context.corrected_by
    at = (time_of(info.get("date_created")) if isinstance(info, dict) else None) or context.corrected_at
    listed = content.get(EXPORTED)
    file, numbers = EditedFile(), {}
    for image in _dicts(content["images"]):
        place = context.place_of(image, image.get("file_name"))
        if place is None or not isinstance(image.get("id"), (int, str)):
            continue
        numbers[image["id"]] = len(file.images)
        size = size_of(image.get("width"), image.get("height"))
        file.images.append(EditedImage(*place, size, _exported(listed, image["id"]), by, at))
    categories = {
        category["id"]: category
        for category in _dicts(content.get("categories"))
        if isinstance(category.get("id"), (int, str))
    }
    for annotation in _dicts(content["annotations"]):
        name = f"annotation {annotation.get('id')}"
        image_id = annotation.get("image_id")
        number = numbers.get(image_id) if isinstance(image_id, (int, str)) else None
        category = annotation.get("category_id")
        label = categories.get(category, {}).get("name") if isinstance(category, (int, str)) else None
        is_mask = isinstance(annotation.get("segmentation"), dict)
        if number is None:
            context.skipped.add("annotation", "without a usable image", name)
        elif (parts := _parts(annotation)) is None:
            context.skipped.add("annotation", "without a polygon or a mask that can be read", name)
        else:
            file.outlines.append(
                EditedOutline(
                    number,
                    label if isinstance(label, str) else None,
                    identity_of(annotation.get("attributes")),
                    parts,
                    _MASK_TOLERANCE if is_mask else _POLYGON_TOLERANCE,
                    name,
                )
            )
    return file


def _exported(listed: object, image_id: int | str) -> frozenset[str] | None:
    """Return the clusters that were exported for an image; None if the file does not say."""
    if not isinstance(listed, dict):
        return None
    members = listed.get(str(image_id), [])
    return frozenset(filter(lambda one: isinstance(one, str), members)) if isinstance(members, list) else None


def _parts(annotation: Mapping[str, Any]) -> list[list[Floats]] | None:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        return rings_of_mask(segmentation)
    return parts_of_segmentation(segmentation)


def _dicts(values: object) -> Iterator[dict[str, Any]]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))
