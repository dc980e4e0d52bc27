"""Images as arrays: from a file, or from an address to fetch."""

import os
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from io import BytesIO
from queue import Empty, Queue
from typing import IO, Any, Final

import numpy as np

from polyframe.core.errors import PolyframeError, no_such_file
from polyframe.core.local_paths import local_path
from polyframe.panoptes.subjects.image_files import upright_image
from polyframe.plot import open_url
from polyframe.plot.image_axes import Image
from polyframe.plot.open_url import check_scheme, shown

#: Zooniverse takes images of up to 1 MB, and some projects have larger ones.
LARGEST_DOWNLOAD: Final = 30_000_000
#: For all of an image: looking up the name, being led on, and every byte.
LONGEST_SECONDS: Final = 30.0

_CHUNK: Final = 1 << 16


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image, turned upright as browsers do.

    Parameters
    ----------
    path : path
        PNG, JPEG, WebP, GIF, TIFF or BMP; of several pictures the first.

    Returns
    -------
    (height, width, 3 or 4) uint8 array

    Raises
    ------
    PolyframeError
        Where it is missing, no image, or has more than fifty million pixels.
    """
    path = local_path(path, "path")
    try:
        with path.open("rb") as file:
            return _decoded(file, str(path))
    except (FileNotFoundError, IsADirectoryError):
        raise PolyframeError(no_such_file(path)) from None
    except OSError as error:
        raise PolyframeError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


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
        http or https only, also where it leads on to another address; it is led on to addresses that are
        loopback or private only where it is one itself.
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
        Where it has another scheme, does not answer, is led on to where it must not, takes more than 30
        seconds in all or has more than 30 MB.
    """
    check_scheme(url)
    content = _within(LONGEST_SECONDS, url, lambda: _downloaded(url, opened or open_url.opened, clock))
    return _decoded(BytesIO(content), shown(url))


def _downloaded(url: str, opened: Callable[[str, float], Any], clock: Callable[[], float]) -> bytes:
    end = clock() + LONGEST_SECONDS
    content = BytesIO()
    try:
        with opened(url, LONGEST_SECONDS) as response:
            # Piece by piece: the time that the system is given is for one piece, and a length may be a lie.
            while piece := response.read1(_CHUNK):
                content.write(piece)
                if content.tell() > LARGEST_DOWNLOAD:
                    raise PolyframeError(
                        f"{shown(url)}: is larger than {LARGEST_DOWNLOAD // 10**6} MB; use --image FILE"
                    )
                if clock() > end:
                    raise _too_slow(url, LONGEST_SECONDS)
    except (OSError, ValueError, OverflowError, HTTPException) as error:
        reason = str(getattr(error, "reason", None) or error) or type(error).__name__
        raise PolyframeError(f"{shown(url)}: cannot be fetched ({shown(reason)}); use --image FILE") from None
    return content.getvalue()


def _within(seconds: float, url: str, work: Callable[[], bytes]) -> bytes:
    """Do something in a thread, which is left to itself where it takes longer.

    No time limit of a socket holds for all of it: not for looking up a name, nor for an answer that comes
    byte by byte.
    """
    done: Queue[bytes | BaseException] = Queue()

    def run() -> None:
        try:
            done.put(work())
        except BaseException as error:
            done.put(error)

    threading.Thread(target=run, daemon=True, name="polyframe-fetch").start()
    try:
        result = done.get(timeout=seconds)
    except Empty:
        raise _too_slow(url, seconds) from None
    if isinstance(result, BaseException):
        raise result
    return result


def _too_slow(url: str, seconds: float) -> PolyframeError:
    return PolyframeError(f"{shown(url)}: takes longer than {seconds:.0f} seconds; try again")


def _decoded(file: IO[bytes], name: str) -> Image:
    with upright_image(file, name) as image:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return np.asarray(image if image.mode == mode else image.convert(mode))
