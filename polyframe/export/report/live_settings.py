"""Collect what the page needs to cluster the marks again with other settings."""

import base64
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from polyframe.core.callbacks import Say
from polyframe.core.plurals import counted
from polyframe.core.settings import Settings
from polyframe.export.report.live_distances import LiveDistances, live_distances
from polyframe.export.report.worst_clusters import WorstClusters
from polyframe.geometry.compile_ahead import ensure_compiled
from polyframe.geometry.engines import is_compiled
from polyframe.pipeline.engine_choice import compiled_purposes, engine_for_output
from polyframe.store.manifest import Manifest


@dataclass(frozen=True)
class LiveSettings:
    """The clustering of an output, and the distances with which the page repeats it.

    Attributes
    ----------
    output : str
        The output as a command names it, quoted for a shell.
    settings : Settings
        Those of the clusters.
    distances : LiveDistances or None
        None if the page cannot repeat the clustering.
    n_groups, n_groups_of_all : int
        Groups in the report, and in the output.
    totals : dict
        What the clusters of these groups add up to, with those that are not in the report.
    """

    output: str
    settings: Settings
    distances: LiveDistances | None
    n_groups: int
    n_groups_of_all: int
    totals: dict[str, float | None]

    @property
    def data(self) -> dict[str, Any]:
        """Plain JSON values for the script of the page."""
        settings, distances = self.settings, self.distances
        return {
            "unavailable": distances is None,
            "output": self.output,
            "eps": settings.eps,
            "minSamples": settings.min_samples,
            "minThreshold": settings.min_threshold,
            "averageType": settings.average_type,
            "split": settings.split == "doubled",
            "totals": self.totals,
            "included": [] if distances is None else distances.included.tolist(),
        }

    def arrays(self) -> Iterator[tuple[str, str]]:
        """Yield the id of each array of distances in the page, and its bytes, little-endian, as base64."""
        if self.distances is None:
            return
        yield "distances", _encoded(self.distances.thousandths.astype("<u2").tobytes())
        if self.distances.exact is not None:
            yield "exact-distances", _encoded(self.distances.exact.astype("<f8").tobytes())

    def notes(self) -> Iterator[str]:
        """Say what trying other settings does not include."""
        if self.distances is None:
            yield (
                "Other settings can be tried here if the clusters are those of DBSCAN; these are of "
                f"cluster_method: {self.settings.cluster_method}."
            )
            return
        if self.n_groups < self.n_groups_of_all:
            yield (
                f"This report contains {self.n_groups:,} of {counted(self.n_groups_of_all, 'group')}; "
                "the numbers are of these."
            )
        fixed = int((~self.distances.included).sum())
        if fixed:
            keep = "keeps its clusters" if fixed == 1 else "keep their clusters"
            yield f"{counted(fixed, 'group')} with too many marks to try settings here {keep}."


def live_settings(worst: WorstClusters, manifest: Manifest, output: object, say: Say) -> LiveSettings:
    """Compute the distances between the marks of a report, unless HDBSCAN clustered them.

    Parameters
    ----------
    worst : WorstClusters
    manifest : Manifest
        Of the output.
    output : path or Address
        The output.
    say : callable
        Receives that functions are compiled.
    """
    settings = settings_with_engine(manifest)
    n_groups = manifest.accounting.groups
    can_repeat = settings.cluster_method == "dbscan"
    if can_repeat and settings.engine == "compiled":
        ensure_compiled(say, compiled_purposes(settings, [], manifest.drawings))
    return LiveSettings(
        output=shlex.quote(str(output)),
        settings=settings,
        distances=live_distances(worst, settings) if can_repeat else None,
        n_groups=worst.groups.height,
        n_groups_of_all=n_groups,
        totals=_totals(worst),
    )


def _totals(worst: WorstClusters) -> dict[str, float | None]:
    """Return the totals that the page computes for other settings, for those of the output."""
    groups, median = worst.groups, worst.consensus.median()
    return {
        "clusters": len(worst.consensus),
        "outliers": int(groups["n_outliers"].sum()),
        "without": worst.n_groups_without,
        "consensus": median if isinstance(median, float) else None,
        "corrections": int(worst.clusters["correction"].is_not_null().sum()),
    }


def settings_with_engine(manifest: Manifest) -> Settings:
    """Return the settings of the clusters with the engine that computed them, if it is installed here."""
    engine = manifest.engines.get("reduce")
    if engine is None:
        return engine_for_output(manifest.settings, manifest)
    # The distances of both agree to 1e-9.
    return manifest.settings.replace({"engine": engine if is_compiled() else "shapely"})


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
