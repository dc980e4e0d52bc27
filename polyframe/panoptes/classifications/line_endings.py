"""Files whose lines end with a carriage return alone, as old spreadsheets for the Mac wrote them."""

from collections.abc import Iterator
from pathlib import Path

from polyframe.core.errors import PolyframeError
from polyframe.panoptes.classifications.compression import Kind, blocks

_RETURN, _FEED = b"\r", b"\n"


def ends_lines_with_returns(path: Path, kind: Kind) -> bool:
    """Tell whether the first line of a file ends with a carriage return that no line feed follows.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"csv", "gzip", "zstd"}
        How it is packed.
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
    """Copy a file, unpacked, with a line feed for each carriage return and what belongs to it.

    Parameters
    ----------
    path, kind
        As for `ends_lines_with_returns`.
    copy : Path
        Where the copy goes; its folder is made. A copy that is there is taken as it is.
    name : str
        What the file is called in messages.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    PolyframeError
        Where the file is packed and damaged.
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
