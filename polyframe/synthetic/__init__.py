"""Synthetic exports with a known truth, and toy clusters that show what settings do."""

from polyframe.synthetic.example import EXAMPLE, write_example
from polyframe.synthetic.export import ExportSummary, subjects_per_block, write_export
from polyframe.synthetic.images import png, subject_image, write_images
from polyframe.synthetic.options import SynthOptions
from polyframe.synthetic.scene import TrueOutline, true_outlines
from polyframe.synthetic.toy import ToyCluster, toy_cluster, toy_pair

__all__ = [
    "EXAMPLE",
    "ExportSummary",
    "SynthOptions",
    "ToyCluster",
    "TrueOutline",
    "png",
    "subject_image",
    "subjects_per_block",
    "toy_cluster",
    "toy_pair",
    "true_outlines",
    "write_example",
    "write_export",
    "write_images",
]
