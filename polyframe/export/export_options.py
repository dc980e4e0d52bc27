"""Define the formats and options of an export: names, defaults and help texts, in one place."""

import typing
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, Final, Literal

from polyframe.core.choices import CorrectionsUse
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.levels import AnyLevel, Level, parse_level
from polyframe.core.local_paths import AnyPath, local_path
from polyframe.core.scalar_checks import as_builtin, is_integer

#: Every format and the module that writes it, which is imported late.
FORMATS: Final = {
    "panoptes-csv": "panoptes_csv",
    "geojson": "geojson",
    "coco": "coco",
    "yolo": "yolo",
    "masks": "masks",
    "labelstudio": "labelstudio",
    "gpkg": "geopackage",
    "levels": "levels_file",
}
_OF_IMAGES: Final = ("coco", "yolo", "masks", "labelstudio")
#: Those with a row or a feature for each shape.
_OF_FEATURES: Final = ("geojson", "gpkg", "levels")
_OF_SHAPES: Final = (*_OF_FEATURES, *_OF_IMAGES)

What = Literal["reductions", "contours", "extractions"]
#: The formats that offer extractions; those of shapes do not.
_WITH_EXTRACTIONS: Final = ("panoptes-csv",)
EmptyImages = Literal["keep", "drop"]
Score = Literal["consensus", "expected_iou"]
MaskValues = Literal["instance", "class"]

#: The default split into training and validation.
VAL_SHARE: Final = 0.2
SEED: Final = 0


def _option(text: str, kind: Any, *formats: str) -> Any:
    """Return a field; `kind` is a type (float: from 0 to 1; bool: a flag), or a tuple of choices."""
    return field(default=None, metadata={"help": text, "kind": kind, "formats": formats})


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export; None if not given.

    Raises
    ------
    UsageError
        If a value is out of its range.
    """

    what: What | None = _option(
        "averaged polygons, contours, or (panoptes-csv only) marks as drawn  "
        "[default: reductions; a folder of CSV files gets all]",
        typing.get_args(What),
        "panoptes-csv",
        "geojson",
        "gpkg",
    )
    level: AnyLevel | None = _option(
        "one contour level: a number of marks, such as 3, or a share of each cluster's marks, such as 50%",
        Level,
        *_OF_SHAPES,
    )
    min_consensus: float | None = _option(
        "omit clusters with a smaller consensus, from 0 to 1", float, *_OF_SHAPES
    )
    min_expected_iou: float | None = _option(
        "omit clusters with a smaller expected IoU, from 0 to 1, and those without", float, *_OF_SHAPES
    )
    subjects: AnyPath | None = _option(
        "subject export (CSV), which contains the names of the images", Path, *_OF_SHAPES
    )
    workflows: AnyPath | None = _option(
        "workflow export (CSV), which contains the labels of the tools", Path, *_OF_SHAPES
    )
    classifications: AnyPath | None = _option(
        "classification export, which records the sizes of the images, and the labels of the tools if "
        "drawn with classifier 1.x",
        Path,
        *_OF_SHAPES,
    )
    image_size: str | None = _option(
        "size of images whose size --classifications does not record, such as 1024x768", str, *_OF_IMAGES
    )
    image_name: str | None = _option(
        "name of an image  [default: {filename} with --subjects, else {subject_id}-{frame}.png]",
        str,
        *_OF_SHAPES,
    )
    empty_images: EmptyImages | None = _option(
        "images without a shape, in formats with a file or an entry for each image  [default: keep]",
        typing.get_args(EmptyImages),
        *_OF_IMAGES,
        "geojson",
    )
    score: Score | None = _option(
        "score of an annotation  [default: consensus]", typing.get_args(Score), "coco"
    )
    masks: MaskValues | None = _option(
        "value of a pixel: the number of its shape in the image, or of its class  [default: instance]",
        typing.get_args(MaskValues),
        "masks",
    )
    val_share: float | None = _option(
        f"share of the subjects for validation, from 0 to 1  [default: {VAL_SHARE}]", float, "yolo"
    )
    seed: int | None = _option(
        f"seed of the split into training and validation  [default: {SEED}]", int, "yolo"
    )
    rfc7946: bool | None = _option(
        "omit the coordinate system, as RFC 7946 requires; GIS programs then take pixels for degrees",
        bool,
        "geojson",
    )
    corrections: CorrectionsUse | None = _option(
        "whether imported corrections replace the averaged polygons of their clusters  [default: use]",
        typing.get_args(CorrectionsUse),
        *FORMATS,
    )

    def __post_init__(self) -> None:
        """Check every value."""
        for f in fields(self):
            value, kind = getattr(self, f.name), f.metadata["kind"]
            if value is None:
                continue
            if isinstance(kind, tuple) and not (isinstance(value, str) and value in kind):
                raise UsageError(f"{f.name}: {short_repr(value)} is not one of {', '.join(kind)}")
            if kind is str and not isinstance(value, str):
                raise UsageError(f"{f.name}: {short_repr(value)} is not a string")
            if kind is Path:
                local_path(value, f.name)
            if kind is bool and not isinstance(as_builtin(value), bool):
                raise UsageError(f"{f.name}: {short_repr(value)} is neither True nor False")
            if kind is float and not _is_fraction(value):
                raise UsageError(f"{f.name}: {short_repr(value)} is not a number from 0 to 1")
            if kind is int and not is_integer(as_builtin(value)):
                raise UsageError(f"{f.name}: {short_repr(value)} is not an integer")
            if kind is Level:
                parse_level(value)

    @property
    def level_to_read(self) -> Level | None:
        """The level, None for all of them."""
        return None if self.level is None else parse_level(self.level)

    def check_for(self, to: str) -> None:
        """Raise a UsageError for an option that the format does not use."""
        for f in fields(self):
            formats = f.metadata["formats"]
            if getattr(self, f.name) is not None and to not in formats:
                raise UsageError(f"{f.name} is for {', '.join(formats)}; omit it for {to}")
        if self.what == "extractions" and to not in _WITH_EXTRACTIONS:
            raise UsageError(f"what: {to} has no extractions; choose reductions or contours")


def _is_fraction(value: Any) -> bool:
    value = as_builtin(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and isfinite(value) and 0 <= value <= 1
