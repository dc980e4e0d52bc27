"""Remove old versions of an output, and parts that no kept version has."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
    is_own_key,
    manifest_key,
    shard_key,
)
from polyframe.store.stages import tables_of_stages
from polyframe.store.versions import read_manifest, table_parts, version_numbers
from polyframe.store.work_directory import work_directory

#: Parts of no kept version that are younger than this may be those of a run that has yet to publish them.
#: Runs on a bucket reuse only parts that are at least a day younger, see `current_parts.REUSED_SECONDS`.
_GRACE: Final = "7d"


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

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain JSON values."""
        return dict(vars(self))


def vacuum(
    output: AnyPlace,
    *,
    keep: str = "30d",
    grace: str = _GRACE,
    storage_options: Mapping[str, str] | None = None,
) -> Vacuumed:
    """Remove old versions of an output and parts that no other version has, like `polyframe vacuum`.

    The newest version always stays. Parts that no kept version has stay for a week after they were written,
    since a run in progress may be about to publish them. In a local output, in which no run can be in
    progress, those of removed versions go at once.

    Parameters
    ----------
    output : path or address
        The output directory, such as `out` or `s3://bucket/project`.
    keep : str
        Versions that were the newest within this time stay, such as `30d` or `12h`.
    grace : str
        How long parts of no kept version stay. Shorten it only if no run is in progress and none that failed
        shall continue.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    Vacuumed

    Raises
    ------
    UsageError
        If `keep` or `grace` is not a duration.
    PolyframeError
        If it is not an output of polyframe, or a run works in a local one.

    Examples
    --------
    >>> import polyframe as pf
    >>> print(pf.vacuum("out", keep="0d"))  # doctest: +SKIP
    """
    oldest = time.time() - parse_duration(keep, "keep").total_seconds()
    stay = parse_duration(grace, "grace").total_seconds()
    opened = Output(place_of(output, "output", storage_options))
    read_manifest(opened)
    with work_directory(opened):
        return remove_versions(opened, _replaced_before(opened, oldest), stay)


def remove_oldest(output: Output, keep: int) -> None:
    """Remove all versions but the newest ones, and what dead runs left, from a local output.

    Parameters
    ----------
    output : Output
        Locked by this process, which has published its version.
    keep : int
        How many versions stay; at least 1.
    """
    remove_versions(output, version_numbers(output)[:-keep], 0)


def remove_versions(output: Output, numbers: Sequence[int], grace: float) -> Vacuumed:
    """Remove versions, and parts that no other version has.

    Parameters
    ----------
    output : Output
        With a store.
    numbers : sequence of int
        The versions; not the newest.
    grace : float
        Parts of no kept version stay if they are younger (seconds); in a local output, only those that no
        removed version has either.
    """
    objects = output.objects
    kept = [number for number in version_numbers(output) if number not in numbers]
    needed, all_readable = _keys_of(output, kept)
    of_removed = _keys_of(output, numbers)[0] if output.folder is not None else set()
    youngest = time.time() - grace
    unneeded = {
        key: entry.size
        for prefix in (PARTS, SHARDS, ROWS, SUMS)
        for key, entry in objects.entries(prefix).items()
        if is_own_key(key) and key not in needed and (key in of_removed or entry.modified <= youngest)
    }
    if not all_readable:
        # A version that cannot be read, for example one of another release, may have any part.
        unneeded = {}
    # The manifests first: no version that is listed lacks parts.
    objects.remove(manifest_key(number) for number in numbers)
    objects.remove(unneeded)
    removed = [size for key, size in unneeded.items() if key.startswith(PARTS)]
    return Vacuumed(str(output), len(numbers), len(removed), sum(removed), len(kept))


def _replaced_before(output: Output, oldest: float) -> list[int]:
    """Return the versions after which the next one was published before a time."""
    numbers, entries = version_numbers(output), output.objects.entries(MANIFESTS)
    return [
        number
        for number, next_number in itertools.pairwise(numbers)
        # Another vacuum may remove some of them at this moment.
        if (published := entries.get(manifest_key(next_number))) and published.modified < oldest
    ]


def _keys_of(output: Output, numbers: Sequence[int]) -> tuple[set[str], bool]:
    """Return the keys of all parts and shards of some versions, and whether all manifests can be read."""
    keys: set[str] = set()
    all_readable = True
    for number in numbers:
        try:
            manifest = read_manifest(output, number)
            shards = shard_names(output.objects.read(manifest_key(number)))
        except (PolyframeError, FileNotFoundError):
            all_readable = False
            continue
        keys |= {shard_key(name) for name in shards}
        for table in tables_of_stages(manifest.sources_of_tables):
            keys |= {part.key for part in table_parts(output, manifest, table).values()}
    return keys, all_readable
