"""Load images as arrays, from a file or a URL."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPException
from io import BytesIO
from queue import Empty, Queue
from typing import IO, Any, Final

import numpy as np

from polyframe.core import open_url
from polyframe.core.addresses import as_address
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, no_such_file
from polyframe.core.local_copies import AnyFile
from polyframe.core.local_paths import AnyPath, as_list, local_path
from polyframe.core.notes import show
from polyframe.core.open_url import check_scheme, shorten_url
from polyframe.export.subject_images import find_images, image_options
from polyframe.panoptes.subjects.fetched_images import LARGEST_DOWNLOAD, LONGEST_SECONDS
from polyframe.panoptes.subjects.image_files import upright_image
from polyframe.panoptes.subjects.subject_export import read_subject
from polyframe.plot.image_axes import ImageArray
from polyframe.plot.read_mark_groups import MarkGroup

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


def read_images(
    groups: Iterable[MarkGroup],
    *,
    subjects: AnyFile | None = None,
    images: AnyPath | None = None,
    fetch: bool = False,
    cache: AnyPath | None = None,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
) -> dict[int, ImageArray]:
    """Read the images of the groups of a subject, for `subject_figure`.

    Parameters
    ----------
    groups : iterable of MarkGroup
        Of one subject, from `read_groups`.
    subjects : path or address, optional
        The subject export.
    images : path, optional
        The folder with the image files that the metadata in `subjects` name, or a pattern of their paths with
        `{subject_id}`, `{frame}` and `{filename}`.
    fetch : bool
        Download the images from their addresses in `subjects`.
    cache : path, optional
        The folder that keeps downloaded images, as for `polyframe.report`.
    storage_options : mapping, optional
        As for `polyframe.scan`.
    say : callable, optional
        Receives notes about images that are missing or cannot be read.

    Returns
    -------
    dict of int to (height, width, 3 or 4) uint8 array
        By frame, without those that are missing.

    Raises
    ------
    UsageError
        If options contradict each other, or the subject export is missing.
    PolyframeError
        If the folder or the subject does not exist, or a file cannot be read.
    """
    say = show if say is None else say
    options = image_options(images, cache, fetch=fetch, has_subjects=subjects is not None)
    keys = sorted({(group.subject_id, group.frame) for group in as_list(groups)})
    if not options.are_wanted or not keys:
        return {}
    export = None if subjects is None else as_address(subjects, storage_options) or subjects
    by_id = {} if export is None else {key: read_subject(export, key) for key in {key for key, _ in keys}}
    files = find_images(keys, by_id, options, say)
    arrays: dict[int, ImageArray] = {}
    for key in keys:
        if key not in files:
            # Those that cannot be fetched have been noted.
            if not options.fetch:
                say(f"{options.images}: no image of frame {key[1]}; its background is white")
            continue
        try:
            arrays[key[1]] = read_image(files[key])
        except PolyframeError as error:
            say(f"{error}; its background is white")
    return arrays


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
