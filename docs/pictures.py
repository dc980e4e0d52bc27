"""Draw the pictures of the documentation with `polyframe.plot`, from toy marks and the example project."""

import tempfile
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import polyframe as pf
from polyframe.core.colours import ON_IMAGE, ON_WHITE
from polyframe.synthetic import ToyCluster, toy_cluster, toy_pair

DATA: Final = Path(__file__).parent.parent / "data"
AVERAGES: Final = ("median", "majority", "union", "intersection")


def draw_pictures(folder: Path) -> None:
    """Draw all pictures into a folder, as PNG."""
    mpl.use("Agg")
    with tempfile.TemporaryDirectory(prefix="polyframe-docs-") as work:
        out = Path(work) / "out"
        pf.run(DATA / "classifications.csv", out, DATA / "config.yaml", jobs=1)
        pictures = {
            "distance": distance(),
            "eps": eps(),
            "min-samples": min_samples(),
            "averages": averages(),
            "consensus": consensus(),
            "contours": contours(out),
            "tune": pf.plot.tuning_figure(pf.tune(out, eps="0.05:0.95:0.05", min_samples="2,3,4")),
            "tune-gold": compared_with_gold(out),
        }
        for name, figure in pictures.items():
            figure.savefig(folder / f"{name}.png", dpi=120)


def panels(height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with two rows of two panels, which can be read on a phone too."""
    figure = Figure(figsize=(7.5, 2 * height), layout="constrained")
    return figure, list(figure.subplots(2, 2).flat)


def distance() -> Figure:
    """Draw pairs of outlines with their intersection and union, and the IoU distance."""
    figure = Figure(figsize=(7.5, 2.3), layout="constrained")
    for shift, ax in zip((0.1, 0.5, 1.2), figure.subplots(1, 3, sharex=True), strict=True):
        pair = toy_pair(12, 1, distance=shift, spread=0, rotation=0, seed=1)
        polygons = pf.geometry.polygons_from_paths(pair.xs, pair.ys)
        union, common = polygons[0].union(polygons[1]), polygons[0].intersection(polygons[1])
        ax.fill(*union.exterior.xy, color=ON_IMAGE[0], alpha=0.3)
        ax.fill(*common.exterior.xy, color=ON_WHITE[0], alpha=0.6)
        for polygon in polygons:
            ax.plot(*polygon.exterior.xy, color="black", linewidth=1)
        ax.set(aspect="equal", title=f"IoU distance {1 - common.area / union.area:.2f}")
        ax.axis("off")
    return figure


def eps() -> Figure:
    """Draw what `eps` does to two objects side by side."""
    pair = toy_pair(distance=0.7, spread=0.11, rotation=12, seed=2)
    figure, axes = panels(2.9)
    for value, ax in zip((0.1, 0.2, 0.3, 0.5), axes, strict=True):
        pf.plot.toy(pair, ax, eps=value, min_samples=3, average_type=None)
    return figure


def min_samples() -> Figure:
    """Draw what `min_samples` does to scattered marks."""
    pair = toy_pair(distance=1.5, spread=0.2, rotation=12, seed=2)
    figure, axes = panels(2.7)
    for value, ax in zip((2, 4, 6, 8), axes, strict=True):
        pf.plot.toy(pair, ax, eps=0.4, min_samples=value, average_type=None)
    return figure


def averages() -> Figure:
    """Draw each average of eight careful marks and a hurried one."""
    careful = toy_cluster(5, 8, spread=0.09, rotation=7, noise=0.05, seed=6)
    hurried = toy_cluster(5, 1, radius=1.2, centre=(0.35, 0.2), spread=0, seed=1)
    cluster = ToyCluster(
        xs=careful.xs + hurried.xs,
        ys=careful.ys + hurried.ys,
        volunteer=np.append(careful.volunteer, 8),
        truth=np.append(careful.truth, 0),
    )
    figure, axes = panels(3.5)
    for average, ax in zip(AVERAGES, axes, strict=True):
        pf.plot.toy(cluster, ax, eps=0.7, average_type=average, title=average)
    return figure


def consensus() -> Figure:
    """Draw clusters that agree less and less, with their consensus."""
    figure, axes = panels(3.7)
    for spread, ax in zip((0.03, 0.1, 0.2, 0.3), axes, strict=True):
        cluster = toy_cluster(5, spread=spread, rotation=40 * spread, seed=6)
        polygons = pf.geometry.polygons_from_paths(cluster.xs, cluster.ys)
        value = pf.geometry.consensus(pf.geometry.iou_distance_matrix(polygons))
        pf.plot.toy(cluster, ax, eps=0.9, average_type=None, title=f"consensus {value:.2f}")
    return figure


def contours(out: Path) -> Figure:
    """Draw outlines of a subject, the agreement, and one level."""
    (group,) = pf.plot.read_groups(out, 1000008, tools=[0])
    image = pf.plot.read_image(DATA / "images" / "1000008-0.png")
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    pf.plot.marks(group, left, image=image, title="Outlines")
    pf.plot.agreement(group, middle, image=image, title="Agreement")
    pf.plot.level(group, right, level=4, image=image, title="Level 4")
    return figure


def compared_with_gold(out: Path) -> Figure:
    """Draw how well the averages of many settings agree with an expert."""
    table = pf.tune(out, eps="0.05:0.95:0.05", min_samples="2,3,4", gold=DATA / "expert.geojson")
    figure = Figure(figsize=(12, 3.7), layout="constrained")
    axes = figure.subplots(1, 3)
    for kind, ax in zip(("gold_precision", "gold_recall", "gold_iou"), axes, strict=True):
        pf.plot.tuning(table, ax, show=kind)
    pf.plot.tuning_legend(axes[0])
    return figure
