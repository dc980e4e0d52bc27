"""Start a Ray cluster as processes of this machine, for tests."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exports import ROOT
from run_processes import wait_for

#: Python runs a module of this name at its start: workers load the faults, see `faulty_worker`.
SITE = """
import sys
if any("default_worker" in argument for argument in sys.orig_argv):
    import faulty_worker
"""


@dataclass(frozen=True)
class RayCluster:
    """A head node with two workers, which requires the token of the user with this home."""

    head: subprocess.Popen[bytes]
    address: str
    home: Path
    _faults: Path

    def set_faults(self, **faults: Any) -> None:
        """Inject faults into the partitions that the workers process, see `faulty_worker`."""
        self._faults.write_text(json.dumps(faults))

    def running_partitions(self) -> set[str]:
        """Return the partitions that workers process now: Ray calls the process of a worker by its task."""
        titles = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getsid(int(process.name)) == self.head.pid:
                    titles.append((process / "cmdline").read_bytes().rstrip(b"\0").decode())
        return {title.removeprefix("ray::") for title in titles if title.startswith("ray::0")}

    def kill(self) -> None:
        """Kill all processes of the cluster."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.head.pid, signal.SIGKILL)
        self.head.wait(30)


@contextlib.contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Run a head node on free ports; kill it at the end."""
    # Not a folder of pytest, whose path is too long for the sockets of Ray.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(SITE)
        (folder / ".ray").mkdir()
        (folder / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
        paths = [name, str(ROOT), str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH")]
        port, client_port = _free_ports(2)
        options = {
            "node-ip-address": "127.0.0.1",
            "port": port,
            "ray-client-server-port": client_port,
            "include-dashboard": "false",
            "num-cpus": 2,
            "temp-dir": folder / "temp",
        }
        environment = {
            **os.environ,
            "HOME": name,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "FAULTS_FILE": str(folder / "faults.json"),
            "RAY_raylet_start_wait_time_s": "120",
        }
        command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--head"]
        command += [
            "--block",
            "--disable-usage-stats",
            *(f"--{key}={value}" for key, value in options.items()),
        ]
        log = folder / "log.txt"
        with log.open("wb") as file:
            head = subprocess.Popen(
                command, env=environment, stdout=file, stderr=file, start_new_session=True
            )
        address = f"ray://127.0.0.1:{client_port}"
        cluster = RayCluster(head, address, folder, folder / "faults.json")
        try:
            wait_for(lambda: "block forever" in log.read_text() or head.poll() is not None, 150)
            assert head.poll() is None, log.read_text()
            yield cluster
        finally:
            cluster.kill()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
