"""Images as arrays: from a file, or from an address to fetch."""

import os
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from polyframe import __version__
from polyframe._errors import PolyframeError, no_such_file
from polyframe.images import upright_image
from polyframe.plot.canvas import Image

LARGEST_DOWNLOAD: Final = 30_000_000
LONGEST_SECONDS: Final = 30.0

_CHUNK: Final = 1 << 16


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
        Where it is missing, no image, or has more than a hundred million pixels.
    """
    try:
        with Path(path).open("rb") as file:
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
    with upright_image(file, name) as image:
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
