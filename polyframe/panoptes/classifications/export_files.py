"""Describe the files of an export so that other machines can read them, as a whole or in pieces."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from polyframe.core.addresses import Address
from polyframe.core.errors import PolyframeError
from polyframe.core.remote_readers import Content
from polyframe.panoptes.classifications.compression import START_BYTES, Kind, checked_kind, file_kind
from polyframe.panoptes.classifications.sources import Source
from polyframe.panoptes.classifications.spooled_files import STANDARD_INPUT, spooled_file, undo_encoding

_COPY_BYTES: Final = 1 << 22


@dataclass(frozen=True)
class ExportFile:
    """A file of an export.

    Attributes
    ----------
    place : Path or Address
        Its path or address.
    name : str
        Its name in messages.
    source : int
        Its number among the files of the export.
    size : int
        In bytes.
    kind : {"csv", "gzip", "zstd", "parquet"}
        Its format.
    content : Content or None
        The version of a file at an address; None for a path.
    """

    place: Path | Address
    name: str
    source: int
    size: int
    kind: Kind
    content: Content | None = None

    @property
    def is_encoded(self) -> bool:
        """Whether a web server has compressed it."""
        return self.content is not None and bool(self.content.encoding)


def describe_files(sources: Sequence[Source], names: Sequence[str]) -> list[ExportFile] | None:
    """Describe the files of an export.

    Parameters
    ----------
    sources : sequence of Path, Address or FrameSource
        See `polyframe.panoptes.classifications.sources.find_sources`.
    names : sequence of str
        Their names in messages.

    Returns
    -------
    list of ExportFile or None
        None if there are frames, pipes, or files at addresses whose sizes are not known.

    Raises
    ------
    PolyframeError
        If a file cannot be read, or cannot be an export.
    """
    looked_up = iter(_look_up([source for source in sources if isinstance(source, Address)]))
    files = []
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        if isinstance(source, Address):
            content, start = next(looked_up)
            if content.size is None:
                return None
            kind = checked_kind(start, name)
            files.append(ExportFile(source, name, number, content.size, kind, content))
        elif isinstance(source, Path) and source != STANDARD_INPUT and source.is_file():
            files.append(ExportFile(source, name, number, source.stat().st_size, file_kind(source, name)))
        else:
            return None
    return files


def why_not_shared(files: Iterable[ExportFile]) -> str | None:
    """Return why other machines cannot read some files; None if there is no reason."""
    for file in files:
        if isinstance(file.place, Address):
            if file.place.contains_secret:
                return f"do not get the link {file.name}, which contains a secret"
            if file.content is not None and not file.content.in_ranges:
                return f"cannot read pieces of {file.name}, since its server offers no ranges or no version"
    return None


def why_not_readable(files: Iterable[ExportFile]) -> str | None:
    """Return why this machine cannot read some files as another one described them; None if it can."""
    described = list(files)
    for file in described:
        try:
            check_visible(file)
        except PolyframeError:
            return f"do not see {file.name}"
    remote = [file for file in described if isinstance(file.place, Address)]
    try:
        looked_up = _look_up([file.place for file in remote if isinstance(file.place, Address)])
    except PolyframeError as error:
        return f"cannot read the export ({error})"
    for file, (content, _) in zip(remote, looked_up, strict=True):
        if content != file.content:
            return f"see another version of {file.name}"
    return None


def check_visible(file: ExportFile) -> None:
    """Check that this machine sees a file under its path; one at an address is checked when it is read.

    Raises
    ------
    PolyframeError
        If it does not, or the file has another size.
    """
    if isinstance(file.place, Address):
        return
    try:
        size = file.place.stat().st_size
    except OSError as error:
        raise _unreadable(file, error) from None
    if size != file.size:
        raise _changed(file)


def copy_piece(file: ExportFile, start: int, end: int, target: Path, header: bytes = b"") -> None:
    """Copy some bytes of a file.

    Parameters
    ----------
    file : ExportFile
    start, end : int
        The first byte, and the one after the last.
    target : Path
        The copy.
    header : bytes
        Written before them.

    Raises
    ------
    PolyframeError
        If this machine cannot read the file, or the file has changed.
    """
    with target.open("wb") as copy:
        copy.write(header)
        if isinstance(file.place, Path):
            for block in read_piece(file, start, end):
                copy.write(block)
            return
    _download(file, [(start, end)], target, start - len(header))


def copy_pieces_in_place(file: ExportFile, pieces: Sequence[tuple[int, int]], target: Path) -> None:
    """Copy pieces of a file at an address to the same places of an existing file.

    Raises
    ------
    PolyframeError
        If this machine cannot read the file, or the file has changed.
    """
    _download(file, pieces, target, 0)


def read_piece(file: ExportFile, start: int, end: int) -> Iterator[bytes]:
    """Yield some bytes of a file that is not at an address, in blocks; errors are those of `copy_piece`."""
    assert isinstance(file.place, Path)
    left = end - start
    try:
        with file.place.open("rb") as original:
            original.seek(start)
            while left and (block := original.read(min(left, _COPY_BYTES))):
                yield block
                left -= len(block)
    except OSError as error:
        raise _unreadable(file, error) from None
    if left:
        raise _changed(file)


def fetch(file: ExportFile, folder: Path) -> None:
    """Download a file at an address into a folder for temporary files, as `download_files` does.

    Of a file under a path, check that this machine sees it.

    Raises
    ------
    PolyframeError
        If this machine cannot read the file, or the file has changed.
    """
    check_visible(file)
    copy = spooled_file(folder, file.source)
    if isinstance(file.place, Path) or copy.exists():
        return
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    unfinished.touch()
    _download(file, [(0, file.size)], unfinished, 0)
    unfinished.replace(copy)
    assert file.content is not None
    undo_encoding(copy, file.content.encoding, file.name)


def _download(file: ExportFile, pieces: Sequence[tuple[int, int]], target: Path, shift: int) -> None:
    from polyframe.core.downloads import download_pieces  # late, since most runs need no network

    assert isinstance(file.place, Address)
    assert file.content is not None
    download_pieces(file.place, file.content, pieces, target, shift)


def _unreadable(file: ExportFile, error: OSError) -> PolyframeError:
    return PolyframeError(f"{file.name}: cannot be read by a worker ({error.strerror})")


def _changed(file: ExportFile) -> PolyframeError:
    return PolyframeError(f"{file.name}: changed during the run; run the command again")


def _look_up(addresses: Sequence[Address]) -> list[tuple[Content, bytes]]:
    if not addresses:
        return []
    from polyframe.core.downloads import look_up

    return look_up(addresses, START_BYTES)
