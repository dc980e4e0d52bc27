"""Shapes that are not in an export: counted, named, and told with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from polyframe.core.callbacks import Say

_MOST_NAMED: Final = 5

NO_AREA: Final = "have no area"
OUTSIDE: Final = "have no area within their image"
NO_PIXEL: Final = "cover the centre of no pixel of their image"
COVERED: Final = "are covered by smaller ones"
NO_LEVEL: Final = "do not reach the level"


@dataclass
class LeftOut:
    """The shapes that are left out of an export.

    Attributes
    ----------
    names : dict of str to list of str
        By reason, the names of the first shapes.
    counts : dict of str to int
        By reason, how many they are.
    """

    names: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, told: Mapping[str, Any]) -> None:
        """Count a shape.

        Parameters
        ----------
        reason : str
            Why it is left out, as what follows `3 shapes`.
        told : mapping
            What the tables tell of it: `subject_id`, `frame`, `tool`, `cluster_label` and perhaps `level`.
        """
        self.counts[reason] = self.counts.get(reason, 0) + 1
        names = self.names.setdefault(reason, [])
        if len(names) < _MOST_NAMED:
            level = f" level {told['level']}" if "level" in told else ""
            frame = f"subject {told['subject_id']} frame {told['frame']}"
            names.append(f"{frame} {told['tool']} cluster {told['cluster_label']}{level}")

    def tell(self, say: Say) -> None:
        """Say how many shapes are left out and why, and name the first of them."""
        for reason, number in self.counts.items():
            more = f", and {number - _MOST_NAMED} more" if number > _MOST_NAMED else ""
            say(f"{number} shapes {reason}, and are left out: {', '.join(self.names[reason])}{more}")
