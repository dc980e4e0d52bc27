"""Let crowd-kit and SimpleITK, each in its own environment, combine the marks of clusters as pixel masks."""

import itertools
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from processes import ProcessError, python_with, run_process
from raster_side import Clusters, unpack, write_clusters

from polyframe.export.polygon_fill import fill

SIDE = Path(__file__).with_name("raster_side.py")
#: What is installed for each tool.
REQUIREMENTS = {"crowdkit": ("crowd-kit==1.4.2",), "simpleitk": ("SimpleITK==2.5.7", "numpy")}


@dataclass
class RasterTools:
    """The tools that can be used here.

    Attributes
    ----------
    pythons : dict of str to str
        A Python for each tool.
    missing : dict of str to str
        Why a tool cannot be used.
    versions : dict of str to str
        Of the packages that have been used.
    """

    pythons: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def combine(
        self, polygons: NDArray[Any], offsets: NDArray[np.int64], workers: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """Return the region of each cluster by each method of each tool.

        Parameters
        ----------
        polygons : (m,) array of shapely.Polygon
            Marks, sorted by cluster.
        offsets : (c + 1,) int64
        workers : (m,) int64
            Who drew each mark.
        """
        parts = [slice(*ends) for ends in itertools.pairwise(offsets.tolist())]
        rasters = [rasterize(polygons[part]) for part in parts]
        clusters = [(masks, workers[part]) for (masks, _), part in zip(rasters, parts, strict=True)]
        regions = {}
        for tool in self.pythons:
            for method, found in self._ask(tool, clusters).items():
                pairs = zip(found, rasters, strict=True)
                regions[method] = np.array([region_of(mask, origin) for mask, (_, origin) in pairs], object)
        return regions

    def _ask(self, tool: str, clusters: Clusters) -> dict[str, list[NDArray[np.bool_]]]:
        with tempfile.TemporaryDirectory(prefix="polyframe-masks-") as folder:
            masks, results = Path(folder, "masks.npz"), Path(folder, "results.npz")
            write_clusters(masks, clusters)
            job = {"tool": tool, "masks": str(masks), "results": str(results)}
            done = run_process([self.pythons[tool], str(SIDE)], text=json.dumps(job), folder=SIDE.parent)
            shapes = np.array([masks.shape[1:] for masks, _ in clusters], dtype=np.int64)
            with np.load(results) as file:
                found = {method: unpack(file[method], shapes) for method in file.files}
        self.versions |= json.loads(done.output.splitlines()[-1])
        return found


def install(names: list[str]) -> RasterTools:
    """Return the tools with some names; those that cannot be installed are missing."""
    tools = RasterTools()
    for name in names:
        try:
            tools.pythons[name] = python_with(name, *REQUIREMENTS[name])
        except ProcessError as error:
            variable = f"POLYFRAME_{name.upper()}_PYTHON"
            tools.missing[name] = f"cannot be installed ({error}); {variable} can name a Python that has it"
            print(f"skipped {name}: {tools.missing[name]}", flush=True)
    return tools


def rasterize(marks: NDArray[Any]) -> tuple[NDArray[np.bool_], tuple[float, float]]:
    """Return the pixels of each mark, (n, height, width) bool, and the corner of the first pixel.

    Parameters
    ----------
    marks : (n,) array of shapely.Polygon
        A pixel belongs to a mark that contains its centre.
    """
    x_min, y_min, x_max, y_max = shapely.total_bounds(marks)
    left, top = int(np.floor(x_min)) - 1, int(np.floor(y_min)) - 1
    size = (int(np.ceil(y_max)) + 1 - top, int(np.ceil(x_max)) + 1 - left)
    masks = np.zeros((len(marks), *size), np.uint8)
    for mask, mark in zip(masks, marks, strict=True):
        for value, rings in ((1, [mark.exterior]), (0, mark.interiors)):
            for ring in rings:
                fill(mask, shapely.get_coordinates(ring) - (left, top), value)
    return masks.astype(np.bool_), (left, top)


def region_of(mask: NDArray[np.bool_], origin: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Return the union of the pixels of a mask; `origin` is the corner of its first pixel."""
    steps = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    x, y = origin
    runs = shapely.box(starts + x, rows + y, ends + x, rows + y + 1)
    region = shapely.union_all(runs)
    return shapely.Polygon() if region.is_empty else region
