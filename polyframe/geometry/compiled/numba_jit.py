"""The one place that knows how the loops of this layer are compiled: by numba, the extra `fast`.

Compiling takes half a minute, so loops are interpreted until the compiled engine is asked for: the walk of a
cluster in which rounding could decide takes a tenth of a second so.
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

#: The modules with compiled functions.
_SOURCES = [
    path
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
    if b"_compiled import compiled" in path.read_bytes()
]
#: Their newest time and total size.
_STAMP = (
    max(path.stat().st_mtime for path in _SOURCES),
    sum(path.stat().st_size for path in _SOURCES),
)

_is_wanted = False


def compile_loops() -> bool:
    """Compile the functions of this layer from now on; say whether numba is installed, so that they are.

    Modules that were loaded before, and so are interpreted, are loaded again where they are next imported.
    """
    global _is_wanted
    if _is_wanted or importlib.util.find_spec("numba") is None:
        return _is_wanted
    _is_wanted = True
    for path in _SOURCES:
        sys.modules.pop(f"polyframe.geometry.{path.stem}", None)
    return True


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
    if not _is_wanted:
        return function
    import numba  # type: ignore[import-untyped, import-not-found, unused-ignore]

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
