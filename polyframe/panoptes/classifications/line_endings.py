"""Convert files whose lines end in a carriage return alone, as old Mac spreadsheets wrote them."""

from collections.abc import Iterator
from pathlib import Path

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.compression import Kind, blocks

_RETURN, _FEED = b"\r", b"\n"


def ends_lines_with_returns(path: Path, kind: Kind) -> bool:
    """Return whether the first line of a file ends in a carriage return without a line feed.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"csv", "gzip", "zstd"}
        Its compression.
    """
    is_after_return = False
    for block in blocks(path, kind, []):
        if is_after_return:
            return not block.startswith(_FEED)
        line = block.partition(_FEED)[0]
        place = line.find(_RETURN)
        if 0 <= place < len(block) - 1:
            return block[place + 1 : place + 2] != _FEED
        if place < 0 and len(line) < len(block):
            return False
        is_after_return = place >= 0
    return is_after_return


def write_with_feeds(path: Path, kind: Kind, copy: Path, name: str) -> Path:
    """Copy a file, decompressed, with line feeds instead of carriage returns.

    Parameters
    ----------
    path, kind
        As for `ends_lines_with_returns`.
    copy : Path
        The copy; its folder is created. An existing copy is reused.
    name : str
        The name of the file in messages.

    Raises
    ------
    PolyframeError
        If the file is compressed and damaged.
    """
    damage: list[str] = []
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        with unfinished.open("wb") as target:
            target.writelines(_with_feeds(blocks(path, kind, damage)))
        if damage:
            raise PolyframeError(f"{name}: {damage[0]}; download it again")
        unfinished.replace(copy)
    return copy


def _with_feeds(pieces: Iterator[bytes]) -> Iterator[bytes]:
    is_after_return = False
    for piece in pieces:
        rest = piece[1:] if is_after_return and piece.startswith(_FEED) else piece
        is_after_return = piece.endswith(_RETURN)
        yield rest.replace(_RETURN + _FEED, _FEED).replace(_RETURN, _FEED)
