"""Writing the report of an output directory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.atomic_files import written_whole
from polyframe.core.callbacks import Say
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.local_paths import file_ending, local_path
from polyframe.core.values import is_integer
from polyframe.export.report import LIMIT
from polyframe.export.report.backgrounds import (
    Background,
    backgrounds,
    check_images,
    embedded,
    largest_side,
    sources,
)
from polyframe.export.report.key_figures import headline
from polyframe.export.report.page_data import page_data
from polyframe.export.report.page_html import document
from polyframe.export.report.worst_clusters import choose
from polyframe.store.opened import Opened, opened

_ENDINGS: Final = (".html", ".htm")
#: No output has more clusters.
_MOST_SHOWN: Final = 2**31

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Reported:
    """A report that was written.

    Attributes
    ----------
    path : Path
        The file.
    clusters, clusters_of_all : int
        Shown, and in the table reductions.
    subjects : int
        Of the clusters that are shown.
    images, images_missing : int
        Embedded, and those whose background is white.
    bytes : int
        Length of the file.
    """

    path: Path
    clusters: int
    clusters_of_all: int
    subjects: int
    images: int
    images_missing: int
    bytes: int

    def __str__(self) -> str:
        """Tell it in one line."""
        of_all = f" of {self.clusters_of_all:,}" if self.clusters < self.clusters_of_all else ""
        missing = f", {self.images_missing:,} images missing" if self.images and self.images_missing else ""
        clusters, subjects, images = (
            f"{number:,}{of} {thing}{'' if number == 1 and not of else 's'}"
            for number, of, thing in (
                (self.clusters, of_all, "cluster"),
                (self.subjects, "", "subject"),
                (self.images, "", "image"),
            )
        )
        return f"{self.path}: {clusters} of {subjects}, {images}{missing}"


def report(
    output: AnyPath,
    path: AnyPath,
    *,
    subjects: AnyPath | None = None,
    images: AnyPath | None = None,
    classifications: AnyPath | None = None,
    limit: int = LIMIT,
    say: Say = lambda _: None,
) -> Reported:
    """Write one HTML file about an output directory, like `polyframe report`.

    It works offline and holds all that it shows: numbers, the distribution of consensus, and the clusters
    with the least consensus, with their outlines, contours and keys. The names of volunteers are not in it.

    Parameters
    ----------
    output : path
        What a run wrote, with or without contours; nothing in it is changed.
    path : path
        The file to write; what is there is replaced. The same output and files give the same bytes.
    subjects : path, optional
        The subjects export, CSV: whose each image is, its address, and what the team told of the subject.
    images : path, optional
        A folder with the files that the metadata in `subjects` name; needs Pillow (the extra `report`).
        Without an image the background is white.
    classifications : path, optional
        The classification export, which records the sizes of the images. Else the size is that of the image,
        else that of what was drawn.
    limit : int
        At most so many clusters, those with the least consensus; from 1.
    say : callable
        Told of files that are no images.

    Returns
    -------
    Reported

    Raises
    ------
    UsageError
        Where the name does not end in `.html`, the limit is below 1, or there are images without subjects.
    PolyframeError
        Where the output has no reductions or changes meanwhile, a file cannot be read or written, or Pillow
        is missing.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.report("out", "report.html")  # doctest: +SKIP
    """
    if not is_integer(limit) or limit < 1:
        raise UsageError(f"limit: {short_repr(limit)} is not a whole number from 1")
    folder, target = local_path(output, "output"), local_path(path, "path")
    file_ending(target, _ENDINGS, "report")
    subjects, images, classifications = (
        None if given is None else local_path(given, name)
        for name, given in (("subjects", subjects), ("images", images), ("classifications", classifications))
    )
    check_images(subjects, images)
    with opened(folder, "report") as found:
        _check_reductions(found)
        try:
            told, chosen = headline(found), choose(found, min(limit, _MOST_SHOWN))
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise PolyframeError(
                f"{output}: cannot be read ({reason}); see `polyframe validate {output}`"
            ) from None
        contours = found.holds("contours")
    given = sources(chosen, subjects, images, classifications)
    behind = backgrounds(chosen, given, say)
    shown = chosen.clusters.height
    # Before the page is begun, which says how many there are. Some turn out to be damaged only now.
    pictures = dict(embedded(behind, say))
    notes = list(
        _notes(
            shown,
            told.clusters,
            behind,
            len(pictures),
            contours=contours,
            asked=images is not None,
            recorded=classifications is not None,
        )
    )
    data = page_data(chosen, behind, given, contours=contours)
    with written_whole(target) as file:
        for piece in document(told, notes, data, pictures):
            file.write(piece)
    return Reported(
        path=target,
        clusters=shown,
        clusters_of_all=told.clusters,
        subjects=chosen.clusters["subject_id"].n_unique(),
        images=len(pictures),
        images_missing=len(behind) - len(pictures),
        bytes=target.stat().st_size,
    )


def _check_reductions(found: Opened) -> None:
    if not found.holds("reductions"):
        raise PolyframeError(
            f"{found.path}: holds no table 'reductions'; make it with `polyframe reduce {found.path}`"
        )


def _notes(
    shown: int,
    in_all: int,
    behind: list[Background],
    embedded_images: int,
    *,
    contours: bool,
    asked: bool,
    recorded: bool,
) -> Iterator[str]:
    """Say what the page lacks, and how to get it."""
    if shown < in_all:
        yield (
            f"Below are the {shown:,} clusters with the least consensus, of {in_all:,}; --limit shows more. "
            "The numbers and the bars count all of them."
        )
    if not contours:
        yield "There are no contours in this output; polyframe contours makes them."
    missing = len(behind) - embedded_images
    if behind and not asked:
        yield (
            "No images were given, so the background is white; --images DIR with --subjects SUBJECTS.csv "
            "puts them behind the outlines."
        )
    elif missing:
        yield f"The background is white where no image was found: {missing:,} of {len(behind):,} images."
    guessed = sum(one.size_from == "drawn" for one in behind)
    if guessed:
        cure = (
            "the classification export that was given does not record it."
            if recorded
            else "--classifications names the export, which records sizes."
        )
        yield (
            f"The size of {guessed:,} of {len(behind):,} images is not known, so that their pictures end a "
            f"little beyond what was drawn; {cure}"
        )
    if embedded_images:
        side = largest_side(sum(one.file is not None for one in behind))
        yield f"Images are reduced to at most {side:,} pixels on their longer side."
    yield (
        "The names of volunteers are not in this file. Marks are told apart by classification_id and "
        "mark_index, which find them in the tables."
    )
