"""Open the file and the images of an export by image: COCO, masks, Label Studio."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Say
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_images import ImageShapes
from polyframe.export.image_bounds import ImageSizes, image_sizes
from polyframe.export.omissions import NO_SIZE, SIZE_NOT_KNOWN
from polyframe.export.shape_export import ShapeExport, shape_export
from polyframe.store.reading import OutputTables


@dataclass(frozen=True, kw_only=True)
class ImageExport(ShapeExport):
    """An export by image that is being written.

    Attributes
    ----------
    file : file
        The file to write.
    sizes : ImageSizes
    needs_sizes : bool
        Whether the format has the size of an image without shapes, too.
    guesses_sizes : bool
        Whether an unknown size is guessed from the shapes. Coordinates that are relative to the size of the
        image need the real one; without it, the image is omitted.
    """

    file: IO[str]
    sizes: ImageSizes
    needs_sizes: bool = True
    guesses_sizes: bool = True

    def images(self, *, again: bool = False, step: str = "") -> Iterator[tuple[ImageShapes, tuple[int, int]]]:
        """Read the images with their width and height; a second pass counts nothing.

        An image without shapes whose size is not known has 1 x 1 pixels if the format does not need its size.
        """
        for image in self.all_images(again=again, step=step):
            guessed = image.shapes and self.guesses_sizes
            size = self.sizes.of(image) if guessed else self.sizes.known(image)
            if size is None and (image.shapes or self.needs_sizes):
                reason = f"{SIZE_NOT_KNOWN} ({self.sizes.advice})" if image.shapes else NO_SIZE
                if not again:
                    self.omissions.add_image(reason, image.subject_id, image.frame)
                continue
            if not again:
                self.count(image)
            yield image, size or (1, 1)

    def report(self, say: Say) -> None:
        """Report what was guessed, omitted, or is in the export without a shape."""
        self.sizes.report(say)
        super().report(say)


@contextlib.contextmanager
def image_export(
    tables: OutputTables,
    path: Path,
    options: ExportOptions,
    say: Say,
    *,
    ending: str | None = None,
    check: Callable[[str], object] = str,
    needs_sizes: bool = True,
    guesses_sizes: bool = True,
    members: bool = False,
) -> Iterator[ImageExport]:
    """Open a file to write and an output directory to read; at the end, report what was guessed or omitted.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        The file; it is put in place when it is complete.
    options : ExportOptions
    say : callable
        Receives the notes.
    ending : str, optional
        If a file is written for each image: its ending, such as `.png`.
    check : callable
        Receives the name of every image, and may refuse it.
    needs_sizes : bool
        Whether the format has the size of an image without shapes, too; if it is not known, the image is
        omitted.
    guesses_sizes : bool
        Whether an unknown size is guessed from the shapes; otherwise, the image is omitted.
    members : bool
        Whether shapes have the property `members`, by which edited polygons find their cluster again.

    Raises
    ------
    UsageError
        If two images have the same name.
    PolyframeError
        If a file cannot be read.
    """
    sizes = image_sizes(options)
    with (
        atomic_text(path) as file,
        shape_export(tables, options, say, sized=sizes.recorded, ending=ending, check=check) as shapes,
    ):
        shown = vars(shapes) | {"members": members and tables.contains("labels")}
        export = ImageExport(
            file=file, sizes=sizes, needs_sizes=needs_sizes, guesses_sizes=guesses_sizes, **shown
        )
        yield export
    export.report(say)
