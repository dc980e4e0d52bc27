"""The images that volunteers saw: a file, a folder with the subjects' metadata, or an address to fetch."""

import json
import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

import numpy as np
import polars as pl
from PIL import Image as Pillow
from PIL import ImageOps

from polyframe import __version__
from polyframe._errors import PolyframeError
from polyframe.plot.canvas import Image

#: Larger ones are more than a picture of a few thousand pixels can show, or are meant to fill the memory.
LARGEST_PIXELS: Final = 100_000_000
LARGEST_DOWNLOAD: Final = 30_000_000
LONGEST_SECONDS: Final = 30.0

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp"})
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Subject:
    """What a subjects export says of one subject.

    Attributes
    ----------
    subject_id : int
    metadata : dict
        As the project's team gave it, in its order.
    locations : dict
        Address of each frame's image, by frame.
    """

    subject_id: int
    metadata: dict[str, Any]
    locations: dict[int, str]


@dataclass(frozen=True)
class ImageFolder:
    """The files of a folder, once by all their names below it, so that metadata can name them."""

    folder: Path
    _files: dict[str, Path] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise PolyframeError(f"{self.folder}: no such folder of images")

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


def read_subject(subjects: str | os.PathLike[str], subject_id: int) -> Subject:
    """Find a subject in a subjects export.

    Parameters
    ----------
    subjects : path
        The CSV that Zooniverse exports: with `subject_id`, `metadata` and `locations`.
    subject_id : int

    Returns
    -------
    Subject

    Raises
    ------
    PolyframeError
        Where the file is no subjects export or does not have the subject.
    """
    try:
        rows = (
            pl.scan_csv(Path(subjects), infer_schema=False)
            .select("subject_id", "metadata", "locations")
            .filter(pl.col("subject_id") == str(subject_id))
            .head(1)
            .collect()
        )
    except pl.exceptions.PolarsError as error:
        told = str(error).splitlines()[0]
        raise PolyframeError(
            f"{subjects}: no subjects export with subject_id, metadata and locations ({told})"
        ) from None
    if rows.is_empty():
        raise PolyframeError(f"{subjects}: has no subject {subject_id}; is it the export of this project?")
    row = rows.row(0, named=True)
    locations = {
        int(frame): url
        for frame, url in _json_object(row["locations"]).items()
        if frame.isascii() and frame.isdigit() and isinstance(url, str)
    }
    return Subject(subject_id, _json_object(row["metadata"]), locations)


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image, turned upright as browsers do.

    Parameters
    ----------
    path : path
        PNG, JPEG, GIF (the first picture) or what else Pillow reads.

    Returns
    -------
    (height, width, 3 or 4) uint8 array

    Raises
    ------
    PolyframeError
        Where it is no image, or has more than a hundred million pixels.
    FileNotFoundError
        Where it is not there.
    """
    with Path(path).open("rb") as file:
        return _decoded(file, str(path))


def fetch_image(
    url: str,
    *,
    opened: Callable[[str, float], Any] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Image:
    """Fetch an image by its address.

    Parameters
    ----------
    url : str
        http or https only, also where it leads on to another address.
    opened : callable, optional
        Opens an address within some seconds; takes the place of the network in tests.
    clock : callable
        Tells the time in seconds.

    Returns
    -------
    (height, width, 3 or 4) uint8 array

    Raises
    ------
    PolyframeError
        Where it has another scheme, does not answer, takes more than 30 seconds or has more than 30 MB.
    """
    _check_scheme(url)
    end = clock() + LONGEST_SECONDS
    content = BytesIO()
    try:
        with (opened or _open)(url, LONGEST_SECONDS / 3) as response:
            # Piece by piece: the time that the system is given is for one piece, and a length may be a lie.
            while piece := response.read1(_CHUNK):
                content.write(piece)
                if content.tell() > LARGEST_DOWNLOAD:
                    raise PolyframeError(
                        f"{url}: is larger than {LARGEST_DOWNLOAD // 10**6} MB; use --image FILE"
                    )
                if clock() > end:
                    raise PolyframeError(f"{url}: takes longer than {LONGEST_SECONDS:.0f} seconds; try again")
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise PolyframeError(f"{url}: cannot be fetched ({reason}); use --image FILE") from None
    content.seek(0)
    return _decoded(content, url)


class _SameSchemes(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, seconds: float) -> Any:
    # urllib opens files and FTP too, so the scheme is checked before, and again where an address leads on.
    opener = urllib.request.build_opener(_SameSchemes)
    request = urllib.request.Request(url, headers={"User-Agent": f"polyframe/{__version__}"})
    return opener.open(request, timeout=seconds)


def _check_scheme(url: str) -> None:
    if urllib.parse.urlparse(url).scheme.lower() not in ("http", "https"):
        raise PolyframeError(f"{url[:200]}: is no http or https address; use --images DIR for files")


def _decoded(file: IO[bytes], name: str) -> Image:
    try:
        with Pillow.open(file) as image:
            if image.width * image.height > LARGEST_PIXELS:
                size = f"{image.width} x {image.height}"
                raise PolyframeError(
                    f"{name}: has {size} pixels, more than {LARGEST_PIXELS:,}; make it smaller"
                )
            upright = ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("RGBA" if upright.has_transparency_data else "RGB"))
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        if isinstance(error, PolyframeError):
            raise
        raise PolyframeError(f"{name}: cannot be read as an image ({error})") from None


def _json_object(cell: str | None) -> dict[str, Any]:
    try:
        found = json.loads(cell or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(key: str) -> int:
    found: list[str] = re.findall(r"[0-9]{1,9}", key)
    return int(found[-1]) if found else 0
