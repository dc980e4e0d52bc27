"""Compile the loops of this folder with numba (the extra `fast`).

Compiling takes half a minute, so the loops are interpreted until somebody asks for the compiled engine.
Interpreted, the depth walk of a small cluster takes about a tenth of a second.
"""

import functools
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_SOURCES = [path.stat() for path in Path(__file__).parent.glob("*.py")]
#: The newest modification time and the total size of the modules in this folder.
_STAMP = (max(source.st_mtime for source in _SOURCES), sum(source.st_size for source in _SOURCES))

_enabled = False
_lock = threading.RLock()


def load(module: str) -> ModuleType:
    """Import a module of this folder, such as `depth_walk`: compiled once somebody asked for it.

    Other modules must not import it at their start, and not while another thread drops interpreted modules.
    """
    with _lock:
        return importlib.import_module(f"{__package__}.{module}")


def compile_loops() -> bool:
    """Compile the loops of this folder from now on, and return whether numba is installed, so that they are.

    Modules that are already loaded are interpreted. They are dropped, so that the next import of them loads
    them again, compiled.
    """
    global _enabled
    with _lock:  # several threads may ask at the same time
        if _enabled or importlib.util.find_spec("numba") is None:
            return _enabled
        for name in list(sys.modules):
            if name.startswith(f"{__package__}.") and name != __name__:
                del sys.modules[name]
        _enabled = True
    return True


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile a function at its first call, and cache the machine code on disk for the next process.

    Its parameters must be numbers, arrays and named tuples of them. It runs without the GIL.
    """
    return _compile(function, {})


def compiled_inner(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile a function that only compiled functions call: faster, without a wrapper for Python."""
    return _compile(function, {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True})


def _compile(
    function: Callable[_Arguments, _Result], options: dict[str, Any]
) -> Callable[_Arguments, _Result]:
    if not _enabled:
        return function
    numba = _numba()
    try:
        dispatcher: Any = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        # numba may not write to any folder, so every process compiles for itself.
        uncached: Callable[_Arguments, _Result] = numba.njit(nogil=True, **options)(function)
        return uncached
    # Cached machine code includes the functions that it calls, but numba only checks the file of the function
    # itself for changes. So a change in any module of this folder must invalidate the whole cache.
    dispatcher._cache._cache_file._source_stamp = _STAMP
    machine_code: Callable[_Arguments, _Result] = dispatcher
    return machine_code


@functools.cache
def _numba() -> Any:
    """Import numba, but not SciPy's linear algebra.

    numba imports it to see whether compiled code could multiply matrices. That takes a third of a second.
    """
    numba = importlib.import_module("numba")
    linalg: Any = importlib.import_module("numba.np.linalg")
    check = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        arraymath: Any = importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = check
    # For functions of others, which may multiply matrices.
    arraymath.ensure_blas = check
    return numba
