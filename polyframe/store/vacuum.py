"""Remove old versions of an output, and parts that no kept version has."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from polyframe.core.durations import parse_duration
from polyframe.core.errors import PolyframeError
from polyframe.core.local_paths import AnyPlace, place_of
from polyframe.core.plurals import counted
from polyframe.store.manifest_text import shard_names
from polyframe.store.output import (
    MANIFESTS,
    PARTS,
    ROWS,
    SHARDS,
    SUMS,
    Output,
    manifest_key,
    shard_key,
)
from polyframe.store.stages import tables_of_stages
from polyframe.store.versions import read_manifest, table_parts, version_numbers
from polyframe.store.work_directory import work_directory

#: Parts of no version that are younger than this may belong to a run that has yet to publish them.
_UNPUBLISHED_SECONDS: Final = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Vacuumed:
    """What was removed from an output.

    Attributes
    ----------
    output : str
    versions, parts, bytes : int
        Removed versions and parts, and the size of these parts.
    kept : int
        Versions that are left.
    """

    output: str
    versions: int
    parts: int
    bytes: int
    kept: int

    def __str__(self) -> str:
        return (
            f"{self.output}: {counted(self.versions, 'version')} and {counted(self.parts, 'part')} removed "
            f"({self.bytes / 1e6:.1f} MB); {counted(self.kept, 'version')} kept"
        )


def vacuum(
    output: AnyPlace, *, keep: str = "30d", storage_options: Mapping[str, str] | None = None
) -> Vacuumed:
    """Remove old versions of an output and parts that no other version has, like `polyframe vacuum`.

    The newest version always stays. Parts that belong to no version stay for a week, since they may be those
    of a run in progress.

    Parameters
    ----------
    output : path or address
        The output directory, such as `out` or `s3://bucket/project`.
    keep : str
        Versions that were the newest within this time stay, such as `30d` or `12h`.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    Vacuumed

    Raises
    ------
    UsageError
        If `keep` is not a duration.
    PolyframeError
        If it is not an output of polyframe, or a run works in a local one.

    Examples
    --------
    >>> import polyframe as pf
    >>> print(pf.vacuum("out", keep="0d"))  # doctest: +SKIP
    """
    oldest = time.time() - parse_duration(keep, "keep").total_seconds()
    opened = Output(place_of(output, "output", storage_options))
    read_manifest(opened)
    with work_directory(opened):
        return remove_versions(opened, _replaced_before(opened, oldest))


def remove_oldest(output: Output, keep: int) -> None:
    """Remove all versions but the newest ones, and what dead runs left, from a local output.

    Parameters
    ----------
    output : Output
        Locked by this process, which has published its version.
    keep : int
        How many versions stay; at least 1.
    """
    remove_versions(output, version_numbers(output)[:-keep], unpublished=0)


def remove_versions(
    output: Output, numbers: Sequence[int], unpublished: float = _UNPUBLISHED_SECONDS
) -> Vacuumed:
    """Remove versions, and parts that no other version has.

    Parameters
    ----------
    output : Output
        With a store.
    numbers : sequence of int
        The versions; not the newest.
    unpublished : float
        Parts of no version stay if they are younger (seconds).
    """
    objects = output.objects
    kept = [number for number in version_numbers(output) if number not in numbers]
    # Listed before the manifests are read: what a run publishes from now on is not removed.
    parts = objects.entries(PARTS)
    listed = dict(parts)
    for prefix in (SHARDS, ROWS, SUMS):
        listed |= objects.entries(prefix)
    needed = [_keys_of(output, number) for number in kept]
    of_removed: set[str] = set().union(*(_keys_of(output, number) or () for number in numbers))
    youngest = time.time() - unpublished
    unneeded = {
        key: entry.size
        for key, entry in listed.items()
        # A version that cannot be read, for example one of another release, may have any part.
        if all(keys is not None and key not in keys for keys in needed)
        and (key in of_removed or entry.modified <= youngest)
    }
    # The manifests first: no version that is listed lacks parts.
    objects.remove(manifest_key(number) for number in numbers)
    objects.remove(unneeded)
    removed = [key for key in unneeded if key in parts]
    size = sum(unneeded[key] for key in removed)
    return Vacuumed(str(output), len(numbers), len(removed), size, len(kept))


def _replaced_before(output: Output, oldest: float) -> list[int]:
    """Return the versions after which the next one was published before a time."""
    numbers, entries = version_numbers(output), output.objects.entries(MANIFESTS)
    return [
        number
        for number, following in itertools.pairwise(numbers)
        if entries[manifest_key(following)].modified < oldest
    ]


def _keys_of(output: Output, number: int) -> set[str] | None:
    """Return the keys of all parts and shards of a version; None if its manifest cannot be read."""
    try:
        manifest = read_manifest(output, number)
        shards = shard_names(output.objects.read(manifest_key(number)))
    except (PolyframeError, FileNotFoundError):
        return None
    keys = {shard_key(name) for name in shards}
    for table in tables_of_stages(manifest.stages):
        keys |= {part.key for part in table_parts(output, manifest, table).values()}
    return keys
