"""How much was drawn: one measure of the work, by which the engine is chosen."""

from typing import Final

import msgspec


class DrawingSizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of drawings, in bytes of their JSON.

    Attributes
    ----------
    total : int
        Of all drawings.
    largest_subject : int
        Of the subject with the most.
    """

    total: int = 0
    largest_subject: int = 0


UNKNOWN_SIZES: Final = DrawingSizes()
