"""Say which imported corrections a run made stale."""

from typing import Final

from polyframe.core.plurals import agreeing, counted
from polyframe.store.corrections import cluster_names
from polyframe.store.manifest import Manifest
from polyframe.store.output import Output
from polyframe.store.reading import OutputTables

_MOST_LISTED: Final = 3


def stale_corrections_notes(output: Output, published: Manifest, before: Manifest | None) -> tuple[str, ...]:
    """Return a note if a new version has corrections of clusters that have other marks by now."""
    if before is not None and published.number == before.number:
        return ()
    names = cluster_names(OutputTables(output, published).corrections.stale)
    if not names:
        return ()
    more = ", ..." if len(names) > _MOST_LISTED else ""
    return (
        f"{counted(len(names), 'correction')} {agreeing(len(names), 'are')} not used, since the marks of the "
        f"cluster have changed: {', '.join(names[:_MOST_LISTED])}{more}; "
        f"`polyframe status {output}` lists all",
    )
