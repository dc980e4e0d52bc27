"""Compile the loops of this folder with numba (the extra `fast`).

Compiling takes 15 to 20 s of processor time, so the loops are interpreted until somebody asks for the
compiled engine. Interpreted, the depth walk of a small cluster takes about a tenth of a second.

Entry points, the functions that Python calls, are cached on disk with everything that they call. The cache of
an entry point is out of date if its module changes, or one that it imports from this folder.
"""

import contextlib
import functools
import importlib
import importlib.util
import io
import os
import pickle
import re
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, ParamSpec, TypeVar

from polyframe.core.callbacks import Say
from polyframe.core.errors import UsageError
from polyframe.core.extras import install_command
from polyframe.core.notes import Information, show
from polyframe.geometry.compiled.filled_caches import filled_caches

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_FOLDER: Final = Path(__file__).parent
#: Finds the modules of this folder that a module imports.
_IMPORT: Final = re.compile(rf"^(?:from|import) {re.escape(__package__)}\.(\w+)", re.MULTILINE)
#: Modules without entry points.
_WITHOUT: Final = ("__init__", "filled_caches", "numba_jit", "precompile", "purposes")

#: The environment variable that tells numba to compile nothing.
DISABLING_VARIABLE: Final = "NUMBA_DISABLE_JIT"

#: The entry points of the modules that are loaded, compiled: by module and name, such as `arcs.cut`.
entry_points: dict[str, Any] = {}

_enabled = False
#: Receives a note if this process compiles a function that was not compiled ahead; None once it is said.
_say: Say | None = show
_record: Callable[[str, tuple[Any, ...]], None] | None = None
_lock = threading.RLock()


def load(module: str) -> ModuleType:
    """Import a module of this folder, such as `depth_walk`: compiled once somebody asked for it.

    Other modules must not import it at their start, and not while another thread drops interpreted modules.
    """
    with _lock:
        return importlib.import_module(f"{__package__}.{module}")


def load_all() -> None:
    """Import all modules of this folder, so that `entry_points` is complete."""
    for path in sorted(_FOLDER.glob("*.py")):
        if path.stem not in _WITHOUT:
            load(path.stem)


def is_available() -> bool:
    """Return whether numba is installed and compiles; does not import it."""
    return importlib.util.find_spec("numba") is not None and not is_disabled()


def is_disabled() -> bool:
    """Return whether numba is told to compile nothing, which makes the loops crawl."""
    numba: Any = sys.modules.get("numba")
    if numba is not None:
        return bool(numba.config.DISABLE_JIT)
    with contextlib.suppress(ValueError):  # numba ignores what is not a number
        return int(os.environ.get(DISABLING_VARIABLE, "0")) != 0
    return False


def compile_loops() -> bool:
    """Compile the loops of this folder from now on, and return whether that is possible, see `is_available`.

    Modules that are already loaded are interpreted. They are dropped, so that the next import of them loads
    them again, compiled.

    Raises
    ------
    UsageError
        If numba is installed but does not work, as with a version of NumPy that it does not support.
    """
    global _enabled
    with _lock:  # several threads may ask at the same time
        if _enabled or not is_available():
            return _enabled
        try:
            importlib.import_module("numba")
        except Exception as error:
            raise UsageError(
                f"numba cannot be imported ({error}); install a version that fits the others with: "
                f"{install_command('fast')}, or choose the engine shapely"
            ) from error
        _drop_modules()
        _enabled = True
    return True


def record_calls(record: Callable[[str, tuple[Any, ...]], None] | None) -> None:
    """Load the loops interpreted, and pass name and arguments of each call of an entry point to `record`.

    None ends that. It is for a process that has not compiled anything.
    """
    global _record
    with _lock:
        _drop_modules()
        _record = record


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile an entry point at its first call, and cache the machine code on disk for the next process.

    Its parameters must be numbers, arrays and named tuples of them. It runs without the GIL.
    """
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    if not _enabled:
        return function if _record is None else _recorded(name, function)
    import numba  # type: ignore[import-untyped, import-not-found, unused-ignore]

    stamp = _source_stamp(function.__module__)
    try:
        dispatcher: Any = numba.njit(cache=True, nogil=True)(function)
        _adapt_cache(dispatcher._cache, stamp, filled_caches(function, dispatcher._cache.cache_path))
    except (RuntimeError, AttributeError, OSError):
        # numba may not write to any folder; or it must not compile; or it is another version, whose cache we
        # do not know.
        dispatcher = numba.njit(nogil=True)(function)
        # If there is no filled cache either, every process compiles for itself.
        with contextlib.suppress(AttributeError, ValueError):
            first, *others = filled_caches(function, "")
            _adapt_cache(first, stamp, others)
            first.save_overload = _save_nothing
            dispatcher._cache = first
    entry_points[name] = dispatcher
    machine_code: Callable[_Arguments, _Result] = dispatcher
    return machine_code


def compiled_inner(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile a function that only compiled functions call: faster, without a wrapper for Python."""
    if not _enabled:
        return function
    import numba

    options: dict[str, Any] = {
        "error_model": "numpy",
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
    machine_code: Callable[_Arguments, _Result] = numba.njit(nogil=True, **options)(function)
    return machine_code


@contextlib.contextmanager
def announcing(say: Say) -> Iterator[None]:
    """Say it once if this process compiles functions meanwhile."""
    global _say
    before, _say = _say, say
    try:
        yield
    finally:
        _say = before


def cache_file(dispatcher: Any) -> Any:
    """Return the file that caches an entry point, an object of numba; None if there is no cache."""
    return getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)


def is_writable(dispatcher: Any) -> bool:
    """Return whether what is compiled will be cached."""
    return cache_file(dispatcher) is not None and dispatcher._cache.save_overload is not _save_nothing


def is_cached(dispatcher: Any) -> bool:
    """Return whether the index of a cache has an entry of this processor; one of other sources is empty."""
    try:
        processor = dispatcher.targetctx.codegen().magic_tuple()
    except Exception:  # another version of numba
        return False
    for file in (cache_file(dispatcher), *getattr(cache_file(dispatcher), "filled", ())):
        with contextlib.suppress(Exception):  # another version of numba, or a damaged index
            if any(key[1] == processor for key in file._load_index()):
                return True
    return False


def _adapt_cache(cache: Any, stamp: tuple[tuple[str, int, int], ...], filled: list[Any]) -> None:
    """Let the cache of an entry point depend on several files, load faster, and never raise an error.

    What it does not have is loaded from other caches, which are filled.
    """
    for adapted in (cache, *filled):
        file = adapted._cache_file
        if not hasattr(file, "_source_stamp"):
            raise AttributeError("_source_stamp")
        # numba itself only checks the file of the function.
        file._source_stamp = stamp
        file.save = functools.partial(_save_to_file, file)
        file._load_data = functools.partial(_load_data, file)
    cache._cache_file.filled = [other._cache_file for other in filled]
    cache.load_overload = functools.partial(_load_or_announce, (cache, *filled))
    cache.save_overload = functools.partial(_save_overload, cache)


def _load_or_announce(caches: tuple[Any, ...], signature: Any, target: Any) -> Any:
    """Load machine code from one of the caches; None, which makes numba compile, if none of them has it."""
    for cache in caches:
        machine_code = _load_overload(cache, signature, target)
        if machine_code is not None:
            return machine_code
    _announce()
    return None


def _load_overload(cache: Any, signature: Any, target: Any) -> Any:
    """Load machine code from the cache like numba, but do not load what only compiling needs.

    numba imports and registers all that it can compile first, with SciPy's linear algebra, which takes longer
    than the rest. It also does so before it compiles anything. None if the cache cannot be read.
    """
    with contextlib.suppress(Exception):
        runtime: Any = importlib.import_module("numba.core.runtime")
        runtime.rtsys.initialize(target)
        return cache._load_overload(signature, target)
    with contextlib.suppress(Exception):  # another version of numba, or a damaged file
        return type(cache).load_overload(cache, signature, target)
    return None


def _announce() -> None:
    """Say once that functions are compiled now."""
    global _say
    with _lock:
        say, _say = _say, None
    if say is not None:
        say(
            Information("compiling functions of the fast engine that are needed now: this takes some seconds")
        )


def _save_overload(cache: Any, signature: Any, machine_code: Any) -> None:
    """Save machine code like numba, but go on if that fails, as on a full disk; replace a damaged index."""
    for _ in range(2):
        with contextlib.suppress(Exception):
            type(cache).save_overload(cache, signature, machine_code)
            return
        with contextlib.suppress(Exception):
            cache.flush()


def _save_nothing(signature: Any, machine_code: Any) -> None:
    """Save nothing in a cache that cannot be written."""


def _save_to_file(file: Any, key: Any, data: Any) -> None:
    """Save an entry of a cache like numba, but the data before the index, and in a file of its own.

    numba saves the index first: if the process is killed then, the index has a file of an earlier version of
    the sources. It also numbers the files, so two processes may choose one file for different entries.
    """
    names = file._load_index()
    names[key] = file._data_name(zlib.crc32(repr(key).encode()))
    file._save_data(names[key], data)
    file._save_index(names)


def _load_data(file: Any, name: str) -> Any:
    """Load an entry of a cache like numba, but do not import the modules of the functions in it.

    Some are those of numba that register all that it can compile for arrays. Machine code needs none of them.
    """
    with contextlib.suppress(Exception):
        return _Unpickler(io.BytesIO(Path(file._data_path(name)).read_bytes())).load()
    return type(file)._load_data(file, name)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        return _rebuild_environment if name == "_rebuild_env" else found


def _rebuild_environment(module: str, constants: list[Any], name: str) -> Any:
    """Rebuild the environment of a machine-code function: its constants, and its module if that is loaded."""
    environments: Any = importlib.import_module("numba.core.environment")
    known = environments.lookup_environment(name)
    if known is not None:
        return known
    loaded = sys.modules.get(module)
    environment = environments.Environment(vars(loaded) if loaded else {"__name__": module})
    environment.consts[:] = constants
    environment.env_name = name
    environments.Environment._memo[name] = environment
    return environment


def _drop_modules() -> None:
    for name in list(sys.modules):
        if name.startswith(f"{__package__}.") and name != __name__:
            del sys.modules[name]
    entry_points.clear()


def _recorded(name: str, function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    @functools.wraps(function)
    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        if _record is not None:
            _record(name, (*arguments, *named.values()))
        return function(*arguments, **named)

    return call


@functools.cache
def _source_stamp(module: str) -> tuple[tuple[str, int, int], ...]:
    """Return checksum and size of a module of this folder, and of those that it imports from this folder.

    Not the times of the files: an image of a container may have others than the folder that it was made of.
    """
    sources, todo = dict[str, str](), [module.rpartition(".")[2]]
    while todo:
        name = todo.pop()
        if name not in sources:
            sources[name] = _source(name)
            todo += _IMPORT.findall(sources[name])
    return tuple((name, zlib.crc32(text.encode()), len(text)) for name, text in sorted(sources.items()))


@functools.cache
def _source(module: str) -> str:
    return (_FOLDER / f"{module}.py").read_text(encoding="utf-8")
