"""Find the images of subjects: in a folder, by a pattern of paths, or at their addresses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from polyframe.core.callbacks import Progress, Say, no_progress
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import AnyPath, local_path
from polyframe.export.image_names import FILE_NAME, parse_template
from polyframe.panoptes.subjects.fetched_images import fetch_images, images_cache
from polyframe.panoptes.subjects.image_files import ImageFolder
from polyframe.panoptes.subjects.image_names import image_names
from polyframe.panoptes.subjects.subject_export import Subject


@dataclass(frozen=True)
class ImageOptions:
    """Where images are.

    Attributes
    ----------
    images : Path or None
        A folder, or a pattern of paths.
    fetch : bool
        Whether images are downloaded.
    cache : Path or None
        The folder that keeps them; None is the default.
    """

    images: Path | None = None
    fetch: bool = False
    cache: Path | None = None

    @property
    def are_wanted(self) -> bool:
        """Whether there are images at all."""
        return self.images is not None or self.fetch

    @property
    def is_pattern(self) -> bool:
        """Whether `images` is a pattern; the name of an existing folder is none."""
        return self.images is not None and "{" in str(self.images) and not self.images.is_dir()


def image_options(
    images: AnyPath | None, cache: AnyPath | None, *, fetch: bool, has_subjects: bool
) -> ImageOptions:
    """Check the options for images, before anything is read.

    Parameters
    ----------
    images, cache : path or None
        As the caller gave them.
    fetch : bool
    has_subjects : bool
        Whether there is a subject export.

    Raises
    ------
    UsageError
        If options contradict each other, the subject export is missing, or the pattern is not valid.
    PolyframeError
        If the folder does not exist.
    """
    options = ImageOptions(
        None if images is None else local_path(images, "images"),
        bool(fetch),
        None if cache is None else local_path(cache, "cache"),
    )
    if options.images is not None and fetch:
        raise UsageError("choose one of --images and --fetch")
    if options.cache is not None and not fetch:
        raise UsageError("--cache needs --fetch")
    if fetch and not has_subjects:
        raise UsageError("--fetch needs --subjects SUBJECTS.csv, which contains the addresses of the images")
    if options.images is None:
        return options
    if options.is_pattern:
        names = {name for _, name in parse_template(str(options.images), "images")}
        if FILE_NAME in names and not has_subjects:
            raise UsageError(f"images: {{{FILE_NAME}}} needs --subjects, the subject export with the names")
    elif not has_subjects:
        raise UsageError("--images needs --subjects SUBJECTS.csv, which assigns the images to subjects")
    else:
        ImageFolder(options.images)
    return options


def find_images(
    images: Iterable[tuple[int, int]],
    subjects: Mapping[int, Subject],
    options: ImageOptions,
    say: Say,
    progress: Progress = no_progress,
) -> dict[tuple[int, int], Path]:
    """Find the files of images, and download them if that is wanted.

    Parameters
    ----------
    images : iterable of (int, int)
        Subjects and frames.
    subjects : mapping of int to Subject
        From the subject export; empty without one.
    options : ImageOptions
    say, progress : callable
        As for `fetch_images`.

    Returns
    -------
    dict of (int, int) to Path
        Without those that do not exist.

    Raises
    ------
    PolyframeError
        If the cache cannot be written.
    """
    wanted = list(images)
    if options.fetch:
        cache = images_cache() if options.cache is None else options.cache
        return fetch_images(wanted, subjects, cache, say, progress)
    if options.images is None:
        return {}
    if options.is_pattern:
        return _by_pattern(wanted, subjects, str(options.images))
    folder = ImageFolder(options.images)
    files = {
        subject_id: folder.of(subjects[subject_id]) for subject_id, _ in wanted if subject_id in subjects
    }
    return {
        (subject_id, frame): files[subject_id][frame]
        for subject_id, frame in wanted
        if frame in files.get(subject_id, {})
    }


def _by_pattern(
    images: Iterable[tuple[int, int]], subjects: Mapping[int, Subject], pattern: str
) -> dict[tuple[int, int], Path]:
    """Return the files that exist at the paths of a pattern.

    Names in the metadata do not lead out of the folder with which it begins.
    """
    parts = parse_template(pattern, "images")
    folder = Path(f"{parts[0][0]}x").parent.resolve()
    needs_name = any(name == FILE_NAME for _, name in parts)
    files: dict[tuple[int, int], Path] = {}
    for subject_id, frame in images:
        values = {"subject_id": str(subject_id), "frame": str(frame)}
        if needs_name:
            name = image_names(subjects[subject_id]).get(frame) if subject_id in subjects else None
            if name is None:
                continue
            values[FILE_NAME] = name.lstrip("/\\")
        path = Path("".join(text + (values[name] if name else "") for text, name in parts))
        try:
            if path.resolve().is_relative_to(folder) and path.is_file():
                files[subject_id, frame] = path
        except (OSError, ValueError, RuntimeError):  # too long, not text, circular links
            continue
    return files
