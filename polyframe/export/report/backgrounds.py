"""What lies behind the outlines of a report: images, reduced and embedded, or white of the right size."""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.extras import install_command
from polyframe.export.report.worst_clusters import Chosen
from polyframe.panoptes.subjects.image_files import ImageFolder, upright_image, upright_size
from polyframe.panoptes.subjects.image_sizes import read_image_sizes
from polyframe.panoptes.subjects.subject_export import Subject, read_subjects

#: The longer side of an embedded image, in pixels: as many as fit on a screen, fewer where there are many
#: images, so that the page does not grow beyond what a browser opens at once.
LARGEST_SIDE: Final = 1000
SMALLEST_SIDE: Final = 400
_MANY_IMAGES: Final = 100

_QUALITY: Final = 78
#: The white around marks where the size is not known, as a share of their extent.
_MARGIN: Final = 0.05
#: Outliers may widen it by so many times the extent of the clusters on each side; what is farther away would
#: make everything else too small to see.
_WIDENED: Final = 4.0

#: Where the size of an image is from: the classification export, the image, or what was drawn.
SizeFrom = Literal["recorded", "image", "drawn"]


@dataclass(frozen=True)
class Background:
    """What lies behind the marks of one subject and frame.

    Attributes
    ----------
    box : (float, float, float, float)
        Left, top, width and height of what is shown, in the pixels of the marks.
    size_from : {"recorded", "image", "drawn"}
        Where the size is from.
    file : Path or None
        The image; None where it is not at hand.
    address : str or None
        Of the image on the network, http or https; None where it is not known.
    """

    box: tuple[float, float, float, float]
    size_from: SizeFrom
    file: Path | None
    address: str | None

    @property
    def unit(self) -> float:
        """Pixels in one step of the outlines: a power of ten, at most a 5000th of the longer side."""
        return float(10.0 ** math.floor(math.log10(max(self.box[2:]) / 5000)))

    @property
    def tolerance(self) -> float:
        """Pixels by which outlines may be simplified: less than half a pixel of a large screen."""
        return max(self.box[2:]) / 4000


@dataclass(frozen=True)
class Sources:
    """Where images, their sizes and addresses come from.

    Attributes
    ----------
    subjects : dict of int to Subject
        What the subjects export says; empty where it was not given.
    folder : ImageFolder or None
        The folder of images.
    recorded : dict
        Width and height by subject and frame, from the classification export.
    """

    subjects: dict[int, Subject]
    folder: ImageFolder | None
    recorded: dict[tuple[int, int], tuple[int, int]]


def check_images(subjects: Path | None, images: Path | None) -> None:
    """Check that images can be had, before anything is read.

    Raises
    ------
    UsageError
        Where the subjects export is missing, which says whose they are.
    PolyframeError
        Where the folder or Pillow is missing.
    """
    if images is None:
        return
    if subjects is None:
        raise UsageError(
            "--images needs --subjects SUBJECTS.csv, which says which image belongs to a subject"
        )
    ImageFolder(images)
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise PolyframeError(f"images in a report need Pillow: {install_command('report')}") from None


def sources(
    chosen: Chosen, subjects: Path | None, images: Path | None, classifications: Path | None
) -> Sources:
    """Read what the files that were given say of the subjects of a report.

    Raises
    ------
    PolyframeError
        Where one of them cannot be read.
    """
    wanted = chosen.images["subject_id"].unique().to_list()
    return Sources(
        subjects=read_subjects(subjects, wanted) if subjects else {},
        folder=ImageFolder(images) if images else None,
        recorded=read_image_sizes(classifications) if classifications else {},
    )


def backgrounds(chosen: Chosen, given: Sources, say: Say) -> list[Background]:
    """Find the image and the size of every subject and frame of a report.

    Parameters
    ----------
    chosen : Chosen
    given : Sources
    say : callable
        Told of files that are no images; the background is then white.

    Returns
    -------
    list of Background
        In the order of `chosen.images`.
    """
    drawn = _extents(chosen)
    found = []
    for (subject_id, frame), extent in zip(chosen.images.iter_rows(), drawn, strict=True):
        subject = given.subjects.get(subject_id)
        file = given.folder.of(subject).get(frame) if given.folder and subject else None
        size = _size_of(file, say) if file else None
        recorded = given.recorded.get((subject_id, frame))
        width, height = recorded or size or (0, 0)
        found.append(
            Background(
                box=(0.0, 0.0, float(width), float(height)) if width else extent,
                size_from="recorded" if recorded else "image" if size else "drawn",
                file=file if size else None,
                address=_address(subject.locations.get(frame)) if subject else None,
            )
        )
    return found


def largest_side(n_images: int) -> int:
    """Return the longer side in pixels of embedded images, by how many there are."""
    share = min(1.0, math.sqrt(_MANY_IMAGES / max(n_images, 1)))
    return max(SMALLEST_SIDE, round(LARGEST_SIDE * share))


def embedded(behind: list[Background], say: Say) -> Iterator[tuple[int, str]]:
    """Read the images, reduced, as addresses that hold them.

    Yields
    ------
    (int, str)
        Position in `behind` and a data address (JPEG); nothing for those that turn out to be damaged, which
        `say` is told.
    """
    side = largest_side(sum(one.file is not None for one in behind))
    for position, one in enumerate(behind):
        if one.file is None:
            continue
        try:
            content = _reduced(one.file, side)
        except PolyframeError as error:
            say(f"{error}; the background is left white")
            continue
        yield position, f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _size_of(file: Path, say: Say) -> tuple[int, int] | None:
    try:
        with file.open("rb") as opened:
            return upright_size(opened, str(file))
    except (PolyframeError, OSError) as error:
        say(f"{error}; the background is left white")
        return None


def _reduced(file: Path, side: int) -> bytes:
    from PIL import Image as Pillow

    content = BytesIO()
    with file.open("rb") as opened, upright_image(opened, str(file), about=(side, side)) as image:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        reduced = image if image.mode == mode else image.convert(mode)
        reduced.thumbnail((side, side))
        if mode == "RGBA":
            # As a browser shows it on a white page.
            white = Pillow.new("RGBA", reduced.size, "white")
            reduced = Pillow.alpha_composite(white, reduced).convert("RGB")
        reduced.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def _address(url: str | None) -> str | None:
    """Return an address that a link may lead to; nothing that could be a script."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


def _extents(chosen: Chosen) -> list[tuple[float, float, float, float]]:
    """Return the box around what was drawn on each image; outliers far away do not make it much larger."""
    sides = [pl.col("x").list.min(), pl.col("y").list.min(), pl.col("x").list.max(), pl.col("y").list.max()]
    boxes = (
        chosen.marks.select("image", inside=pl.col("cluster_label") >= 0, box=pl.concat_list(sides))
        .group_by("image", "inside")
        .agg(
            low=pl.concat_list(pl.col("box").list.get(k).min() for k in (0, 1)),
            high=pl.concat_list(pl.col("box").list.get(k).max() for k in (2, 3)),
        )
    )
    by_image: dict[int, dict[bool, NDArray[Any]]] = {}
    for image, inside, low, high in boxes.iter_rows():
        by_image.setdefault(image, {})[inside] = np.array([low, high])
    return [_extent(by_image.get(image, {})) for image in range(chosen.images.height)]


def _extent(boxes: dict[bool, NDArray[Any]]) -> tuple[float, float, float, float]:
    clusters = boxes.get(True, boxes.get(False))
    if clusters is None:
        return 0.0, 0.0, 1.0, 1.0
    low, high = clusters
    outliers = boxes.get(False, clusters)
    reach = (high - low).max() * _WIDENED
    low = np.maximum(np.minimum(low, outliers[0]), low - reach)
    high = np.minimum(np.maximum(high, outliers[1]), high + reach)
    margin = max((high - low).max() * _MARGIN, 1e-6)
    left, top = (low - margin).tolist()
    width, height = (high - low + 2 * margin).tolist()
    return left, top, width, height
