"""Represent a file of edited polygons, whatever program wrote it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from polyframe.core.arrays import Floats
from polyframe.pipeline.gold.named_outlines import number_of
from polyframe.pipeline.gold.project import Project, Skipped
from polyframe.pipeline.gold.read_coco import place_of_image

#: How Label Studio names files that it has uploaded or that it exports: with random digits before the name.
_UPLOADED: Final = re.compile(r"^[0-9a-f]{8}(?:__|-)")
#: How Roboflow names files that it exports: with the type and random digits after the name.
_VERSIONED: Final = re.compile(r"^(.+)_([A-Za-z]{3,4})\.rf\.[^./]+\.[A-Za-z]{3,4}$")


@dataclass(frozen=True)
class ClusterIdentity:
    """The cluster that a polygon was exported for.

    Attributes
    ----------
    tool : str
    cluster_label : int
        At the time of the export.
    members : str
        The hash of its marks, see `polyframe.consensus.cluster_members`.
    """

    tool: str
    cluster_label: int
    members: str


@dataclass(frozen=True)
class EditedImage:
    """An image on which somebody has edited polygons, or looked for ones to edit.

    Attributes
    ----------
    subject_id, frame : int
    size : (int, int) or None
        Width and height in pixels.
    exported : frozenset of str or None
        The `members` of the clusters that were exported for it; None if the file does not say.
    corrected_by : str or None
    corrected_at : datetime
    """

    subject_id: int
    frame: int
    size: tuple[int, int] | None
    exported: frozenset[str] | None
    corrected_by: str | None
    corrected_at: datetime


@dataclass(frozen=True)
class EditedOutline:
    """A polygon on an image.

    Attributes
    ----------
    image : int
        The position of its image in the file.
    label : str or None
        The name of its category.
    identity : ClusterIdentity or None
        The cluster for which it was exported, if the program kept that.
    parts : list of list of (n, 2) float64
        The rings of each part, the shell first; pixels.
    tolerance : float
        So close is an outline to another one that is the same (pixels).
    name : str
        For messages.
    """

    image: int
    label: str | None
    identity: ClusterIdentity | None
    parts: list[list[Floats]]
    tolerance: float
    name: str


@dataclass
class EditedFile:
    """The images and polygons of a file.

    Attributes
    ----------
    images : list of EditedImage
    outlines : list of EditedOutline
    unread : set of int
        The positions of images with something that is not read, which may be the outline of any cluster.
    """

    images: list[EditedImage] = field(default_factory=list)
    outlines: list[EditedOutline] = field(default_factory=list)
    unread: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class ReadContext:
    """What readers know beside the file.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    project : Project
    names : mapping of str to (int, int)
        Subject and frame of an image by its name.
    corrected_by : str or None
        Who corrected, if the file does not say.
    corrected_at : datetime
        When the file was written, if it does not say when it was edited.
    skipped : Skipped
        Receives what cannot be used.
    """

    name: str
    project: Project
    names: Mapping[str, tuple[int, int]]
    corrected_by: str | None
    corrected_at: datetime
    skipped: Skipped

    def place_of(self, image: Mapping[str, Any], file_name: object) -> tuple[int, int] | None:
        """Return subject and frame of an image, and count it if they are not in the project."""
        text = str(file_name or "").replace("\\", "/")
        text = _VERSIONED.sub(r"\1.\2", text)
        place = None
        if number_of(image.get("subject_id")) is None:
            last = text.rpartition("/")[2]
            names = (text, last, _UPLOADED.sub("", last))
            place = next((self.names[name] for name in names if name in self.names), None)
        place = place or place_of_image({**image, "file_name": text}, self.project)
        if place is None or place[0] not in self.project.subjects:
            self.skipped.add("image", f"without a subject of {self.project.name}", text or "no name")
            return None
        return place


def time_of(value: object) -> datetime | None:
    """Return a time in UTC from text in ISO 8601; None if it is something else. Without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def modified_at(path: Path) -> datetime:
    """Return when a file was written, to the second."""
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def identity_of(values: object) -> ClusterIdentity | None:
    """Return the identity that our exports write beside a polygon; None if something is missing."""
    if not isinstance(values, Mapping):
        return None
    tool, members = values.get("tool"), values.get("members")
    label = number_of(values.get("cluster_label"), is_frame=True)
    if not isinstance(tool, str) or not isinstance(members, str) or label is None:
        return None
    return ClusterIdentity(tool, label, members)


def size_of(width: object, height: object) -> tuple[int, int] | None:
    """Return the size of an image; None if it is not known."""
    numbers = (number_of(width), number_of(height))
    known = [number for number in numbers if number is not None and number > 0]
    return (known[0], known[1]) if len(known) == len(numbers) else None
