"""The command `polyframe plot`."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from polyframe.cli.completion import folders
from polyframe.cli.help import TopicOption, command
from polyframe.cli.parameter_types import LOCAL_PATH, SUBJECT_ID
from polyframe.core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from polyframe.plot.mark_groups import MarkGroup

_KINDS: Final = ("marks", "averages", "agreement")
_drawn = functools.partial(click.option, cls=TopicOption, topic="What is drawn")
_behind = functools.partial(click.option, cls=TopicOption, topic="The image behind it")


@command(
    "polyframe plot out --subject 1000003 --images data/images --subjects data/subjects.csv -o subject.png",
    "polyframe plot out -o consensus.png",
    short_help="Draw a subject, or consensus over all clusters.",
)
@click.argument("output", metavar="[OUT]", required=False, type=LOCAL_PATH, shell_complete=folders)
@_drawn("--subject", type=SUBJECT_ID, help="draw this subject; else all clusters of OUT")
@_drawn("--toy", is_flag=True, help="draw what eps, min_samples and averages do to toy clusters, without OUT")
@click.option("-o", "--output", "picture", required=True, type=LOCAL_PATH, help="a .png, .svg or .pdf")
@_drawn(
    "--show",
    multiple=True,
    type=click.Choice(_KINDS),
    help="volunteers' outlines, averaged polygons, or the heat map of agreement; repeatable  [default: all]",
)
@_drawn("--level", type=click.IntRange(1), help="draw this contour level (by itself without --show)")
@_drawn("--frame", multiple=True, type=int, help="only this frame, from 0; repeatable")
@_drawn("--tool", multiple=True, type=int, help="only the tool with this index; repeatable")
@_drawn("--task", multiple=True, help="only this task, such as T0; repeatable")
@_behind("--image", type=LOCAL_PATH, help="the image file of the frame")
@_behind(
    "--images",
    type=LOCAL_PATH,
    shell_complete=folders,
    help="a folder with the files that the metadata in --subjects name",
)
@_behind("--subjects", type=LOCAL_PATH, help="the subjects export, CSV")
@_behind("--fetch", is_flag=True, help="fetch images from the addresses in --subjects")
@click.option(
    "--width",
    type=click.IntRange(200, 10_000),
    default=1200,
    show_default=True,
    help="of the picture, in pixels",
)
def plot(
    output: Path | None,
    subject: int | None,
    toy: bool,
    picture: Path,
    width: int,
    **chosen: Any,
) -> None:
    """Draw a subject of OUT, or consensus over all its clusters, into a picture.

    A subject is drawn with one row for each frame and tool: the volunteers' outlines coloured by cluster
    (outliers dashed), the averaged polygons, and the contours as a heat map of agreement. Behind it is the
    image where it is given, else white.

    Needs the extra panoptes-polyframe[plot].
    """
    _check(output, subject, toy, chosen)
    from polyframe import plot as pictures
    from polyframe.plot.figures import check_format

    check_format(picture)
    with pictures.own_style():
        if toy:
            figure = pictures.toy_figure(width=width)
        elif subject is None:
            figure = pictures.overview_figure(_given(output), width=width)
        else:
            figure = _subject_figure(_given(output), subject, width, **chosen)
        pictures.save_figure(figure, picture)


def _check(output: Path | None, subject: int | None, toy: bool, chosen: Mapping[str, Any]) -> None:
    """Raise a UsageError where options do not go together."""
    if toy and (output or subject is not None):
        raise UsageError("--toy goes without OUT and --subject")
    if not toy and output is None:
        raise UsageError("name the output directory of a run, or use --toy; see `polyframe plot --help`")
    if subject is None and (
        given := [name for name, value in chosen.items() if value not in (None, (), False)]
    ):
        raise UsageError(f"--{given[0]} goes with --subject ID")
    if sum(map(bool, (chosen["image"], chosen["images"], chosen["fetch"]))) > 1:
        raise UsageError("choose one of --image, --images and --fetch")
    if (chosen["images"] or chosen["fetch"]) and not chosen["subjects"]:
        named = "--images" if chosen["images"] else "--fetch"
        raise UsageError(
            f"{named} needs --subjects SUBJECTS.csv, which says which image belongs to a subject"
        )
    if chosen["subjects"] and not (chosen["images"] or chosen["fetch"]):
        raise UsageError("--subjects needs --images DIR, or --fetch to fetch the images from Zooniverse")


def _subject_figure(
    output: Path,
    subject: int,
    width: int,
    *,
    show: tuple[str, ...],
    level: int | None,
    frame: tuple[int, ...],
    tool: tuple[int, ...],
    task: tuple[str, ...],
    **where: Any,
) -> "Figure":
    from polyframe import plot as pictures

    groups = pictures.read_groups(output, subject, tasks=task, frames=frame, tools=tool)
    if not show and level is None:
        # What a run with --no-contours lacks is not asked for.
        contoured = all(cluster.levels is not None for group in groups for cluster in group.clusters)
        show = _KINDS if contoured else _KINDS[:2]
    return pictures.subject_figure(
        groups, show=show, level=level, images=_images(groups, subject, **where), width=width
    )


def _images(
    groups: "list[MarkGroup]",
    subject: int,
    *,
    image: Path | None,
    images: Path | None,
    subjects: Path | None,
    fetch: bool,
) -> dict[int, Any]:
    """Return the images of the frames that are drawn; say where one is missing."""
    from polyframe import plot as pictures

    frames = sorted({group.frame for group in groups})
    if image:
        if len(frames) > 1:
            there = ", ".join(map(str, frames))
            raise UsageError(
                f"--image is one frame, and subject {subject} has marks in {there}; add --frame N"
            )
        return {frames[0]: pictures.read_image(image)}
    if not subjects:
        return {}
    known = pictures.read_subject(subjects, subject)
    found: dict[int, Any] = known.locations if fetch else pictures.ImageFolder(_given(images)).of(known)
    take: Any = pictures.fetch_image if fetch else pictures.read_image
    for number in frames:
        if number not in found:
            where = subjects if fetch else images
            click.echo(f"polyframe: {where}: no image of frame {number}, which is left white", err=True)
    return {number: take(found[number]) for number in frames if number in found}


def _given(path: Path | None) -> Path:
    if path is None:
        raise UsageError("a path is missing; see `polyframe plot --help`")
    return path
