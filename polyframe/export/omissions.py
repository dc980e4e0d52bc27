"""Count the shapes that an export omits, and report them with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from polyframe.core.callbacks import Say
from polyframe.core.levels import Level, MissingLevels
from polyframe.core.plurals import agreeing, counted

_MOST_LISTED: Final = 5

NO_AREA: Final = "have no area"
OUTSIDE: Final = "have no area within their image"
NO_PIXEL: Final = "cover the centre of no pixel of their image"
COVERED: Final = "are covered by smaller ones"


@dataclass
class Omissions:
    """The shapes that are omitted from an export.

    Attributes
    ----------
    names : dict of str to list of str
        By reason, the names of the first shapes.
    counts : dict of str to int
        By reason, the number of shapes.
    missing : MissingLevels or None
        How many clusters do not have the chosen level.
    """

    names: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    missing: MissingLevels | None = None

    def add(self, reason: str, properties: Mapping[str, Any]) -> None:
        """Count a shape.

        Parameters
        ----------
        reason : str
            One of the reasons above, or one of `MissingLevels`.
        properties : mapping
            `subject_id`, `frame`, `tool`, `cluster_label` and perhaps `level`.
        """
        self.counts[reason] = self.counts.get(reason, 0) + 1
        names = self.names.setdefault(reason, [])
        if len(names) < _MOST_LISTED:
            level = f" level {properties['level']}" if "level" in properties else ""
            frame = f"subject {properties['subject_id']} frame {properties['frame']}"
            names.append(f"{frame} {properties['tool']} cluster {properties['cluster_label']}{level}")

    def look_up(self, level: Level, number: int, row: Mapping[str, Any]) -> None:
        """Count a cluster of which one level is exported.

        Parameters
        ----------
        level : Level
        number : int
            Its number in this cluster.
        row : mapping
            A row of the table contours.
        """
        if self.missing is None:
            self.missing = MissingLevels(level)
        reason = self.missing.look_up(number, row["number_of_contours"], row["contours_level"])
        if reason:
            self.add(reason, {**row, "level": number})

    def report(self, say: Say) -> None:
        """Report how many shapes or clusters are omitted and why, with the names of the first ones."""
        for reason, number in self.counts.items():
            more = f", and {number - _MOST_LISTED} more" if number > _MOST_LISTED else ""
            what = f"omitted {counted(number, 'shape')} that {agreeing(number, reason)}"
            if self.missing and reason in self.missing.counts:
                what = self.missing.note(reason)
            say(f"{what}: {', '.join(self.names[reason])}{more}")
