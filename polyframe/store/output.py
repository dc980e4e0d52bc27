"""Locate the files of an output: tables of one project in a local directory or in a bucket.

Layout of the store, which is `OUT/.polyframe/` for a local directory, and the address itself for a bucket::

    manifests/00000042.json                      version 42 of the tables: settings, accounting, partitions
    shards/<hash>.json                           partitions of manifests with more than 10,000 of them
    parts/<table>/part=00000/<identity>.parquet  a part; it is never changed, and versions share parts
    rows/<run>/00000.arrow                       rows of the export for workers of a run, which removes them
    sums/<run>/                                  sums of volunteers, while a run merges them

A local directory also has a view of the newest version, for programs that read files::

    OUT/polyframe.json                           its manifest
    OUT/<table>/part-00000.parquet               its tables; parts in name order are sorted by the keys
    OUT/.polyframe-work/                         files of a run in progress, removed at its end; see `Work`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from polyframe.core.addresses import Address, Place
from polyframe.store.objects import BucketObjects, FolderObjects, Objects

MANIFEST: Final = "polyframe.json"
WORK: Final = ".polyframe-work"
STORE: Final = ".polyframe"
#: The name of the only part of a table that is merged from all partitions, in place of a partition's.
MERGED: Final = "00000"

MANIFESTS: Final = "manifests/"
SHARDS: Final = "shards/"
_MANIFEST_KEY: Final = re.compile(rf"{MANIFESTS}([0-9]{{8}})\.json")
PARTS: Final = "parts/"
ROWS: Final = "rows/"
SUMS: Final = "sums/"
_HASH: Final = "[0-9a-f]{32}"
_OWN_KEYS: Final = re.compile(
    rf"{MANIFESTS}(?:[0-9]{{8}}|checked)\.json|{SHARDS}{_HASH}\.json|(?:{ROWS}|{SUMS}){_HASH}/[^/]+(?:/[^/]+)*"
    rf"|{PARTS}\.?[a-z_]+/part=[0-9]+(?:-[0-9]{{2}})*/{_HASH}(?:-{_HASH})?\.parquet"
)


class PartIdentity(Protocol):
    """What distinguishes the bytes of a part from those of other parts of its table and partition."""

    @property
    def fingerprint(self) -> str:
        """Of the rows and the settings."""

    @property
    def places(self) -> str | None:
        """Of the positions of the rows in the export, if the part depends on them."""


@dataclass(frozen=True)
class Output:
    """An output: a local directory, or the address of one in a bucket.

    Attributes
    ----------
    place : Path or Address
        The directory.
    """

    place: Place

    def __str__(self) -> str:
        return str(self.place)

    @property
    def folder(self) -> Path | None:
        """The local directory with the view of the tables; None for a bucket."""
        return self.place if isinstance(self.place, Path) else None

    @property
    def is_in_memory(self) -> bool:
        """Whether only this process sees the output."""
        return isinstance(self.place, Address) and self.place.scheme == "memory"

    @property
    def objects(self) -> Objects:
        """The store of manifests and parts."""
        place = self.place
        return FolderObjects(place / STORE) if isinstance(place, Path) else BucketObjects(place)


@dataclass(frozen=True)
class Work:
    """The temporary folder of a run, on the computer of the run.

    Attributes
    ----------
    output : Output
        The output to which the run writes.
    folder : Path
        In a local output, `.polyframe-work`::

            lock                               held by the process of the run
            lock.held                          the lock on a file system without locks
            next/<table>/part-00000.parquet    folders that replace those of the view
            old/                               folders of the view that were replaced
            started/                           a file for each partition that a worker has started
            rows/, sources/                    temporary files
    """

    output: Output
    folder: Path

    @property
    def lock(self) -> Path:
        """The file that a run locks."""
        return self.folder / "lock"

    @property
    def next(self) -> Path:
        """The folder of tables that replace those of the view."""
        return self.folder / "next"

    @property
    def replaced(self) -> Path:
        """The folder of tables that were replaced."""
        return self.folder / "old"

    @property
    def started(self) -> Path:
        """The folder of files that name the partitions in progress."""
        return self.folder / "started"

    @property
    def rows(self) -> Path:
        """The folder of the rows of the export, sorted into partitions."""
        return self.folder / "rows"

    @property
    def sources(self) -> Path:
        """The folder of unpacked or repaired files of the export."""
        return self.folder / "sources"


def manifest_key(number: int) -> str:
    """Return the key of the manifest of a version, such as `manifests/00000042.json`."""
    return f"{MANIFESTS}{number:08d}.json"


def number_of(manifest: str) -> int | None:
    """Return the number of a version from the key of its manifest; None if the file is something else."""
    match = _MANIFEST_KEY.fullmatch(manifest)
    return int(match[1]) if match else None


def is_own_key(key: str) -> bool:
    """Return whether polyframe writes files with such keys; files of others may be in a bucket too."""
    return _OWN_KEYS.fullmatch(key) is not None


def shard_key(name: str) -> str:
    """Return the key of a shard of manifests."""
    return f"{SHARDS}{name}.json"


def part_key(table: str, partition: str, identity: PartIdentity) -> str:
    """Return the key of a part, which is another one whenever its bytes are."""
    places = f"-{identity.places}" if identity.places else ""
    return f"{PARTS}{table}/part={partition}/{identity.fingerprint}{places}.parquet"


def sums_key(run: str, number: int) -> str:
    """Return the key of sums that a worker passes to a run, which removes them at once."""
    return f"{SUMS}{run}/{number:07d}.parquet"


def part_keys(sizes: Mapping[str, int], partition: str, identity: PartIdentity) -> dict[str, str]:
    """Return the keys of the parts of some tables, by table."""
    return {table: part_key(table, partition, identity) for table in sizes}


def part_name(partition: str) -> str:
    """Return the file name of a partition's part in the view, such as `part-00000.parquet`."""
    return f"part-{partition}.parquet"


def partition_of(name: str) -> str:
    """Return the partition of a part from its file name in the view."""
    return name.removeprefix("part-").removesuffix(".parquet")
