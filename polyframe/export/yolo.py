"""Export averaged polygons or one contour level as a training set of Ultralytics YOLO for segmentation."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import yaml
from scipy.spatial import cKDTree

from polyframe.core.arrays import Floats
from polyframe.core.atomic_files import atomic_text, write_bytes
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.plurals import agreeing, counted
from polyframe.export.export_inputs import ImageExport, image_export
from polyframe.export.export_options import SEED, VAL_SHARE, ExportOptions
from polyframe.export.exported_file import Exported
from polyframe.export.exported_images import ImageShapes
from polyframe.export.image_bounds import clip_to_image, why_omitted
from polyframe.export.image_names import file_of
from polyframe.export.split import SIDES, Side, side_of
from polyframe.store.reading import OutputTables

#: Describes the training set; the argument `data` of Ultralytics.
DATA_FILE: Final = "data.yaml"
#: Ultralytics finds the labels of an image by exchanging the last folder `images` of its path for `labels`.
_IMAGES: Final = "images"
_LABELS: Final = "labels"
_ENDING: Final = ".txt"
#: The endings of images that Ultralytics reads, and whose labels `file_of` names as it does. It skips other
#: images without a message.
_READ_ENDINGS: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def write(tables: OutputTables, path: Path, options: ExportOptions, say: Say) -> list[Exported]:
    """Write the description of the training set, a list of images for each side, and labels for each image.

    Parameters
    ----------
    tables : OutputTables
        Of the output directory.
    path : Path
        The folder of the training set; created if needed. The images themselves belong in its folder
        `images`.
    options : ExportOptions
        Those for `yolo`.
    say : callable
        Receives notes about what is omitted, and what Ultralytics would not read.
    """
    if path.is_file():
        raise PolyframeError(f"{path}: is a file; name a folder for the training set")
    n_images, n_objects, endings = Counter[str](), 0, Counter[str]()
    with (
        # Put in place last, so that it describes files that are complete.
        image_export(
            tables,
            path / DATA_FILE,
            options,
            say,
            ending=_ENDING,
            check=_checked,
            needs_sizes=False,
            guesses_sizes=False,
        ) as export,
        atomic_text(path / "train.txt") as train,
        atomic_text(path / "val.txt") as val,
    ):
        export.file.write(_description(export))
        for image, size in export.images():
            name = _checked(export.name_of(image))
            lines = list(_lines(image, size, export))
            labels = path / _LABELS / file_of(str(name), _ENDING)
            write_bytes(labels, "".join(lines).encode(), durable=False)
            side = _side(image.subject_id, options)
            (val if side == "val" else train).write(f"./{_IMAGES}/{name}\n")
            n_images[side] += 1
            n_objects += len(lines)
            endings[name.suffix.lower()] += 1
    _report(n_images, endings, path, say)
    return [
        *(Exported(path / f"{side}.txt", n_images[side], "images") for side in SIDES),
        Exported(path / _LABELS, n_objects, "objects"),
    ]


def _description(export: ImageExport) -> str:
    """Return `data.yaml`. Without a `path`, it is that of the file, so that the folder can be moved."""
    names = {category.number - 1: category.name for category in export.categories.by_tool.values()}
    content: dict[str, object] = {side: f"{side}.txt" for side in SIDES}
    text: str = yaml.safe_dump(content | {"names": names}, sort_keys=False, allow_unicode=True)
    return text


def _side(subject_id: int, options: ExportOptions) -> Side:
    share = VAL_SHARE if options.val_share is None else options.val_share
    return side_of(subject_id, share, SEED if options.seed is None else options.seed)


def _lines(image: ImageShapes, size: tuple[int, int], export: ImageExport) -> Iterator[str]:
    """Yield a line for each shape: its class, and x and y of its vertices as shares of the image's size."""
    for shape in image.shapes:
        parts = clip_to_image(shape.points, size)
        if not parts:
            export.omissions.add(why_omitted(shape.points), shape.properties)
            continue
        outline = joined([part[:-1] for part in parts]) / size
        number = export.categories.of(shape.properties).number - 1
        # Ultralytics reads them as 32-bit floats, which have no more digits.
        yield f"{number} {' '.join(f'{value:.7g}' for value in outline.ravel().tolist())}\n"


def joined(parts: list[Floats]) -> Floats:
    """Join the parts of an object into one outline, since a line of labels is one outline.

    Each part is joined by a bridge without a width to the nearest vertex of the parts before it. The
    converter of Ultralytics joins the parts of COCO annotations in this way, too.

    Parameters
    ----------
    parts : list of (n, 2) array
        At least one; without the last point, which would repeat the first.

    Returns
    -------
    (m, 2) array
        The outline, in the same form; its area is the sum of those of the parts.
    """
    outline = parts[0]
    for part in parts[1:]:
        distances, nearest = cKDTree(outline).query(part)
        begin = int(np.argmin(distances))
        end = int(nearest[begin])
        round_trip = np.concatenate([part[begin:], part[: begin + 1]])
        outline = np.concatenate([outline[: end + 1], round_trip, outline[end:]])
    return outline


def _checked(name: str) -> PurePosixPath:
    """Return the path of an image in the folder of images.

    Raises
    ------
    UsageError
        If Ultralytics would not find its labels.
    """
    path = PurePosixPath(name)
    for folder in path.parts[:-1]:
        if folder == _IMAGES or folder.endswith("."):
            raise UsageError(
                f"image_name: {short_repr(name)}: Ultralytics finds no labels of images in a folder "
                f"{short_repr(folder)}; give another name with --image-name"
            )
    return path


def _report(n_images: Counter[str], endings: Counter[str], path: Path, say: Say) -> None:
    """Report what Ultralytics would not read."""
    skipped = {ending: n for ending, n in sorted(endings.items()) if ending not in _READ_ENDINGS}
    if skipped:
        number = sum(skipped.values())
        shown = ", ".join(ending or "none" for ending in skipped)
        say(
            f"{counted(number, 'image')} {agreeing(number, 'have')} an ending that Ultralytics may skip "
            f"({shown}); convert them, and name the result with --image-name"
        )
    for side in SIDES:
        if not n_images[side]:
            say(
                f"{path / side}.txt: contains no image, which Ultralytics refuses; give another --seed or "
                "--val-share"
            )
