"""Compare the polygons of an edited file with the clusters, and merge the corrections with earlier ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import shapely

from polyframe.core.choices import MissingPolygons
from polyframe.core.tables import CLUSTER_KEYS, CORRECTIONS, GROUP_KEYS
from polyframe.export.corrections.edited_file import EditedFile
from polyframe.export.corrections.known_clusters import KnownClusters, known_clusters, level_polygons
from polyframe.export.corrections.match_clusters import (
    EditedPolygon,
    Matched,
    edited_polygons,
    is_same_outline,
    match_clusters,
)
from polyframe.pipeline.gold.project import Project, Skipped
from polyframe.store.corrections import Corrections
from polyframe.store.reading import OutputTables

#: What a row of the new corrections does.
_KIND: Final = "kind"
_KINDS: Final = ("corrected", "removed", "stale")


@dataclass(frozen=True)
class NewCorrections:
    """The table of corrections after an import, and what the import changed.

    Attributes
    ----------
    rows : polars.DataFrame
        The table `corrections`.
    counts : dict of str to int
        Attributes of `polyframe.export.corrections.imported.ImportedCorrections`.
    """

    rows: pl.DataFrame
    counts: dict[str, int]


def new_corrections(
    file: EditedFile,
    tables: OutputTables,
    project: Project,
    tools: dict[str, str],
    earlier: Corrections,
    missing: MissingPolygons,
    skipped: Skipped,
) -> NewCorrections:
    """Return the table of corrections with those of an edited file.

    Parameters
    ----------
    file : EditedFile
    tables : OutputTables
        Without corrections.
    project : Project
    tools : dict of str to str
        The tool of each label.
    earlier : Corrections
        The corrections to which these are added.
    missing : {"listed", "keep", "remove"}
        See `match_clusters`.
    skipped : Skipped
        Receives what is not used.

    Raises
    ------
    PolyframeError
        If there are no reductions, or a part is missing or damaged.
    """
    subjects = sorted({image.subject_id for image in file.images})
    clusters = known_clusters(tables, subjects, earlier)
    polygons = edited_polygons(file, skipped)
    matched = match_clusters(file, polygons, clusters, tools, missing, skipped)
    changed = _changed(file, clusters, matched, tables)
    values = [*_rows(file, clusters, changed, matched), *_stale_rows(file, matched, project, skipped)]
    rows = pl.DataFrame(values, CORRECTIONS.schema | {_KIND: pl.String}, orient="row")
    merged = _merged(rows, earlier)
    kinds = merged[_KIND].to_list()
    counts = {
        "images": len(file.images),
        "polygons": len(polygons),
        **{kind: kinds.count(kind) for kind in _KINDS},
        "older": rows.height - sum(map(kinds.count, _KINDS)),
        "unchanged": len(matched.polygons) - len(changed),
        "by_overlap": matched.by_overlap,
        "missing": len(matched.missing) - len(matched.removed),
    }
    return NewCorrections(CORRECTIONS.conform(merged.drop(_KIND)), counts)


def _changed(
    file: EditedFile, clusters: KnownClusters, matched: Matched, tables: OutputTables
) -> dict[int, EditedPolygon]:
    """Return the polygons that differ from what an export of their cluster shows or showed."""
    size_of = {number: image.size for number, image in enumerate(file.images)}
    changed = {
        row: polygon
        for row, polygon in matched.polygons.items()
        if not any(
            is_same_outline(polygon, shapes[row], size_of[polygon.outline.image])
            for shapes in (clusters.shown, clusters.averages)
        )
    }
    levels = level_polygons(tables, clusters.keys.with_row_index("row")[sorted(changed)])
    return {
        row: polygon
        for row, polygon in changed.items()
        if not any(
            is_same_outline(polygon, level, size_of[polygon.outline.image]) for level in levels.get(row, ())
        )
    }


def _rows(
    file: EditedFile, clusters: KnownClusters, changed: dict[int, EditedPolygon], matched: Matched
) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each cluster with another polygon, and for each that was removed."""
    for row, polygon in changed.items():
        yield _row(file, clusters.keys.row(row), polygon.outline.image, polygon.polygon, "corrected")
    for row in sorted(matched.removed):
        yield _row(file, clusters.keys.row(row), matched.missing[row], shapely.Polygon(), "removed")


def _stale_rows(
    file: EditedFile, matched: Matched, project: Project, skipped: Skipped
) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each polygon whose cluster has other marks by now."""
    for identity, polygon in matched.stale:
        image, task = file.images[polygon.outline.image], project.tools.get(identity.tool)
        if task is None:
            skipped.add("polygon", f"of a tool that {project.name} does not have", identity.tool)
            continue
        group = (project.workflow_id, image.subject_id, task, image.frame, identity.tool)
        keys = (*group, identity.cluster_label, identity.members)
        yield _row(file, keys, polygon.outline.image, polygon.polygon, "stale")


def _row(file: EditedFile, keys: tuple[Any, ...], image: int, polygon: Any, kind: str) -> tuple[Any, ...]:
    edited = file.images[image]
    return (*keys, edited.corrected_by, edited.corrected_at, shapely.to_wkb(polygon), kind)


def _merged(rows: pl.DataFrame, earlier: Corrections) -> pl.DataFrame:
    """Add rows to the earlier ones: of each cluster the newest remains, of equally new ones the last."""
    before = pl.concat([earlier.current, earlier.stale]).with_columns(pl.lit(None, pl.String).alias(_KIND))
    both = pl.concat([before, rows]).with_row_index("position").sort("corrected_at", "position")
    newest = both.unique([*GROUP_KEYS, "members"], keep="last", maintain_order=True)
    return newest.drop("position").sort(*CLUSTER_KEYS, "members")
