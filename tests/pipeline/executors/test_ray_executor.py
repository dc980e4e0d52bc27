"""Runs on a real Ray cluster of this machine, started once."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from exports import ROOT
from ray_cluster import RayCluster, ray_cluster
from run_processes import (
    ENGINE,
    PARTITION_BYTES,
    Process,
    error_line,
    outcome,
    part_files,
    small_export,
    start,
    wait_for,
)
from stores import leftovers

import polyframe as pf
from polyframe.pipeline import plan

pytestmark = [
    pytest.mark.slow,
    # Ray opens its log files, and its sockets, without closing them.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start Ray with two workers; return the file of their faults, see `faulty_worker`."""
    import ray  # not when the tests are collected, since it needs modules that not every system has

    file = tmp_path_factory.mktemp("ray") / "faults.json"
    paths = [str(ROOT), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"FAULTS_FILE": str(file), "POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    hooked = {"env_vars": environment, "worker_process_setup_hook": "faulty_worker.set_up"}
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        runtime_env=hooked,
    )
    yield file
    ray.shutdown()


def test_workers_that_die(faults: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One dies once, one partition is split and joined, and one subject always kills its worker."""
    import ray

    monkeypatch.setattr(plan, "_MEGABYTE", 2 * PARTITION_BYTES)
    export = small_export(tmp_path / "export.csv", 22)
    pf.run(export, tmp_path / "expected", engine="shapely", jobs=1)
    out, notes = tmp_path / "out", list[str]()
    faults.write_text(json.dumps({"kill_worker": ["00002", "00005", "00007", "00007-00"]}))
    with pytest.raises(pf.PolyframeError) as raised:
        pf.run(export, out, engine="shapely", cluster=ray, say=notes.append)
    line = "partition 00007-00 (subjects from 15 to before 16): its worker died every time"
    assert str(raised.value).startswith(line)
    for name in ("00002", "00005", "00007"):
        assert any(f"splitting partition {name} " in note for note in notes)
    finished = "10 of 11 partitions are finished and kept"
    assert raised.value.__notes__ == [f"{finished}; run the same command to continue"]
    assert leftovers(out) == []
    faults.unlink()
    assert pf.run(export, out, engine="shapely", cluster=ray).made == 1
    assert part_files(out) == part_files(tmp_path / "expected")
    two, one = (pf.tune(out, eps="0.3,0.5", cluster=c, jobs=1) for c in (ray, None))
    assert two.equals(one)
    with pytest.raises(pf.UsageError, match="uses Ray already; pass the module ray instead of an address"):
        pf.run(export, out, engine="shapely", cluster="local-ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("grpc", reason="Ray's client needs the extra `ray` (grpcio)")
    with ray_cluster() as cluster:
        yield cluster


def run_in_cluster(cluster: RayCluster, tmp_path: Path, home: Path, **variables: str) -> Process:
    """Start a run of a user with this home."""
    export = small_export(tmp_path / "export.csv", 22)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_AUTH_MODE", raising=False)
        for name, value in {"HOME": str(home), **variables}.items():
            patch.setenv(name, value)
        return start(
            *("run", export, "-o", tmp_path / "out", *ENGINE, "--cluster", cluster.address),
            partition_bytes=2 * PARTITION_BYTES,
        )


@pytest.mark.parametrize("variables", [{}, {"RAY_AUTH_TOKEN": "f" * 64}, {"RAY_AUTH_MODE": "token"}])
def test_a_cluster_that_requires_another_token(
    variables: dict[str, str], cluster: RayCluster, tmp_path: Path
) -> None:
    code, errors = outcome(
        run_in_cluster(
            cluster,
            tmp_path,
            tmp_path,
            RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S="2",
            RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S="2",
            **variables,
        )
    )
    assert code == 1
    assert re.fullmatch(
        rf"polyframe: error: {cluster.address}: cannot authenticate \(.*\); set RAY_AUTH_MODE=token, and "
        r"RAY_AUTH_TOKEN to the token of the cluster, which `ray get-auth-token` prints on its head node",
        error_line(errors),
    )


def test_ctrl_c_and_a_cluster_that_vanishes(cluster: RayCluster, tmp_path: Path) -> None:
    """The user has the token of the cluster. Ray may run tasks in another order than they were sent."""
    paused = {"00003": 300, "00004": 300}
    cluster.set_faults(pause=paused)
    process = run_in_cluster(cluster, tmp_path, cluster.home)
    wait_for(lambda: set(paused) <= cluster.running_partitions(), 300, process)
    process.send_signal(signal.SIGINT)
    code, errors = outcome(process)
    assert code == 130
    assert error_line(errors).endswith("run the same command to continue")
    wait_for(lambda: not cluster.running_partitions())

    process = run_in_cluster(cluster, tmp_path, cluster.home)
    wait_for(lambda: set(paused) <= cluster.running_partitions(), 300, process)
    cluster.kill()
    code, errors = outcome(process)
    assert code == 1
    # A thread of gRPC may print a traceback before.
    line = errors.splitlines()[-1]
    assert line.startswith(f"polyframe: error: {cluster.address}: lost the connection")
