"""Colours that people with any kind of colour vision can tell apart, and lines for marks and outliers."""

from dataclasses import dataclass
from typing import Any, Final

from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

#: Colours of clusters 0, 1, ... on white. From the palettes of Okabe and Ito and of Paul Tol, so chosen that
#: the two nearest stay apart also for people who see two of the three basic colours (the tests measure it).
ON_WHITE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#332288", "#E69F00", "#882255", "#33BBEE")

#: The same on a photo, lighter: under each line lies a dark one, so that it stands out everywhere.
ON_IMAGE: Final = ("#56B4E9", "#E69F00", "#DC267F", "#C0FFEE", "#785EF0", "#EEDD88", "#FF7F50", "#FFAABB")

OUTLIER_ON_WHITE: Final = "#555555"
OUTLIER_ON_IMAGE: Final = "#FFFFFF"

#: Dashes are for outliers; further clusters take these with the same colours again.
_LINES: Final = ("solid", "dashdot", "dotted")
_DASHES: Final = (0, (4, 2))

#: Agreement from low to high: its lightness rises steadily, so that it is read in grey too.
HEAT: Final = "viridis"


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
