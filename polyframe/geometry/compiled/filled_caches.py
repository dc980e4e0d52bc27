"""Read compiled code from folders that cannot be written, such as those of a container image.

numba only uses a folder in which it can write, so it ignores such a folder, and every process would compile.
"""

import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def filled_caches(function: Callable[..., Any], own_folder: str) -> list[Any]:
    """Return the caches of a function in folders with compiled code, objects of numba, only for reading.

    Parameters
    ----------
    function : callable
    own_folder : str
        A folder that numba uses anyway; empty if there is none.
    """
    caches: list[Any] = []
    with contextlib.suppress(Exception):  # another version of numba
        caching: Any = importlib.import_module("numba.core.caching")
        # A folder that the user names replaces the one beside the sources.
        named, beside = caching.UserProvidedCacheLocator, caching.InTreeCacheLocator
        for locator in (named,) if caching.config.CACHE_DIR else (beside,):
            filled = type("_Filled", (locator,), {"ensure_cache_path": _check_content})
            reads = type("_Reads", (caching.CompileResultCacheImpl,), {"_locator_classes": [filled]})
            kind: Any = type("_FilledCache", (caching.FunctionCache,), {"_impl_class": reads})
            with contextlib.suppress(RuntimeError):  # no such folder
                cache = kind(function)
                if cache.cache_path != own_folder:
                    caches.append(cache)
    return caches


def _check_content(locator: Any) -> None:
    """Raise OSError, as numba does for a folder that it cannot use, if a folder has no compiled code."""
    if not any(Path(locator.get_cache_path()).glob("*.nbi")):
        raise FileNotFoundError
