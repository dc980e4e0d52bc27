"""Open the report inline in a notebook."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from polyframe.core.callbacks import Say
from polyframe.core.choices import CorrectionsUse
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.levels import AnyLevel
from polyframe.core.local_copies import AnyFile
from polyframe.core.local_paths import AnyPath, AnyPlace
from polyframe.core.scalar_checks import is_integer
from polyframe.export.report import LIMIT
from polyframe.export.report.write_report import Reported, report


@dataclass(frozen=True, repr=False)
class Explored:
    """A report that a notebook shows: as the last value of a cell it is the page, in a frame.

    Attributes
    ----------
    html : str
        The page, which works offline.
    height : int
        Of the frame, in pixels.
    reported : Reported
        What the page contains.
    """

    html: str
    height: int
    reported: Reported

    def __repr__(self) -> str:
        return f"<polyframe report: {self.reported.clusters:,} clusters, {len(self.html):,} characters>"

    def _repr_html_(self) -> str:
        # In a frame, so that styles and scripts of the page and of the notebook do not affect one another.
        return (
            f'<iframe title="polyframe report" srcdoc="{escape(self.html)}" width="100%" '
            f'height="{self.height}" style="border: 1px solid #8888"></iframe>'
        )


def explore(
    output: AnyPlace,
    *,
    subjects: AnyFile | None = None,
    images: AnyPath | None = None,
    fetch: bool = False,
    cache: AnyPath | None = None,
    classifications: AnyFile | None = None,
    workflows: AnyFile | None = None,
    title: str | None = None,
    level: AnyLevel | None = None,
    limit: int = LIMIT,
    names: bool = False,
    corrections: CorrectionsUse | None = None,
    height: int = 800,
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
) -> Explored:
    """Open the report of an output directory inline in a notebook.

    Parameters
    ----------
    output : path or address
        The output directory; nothing in it is changed, and no file is left.
    subjects, images, fetch, cache, classifications, workflows, title, level, limit, names, corrections
        As for `report`.
    height : int
        Of the frame with the report, in pixels.
    storage_options, say
        As for `report`.

    Returns
    -------
    Explored
        A notebook shows it as the page of the report.

    Raises
    ------
    UsageError, PolyframeError
        As from `report`.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.explore("out")  # doctest: +SKIP
    """
    if not is_integer(height) or height < 1:
        raise UsageError(f"height: {short_repr(height)} is not a number of pixels")
    with tempfile.TemporaryDirectory(prefix="polyframe-") as folder:
        path = Path(folder) / "report.html"
        reported = report(
            output,
            path,
            subjects=subjects,
            images=images,
            fetch=fetch,
            cache=cache,
            classifications=classifications,
            workflows=workflows,
            title=title,
            level=level,
            limit=limit,
            names=names,
            corrections=corrections,
            storage_options=storage_options,
            say=say,
        )
        return Explored(path.read_text(encoding="utf-8"), int(height), reported)
