"""Find the names of the images of a subject in its metadata and addresses."""

import re
import urllib.parse
from pathlib import Path, PurePosixPath
from typing import Final

from polyframe.panoptes.subjects.subject_export import Subject

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp"})
_LONGEST: Final = 1000
#: Half of a surrogate pair, which JSON can escape but UTF-8 cannot encode.
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")


def image_names(subject: Subject) -> dict[int, str]:
    """Return the name of the image of each frame.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    dict of int to str
        The names in the metadata if there is one for each address, or no address; otherwise the last part of
        each address that is an image name. Empty if there are neither.
    """
    names = names_in_metadata(subject)
    if names and len(names) == (len(subject.locations) or len(names)):
        return dict(enumerate(names))
    return {frame: name for frame, name in names_in_addresses(subject).items() if is_image_name(name)}


def names_in_metadata(subject: Subject) -> list[str]:
    """Return the image names in the metadata of a subject.

    They are sorted by the numbers in their keys (`image_1`, `image_2`), or in the order of the metadata.
    """
    names = [
        (_number(key), value)
        for key, value in subject.metadata.items()
        if isinstance(value, str) and is_image_name(value)
    ]
    names.sort(key=lambda pair: pair[0])  # stable: names without a number keep their order
    return [name for _, name in names]


def names_in_addresses(subject: Subject) -> dict[int, str]:
    """Return the last part of the address of each frame."""
    return {frame: _last_part(url) for frame, url in subject.locations.items()}


def is_image_name(name: str) -> bool:
    """Return whether a text is the name of an image file, by its ending."""
    is_text = "\0" not in name and not _HALF_CHARACTER.search(name)
    return 0 < len(name) <= _LONGEST and is_text and Path(name).suffix.lower() in _SUFFIXES


def _last_part(url: str) -> str:
    try:
        return PurePosixPath(urllib.parse.urlparse(url).path).name
    except ValueError:  # not an address
        return ""


def _number(key: str) -> int:
    numbers: list[str] = re.findall(r"[0-9]{1,9}", key)
    return int(numbers[-1]) if numbers else 0
