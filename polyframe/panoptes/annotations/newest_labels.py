"""Choose among the labels that a classification export has for the same thing."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from polyframe.panoptes.classifications.workflow_versions import is_version, version_key

Key = TypeVar("Key", bound=Hashable)

#: Before every version: what has none, which only a damaged export does.
_NO_VERSION = (-1, -1)


def newest_labels(counted: Iterable[tuple[Key, str | None, str, int]]) -> dict[Key, str]:
    """Return the label of each thing, such as a tool or a task.

    Panoptes numbers versions of a workflow `major.minor`: a change of tasks raises the major number, a change
    of texts the minor one. Both are integers, so 1.10 is newer than 1.9. Annotations have the texts that the
    volunteer saw, which may be translated.

    Parameters
    ----------
    counted : iterable of (key, str or None, str, int)
        What has a label, the version of the workflow, the label, and how often it occurs.

    Returns
    -------
    dict
        For each key the label of its newest version; of several labels in that version, as in several
        languages, the most frequent; of equally frequent ones, the last in alphabetical order. Labels without
        a valid version count only if there are no others. Space around labels is removed; empty labels do
        not count.
    """
    sums: dict[tuple[Key, tuple[int, int], str], int] = {}
    for key, version, label, number in counted:
        if text := label.strip():
            order = version_key(version) if version is not None and is_version(version) else _NO_VERSION
            sums[key, order, text] = sums.get((key, order, text), 0) + number
    best: dict[Key, tuple[tuple[int, int], int, str]] = {}
    for (key, order, text), number in sums.items():
        best[key] = max(best.get(key, (order, number, text)), (order, number, text))
    return {key: text for key, (_, _, text) in best.items()}
