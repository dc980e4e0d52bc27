"""Publish versions of an output, and read their manifests.

A version is published when its manifest is created: its parts are there by then, and nobody changes them.
Readers therefore see all tables of one version, however many others are published meanwhile. Of several
writers, one creates the manifest of a number; the others fail, and their parts stay for their next try.
"""

import json
import platform
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from polyframe.core.errors import PolyframeError, UsageError, check_name
from polyframe.store import flat_layout
from polyframe.store.last_check import record_check, time_text
from polyframe.store.manifest import Manifest, StageRecord, part_records
from polyframe.store.manifest_text import ManifestText, manifest_text, parse_manifest
from polyframe.store.output import MANIFESTS, Output, manifest_key, number_of, part_key, shard_key
from polyframe.store.part_files import PartFile
from polyframe.store.stages import IMPORTED


def version_numbers(output: Output) -> list[int]:
    """Return the numbers of the versions that are there, the newest last; empty if nothing is published.

    0 is an output of an earlier release, which had one version and no numbers.
    """
    numbers = [number_of(key) for key in output.objects.entries(MANIFESTS)]
    known = [number for number in numbers if number is not None]
    return known or ([0] if flat_layout.is_flat(output) else [])


def read_manifest(output: Output, version: int | None = None) -> Manifest:
    """Read the manifest of a version.

    Parameters
    ----------
    output : Output
    version : int, optional
        Its number; the newest by default.

    Raises
    ------
    PolyframeError
        If there is no output, or no such version, or its manifest cannot be read.
    """
    if output.folder is not None:
        check_name(output.folder)
    numbers = version_numbers(output)
    if not numbers:
        raise PolyframeError(_no_output(output))
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise UsageError(f"version: expected the number of a version, got {version!r}")
    if version is not None and version not in numbers:
        raise PolyframeError(
            f"{output}: has no version {version}; it has {_listed(numbers)}, "
            f"see `polyframe status {output} --versions`"
        )
    return _read(output, numbers[-1] if version is None else version)


def newest_manifest(output: Output) -> Manifest | None:
    """Return the manifest of the newest version; None if there is none that can be used."""
    try:
        return read_manifest(output)
    except PolyframeError:
        return None


def recorded_manifest(output: Output) -> dict[str, Any]:
    """Return the newest manifest without checking it.

    A manifest of another release of polyframe still says what the tables were made with.

    Returns
    -------
    dict
        Empty if there is no manifest, or it is not a JSON object.
    """
    numbers = version_numbers(output)
    try:
        manifest = json.loads(_content(output, numbers[-1])) if numbers else None
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def imported_record(output: Output) -> StageRecord | None:
    """Return the record of the imported tables of the newest version; None if it has none.

    People made them, so they are also found in manifests that cannot be used: of another release, or an older
    one if the newest is damaged.

    Raises
    ------
    PolyframeError
        If the record itself cannot be read.
    """
    for number in reversed(version_numbers(output)):
        try:
            manifest = json.loads(_content(output, number))
        except (OSError, ValueError, RecursionError):
            continue
        merged = manifest.get("merged") if isinstance(manifest, dict) else None
        record = merged.get(IMPORTED) if isinstance(merged, dict) else None
        try:
            return None if record is None else msgspec.convert(record, StageRecord)
        except msgspec.ValidationError:
            place = manifest_place(output, number)
            raise PolyframeError(f"{place}: its record of {IMPORTED} cannot be read; restore it") from None
    return None


def manifest_place(output: Output, number: int) -> str:
    """Return the path or the address of a manifest, for messages."""
    return str(output.objects.place_of(manifest_key(number)) if number else flat_layout.manifest_path(output))


def version_part(
    output: Output, manifest: Manifest, table: str, partition: str, record: StageRecord
) -> PartFile:
    """Return where a part of a version is."""
    if manifest.number == 0:
        return flat_layout.part_file(output, table, partition)
    return PartFile(output.objects, part_key(table, partition, record), record.sizes.get(table))


def table_parts(output: Output, manifest: Manifest, table: str) -> dict[str, PartFile]:
    """Return the parts of a table by the names of their partitions, in order; empty without the table."""
    return {
        partition: version_part(output, manifest, table, partition, record)
        for partition, record in part_records(manifest, table).items()
    }


def create_version(output: Output, manifest: Manifest, before: Manifest | None) -> Manifest:
    """Publish a version, whose parts are in the store, unless its tables are those of the one before.

    Parameters
    ----------
    output : Output
    manifest : Manifest
        The new one.
    before : Manifest or None
        The one on which the run is based; None if there was none.

    Returns
    -------
    Manifest
        The new one with its number, or `before`.

    Raises
    ------
    PolyframeError
        If another run published its version first, or nothing can be written.
    """
    if before is not None and before.number and manifest.has_tables_of(before):
        record_check(output, before)
        return before
    numbered = msgspec.structs.replace(
        manifest,
        number=_next_number(output, before),
        finished_at=time_text(),
        host=platform.node(),
        run=uuid.uuid4().hex,
    )
    text = manifest_text(numbered)
    _write_shards(output, text)
    key = manifest_key(numbered.number)
    if not output.objects.create(key, text.text):
        raise _published_first(output)
    if version_numbers(output)[-1] != numbered.number:
        # Others published several versions, of which a vacuum removed the one with this number.
        output.objects.remove([key])
        raise _published_first(output)
    # A vacuum may have removed shards of older versions, before it could know that this one has them too.
    _write_shards(output, text)
    return numbered


def _next_number(output: Output, before: Manifest | None) -> int:
    if before is not None:
        return before.number + 1
    numbers = version_numbers(output) or [0]
    # When the run began, there was no version, or only one that cannot be read.
    if newest_manifest(output) is not None:
        raise _published_first(output)
    return numbers[-1] + 1


def _published_first(output: Output) -> PolyframeError:
    first = recorded_manifest(output)
    return PolyframeError(
        f"{output}: a run on {first.get('host')} published version {first.get('number')} at "
        f"{first.get('finished_at')}, before this one; run again: the finished parts are reused"
    )


def _write_shards(output: Output, text: ManifestText) -> None:
    for name, content in text.shards.items():
        # One that is there has the same content, by which it is named.
        output.objects.create(shard_key(name), content)


def _read(output: Output, number: int) -> Manifest:
    place = manifest_place(output, number)
    try:
        content = _content(output, number)
    except FileNotFoundError:
        raise PolyframeError(f"{place}: was removed at this moment; try again") from None
    except OSError as error:
        raise PolyframeError(f"{place}: cannot be read ({error.strerror})") from None
    manifest = parse_manifest(content, place, lambda name: output.objects.read(shard_key(name)))
    return msgspec.structs.replace(manifest, number=number)


def _content(output: Output, number: int) -> bytes:
    if number == 0:
        return flat_layout.manifest_path(output).read_bytes()
    return output.objects.read(manifest_key(number))


def _no_output(output: Output) -> str:
    if output.folder is None:
        return f"{output}: contains no tables; make them with `polyframe run CLASSIFICATIONS -o {output}`"
    if not output.folder.exists():
        return f"{output}: no such directory; make it with `polyframe run CLASSIFICATIONS -o {output}`"
    return (
        f"{output}: not a polyframe output directory (polyframe.json is missing); "
        "name the directory that `polyframe run` wrote"
    )


def _listed(numbers: Sequence[int]) -> str:
    return f"version {numbers[0]}" if len(numbers) == 1 else f"versions {numbers[0]} to {numbers[-1]}"
