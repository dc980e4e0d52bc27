"""Define the command `polyframe plot`."""

import functools
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from polyframe.cli.completion import folders
from polyframe.cli.console import say
from polyframe.cli.help import TopicOption, command
from polyframe.cli.options import (
    corrections_option,
    image_options,
    storage_option,
    title_option,
    word_classifications_option,
    words_option,
)
from polyframe.cli.parameter_types import LEVEL, LOCAL_PATH, PATH_OR_ADDRESS, PLACE, SUBJECT_ID
from polyframe.core.addresses import Address, Place
from polyframe.core.choices import Scale
from polyframe.core.errors import UsageError
from polyframe.core.local_paths import file_ending

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from polyframe.plot.read_mark_groups import MarkGroup

_KINDS: Final = ("marks", "averages", "agreement")
_content_option = functools.partial(click.option, cls=TopicOption, topic="Content")
_image_option = functools.partial(click.option, cls=TopicOption, topic="Background image")


@command(
    "polyframe plot out --subject 1000003 --images data/images --subjects data/subjects.csv -o subject.png",
    "polyframe plot out -o consensus.png",
    short_help="Draw a subject, or statistics of all clusters.",
)
@click.argument("output", metavar="[OUT]", required=False, type=PLACE, shell_complete=folders)
@_content_option(
    "--subject", type=SUBJECT_ID, help="draw this subject  [default: statistics of all clusters]"
)
@_content_option(
    "--toy",
    is_flag=True,
    help="show the effect of eps, min_samples and averages on toy clusters, without OUT",
)
@click.option(
    "-o", "--output", "picture", required=True, type=LOCAL_PATH, help="picture file: .png, .svg or .pdf"
)
@_content_option(
    "--show",
    multiple=True,
    type=click.Choice(_KINDS),
    help="volunteers' outlines, averaged polygons or the heat map of agreement; repeatable  [default: all]",
)
@_content_option(
    "--level",
    type=LEVEL,
    help="draw this contour level, a number of marks or a share such as 50% (alone, without --show)",
)
@_content_option(
    "--scale",
    type=click.Choice(typing.get_args(Scale)),
    help="heat map of agreement: shares of the marks of a cluster, or their number  [default: share]",
)
@_content_option("--frame", multiple=True, type=int, help="only this frame, from 0; repeatable")
@_content_option("--tool", multiple=True, type=int, help="only the tool with this index; repeatable")
@_content_option("--task", multiple=True, help="only this task, such as T0; repeatable")
@words_option
@word_classifications_option
@title_option
@_image_option("--image", type=LOCAL_PATH, help="image file of the frame")
@image_options
@_image_option("--subjects", type=PATH_OR_ADDRESS, help="subject export (CSV)")
@click.option(
    "--width",
    type=click.IntRange(200, 10_000),
    default=1200,
    show_default=True,
    help="width of the picture in pixels",
)
@corrections_option
@storage_option
def plot(
    output: Place | None,
    subject: int | None,
    toy: bool,
    picture: Path,
    width: int,
    title: str | None,
    corrections: Any,
    **chosen: Any,
) -> None:
    """Draw a subject of OUT, or the distribution of consensus over all clusters.

    The picture of a subject has a row for each frame and tool: the volunteers' outlines coloured by cluster
    (outliers dashed), the averaged polygons, and the contours as a heat map of agreement with the outline of
    the majority. The background is white unless an image is given.

    Needs the extra panoptes-polyframe[plot].
    """
    _check(output, subject, toy, chosen)
    from polyframe import plot as pictures
    from polyframe.plot.figures import PICTURE_ENDINGS

    file_ending(picture, PICTURE_ENDINGS, "picture")
    with pictures.own_style():
        if output is None:
            figure = pictures.toy_figure(width=width)
        elif subject is None:
            figure = pictures.overview_figure(output, title=title, workflows=chosen["workflows"], width=width)
        else:
            figure = _subject_figure(output, subject, width, title, corrections=corrections, **chosen)
        pictures.save_figure(figure, picture)


def _check(output: Place | None, subject: int | None, toy: bool, chosen: Mapping[str, Any]) -> None:
    """Raise a UsageError if options contradict each other."""
    if toy and (output or subject is not None):
        raise UsageError("--toy cannot be combined with OUT or --subject")
    if not toy and output is None:
        raise UsageError("name an output directory, or use --toy; see `polyframe plot --help`")
    for_all = () if toy else ("workflows",)
    set_names = [
        name for name, value in chosen.items() if value not in (None, (), False) and name not in for_all
    ]
    if subject is None and set_names:
        raise UsageError(f"--{set_names[0]} needs --subject ID")
    images = [name for name in ("images", "fetch") if chosen[name]]
    if chosen["image"] and images:
        raise UsageError("choose one of --image, --images and --fetch")
    if chosen["subjects"] and not images:
        raise UsageError("--subjects needs --images DIR, or --fetch to download the images from Zooniverse")


def _subject_figure(
    output: Place,
    subject: int,
    width: int,
    title: str | None,
    *,
    workflows: Path | Address | None,
    classifications: Path | Address | None,
    show: Sequence[str],
    level: str | None,
    frame: tuple[int, ...],
    tool: tuple[int, ...],
    task: tuple[str, ...],
    scale: Any,
    corrections: Any,
    **images: Any,
) -> "Figure":
    from polyframe import plot as pictures
    from polyframe.plot.figures import drawable_kinds

    groups = pictures.read_groups(
        output,
        subject,
        tasks=task,
        frames=frame,
        tools=tool,
        workflows=workflows,
        classifications=classifications,
        corrections=corrections,
    )
    if not show and level is None:
        show = drawable_kinds(groups)
    return pictures.subject_figure(
        groups,
        show=show,
        level=level,
        scale=scale or "share",
        images=_images(groups, subject, **images),
        title=title,
        width=width,
        say=say(quiet=False),
    )


def _images(groups: "list[MarkGroup]", subject: int, *, image: Path | None, **options: Any) -> dict[int, Any]:
    """Return the images of the frames that are drawn."""
    from polyframe import plot as pictures

    if image is None:
        return pictures.read_images(groups, say=say(quiet=False), **options)
    frames = sorted({group.frame for group in groups})
    if len(frames) > 1:
        numbers = ", ".join(map(str, frames))
        raise UsageError(
            f"--image is for one frame; subject {subject} has marks in frames {numbers}: add --frame N"
        )
    return {frames[0]: pictures.read_image(image)}
