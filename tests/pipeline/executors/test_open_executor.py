"""Which executor a call opens, and what is refused before any work is done."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import Done
from run_processes import error_line, small_export

import polyframe as pf
from polyframe.pipeline.executors.joblib_executor import JoblibExecutor
from polyframe.pipeline.executors.open_executor import open_executor


def test_joblib_is_the_default() -> None:
    assert isinstance(open_executor(None, 2), JoblibExecutor)


@pytest.mark.parametrize(("extra", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra(
    extra: str, module: str, tmp_path: Path, polyframe: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    export = small_export(tmp_path / "export.csv")
    done = polyframe("run", export, "-o", tmp_path / "out", "--cluster", f"local-{extra}")
    assert done.code == 2
    assert f"pip install 'panoptes-polyframe[{extra}]'" in error_line(done.err)
    assert not (tmp_path / "out").exists()


def test_other_objects_are_refused(tmp_path: Path) -> None:
    export = small_export(tmp_path / "export.csv")
    with pytest.raises(
        pf.UsageError, match=r"^cluster: 5 is not a cluster; expected an address such as dask"
    ):
        pf.run(export, tmp_path / "out", cluster=5)
    with pytest.raises(pf.UsageError, match=r"^cluster: 'tcp://node:8786' is not the address of a cluster;"):
        pf.run(export, tmp_path / "out", cluster="tcp://node:8786")
    assert not (tmp_path / "out").exists()
