"""Find and embed the images behind the outlines of a report, or white backgrounds of the right size."""

import base64
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyframe.core.callbacks import Progress, Say
from polyframe.core.errors import PolyframeError
from polyframe.core.extras import install_command
from polyframe.export.report.worst_clusters import WorstClusters
from polyframe.export.subject_images import ImageOptions, find_images
from polyframe.panoptes.subjects.image_files import upright_image, upright_size
from polyframe.panoptes.subjects.image_sizes import read_image_sizes
from polyframe.panoptes.subjects.subject_export import Subject, read_subjects
from polyframe.store.corrections import CORRECTED

#: The longer side of an embedded image, in pixels: it fills a screen, or is smaller if there are many images,
#: so that a browser can open the page.
LARGEST_SIDE: Final = 1000
SMALLEST_SIDE: Final = 400
_MANY_IMAGES: Final = 100

_QUALITY: Final = 78
#: The white around marks if the image size is unknown, as a fraction of their extent.
_MARGIN: Final = 0.05
#: Outliers extend the box on each side by at most this multiple of the extent of the clusters. Those farther
#: away would make everything else too small to see.
_LARGEST_REACH: Final = 4.0

#: The source of an image size: the classification export, the image, or the extent of the marks.
SizeFrom = Literal["recorded", "image", "drawn"]


@dataclass(frozen=True)
class Background:
    """The background of one subject and frame.

    Attributes
    ----------
    box : (float, float, float, float)
        Left, top, width and height of the picture, in the pixels of the marks.
    size_from : {"recorded", "image", "drawn"}
        The source of the size.
    file : Path or None
        The image; None if it is missing.
    address : str or None
        The http or https address of the image; None if unknown.
    """

    box: tuple[float, float, float, float]
    size_from: SizeFrom
    file: Path | None
    address: str | None

    @property
    def unit(self) -> float:
        """Pixels per unit of the SVG paths: a power of ten, at most a 5000th of the longer side."""
        return float(10.0 ** math.floor(math.log10(max(self.box[2:]) / 5000)))

    @property
    def tolerance(self) -> float:
        """Tolerance of the simplification in pixels: less than half a pixel of a large screen."""
        return max(self.box[2:]) / 4000


@dataclass(frozen=True)
class ImageSources:
    """The sources of images, their sizes and their addresses.

    Attributes
    ----------
    subjects : dict of int to Subject
        From the subjects export; empty if not given.
    files : dict of (int, int) to Path
        The image by subject and frame, for those that there are.
    recorded : dict
        Width and height by subject and frame, from the classification export.
    """

    subjects: dict[int, Subject]
    files: Mapping[tuple[int, int], Path]
    recorded: dict[tuple[int, int], tuple[int, int]]


def check_pillow() -> None:
    """Raise a PolyframeError if Pillow, which reads images, is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise PolyframeError(f"images in a report need Pillow: {install_command('report')}") from None


def image_sources(
    worst: WorstClusters,
    subjects: Path | None,
    options: ImageOptions,
    classifications: Path | None,
    say: Say,
    progress: Progress,
) -> ImageSources:
    """Read the files with images, sizes and metadata of the subjects of a report.

    Parameters
    ----------
    worst : WorstClusters
    subjects, classifications : Path or None
        The exports.
    options : ImageOptions
        Where the images are.
    say, progress : callable
        Receive notes about images that cannot be fetched, and the numbers of those that are fetched.

    Raises
    ------
    PolyframeError
        If one of them cannot be read.
    """
    subject_ids = worst.images["subject_id"].unique().to_list()
    by_id = read_subjects(subjects, subject_ids) if subjects else {}
    recorded = read_image_sizes(classifications) if classifications else {}
    # Downloads last, so that problems of the files come at once.
    files = find_images(worst.images.iter_rows(), by_id, options, say, progress)
    return ImageSources(by_id, files, recorded)


def find_backgrounds(worst: WorstClusters, sources: ImageSources, say: Say) -> list[Background]:
    """Find the image and the size of every subject and frame of a report.

    Parameters
    ----------
    worst : WorstClusters
    sources : ImageSources
    say : callable
        Receives notes about files that are not images, whose background is white.

    Returns
    -------
    list of Background
        In the order of `worst.images`.
    """
    backgrounds = []
    for (subject_id, frame), extent in zip(worst.images.iter_rows(), _extents(worst), strict=True):
        subject = sources.subjects.get(subject_id)
        file = sources.files.get((subject_id, frame))
        size = _size_of(file, say) if file else None
        recorded = sources.recorded.get((subject_id, frame))
        width, height = recorded or size or (0, 0)
        backgrounds.append(
            Background(
                box=(0.0, 0.0, float(width), float(height)) if width else extent,
                size_from="recorded" if recorded else "image" if size else "drawn",
                file=file if size else None,
                address=_address(subject.locations.get(frame)) if subject else None,
            )
        )
    return backgrounds


def largest_side(n_images: int) -> int:
    """Return the longer side in pixels of each of so many embedded images."""
    share = min(1.0, math.sqrt(_MANY_IMAGES / max(n_images, 1)))
    return max(SMALLEST_SIDE, round(LARGEST_SIDE * share))


def embedded_images(backgrounds: list[Background], say: Say) -> Iterator[tuple[int, str]]:
    """Read the images, reduced in size, as data addresses.

    Yields
    ------
    (int, str)
        Position in `backgrounds` and a data address (JPEG). Damaged images are skipped, with a note.
    """
    side = largest_side(sum(background.file is not None for background in backgrounds))
    for position, background in enumerate(backgrounds):
        if background.file is None:
            continue
        try:
            content = _thumbnail_bytes(background.file, side)
        except PolyframeError as error:
            say(f"{error}; its background is white")
            continue
        yield position, f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _size_of(file: Path, say: Say) -> tuple[int, int] | None:
    try:
        with file.open("rb") as opened:
            return upright_size(opened, str(file))
    except (PolyframeError, OSError) as error:
        say(f"{error}; its background is white")
        return None


def _thumbnail_bytes(file: Path, side: int) -> bytes:
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
    """Return an address that is safe in a link, and None for one that could be a script."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


def _extents(worst: WorstClusters) -> list[tuple[float, float, float, float]]:
    """Return the box around the marks and corrections of each image.

    Distant outliers enlarge it only a little.
    """
    sides = [pl.col("x").list.min(), pl.col("y").list.min(), pl.col("x").list.max(), pl.col("y").list.max()]
    corrected = (
        worst.clusters.filter(correction=CORRECTED)
        .join(worst.groups.select("group", "image"), on="group")
        .select("image", pl.lit(value=True).alias("inside"), x="clusters_x", y="clusters_y")
    )
    marks = worst.marks.select("image", pl.col("cluster_label") >= 0, "x", "y")
    boxes = (
        pl.concat([marks.rename({"cluster_label": "inside"}), corrected])
        .select("image", "inside", box=pl.concat_list(sides))
        .group_by("image", "inside")
        .agg(
            low=pl.concat_list(pl.col("box").list.get(k).min() for k in (0, 1)),
            high=pl.concat_list(pl.col("box").list.get(k).max() for k in (2, 3)),
        )
    )
    by_image: dict[int, dict[bool, NDArray[Any]]] = {}
    for image, inside, low, high in boxes.iter_rows():
        by_image.setdefault(image, {})[inside] = np.array([low, high])
    return [_extent(by_image.get(image, {})) for image in range(worst.images.height)]


def _extent(boxes: dict[bool, NDArray[Any]]) -> tuple[float, float, float, float]:
    clusters = boxes.get(True, boxes.get(False))
    if clusters is None:
        return 0.0, 0.0, 1.0, 1.0
    low, high = clusters
    outliers = boxes.get(False, clusters)
    reach = (high - low).max() * _LARGEST_REACH
    low = np.maximum(np.minimum(low, outliers[0]), low - reach)
    high = np.minimum(np.maximum(high, outliers[1]), high + reach)
    margin = max((high - low).max() * _MARGIN, 1e-6)
    left, top = (low - margin).tolist()
    width, height = (high - low + 2 * margin).tolist()
    return left, top, width, height
