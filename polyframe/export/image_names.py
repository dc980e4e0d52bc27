"""Name the images of an export: by the subject export, or by subject and frame."""

import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

import polars as pl

from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.plurals import agreeing, counted
from polyframe.core.tables import IMAGE_KEYS
from polyframe.export.omissions import first_images
from polyframe.panoptes.subjects.image_names import image_names, is_image_name, names_in_addresses
from polyframe.panoptes.subjects.subject_export import read_subjects

#: The name of an image that has no other.
DEFAULT_NAME: Final = "{subject_id}-{frame}.png"
FILE_NAME: Final = "filename"
_PLACEHOLDERS: Final = (FILE_NAME, *IMAGE_KEYS)
#: Bytes of the name of a file or folder: 255 on usual file systems, with the addition of a temporary name.
_LONGEST_PART: Final = 240
#: Subjects whose metadata are in memory at the same time.
_SUBJECTS_AT_ONCE: Final = 50_000


@dataclass(frozen=True)
class SubjectImages:
    """The images in a subject export.

    Attributes
    ----------
    names : dict of (int, int) to str
        The name of an image, by subject and frame.
    keys : polars.DataFrame
        `subject_id, frame` of all images with an address or a name.
    """

    names: Mapping[tuple[int, int], str]
    keys: pl.DataFrame


@dataclass
class ImageNames:
    """The names of the images of an export.

    Attributes
    ----------
    template : list of (str, str or None)
        Literal text, each followed by a placeholder if there is one.
    real : mapping of (int, int) to str
        The names in the subject export.
    unnamed : set of (int, int)
        The images that need a name of the subject export, which it does not have.
    """

    template: list[tuple[str, str | None]]
    real: Mapping[tuple[int, int], str]
    unnamed: set[tuple[int, int]] = field(default_factory=set)

    @property
    def are_unique(self) -> bool:
        """Whether the template alone makes the names of all images differ."""
        names = [name for _, name in self.template if name]
        between = [text for text, name in self.template if name][1:]
        return {*names} == {*IMAGE_KEYS} and all(text.strip("0123456789") for text in between)

    def of(self, subject_id: int, frame: int) -> str:
        """Return the name of an image."""
        values = {"subject_id": str(subject_id), "frame": str(frame)}
        if any(name == FILE_NAME for _, name in self.template):
            real = self.real.get((subject_id, frame))
            if real is None:
                self.unnamed.add((subject_id, frame))
            values[FILE_NAME] = real or DEFAULT_NAME.format(**values)
        return "".join(text + (values[name] if name else "") for text, name in self.template)

    def report(self, say: Say) -> None:
        """Report the images without a name in the subject export."""
        if not self.unnamed:
            return
        number = len(self.unnamed)
        say(
            f"{counted(number, 'image')} {agreeing(number, 'have no name')} in the subject export, so "
            f"{DEFAULT_NAME} is used: {first_images(self.unnamed)}"
        )


def names_of_images(template: str | None, subjects: SubjectImages | None) -> ImageNames:
    """Return the names of images.

    Parameters
    ----------
    template : str or None
        `image_name`; by default the name in the subject export if there is one, else `DEFAULT_NAME`.
    subjects : SubjectImages or None
        The images in the subject export.

    Raises
    ------
    UsageError
        If the template has an unknown placeholder, or needs a subject export.
    """
    default = DEFAULT_NAME if subjects is None else f"{{{FILE_NAME}}}"
    parts = parse_template(default if template is None else template, "image_name")
    if subjects is None and any(name == FILE_NAME for _, name in parts):
        raise UsageError(f"image_name: {{{FILE_NAME}}} needs --subjects, the subject export with the names")
    return ImageNames(parts, {} if subjects is None else subjects.names)


def check_names_differ(
    names: ImageNames,
    images: Iterable[pl.DataFrame],
    ending: str | None = None,
    check: Callable[[str], object] = str,
) -> None:
    """Check that no two images have the same name.

    Parameters
    ----------
    names : ImageNames
    images : iterable of polars.DataFrame
        `subject_id` and `frame` of all images.
    ending : str, optional
        For files that are written, see `file_of`. Their names must differ by more than upper and lower case,
        which not every file system distinguishes.
    check : callable
        Receives every name, and may refuse it.

    Raises
    ------
    UsageError
        If two images have the same name; the message names both.
    """
    if names.are_unique:
        if ending is not None:
            file_of(names.of(0, 0), ending)
        check(names.of(0, 0))
        return
    seen: dict[str, tuple[int, int]] = {}
    for frame in images:
        for subject_id, number in frame.select(IMAGE_KEYS).iter_rows():
            name = names.of(subject_id, number)
            key = name if ending is None else str(file_of(name, ending)).casefold()
            check(name)
            other = seen.setdefault(key, (subject_id, number))
            if other != (subject_id, number):
                raise UsageError(
                    f"image_name: subject {other[0]} frame {other[1]} and "
                    f"subject {subject_id} frame {number} would both be {short_repr(name)}; "
                    "use {subject_id} and {frame} in --image-name"
                )


def file_of(name: str, ending: str) -> PurePosixPath:
    """Return the file to write for an image: its name, with another ending in place of that of an image.

    Raises
    ------
    UsageError
        If the name is not a relative path without `..`.
    """
    path = PurePosixPath(name)
    special = path.is_absolute() or not path.name or ".." in path.parts
    special = special or any(len(part.encode("utf-8", "replace")) > _LONGEST_PART for part in path.parts)
    if special or any(character in name for character in '\\:*?"<>|') or not name.isprintable():
        raise UsageError(
            f"image_name: {short_repr(name)} cannot be the name of a file in a folder; give another one "
            "with --image-name"
        )
    return path.with_suffix(ending) if is_image_name(name) else path.with_name(f"{path.name}{ending}")


def read_subject_images(path: Path, subject_ids: Iterable[int]) -> SubjectImages:
    """Read the names of the images of some subjects from a subject export.

    Raises
    ------
    PolyframeError
        If the file is missing or not a subject export.
    """
    wanted = sorted(set(subject_ids))
    names: dict[tuple[int, int], str] = {}
    keys: set[tuple[int, int]] = set()
    for begin in range(0, len(wanted), _SUBJECTS_AT_ONCE):
        for subject in read_subjects(path, wanted[begin : begin + _SUBJECTS_AT_ONCE]).values():
            of_subject = {(subject.subject_id, frame): name for frame, name in image_names(subject).items()}
            names |= of_subject
            keys |= of_subject.keys()
            keys |= {
                (subject.subject_id, frame)
                for frame, name in names_in_addresses(subject).items()
                # Not videos, sounds and texts, which are locations, too.
                if is_image_name(name) or not PurePosixPath(name).suffix
            }
    return SubjectImages(names, key_frame(keys))


def key_frame(keys: Iterable[tuple[int, int]]) -> pl.DataFrame:
    """Return images as a frame of `subject_id` and `frame`, sorted."""
    schema = {"subject_id": pl.Int64, "frame": pl.Int32}
    return pl.DataFrame(sorted(keys), schema, orient="row", strict=False).drop_nulls()


def parse_template(template: str, option: str) -> list[tuple[str, str | None]]:
    """Split a template into literal text and placeholders.

    Parameters
    ----------
    template : str
        Such as `photos/{subject_id}-{frame}.jpg`.
    option : str
        Its option, for messages.

    Returns
    -------
    list of (str, str or None)
        Literal text, each followed by a placeholder if there is one.

    Raises
    ------
    UsageError
        If it has an unknown placeholder or a single brace.
    """
    known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(
            f"{option}: {short_repr(template)}: {error}; a brace that is not part of a placeholder is "
            "written twice"
        ) from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in _PLACEHOLDERS or form or conversion):
            shown = (
                f"{{{name}{'!' if conversion else ''}{conversion or ''}{':' if form else ''}{form or ''}}}"
            )
            raise UsageError(f"{option}: unknown placeholder {shown}; known are {known}")
    return [(text, name) for text, name, _, _ in parts]
