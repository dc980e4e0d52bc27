"""Run functions on the workers of a Dask cluster.

If a worker dies, Dask sends the tasks that it had to other workers, by default three more times. A task that
was running there may have killed it, and would kill these too, so each task sets an event at the scheduler
while it runs: if a worker finds the event of its task set, it does not run the task, which is a `WorkerLost`.
Tasks that only waited for the dead worker run on another one.
"""

import concurrent.futures
import contextlib
import logging
import queue
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, Self

from polyframe.core.clusters import ClusterAddress
from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.extras import DISTRIBUTION, install_command
from polyframe.core.task_reports import TaskReport
from polyframe.pipeline.executors.agreement import AgreedCall, Agreement, agreed_call
from polyframe.pipeline.executors.executor import Future, Result, Task, WorkerLost, cluster_window
from polyframe.pipeline.executors.patience import Patience
from polyframe.pipeline.executors.silence import silenced

#: Seconds to wait for an answer of the scheduler.
_LONGEST_ANSWER: Final = 15
#: Seconds without a result after which the workers are counted.
_CHECK_SECONDS: Final = 2.0


class _Future(Generic[Result]):
    """A task of a Dask cluster."""

    def __init__(self, future: Any, cluster: str, check: Callable[[], object]) -> None:
        self._future, self._cluster, self._check = future, cluster, check

    def result(self) -> Result:
        if self._future.status == "error":
            raise self._error()
        try:
            result: Result = self._future.result(timeout=_LONGEST_ANSWER)
        except (concurrent.futures.CancelledError, OSError, TimeoutError):
            self._check()
            # The scheduler answers, so the result was lost with the worker that had it.
            raise WorkerLost from None
        self._future.release()
        if isinstance(result, _RanBefore):
            raise WorkerLost
        return result

    def _error(self) -> BaseException:
        from distributed.scheduler import KilledWorker

        error: BaseException = self._future.exception(timeout=_LONGEST_ANSWER)
        if isinstance(error, KilledWorker):
            return WorkerLost()
        if isinstance(error, ImportError):
            return PolyframeError(
                f"{self._cluster}: a worker cannot import what it needs ({first_line(error)}); install the "
                f"same version of {DISTRIBUTION} on all machines"
            )
        return error


class _RanBefore:
    """The result of a task that ran on another worker, which died meanwhile."""


def _run_once(call: AgreedCall, event: str) -> Any:
    """Run a task, unless a worker died while it ran; see the docstring of this module."""
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()

    def ask(method: str) -> Any:
        # Without the client that `distributed.Event` would start on each worker.
        return sync(worker.loop, getattr(worker.scheduler, method), name=event)

    if ask("event_is_set"):
        ask("event_clear")
        return _RanBefore()
    ask("event_set")
    try:
        return call.run()
    finally:
        ask("event_clear")


class DaskExecutor:
    """Runs tasks on a Dask cluster; see `connect` for a context manager that opens it.

    Parameters
    ----------
    client : distributed.Client
        A synchronous one.
    cluster : str
        Names the cluster in messages.
    agreement : Agreement
        What the workers must have in common with this process.
    """

    def __init__(self, client: Any, cluster: str, agreement: Agreement) -> None:
        self._client, self._cluster, self._agreement = client, cluster, agreement
        self._running: dict[str, tuple[Any, Future[Any]]] = {}
        self._completed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        futures = [future for future, _ in self._running.values()]
        self._running.clear()
        if futures and self._client.status == "running":
            with contextlib.suppress(Exception):
                self._client.cancel(futures)

    def submit(self, function: Callable[[Task], Result], task: Task, name: str) -> Future[Result]:
        """Run a function on a worker, see `Executor`."""
        # A key of its own: Dask would answer a repeated one with the result, or the error, that it has.
        key = f"polyframe-{name}-{uuid.uuid4().hex}"
        call = agreed_call(self._agreement, function, task)
        future = self._client.submit(_run_once, call, key, key=key, pure=False)
        own: Future[Result] = _Future(future, self._cluster, self._count_workers)
        self._running[key] = future, own
        future.add_done_callback(lambda done: self._completed.put(done.key))
        return own

    def window(self) -> int:
        """Return how many tasks should wait or run at a time, see `Executor`."""
        return cluster_window(self._count_workers())

    def reports(self) -> Mapping[str, TaskReport]:
        """Return nothing, see `Executor`: each report would be a message to the scheduler."""
        return {}

    def as_completed(self) -> Iterator[Future[object]]:
        """Yield the futures as they complete, see `Executor`."""
        patience = Patience(self._cluster)
        while self._running:
            try:
                key = self._completed.get(timeout=_CHECK_SECONDS)
            except queue.Empty:
                patience.check(self._count_workers())
                continue
            yield self._running.pop(key)[1]

    def _count_workers(self) -> int:
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=_LONGEST_ANSWER)
        except Exception:
            raise _gone(self._cluster) from None
        return len(threads)


@contextlib.contextmanager
def connect(cluster: ClusterAddress | Any, jobs: int, agreement: Agreement) -> Iterator[DaskExecutor]:
    """Connect with a Dask cluster, or start one on this machine.

    Parameters
    ----------
    cluster : ClusterAddress or distributed.Client
        A client stays open.
    jobs : int
        Number of workers to start on this machine; 0 means one for each processor.
    agreement : Agreement
        What the workers must have in common with this process.

    Raises
    ------
    UsageError
        If Dask is not installed, or the client is asynchronous.
    PolyframeError
        If no scheduler answers.
    """
    with contextlib.ExitStack() as opened:
        if isinstance(cluster, ClusterAddress):
            name = str(cluster)
            client = _client(cluster, jobs, opened)
        else:
            client = cluster
            if client.asynchronous:
                raise UsageError("cluster: the client is asynchronous; pass Client(asynchronous=False)")
            name = f"the Dask cluster {client.scheduler.address if client.scheduler else '(closed)'}"
            if client.status != "running":
                raise PolyframeError(f"{name}: the client is closed; make another one")
        yield opened.enter_context(DaskExecutor(client, name, agreement))


def _client(cluster: ClusterAddress, jobs: int, opened: contextlib.ExitStack) -> Any:
    import joblib

    distributed: Any
    try:
        import dask
        import distributed
    except ImportError:
        raise UsageError(f"cluster: {cluster} needs Dask; {install_command('dask')}") from None
    address: Any
    if cluster.host is None:
        workers = jobs or joblib.cpu_count()
        address = opened.enter_context(
            distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
                # Workers process one partition each, so Polars needs no threads of its own.
                env={"POLARS_MAX_THREADS": "1"},
            )
        )
    else:
        address = f"{dask.config.get('distributed.comm.default-scheme', 'tcp')}://{cluster.host}"
    # It logs a traceback if it is closed after its scheduler has gone.
    opened.enter_context(silenced("distributed.client"))
    try:
        return opened.enter_context(
            distributed.Client(address, timeout=_LONGEST_ANSWER, set_as_default=False)
        )
    except OSError as error:
        raise PolyframeError(
            f"{cluster}: no Dask scheduler answers ({first_line(error)}); check the address, or start one "
            "with `dask scheduler`"
        ) from None


def _gone(cluster: str) -> PolyframeError:
    return PolyframeError(f"{cluster}: lost the connection to the scheduler; check that it is running")
