"""Processors with other instructions make the same tables, to the byte."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exports import ROOT
from run_processes import part_files

import polyframe as pf

RUN = """
import sys
import polyframe as pf
from polyframe.geometry import compile_ahead

compile_ahead._PROCESSES = 0  # numba caches nothing that is not optimized, so they would compile in vain
export, out, engine = sys.argv[1:]
pf.run(export, f"{out}/exact", engine=engine, jobs=1)
if engine == "shapely":
    raster = {"contour_method": "raster", "smoothing": "rounded"}
    pf.run(export, f"{out}/raster", engine=engine, average_type="majority", jobs=1, **raster)
"""
#: What the C library may use of a processor.
EXTENSIONS = ("AVX2", "AVX", "FMA", "FMA4", "AVX512F", "AVX512VL", "AVX512BW", "AVX512DQ")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["shapely", "compiled"])
def test_a_processor_with_few_instructions(engine: str, tmp_path: Path) -> None:
    """NumPy, the C library, OpenBLAS and numba use no instruction that another processor may lack.

    numba does not optimize either, so that it computes nothing several at a time.
    """
    export = tmp_path / "export.csv"
    pf.synth(export, subjects=6, volunteers=6, vertices=100, jitter=0.004, seed=3)
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    few = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(found),
        "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={','.join(f'-{name},-{name}_Usable' for name in EXTENSIONS)}",
        "OPENBLAS_CORETYPE": "Prescott",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_OPT": "0",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    outputs = []
    for name, variables in (("usual", {}), ("few", few)):
        command = [sys.executable, "-c", RUN, str(export), str(tmp_path / name), engine]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        subprocess.run(command, env=environment, check=True, timeout=900)
        outputs.append(part_files(tmp_path / name))
    usual, fewer = outputs
    assert usual.keys() == fewer.keys()
    assert len(usual) > 8
    assert [name for name in usual if usual[name] != fewer[name]] == []
