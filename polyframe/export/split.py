"""Split subjects into training and validation, so that all images of a subject are on the same side."""

import hashlib
import typing
from typing import Final, Literal

Side = Literal["train", "val"]
SIDES: Final[tuple[Side, ...]] = typing.get_args(Side)


def side_of(subject_id: int, val_share: float, seed: int) -> Side:
    """Return the side of a subject.

    It depends on nothing but the arguments: neither other subjects nor later classifications move a subject
    to the other side, and a larger share moves subjects only from training to validation.

    Parameters
    ----------
    subject_id : int
    val_share : float
        The probability that a subject is used for validation, from 0 to 1.
    seed : int
        Another seed gives another split.
    """
    digest = hashlib.sha256(f"{seed}:{subject_id}".encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") < val_share * 2**64 else "train"
