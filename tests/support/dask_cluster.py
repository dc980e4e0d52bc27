"""Start a Dask scheduler and workers as processes of this machine, for tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exports import ROOT
from run_processes import wait_for


@dataclass(frozen=True)
class DaskCluster:
    """A scheduler and its workers; each worker has a nanny that restarts it if it dies."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    environment: dict[str, str]

    @property
    def address(self) -> str:
        """The address for `--cluster`."""
        address: str = json.loads((self.folder / "scheduler.json").read_text())["address"]
        return address.replace("tcp://", "dask://")

    @contextlib.contextmanager
    def faults(self, **faults: Any) -> Iterator[None]:
        """Inject faults into the partitions that the workers process, see `faulty_worker`."""
        file = self.folder / "faults.json"
        file.write_text(json.dumps(faults))
        try:
            yield
        finally:
            file.unlink()


@contextlib.contextmanager
def dask_cluster(
    folder: Path,
    workers: int = 2,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[DaskCluster]:
    """Run a scheduler on a free port and some workers, with Dask's default settings; stop them at the end.

    `before` is put in front of the command of the workers.
    """
    paths = [str(ROOT), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "FAULTS_FILE": str(folder / "faults.json"),
        "POLARS_MAX_THREADS": "1",
        **(environment or {}),
    }
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    processes: list[subprocess.Popen[bytes]] = []

    def start(module: str, *options: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with (folder / f"log-{len(processes)}.txt").open("wb") as log:
            command = [*before, sys.executable, "-m", f"distributed.cli.{module}", *common, *options]
            process = subprocess.Popen(
                command, env=variables, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
        processes.append(process)
        return process

    try:
        scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_for(lambda: file.exists() and file.read_text().endswith("}"))
        if workers:
            options = ["--nworkers", str(workers), "--nthreads", "1", "--preload", "faulty_worker"]
            start("dask_worker", "--host", "127.0.0.1", *options, before=before)
        yield DaskCluster(folder, scheduler, variables)
    finally:
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def process_id(_: object) -> int:
    """Return the ID of the process of a worker."""
    return os.getpid()
