"""Read outputs without a store, and take them over.

Earlier releases kept only what is now the view of the newest version. The same remains if somebody copies an
output without its hidden folder.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError
from polyframe.store.manifest import PartitionRecord, StageRecord
from polyframe.store.manifest_text import manifest_text, parse_manifest
from polyframe.store.objects import FolderObjects, link_or_copy
from polyframe.store.output import (
    MANIFEST,
    MANIFESTS,
    MERGED,
    WORK,
    Output,
    manifest_key,
    number_of,
    part_key,
    part_name,
    shard_key,
)
from polyframe.store.part_files import PartFile, protect, read_rows_and_origin

#: Where earlier releases kept the new manifest and the new tables while they were moved into place.
_DECISION = f"{WORK}/commit.json"
_NEXT = f"{WORK}/next"


def is_flat(output: Output) -> bool:
    """Return whether an output has tables, but no store."""
    folder = output.folder
    # Their folder alone does not count: a killed process may have made it just before the first manifest.
    if folder is None or any(number_of(key) is not None for key in output.objects.keys(MANIFESTS)):
        return False
    return (folder / MANIFEST).is_file() or (folder / _DECISION).is_file()


def manifest_path(output: Output) -> Path:
    """Return the manifest of an output without a store."""
    folder = _folder(output)
    decision = folder / _DECISION
    return decision if decision.is_file() else folder / MANIFEST


def part_file(output: Output, table: str, partition: str) -> PartFile:
    """Return a part of an output without a store."""
    folder, name = _folder(output), f"{table}/{part_name(partition)}"
    is_moved = (folder / _DECISION).is_file() and (folder / _NEXT / name).is_file()
    return PartFile(FolderObjects(folder), f"{_NEXT}/{name}" if is_moved else name)


def take_over(output: Output) -> None:
    """Make the store of an output that has none: its tables become a version, without a copy if possible.

    Parts that are missing or are not those of the manifest are rebuilt by the next run.

    Parameters
    ----------
    output : Output
        Locked by this process; nothing happens if it has a store, or a manifest that cannot be used.

    Raises
    ------
    PolyframeError
        If the store cannot be written.
    """
    if not is_flat(output):
        return
    path = manifest_path(output)
    try:
        manifest = parse_manifest(path.read_bytes(), str(path), _no_shard)
    except (PolyframeError, OSError):
        return
    partitions = [
        PartitionRecord(
            record.name,
            record.first_subject,
            record.content,
            {stage: _take_over(output, record.name, of_stage) for stage, of_stage in record.stages.items()},
        )
        for record in manifest.partitions
    ]
    merged = {stage: _take_over(output, MERGED, record) for stage, record in manifest.merged.items()}
    number = max(manifest.number, 1)
    taken = msgspec.structs.replace(manifest, partitions=tuple(partitions), merged=merged, number=number)
    text = manifest_text(taken)
    for name, content in text.shards.items():
        output.objects.create(shard_key(name), content)
    # Last, since the store counts from then on.
    output.objects.create(manifest_key(number), text.text)
    with contextlib.suppress(OSError):
        (_folder(output) / _DECISION).unlink()


def _take_over(output: Output, partition: str, record: StageRecord) -> StageRecord:
    """Link the parts of a stage into the store; return its record with the numbers of their rows."""
    rows: dict[str, int] = {}
    for table, part in _parts_of(output, partition, record):
        footer = read_rows_and_origin(part)
        if footer is None or (footer[1].fingerprint, footer[1].places) != (record.fingerprint, record.places):
            continue
        rows[table] = footer[0]
        stored = PartFile(output.objects, part_key(table, partition, record))
        _link(part.path, stored.path)
        protect(stored)
    return msgspec.structs.replace(record, rows=rows if len(rows) == len(record.sizes) else {})


def _parts_of(output: Output, partition: str, record: StageRecord) -> Iterator[tuple[str, PartFile]]:
    for table in record.sizes:
        yield table, part_file(output, table, partition)


def _link(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source, target)
    except OSError as error:
        raise cannot_write(target, error) from None


def _folder(output: Output) -> Path:
    assert output.folder is not None
    return output.folder


def _no_shard(name: str) -> bytes:
    raise FileNotFoundError(name)
