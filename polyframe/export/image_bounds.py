"""How large the images are on which shapes lie: recorded, given, or no smaller than what was drawn."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from polyframe.core.arrays import Floats
from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.export.cluster_shapes import Drawn
from polyframe.export.export_options import ExportOptions
from polyframe.export.omissions import NO_AREA, OUTSIDE
from polyframe.panoptes.subjects.image_sizes import Sizes, read_image_sizes

_MOST_NAMED: Final = 5
_SIZE: Final = re.compile(r"\s*([1-9][0-9]{0,5})\s*[x,]\s*([1-9][0-9]{0,5})\s*", re.IGNORECASE)


@dataclass
class ImageSizes:
    """Where the sizes of images come from.

    Attributes
    ----------
    recorded : dict
        What a classification export tells.
    given : (int, int) or None
        What holds for all others; without it, what the table classifications has.
    has_export : bool
        Whether a classification export was named.
    guessed : set
        The images of which nothing tells the size.
    """

    recorded: Sizes
    given: tuple[int, int] | None
    has_export: bool = False
    guessed: set[tuple[int, int]] = field(default_factory=set)

    def of(self, image: Drawn) -> tuple[int, int]:
        """Return width and height of an image; at worst those of the box around its shapes."""
        key = (image.subject_id, image.frame)
        known = self.recorded.get(key, self.given) or image.size
        if known:
            return known
        self.guessed.add(key)
        drawn = [shape.points for shape in image.shapes if len(shape.points)]
        far = np.ceil(np.concatenate(drawn).max(axis=0)) if drawn else np.ones(2)
        width, height = np.maximum(far, 1).astype(int).tolist()
        return width, height

    def tell(self, say: Say) -> None:
        """Say of how many images the size is a guess."""
        if not self.guessed:
            return
        number, first = len(self.guessed), sorted(self.guessed)[:_MOST_NAMED]
        named = ", ".join(f"subject {subject} frame {frame}" for subject, frame in first)
        more = f", and {number - _MOST_NAMED} more" if number > _MOST_NAMED else ""
        neither = ", not even from the export" if self.has_export else ""
        advice = "" if self.has_export else "name the export with --classifications, or "
        say(
            f"the size of {number} images is not known{neither}, so that it is taken from the box around "
            f"what was drawn ({named}{more}); {advice}give --image-size"
        )


def image_sizes(options: ExportOptions) -> ImageSizes:
    """Return where the sizes come from, by `classifications` and `image_size`.

    Raises
    ------
    UsageError, PolyframeError
        Where the size has another form, or the export cannot be read.
    """
    given = None
    if options.image_size is not None:
        match = _SIZE.fullmatch(options.image_size)
        if match is None:
            raise UsageError(f"image_size: {options.image_size!r} is not WIDTHxHEIGHT, such as 1024x768")
        given = (int(match[1]), int(match[2]))
    export = options.classifications
    recorded = read_image_sizes(Path(export)) if export is not None else {}
    return ImageSizes(recorded, given, export is not None)


def image_name(image: Drawn, options: ExportOptions) -> str:
    """Return the name of an image: `image_name` with its numbers in the place of their names."""
    pattern = options.image_name or "{subject_id}-{frame}.png"
    named = {"{subject_id}": str(image.subject_id), "{frame}": str(image.frame)}
    for name, number in named.items():
        pattern = pattern.replace(name, number)
    return pattern


def why_left_out(points: Floats) -> str:
    """Return why nothing of an outline is within its image: it has no area at all, or none there."""
    return OUTSIDE if len(points) >= 4 and shapely.Polygon(points).area else NO_AREA


def within_image(points: Floats, size: tuple[int, int]) -> list[Floats]:
    """Cut an outline at the borders of its image.

    Parameters
    ----------
    points : (n, 2) array
        Closed, or empty.
    size : (int, int)
        Width and height.

    Returns
    -------
    list of (m, 2) array
        Closed outlines of the parts with an area; none where nothing is left.
    """
    if len(points) < 4:
        return []
    inside = (points >= 0).all() and (points <= size).all()
    polygon = shapely.Polygon(points)
    if inside:
        return [points] if polygon.area else []
    valid = polygon if polygon.is_valid else shapely.make_valid(polygon)
    cut: Any = shapely.intersection(valid, shapely.box(0, 0, *size))
    # Twice, for several polygons within a collection.
    parts = [part for part in shapely.get_parts(shapely.get_parts(cut)) if part.geom_type == "Polygon"]
    return [shapely.get_coordinates(part.exterior) for part in parts if part.area]
