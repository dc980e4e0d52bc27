"""Choose what computes areas, contours and averages: GEOS, or loops compiled by numba (the extra `fast`).

Both give the same results: intersection areas to 1e-9, contours with the same areas. `auto` means GEOS for
small work, which it finishes in less time than compiling takes, or if numba is not installed or told not to
compile. The choice is made once, by the size of the work: the rows of an export, the marks of a frame, or the
marks and vertices of a single cluster. It never depends on what is already compiled, so the same input gives
the same bytes.
"""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, get_args

import shapely
from numpy.typing import NDArray

from polyframe.core.arrays import Ints
from polyframe.core.choices import ENGINE_ALIASES, EngineName, EngineUsed
from polyframe.core.drawing_sizes import UNKNOWN_SIZES, DrawingSizes
from polyframe.core.errors import UsageError
from polyframe.core.extras import install_command
from polyframe.geometry.averages import cluster_intersections, cluster_unions
from polyframe.geometry.compiled.numba_jit import (
    DISABLING_VARIABLE,
    compile_loops,
    is_available,
    is_disabled,
    load,
)
from polyframe.geometry.crossing_areas import crossing_intersection_areas
from polyframe.geometry.distances import AreaRows, IntersectionAreas
from polyframe.geometry.exact_contours import ContourLevels, cluster_contour_rings, cluster_contours
from polyframe.geometry.level_rings import LevelRings
from polyframe.geometry.majority import AddOthers, add_others
from polyframe.geometry.majority_outlines import cluster_majorities
from polyframe.geometry.membership_arcs import cluster_memberships
from polyframe.geometry.memberships import MembershipBlock
from polyframe.geometry.recorded_crossings import RecordedCrossings
from polyframe.geometry.stability import ResampledAreas

#: Rows of an export, or marks of a frame, up to which `auto` is GEOS. For so many rows GEOS takes 1 s
#: (outlines of a few corners) to 6 s (hundreds of jittered vertices); compiling takes about 10 s, once per
#: installation, and loading what is compiled a quarter of a second.
MOST_ROWS_FOR_GEOS: Final = 2_000

#: Bytes of all drawings up to which `auto` is GEOS. Beyond them it takes 4 s (14 MB traced from pixels) to
#: 10 s (crowds of small polygons), two to four times as long as the compiled loops.
MOST_BYTES_FOR_GEOS: Final = 10_000_000

#: Bytes of the drawings of one subject up to which `auto` is GEOS, which needs time in proportion to their
#: square if they overlap: 1 MB is about 400 outlines of 120 vertices.
MOST_SUBJECT_BYTES_FOR_GEOS: Final = 1_000_000

#: Marks times vertices of a cluster above which `auto` compiles. About here, with 475 marks of 120 vertices,
#: GEOS takes 20 s for contours.
_WORTH_COMPILING: Final = 25_000_000

Polygons = NDArray[Any]


class GroupCrossings(Protocol):
    """The crossings of the marks of groups, found once for areas, memberships and contours.

    See `polyframe.geometry.compiled.group_crossings` and `polyframe.geometry.recorded_crossings`.
    """

    @property
    def intersection_areas(self) -> IntersectionAreas:
        """The function for pairs of marks of the same group."""


#: Crossings, and the positions of the marks of all clusters among those of the groups.
KnownCrossings = tuple[GroupCrossings, Ints]


class Memberships(Protocol):
    """A function that yields the memberships of clusters."""

    def __call__(
        self, polygons: Polygons, offsets: Ints, known: KnownCrossings | None = None, /
    ) -> Iterator[MembershipBlock]:
        """See `polyframe.geometry.membership_arcs.cluster_memberships`."""


class Majorities(Protocol):
    """A function that returns the majority outline of each cluster."""

    def __call__(
        self, polygons: Polygons, offsets: Ints, medians: Ints, known: KnownCrossings | None = None, /
    ) -> Polygons:
        """See `polyframe.geometry.majority_outlines.cluster_majorities`."""


@dataclass(frozen=True)
class Engine:
    """The functions that depend on the engine; each takes the polygons of many clusters and their offsets.

    Attributes
    ----------
    name : str
        `shapely` or `compiled`.
    intersection_areas : callable
        See `polyframe.geometry.distances`.
    area_rows : callable
        Returns an object for the intersection areas of all pairs of polygons, or None if there is no such way
        for them.
    contours : callable
        See `polyframe.geometry.exact_contours.cluster_contours`.
    contour_rings : callable
        The same as flat rings. Its third argument is the largest number of levels of a cluster, or None; the
        fourth are crossings, if they are known.
    unions, intersections : callable
        See `polyframe.geometry.averages`.
    majorities : callable
        See `polyframe.geometry.majority_outlines.cluster_majorities`. Its fourth argument are crossings, if
        they are known.
    memberships : callable
        See `polyframe.geometry.membership_arcs.cluster_memberships`. Its third argument are crossings, if
        they are known.
    group_crossings : callable
        Finds the crossings of the marks of groups, or records those that areas need.
    resampled_areas : type
        See `polyframe.geometry.stability.ResampledAreas`.
    add_others : callable
        See `polyframe.geometry.majority.add_others`.
    """

    name: str
    intersection_areas: IntersectionAreas
    area_rows: Callable[[Polygons], AreaRows | None]
    contours: Callable[[Polygons, Ints], ContourLevels]
    contour_rings: Callable[[Polygons, Ints, int | None, KnownCrossings | None], LevelRings]
    unions: Callable[[Polygons, Ints], Polygons]
    intersections: Callable[[Polygons, Ints], Polygons]
    majorities: Majorities
    memberships: Memberships
    group_crossings: Callable[[Polygons, Ints], GroupCrossings]
    resampled_areas: type[ResampledAreas]
    add_others: AddOthers


def choose_engine(name: EngineName, count: int, drawings: DrawingSizes = UNKNOWN_SIZES) -> EngineUsed:
    """Return the engine for a whole run.

    Parameters
    ----------
    name : {"auto", "shapely", "compiled"}
        `auto` is `compiled` if there is enough work for it and numba is installed.
    count : int
        The size of the work: rows of an export, or marks of a frame.
    drawings : DrawingSizes
        How much was drawn, as far as it is known.

    Raises
    ------
    UsageError
        If `compiled` is chosen and numba is not installed.
    """
    check_engine(name)
    if name != "auto":
        return name
    is_large = (
        count > MOST_ROWS_FOR_GEOS or drawings.total > MOST_BYTES_FOR_GEOS or has_large_subject(drawings)
    )
    return "compiled" if is_large and is_compiled() else "shapely"


def has_large_subject(drawings: DrawingSizes) -> bool:
    """Return whether a subject has so many drawings that GEOS would take long."""
    return drawings.largest_subject > MOST_SUBJECT_BYTES_FOR_GEOS


def engine_named(name: str) -> Engine:
    """Return the engine with a given name.

    Parameters
    ----------
    name : {"shapely", "compiled"}
        From `choose_engine`. Earlier names of `compiled` are accepted.

    Raises
    ------
    UsageError
        If `compiled` is chosen and numba is not installed.
    ValueError
        For `auto`, which must be decided once for all parts of the work.
    """
    check_engine(name)
    if name == "auto":
        raise ValueError("engine: 'auto' was not decided")
    if name == "shapely":
        return Engine(
            "shapely",
            crossing_intersection_areas,
            lambda _: None,
            cluster_contours,
            lambda polygons, offsets, max_levels, _: cluster_contour_rings(polygons, offsets, max_levels),
            cluster_unions,
            cluster_intersections,
            lambda polygons, offsets, medians, _=None: cluster_majorities(polygons, offsets, medians),
            _recorded_memberships,
            RecordedCrossings,
            ResampledAreas,
            add_others,
        )
    compile_loops()
    loops, groups = load("engine"), load("group_crossings")
    return Engine(
        "compiled",
        groups.pair_intersection_areas,
        groups.large_area_rows,
        loops.compiled_cluster_contours,
        loops.compiled_contour_rings,
        loops.compiled_cluster_unions,
        loops.compiled_cluster_intersections,
        loops.compiled_cluster_majorities,
        load("membership_sums").walk_memberships,
        groups.find_group_crossings,
        load("set_sums").CompiledResampledAreas,
        load("set_sums").add_others,
    )


def _recorded_memberships(
    polygons: Polygons, offsets: Ints, known: KnownCrossings | None = None, /
) -> Iterator[MembershipBlock]:
    crossings, positions = (None, None) if known is None else known
    if isinstance(crossings, RecordedCrossings) and positions is not None:
        return cluster_memberships(polygons, offsets, (crossings, positions))
    return cluster_memberships(polygons, offsets)


def engine_for(name: str, marks: Polygons, *, is_quadratic: bool) -> Engine:
    """Return the engine for a single cluster.

    Parameters
    ----------
    name : {"auto", "shapely", "compiled"}
        `auto` is `compiled` if numba is installed and GEOS would take longer than compiling, by the number of
        marks and vertices.
    marks : ndarray of shapely.Polygon, shape (n,)
    is_quadratic : bool
        Whether GEOS takes time in proportion to marks times vertices, as for all pairs and for contours. If
        not, GEOS is as fast as the compiled loops.

    Raises
    ------
    ValueError
        If the name is unknown.
    UsageError
        If `compiled` is chosen and numba is not installed.
    """
    if not isinstance(name, str) or name not in (*get_args(EngineName), *ENGINE_ALIASES):
        raise ValueError(f"engine: {name!r} is not one of {', '.join(get_args(EngineName))}")
    if name != "auto":
        return engine_named(name)
    work = len(marks) * int(shapely.get_num_coordinates(marks).sum())
    return engine_named(
        "compiled" if is_quadratic and work > _WORTH_COMPILING and is_compiled() else "shapely"
    )


def check_engine(name: str) -> None:
    """Raise a UsageError if an engine is not installed, or cannot be used."""
    if ENGINE_ALIASES.get(name, name) != "compiled":
        return
    if importlib.util.find_spec("numba") is None:
        raise UsageError(f"engine: {name!r} needs numba; install it with: {install_command('fast')}")
    if is_disabled():
        raise UsageError(
            f"engine: {name!r} cannot compile while the environment variable {DISABLING_VARIABLE} is set; "
            "unset it, or choose the engine shapely"
        )


def is_compiled() -> bool:
    """Return whether loops can be compiled; if not, there is only GEOS."""
    return is_available()
