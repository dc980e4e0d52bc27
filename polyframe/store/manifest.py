"""The manifest of an output directory: how it was made, from what, and which part files belong to it."""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe import __version__
from polyframe.core.atomic_files import cannot_write, replace_durably, sync_folder
from polyframe.core.errors import PolyframeError, check_name
from polyframe.core.settings import Settings
from polyframe.core.tables import SCHEMA_VERSION
from polyframe.panoptes.annotations.tools import Tools, tools_from_names
from polyframe.store.accounting import Accounting
from polyframe.store.manifest_form import form_problems
from polyframe.store.parts import part_name
from polyframe.store.stages import STAGE_TABLES

MANIFEST: Final = "polyframe.json"

#: What tells of the export; stages that start from extractions leave it as it is.
ORIGIN: Final = ("sources", "versions", "version_chosen_by", "extraction", "last_subject")
_KEYS: Final = (*ORIGIN, "stages", "settings", "accounting", "partitions")


@dataclass(frozen=True)
class StageRecord:
    """What one stage made of one partition.

    Attributes
    ----------
    fingerprint : str
        Of the rows and the settings it was made from.
    places : str or None
        Of where the rows stand in the export; None where nothing in the parts tells.
    counts : mapping
        What was counted, see `polyframe.store.accounting`; for the extraction also `tools`, see
        `polyframe.panoptes.annotations.tools.tools_to_record`.
    sizes : mapping of str to int
        Bytes of the part file of each table.
    """

    fingerprint: str
    places: str | None
    counts: Mapping[str, Any]
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class PartitionRecord:
    """One partition of an output directory.

    Attributes
    ----------
    name : str
        Goes into the names of its part files.
    first_subject : int or None
        Where it begins; None for the first one.
    content : str
        Hash of its rows.
    stages : mapping of str to StageRecord
        By stage.
    """

    name: str
    first_subject: int | None
    content: str
    stages: Mapping[str, StageRecord]

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        stages = {name: vars(self.stages[name]) for name in STAGE_TABLES if name in self.stages}
        return {**vars(self), "stages": stages}


def manifest_of(
    settings: Settings, records: Sequence[PartitionRecord], counts: Accounting, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together a manifest.

    Parameters
    ----------
    settings : Settings
        With which the tables were made.
    records : sequence of PartitionRecord
        At least one; all of the same stages.
    counts : Accounting
        Where every row and mark went.
    origin : mapping
        What `ORIGIN` names: `sources`, `versions`, `version_chosen_by` (see
        `polyframe.panoptes.classifications.selection.Selection`), `extraction` (its settings) and
        `last_subject`.
    """
    return {
        "polyframe_version": __version__,
        "schema_version": SCHEMA_VERSION,
        **origin,
        "stages": [stage for stage in STAGE_TABLES if stage in records[0].stages],
        "settings": settings.affecting("extract", "reduce", "contours", "carried"),
        "accounting": counts.to_dict(),
        "partitions": [record.plain() for record in records],
    }


def partition_records(manifest: Mapping[str, Any]) -> list[PartitionRecord]:
    """Return the partitions of a manifest, in the order of their subjects."""
    return [
        PartitionRecord(
            told["name"],
            told["first_subject"],
            told["content"],
            {name: StageRecord(**record) for name, record in told["stages"].items()},
        )
        for told in manifest["partitions"]
    ]


def tools_in(records: Iterable[PartitionRecord]) -> Tools | None:
    """Return the tools of all partitions; None where one of them does not tell."""
    names: set[str] = set()
    for record in records:
        if "tools" not in record.stages["extract"].counts:
            return None
        names.update(record.stages["extract"].counts["tools"])
    return tools_from_names(names)


def counts_of(record: PartitionRecord) -> dict[str, Any]:
    """Return the counts of a partition; a later stage knows better than an earlier one."""
    counts: dict[str, Any] = {}
    for stage in STAGE_TABLES:
        counts |= record.stages[stage].counts if stage in record.stages else {}
    return counts


def table_parts(manifest: Mapping[str, Any], table: str) -> list[str]:
    """Return the names of the part files of a table, in order; empty where there is no such table."""
    stage = stage_of(table)
    if stage not in manifest["stages"]:
        return []
    return [part_name(partition["name"]) for partition in manifest["partitions"]]


def stage_of(table: str) -> str:
    """Return the stage that makes a table."""
    return next(stage for stage, tables in STAGE_TABLES.items() if table in tables)


def tables_of(stages: Iterable[str]) -> list[str]:
    """Return the tables that some stages make."""
    return [table for stage in stages for table in STAGE_TABLES[stage]]


def read_manifest(output: Path) -> dict[str, Any]:
    """Read the manifest of an output directory.

    Raises
    ------
    PolyframeError
        Where the directory is missing, was not made by polyframe, or its manifest cannot be read.
    """
    check_name(output)
    if not output.exists():
        raise PolyframeError(
            f"{output}: no such directory; make it with `polyframe run CLASSIFICATIONS -o {output}`"
        )
    path = output / MANIFEST
    if not path.is_file():
        raise PolyframeError(
            f"{output}: no output of polyframe ({MANIFEST} is missing); "
            "name the directory that `polyframe run` wrote"
        )
    return load_manifest(path)


def load_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest from its file.

    Raises
    ------
    PolyframeError
        Where it cannot be read.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PolyframeError(f"{path}: cannot be read ({error}); run `polyframe run` again") from None
    if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
        raise PolyframeError(
            f"{path}: made by another version of polyframe; make the tables anew with `polyframe run`"
        )
    missing = [key for key in _KEYS if key not in manifest]
    if missing:
        raise PolyframeError(f"{path}: lacks {missing[0]!r}; run `polyframe run` again")
    problems = form_problems(manifest)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise PolyframeError(f"{path}: {problems[0]}{more}; run `polyframe run` again")
    return manifest


def earlier_manifest(output: Path) -> dict[str, Any] | None:
    """Return the manifest of an output directory; None where it has none that can be used."""
    try:
        return read_manifest(output)
    except PolyframeError:
        return None


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest, whole or not at all.

    Raises
    ------
    PolyframeError
        Where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(_text(manifest), encoding="utf-8", newline="\n")
        replace_durably(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise PolyframeError(cannot_write(path, error)) from None


def _text(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as JSON for people: one line for each partition, since there may be thousands."""
    head = {key: value for key, value in manifest.items() if key != "partitions"}
    text = json.dumps(head, indent=2, ensure_ascii=False)
    lines = ",\n    ".join(_line(partition) for partition in manifest["partitions"])
    return f'{text[: text.rindex("}")].rstrip()},\n  "partitions": [\n    {lines}\n  ]\n}}\n'


def _line(partition: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(partition, ensure_ascii=False)
