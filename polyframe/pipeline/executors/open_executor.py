"""Open the executor that a call asks for."""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from polyframe.core.clusters import Cluster, ClusterAddress, parse_cluster
from polyframe.core.errors import PolyframeError, UsageError, short_repr
from polyframe.pipeline.executors.agreement import Agreement, agreement_of_this_process
from polyframe.pipeline.executors.executor import Executor, WorkerLost
from polyframe.pipeline.executors.joblib_executor import JoblibExecutor


def open_executor(
    cluster: Cluster | None,
    jobs: int,
    *,
    marks: Path | None = None,
    key: bytes = b"",
    shared_file: Path | None = None,
    in_memory: bool = False,
) -> AbstractContextManager[Executor]:
    """Return a context manager that opens an executor.

    Parameters
    ----------
    cluster : str, distributed.Client, the module ray, or None
        Where the workers are, see `polyframe.core.clusters`; None for this machine, with joblib.
    jobs : int
        Number of workers on this machine; 0 means one for each processor.
    marks : Path, optional
        See `JoblibExecutor`.
    key : bytes
        The secret with which volunteers are hashed; empty if they are not.
    shared_file : Path, optional
        A file that the workers of a cluster must see.
    in_memory : bool
        Whether the output is in the memory of this process, so that no other process can work on it.

    Raises
    ------
    UsageError
        If `cluster` is not one, or its package is not installed.
    """
    if in_memory and cluster is not None:
        raise UsageError("cluster: its workers do not see an output at memory://; name one in a bucket")
    if cluster is None:
        return JoblibExecutor(1 if in_memory else jobs, marks, key)
    return _open_cluster(cluster, jobs, agreement_of_this_process(key, shared_file))


@contextlib.contextmanager
def _open_cluster(cluster: Cluster, jobs: int, agreement: Agreement) -> Iterator[Executor]:
    """Open a cluster, and try a worker, so that what is wrong is said before the export is read."""
    if isinstance(cluster, str):
        cluster = parse_cluster(cluster)
    opened: AbstractContextManager[Executor]
    if _is_of_dask(cluster):
        from polyframe.pipeline.executors import dask_executor

        opened = dask_executor.connect(cluster, jobs, agreement)
    elif _is_of_ray(cluster):
        from polyframe.pipeline.executors import ray_executor

        opened = ray_executor.connect(cluster, jobs, agreement)
    else:
        raise UsageError(
            f"cluster: {short_repr(cluster)} is not a cluster; expected an address such as dask://HOST:PORT, "
            "a distributed.Client, or the module ray"
        )
    with opened as executor:
        tried = executor.submit(_do_nothing, None, "probe")
        for _ in executor.as_completed():
            pass
        try:
            tried.result()
        except WorkerLost:
            raise PolyframeError(f"{cluster}: its workers die at once; look at their logs") from None
        yield executor


def _is_of_dask(cluster: Cluster) -> bool:
    if isinstance(cluster, ClusterAddress):
        return cluster.scheduler == "dask"
    return "distributed" in sys.modules and isinstance(cluster, sys.modules["distributed"].Client)


def _is_of_ray(cluster: Cluster) -> bool:
    if isinstance(cluster, ClusterAddress):
        return cluster.scheduler == "ray"
    return cluster is sys.modules.get("ray")


def _do_nothing(_: None) -> None:
    pass
