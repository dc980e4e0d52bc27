"""Find the connected components of a graph.

`scipy.sparse.csgraph` does this too, but importing it takes a third of a second in every process.
"""

import numpy as np

from polyframe.core.arrays import Ints


def connected_components(count: int, start: Ints, end: Ints) -> Ints:
    """Return the first node of the connected component of each node.

    Parameters
    ----------
    count : int
        Number of nodes.
    start, end : (e,) int64
        The nodes that each edge joins, in any direction.

    Returns
    -------
    (count,) int64
        The least node of its component; a node without edges is its own.

    Notes
    -----
    Shiloach and Vishkin (1982): every tree of a forest is hooked to the adjacent tree with the least root,
    and paths to the roots are shortened, until no edge joins two trees.
    """
    root = np.arange(count)
    while True:
        first, second = root[start], root[end]
        apart = first != second
        if not np.any(apart):
            return root
        # From here on, edges join roots.
        start, end = np.minimum(first, second)[apart], np.maximum(first, second)[apart]
        np.minimum.at(root, end, start)
        above = root[root]
        while np.any(above != root):
            root, above = above, above[above]


def component_numbers(count: int, start: Ints, end: Ints) -> Ints:
    """Number the connected components of a graph by their first node, from 0.

    Parameters
    ----------
    count, start, end
        As for `connected_components`.

    Returns
    -------
    (count,) int64
        The number of the component of each node.
    """
    return _numbered(connected_components(count, start, end))


def components_with_heights(count: int, start: Ints, end: Ints, rise: Ints) -> tuple[Ints, Ints]:
    """Number the components of a graph, and add up the rises along its edges.

    Parameters
    ----------
    count, start, end
        As for `connected_components`.
    rise : (e,) int64
        How much higher the end of each edge is than its start.

    Returns
    -------
    component : (count,) int64
        As from `component_numbers`.
    height : (count,) int64
        The height of each node above the first node of its component, along some path of edges. If the rises
        contradict each other, they disagree with the heights at an edge.
    """
    root, height = np.arange(count), np.zeros(count, dtype=np.int64)
    while True:
        # `height` is that above the root.
        apart = root[start] != root[end]
        if not np.any(apart):
            return _numbered(root), height
        start, end, rise = start[apart], end[apart], rise[apart]
        rise = rise + height[start] - height[end]
        first, second = root[start], root[end]
        start, end = np.minimum(first, second), np.maximum(first, second)
        rise = np.where(first < second, rise, -rise)
        np.minimum.at(root, end, start)
        hooked = root[end] == start
        height[end[hooked]] = rise[hooked]
        above = root[root]
        while np.any(above != root):
            height += height[root]
            root, above = above, above[above]


def _numbered(root: Ints) -> Ints:
    return (np.cumsum(root == np.arange(len(root))) - 1)[root]
