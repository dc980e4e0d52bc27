"""Know the project whose volunteers are compared with an expert: its subjects and tools."""

from dataclasses import dataclass, field
from typing import Final

from polyframe.core.callbacks import Say
from polyframe.core.plurals import counted
from polyframe.panoptes.classifications.version_selection import PreviousSelection

_MOST_LISTED: Final = 3
#: Longest name that a message shows.
_LONGEST: Final = 40


@dataclass(frozen=True)
class Project:
    """What an output directory or an extraction says of its project.

    Attributes
    ----------
    name : str
        For messages.
    workflow_id : int or None
        None if it is not known.
    subjects : frozenset of int
        The subjects that volunteers classified.
    tools : dict of str to str
        The task of each tool with which somebody drew an outline.
    selection : PreviousSelection or None
        The workflow and version of an output directory; None for marks in memory.
    """

    name: str
    workflow_id: int | None
    subjects: frozenset[int]
    tools: dict[str, str]
    selection: PreviousSelection | None = None


@dataclass
class Skipped:
    """What is not used of the outlines of an expert, by the reason.

    Attributes
    ----------
    counts : dict of (str, str) to int
        By kind and reason.
    examples : dict of (str, str) to list of str
        The first ones of each kind and reason.
    """

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, kind: str, reason: str, example: object = "", count: int = 1) -> None:
        """Count something, such as a `feature` `of another workflow`."""
        self.counts[kind, reason] = self.counts.get((kind, reason), 0) + count
        examples = self.examples.setdefault((kind, reason), [])
        text = " ".join(str(example).split())
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
        if text and text not in examples and len(examples) <= _MOST_LISTED:
            examples.append(text)

    def report(self, name: str, say: Say) -> None:
        """Say one line for each kind and reason."""
        for (kind, reason), count in self.counts.items():
            examples = self.examples[kind, reason]
            more = ", ..." if len(examples) > _MOST_LISTED else ""
            listed = f" ({', '.join(examples[:_MOST_LISTED])}{more})" if examples else ""
            say(f"{name}: {counted(count, kind)} {reason}{listed}")
