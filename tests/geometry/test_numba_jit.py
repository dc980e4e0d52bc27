"""The cache of compiled functions: never stale, never mixed up, and never a reason to fail."""

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from polyframe.core.errors import UsageError
from polyframe.geometry import compile_ahead
from polyframe.geometry.compiled import numba_jit

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: the extra `fast`"
)

Load = Callable[[], Any]


@pytest.fixture
def load_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that imports a module with one entry point again, as another process would."""
    source = tmp_path / "tiny.py"
    source.write_text(
        "from polyframe.geometry.compiled.numba_jit import compiled\n"
        "@compiled\ndef double(x):\n    return 2 * x\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(numba_jit, "_enabled", True)
    monkeypatch.setattr(numba_jit, "entry_points", {})
    monkeypatch.setattr(numba_jit, "_source_stamp", lambda module: (("tiny", 1, 1),))

    def load() -> Any:
        specification = importlib.util.spec_from_file_location("tiny", source)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, "tiny", module)
        specification.loader.exec_module(module)
        return module.double

    return load


def cache_files(folder: Path, ending: str) -> list[Path]:
    return sorted((folder / "__pycache__").glob(f"*.{ending}"))


def test_functions_are_loaded_from_the_cache(load_tiny: Load) -> None:
    assert load_tiny()(3) == 6
    again = load_tiny()
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1
    assert sum(again.stats.cache_misses.values()) == 0


def without_writable_folders(monkeypatch: pytest.MonkeyPatch, but: Path | None = None) -> None:
    """Let numba find that it can write to no folder, or only below one."""
    original = tempfile.TemporaryFile

    def fail(*, dir: str) -> Any:
        if but is None or not Path(dir).is_relative_to(but):
            raise PermissionError(13, "Permission denied")
        return original(dir=dir)

    monkeypatch.setattr("numba.core.caching.tempfile.TemporaryFile", fail)
    monkeypatch.setattr(numba_jit, "load_all", lambda: None)  # this test is about the tiny module only


@pytest.mark.parametrize("home", [False, True], ids=["nothing can be written", "home can be written"])
@pytest.mark.parametrize("named", [False, True], ids=["beside the sources", "NUMBA_CACHE_DIR"])
def test_a_filled_cache_that_cannot_be_written_is_read(
    named: bool, home: bool, load_tiny: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named:
        monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "named"))
    assert load_tiny()(3) == 6
    files = sorted(tmp_path.rglob("*.nb?"))
    assert len(files) == 2
    monkeypatch.setattr(
        "numba.core.caching.AppDirs", lambda **_: SimpleNamespace(user_cache_dir=str(tmp_path / "home"))
    )
    without_writable_folders(monkeypatch, tmp_path / "home" if home else None)
    again = load_tiny()
    assert compile_ahead.uncached_functions() == ([], "")
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1
    # What it does not have is compiled, and kept if that is possible.
    assert again(1.5) == 3.0
    assert len(list((tmp_path / "home").rglob("*.nbc"))) == home
    assert sorted(path for path in tmp_path.rglob("*.nb?") if "home" not in path.parts) == files
    once_more = load_tiny()
    assert (once_more(3), once_more(1.5)) == (6, 3.0)
    assert sum(once_more.stats.cache_hits.values()) == 1 + home


def test_a_filled_cache_of_other_sources_is_not_read(
    load_tiny: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_tiny()(3)
    without_writable_folders(monkeypatch)
    monkeypatch.setattr(numba_jit, "_source_stamp", lambda module: (("tiny", 2, 1),))
    again = load_tiny()
    names, problem = compile_ahead.uncached_functions()
    assert names == []
    assert "NUMBA_CACHE_DIR" in problem
    assert again(3) == 6
    assert sum(again.stats.cache_misses.values()) == 1


def test_it_is_said_once_that_functions_are_compiled_late(load_tiny: Load) -> None:
    notes: list[str] = []
    with numba_jit.announcing(notes.append):
        double = load_tiny()
        assert (double(3), double(3), double(1.5)) == (6, 6, 3.0)
    assert len(notes) == 1
    assert "compiling functions" in notes[0]
    with numba_jit.announcing(notes.append):
        assert load_tiny()(3) == 6
    assert len(notes) == 1


def test_machine_code_is_loaded_without_the_module_of_its_function() -> None:
    environment = numba_jit._rebuild_environment("polyframe.no_such_module", [1.5], "of this test")
    assert environment.consts == [1.5]
    assert environment.can_cache()
    assert numba_jit._rebuild_environment("polyframe.no_such_module", [], "of this test") is environment


def without_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    original = caching.IndexDataCacheFile.__init__

    def start(self: Any, **named: Any) -> None:
        original(self, **named)
        del self._source_stamp

    monkeypatch.setattr(caching.IndexDataCacheFile, "__init__", start)


def with_other_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching, dispatcher

    def enable(self: Any) -> None:
        self._cache = caching.NullCache()

    monkeypatch.setattr(dispatcher.Dispatcher, "enable_caching", enable)


def without_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import dispatcher

    monkeypatch.setattr(dispatcher.Dispatcher, "enable_caching", lambda self: self._missing)


@pytest.mark.parametrize(
    "missing",
    [
        "numba.core.caching.IndexDataCacheFile._load_index",
        "numba.core.caching.IndexDataCacheFile._data_name",
        "numba.core.caching.IndexDataCacheFile._data_path",
        "numba.core.caching.IndexDataCacheFile._save_data",
        "numba.core.environment.lookup_environment",
        "numba.core.caching.Cache._load_overload",
        "numba.core.caching.Cache.flush",
        "numba.core.codegen.CPUCodegen.magic_tuple",
        "numba.core.runtime.rtsys",
        without_stamp,
        with_other_caches,
        without_caches,
    ],
)
def test_a_numba_without_an_attribute_costs_only_time(
    missing: str | Callable[[pytest.MonkeyPatch], None], load_tiny: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    if callable(missing):
        missing(monkeypatch)
    else:
        monkeypatch.delattr(missing)
    for _ in range(2):
        assert load_tiny()(3) == 6
        compile_ahead.uncached_functions()


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_damaged_files_are_replaced(ending: str, content: bytes, load_tiny: Load, tmp_path: Path) -> None:
    load_tiny()(3)
    (file,) = cache_files(tmp_path, ending)
    file.write_bytes(content)
    damaged = load_tiny()
    compile_ahead.uncached_functions()
    assert damaged(3) == 6
    again = load_tiny()
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_full_disk_costs_only_time(load_tiny: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, name: str, data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", fail)
    assert load_tiny()(3) == 6
    assert load_tiny()(3) == 6


def test_no_index_names_a_file_that_is_not_written(
    load_tiny: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Any, name: str, data: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("numba.core.caching.IndexDataCacheFile._save_data", stop)
        with pytest.raises(KeyboardInterrupt):
            load_tiny()(3)
    assert cache_files(tmp_path, "nbi") == []


def test_two_processes_do_not_write_different_entries_to_one_file(load_tiny: Load, tmp_path: Path) -> None:
    load_tiny()(3)
    (index,) = cache_files(tmp_path, "nbi")
    content = index.read_bytes()
    index.unlink()
    assert load_tiny()(3.5) == 7.0  # another process, which has not seen the index
    index.write_bytes(content)
    assert len(cache_files(tmp_path, "nbc")) == 2
    assert load_tiny()(3) == 6


def test_a_numba_that_cannot_be_imported_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> ModuleType:
        raise ImportError("Numba needs NumPy 2.4 or less. Got NumPy 2.9.")

    monkeypatch.setattr(numba_jit, "_enabled", False)
    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(UsageError, match=r"numba cannot be imported \(Numba needs NumPy 2.4 or less"):
        numba_jit.compile_loops()
