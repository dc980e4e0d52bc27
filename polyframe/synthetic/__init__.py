"""Generate synthetic exports with a known truth, and toy clusters that show what settings do.

- `synth_options`: what can be chosen
- `ground_truth`: the objects in the images of a subject; `truth_geojson`: their outlines as a file
- `subject_images`: the images
- `volunteer_pool`: the volunteers; `drawing`: the marks that they draw
- `csv_rows`, `synthetic_export`: the classification export as CSV
- `example`: the example project in the folder `data`
- `toy_clusters`: small clusters of regular polygons
- `random_numbers`: random numbers that are the same on every machine
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
    from polyframe.synthetic.truth_geojson import write_truth

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
    "write_truth",
]


_MODULES = {
    "example": ("EXAMPLE", "write_example"),
    "ground_truth": ("TrueOutline", "true_outlines"),
    "subject_images": ("subject_image", "write_images"),
    "synth_options": ("SynthOptions",),
    "synthetic_export": ("ExportSummary", "subjects_per_block", "write_export"),
    "toy_clusters": ("ToyCluster", "toy_cluster", "toy_pair"),
    "truth_geojson": ("write_truth",),
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that the command line can read the options without loading NumPy.
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"polyframe.synthetic.{module}"), name)
    raise AttributeError(f"module 'polyframe.synthetic' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
