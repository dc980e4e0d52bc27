"""Word the notes about settings of the clustering that do not apply."""

from collections.abc import Collection

from polyframe.consensus.pairwise_matrices import MOST_IN_MATRIX
from polyframe.core.notes import Information
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings


def ignored_eps_notes(settings: Settings, given: Collection[str]) -> tuple[str, ...]:
    """Return a note if `eps` is ignored.

    Parameters
    ----------
    settings : Settings
        All settings.
    given : collection of str
        The names of the settings that the user gave.
    """
    if settings.cluster_method != "hdbscan":
        return ()
    if "eps" in given:
        return (f"eps {settings.eps:g} is ignored, since cluster_method is hdbscan",)
    return (Information("cluster_method is hdbscan, which ignores eps"),)


def too_large_notes(n_groups: int, settings: Settings) -> tuple[str, ...]:
    """Return a note if so many marks overlap in some groups that they were clustered in another way.

    Parameters
    ----------
    n_groups : int
        How many.
    settings : Settings
        All settings.
    """
    if not n_groups:
        return ()
    instead = []
    if settings.cluster_method == "hdbscan":
        instead.append(f"they were clustered by dbscan with eps {settings.eps:g}")
    if settings.split != "none":
        instead.append("their large clusters were not split")
    return (
        f"in {counted(n_groups, 'group')} more than {MOST_IN_MATRIX:,} marks overlap, whose distances do not "
        f"fit into memory: {', and '.join(instead)}",
    )
