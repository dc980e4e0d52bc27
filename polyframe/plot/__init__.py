"""Pictures: marks of a subject, averages and contours, consensus over all clusters, settings compared.

`read_groups` takes what is known of a subject from an output directory; `marks`, `averages`, `agreement` and
`level` draw one of its groups on an axes of Matplotlib; `consensus` and `consensus_by_size` draw all clusters
of an output directory, `tuning` what many settings make of it, `toy` a small cluster that shows what a
setting does. They draw on the axes that they are given and return it. `subject_figure`, `overview_figure`,
`tuning_figure` and `toy_figure` put them side by side, and `save_figure` writes the picture; none of them
uses pyplot. Needs the extra `plot`.

>>> import polyframe as pf
>>> group = pf.plot.read_groups("out", 1000003)[0]  # doctest: +SKIP
>>> pf.plot.marks(group, ax, image=pf.plot.read_image("data/images/1000003-0.png"))  # doctest: +SKIP

`groups` knows the tables, `images` files and addresses of images, `palette` the lines, `canvas` axes like
an image, titles and legends; `outlines`, `contours`, `overview`, `tuned` and `toys` draw; `layout` and
`figures` put panels together.
"""

from polyframe.core.errors import PolyframeError
from polyframe.core.extras import install_command

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError:
    raise PolyframeError(f"pictures need Matplotlib: {install_command('plot')}") from None

from polyframe.panoptes.images import ImageFolder
from polyframe.panoptes.subjects import read_subject
from polyframe.plot.contours import agreement, level
from polyframe.plot.figures import (
    overview_figure,
    own_style,
    save_figure,
    subject_figure,
    toy_figure,
    tuning_figure,
)
from polyframe.plot.groups import Cluster, MarkGroup, groups_of, read_groups
from polyframe.plot.images import fetch_image, read_image
from polyframe.plot.outlines import averages, marks
from polyframe.plot.overview import consensus, consensus_by_size
from polyframe.plot.toys import toy
from polyframe.plot.tuned import tuning, tuning_legend

__all__ = [
    "Cluster",
    "ImageFolder",
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
    "read_subject",
    "save_figure",
    "subject_figure",
    "toy",
    "toy_figure",
    "tuning",
    "tuning_figure",
    "tuning_legend",
]
