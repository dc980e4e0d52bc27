"""Show a subject inline in a notebook, as SVG and without files."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyframe.core.choices import CorrectionsUse, Scale
from polyframe.core.levels import AnyLevel
from polyframe.core.local_copies import AnyFile
from polyframe.core.local_paths import AnyPlace
from polyframe.plot.figures import WIDTH, drawable_kinds, own_style, subject_figure, svg_of_figure
from polyframe.plot.image_axes import ImageArray, counts, heading
from polyframe.plot.read_mark_groups import MarkGroup, read_groups


@dataclass(frozen=True, repr=False)
class ShownSubject:
    """A subject that a notebook shows: its last value in a cell is the picture.

    Attributes
    ----------
    groups : list of MarkGroup
        What is drawn, for further drawings of `polyframe.plot`.
    svg : str
        The picture.
    """

    groups: list[MarkGroup]
    svg: str

    def __repr__(self) -> str:
        lines = [f"  {heading(group)}: {counts(group)}" for group in self.groups]
        return "\n".join([f"<polyframe subject {self.groups[0].subject_id}>", *lines])

    def _repr_html_(self) -> str:
        # As an image: identifiers and styles of several pictures on a page must not affect one another.
        data = b64encode(self.svg.encode()).decode()
        text = f"Outlines of subject {self.groups[0].subject_id}"
        return f'<img style="max-width: 100%" alt="{text}" src="data:image/svg+xml;base64,{data}">'


def show(
    output: AnyPlace,
    subject: int,
    *,
    show: str | Sequence[str] | None = None,
    level: AnyLevel | None = None,
    task: str | Iterable[str] = (),
    frame: int | Iterable[int] = (),
    tool: int | Iterable[int] = (),
    images: Mapping[int, ImageArray] | None = None,
    workflows: AnyFile | None = None,
    classifications: AnyFile | None = None,
    corrections: CorrectionsUse | None = None,
    scale: Scale = "share",
    title: str | None = None,
    width: int = WIDTH,
    storage_options: Mapping[str, str] | None = None,
) -> ShownSubject:
    """Show a subject inline in a notebook: volunteers' outlines, averages, agreement and majority, as `plot`.

    Parameters
    ----------
    output : path or address
        The output directory; nothing in it is changed, and no file is written.
    subject : int
        The subject.
    show : str or sequence of str, optional
        `marks`, `averages`, `agreement` with the outline of the majority, or several. Default: all, without
        `agreement` if there are no contours.
    level : int or str, optional
        Draw this contour level too: a number of marks, such as 3, or a share such as `50%`.
    task, frame, tool : str or int, or several
        Only these.
    images : mapping of int to array, optional
        The image of each frame, for example from `polyframe.plot.read_image`; others are white.
    workflows, classifications : path or address, optional
        The exports with the project's words for tasks and tools.
    corrections : {"use", "ignore"}, optional
        Whether imported corrections replace the averages of their clusters. Default: use.
    scale : {"share", "count"}
        Whether the heat map of agreement shows shares of the marks of a cluster, or counts them.
    title : str, optional
        Above the picture.
    width : int
        Width in pixels; the height follows.
    storage_options : mapping, optional
        As for `polyframe.scan`.

    Returns
    -------
    ShownSubject
        A notebook shows it as a picture.

    Raises
    ------
    UsageError
        If an argument is not valid.
    PolyframeError
        If the subject or a table is missing, or Matplotlib (the extra `plot`).

    Examples
    --------
    >>> import polyframe as pf
    >>> pf.show("out", 1000003)  # doctest: +SKIP
    """
    groups = read_groups(
        output,
        subject,
        tasks=task,
        frames=frame,
        tools=tool,
        workflows=workflows,
        classifications=classifications,
        corrections=corrections,
        storage_options=storage_options,
    )
    kinds: Any = show if show is not None else drawable_kinds(groups)
    with own_style():
        figure = subject_figure(
            groups, show=kinds, level=level, images=images, title=title, width=width, scale=scale
        )
        return ShownSubject(groups, svg_of_figure(figure))
