"""Read polygons and masks that people edited, from COCO instance segmentation.

CVAT (by datumaro) gives images and annotations other numbers, leaves `contributor` and `date_created` empty,
and keeps only the attributes that its labels define. It writes masks as run lengths that are not compressed,
with `iscrowd` 1, and a group of polygons as one annotation. Its COCO Keypoints have no polygons. FiftyOne
writes attributes beside the other keys of an annotation. Roboflow adds a first category, the group of the
others, and puts random digits into the names of images; newer files have their own names in `extra`.
"""

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

#: What programs write as the contributor instead of a person.
_PROGRAMS: Final = ("Roboflow", "Voxel51")
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
    is_person = isinstance(contributor, str) and contributor and contributor not in _PROGRAMS
    by = contributor if is_person else context.corrected_by
    at = (time_of(info.get("date_created")) if isinstance(info, dict) else None) or context.corrected_at
    listed = content.get(EXPORTED)
    file, numbers = EditedFile(), {}
    for image in _dicts(content["images"]):
        place = context.place_of(image, _own_name(image))
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
        elif (parts := _parts(annotation, file.images[number].size)) is None:
            context.skipped.add("annotation", _why_unread(annotation), name)
            file.unread.add(number)
        else:
            file.outlines.append(
                EditedOutline(
                    number,
                    label if isinstance(label, str) else None,
                    identity_of(annotation.get("attributes")) or identity_of(annotation),
                    parts,
                    _MASK_TOLERANCE if is_mask else _POLYGON_TOLERANCE,
                    name,
                )
            )
    return file


def _own_name(image: Mapping[str, Any]) -> object:
    """Return the name of an image before a program changed it."""
    extra = image.get("extra")
    name = extra.get("name") if isinstance(extra, dict) else None
    return name if isinstance(name, str) and name else image.get("file_name")


def _exported(listed: object, image_id: int | str) -> frozenset[str] | None:
    """Return the clusters that were exported for an image; None if the file does not say."""
    if not isinstance(listed, dict):
        return None
    members = listed.get(str(image_id), [])
    return frozenset(filter(lambda one: isinstance(one, str), members)) if isinstance(members, list) else None


def _parts(annotation: Mapping[str, Any], size: tuple[int, int] | None) -> list[list[Floats]] | None:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        # A mask of another size would be somewhere else.
        return rings_of_mask(segmentation) if size is None or _mask_size(segmentation) == size else None
    return parts_of_segmentation(segmentation)


def _mask_size(segmentation: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return width and height of a mask."""
    size = segmentation.get("size")
    return size_of(size[1], size[0]) if isinstance(size, list) and len(size) == 2 else None


def _why_unread(annotation: Mapping[str, Any]) -> str:
    """Say what an annotation has instead of a polygon or a mask that can be read."""
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        return "with a mask (RLE) that is empty, not valid or of another size than its image"
    if segmentation:
        return "with a polygon that is not valid"
    if annotation.get("keypoints"):
        return "with keypoints, without a polygon or a mask"
    return "with only a box, without a polygon or a mask" if annotation.get("bbox") else "without an outline"


def _dicts(values: object) -> Iterator[dict[str, Any]]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))
