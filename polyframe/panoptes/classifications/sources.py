"""The exports that a run reads: found by name, opened as one lazy frame, mended where they are malformed."""

import glob
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import polars as pl

from polyframe.core.errors import PolyframeError, UsageError, check_name, no_such_file
from polyframe.panoptes.classifications import csv_repair
from polyframe.panoptes.classifications.columns import (
    OPTIONAL,
    REQUIRED,
    MalformedError,
    check_columns,
    known_columns,
    open_csv,
    tidy,
)
from polyframe.panoptes.classifications.compression import Kind, blocks, has_skippable_start, kind_of
from polyframe.panoptes.classifications.line_endings import ends_lines_with_returns, write_with_feeds
from polyframe.panoptes.classifications.parquet_files import damaged, open_parquet

STANDARD_INPUT: Final = Path("-")
#: What messages, and the list of sources of an output directory, call a frame.
_FRAME_NAME: Final = "the frame"
#: A frame is written in row groups of so many rows, about 20 MB.
_FRAME_ROWS: Final = 5_000
_COPY_BYTES: Final = 1 << 20
_MOST_SOURCES: Final = 65_535


@dataclass(frozen=True, eq=False)
class FrameSource:
    """An export that somebody has in memory, or that Polars has yet to read.

    Attributes
    ----------
    rows : polars.LazyFrame
        The columns of an export, of any plain types.
    """

    rows: pl.LazyFrame


#: What a caller names: a path, a pattern, `-` for standard input, or a frame.
SourceLike = str | os.PathLike[str] | FrameSource
Source = Path | FrameSource


@dataclass(frozen=True)
class OpenedSources:
    """The exports of a run, opened.

    Attributes
    ----------
    rows : polars.LazyFrame
        `source` (u16: the place among the files), `row` (from 1 within its file, without the header), and the
        columns of `polyframe.panoptes.classifications.columns` as text, missing where empty; no blank lines.
    notes : tuple of str
        What is to be said out loud: which file was mended, and why.
    names : tuple of str
        The names of the files for messages.
    temporary_bytes : int
        What lies in the folder for temporary files.
    """

    rows: pl.LazyFrame
    notes: tuple[str, ...]
    names: tuple[str, ...]
    temporary_bytes: int


def find_sources(named: Sequence[SourceLike]) -> list[Source]:
    """Find the files that are named, each once.

    Parameters
    ----------
    named : sequence of str, path or FrameSource
        Files, patterns such as `exports/*.csv` (their files in name order), and `-` for standard input. What
        exists under a name is no pattern.

    Returns
    -------
    list of Path or FrameSource
        In the order in which they are named first.

    Raises
    ------
    PolyframeError
        Where a file does not exist or its name cannot be used, or a pattern matches none.
    UsageError
        Where nothing is named, or standard input twice.
    """
    if not named:
        raise UsageError("no export is named; name a CSV or Parquet file, or - for standard input")
    found = [path for name in named for path in _expand(name)]
    for path in found:
        if isinstance(path, Path):
            check_name(path)
    if found.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input (-) can be read only once; name it once")
    once = list({_identity(path): path for path in reversed(found)}.values())[::-1]
    if len(once) > _MOST_SOURCES:
        raise UsageError(f"{len(once)} files are named; at most {_MOST_SOURCES} can be read in one run")
    return sorted(once, key=found.index)


def repeats(named: Sequence[SourceLike]) -> tuple[str, ...]:
    """Return a note for each file that is named more than once, which `find_sources` takes once."""
    found = [path for name in named for path in _expand(name)]
    counts: dict[Source, int] = {}
    for path in found:
        counts[_identity(path)] = counts.get(_identity(path), 0) + 1
    first = {_identity(path): path for path in reversed(found)}
    return tuple(
        f"{_name(first[identity])}: named {count} times; read once"
        for identity, count in counts.items()
        if count > 1
    )


def open_sources(paths: Sequence[Source], work: Path) -> OpenedSources:
    """Open exports as one lazy frame.

    Parameters
    ----------
    paths : sequence of Path or FrameSource
        From `find_sources`.
    work : Path
        A folder for temporary files; made where it is needed. A second call with the same folder takes what
        the first has left there: standard input can be read only once.

    Raises
    ------
    PolyframeError
        Where a file cannot be an export; the message names it and says why.
    """
    return _open_all(paths, work, thorough=False)


def repair_sources(paths: Sequence[Source], work: Path) -> OpenedSources:
    """Open exports after Polars could not read them to the end: find those that are malformed, mend these.

    Parameters
    ----------
    paths, work
        As `open_sources` was given them.

    Raises
    ------
    PolyframeError
        Where a file has vanished, or a Parquet file is damaged.
    """
    return _open_all(paths, work, thorough=True)


def _open_all(paths: Sequence[Source], work: Path, thorough: bool) -> OpenedSources:
    if not paths:
        raise UsageError("no export is named; name a CSV or Parquet file, or - for standard input")
    frames: list[pl.LazyFrame] = []
    notes: list[str] = []
    for index, path in enumerate(paths):
        rows, note = _open(path, work, index, thorough)
        frames.append(rows.select(pl.lit(index, pl.UInt16).alias("source"), pl.all()))
        if note:
            notes.append(note)
    temporary = sum(file.stat().st_size for file in work.rglob("*") if file.is_file()) if work.exists() else 0
    return OpenedSources(_one_after_another(frames), tuple(notes), tuple(map(_name, paths)), temporary)


def _one_after_another(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    if len(frames) == 1:
        return frames[0]
    # Where the order of rows does not matter, as under a group_by, Polars reads all files at once and takes
    # 300 MB for each. A function that it cannot look into keeps the order, and so one file at a time.
    return pl.concat(frames).map_batches(_as_it_is, streamable=True, validate_output_schema=False)


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _open(path: Source, work: Path, index: int, thorough: bool) -> tuple[pl.LazyFrame, str | None]:
    """Open one source; return its rows, and a note where it was mended."""
    name = _name(path)
    if isinstance(path, FrameSource):
        file = _written(path, work / f"frame-{index}.parquet")
    else:
        file = _spooled(path, work / f"spooled-{index}")
    kind = kind_of(file, name)
    if kind == "parquet":
        rows = open_parquet(file, name, work / f"split-{index}.parquet")
        if thorough:
            try:
                _read_all(rows)
            except (pl.exceptions.PolarsError, OSError) as error:
                raise damaged(file, name, error) from None
        return rows, None
    if ends_lines_with_returns(file, kind):
        file, kind = write_with_feeds(file, kind, work / f"lines-{index}.csv", name), "csv"
    mended = work / f"mended-{index}"
    try:
        if mended.exists():
            raise MalformedError(name)
        unpacked, unpacked_kind = _known_to_polars(file, kind, work / f"unpacked-{index}.csv")
        rows = open_csv(unpacked, unpacked_kind, name)
        if not csv_repair.is_well_formed(file, kind):
            raise MalformedError(name)
        if thorough:
            _read_all(rows)
        return rows, None
    except csv_repair.NonsenseError:
        raise _nonsense(name) from None
    except (MalformedError, pl.exceptions.PolarsError):
        pass
    except OSError as error:
        # Without a number it is no fault of the disk but a packed file that Polars cannot unpack.
        if error.errno is not None:
            raise PolyframeError(f"{name}: cannot be read ({error.strerror})") from None
    kind_of(file, name)  # It may have vanished, which is no reason to mend it.
    try:
        rows, note = _mend(file, kind, mended)
    except csv_repair.NonsenseError:
        raise _nonsense(name) from None
    return rows, f"{name}: {note}"


def _nonsense(name: str) -> PolyframeError:
    return PolyframeError(
        f"{name}: has more than {csv_repair.MOST_NONSENSE_ROWS:,} lines that are too short to be rows of an "
        "export; download it again"
    )


def _mend(file: Path, kind: Kind, folder: Path) -> tuple[pl.LazyFrame, str]:
    note_file = folder / "note.txt"
    if note_file.exists():
        # Mended at an earlier opening.
        lazy, note = csv_repair.open_repaired(folder), note_file.read_text(encoding="utf-8")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        note = csv_repair.repair_csv(file, kind, folder, [*REQUIRED, *OPTIONAL])
        lazy = csv_repair.open_repaired(folder)
        note_file.write_text(note, encoding="utf-8", newline="\n")
    return tidy(lazy, lazy.collect_schema().names()), note


def _read_all(rows: pl.LazyFrame) -> None:
    """Read every cell, to see whether Polars can."""
    rows.select(pl.all().count()).collect(engine="streaming")


def _known_to_polars(file: Path, kind: Kind, unpacked: Path) -> tuple[Path, Kind]:
    """Return a file and its kind that Polars can read; unpack what it cannot."""
    if kind != "zstd" or not has_skippable_start(file):
        return file, kind
    damage: list[str] = []
    if not unpacked.exists():
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        with unpacked.open("wb") as target:
            target.writelines(blocks(file, kind, damage))
    return unpacked, "csv"


def _spooled(path: Path, copy: Path) -> Path:
    """Return a file that can be read more than once; what comes through a pipe is copied."""
    if path != STANDARD_INPUT and (not path.exists() or path.is_file() or path.is_dir()):
        return path
    if copy.exists():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    with unfinished.open("wb") as target:
        if path == STANDARD_INPUT:
            _copy_standard_input(target)
        else:
            with path.open("rb") as source:
                shutil.copyfileobj(source, target, _COPY_BYTES)
    return unfinished.replace(copy)


def _copy_standard_input(target: IO[bytes]) -> None:
    if sys.stdin is None:
        raise PolyframeError("standard input: is closed; name a file, or send the export through a pipe")
    # In a notebook or a test, what stands there may hold text only.
    source = getattr(sys.stdin, "buffer", None)
    if source is None:
        raise PolyframeError("standard input: holds no bytes here; name a file")
    while True:
        try:
            block = source.read(_COPY_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise PolyframeError(f"standard input: cannot be read ({reason}); name a file") from None
        if not block:
            return
        target.write(block)


def _written(given: FrameSource, copy: Path) -> Path:
    """Write the columns of an export that a frame has, as somebody might have stored them."""
    if copy.exists():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    try:
        schema = given.rows.collect_schema()
        check_columns(schema.names(), _FRAME_NAME, "a frame")
        known = list(known_columns(schema).values())
        # Parquet has no place for Python's objects.
        for column in known:
            if schema[column] == pl.Object:
                raise PolyframeError(f"{_FRAME_NAME}: column {column} holds Object; expected text")
        given.rows.select(known).sink_parquet(unfinished, compression="lz4", row_group_size=_FRAME_ROWS)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PolyframeError(
            f"{_FRAME_NAME}: cannot be computed: {next(iter(str(error).splitlines()), 'no reason is known')}"
        ) from None
    return unfinished.replace(copy)


def _name(path: Source) -> str:
    if isinstance(path, FrameSource):
        return _FRAME_NAME
    return "standard input" if path == STANDARD_INPUT else str(path)


def _identity(path: Source) -> Source:
    return path if isinstance(path, FrameSource) or path == STANDARD_INPUT else path.resolve()


def _expand(named: SourceLike) -> Sequence[Source]:
    if isinstance(named, FrameSource):
        return [named]
    path = Path(named)
    if path == STANDARD_INPUT or path.exists():
        return [path]
    pattern = os.fspath(named)
    if not glob.has_magic(pattern):
        raise PolyframeError(no_such_file(named))
    # As a shell does it: absolute patterns too, and no hidden files, both unlike Path.glob.
    entries = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207
    found = sorted(entry for entry in entries if entry.is_file())
    if not found:
        raise PolyframeError(f"{named}: matches no file; check the pattern, relative to {Path.cwd()}")
    return found
