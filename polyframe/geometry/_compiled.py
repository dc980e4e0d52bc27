"""The one place that knows how the loops of this layer are compiled; needs the extra `fast` (numba)."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba  # type: ignore[import-untyped, unused-ignore]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


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
    machine_code: Callable[_Arguments, _Result] = numba.njit(cache=True, nogil=True)(function)
    return machine_code
