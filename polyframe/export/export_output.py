"""Export an output directory in one of the formats."""

import importlib
from collections.abc import Mapping

from polyframe.core.callbacks import Progress, Say, detailed, no_progress
from polyframe.core.choices import CorrectionsUse, ExportFormat
from polyframe.core.docstrings import with_options
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.levels import AnyLevel
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import AnyPath, AnyPlace, local_path, place_of
from polyframe.core.notes import show
from polyframe.core.suggestions import nearest
from polyframe.export.export_options import FORMATS, EmptyImages, ExportOptions, MaskValues, Score, What
from polyframe.export.exported_file import Exported
from polyframe.store.reading import open_tables


@with_options(ExportOptions)
def export(
    output: AnyPlace,
    to: ExportFormat,
    path: AnyPath,
    *,
    what: What | None = None,
    level: AnyLevel | None = None,
    min_consensus: float | None = None,
    min_expected_iou: float | None = None,
    subjects: AnyFile | None = None,
    workflows: AnyFile | None = None,
    classifications: AnyFile | None = None,
    image_size: str | None = None,
    image_name: str | None = None,
    empty_images: EmptyImages | None = None,
    score: Score | None = None,
    masks: MaskValues | None = None,
    val_share: float | None = None,
    seed: int | None = None,
    rfc7946: bool | None = None,
    corrections: CorrectionsUse | None = None,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> list[Exported]:
    """Write the tables of an output directory for another program, like `polyframe export`.

    Parameters
    ----------
    output : path
        The output directory; nothing in it is changed.
    to : {"panoptes-csv", "geojson", "coco", "yolo", "masks", "labelstudio", "gpkg", "levels"}
        The format.
    path : path
        The file to write, or the folder for formats of several files; existing files are replaced.
    {options}
    storage_options : mapping, optional
        As for `polyframe.scan`.
    say : callable, optional
        Receives notes, for example about omitted shapes and clusters without the level.
    progress : callable, optional
        Receives the numbers of clusters that are written to the present file and to write to it.

    Returns
    -------
    list of Exported
        The files and folders that were written.

    Raises
    ------
    UsageError
        If the format or an option is unknown, or they do not fit.
    PolyframeError
        If a table is missing, the output changes during the export, or a file cannot be written.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.export("out", "panoptes-csv", "reductions.csv")  # doctest: +SKIP
    """
    place, target = place_of(output, "output", storage_options), local_path(path, "path")
    if not isinstance(to, str) or to not in FORMATS:
        raise UsageError(f"unknown format {short_repr(to)}{nearest(to, FORMATS)}")
    say = show if say is None else say
    with local_copies([subjects, workflows, classifications], say, storage_options) as (files, say):
        of_subjects, of_workflows, of_classifications = files
        options = ExportOptions(
            what=what,
            level=level,
            min_consensus=min_consensus,
            min_expected_iou=min_expected_iou,
            subjects=of_subjects,
            workflows=of_workflows,
            classifications=of_classifications,
            image_size=image_size,
            image_name=image_name,
            empty_images=empty_images,
            score=score,
            masks=masks,
            val_share=val_share,
            seed=seed,
            rfc7946=rfc7946,
            corrections=corrections,
        )
        options.check_for(to)
        with open_tables(
            place,
            "export",
            corrected=options.corrections != "ignore",
            progress=detailed(progress or no_progress),
        ) as tables:  # fails before anything is written
            module = importlib.import_module(f"polyframe.export.{FORMATS[to]}")
            exported: list[Exported] = module.write(tables, target, options, say)
    return exported
