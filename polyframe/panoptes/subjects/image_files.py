"""The image files that volunteers saw: which of a folder belong to a subject, and how they are opened."""

import contextlib
import os
import re
import struct
import urllib.parse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import local_path
from polyframe.panoptes.subjects.subject_export import Subject

#: What is opened, whatever the name of a file says: other readers of Pillow start programs (Ghostscript for
#: EPS), or are seldom used and little looked at.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
#: Far more than a report or a picture can show. A decoded pixel has four bytes, and up to three copies are
#: made, while a file of some hundred kilobytes can hold any number of pixels.
LARGEST_PIXELS: Final = 50_000_000
#: An image without compression of so many pixels, and what cameras write beside it.
LARGEST_BYTES: Final = 250_000_000

#: What Pillow raises where a file is damaged.
_DAMAGED: Final = (OSError, ValueError, SyntaxError, EOFError, struct.error)
#: The tags in which TIFF gives the sides of the tiles that are decoded at once.
_TILE_SIDES: Final = (322, 323)
#: The tag in which cameras tell how they were held, and its values for a quarter turn.
_ORIENTATION: Final = 0x0112
_ON_ITS_SIDE: Final = (5, 6, 7, 8)
_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp"})


@dataclass(frozen=True)
class ImageFolder:
    """A folder with the files that the metadata or the addresses of subjects name."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", local_path(self.folder, "folder"))
        if not self.folder.is_dir():
            raise PolyframeError(f"{self.folder}: no such folder of images; name one with --images")

    def of(self, subject: Subject) -> dict[int, Path]:
        """Return the files of a subject by frame.

        The names are those in its metadata, in the order of the numbers in their keys (`image_1`,
        `image_2`), else in that of the metadata. Where there are more names than frames, those count that
        exist in the folder. Where it cannot be told which frame has no file, the names are the last parts of
        its addresses.

        Parameters
        ----------
        subject : Subject

        Returns
        -------
        dict of int to pathlib.Path
            Empty where none of the names is in the folder.
        """
        named = [
            (_number(key), value)
            for key, value in subject.metadata.items()
            if isinstance(value, str) and _names_an_image(value)
        ]
        named.sort(key=lambda pair: pair[0])  # stable: those without a number keep their order
        files = [self._file(value) for _, value in named]
        there = [file for file in files if file]
        if there and len(files) == len(subject.locations):
            return {frame: file for frame, file in enumerate(files) if file}
        if there and (len(there) == len(files) or len(there) >= len(subject.locations)):
            return dict(enumerate(there))
        last = {frame: _last_part(url) for frame, url in subject.locations.items()}
        return {frame: file for frame, name in last.items() if (file := self._file(name))}

    def _file(self, name: str) -> Path | None:
        """Return a file of the folder; never one outside, whatever the metadata says."""
        if not _names_an_image(name):
            return None
        file = self.folder / name.lstrip("/\\")
        try:
            inside = file.resolve().is_relative_to(self.folder.resolve())
            return file if inside and file.is_file() else None
        except (OSError, ValueError, RuntimeError):  # too long, no text, links in a circle
            return None


@contextlib.contextmanager
def upright_image(file: IO[bytes], name: str, about: tuple[int, int] | None = None) -> Iterator[Any]:
    """Open an image with Pillow, turned upright as browsers do.

    Parameters
    ----------
    file : file
        PNG, JPEG, WebP, GIF, TIFF or BMP; of several pictures the first.
    name : str
        What errors call it.
    about : (int, int), optional
        That no more than these pixels are needed: a JPEG is then read at a fraction of its size, not below.

    Yields
    ------
    PIL.Image.Image

    Raises
    ------
    PolyframeError
        Where it is no image of these kinds, or is too large (`LARGEST_PIXELS`, `LARGEST_BYTES`); also within
        the `with` block, where what Pillow reads late is damaged.
    """
    from PIL import ImageOps

    with _opened(file, name) as image:
        if about is not None:
            image.draft(None, about)
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def upright_size(file: IO[bytes], name: str) -> tuple[int, int]:
    """Return width and height of an image, turned upright; only its head is read.

    Parameters
    ----------
    file : file
        As for `upright_image`.
    name : str
        What errors call it.

    Raises
    ------
    PolyframeError
        Where it is no image of these kinds, or is too large, as from `upright_image`. Damage behind the head
        is not seen.
    """
    with _opened(file, name) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE else (width, height)


@contextlib.contextmanager
def _opened(file: IO[bytes], name: str) -> Iterator[Any]:
    """Open an image with Pillow; what goes wrong within, too, is told as a PolyframeError."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        # What cameras add may be damaged where the image is not: Pillow warns of it.
        with warnings.catch_warnings(action="ignore"):
            _check_bytes(file, name)
            with Pillow.open(file, formats=FORMATS) as image:
                _check_pixels(image, name)
                yield image
    except UnidentifiedImageError:
        expected = "expected PNG, JPEG, WebP, GIF, TIFF or BMP"
        raise PolyframeError(f"{name}: cannot be read as an image; {expected}") from None
    except (*_DAMAGED, Pillow.DecompressionBombError, MemoryError) as error:
        told = " ".join(str(error).split()) or "not enough memory"
        raise PolyframeError(f"{name}: cannot be read as an image ({told})") from None


def _check_bytes(file: IO[bytes], name: str) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > LARGEST_BYTES:
        raise PolyframeError(f"{name}: has {size:,} bytes, more than {LARGEST_BYTES:,}; make it smaller")


def _check_pixels(image: Any, name: str) -> None:
    """Check the size that the head of an image tells; nothing is decoded yet."""
    sizes = [(image.width, image.height)]
    tags = getattr(image, "tag_v2", None)
    if tags is not None and all(side in tags for side in _TILE_SIDES):
        width, height = (int(tags[side]) for side in _TILE_SIDES)
        sizes.append((width, height))
    for width, height in sizes:
        if width * height > LARGEST_PIXELS:
            raise PolyframeError(
                f"{name}: has {width} x {height} pixels, more than {LARGEST_PIXELS:,}; make it smaller"
            )


def _names_an_image(name: str) -> bool:
    return 0 < len(name) <= 1000 and "\0" not in name and Path(name).suffix.lower() in _SUFFIXES


def _last_part(url: str) -> str:
    try:
        return PurePosixPath(urllib.parse.urlparse(url).path).name
    except ValueError:  # no address
        return ""


def _number(key: str) -> int:
    found: list[str] = re.findall(r"[0-9]{1,9}", key)
    return int(found[-1]) if found else 0
