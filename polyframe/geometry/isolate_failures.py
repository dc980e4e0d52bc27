"""Call array functions of GEOS so that one geometry that fails does not affect the others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

#: Errors that a geometry operation may raise for one bad element: from GEOS, or from Shapely's checks.
GEOMETRY_ERRORS = (shapely.errors.ShapelyError, ValueError, FloatingPointError)


def apply_isolated(
    function: Callable[..., NDArray[Any]], *arrays: NDArray[Any], failed: object
) -> NDArray[Any]:
    """Call an elementwise function on whole arrays; if it raises, find the bad elements by bisection.

    Parameters
    ----------
    function : callable
        Takes arrays of one length n and returns an array of length n.
    *arrays : ndarray, shape (n, ...)
        The arguments of the function.
    failed : object
        The result for an element on which the function raises.

    Returns
    -------
    ndarray, shape (n,)
        The results of the function. Without errors this costs one call; k bad elements cost about
        2 k log2(n) more.
    """
    count = len(arrays[0])
    try:
        return function(*arrays)
    except GEOMETRY_ERRORS as error:
        if "bad_alloc" in str(error):
            # No geometry is to blame for a lack of memory.
            raise MemoryError(str(error)) from None
        if count == 0:
            raise
        if count == 1:
            alone: NDArray[Any] = np.empty(
                1, dtype=object if failed is None else np.result_type(type(failed))
            )
            alone[0] = failed
            return alone
    middle = count // 2
    halves = [
        apply_isolated(function, *(array[part] for array in arrays), failed=failed)
        for part in (slice(None, middle), slice(middle, None))
    ]
    return np.concatenate(halves)
