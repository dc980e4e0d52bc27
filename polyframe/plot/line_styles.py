"""How the lines of marks and outliers look in pictures."""

from dataclasses import dataclass
from typing import Any, Final

from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

from polyframe.core.colours import ON_IMAGE, ON_WHITE, OUTLIER_ON_IMAGE, OUTLIER_ON_WHITE

#: Dashes are for outliers; further clusters take these with the same colours again.
_LINES: Final = ("solid", "dashdot", "dotted")
_DASHES: Final = (0, (4, 2))


@dataclass(frozen=True)
class Style:
    """How a line looks: arguments for a Matplotlib line."""

    color: str
    linestyle: Any


def cluster_style(label: int, *, on_image: bool) -> Style:
    """Return colour and line of a cluster; of outliers for a label below 0.

    Parameters
    ----------
    label : int
        The cluster's label. Eight have colours of their own, then the line changes.
    on_image : bool
        Whether it lies on an image or on white.
    """
    if label < 0:
        return Style(OUTLIER_ON_IMAGE if on_image else OUTLIER_ON_WHITE, _DASHES)
    colours = ON_IMAGE if on_image else ON_WHITE
    return Style(colours[label % len(colours)], _LINES[label // len(colours) % len(_LINES)])


def halo(width: float, *, on_image: bool) -> list[AbstractPathEffect]:
    """Return what lies around a line of some width (points): a dark rim on an image, nothing on white."""
    if not on_image:
        return []
    # As an effect of the line itself, so that every line is still one artist.
    return [Stroke(linewidth=width + 1.4, foreground="black", alpha=0.45), Normal()]
