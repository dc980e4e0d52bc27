"""Find the files of an export, open them as one lazy frame, and repair malformed ones."""

import glob
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.addresses import Address
from polyframe.core.callbacks import NO_PROGRESS, Advance, DetailedProgress, Say
from polyframe.core.errors import PolyframeError, UsageError, check_name, no_such_file
from polyframe.panoptes.classifications import csv_repair
from polyframe.panoptes.classifications.columns import (
    OPTIONAL,
    REQUIRED,
    MalformedError,
    check_columns,
    known_columns,
    open_csv,
    select_known_columns,
)
from polyframe.panoptes.classifications.compression import Kind, blocks, file_kind, has_skippable_start
from polyframe.panoptes.classifications.line_endings import ends_lines_with_returns, write_with_feeds
from polyframe.panoptes.classifications.parquet_files import damaged, open_parquet
from polyframe.panoptes.classifications.spooled_files import (
    STANDARD_INPUT,
    download_files,
    regular_file,
    spooled_file,
)

#: The name of a frame in messages and in the sources of an output directory.
_FRAME_NAME: Final = "the frame"
#: Rows in a row group of a frame that is written to a file, about 20 MB.
_FRAME_ROWS: Final = 5_000
_MOST_SOURCES: Final = 65_535


@dataclass(frozen=True, eq=False)
class FrameSource:
    """An export in memory, or one that Polars has yet to read.

    Attributes
    ----------
    rows : polars.LazyFrame
        The columns of an export, of any plain types.
    """

    rows: pl.LazyFrame


#: An input: a path, a pattern, `-` for standard input, a file at an address, or a frame.
SourceLike = str | os.PathLike[str] | Address | FrameSource
Source = Path | Address | FrameSource


@dataclass(frozen=True)
class OpenedSources:
    """The opened files of an export.

    Attributes
    ----------
    rows : polars.LazyFrame
        `source` (u16: index of the file), `row` (from 1 within its file, without the header), and the
        columns of `columns.REQUIRED` and `columns.OPTIONAL` as text, null if empty; no blank lines.
    notes : tuple of str
        Which files were repaired and why, to show to the user.
    names : tuple of str
        The names of the files in messages.
    temporary_bytes : int
        Size of the temporary files.
    count : int
        How many rows there are, with blank lines; 0 if that is not known.
    """

    rows: pl.LazyFrame
    notes: tuple[str, ...]
    names: tuple[str, ...]
    temporary_bytes: int
    count: int


@dataclass(frozen=True)
class OpenedSource:
    """One opened file of an export.

    Attributes
    ----------
    rows : polars.LazyFrame
        See `OpenedSources`, without `source`.
    note : str or None
        What was wrong with a CSV file that was repaired.
    count : int or None
        As in `OpenedSources`; None if that is not known.
    """

    rows: pl.LazyFrame
    note: str | None = None
    count: int | None = None


def find_sources(inputs: Sequence[SourceLike]) -> list[Source]:
    """Return the files of some inputs, each once.

    Parameters
    ----------
    inputs : sequence of str, path, Address or FrameSource
        Files, patterns such as `exports/*.csv` (their files in name order), and `-` for standard input. The
        name of an existing file is not a pattern. An address is that of a file, see
        `polyframe.core.remote_files.find_remote_files`.

    Returns
    -------
    list of Path, Address or FrameSource
        In the order of their first occurrence.

    Raises
    ------
    PolyframeError
        If a file does not exist or its name cannot be used, or a pattern matches none.
    UsageError
        If there are no inputs, or standard input occurs twice.
    """
    if not inputs:
        raise UsageError("no export given; name a CSV or Parquet file, or - for standard input")
    paths = [path for name in inputs for path in _expand(name)]
    for path in paths:
        if isinstance(path, Path):
            check_name(path)
    if paths.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) can be read only once; give it once")
    once = list({_identity(path): path for path in reversed(paths)}.values())[::-1]
    if len(once) > _MOST_SOURCES:
        raise UsageError(f"{len(once)} files given; at most {_MOST_SOURCES} can be read in one run")
    return sorted(once, key=paths.index)


def source_names(paths: Sequence[Source]) -> tuple[str, ...]:
    """Return the names of sources for messages; those of links that differ only in secrets get numbers."""
    names: list[str] = []
    for path in paths:
        name, number = _name(path), 1
        while name in names:
            number += 1
            name = f"{_name(path)} ({number})"
        names.append(name)
    return tuple(names)


def repeats(inputs: Sequence[SourceLike]) -> tuple[str, ...]:
    """Return a note for each file that is given more than once, which `find_sources` returns once."""
    paths = [path for name in inputs for path in _expand(name)]
    counts: dict[Source, int] = {}
    for path in paths:
        counts[_identity(path)] = counts.get(_identity(path), 0) + 1
    first = {_identity(path): path for path in reversed(paths)}
    return tuple(
        f"{_name(first[identity])}: given {count} times; read once"
        for identity, count in counts.items()
        if count > 1
    )


def open_sources(
    paths: Sequence[Source],
    work: Path,
    say: Say = lambda _: None,
    progress: DetailedProgress = NO_PROGRESS,
) -> OpenedSources:
    """Open exports as one lazy frame.

    Parameters
    ----------
    paths : sequence of Path, Address or FrameSource
        From `find_sources`. Files at addresses are downloaded.
    work : Path
        A folder for temporary files, created if needed. A second call with the same folder reuses them, since
        standard input can be read only once.
    say : callable
        Receives notes on what is downloaded.
    progress : DetailedProgress
        Receives how many bytes are read.

    Raises
    ------
    PolyframeError
        If a file cannot be an export; the message names the file and the reason.
    """
    return _open_all(paths, work, say, progress, thorough=False)


def repair_sources(
    paths: Sequence[Source], work: Path, progress: DetailedProgress = NO_PROGRESS
) -> OpenedSources:
    """Open exports that Polars could not read to the end: find and repair the malformed ones.

    Parameters
    ----------
    paths, work, progress
        As for `open_sources`.

    Raises
    ------
    PolyframeError
        If a file has disappeared, or a Parquet file is damaged.
    """
    return _open_all(paths, work, lambda _: None, progress, thorough=True)


def _open_all(
    paths: Sequence[Source], work: Path, say: Say, progress: DetailedProgress, thorough: bool
) -> OpenedSources:
    if not paths:
        raise UsageError("no export given; name a CSV or Parquet file, or - for standard input")
    names = source_names(paths)
    download_files(paths, names, work, say, progress)
    sizes = [_size(path, work, index, progress) for index, path in enumerate(paths)]
    opened: list[OpenedSource] = []
    begins = True
    for index, path in enumerate(paths):
        if begins:
            progress.begin("reading the export", sum(sizes[index:]), "bytes")
        opened.append(open_source(path, names[index], work, index, thorough, progress=progress))
        # The repair of a file is a step of its own.
        begins = opened[-1].note is not None
    temporary = sum(file.stat().st_size for file in work.rglob("*") if file.is_file()) if work.exists() else 0
    frames = [
        source.rows.select(pl.lit(index, pl.UInt16).alias("source"), pl.all())
        for index, source in enumerate(opened)
    ]
    counts = [source.count for source in opened]
    return OpenedSources(
        one_after_another(frames),
        tuple(source.note for source in opened if source.note),
        names,
        temporary,
        sum(count or 0 for count in counts) if None not in counts else 0,
    )


def _size(path: Source, work: Path, index: int, progress: DetailedProgress) -> int:
    """Return how many bytes are read to open a source; a pipe is copied first."""
    if isinstance(path, FrameSource):
        return 0
    file = regular_file(path, spooled_file(work, index), progress)
    return file.stat().st_size if file.is_file() else 0


def counting(rows: pl.LazyFrame, advance: Advance) -> pl.LazyFrame:
    """Return the same rows, and pass on how many of them are read while that happens."""

    def count(numbers: pl.Series) -> pl.Series:
        advance(len(numbers))
        return numbers

    # An expression, not a function of frames, so that Polars still runs it beside others.
    return rows.with_columns(pl.col("row").map_batches(count, return_dtype=pl.UInt32, is_elementwise=True))


def one_after_another(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Concatenate the rows of files, of which only one is read at a time."""
    if len(frames) == 1:
        return frames[0]
    # If the order of rows does not matter, as for a group_by, Polars reads all files at once and needs 300 MB
    # for each. A Python function preserves the order, so that one file is read at a time.
    return pl.concat(frames).map_batches(_identical, streamable=True, validate_output_schema=False)


def _identical(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def open_source(
    path: Source,
    name: str,
    work: Path,
    index: int,
    thorough: bool = False,
    well_formed: bool | None = None,
    progress: DetailedProgress = NO_PROGRESS,
) -> OpenedSource:
    """Open one source.

    Parameters
    ----------
    path : Path, Address or FrameSource
        A file at an address is in `work` already, see `spooled_files.download_files`.
    name : str
        Its name in messages.
    work : Path
        A folder for temporary files.
    index : int
        Distinguishes the temporary files of the source.
    thorough : bool
        Read all of it, to find out whether Polars can.
    well_formed : bool, optional
        Whether a CSV file is well formed; None if that is to be found out.
    progress : DetailedProgress
        Receives how many bytes are read.

    Raises
    ------
    PolyframeError
        If the file cannot be an export; the message names the file and the reason.
    """
    if isinstance(path, FrameSource):
        file = _frame_file(path, work / f"frame-{index}.parquet")
    else:
        file = regular_file(path, spooled_file(work, index))
    kind = file_kind(file, name)
    if kind == "parquet":
        rows = open_parquet(file, name, work / f"split-{index}.parquet")
        if thorough:
            try:
                _read_all(rows)
            except (pl.exceptions.PolarsError, OSError) as error:
                raise damaged(file, name, error) from None
        return OpenedSource(rows, count=pl.scan_parquet(file, glob=False).select(pl.len()).collect().item())
    if ends_lines_with_returns(file, kind):
        file, kind = write_with_feeds(file, kind, work / f"lines-{index}.csv", name), "csv"
    repaired = work / f"mended-{index}"
    try:
        if repaired.exists() or well_formed is False:
            raise MalformedError(name)
        readable, readable_kind = _readable_by_polars(file, kind, work / f"unpacked-{index}.csv")
        rows = open_csv(readable, readable_kind, name)
        count = None
        if well_formed is None:
            count = csv_repair.count_rows_if_well_formed(file, kind, progress.advance)
            if count is None:
                raise MalformedError(name)
        if thorough:
            _read_all(rows)
        return OpenedSource(rows, count=count)
    except csv_repair.TooManyUnusableRowsError:
        raise _too_many_unusable(name) from None
    except (MalformedError, pl.exceptions.PolarsError):
        pass
    except OSError as error:
        # Without an error number it is a compressed file that Polars cannot decompress, not a disk error.
        if error.errno is not None:
            raise PolyframeError(f"{name}: cannot be read ({error.strerror})") from None
    file_kind(file, name)  # It may have disappeared, which is an error.
    try:
        rows, note = _repair(file, kind, repaired, progress)
    except csv_repair.TooManyUnusableRowsError:
        raise _too_many_unusable(name) from None
    return OpenedSource(rows, f"{name}: {note}")


def _too_many_unusable(name: str) -> PolyframeError:
    return PolyframeError(
        f"{name}: has more than {csv_repair.MOST_UNUSABLE_ROWS:,} lines that are too short to be rows of an "
        "export; download it again"
    )


def _repair(file: Path, kind: Kind, folder: Path, progress: DetailedProgress) -> tuple[pl.LazyFrame, str]:
    note_file = folder / "note.txt"
    if note_file.exists():
        # Repaired when it was opened before.
        lazy, note = csv_repair.open_repaired(folder), note_file.read_text(encoding="utf-8")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        progress.begin("reading the export line by line", file.stat().st_size, "bytes")
        note = csv_repair.repair_csv(file, kind, folder, [*REQUIRED, *OPTIONAL], progress.advance)
        lazy = csv_repair.open_repaired(folder)
        note_file.write_text(note, encoding="utf-8", newline="\n")
    return select_known_columns(lazy, lazy.collect_schema().names()), note


def _read_all(rows: pl.LazyFrame) -> None:
    """Read every cell, to find out whether Polars can."""
    rows.select(pl.all().count()).collect(engine="streaming")


def _readable_by_polars(file: Path, kind: Kind, copy: Path) -> tuple[Path, Kind]:
    """Return a file that Polars can read and its kind; decompress what Polars cannot."""
    if kind != "zstd" or not has_skippable_start(file):
        return file, kind
    damage: list[str] = []
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("wb") as target:
            target.writelines(blocks(file, kind, damage))
    return copy, "csv"


def _frame_file(source: FrameSource, copy: Path) -> Path:
    """Write the export columns of a frame to a Parquet file."""
    if copy.exists():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    try:
        schema = source.rows.collect_schema()
        check_columns(schema.names(), _FRAME_NAME, "a frame")
        known = list(known_columns(schema).values())
        # Parquet cannot store Python objects.
        for column in known:
            if schema[column] == pl.Object:
                raise PolyframeError(f"{_FRAME_NAME}: column {column} has type Object; expected text")
        source.rows.select(known).sink_parquet(unfinished, compression="lz4", row_group_size=_FRAME_ROWS)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(
            f"{_FRAME_NAME}: cannot be computed: {next(iter(str(error).splitlines()), 'unknown reason')}"
        ) from None
    return unfinished.replace(copy)


def _name(path: Source) -> str:
    if isinstance(path, FrameSource):
        return _FRAME_NAME
    return "standard input" if path == STANDARD_INPUT else str(path)


def _identity(path: Source) -> Source:
    return path.resolve() if isinstance(path, Path) and path != STANDARD_INPUT else path


def _expand(source: SourceLike) -> Sequence[Source]:
    if isinstance(source, FrameSource | Address):
        return [source]
    path = Path(source)
    if path == STANDARD_INPUT or path.exists():
        return [path]
    pattern = os.fspath(source)
    if not glob.has_magic(pattern):
        raise PolyframeError(no_such_file(source))
    # Like a shell: absolute patterns are allowed, and hidden files do not match; both unlike Path.glob.
    entries = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207
    files = sorted(entry for entry in entries if entry.is_file())
    if not files:
        raise PolyframeError(f"{source}: matches no file; check the pattern, relative to {Path.cwd()}")
    return files


def rows_of_split(rows: pl.LazyFrame, source: int, rows_before: int) -> pl.LazyFrame:
    """Return rows of a part of a file with the number of the file, and numbered as in the whole file."""
    return rows.select(
        pl.lit(source, pl.UInt16).alias("source"),
        (pl.col("row") + rows_before).cast(pl.UInt32),
        pl.exclude("row"),
    )
