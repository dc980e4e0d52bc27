"""Choose colours and line styles of marks and outliers."""

from dataclasses import dataclass
from typing import Any, Final

from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

from polyframe.core.colours import MAJORITY_RIM, ON_IMAGE, ON_WHITE, OUTLIER_ON_IMAGE, OUTLIER_ON_WHITE

#: Clusters after the eighth repeat the colours with the next style. Outliers are dashed.
_LINES: Final = ("solid", "dashdot", "dotted")
_DASHES: Final = (0, (4, 2))


@dataclass(frozen=True)
class LineStyle:
    """Arguments of a Matplotlib line."""

    color: str
    linestyle: Any


def cluster_style(label: int, *, on_image: bool) -> LineStyle:
    """Return colour and style of a cluster, or of outliers for a negative label.

    Parameters
    ----------
    label : int
        The label of the cluster.
    on_image : bool
        Whether the background is an image or white.
    """
    if label < 0:
        return LineStyle(OUTLIER_ON_IMAGE if on_image else OUTLIER_ON_WHITE, _DASHES)
    colours = ON_IMAGE if on_image else ON_WHITE
    return LineStyle(colours[label % len(colours)], _LINES[label // len(colours) % len(_LINES)])


def halo(width: float, *, on_image: bool) -> list[AbstractPathEffect]:
    """Return the effect around a line of a width in points: a dark rim on an image, nothing on white."""
    if not on_image:
        return []
    # An effect of the line, so that every line is still one artist.
    return [Stroke(linewidth=width + 1.4, foreground="black", alpha=0.45), Normal()]


def majority_rim(width: float) -> list[AbstractPathEffect]:
    """Return the effect around the outline of a majority of a width in points: a rim on every background."""
    return [Stroke(linewidth=width + 1.3, foreground=MAJORITY_RIM), Normal()]
