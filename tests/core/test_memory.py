"""Peak memory: of this process and of its children."""

import subprocess
import sys

import pytest

from polyframe.core.memory import peak_memory_bytes

MEGABYTES = 200
CHILD = f"data = bytearray({MEGABYTES * 10**6}); del data; print('ready', flush=True); input()"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not list children")
def test_children_and_their_children_are_added() -> None:
    before = peak_memory_bytes()
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        added = peak_memory_bytes() - before
        process.communicate("\n", timeout=60)
    # The peak counts, although the memory is free again; two interpreters come with it.
    assert MEGABYTES * 10**6 < added < (MEGABYTES + 150) * 10**6
    assert peak_memory_bytes() < before + MEGABYTES * 10**6
