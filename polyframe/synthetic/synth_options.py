"""What a synthetic export holds: names, defaults, ranges and help texts, in one place."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from polyframe.core.errors import UsageError, short_repr

RowOrder = Literal["time", "subject"]


def _option(default: Any, text: str, least: float | None = None, most: float | None = None) -> Any:
    metadata = {"help": text, "least": least, "most": most, "choices": ()}
    return field(default=default, metadata=metadata)


def _order(default: RowOrder, text: str) -> Any:
    choices = ("time", "subject")
    return field(default=default, metadata={"help": text, "least": None, "most": None, "choices": choices})


@dataclass(frozen=True)
class SynthOptions:
    """What a synthetic export holds; see the help text, least and most of each field.

    Fractions are chances, so a small export may hold fewer or more. The content of a subject depends on all
    options but `subjects` and `order`: more subjects extend an export and change none of its rows.

    Raises
    ------
    UsageError
        Where a value is out of its range; the message names the option, the value and the range.
    """

    subjects: int = _option(12, "how many subjects", 0, 1_000_000_000)
    volunteers: int = _option(8, "how many volunteers classify each subject", 1, 10_000)
    seed: int = _option(1, "where all chance comes from; same seed, same bytes", 0, 2**63 - 1)
    objects: int = _option(3, "the most objects in one image", 1, 12)
    vertices: int = _option(
        250,
        "about how many vertices a freehand mark has; from 600 on many outlines cross themselves",
        12,
        3_000,
    )
    scribblers: float = _option(0.08, "fraction of the volunteers who always scribble", 0, 1)
    repeats: float = _option(0.06, "fraction of the volunteers who classify a subject again", 0, 1)
    empty: float = _option(0.05, "fraction of the classifications that draw nothing", 0, 1)
    slips: float = _option(
        0.0, "fraction of the freehand marks that are an accidental click of two points", 0, 1
    )
    close_pairs: float = _option(0.25, "fraction of the subjects with two objects side by side", 0, 1)
    polygon_share: float = _option(
        0.3, "fraction of the objects that are angular, for the polygon tool", 0, 1
    )
    old_share: float = _option(
        0.2, "fraction of the classifications from the older workflow version, in the 1.x form", 0, 1
    )
    bezier_share: float = _option(0.5, "fraction of the older classifications that use the Bezier tool", 0, 1)
    frames: int = _option(2, "images per subject; 2 gives every third subject a second one", 1, 2)
    pool: int = _option(
        0, "how many volunteers the project has; 0 means three for each place at a subject", 0, 100_000
    )
    first_subject: int = _option(1_000_001, "the id of the first subject", 0, 2**53)
    workflow_id: int = _option(4321, "the id of the workflow", 0, 2**53)
    order: RowOrder = _order("time", "rows as they came in, subjects interleaved, or subject after subject")

    def __post_init__(self) -> None:
        """Check every value."""
        for f in dataclasses.fields(self):
            value, least, most = getattr(self, f.name), f.metadata["least"], f.metadata["most"]
            if f.metadata["choices"]:
                if not isinstance(value, str) or value not in f.metadata["choices"]:
                    raise UsageError(
                        f"{f.name}: {short_repr(value)} is not one of {', '.join(f.metadata['choices'])}"
                    )
                continue
            right_type = isinstance(value, int if f.type is int else (int, float))
            if isinstance(value, bool) or not right_type or not least <= value <= most:
                noun = "a whole number" if f.type is int else "a fraction"
                raise UsageError(f"{f.name}: {short_repr(value)} is not {noun} from {least} to {most}")
        if 0 < self.pool < self.volunteers:
            raise UsageError(f"pool: {self.pool} is less than volunteers ({self.volunteers})")

    @property
    def pool_size(self) -> int:
        """How many volunteers the project has."""
        return self.pool or 3 * self.volunteers
