"""Count what an export omits, and report it with the reason."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from polyframe.core.callbacks import Say
from polyframe.core.estimation import ESTIMATED_SIZES
from polyframe.core.levels import Level, MissingLevels
from polyframe.core.plurals import agreeing, counted

_MOST_LISTED: Final = 5

#: Reasons to omit a shape.
NO_AREA: Final = "have no area"
OUTSIDE: Final = "have no area within the image"
NO_PIXEL: Final = "cover the centre of no pixel of the image"
COVERED: Final = "are covered by smaller ones"
NOT_ESTIMATED: Final = f"have no expected IoU, which is for clusters of {ESTIMATED_SIZES}"
#: Reasons to omit an image.
NO_SHAPE: Final = "have no shape"
NO_USABLE_MARK: Final = "have marks, of which none took part"
MAY_HAVE_MARKS: Final = "may have marks, since some marks of the subject could not be read"
NO_SIZE: Final = "have neither a shape nor a known size"
SIZE_NOT_KNOWN: Final = "have shapes, but no known size"


@dataclass
class Omissions:
    """The shapes and images that are omitted from an export.

    Attributes
    ----------
    names : dict of (str, str) to list of str
        By the noun, `shape` or `image`, and the reason, the names of the first ones.
    counts : dict of (str, str) to int
        By noun and reason, their number.
    missing : MissingLevels or None
        How many clusters do not have the chosen level.
    """

    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
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
        level = f" level {properties['level']}" if "level" in properties else ""
        frame = f"subject {properties['subject_id']} frame {properties['frame']}"
        name = f"{frame} {properties['tool']} cluster {properties['cluster_label']}{level}"
        self._count("shape", reason, name)

    def add_image(self, reason: str, subject_id: int, frame: int) -> None:
        """Count an image."""
        self._count("image", reason, f"subject {subject_id} frame {frame}")

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
        """Report how many shapes, clusters or images are omitted and why, and name the first ones."""
        for (noun, reason), number in self.counts.items():
            what = f"omitted {counted(number, noun)} that {agreeing(number, reason)}"
            if self.missing and noun == "shape" and reason in self.missing.counts:
                what = self.missing.note(reason)
            say(f"{what}: {', '.join(self.names[noun, reason])}{_and_more(number)}")

    def _count(self, noun: str, reason: str, name: str) -> None:
        self.counts[noun, reason] = self.counts.get((noun, reason), 0) + 1
        names = self.names.setdefault((noun, reason), [])
        if len(names) < _MOST_LISTED:
            names.append(name)


def first_images(images: Collection[tuple[int, int]]) -> str:
    """Name the first images, by subject and frame, and say how many more there are."""
    names = (f"subject {subject} frame {frame}" for subject, frame in sorted(images)[:_MOST_LISTED])
    return f"{', '.join(names)}{_and_more(len(images))}"


def _and_more(number: int) -> str:
    return f", and {number - _MOST_LISTED} more" if number > _MOST_LISTED else ""
