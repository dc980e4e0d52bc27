"""Open the file and the images of an export by image: COCO, masks, Label Studio."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Say
from polyframe.core.notes import Information
from polyframe.core.plurals import counted
from polyframe.export.categories import Categories, read_categories
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_images import ImageShapes, image_keys, images_with_shapes
from polyframe.export.image_bounds import ImageSizes, image_sizes
from polyframe.export.image_names import (
    NO_ADDRESSES,
    ImageNames,
    SubjectImages,
    check_names_differ,
    names_of_images,
    read_subject_images,
)
from polyframe.export.omissions import NO_SHAPE, NO_SIZE, SIZE_NOT_KNOWN, Omissions
from polyframe.store.reading import OutputTables, open_tables

#: Why an image in the export has no shape.
_EMPTY: Final = "that nobody drew on"
_WITHOUT_SHAPES: Final = "with marks, but without a shape to export"


@dataclass(frozen=True)
class ImageExport:
    """An export by image that is being written.

    Attributes
    ----------
    file : file
        The file to write.
    tables : OutputTables
        The output directory.
    options : ExportOptions
    sizes : ImageSizes
    subjects : SubjectImages or None
        The images in the subject export, if it was given.
    names : ImageNames
    categories : Categories
    omissions : Omissions
        The shapes and images that are not exported.
    needs_sizes : bool
        Whether the format has the size of an image without shapes, too.
    guesses_sizes : bool
        Whether an unknown size is guessed from the shapes. Coordinates that are relative to the size of the
        image need the real one; without it, the image is omitted.
    without_shapes : dict of str to int
        By reason, the images in the export that have no shape.
    """

    file: IO[str]
    tables: OutputTables
    options: ExportOptions
    sizes: ImageSizes
    subjects: SubjectImages | None
    names: ImageNames
    categories: Categories
    omissions: Omissions
    needs_sizes: bool = True
    guesses_sizes: bool = True
    without_shapes: dict[str, int] = field(default_factory=dict)

    def images(self, *, again: bool = False) -> Iterator[tuple[ImageShapes, tuple[int, int]]]:
        """Read the images with their width and height; a second pass counts nothing.

        An image without shapes whose size is not known has 1 x 1 pixels if the format does not need its size.
        """
        omissions = Omissions() if again else self.omissions
        addressed = NO_ADDRESSES if self.subjects is None else self.subjects.keys
        for image in images_with_shapes(self.tables, self.options, addressed, omissions):
            if not image.shapes and self.options.empty_images == "drop":
                omissions.add_image(NO_SHAPE, image.subject_id, image.frame)
                continue
            guessed = image.shapes and self.guesses_sizes
            size = self.sizes.of(image) if guessed else self.sizes.known(image)
            if size is None and (image.shapes or self.needs_sizes):
                reason = f"{SIZE_NOT_KNOWN} ({self.sizes.advice})" if image.shapes else NO_SIZE
                omissions.add_image(reason, image.subject_id, image.frame)
                continue
            if not image.shapes and not again:
                reason = _EMPTY if image.is_empty else _WITHOUT_SHAPES
                self.without_shapes[reason] = self.without_shapes.get(reason, 0) + 1
            yield image, size or (1, 1)

    def name_of(self, image: ImageShapes) -> str:
        """Return the name of an image."""
        return self.names.of(image.subject_id, image.frame)

    def report(self, say: Say) -> None:
        """Report what was guessed, omitted, or is in the export without a shape."""
        self.sizes.report(say)
        self.names.report(say)
        self.omissions.report(say)
        parts = [f"{counted(number, 'image')} {reason}" for reason, number in self.without_shapes.items()]
        if parts:
            say(Information(f"included {' and '.join(parts)}; --empty-images drop omits them"))


@contextlib.contextmanager
def image_export(
    output: Path,
    path: Path,
    options: ExportOptions,
    say: Say,
    *,
    ending: str | None = None,
    needs_sizes: bool = True,
    guesses_sizes: bool = True,
) -> Iterator[ImageExport]:
    """Open a file to write and an output directory to read; at the end, report what was guessed or omitted.

    Parameters
    ----------
    output : Path
        The output directory.
    path : Path
        The file; it is put in place when it is complete.
    options : ExportOptions
    say : callable
        Receives the notes.
    ending : str, optional
        If a file is written for each image: its ending, such as `.png`.
    needs_sizes : bool
        Whether the format has the size of an image without shapes, too; if it is not known, the image is
        omitted.
    guesses_sizes : bool
        Whether an unknown size is guessed from the shapes; otherwise, the image is omitted.

    Raises
    ------
    UsageError
        If two images have the same name.
    PolyframeError
        If a file cannot be read.
    """
    sizes, omissions = image_sizes(options), Omissions()
    with atomic_text(path) as file, open_tables(output) as tables:
        subjects = subject_images(tables, options)
        names = names_of_images(options.image_name, subjects)
        addressed = NO_ADDRESSES if subjects is None else subjects.keys
        check_names_differ(names, image_keys(tables, options, addressed), ending)
        names.unnamed.clear()  # only those that are exported are reported
        categories = read_categories(tables, options, say)
        export = ImageExport(
            file, tables, options, sizes, subjects, names, categories, omissions, needs_sizes, guesses_sizes
        )
        yield export
    export.report(say)


def subject_images(tables: OutputTables, options: ExportOptions) -> SubjectImages | None:
    """Read the images of the subjects of an output directory from the subject export, if one was given."""
    if options.subjects is None:
        return None
    subject_ids = {
        subject_id
        for frames in tables.partitions(classifications=["subject_id"])
        for subject_id in frames["classifications"]["subject_id"].unique()
    }
    return read_subject_images(Path(options.subjects), subject_ids)
