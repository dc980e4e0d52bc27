"""Copy input that is not a local file to one: standard input, other pipes, and files at addresses."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from polyframe.core.addresses import Address
from polyframe.core.callbacks import NO_PROGRESS, DetailedProgress, Say
from polyframe.core.content_encoding import check_encoding
from polyframe.core.errors import PolyframeError
from polyframe.core.notes import Information
from polyframe.core.plurals import counted
from polyframe.panoptes.classifications.compression import blocks, file_kind, kind_of_start

STANDARD_INPUT: Final = Path("-")
_COPY_BYTES: Final = 1 << 20


def spooled_file(work: Path, index: int) -> Path:
    """Return the place of the copy of the source with this index."""
    return work / f"spooled-{index}"


def download_files(
    sources: Sequence[object],
    names: Sequence[str],
    work: Path,
    say: Say,
    progress: DetailedProgress = NO_PROGRESS,
) -> None:
    """Download those sources that are addresses, unless they have been.

    Parameters
    ----------
    sources : sequence
        Addresses and others.
    names : sequence of str
        Their names in messages.
    work : Path
        The folder for the copies, see `spooled_file`; created if needed.
    say : callable
        Receives notes on what is downloaded.
    progress : DetailedProgress
        Receives that this begins.

    Raises
    ------
    PolyframeError
        See `polyframe.core.downloads.download`.
    """
    wanted = {
        spooled_file(work, index): (source, name)
        for index, (source, name) in enumerate(zip(sources, names, strict=True))
        if isinstance(source, Address) and not spooled_file(work, index).exists()
    }
    if not wanted:
        return
    from polyframe.core.downloads import download  # late, since most runs need no network

    (first, _), *others = wanted.values()
    say(Information(f"downloading {counted(len(wanted), 'file') if others else first}"))
    progress.begin("downloading the export")
    work.mkdir(parents=True, exist_ok=True)
    encodings = download([(address, path) for path, (address, _) in wanted.items()], say=say)
    for path, (_, name) in wanted.items():
        undo_encoding(path, encodings[path], name)


def undo_encoding(path: Path, encoding: str, name: str) -> None:
    """Decompress what the server compressed, unless that gives the CSV, which is read as it is."""
    check_encoding(encoding, name)
    kind = file_kind(path, name)
    if not encoding or kind == "parquet":
        return
    damage: list[str] = []
    content = blocks(path, kind, damage)
    start = next(content, b"")
    if kind == "csv" or kind_of_start(start) == "csv":
        return
    unpacked = path.with_name(f"{path.name}.unpacked")
    with unpacked.open("wb") as target:
        target.write(start)
        target.writelines(content)
    if damage:
        raise PolyframeError(f"{name}: {damage[0]}; download it again")
    unpacked.replace(path)


def regular_file(path: Path | Address, copy: Path, progress: DetailedProgress = NO_PROGRESS) -> Path:
    """Return a file that can be read more than once; a copy if the input is a pipe or an address."""
    if isinstance(path, Address):
        return copy
    if path != STANDARD_INPUT and (not path.exists() or path.is_file() or path.is_dir()):
        return path
    if copy.exists():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    name = "standard input" if path == STANDARD_INPUT else path
    progress.begin(f"copying {name}", unit="bytes")
    with unfinished.open("wb") as target:
        for block in _standard_input() if path == STANDARD_INPUT else _blocks_of(path):
            target.write(block)
            progress.advance(len(block))
    return unfinished.replace(copy)


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while block := source.read(_COPY_BYTES):
            yield block


def _standard_input() -> Iterator[bytes]:
    if sys.stdin is None:
        raise PolyframeError("standard input: is closed; name a file, or pipe the export")
    # In notebooks and tests, standard input may be a text stream without bytes.
    source = getattr(sys.stdin, "buffer", None)
    if source is None:
        raise PolyframeError("standard input: contains no bytes here; name a file")
    while True:
        try:
            block = source.read(_COPY_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise PolyframeError(f"standard input: cannot be read ({reason}); name a file") from None
        if not block:
            return
        yield block
