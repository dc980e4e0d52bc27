"""Write the report of an output directory."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from polyframe.core.addresses import as_address
from polyframe.core.atomic_files import atomic_text
from polyframe.core.callbacks import Progress, Say, detailed, no_progress
from polyframe.core.choices import CorrectionsUse
from polyframe.core.errors import UsageError, short_repr
from polyframe.core.levels import AnyLevel, parse_level
from polyframe.core.local_copies import AnyFile, local_copies
from polyframe.core.local_paths import AnyPath, AnyPlace, file_ending, local_path, place_of
from polyframe.core.notes import show
from polyframe.core.plurals import agreeing, counted
from polyframe.core.scalar_checks import is_integer
from polyframe.export.report import LIMIT
from polyframe.export.report.backgrounds import (
    Background,
    check_pillow,
    embedded_images,
    find_backgrounds,
    image_sources,
    largest_side,
)
from polyframe.export.report.key_figures import KeyFigures, key_figures
from polyframe.export.report.level_outlines import averaged_outlines, level_outlines
from polyframe.export.report.live_settings import live_settings, settings_with_engine
from polyframe.export.report.majority_lines import NO_LINES, majority_lines
from polyframe.export.report.page_data import page_data
from polyframe.export.report.page_html import page_html
from polyframe.export.report.volunteer_rows import VolunteerRows, volunteer_rows
from polyframe.export.report.worst_clusters import WorstClusters, worst_clusters
from polyframe.export.subject_images import image_options
from polyframe.export.words import read_words
from polyframe.geometry.compile_ahead import ensure_compiled
from polyframe.store.corrections import uses_corrections
from polyframe.store.reading import explain_damage, open_tables

_ENDINGS: Final = (".html", ".htm")
#: No output directory has more clusters.
_LARGEST_LIMIT: Final = 2**31


@dataclass(frozen=True)
class Reported:
    """A report that was written.

    Attributes
    ----------
    path : Path
        The file.
    clusters, clusters_of_all : int
        Clusters in the report, and in the table reductions.
    subjects : int
        Subjects of the clusters in the report.
    images, images_missing : int
        Embedded images, and those whose background is white.
    bytes : int
        Size of the file.
    """

    path: Path
    clusters: int
    clusters_of_all: int
    subjects: int
    images: int
    images_missing: int
    bytes: int

    def __str__(self) -> str:
        """Summarize the report in one line."""
        missing = (
            f", {counted(self.images_missing, 'image')} missing"
            if self.images and self.images_missing
            else ""
        )
        clusters = counted(self.clusters, "cluster")
        if self.clusters < self.clusters_of_all:
            clusters = f"{self.clusters:,} of {counted(self.clusters_of_all, 'cluster')}"
        subjects, images = counted(self.subjects, "subject"), counted(self.images, "image")
        return f"{self.path}: {clusters} of {subjects}, {images}{missing}"


def report(
    output: AnyPlace,
    path: AnyPath,
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
    storage_options: Mapping[str, str] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Reported:
    """Write one HTML file about an output directory, like `polyframe report`.

    The file works offline. It contains numbers, the distribution of consensus, the subjects and the clusters
    with the lowest consensus, with their outlines, contours and keys, and the volunteers, without their names
    unless you want them. Other settings of the clustering can be tried in it.

    Parameters
    ----------
    output : path
        The output directory, with or without contours; nothing in it is changed.
    path : path
        The file to write; an existing file is replaced. The same input gives the same bytes.
    subjects : path or address, optional
        The subjects export, CSV: assigns images to subjects, with their addresses and metadata.
    images : path, optional
        The folder with the image files named in the metadata of `subjects`, or a pattern of their paths with
        `{subject_id}`, `{frame}` and `{filename}`, such as `photos/{subject_id}-{frame}.jpg`, for which
        `subjects` is needed only with `{filename}`. Needs Pillow (the extra `report`). Without an image the
        background is white.
    fetch : bool
        Download the images from their addresses in `subjects`, http and https only, and only from the hosts
        of these addresses. Images of more than 30 MB, or that take more than 30 seconds, are omitted.
    cache : path, optional
        The folder that keeps downloaded images, so that another report does not download them again. Default:
        `polyframe/images` in the folder of this system for caches.
    classifications : path or address, optional
        The classification export, which records the sizes of the images. Without it the size is that of the
        image, or else the extent of the marks. It also contains the questions of tasks, and the labels of
        tools if the marks were drawn with classifier 1.x.
    workflows : path or address, optional
        The workflow export, CSV: the name of the workflow, the questions of tasks, the labels of tools and of
        answers, which the report then shows in place of their keys.
    title : str, optional
        The title of the report, by default the workflow and its version.
    level : int or str, optional
        Draw this contour level instead of the averaged polygon: a number of marks, such as 3, or a share of
        the marks of each cluster, such as `50%`.
    limit : int
        Largest number of clusters, at least 1; also of groups without a cluster, and of volunteers.
    names : bool
        Whether the report contains the names of volunteers, as they are in the tables; otherwise they are
        numbered.
    corrections : {"use", "ignore"}, optional
        Whether imported corrections replace the averages of their clusters. Default: use.
    storage_options : mapping, optional
        As for `polyframe.scan`.
    say : callable, optional
        Receives notes about images that are missing or no images, and clusters without the level.
    progress : callable, optional
        Receives the numbers of images that are downloaded and to download.

    Returns
    -------
    Reported

    Raises
    ------
    UsageError
        If the name does not end in `.html`, the limit or the level is not valid, or there are images without
        subjects.
    PolyframeError
        If the output has no reductions or, for a level, no contours, if it changes meanwhile, if a file
        cannot be read or written, or if Pillow is missing.

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.report("out", "report.html")  # doctest: +SKIP
    """
    corrected, say = uses_corrections(corrections), show if say is None else say
    steps = detailed(progress or no_progress)
    if not is_integer(limit) or limit < 1:
        raise UsageError(f"limit: {short_repr(limit)} is not an integer from 1")
    chosen_level = None if level is None else parse_level(level)
    place, target = place_of(output, "output", storage_options), local_path(path, "path")
    file_ending(target, _ENDINGS, "report")
    if title is not None and not isinstance(title, str):
        raise UsageError(f"title: {short_repr(title)} is not text")
    exports = [
        None if value is None else as_address(value, storage_options) or local_path(value, name)
        for name, value in (
            ("subjects", subjects),
            ("classifications", classifications),
            ("workflows", workflows),
        )
    ]
    options = image_options(images, cache, fetch=fetch, has_subjects=subjects is not None)
    if options.are_wanted:
        check_pillow()
    with (
        open_tables(place, "report", corrected=corrected) as source,
        local_copies(exports, say, storage_options) as ((of_subjects, of_classifications, of_workflows), _),
    ):
        if chosen_level:
            list(source.partitions([], contours=None))  # fails early if there is no such table
        with explain_damage(place):
            steps.begin("counting the clusters")
            figures = key_figures(source)
            steps.begin(f"reading {counted(min(limit, figures.clusters), 'cluster')} of {figures.clusters:,}")
            worst = worst_clusters(source, min(limit, _LARGEST_LIMIT))
            steps.begin("reading the volunteers")
            volunteers = volunteer_rows(source, min(limit, _LARGEST_LIMIT), named=names)
        contours = source.contains("contours")
        sources = image_sources(worst, of_subjects, options, of_classifications, say, steps)
        words = read_words(source, of_workflows, of_classifications, say)
    steps.begin(f"comparing {counted(worst.marks.height, 'mark')}")
    live = live_settings(worst, figures.manifest, place, say)
    backgrounds = find_backgrounds(worst, sources, say)
    steps.begin(f"drawing {counted(worst.n_clusters, 'cluster')}")
    # Before the page, which says how many there are: an image may turn out to be damaged only now.
    embedded = dict(embedded_images(backgrounds, say))
    outlines, level_notes = averaged_outlines(worst), []
    if chosen_level:
        outlines, missing = level_outlines(worst, chosen_level)
        level_notes = missing.notes()
    for note in level_notes:
        say(note)
    notes = [
        *_cluster_notes(worst.n_clusters, figures.clusters, contours=contours),
        *_correction_notes(figures, worst),
        *(f"{note}." for note in level_notes),
        *_image_notes(
            backgrounds,
            len(embedded),
            requested=options.are_wanted,
            has_export=classifications is not None,
        ),
        *_volunteer_notes(volunteers),
    ]
    majorities = _majorities(worst, figures, say, wanted=contours and not chosen_level)
    data = page_data(
        worst, backgrounds, sources, live, volunteers, outlines, majorities, chosen_level, contours=contours
    )
    votes = worst.clusters.select("tool", "details_votes").iter_rows()
    answers = list(itertools.starmap(words.answers, votes))
    data |= {"title": title, "workflow": words.workflow, "words": words.for_page() | {"votes": answers}}
    steps.begin("writing the page")
    with atomic_text(target) as file:
        for piece in page_html(figures, notes, data, embedded, live):
            file.write(piece)
    return Reported(
        path=target,
        clusters=worst.n_clusters,
        clusters_of_all=figures.clusters,
        subjects=worst.clusters["subject_id"].n_unique(),
        images=len(embedded),
        images_missing=len(backgrounds) - len(embedded),
        bytes=target.stat().st_size,
    )


def _majorities(worst: WorstClusters, figures: KeyFigures, say: Say, *, wanted: bool) -> pl.DataFrame:
    """Return the majority outlines that the page draws and no table contains."""
    if not wanted:
        return NO_LINES
    engine = settings_with_engine(figures.manifest).engine
    if engine == "compiled":
        ensure_compiled(say, {"clusters", "majority"})
    return majority_lines(worst, engine)


def _cluster_notes(n_shown: int, n_all: int, *, contours: bool) -> Iterator[str]:
    """Say which clusters or contours the page lacks, and how to get them."""
    if n_shown < n_all:
        yield (
            f"Below {agreeing(n_shown, 'are')} the {counted(n_shown, 'cluster')} with the lowest consensus, "
            f"of {n_all:,}; --limit shows more. The numbers and the chart include all of them."
        )
    if not contours:
        yield "This output has no contours; create them with: polyframe contours"


def _correction_notes(figures: KeyFigures, worst: WorstClusters) -> Iterator[str]:
    """Say which corrections the page does not show, and that it names people."""
    if figures.stale:
        clusters = "its cluster" if figures.stale == 1 else "their clusters"
        yield (
            f"{counted(figures.stale, 'correction')} {agreeing(figures.stale, 'are')} stale and not used, "
            f"since the marks of {clusters} have changed; polyframe status names {clusters}."
        )
    if figures.ignored:
        shown = agreeing(figures.ignored, "are")
        yield f"{counted(figures.ignored, 'correction')} {shown} ignored (--corrections ignore)."
    if worst.clusters["corrected_by"].is_not_null().any():
        yield "This file says who corrected clusters."


def _volunteer_notes(volunteers: VolunteerRows) -> Iterator[str]:
    """Say whether the page names volunteers, and which of them it lacks."""
    marks = "Marks are identified by classification_id and mark_index, as in the tables."
    if volunteers.named and volunteers.n_all:
        yield f"This file contains the names of volunteers. {marks}"
    else:
        yield f"This file contains no names of volunteers. {marks}"
    if volunteers.rows.height < volunteers.n_all:
        shown = counted(volunteers.rows.height, "volunteer")
        yield f"It shows the {shown} with the lowest scores, of {volunteers.n_all:,}."


def _image_notes(
    backgrounds: list[Background], n_embedded: int, *, requested: bool, has_export: bool
) -> Iterator[str]:
    """Say which images and sizes the page lacks, and how to get them."""
    of_images, missing = counted(len(backgrounds), "image"), len(backgrounds) - n_embedded
    if backgrounds and not requested:
        yield (
            "No images were given, so the background is white; --subjects SUBJECTS.csv with --images DIR, or "
            "with --fetch to download them, adds them."
        )
    elif missing:
        yield f"The background is white if no image was available: {missing:,} of {of_images}."
    guessed = sum(background.size_from == "drawn" for background in backgrounds)
    if guessed:
        their = "its picture ends" if guessed == 1 else "their pictures end"
        advice = (
            "the classification export does not record it."
            if has_export
            else "give the classification export, which records sizes, with --classifications."
        )
        yield (
            f"The size of {guessed:,} of {of_images} is not known, so {their} close to the marks; {advice}"
        )
    if n_embedded:
        side = largest_side(sum(background.file is not None for background in backgrounds))
        yield f"Images are reduced to at most {side:,} pixels on their longer side."
