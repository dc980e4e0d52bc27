"""An output directory that is read: partition by partition, all of it as one run left it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyframe.core.errors import PolyframeError
from polyframe.core.forks import use_polars
from polyframe.store import commit
from polyframe.store.dataset import WORK, part_paths
from polyframe.store.manifest import MANIFEST, Manifest, read_manifest
from polyframe.store.parts import read_parts
from polyframe.store.stages import stage_of


@dataclass(frozen=True)
class Opened:
    """An output directory whose tables are read.

    Attributes
    ----------
    path : Path
        The directory.
    manifest : Manifest
        How it was made.
    """

    path: Path
    manifest: Manifest

    def holds(self, table: str) -> bool:
        """Tell whether a table is there."""
        return stage_of(table) in self.manifest.stages

    def partitions(self, **columns: list[str] | None) -> Iterator[dict[str, pl.DataFrame]]:
        """Read some tables, one partition after another; a subject is never in two of them.

        Parameters
        ----------
        **columns
            Tables by name, each with the columns to read; None for all.

        Raises
        ------
        PolyframeError
            Where a table is not there, or a part of it is damaged.
        """
        for table in columns:
            if not self.holds(table):
                raise PolyframeError(
                    f"{self.path}: holds no table {table!r}; make it with `polyframe {stage_of(table)} "
                    f"{self.path}`"
                )
        parts = {table: part_paths(self.path, table, self.manifest) for table in columns}
        for paths in zip(*parts.values(), strict=True):
            yield {
                table: _read(path, wanted)
                for path, (table, wanted) in zip(paths, columns.items(), strict=True)
            }


@contextlib.contextmanager
def opened(path: Path, doing: str = "export") -> Iterator[Opened]:
    """Open an output directory; what was read of it while a run replaced its tables is not to be used.

    Parameters
    ----------
    path : Path
        The directory.
    doing : str
        What is done with it, for the message.

    Raises
    ------
    PolyframeError
        If it is not a polyframe output directory, or changed meanwhile.
    """
    use_polars()
    before = _state(path)
    decided = commit.decided(path / WORK)
    manifest = decided or read_manifest(path)
    try:
        yield Opened(path, manifest)
    finally:
        # Also where a part was missing: then this is why.
        if _state(path) != before:
            raise PolyframeError(f"{path}: a run changed it during the {doing}; {doing} it again")


def _state(path: Path) -> tuple[bytes, bytes]:
    def content(file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError:
            return b""

    return content(path / MANIFEST), content(path / WORK / commit.DECIDED)


def _read(path: Path, columns: list[str] | None) -> pl.DataFrame:
    if columns is None:
        return read_parts([path])
    try:
        return pl.read_parquet(path, columns=columns, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        return read_parts([path]).select(columns)
