"""Fetch the images of subjects from their addresses into a folder that keeps them for later runs."""

import hashlib
import os
import sys
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from polyframe.core.addresses import WEB_SCHEMES, Address, split_scheme
from polyframe.core.atomic_files import cannot_write
from polyframe.core.callbacks import Progress, Say, no_progress
from polyframe.core.open_url import shorten_url
from polyframe.core.plurals import counted
from polyframe.panoptes.subjects.image_files import upright_size
from polyframe.panoptes.subjects.image_names import is_image_name
from polyframe.panoptes.subjects.subject_export import Subject

#: Zooniverse accepts images of up to 1 MB, and some projects have larger ones.
LARGEST_DOWNLOAD: Final = 30_000_000
#: Time limit of an image, from the name lookup to the last byte.
LONGEST_SECONDS: Final = 30.0
#: Problems of so many images are noted one by one.
_MOST_NOTES: Final = 10


def images_cache() -> Path:
    """Return the folder in which fetched images are kept by default: that of this system for caches."""
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        parent = Path.home() / "Library" / "Caches"
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent) / "polyframe" / "images"


def fetch_images(
    images: Iterable[tuple[int, int]],
    subjects: Mapping[int, Subject],
    cache: Path,
    say: Say,
    progress: Progress = no_progress,
) -> dict[tuple[int, int], Path]:
    """Fetch images from the addresses in the subject export, several at a time.

    Images that are in the cache are not requested again: an address of Zooniverse always has the same image.
    An interrupted call continues with those that are missing.

    Parameters
    ----------
    images : iterable of (int, int)
        Subjects and frames.
    subjects : mapping of int to Subject
        From the subject export.
    cache : Path
        A folder; created if it does not exist.
    say : callable
        Receives a note for each image that cannot be fetched, and one for the rest of many.
    progress : callable
        Receives the numbers of images that are done and of those to fetch.

    Returns
    -------
    dict of (int, int) to Path
        The files of the images that there are.

    Raises
    ------
    PolyframeError
        If the cache cannot be written.
    """
    addresses: dict[tuple[int, int], Address] = {}
    problems: dict[tuple[int, int], str] = {}
    for subject_id, frame in images:
        address = _address_of(subjects.get(subject_id), frame)
        if isinstance(address, Address):
            addresses[subject_id, frame] = address
        else:
            problems[subject_id, frame] = address
    files = {image: cache / _file_name(address) for image, address in addresses.items()}
    wanted = {files[image]: address for image, address in addresses.items() if not files[image].is_file()}
    failed = _download(wanted, cache, progress) if wanted else {}
    for image, file in files.items():
        if file in failed:
            problems[image] = failed[file]
    _report(problems, say)
    return {image: file for image, file in files.items() if image not in problems}


def _address_of(subject: Subject | None, frame: int) -> Address | str:
    """Return the address of an image, or why there is none."""
    if subject is None:
        return "the subject export does not contain the subject"
    if frame not in subject.locations:
        return "the subject export has no address of this frame"
    url = subject.locations[frame]
    shown = shorten_url(url.partition("?")[0])
    scheme, rest = split_scheme(url)
    try:
        has_host = bool(urllib.parse.urlsplit(url).hostname)
    except ValueError:
        has_host = False
    if scheme not in WEB_SCHEMES or not has_host:
        return f"{shown}: is not an http or https address"
    suffix = _suffix_of(rest)
    if suffix and not is_image_name(f"x{suffix}"):
        return f"{shown}: is not an image, by its ending"
    return Address(scheme, rest)


def _suffix_of(rest: str) -> str:
    return PurePosixPath(rest.partition("?")[0].partition("#")[0]).suffix.lower()


def _file_name(address: Address) -> str:
    """Return the name of an image in the cache, which any file system accepts."""
    suffix = _suffix_of(address.rest)
    kept = suffix if is_image_name(f"x{suffix}") else ""
    return hashlib.sha256(address.url.encode("utf-8", "surrogatepass")).hexdigest()[:32] + kept


def _download(wanted: Mapping[Path, Address], cache: Path, progress: Progress) -> dict[Path, str]:
    """Download images into the cache; return why some could not be."""
    from polyframe.core.downloads import download_each

    hosts = {urllib.parse.urlsplit(address.url).hostname or "" for address in wanted.values()}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # A folder of this process, since another one may fetch the same images.
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache, ignore_cleanup_errors=True) as new:
            names = {Path(new, path.name): address for path, address in wanted.items()}

            def accept(path: Path) -> None:
                with path.open("rb") as file:
                    upright_size(file, str(names[path]))
                # At once, so that it is kept if the work is interrupted.
                path.replace(cache / path.name)

            failed = download_each(
                [(address, path) for path, address in names.items()],
                accept,
                largest=LARGEST_DOWNLOAD,
                seconds=LONGEST_SECONDS,
                hosts=hosts,
                progress=progress,
            )
    except OSError as error:
        raise cannot_write(cache, error) from None
    return {cache / path.name: problem for path, problem in failed.items()}


def _report(problems: Mapping[tuple[int, int], str], say: Say) -> None:
    listed = sorted(problems.items())
    for (subject_id, frame), problem in listed[:_MOST_NOTES]:
        say(f"subject {subject_id}, frame {frame}: {problem}; its background is white")
    more = len(listed) - _MOST_NOTES
    if more > 0:
        say(f"{counted(more, 'more image')} could not be fetched")
