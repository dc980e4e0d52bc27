"""Pictures: marks, averages and contours of a subject, consensus of all clusters, comparisons of settings.

`read_groups` reads the groups of a subject from an output directory; `marks`, `averages`, `agreement` and
`level` draw one of them on a Matplotlib axes. `consensus` and `consensus_by_size` draw all clusters of an
output directory, `tuning` the results of many settings, and `toy` a small made-up cluster that shows what a
setting does. All of them draw on the given axes and return it. `subject_figure`, `overview_figure`,
`tuning_figure` and `toy_figure` combine them into figures, and `save_figure` writes one to a file. Nothing
uses pyplot. Needs the extra `plot`.

>>> import polyframe as pf
>>> group = pf.plot.read_groups("out", 1000003)[0]  # doctest: +SKIP
>>> pf.plot.marks(group, ax, image=pf.plot.read_image("data/images/1000003-0.png"))  # doctest: +SKIP

`read_mark_groups` reads the tables, `load_images` images; `line_styles` and `image_axes`
contain what the drawings share; the modules `draw_*` draw on axes; `layout` and `figures` put panels
together.
"""

from polyframe.core.errors import PolyframeError
from polyframe.core.extras import install_command

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError:
    raise PolyframeError(f"pictures need Matplotlib: {install_command('plot')}") from None

from polyframe.panoptes.subjects.image_files import ImageFolder
from polyframe.panoptes.subjects.subject_export import read_subject
from polyframe.plot.draw_consensus import consensus, consensus_by_size
from polyframe.plot.draw_contours import agreement, level
from polyframe.plot.draw_marks import averages, marks
from polyframe.plot.draw_toy_clusters import toy
from polyframe.plot.draw_tuning import tuning, tuning_legend
from polyframe.plot.figures import (
    overview_figure,
    own_style,
    save_figure,
    subject_figure,
    toy_figure,
    tuning_figure,
)
from polyframe.plot.load_images import fetch_image, read_image, read_images
from polyframe.plot.read_mark_groups import MarkCluster, MarkGroup, groups_of, read_groups

__all__ = [
    "ImageFolder",
    "MarkCluster",
    "MarkGroup",
    "agreement",
    "averages",
    "consensus",
    "consensus_by_size",
    "fetch_image",
    "groups_of",
    "level",
    "marks",
    "overview_figure",
    "own_style",
    "read_groups",
    "read_image",
    "read_images",
    "read_subject",
    "save_figure",
    "subject_figure",
    "toy",
    "toy_figure",
    "tuning",
    "tuning_figure",
    "tuning_legend",
]


def __dir__() -> list[str]:
    return sorted(__all__)
