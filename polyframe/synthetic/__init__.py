"""Synthetic exports with a known truth, and toy clusters that show what settings do.

`options` says what can be chosen; `scene` makes the objects of a subject, `volunteers` the people, `outlines`
and `drawing` their marks, `rows` and `export` the CSV; `images` the pictures, `example` the folder `data`;
`toy` makes small clusters of regular polygons.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyframe.synthetic.example import EXAMPLE, write_example
    from polyframe.synthetic.ground_truth import TrueOutline, true_outlines
    from polyframe.synthetic.subject_images import subject_image, write_images
    from polyframe.synthetic.synth_options import SynthOptions
    from polyframe.synthetic.synthetic_export import ExportSummary, subjects_per_block, write_export
    from polyframe.synthetic.toy_clusters import ToyCluster, toy_cluster, toy_pair

# Late, so that the command line can read the options without waiting for NumPy.
_MODULES = {
    "EXAMPLE": "example",
    "ExportSummary": "synthetic_export",
    "SynthOptions": "synth_options",
    "ToyCluster": "toy_clusters",
    "TrueOutline": "ground_truth",
    "subject_image": "subject_images",
    "subjects_per_block": "synthetic_export",
    "toy_cluster": "toy_clusters",
    "toy_pair": "toy_clusters",
    "true_outlines": "ground_truth",
    "write_example": "example",
    "write_export": "synthetic_export",
    "write_images": "subject_images",
}

__all__ = [
    "EXAMPLE",
    "ExportSummary",
    "SynthOptions",
    "ToyCluster",
    "TrueOutline",
    "subject_image",
    "subjects_per_block",
    "toy_cluster",
    "toy_pair",
    "true_outlines",
    "write_example",
    "write_export",
    "write_images",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"polyframe.synthetic.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'polyframe.synthetic' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
