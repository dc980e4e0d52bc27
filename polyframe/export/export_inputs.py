"""Open the file and the images of an export by image: COCO, masks, Label Studio."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Say
from polyframe.export.cluster_shapes import DrawnImage, drawn_images
from polyframe.export.export_options import ExportOptions
from polyframe.export.image_bounds import ImageSizes, image_sizes
from polyframe.export.omissions import Omissions
from polyframe.store.reading import OutputTables, open_tables


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
    omissions : Omissions
        The shapes that are not exported.
    """

    file: IO[str]
    tables: OutputTables
    options: ExportOptions
    sizes: ImageSizes
    omissions: Omissions

    def images(self, *, again: bool = False) -> Iterator[tuple[DrawnImage, tuple[int, int]]]:
        """Read the images with their width and height; a second pass counts no omissions."""
        omissions = Omissions() if again else self.omissions
        for image in drawn_images(self.tables, self.options, omissions):
            yield image, self.sizes.of(image)

    def name_of(self, image: DrawnImage) -> str:
        """Return the name of an image: `image_name` with the numbers filled in."""
        pattern = self.options.image_name or "{subject_id}-{frame}.png"
        name = pattern.replace("{subject_id}", str(image.subject_id))
        return name.replace("{frame}", str(image.frame))


@contextlib.contextmanager
def image_export(output: Path, path: Path, options: ExportOptions, say: Say) -> Iterator[ImageExport]:
    """Open a file to write and an output directory to read; at the end, report what was guessed or omitted.

    Parameters
    ----------
    output : Path
        The output directory.
    path : Path
        The file; it is put in place when it is complete.
    options : ExportOptions
        `level`, `classifications` and `image_size`.
    say : callable
        Receives the notes.
    """
    sizes, omissions = image_sizes(options), Omissions()
    with atomic_text(path) as file, open_tables(output) as tables:
        yield ImageExport(file, tables, options, sizes, omissions)
    sizes.report(say)
    omissions.report(say)
