"""Collect the outlines of an expert while a file is read, as the file names them."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from polyframe.core.arrays import Floats
from polyframe.core.reasons import LARGEST_COORDINATE
from polyframe.geometry.regions import Regions, Rings, regions_from_rings

_LARGEST_ID: Final = 2**63 - 1
_LARGEST_FRAME: Final = 2**31 - 1


@dataclass(frozen=True)
class NamedOutlines:
    """The outlines of an expert as a file names them; n outlines.

    Attributes
    ----------
    keys : polars.DataFrame, height n
        `subject_id, frame, tool`; a missing tool is not named.
    regions : Regions
        Of length n.
    images : polars.DataFrame
        `subject_id, frame`: what the expert looked at; a missing frame means all images of a subject.
    tools : frozenset of str or None
        The tools that the expert used; None if all of them.
    """

    keys: pl.DataFrame
    regions: Regions
    images: pl.DataFrame
    tools: frozenset[str] | None


@dataclass
class OutlineList:
    """Outlines in the order of a file; call `finish` at the end.

    Attributes
    ----------
    keys : list of (int, int, str or None)
        Subject, frame and tool of each outline.
    points : list of (k, 2) float64
        The rings, with the number of their outline, the number of their part, and whether they are a hole in
        `places`.
    """

    keys: list[tuple[int, int, str | None]] = field(default_factory=list)
    points: list[Floats] = field(default_factory=list)
    places: list[tuple[int, int, bool]] = field(default_factory=list)
    images: set[tuple[int, int]] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)

    def add(self, key: tuple[int, int, str | None], parts: list[list[Floats]]) -> None:
        """Add an outline: the rings of each part, the shell first."""
        number = len(self.keys)
        self.keys.append(key)
        for part, rings in enumerate(parts):
            self.points += rings
            self.places += [(number, part, k > 0) for k in range(len(rings))]

    def finish(self) -> NamedOutlines:
        """Return the outlines with their regions."""
        places = np.array(self.places, dtype=np.int64).reshape(-1, 3)
        rings = Rings(self.points, places[:, 0], places[:, 1], places[:, 2] > 0)
        schema = {"subject_id": pl.Int64, "frame": pl.Int32, "tool": pl.String}
        images = {name: schema[name] for name in ("subject_id", "frame")}
        return NamedOutlines(
            pl.DataFrame(self.keys, schema, orient="row"),
            regions_from_rings(rings, len(self.keys)),
            pl.DataFrame(sorted(self.images), images, orient="row"),
            frozenset(self.tools) or None,
        )


def ring_of(points: Any) -> Floats | None:
    """Return the points of a ring, of which a third coordinate is dropped; None if they are not numbers."""
    try:
        ring = np.array(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if ring.ndim != 2 or ring.shape[1] < 2:
        return None
    ring = ring[:, :2]
    return ring if np.all(np.abs(ring) <= LARGEST_COORDINATE) else None


def number_of(value: Any, *, is_frame: bool = False) -> int | None:
    """Return a subject or a frame as an integer; None if it is neither an integer nor text that is one."""
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 20 else None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    least, largest = (0, _LARGEST_FRAME) if is_frame else (-_LARGEST_ID, _LARGEST_ID)
    return value if least <= value <= largest else None
