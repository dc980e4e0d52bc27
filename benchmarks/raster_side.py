"""Combine pixel masks by crowd-kit or SimpleITK; executed by a Python that has one of them.

Reads a job as JSON from standard input: the `tool`, and the files `masks` and `results`. Prints the versions
of the packages as JSON. `raster_tools.py` is the other side.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

#: The masks of each cluster, (n, height, width) bool, and the numbers of those who drew them, (n,) int64.
Clusters = list[tuple[np.ndarray, np.ndarray]]


def main() -> None:
    job = json.load(sys.stdin)
    combine, packages = _TOOLS[job["tool"]]
    clusters = read_clusters(Path(job["masks"]))
    results = {name: pack(masks) for name, masks in combine(clusters)}
    np.savez(job["results"], **results)
    print(json.dumps({name: version(name) for name in packages}))


def crowdkit(clusters: Clusters) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield the results of majority voting, RASA and EM."""
    import pandas as pd
    from crowdkit.aggregation import SegmentationEM, SegmentationMajorityVote, SegmentationRASA

    methods = {"majority": SegmentationMajorityVote, "RASA": SegmentationRASA, "EM": SegmentationEM}
    rows = [
        (task, worker, mask)
        for task, (masks, workers) in enumerate(clusters)
        for worker, mask in zip(workers.tolist(), masks, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["task", "worker", "segmentation"])
    for name, method in methods.items():
        found = method().fit_predict(frame)
        yield f"crowd-kit {name}", [np.asarray(found[task], dtype=np.bool_) for task in range(len(clusters))]


def simpleitk(clusters: Clusters) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield the pixels that STAPLE considers more likely inside than outside."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    staple = SimpleITK.STAPLEImageFilter()
    staple.SetForegroundValue(1.0)
    found = []
    for masks, _ in clusters:
        images = [SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
        found.append(SimpleITK.GetArrayFromImage(staple.Execute(images)) > 0.5)
    yield "STAPLE", found


def write_clusters(path: Path, clusters: Clusters) -> None:
    """Write the masks of clusters to a file for `read_clusters`."""
    np.savez(
        path,
        shapes=np.array([masks.shape for masks, _ in clusters], dtype=np.int64).reshape(-1, 3),
        workers=np.concatenate([np.zeros(0, np.int64), *(workers for _, workers in clusters)]),
        bits=pack([masks for masks, _ in clusters]),
    )


def read_clusters(path: Path) -> Clusters:
    """Read the masks of clusters."""
    with np.load(path) as file:
        shapes, workers, bits = file["shapes"], file["workers"], file["bits"]
    numbers = np.split(workers, np.cumsum(shapes[:, 0])[:-1])
    return list(zip(unpack(bits, shapes), numbers, strict=True)) if len(shapes) else []


def pack(masks: list[np.ndarray]) -> np.ndarray:
    """Return the pixels of several arrays as bits."""
    return np.packbits(np.concatenate([np.zeros(0, np.bool_), *(mask.ravel() for mask in masks)]))


def unpack(bits: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    """Return arrays of given shapes from the bits of `pack`."""
    ends = np.cumsum(shapes.prod(axis=1))
    pixels = np.unpackbits(bits, count=int(ends[-1]) if len(ends) else 0).astype(np.bool_)
    parts = np.split(pixels, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)] if len(shapes) else []


_TOOLS = {
    "crowdkit": (crowdkit, ("crowd-kit", "numpy")),
    "simpleitk": (simpleitk, ("SimpleITK", "numpy")),
}

if __name__ == "__main__":
    main()
