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
