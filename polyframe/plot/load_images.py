"""Load images as arrays, from a file or a URL."""

import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from io import BytesIO
from queue import Empty, Queue
from typing import IO, Any, Final

import numpy as np

from polyframe.core import open_url
from polyframe.core.errors import PolyframeError, no_such_file
from polyframe.core.local_paths import AnyPath, local_path
from polyframe.core.open_url import check_scheme, shorten_url
from polyframe.panoptes.subjects.image_files import upright_image
from polyframe.plot.image_axes import ImageArray

#: Zooniverse accepts images of up to 1 MB, and some projects have larger ones.
LARGEST_DOWNLOAD: Final = 30_000_000
#: Time limit of an image, from the name lookup to the last byte.
LONGEST_SECONDS: Final = 30.0

_CHUNK: Final = 1 << 16


def read_image(path: AnyPath) -> ImageArray:
    """Read an image and turn it upright, as browsers do.

    Parameters
    ----------
    path : path
        PNG, JPEG, WebP, GIF, TIFF or BMP; the first frame of several.

    Returns
    -------
    (height, width, 3 or 4) uint8 array

    Raises
    ------
    PolyframeError
        If it is missing, not an image, or has more than fifty million pixels.
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
) -> ImageArray:
    """Fetch an image by its URL.

    Parameters
    ----------
    url : str
        http or https, also after redirects. Only a loopback or private address may redirect to another one.
    opened : callable, optional
        Opens a URL within some seconds; replaces the network in tests.
    clock : callable
        Returns the time in seconds.

    Returns
    -------
    (height, width, 3 or 4) uint8 array

    Raises
    ------
    PolyframeError
        If the scheme is another, it does not answer, a redirect is not allowed, it takes more than 30 seconds
        or has more than 30 MB.
    """
    check_scheme(url)
    content = _run_with_timeout(
        LONGEST_SECONDS, url, lambda: _downloaded(url, opened or open_url.open_url, clock)
    )
    return _decoded(BytesIO(content), shorten_url(url))


def _downloaded(url: str, opened: Callable[[str, float], Any], clock: Callable[[], float]) -> bytes:
    end = clock() + LONGEST_SECONDS
    content = BytesIO()
    try:
        with opened(url, LONGEST_SECONDS) as response:
            # In pieces, since a socket timeout is per read, and the declared length may be wrong.
            while piece := response.read1(_CHUNK):
                content.write(piece)
                if content.tell() > LARGEST_DOWNLOAD:
                    raise PolyframeError(
                        f"{shorten_url(url)}: is larger than {LARGEST_DOWNLOAD // 10**6} MB; use --image FILE"
                    )
                if clock() > end:
                    raise _too_slow(url, LONGEST_SECONDS)
    except (OSError, ValueError, OverflowError, HTTPException) as error:
        reason = str(getattr(error, "reason", None) or error) or type(error).__name__
        raise PolyframeError(
            f"{shorten_url(url)}: cannot be fetched ({shorten_url(reason)}); use --image FILE"
        ) from None
    return content.getvalue()


def _run_with_timeout(seconds: float, url: str, work: Callable[[], bytes]) -> bytes:
    """Run `work` in a thread, and abandon the thread if it takes longer.

    A socket timeout limits neither the name lookup nor an answer that arrives byte by byte.
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
    return PolyframeError(f"{shorten_url(url)}: takes longer than {seconds:.0f} seconds; try again")


def _decoded(file: IO[bytes], name: str) -> ImageArray:
    with upright_image(file, name) as image:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return np.asarray(image if image.mode == mode else image.convert(mode))
