"""The image files that volunteers saw: which of a folder belong to a subject, and how they are opened."""

import contextlib
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from polyframe._errors import PolyframeError
from polyframe.panoptes.subjects import Subject

#: Larger ones are more than a picture of a few thousand pixels can show, or are meant to fill the memory.
LARGEST_PIXELS: Final = 100_000_000

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp"})


@dataclass(frozen=True)
class ImageFolder:
    """A folder with the files that the metadata or the addresses of subjects name."""

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise PolyframeError(f"{self.folder}: no such folder of images; name one with --images")

    def of(self, subject: Subject) -> dict[int, Path]:
        """Return the files of a subject by frame.

        The names are those in its metadata that exist in the folder, in the order of the numbers in their
        keys (`image_1`, `image_2`), else in that of the metadata; else the last parts of its addresses.

        Parameters
        ----------
        subject : Subject

        Returns
        -------
        dict of int to pathlib.Path
            Empty where none of the names is in the folder.
        """
        named = [
            (_number(key), file)
            for key, value in subject.metadata.items()
            if isinstance(value, str) and (file := self._file(value))
        ]
        named.sort(key=lambda pair: pair[0])  # stable: those without a number keep their order
        if named:
            return dict(enumerate(file for _, file in named))
        last = {frame: urllib.parse.urlparse(url).path for frame, url in subject.locations.items()}
        return {frame: file for frame, path in last.items() if (file := self._file(PurePosixPath(path).name))}

    def _file(self, name: str) -> Path | None:
        """Return a file of the folder; never one outside, whatever the metadata says."""
        if not name or len(name) > 1000 or "\0" in name or Path(name).suffix.lower() not in _SUFFIXES:
            return None
        file = self.folder / name.lstrip("/\\")
        inside = file.resolve().is_relative_to(self.folder.resolve())
        return file if inside and file.is_file() else None


@contextlib.contextmanager
def upright_image(file: IO[bytes], name: str, about: tuple[int, int] | None = None) -> Iterator[Any]:
    """Open an image with Pillow, turned upright as browsers do.

    Parameters
    ----------
    file : file
        PNG, JPEG, GIF (the first picture) or what else Pillow reads.
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
        Where it is no image, or has more than a hundred million pixels; also within the `with` block, where
        what Pillow reads late is damaged.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with Pillow.open(file) as image:
            if image.width * image.height > LARGEST_PIXELS:
                size = f"{image.width} x {image.height}"
                raise PolyframeError(
                    f"{name}: has {size} pixels, more than {LARGEST_PIXELS:,}; make it smaller"
                )
            if about is not None:
                image.draft(None, about)
            yield ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise PolyframeError(f"{name}: cannot be read as an image; expected PNG, JPEG or the like") from None
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        if isinstance(error, PolyframeError):
            raise
        raise PolyframeError(f"{name}: cannot be read as an image ({error})") from None


def _number(key: str) -> int:
    found: list[str] = re.findall(r"[0-9]{1,9}", key)
    return int(found[-1]) if found else 0
