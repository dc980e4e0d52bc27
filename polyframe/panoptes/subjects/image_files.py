"""Find the image files of a subject in a folder, and open images safely."""

import contextlib
import os
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import local_path
from polyframe.panoptes.subjects.image_names import is_image_name, names_in_addresses, names_in_metadata
from polyframe.panoptes.subjects.subject_export import Subject

#: Formats that are opened, whatever the file name: other decoders of Pillow start programs (Ghostscript for
#: EPS), or are rarely used and less reviewed.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
#: More than any report or plot can show. A decoded pixel has four bytes, and there are up to three copies; a
#: file of some hundred kilobytes can contain any number of pixels.
LARGEST_PIXELS: Final = 50_000_000
#: Size of an uncompressed image of `LARGEST_PIXELS` pixels, with the metadata of cameras.
LARGEST_BYTES: Final = 250_000_000

#: Exceptions of Pillow for damaged files.
_DAMAGED: Final = (OSError, ValueError, SyntaxError, EOFError, struct.error)
#: TIFF tags of the width and height of tiles.
_TILE_SIDES: Final = (322, 323)
#: The EXIF tag of the orientation of the camera, and its values for a quarter turn.
_ORIENTATION: Final = 0x0112
_ON_ITS_SIDE: Final = (5, 6, 7, 8)


@dataclass(frozen=True)
class ImageFolder:
    """A folder of image files that are named in the metadata or the addresses of subjects."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", local_path(self.folder, "folder"))
        if not self.folder.is_dir():
            raise PolyframeError(f"{self.folder}: no such folder of images; name one with --images")

    def of(self, subject: Subject) -> dict[int, Path]:
        """Return the files of a subject by frame.

        Their names come from its metadata, sorted by the numbers in their keys (`image_1`, `image_2`), or in
        the order of the metadata. If there are more names than frames, only those in the folder count. If
        it is unclear which frame has no file, the names are the last parts of its addresses.

        Parameters
        ----------
        subject : Subject

        Returns
        -------
        dict of int to pathlib.Path
            Empty if none of the names is in the folder.
        """
        files = [self._file(name) for name in names_in_metadata(subject)]
        existing = [file for file in files if file]
        if existing and len(files) == len(subject.locations):
            return {frame: file for frame, file in enumerate(files) if file}
        if existing and (len(existing) == len(files) or len(existing) >= len(subject.locations)):
            return dict(enumerate(existing))
        last = names_in_addresses(subject)
        return {frame: file for frame, name in last.items() if (file := self._file(name))}

    def _file(self, name: str) -> Path | None:
        """Return a file in the folder; never one outside it, whatever the metadata contain."""
        if not is_image_name(name):
            return None
        file = self.folder / name.lstrip("/\\")
        try:
            inside = file.resolve().is_relative_to(self.folder.resolve())
            return file if inside and file.is_file() else None
        except (OSError, ValueError, RuntimeError):  # too long, not text, circular links
            return None


@contextlib.contextmanager
def upright_image(file: IO[bytes], name: str, about: tuple[int, int] | None = None) -> Iterator[Any]:
    """Open an image with Pillow, rotated upright as in browsers.

    Parameters
    ----------
    file : file
        PNG, JPEG, WebP, GIF, TIFF or BMP; the first image if there are several.
    name : str
        Its name in messages.
    about : (int, int), optional
        The size that is needed: a JPEG is then decoded at a fraction of its size, but not below this.

    Yields
    ------
    PIL.Image.Image

    Raises
    ------
    PolyframeError
        If it is not an image of these formats, or too large (`LARGEST_PIXELS`, `LARGEST_BYTES`); also within
        the `with` block, if data that Pillow reads late are damaged.
    """
    from PIL import ImageOps

    with _opened(file, name) as image:
        if about is not None:
            image.draft(None, about)
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def upright_size(file: IO[bytes], name: str) -> tuple[int, int]:
    """Return width and height of an upright image; only its header is read.

    Parameters
    ----------
    file : file
        As for `upright_image`.
    name : str
        Its name in messages.

    Raises
    ------
    PolyframeError
        If it is not an image of these formats, or too large. Damage after the header is not detected.
    """
    with _opened(file, name) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE else (width, height)


@contextlib.contextmanager
def _opened(file: IO[bytes], name: str) -> Iterator[Any]:
    """Open an image with Pillow; errors within the `with` block become PolyframeErrors too."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        # Pillow warns if the metadata of cameras are damaged.
        with warnings.catch_warnings(action="ignore"):
            _check_bytes(file, name)
            with Pillow.open(file, formats=FORMATS) as image:
                _check_pixels(image, name)
                yield image
    except UnidentifiedImageError:
        expected = "expected PNG, JPEG, WebP, GIF, TIFF or BMP"
        raise PolyframeError(f"{name}: cannot be read as an image; {expected}") from None
    except (*_DAMAGED, Pillow.DecompressionBombError, MemoryError) as error:
        cause = " ".join(str(error).split()) or "not enough memory"
        raise PolyframeError(f"{name}: cannot be read as an image ({cause})") from None


def _check_bytes(file: IO[bytes], name: str) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > LARGEST_BYTES:
        raise PolyframeError(f"{name}: has {size:,} bytes, more than {LARGEST_BYTES:,}; make it smaller")


def _check_pixels(image: Any, name: str) -> None:
    """Check the size in the header of an image; nothing is decoded yet."""
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
