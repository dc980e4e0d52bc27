"""Find the sizes of images, and clip outlines at the borders of their image."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from polyframe.core.arrays import Floats
from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.core.plurals import counted
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_images import ImageShapes
from polyframe.export.omissions import NO_AREA, OUTSIDE, first_images
from polyframe.panoptes.subjects.image_sizes import Sizes, read_image_sizes

_SIZE: Final = re.compile(r"\s*([1-9][0-9]{0,5})\s*[x,]\s*([1-9][0-9]{0,5})\s*", re.IGNORECASE)


@dataclass
class ImageSizes:
    """The sizes of images, from all sources.

    Attributes
    ----------
    recorded : dict
        Sizes in the classification export.
    default : (int, int) or None
        The size of all other images; without it, that in the table classifications.
    has_export : bool
        Whether a classification export was read.
    guessed : set
        The images whose size no source has.
    """

    recorded: Sizes
    default: tuple[int, int] | None
    has_export: bool = False
    guessed: set[tuple[int, int]] = field(default_factory=set)

    @property
    def advice(self) -> str:
        """What to do if a size is not known."""
        other = "" if self.has_export else "name the export with --classifications, or "
        return f"{other}give --image-size"

    def known(self, image: ImageShapes) -> tuple[int, int] | None:
        """Return width and height of an image, if a source has them."""
        return self.recorded.get((image.subject_id, image.frame), self.default) or image.size

    def of(self, image: ImageShapes) -> tuple[int, int]:
        """Return width and height of an image; if unknown, large enough for its shapes."""
        known = self.known(image)
        if known:
            return known
        self.guessed.add((image.subject_id, image.frame))
        outlines = [shape.points for shape in image.shapes if len(shape.points)]
        far = np.ceil(np.concatenate(outlines).max(axis=0)) if outlines else np.ones(2)
        width, height = np.maximum(far, 1).astype(int).tolist()
        return width, height

    def report(self, say: Say) -> None:
        """Report the images whose size is a guess."""
        if not self.guessed:
            return
        neither = " and not recorded in the export" if self.has_export else ""
        say(
            f"the size of {counted(len(self.guessed), 'image')} is not known{neither}, so the extent of the "
            f"shapes is used ({first_images(self.guessed)}); {self.advice}"
        )


def image_sizes(options: ExportOptions) -> ImageSizes:
    """Return the sizes of images, from `classifications` and `image_size`.

    Raises
    ------
    UsageError, PolyframeError
        If `image_size` is malformed, or the export cannot be read.
    """
    default = None
    if options.image_size is not None:
        match = _SIZE.fullmatch(options.image_size)
        if match is None:
            raise UsageError(f"image_size: {options.image_size!r} is not WIDTHxHEIGHT, such as 1024x768")
        default = (int(match[1]), int(match[2]))
    export = options.classifications
    recorded = read_image_sizes(Path(export)) if export is not None else {}
    return ImageSizes(recorded, default, export is not None)


def why_omitted(points: Floats) -> str:
    """Return why no part of an outline is within its image: it has no area, or is outside."""
    return OUTSIDE if len(points) >= 4 and shapely.Polygon(points).area else NO_AREA


def clip_to_image(points: Floats, size: tuple[int, int]) -> list[Floats]:
    """Clip an outline at the borders of its image.

    Parameters
    ----------
    points : (n, 2) array
        Closed, or empty.
    size : (int, int)
        Width and height.

    Returns
    -------
    list of (m, 2) array
        Closed outlines of the parts with an area; empty if there are none. An outline inside the image is
        returned as it is.
    """
    if len(points) < 4:
        return []
    inside = (points >= 0).all() and (points <= size).all()
    polygon = shapely.Polygon(points)
    if inside:
        return [points] if polygon.area else []
    valid = polygon if polygon.is_valid else shapely.make_valid(polygon)
    clipped: Any = shapely.intersection(valid, shapely.box(0, 0, *size))
    # Twice, since a collection may contain multipolygons.
    parts = [part for part in shapely.get_parts(shapely.get_parts(clipped)) if part.geom_type == "Polygon"]
    return [shapely.get_coordinates(part.exterior) for part in parts if part.area]
