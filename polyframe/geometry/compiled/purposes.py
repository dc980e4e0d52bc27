"""List the entry points that each kind of work calls, so that only these are compiled ahead.

All others are compiled when they are called, which nothing here prevents.
"""

from collections.abc import Collection
from typing import Final, Literal, get_args

#: What a run computes: coordinates of marks, clusters, memberships, contours (and averages that are levels),
#: the average `majority`; and whether groups may be large.
Purpose = Literal["coordinates", "clusters", "memberships", "levels", "majority", "large groups"]

EVERYTHING: Final[frozenset[Purpose]] = frozenset(get_args(Purpose))

_AREAS: Final[frozenset[Purpose]] = frozenset({"clusters"})
_MEMBERSHIPS: Final[frozenset[Purpose]] = frozenset({"memberships"})
_EVENTS: Final[frozenset[Purpose]] = frozenset({"memberships", "levels", "majority"})
_LEVELS: Final[frozenset[Purpose]] = frozenset({"levels", "majority"})
_MAJORITY: Final[frozenset[Purpose]] = frozenset({"majority"})
_LARGE: Final[frozenset[Purpose]] = frozenset({"large groups"})

#: The purposes of each entry point, by module and name.
PURPOSES: Final[dict[str, frozenset[Purpose]]] = {
    "arcs._link": _LEVELS,
    "area_rows._add_crossings": _LARGE,
    "area_rows.sweep_rings": _AREAS | _LARGE,
    "coordinate_text._read": frozenset({"coordinates"}),
    "crossing_points.place_crossings": _EVENTS,
    "crossings._find": EVERYTHING - {"coordinates"},
    "degeneracies._cut_at_nodes": _LEVELS,
    "degeneracies._link_sectors": _LEVELS,
    "event_order._group": _EVENTS | _LARGE,
    "event_order._sort": _EVENTS | _LARGE,
    "group_crossings._add_up": _AREAS,
    "group_crossings._select": _EVENTS,
    "intersection_areas._shared_areas": _LARGE,
    "level_curves._trace": _LEVELS,
    "level_events._keep": _LARGE,
    "membership_sums._follow": _MEMBERSHIPS,
    "outlines._load": EVERYTHING - {"coordinates"},
    "rings._write": _LEVELS,
    "set_sums._add_others": _MEMBERSHIPS,
    "set_sums._add_resamples": _MEMBERSHIPS,
    "slab_decomposition._fill_sides": _LARGE,
    "slab_decomposition._fill_slabs": _LARGE,
    "weighted_level._find_bounds": _MAJORITY,
    "weighted_level._follow_bounds": _MAJORITY,
    "windings._count_windings": _LARGE,
}


def serves(entry_point: str, purposes: Collection[Purpose]) -> bool:
    """Return whether an entry point is called for one of these purposes."""
    return not PURPOSES.get(entry_point, EVERYTHING).isdisjoint(purposes)
