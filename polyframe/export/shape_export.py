"""Open an output directory to export its shapes, with the names of their images and tools."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe.core.callbacks import Say
from polyframe.core.notes import Information
from polyframe.core.plurals import counted
from polyframe.export.categories import Categories, read_categories
from polyframe.export.cluster_shapes import table_of
from polyframe.export.counted_rows import WrittenClusters
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_images import ImageShapes, image_keys, images_with_shapes
from polyframe.export.image_names import (
    ImageNames,
    SubjectImages,
    check_names_differ,
    key_frame,
    names_of_images,
    read_subject_images,
)
from polyframe.export.omissions import NO_SHAPE, Omissions
from polyframe.store.reading import OutputTables

#: Why an image in the export has no shape.
_EMPTY: Final = "that nobody drew on"
_WITHOUT_SHAPES: Final = "with marks, but without a shape to export"


@dataclass(frozen=True, kw_only=True)
class ShapeExport:
    """An export of shapes that is being written.

    Attributes
    ----------
    tables : OutputTables
        The output directory.
    options : ExportOptions
    addressed : polars.DataFrame
        `subject_id, frame` of the images that the subject export or the classification export lists.
    names : ImageNames
    categories : Categories
    omissions : Omissions
        The shapes and images that are not exported.
    without_shapes : dict of str to int
        By reason, the images in the export that have no shape.
    members : bool
        Whether shapes have the property `members`, by which edited polygons find their cluster again.
    """

    tables: OutputTables
    options: ExportOptions
    addressed: pl.DataFrame
    names: ImageNames
    categories: Categories
    omissions: Omissions = field(default_factory=Omissions)
    without_shapes: dict[str, int] = field(default_factory=dict)
    members: bool = False

    def all_images(self, *, again: bool = False, step: str = "") -> Iterator[ImageShapes]:
        """Read the images and their shapes; a second pass counts nothing, and `step` names one of two."""
        omissions = Omissions() if again else self.omissions
        clusters = self.tables.row_count(table_of(self.options))
        written = WrittenClusters(self.tables.progress, clusters, step)
        of = (self.tables, self.options, self.addressed, omissions)
        for image in images_with_shapes(*of, members=self.members, advance=written.add):
            if not image.shapes and self.options.empty_images == "drop":
                omissions.add_image(NO_SHAPE, image.subject_id, image.frame)
                continue
            yield image

    def count(self, image: ImageShapes) -> None:
        """Count an image of the export if it has no shape."""
        if not image.shapes:
            reason = _EMPTY if image.is_empty else _WITHOUT_SHAPES
            self.without_shapes[reason] = self.without_shapes.get(reason, 0) + 1

    def name_of(self, image: ImageShapes) -> str:
        """Return the name of an image."""
        return self.names.of(image.subject_id, image.frame)

    def image_and_label(self, properties: dict[str, Any]) -> dict[str, str]:
        """Return the name of the image of a shape, and the label of its tool."""
        return {
            "image": self.names.of(properties["subject_id"], properties["frame"]),
            "label": self.categories.of(properties).name,
        }

    def report(self, say: Say) -> None:
        """Report which names are missing, what is omitted, and which images have no shape."""
        self.names.report(say)
        self.omissions.report(say)
        parts = [f"{counted(number, 'image')} {reason}" for reason, number in self.without_shapes.items()]
        if parts:
            say(Information(f"included {' and '.join(parts)}; --empty-images drop omits them"))


@contextlib.contextmanager
def shape_export(
    tables: OutputTables,
    options: ExportOptions,
    say: Say,
    *,
    sized: Iterable[tuple[int, int]] | None = None,
    ending: str | None = None,
    check: Callable[[str], object] = str,
) -> Iterator[ShapeExport]:
    """Open an output directory; report what was omitted when the files are in place.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    options : ExportOptions
    say : callable
        Receives a note about tools without a label.
    sized : iterable of (int, int), optional
        If the export has an entry for each image: subject and frame of those in the classification export.
        Then no two images may have the same name; otherwise names are only columns beside the keys.
    ending : str, optional
        If a file is written for each image: its ending, such as `.png`.
    check : callable
        Receives every name, and may refuse it.

    Raises
    ------
    UsageError
        If two images have the same name, or a name cannot be used.
    PolyframeError
        If a file cannot be read.
    """
    subjects = _subject_images(tables, options)
    names = names_of_images(options.image_name, subjects)
    listed = key_frame(sized or ())
    addressed = listed if subjects is None else pl.concat([subjects.keys, listed]).unique()
    if sized is not None or options.image_name is not None:
        check_names_differ(names, image_keys(tables, options, addressed), ending, check)
    names.unnamed.clear()  # only those that are exported are reported
    yield ShapeExport(
        tables=tables,
        options=options,
        addressed=addressed,
        names=names,
        categories=read_categories(tables, options, say),
    )


def _subject_images(tables: OutputTables, options: ExportOptions) -> SubjectImages | None:
    """Read the images of the subjects of an output directory from the subject export, if one was given."""
    if options.subjects is None:
        return None
    subject_ids = {
        subject_id
        for frames in tables.counted_partitions("listing the subjects", classifications=["subject_id"])
        for subject_id in frames["classifications"]["subject_id"].unique()
    }
    return read_subject_images(Path(options.subjects), subject_ids)
