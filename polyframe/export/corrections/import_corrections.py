"""Import corrections: read edited polygons, find their clusters, and publish the table `corrections`."""

import json
import typing
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from polyframe.core.addresses import as_address
from polyframe.core.callbacks import Say
from polyframe.core.choices import MissingPolygons
from polyframe.core.errors import PolyframeError, UsageError, first_line, no_such_file, short_repr
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import AnyPlace, local_path, place_of
from polyframe.core.notes import Information, show
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.core.tables import CORRECTIONS, IMAGE_KEYS
from polyframe.export.corrections.edited_file import EditedFile, ReadContext, modified_at
from polyframe.export.corrections.imported import ImportedCorrections
from polyframe.export.corrections.known_clusters import empty_corrections
from polyframe.export.corrections.new_corrections import NewCorrections, new_corrections
from polyframe.export.corrections.read_coco import is_coco, read_coco
from polyframe.export.corrections.read_labelstudio import is_labelstudio, read_labelstudio
from polyframe.export.export_options import ExportOptions
from polyframe.export.exported_images import image_keys
from polyframe.export.shape_export import shape_export
from polyframe.export.words import Words
from polyframe.pipeline.gold.of_output import project_of_output
from polyframe.pipeline.gold.project import Project, Skipped
from polyframe.store.fingerprints import rows_fingerprint
from polyframe.store.manifest import Manifest, StageRecord
from polyframe.store.output import MERGED, Output, part_key
from polyframe.store.part_files import Origin, PartFile, write_part
from polyframe.store.publishing import publish
from polyframe.store.reading import OutputTables
from polyframe.store.run_counts import Counts
from polyframe.store.stages import IMPORTED
from polyframe.store.versions import read_manifest
from polyframe.store.work_directory import work_directory

#: JSON files of an archive that a message lists.
_MOST_LISTED: Final = 3
_FORMS: Final = "an export of Label Studio (JSON) or COCO instance segmentation"


def import_corrections(
    output: AnyPlace,
    file: AnyFile,
    *,
    missing: MissingPolygons | None = None,
    replace: bool = False,
    corrected_by: str | None = None,
    subjects: AnyFile | None = None,
    workflows: AnyFile | None = None,
    classifications: AnyFile | None = None,
    image_name: str | None = None,
    keep_versions: int | None = None,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
) -> ImportedCorrections:
    """Import polygons that people corrected in another program, like `polyframe import-corrections`.

    The table `corrections` is published as a new version of the output. Exports, scores, reports and plots
    then show the corrected polygons in place of the averages, and omit removed clusters. A correction belongs
    to the marks of its cluster: if a later run gives the cluster other marks, the correction is stale and not
    used. Runs keep the table.

    Parameters
    ----------
    output : path or address
        The output directory.
    file : path or address
        What Label Studio exports as JSON after an export with `to="labelstudio"`, or COCO that CVAT or
        another program wrote after one with `to="coco"`; also in a ZIP archive with no other JSON file.
    missing : {"listed", "keep", "remove"}, optional
        Which clusters on the images of the file without a polygon are removed: `listed` (default), those that
        the file lists as exported, so that somebody must have deleted their polygon; `keep`, none; `remove`,
        all of them.
    replace : bool
        Forget all earlier corrections instead of adding to them.
    corrected_by : str, optional
        Who corrected the polygons, if the file does not say.
    subjects, workflows, classifications : path or address, optional
    image_name : str, optional
        As for `export`, if the file has names of images and labels in place of our keys.
    keep_versions : int, optional
        How many versions a local output keeps; default: 2.
    storage_options : mapping, optional
        As for `polyframe.scan`.
    say : callable, optional
        Receives a line for each kind of thing that was read and is not used.

    Returns
    -------
    ImportedCorrections
        What was imported; `print` shows it.

    Raises
    ------
    UsageError
        If an option is not valid.
    PolyframeError
        If the file cannot be read or contains no subject of the output, the output has no reductions, or it
        cannot be written.

    Notes
    -----
    Of several corrections of a cluster the newest counts, whichever was imported first. Polygons that nobody
    changed are not corrections: their cluster keeps following the settings.

    Examples
    --------
    >>> import polyframe as pf
    >>> print(pf.import_corrections("out", "labelstudio.json"))  # doctest: +SKIP
    """
    place, say = place_of(output, "output", storage_options), show if say is None else say
    choices = typing.get_args(MissingPolygons)
    if missing is not None and missing not in choices:
        raise UsageError(f"missing: {short_repr(missing)} is not one of {', '.join(choices)}")
    if corrected_by is not None and not isinstance(corrected_by, str):
        raise UsageError(f"corrected_by: {short_repr(corrected_by)} is not a string")
    keep = Settings().replace({} if keep_versions is None else {"keep_versions": keep_versions}).keep_versions
    source: Any = as_address(file, storage_options) or local_path(file, "file", expected=f"{_FORMS} (a path)")
    opened = Output(place)
    read_manifest(opened)  # before anything is created
    with local_copies([source, subjects, workflows, classifications], say, storage_options) as (copies, say):
        content, at = _json(copies[0]), modified_at(Path(copies[0]))
        options = ExportOptions(
            subjects=copies[1], workflows=copies[2], classifications=copies[3], image_name=image_name
        )
        name, skipped = str(copies[0]), Skipped()
        with work_directory(opened) as work:
            before = read_manifest(opened)
            tables = OutputTables(opened, before)
            project = project_of_output(tables)
            names, tools = _names_and_tools(tables, options, project, say)
            words = Words(tools={tool: label for label, tool in tools.items() if label != tool})
            say = words.in_notes(say)
            context = ReadContext(name, project, names, corrected_by, at, skipped)
            earlier = empty_corrections() if replace else tables.corrections
            edited = _read(content, context, say)
            new = new_corrections(edited, tables, project, tools, earlier, missing or "listed", skipped)
            published = before
            if new.rows.height or tables.contains(CORRECTIONS.name):
                published = publish(work, _with_rows(opened, before, new.rows), before, keep)
        skipped.report(name, say)
        _report(name, new, say)
    not_used = {f"{kind} {reason}": count for (kind, reason), count in skipped.counts.items()}
    return ImportedCorrections(
        output=str(opened),
        file=str(source),
        **new.counts,
        not_used=not_used,
        total=new.rows.height,
        version=published.number,
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(_unzipped(path) if zipfile.is_zipfile(path) else Path(path).read_bytes())
    except FileNotFoundError:
        raise PolyframeError(no_such_file(Path(path))) from None
    except OSError as error:
        raise PolyframeError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise PolyframeError(f"{path}: is not valid JSON ({first_line(error)})") from None


def _unzipped(path: Path) -> bytes:
    """Return the only JSON file of an archive, as CVAT exports it.

    What macOS adds to the archives that it makes does not count.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name
                for name in archive.namelist()
                if name.lower().endswith(".json") and not name.startswith("__MACOSX/")
            ]
            if len(names) == 1:
                return archive.read(names[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError) as error:
        raise PolyframeError(f"{path}: cannot be unpacked ({first_line(error)})") from None
    if not names:
        raise PolyframeError(f"{path}: contains no JSON file; expected {_FORMS}")
    listed = ", ".join(names[:_MOST_LISTED]) + ", ..." * (len(names) > _MOST_LISTED)
    number = counted(len(names), "JSON file")
    raise PolyframeError(f"{path}: contains {number} ({listed}); unpack it and name one of them")


def _names_and_tools(
    tables: OutputTables, options: ExportOptions, project: Project, say: Say
) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Return the images by the names that an export gives them, and the tools by their labels."""
    with shape_export(tables, options, say) as export:
        names = {
            export.names.of(*key): key
            for frame in image_keys(tables, options, export.addressed)
            for key in frame.select(IMAGE_KEYS).iter_rows()
        }
        tools = {category.name: category.tool for category in export.categories.by_tool.values()}
    return names, {tool: tool for tool in project.tools} | tools


def _read(content: Any, context: ReadContext, say: Say) -> EditedFile:
    if is_coco(content):
        edited = read_coco(content, context)
    elif is_labelstudio(content):
        edited = read_labelstudio(content, context)
    else:
        raise PolyframeError(
            f"{context.name}: this JSON is not {_FORMS}; in Label Studio choose the format JSON, not JSON-MIN"
        )
    if content and not edited.images:
        context.skipped.report(context.name, say)
        raise PolyframeError(f"{context.name}: contains no edited image of {context.project.name}")
    if edited.unread and not edited.outlines:
        context.skipped.report(context.name, say)
        raise PolyframeError(f"{context.name}: contains no polygon that can be read; export {_FORMS}")
    return edited


def _with_rows(output: Output, before: Manifest, rows: pl.DataFrame) -> Manifest:
    """Write the table, and return the manifest of the version that contains it."""
    origin = Origin({}, rows_fingerprint(rows), None, Counts())
    part = PartFile(output.objects, part_key(CORRECTIONS.name, MERGED, origin))
    written = write_part(rows, part, CORRECTIONS, origin)
    record = StageRecord(
        origin.fingerprint,
        None,
        origin.counts,
        {CORRECTIONS.name: written.size},
        {CORRECTIONS.name: written.rows},
    )
    return msgspec.structs.replace(before, merged={**before.merged, IMPORTED: record})


def _report(name: str, new: NewCorrections, say: Say) -> None:
    """Say what happened to polygons and clusters beside those that are corrected."""
    counts = new.counts
    for key, noun, text, information in (
        (
            "stale",
            "polygon",
            "of clusters whose marks have changed since the export, so they are not used",
            False,
        ),
        ("older", "polygon", "not used, since OUT has newer corrections of the same clusters", False),
        ("by_overlap", "polygon", "without a key, matched with the cluster that they overlap most", True),
        (
            "missing",
            "cluster",
            "without a polygon, kept; --missing remove keeps only those that an unused outline may show",
            False,
        ),
    ):
        if counts[key]:
            note = f"{name}: {counted(counts[key], noun)} {text}"
            say(Information(note) if information else note)
