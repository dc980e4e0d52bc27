"""Combine drawings into figures of a width in pixels, without pyplot."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import BytesIO
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

from polyframe.core.atomic_files import write_bytes
from polyframe.core.callbacks import Say
from polyframe.core.choices import AverageType, Scale
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.core.frames import Frame
from polyframe.core.levels import AnyLevel, parse_level
from polyframe.core.local_copies import AnyFile
from polyframe.core.local_paths import (
    AnyPath,
    AnyPlace,
    as_list,
    file_ending,
    local_path,
    name_of_place,
    place_of,
    type_name,
)
from polyframe.core.notes import show as show_note
from polyframe.core.plurals import counted
from polyframe.export.words import words_of_output
from polyframe.plot.draw_consensus import consensus, consensus_by_size, consensus_counts
from polyframe.plot.draw_contours import (
    agreement,
    agreement_title,
    check_scale,
    level_title,
    missing_level_notes,
)
from polyframe.plot.draw_contours import level as draw_level
from polyframe.plot.draw_marks import averages, averages_title, marks
from polyframe.plot.draw_toy_clusters import toy
from polyframe.plot.draw_tuning import (
    GOLD_KINDS,
    TUNING_KINDS,
    has_gold,
    tuning,
    tuning_columns,
    tuning_legend,
)
from polyframe.plot.image_axes import ImageArray, check_group, counts, heading
from polyframe.plot.layout import add_panel, arrange, empty_figure
from polyframe.plot.read_mark_groups import MarkGroup
from polyframe.synthetic.toy_clusters import toy_cluster, toy_pair

WIDTH: Final = 1200
KINDS: Final = ("marks", "averages", "agreement")
PICTURE_ENDINGS: Final = (".png", ".svg", ".pdf")

#: Text stays text that can be searched and edited; journals refuse fonts of Type 3, Matplotlib's default.
_FONTS: Final[dict[Any, Any]] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}
#: The least resolution of images in SVG and PDF: what journals ask for.
_IMAGE_DPI: Final = 300
_MOST_ROWS: Final = 40


def drawable_kinds(groups: Sequence[MarkGroup]) -> Sequence[str]:
    """Return the drawings that the tables allow: without contours, there is no agreement."""
    has_contours = all(cluster.levels is not None for group in groups for cluster in group.clusters)
    return KINDS if has_contours else KINDS[:2]


def subject_figure(
    groups: Sequence[MarkGroup],
    *,
    show: Sequence[str] = KINDS,
    level: AnyLevel | None = None,
    images: Mapping[int, ImageArray] | None = None,
    title: str | None = None,
    scale: Scale = "share",
    width: int = WIDTH,
    say: Say | None = None,
) -> Figure:
    """Draw the groups of a subject side by side.

    Parameters
    ----------
    groups : sequence of MarkGroup
        From `read_groups`.
    show : sequence of str
        The drawings of each group: `marks`, `averages`, `agreement`. If there are several, each group has a
        row; else the groups are side by side.
    level : int or str, optional
        Draw this contour level too: a number of marks, such as 3, or a share of the marks of each cluster,
        such as `50%`.
    images : mapping of int to array, optional
        The image of each frame; frames without one are white.
    title : str, optional
        A line above everything.
    scale : {"share", "count"}
        Whether the heat map shows shares of the marks of a cluster, or counts them.
    width : int
        Width of the picture in pixels, at 120 pixels per inch; the height follows.
    say : callable, optional
        Receives a note about clusters without the level.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        If there is nothing to show, or the level is not valid.
    PolyframeError
        If contours are missing, or there are more than 40 rows.
    """
    groups = [groups] if isinstance(groups, MarkGroup) else as_list(groups)
    for group in groups:
        check_group(group)
    kinds = [*dict.fromkeys(map(str, as_list(show))), *(["level"] if level is not None else [])]
    chosen_level = None if level is None else parse_level(level)
    check_scale(scale)
    images = {} if images is None else images
    if not isinstance(images, Mapping):
        raise UsageError(f"images: expected a mapping of frames to images, got {type_name(images)}")
    known = KINDS if level is None else (*KINDS, "level")
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds or not groups:
        raise UsageError(
            f"show: {short_repr(unknown or list(groups))} cannot be shown; choose from {', '.join(KINDS)}"
        )
    row_per_group = len(kinds) > 1
    columns = len(kinds) if row_per_group else min(len(groups), 3)
    panels = [(group, kind) for group in groups for kind in kinds]
    if len(panels) > _MOST_ROWS * columns:
        raise PolyframeError(
            f"{len(panels)} panels are too many for one picture; choose fewer with --frame, --tool or --task"
        )
    figure = empty_figure(width)
    axes = [add_panel(figure, columns) for _ in panels]
    for (group, kind), ax in zip(panels, axes, strict=True):
        image = images.get(group.frame)
        titles = {
            "marks": "Volunteers' outlines",
            "averages": averages_title(group),
            "agreement": agreement_title(scale),
            "level": level_title(chosen_level) if chosen_level else "",
        }
        of_panel = titles[kind] if row_per_group else None
        if kind == "level" and level is not None:
            draw_level(group, ax, level=level, image=image, title=of_panel)
        else:
            draw = {"marks": marks, "averages": averages}.get(kind, partial(agreement, scale=scale))
            draw(group, ax, image=image, title=of_panel)
    rows = [axes[i : i + columns] for i in range(0, len(axes), columns)]
    headers = [""] * len(rows)
    if row_per_group:
        headers = [_header(group) for group in groups]
    if title:
        headers[0] = f"{title}\n{headers[0]}".strip()
    arrange(figure, rows, headers, advice="choose a larger width, or fewer panels with --show")
    if chosen_level:
        for note in missing_level_notes(groups, chosen_level):
            (show_note if say is None else say)(note)
    return figure


def _header(group: MarkGroup) -> str:
    question = f" ({group.question.rstrip('.')})" if group.question else ""
    return f"{heading(group)}{question}: {counts(group)}"


def overview_figure(
    output: AnyPlace,
    *,
    title: str | None = None,
    workflows: AnyFile | None = None,
    width: int = WIDTH,
    storage_options: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the distribution of consensus over all clusters, and consensus by size.

    Parameters
    ----------
    output : path
        The output directory.
    title : str, optional
        Replaces the line above the drawings.
    workflows : path or address, optional
        The workflow export: the line names the workflow in place of the directory.
    width : int
        Width of the picture in pixels, at 120 pixels per inch.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    PolyframeError
        If the table `reductions` is missing, or it or the workflow export cannot be read.
    """
    output = place_of(output, "output", storage_options)
    words = words_of_output(output, workflows, None, show_note, storage_options)
    cluster_counts = consensus_counts(output)
    figure = empty_figure(width)
    axes = [add_panel(figure, 2), add_panel(figure, 2)]
    consensus(cluster_counts, axes[0])
    consensus_by_size(cluster_counts, axes[1])
    arrange(figure, [axes], [title or f"All clusters of {words.workflow or name_of_place(output)}"])
    return figure


def tuning_figure(
    table: Frame, *, name: str | None = None, title: str | None = None, width: int = WIDTH
) -> Figure:
    """Draw the results of many settings: seven quantities against `eps`, or four without gold outlines.

    Parameters
    ----------
    table : frame
        From `polyframe.tune`; of Polars, pandas or Arrow.
    name : str, optional
        The name of the marks.
    title : str, optional
        Replaces the line above the drawings.
    width : int
        Width of the picture in pixels, at 120 pixels per inch.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        If the table is not one of `tune`.
    """
    table = tuning_columns(table)
    figure = empty_figure(width)
    kinds = [kind for kind in TUNING_KINDS if kind not in GOLD_KINDS]
    axes = [tuning(table, add_panel(figure, 2), show=kind) for kind in kinds]
    tuning_legend(axes[1])
    of_what = f" of {name}" if name else ""
    marks, groups = (int(table[column].max() or 0) for column in ("marks", "groups"))  # type: ignore[arg-type]
    rows = [axes[:2], axes[2:]]
    what = f"Settings for the {counted(marks, 'mark')} in {counted(groups, 'group')}{of_what}"
    headers = [title or what, ""]
    if has_gold(table):
        columns = len(GOLD_KINDS)
        rows.append([tuning(table, add_panel(figure, columns), show=kind) for kind in GOLD_KINDS])
        headers.append("Averages, compared with the outlines of an expert")
    arrange(figure, rows, headers, [len(row) for row in rows])
    return figure


def toy_figure(
    *,
    eps: Sequence[float] = (0.1, 0.2, 0.3, 0.4),
    min_samples: Sequence[int] = (2, 4, 6, 8),
    averages: Sequence[AverageType] = ("median", "majority", "union", "intersection"),
    width: int = WIDTH,
) -> Figure:
    """Show the effect of settings on toy clusters: a row each for `eps`, `min_samples` and the averages.

    Parameters
    ----------
    eps, min_samples, averages : sequence
        The values to compare; a row without values is omitted.
    width : int
        Width of the picture in pixels, at 120 pixels per inch.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        If a setting is out of its range, or there are no values.
    """
    eps, min_samples, averages = map(as_list, (eps, min_samples, averages))
    near = toy_pair(distance=0.7, spread=0.13, rotation=12, seed=2)
    scattered = toy_pair(distance=1.5, spread=0.2, rotation=12, seed=2)
    one = toy_cluster(n_sides=5, spread=0.16, rotation=10, noise=0.05, seed=6)
    sections = [
        ("eps: the largest distance between neighbours (two objects that overlap, min_samples 4)", len(eps)),
        ("min_samples: how many make a core (scattered marks, eps 0.4)", len(min_samples)),
        ("average: how the marks of a cluster become one polygon (one object, eps 0.9)", len(averages)),
    ]
    columns = max(count for _, count in sections)
    if not columns:
        raise UsageError("toy: no value of eps, min_samples or averages to show")
    figure = empty_figure(width)
    rows = [[add_panel(figure, columns) for _ in range(count)] for _, count in sections]
    for value, ax in zip(eps, rows[0], strict=True):
        toy(near, ax, eps=value, min_samples=4, average_type=None)
    for least, ax in zip(min_samples, rows[1], strict=True):
        toy(scattered, ax, eps=0.4, min_samples=least, average_type=None)
    for kind, ax in zip(averages, rows[2], strict=True):
        toy(one, ax, eps=0.9, average_type=kind, title=kind)
    used = [(row, text) for row, (text, _) in zip(rows, sections, strict=True) if row]
    arrange(figure, [row for row, _ in used], [text for _, text in used], columns)
    return figure


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """Use the default style of Matplotlib with TrueType fonts, so that no matplotlibrc changes pictures."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_FONTS)
        yield


def save_figure(figure: Figure, path: AnyPath) -> None:
    """Write a figure to a file; in PDF and SVG, text stays text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Any figure of Matplotlib.
    path : path
        Ends in .png, .svg or .pdf; its folder is created. The same figure gives the same bytes. A PNG has the
        resolution of the figure. PDF files contain TrueType fonts; images in PDF and SVG have at least 300
        dots per inch.

    Raises
    ------
    UsageError
        If the name has another ending.
    PolyframeError
        If it cannot be written.
    """
    target = local_path(path, "path")
    ending = file_ending(target, PICTURE_ENDINGS, "picture")
    if not isinstance(figure, Figure):
        raise UsageError(f"figure: expected a figure of Matplotlib, got {type_name(figure)}")
    write_bytes(target, _content(figure, ending))


def svg_of_figure(figure: Figure) -> str:
    """Return a figure as SVG, as `save_figure` writes it."""
    return _content(figure, ".svg").decode()


def _content(figure: Figure, ending: str) -> bytes:
    content = BytesIO()
    # Reproducible: no dates and no random identifiers.
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    dpi = max(figure.dpi, _IMAGE_DPI) if ending in dates else figure.dpi
    with matplotlib.rc_context({"svg.hashsalt": "polyframe", **_FONTS}):
        figure.savefig(content, format=ending[1:], dpi=dpi, metadata=dates.get(ending))
    return content.getvalue()
