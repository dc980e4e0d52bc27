"""The result of an import of corrections."""

from dataclasses import dataclass
from typing import Any

from polyframe.core.plurals import counted
from polyframe.core.reprs import html_repr, text_repr


@dataclass(frozen=True, repr=False)
class ImportedCorrections:
    """What an import of corrections did; `print` shows it as the command does.

    Attributes
    ----------
    output, file : str
        The output directory and the file.
    images, polygons : int
        Images of the project in the file that somebody looked at, and their valid polygons.
    corrected, removed : int
        Clusters that got another polygon, and clusters that were removed since they are not objects.
    stale : int
        Polygons of clusters that have other marks by now. They are in the table, but not used.
    older : int
        Corrections that were not used, since the table has newer ones of the same clusters.
    unchanged : int
        Polygons that nobody changed.
    by_overlap : int
        Polygons whose cluster was found by its overlap, since the file does not name it.
    missing : int
        Clusters on the images of the file that are in no polygon, and were kept.
    not_used : dict of str to int
        What was read and not used, by the reason.
    total : int
        Rows of the table `corrections`.
    version : int
        The number of the version that contains it.
    """

    output: str
    file: str
    images: int
    polygons: int
    corrected: int
    removed: int
    stale: int
    older: int
    unchanged: int
    by_overlap: int
    missing: int
    not_used: dict[str, int]
    total: int
    version: int

    def __str__(self) -> str:
        changes = [
            f"{counted(self.corrected, 'corrected polygon')}",
            counted(self.removed, "removed cluster"),
        ]
        if self.stale:
            changes.append(f"{self.stale:,} stale")
        return (
            f"{self.file}: {', '.join(changes)} and {self.unchanged:,} unchanged of "
            f"{counted(self.polygons, 'polygon')} on {counted(self.images, 'image')}\n"
            f"{self.output}: version {self.version} has {counted(self.total, 'correction')}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain JSON values."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return text_repr("ImportedCorrections", vars(self))

    def _repr_html_(self) -> str:
        return html_repr("ImportedCorrections", vars(self))
