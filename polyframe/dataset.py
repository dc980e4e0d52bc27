"""The output directory: Parquet part files, the manifest beside them, and how both are replaced.

Layout of an output directory::

    OUT/polyframe.json                 the manifest: version, settings, accounting; tells that OUT is ours
    OUT/<table>/part-00000.parquet     the tables; parts in name order are sorted by the table's keys
    OUT/.polyframe-work/               temporary files of a run, removed at its end

A run writes its parts below the work directory and moves whole tables into place at the end, so that a run
that fails leaves what was there before.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from polyframe._errors import PolyframeError, UsageError
from polyframe.settings import nearest
from polyframe.tables import SCHEMA_VERSION, TABLES, Table

MANIFEST: Final = "polyframe.json"
WORK: Final = ".polyframe-work"

_MANIFEST_KEYS: Final = ("source", "versions", "extraction", "stages", "settings", "accounting")

#: GeoParquet 1.1: planar image pixels, hence no coordinate reference system.
_GEO: Final = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": None}},
}


def part_name(index: int) -> str:
    """Return the file name of a part, such as `part-00000.parquet`."""
    return f"part-{index:05d}.parquet"


def part_paths(output: Path, table: str) -> list[Path]:
    """Return the part files of a table in order; empty where there is no such table."""
    return sorted((output / table).glob("part-*.parquet"))


def scan(output: str | os.PathLike[str], table: str) -> pl.LazyFrame:
    """Open a table of an output directory.

    Parameters
    ----------
    output : path
        What a run wrote.
    table : str
        One of `polyframe.tables.TABLES`, such as `"contours"`.

    Returns
    -------
    polars.LazyFrame
        Sorted by the table's keys; geometries as WKB.

    Raises
    ------
    UsageError
        Where there is no table of that name.
    PolyframeError
        Where the directory does not hold the table.
    """
    return pl.scan_parquet(_existing_parts(Path(output), table), glob=False)


def read_table(output: Path, table: str) -> pl.DataFrame:
    """Read a table of an output directory.

    Raises
    ------
    UsageError, PolyframeError
        As from `scan`, and where a part is damaged.
    """
    return read_parts(_existing_parts(output, table))


def _existing_parts(output: Path, table: str) -> list[Path]:
    if table not in TABLES:
        raise UsageError(f"no table {table!r}{nearest(table, TABLES)}")
    paths = part_paths(output, table)
    if not paths:
        raise PolyframeError(
            f"{output}: holds no table {table!r}; make it with `polyframe run ... -o {output}`"
        )
    return paths


def read_parts(paths: Sequence[Path]) -> pl.DataFrame:
    """Read Parquet files into one frame.

    Raises
    ------
    PolyframeError
        Where one of them is missing or damaged.
    """
    try:
        return pl.read_parquet(list(paths), glob=False)
    except (pl.exceptions.PolarsError, FileNotFoundError):
        damaged = next((path for path in paths if not _is_whole(path)), paths[0])
        raise PolyframeError(f"{damaged}: is missing or damaged; run `polyframe run` again") from None


def _is_whole(path: Path) -> bool:
    try:
        pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, FileNotFoundError):
        return False
    return True


def write_part(frame: pl.DataFrame, path: Path, table: Table, settings: Mapping[str, Any]) -> None:
    """Write one part file, whole or not at all.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows of the table, in any order.
    path : Path
        Where to; its folder is made.
    table : Table
        Gives columns, types and order.
    settings : mapping
        JSON values that go into the footer.
    """
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    # Not Polars' own writer: readers of whole folders look for the metadata in the Arrow schema.
    arrow = table.conform(frame).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    pq.write_table(arrow.replace_schema_metadata(_footer(table, settings)), temporary, compression="zstd")
    _replace_durably(temporary, path)


def _footer(table: Table, settings: Mapping[str, Any]) -> dict[str, str]:
    from polyframe import __version__

    footer = {
        "polyframe": json.dumps(
            {
                "table": table.name,
                "schema_version": SCHEMA_VERSION,
                "polyframe_version": __version__,
                "settings": dict(settings),
            }
        )
    }
    if table.geometry:
        footer["geo"] = json.dumps(_GEO)
    return footer


def write_manifest(output: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of an output directory, whole or not at all."""
    temporary = output / f".{MANIFEST}.tmp"
    temporary.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _replace_durably(temporary, output / MANIFEST)


def read_manifest(output: Path) -> dict[str, Any]:
    """Read the manifest of an output directory.

    Raises
    ------
    PolyframeError
        Where the directory is missing, was not made by polyframe, or its manifest cannot be read.
    """
    if not output.exists():
        raise PolyframeError(f"{output}: no such directory; make it with `polyframe extract ... -o {output}`")
    path = output / MANIFEST
    if not path.is_file():
        raise PolyframeError(f"{output}: no output of polyframe ({MANIFEST} is missing)")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PolyframeError(f"{path}: cannot be read ({error}); run `polyframe run` again") from None
    if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
        raise PolyframeError(f"{path}: made by another version of polyframe; use a new output directory")
    missing = [key for key in _MANIFEST_KEYS if key not in manifest]
    if missing:
        raise PolyframeError(f"{path}: lacks {missing[0]!r}; run `polyframe run` again")
    return manifest


def check_output(output: Path) -> None:
    """Check that an output directory is new, empty or ours.

    Raises
    ------
    PolyframeError
        Where it is a file, or holds something that polyframe did not write.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise PolyframeError(f"{output}: is a file; expected a directory to write the tables into")
    if (output / MANIFEST).is_file():
        return
    strangers = sorted(entry.name for entry in output.iterdir() if entry.name != WORK)
    if strangers:
        raise PolyframeError(
            f"{output}: already holds something else ({strangers[0]}); name a new or empty directory"
        )


@contextlib.contextmanager
def work_directory(output: Path) -> Iterator[Path]:
    """Make the work directory below an output directory; remove it at the end, also after a failure."""
    work = output / WORK
    made_output = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
    except OSError as error:
        raise PolyframeError(
            f"{output}: cannot be written ({error.strerror}); name another directory"
        ) from None
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made_output:
            with contextlib.suppress(OSError):
                output.rmdir()


def replace_tables(output: Path, made: Path, manifest: Mapping[str, Any], drop: Iterable[str] = ()) -> None:
    """Move finished tables into an output directory and remove those that no longer fit.

    Parameters
    ----------
    output : Path
        The output directory.
    made : Path
        A folder on the same file system with one folder for each finished table.
    manifest : mapping
        What is written as the new manifest, last.
    drop : iterable of str
        Tables that rest on the replaced ones and go away.
    """
    old = made.with_name("old")
    old.mkdir()
    # In the order of TABLES, so that what is made from a table never outlives it.
    for name in reversed([name for name in TABLES if name in set(drop) or (made / name).exists()]):
        if (output / name).exists():
            (output / name).rename(old / name)
    for name in TABLES:
        if (made / name).exists():
            (made / name).rename(output / name)
    write_manifest(output, manifest)


def _replace_durably(temporary: Path, path: Path) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
