"""The one place that knows how the loops of this layer are compiled: by numba, the extra `fast`.

Without it they are interpreted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

try:
    import numba  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:
    numba = None  # type: ignore[assignment, unused-ignore]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

#: The newest time and the total size of the modules with compiled functions.
_SOURCES = [
    path.stat()
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if b"_compiled import" in path.read_bytes()
]
_STAMP = (max(source.st_mtime for source in _SOURCES), sum(source.st_size for source in _SOURCES))


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile a function at its first call, and keep the machine code on disk for the next process.

    Parameters
    ----------
    function : callable
        Of numbers, arrays and named tuples of them; it runs without the GIL.

    Returns
    -------
    callable
        Takes and gives the same.
    """
    return _compile(function, {})


def compiled_inner(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile a function that only compiled functions call: in less time, since Python cannot call it.

    Parameters
    ----------
    function : callable
        Of numbers, arrays and named tuples of them.

    Returns
    -------
    callable
        Takes and gives the same.
    """
    return _compile(function, {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True})


def _compile(
    function: Callable[_Arguments, _Result], options: dict[str, Any]
) -> Callable[_Arguments, _Result]:
    if numba is None:
        return function
    try:
        dispatcher: Any = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        # numba finds no folder that it may write to; then every process compiles for itself.
        uncached: Callable[_Arguments, _Result] = numba.njit(nogil=True, **options)(function)
        return uncached
    # What is kept on disk holds the functions that it calls, but numba looks only at the file of the function
    # itself to see whether it is still good. So any change in a module with compiled functions makes all of
    # it stale.
    dispatcher._cache._cache_file._source_stamp = _STAMP
    machine_code: Callable[_Arguments, _Result] = dispatcher
    return machine_code


@compiled_inner
def ascending(keys: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the order that sorts numbers, equal ones in the order they have.

    A merge sort of its own: NumPy's sorts take seconds to compile.

    Parameters
    ----------
    keys : ndarray of float64, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    count = len(keys)
    order, other = np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        order[i] = i
    width = 1
    while width < count:
        for begin in range(0, count, 2 * width):
            middle, stop = min(begin + width, count), min(begin + 2 * width, count)
            i, j = begin, middle
            for k in range(begin, stop):
                if i < middle and (j >= stop or keys[order[i]] <= keys[order[j]]):
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    return order
