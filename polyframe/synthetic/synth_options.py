"""Define the options of a synthetic export: names, defaults, ranges and help texts."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from polyframe.core import setting_rules
from polyframe.core.errors import UsageError

RowOrder = Literal["time", "subject"]


def _option(default: Any, text: str, rule: setting_rules.Rule) -> Any:
    return field(default=default, metadata={"help": text, "rule": rule, "choices": rule.choices})


def _integer(default: int, text: str, least: int, most: int) -> Any:
    return _option(default, text, setting_rules.integer(least, most))


def _fraction(default: float, text: str) -> Any:
    return _option(default, f"fraction of the {text}", setting_rules.number(0, 1))


@dataclass(frozen=True)
class SynthOptions:
    """The options of a synthetic export; see the help text and rule of each field.

    Fractions are probabilities, so a small export may contain fewer or more. The content of a subject depends
    on all options except `subjects` and `order`: more subjects extend an export without changing its rows.

    Raises
    ------
    UsageError
        If a value is out of range; the message names the option, the range and the value.
    """

    subjects: int = _integer(12, "number of subjects", 0, 1_000_000_000)
    volunteers: int = _integer(8, "number of volunteers who classify each subject", 1, 10_000)
    seed: int = _integer(1, "random seed; the same seed gives the same bytes", 0, 2**63 - 1)
    objects: int = _integer(3, "largest number of objects in an image", 1, 12)
    vertices: int = _integer(
        250,
        "approximate number of vertices of a freehand mark; with 600 or more, many outlines cross themselves",
        12,
        3_000,
    )
    jitter: float = _option(
        0.0,
        "random error of each vertex of a freehand outline along each axis (standard deviation), as a "
        "fraction of the object's radius, such as 0.004; above 0, freehand marks are not rounded to screen "
        "pixels",
        setting_rules.number(0, 1),
    )
    scribblers: float = _fraction(0.08, "volunteers who always scribble")
    careless: float = _fraction(0.0, "volunteers whose outlines are four times as far off as usual")
    repeats: float = _fraction(0.06, "volunteers who classify a subject again")
    empty: float = _fraction(0.05, "classifications without a mark")
    slips: float = _fraction(0.0, "freehand marks that are an accidental click of two points")
    close_pairs: float = _fraction(0.25, "subjects with two objects side by side")
    polygon_share: float = _fraction(0.3, "objects that are angular, for the polygon tool")
    old_share: float = _fraction(0.2, "classifications from the older workflow version, in the 1.x format")
    bezier_share: float = _fraction(0.5, "older classifications that use the Bezier tool")
    frames: int = _integer(2, "images per subject; 2 gives every third subject a second one", 1, 2)
    pool: int = _integer(
        0, "number of volunteers of the project; 0: three times the volunteers of a subject", 0, 100_000
    )
    first_subject: int = _integer(1_000_001, "ID of the first subject", 0, 2**53)
    workflow_id: int = _integer(4321, "ID of the workflow", 0, 2**53)
    order: RowOrder = _option(
        "time",
        "row order: by time, with interleaved subjects, or by subject",
        setting_rules.one_of("time", "subject"),
    )

    def __post_init__(self) -> None:
        """Check every value."""
        for f in dataclasses.fields(self):
            f.metadata["rule"].check(f.name, getattr(self, f.name))
        if 0 < self.pool < self.volunteers:
            raise UsageError(f"pool must be 0 or >= volunteers, {self.volunteers} (got {self.pool})")

    @property
    def pool_size(self) -> int:
        """The number of volunteers of the project."""
        return self.pool or 3 * self.volunteers
