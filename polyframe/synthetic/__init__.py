"""Synthetic exports with a known truth, and toy clusters that show what settings do.

`options` says what can be chosen; `scene` makes the objects of a subject, `volunteers` the people, `outlines`
and `drawing` their marks, `rows` and `export` the CSV; `images` the pictures, `example` the folder `data`;
`toy` makes small clusters of regular polygons.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyframe.synthetic.example import EXAMPLE, write_example
    from polyframe.synthetic.export import ExportSummary, subjects_per_block, write_export
    from polyframe.synthetic.images import subject_image, write_images
    from polyframe.synthetic.options import SynthOptions
    from polyframe.synthetic.scene import TrueOutline, true_outlines
    from polyframe.synthetic.toy import ToyCluster, toy_cluster, toy_pair

# Late, so that the command line can read the options without waiting for NumPy.
_MODULES = {
    "EXAMPLE": "example",
    "ExportSummary": "export",
    "SynthOptions": "options",
    "ToyCluster": "toy",
    "TrueOutline": "scene",
    "subject_image": "images",
    "subjects_per_block": "export",
    "toy_cluster": "toy",
    "toy_pair": "toy",
    "true_outlines": "scene",
    "write_example": "example",
    "write_export": "export",
    "write_images": "images",
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
