"""Compare estimates of how sure an outline is with what many volunteers would have drawn.

    python benchmarks/stability.py           # several minutes
    python benchmarks/stability.py --quick   # three objects, to see that it works

Each object of a synthetic export is outlined by 160 volunteers. Their majority region stands for that of all
volunteers. Small clusters are drawn among their marks: each has an estimate, and a true IoU with that region.
See docs/guide/stability.md.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from inputs import ONE_CLUSTER, PLAIN
from numpy.typing import NDArray

import polyframe as pf
from polyframe.consensus.group_clusters import Clusters
from polyframe.consensus.reduce import cluster_marks
from polyframe.core.ragged import offsets_of
from polyframe.core.settings import Settings
from polyframe.geometry.engines import choose_engine, engine_named
from polyframe.geometry.memberships import MembershipBlock, merge_equal_sets, pack_sets
from polyframe.geometry.stability import stability
from polyframe.synthetic import SynthOptions, write_export

VOLUNTEERS = 160
SIZES = (3, 4, 5, 8, 12, 20)
OBJECTS = 44


@dataclass(frozen=True)
class Population:
    """The marks of an object by all volunteers, as memberships.

    Attributes
    ----------
    areas : (f,) float64
    members : (f, n) bool
    distances : (n, n) float64
        IoU distances.
    """

    areas: NDArray[np.float64]
    members: NDArray[np.bool_]
    distances: NDArray[np.float64]

    def median(self, marks: NDArray[np.int64]) -> int:
        """Return the place of the median mark among some marks."""
        return int(np.argmin(self.distances[np.ix_(marks, marks)].sum(axis=1)))

    def region(self, marks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which sets are in the majority region of some marks."""
        members = self.members[:, marks]
        twice = 2 * members.sum(axis=1)
        return (twice > len(marks)) | ((twice == len(marks)) & members[:, self.median(marks)])

    def block(self, marks: NDArray[np.int64], number: int) -> MembershipBlock:
        """Return the memberships of some marks as cluster 0, with another number."""
        sets = pack_sets(self.members[:, marks])
        merged = merge_equal_sets(self.areas, sets, np.zeros(len(sets), dtype=np.int64))
        return MembershipBlock(merged.areas, merged.bits, np.full(len(merged.areas), number))


def populations(objects: int) -> Iterator[Population]:
    """Yield the marks of each object that most volunteers outlined."""
    options = PLAIN | ONE_CLUSTER | {"subjects": objects, "volunteers": VOLUNTEERS, "vertices": 80}
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export.csv"
        write_export(export, SynthOptions(**options))
        marks = pf.extract(export).extractions
    settings = Settings().replace({"engine": choose_engine("auto", len(marks))})
    clusters = cluster_marks(marks, None, settings)
    for cluster in np.flatnonzero(clusters.counts > VOLUNTEERS // 2).tolist():
        yield _population(clusters, cluster, settings.engine)


def _population(clusters: Clusters, cluster: int, engine: Any) -> Population:
    marks = clusters.members[slice(*clusters.member_offsets[cluster : cluster + 2])]
    blocks = list(engine_named(engine).memberships(clusters.marks.polygons[marks], np.array([0, len(marks)])))
    members = [
        np.unpackbits(block.bits.astype("<u8").view(np.uint8), axis=1, count=len(marks), bitorder="little")
        for block in blocks
    ]
    areas, sets = np.concatenate([block.areas for block in blocks]), np.concatenate(members).astype(np.bool_)
    shared = (sets * areas[:, None]).T @ sets
    own = np.diag(shared)
    return Population(areas, sets, 1 - shared / (own[:, None] + own - shared))


def compare(population: Population, size: int, seed: int) -> pl.DataFrame:
    """Draw small clusters without common marks; return the estimate and the truth of each."""
    order = np.random.default_rng([seed, size]).permutation(population.members.shape[1])
    samples = [order[begin : begin + size] for begin in range(0, len(order) - size + 1, size)]
    offsets = offsets_of([size] * len(samples))
    medians = offsets[:-1] + [population.median(marks) for marks in samples]
    seeds = np.arange(len(samples), dtype=np.uint64) + np.uint64(1000 * seed)
    blocks = (population.block(marks, number) for number, marks in enumerate(samples))
    estimate = stability(blocks, offsets, medians, seeds)

    everybody, areas = population.region(np.arange(len(order))), population.areas
    regions = [population.region(marks) for marks in samples]
    area = areas[everybody].sum()
    return pl.DataFrame(
        {
            "n": size,
            "object": seed,
            "predicted": estimate.expected_iou,
            "true": [areas[one & everybody].sum() / areas[one | everybody].sum() for one in regions],
            "is_covered": (estimate.area_low <= area) & (area <= estimate.area_high),
        }
    )


def summarize(rows: pl.DataFrame) -> list[str]:
    """Return a table by number of marks; standard errors are those of means over objects."""
    lines = [
        "| marks | clusters | estimated IoU | true IoU | difference | true area within the interval |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for (size,), group in rows.sort("n").group_by("n", maintain_order=True):
        difference = group.group_by("object").agg((pl.col("predicted") - pl.col("true")).mean())["predicted"]
        error = float(difference.std() or 0) / len(difference) ** 0.5
        lines.append(
            f"| {size} | {group.height:,} | {group['predicted'].mean():.3f} | {group['true'].mean():.3f} "
            f"| {difference.mean():+.4f} ± {error:.4f} | {group['is_covered'].mean():.0%} |"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only three objects")
    objects = populations(3 if parser.parse_args().quick else OBJECTS)
    rows = [compare(one, size, seed) for seed, one in enumerate(objects) for size in SIZES]
    print("\n".join(summarize(pl.concat(rows))))


if __name__ == "__main__":
    main()
