"""Run functions on the workers of a Ray cluster."""

import contextlib
import importlib.util
import logging
import re
import warnings
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

#: Seconds without a result after which the workers are counted.
_CHECK_SECONDS: Final = 2.0
#: How often to connect with a cluster whose head node fails to start a server for this process.
_MOST_TRIES: Final = 3
_SERVER_FAILED: Final = re.compile("Starting Ray client server failed|Proxy failed to Connect to backend")
#: Workers process one partition each, so Polars needs no threads of its own.
_ENVIRONMENT: Final = {"POLARS_MAX_THREADS": "1"}


class _Future(Generic[Result]):
    """A task of a Ray cluster."""

    def __init__(self, ray: Any, reference: Any, cluster: str) -> None:
        self._ray, self._reference, self._cluster = ray, reference, cluster

    def result(self) -> Result:
        _check_connection(self._ray, self._cluster)
        errors = self._ray.exceptions
        try:
            result: Result = self._ray.get(self._reference)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError):
            raise WorkerLost from None
        except errors.LocalRayletDiedError as error:
            raise _gone(self._cluster, error) from None
        except errors.RayTaskError as error:
            raise self._cause(error) from None
        except (errors.RayError, ConnectionError) as error:
            raise _gone(self._cluster, error) from None
        # The reference keeps the result in the memory of the cluster.
        self._reference = None
        return result

    def _cause(self, error: Any) -> BaseException:
        cause: BaseException = error.cause
        if isinstance(cause, ImportError):
            return PolyframeError(
                f"{self._cluster}: a worker cannot import what it needs ({first_line(cause)}); install the "
                f"same version of {DISTRIBUTION} on all machines"
            )
        return cause


class RayExecutor:
    """Runs tasks on a Ray cluster; see `connect` for a context manager that opens it.

    Parameters
    ----------
    ray : module
        Initialized.
    cluster : str
        Names the cluster in messages.
    agreement : Agreement
        What the workers must have in common with this process.
    """

    def __init__(self, ray: Any, cluster: str, agreement: Agreement) -> None:
        self._ray, self._cluster, self._agreement = ray, cluster, agreement
        self._running: dict[Any, Future[Any]] = {}
        self._call = ray.remote(_call)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        running = list(self._running)
        self._running.clear()
        for reference in running:
            with contextlib.suppress(Exception):
                _check_connection(self._ray, self._cluster)
                self._ray.cancel(reference, force=True)

    def submit(self, function: Callable[[Task], Result], task: Task, name: str) -> Future[Result]:
        """Run a function on a worker, see `Executor`."""
        # Lost tasks are tried again alone. Ray would do so beside others, and without end for lack of memory.
        call = self._call.options(name=name, num_cpus=1, max_retries=0)
        with _connection(self._ray, self._cluster):
            reference = call.remote(agreed_call(self._agreement, function, task))
            future: Future[Result] = _Future(self._ray, reference, self._cluster)
            # Needs the hash of the reference, for which Ray's client waits until the cluster has the task.
            self._running[reference] = future
        return future

    def window(self) -> int:
        """Return how many tasks should wait or run at a time, see `Executor`."""
        return cluster_window(self._count_workers())

    def reports(self) -> Mapping[str, TaskReport]:
        """Return nothing, see `Executor`: each report would be a message through the cluster."""
        return {}

    def as_completed(self) -> Iterator[Future[object]]:
        """Yield the futures as they complete, see `Executor`."""
        patience = Patience(self._cluster)
        while self._running:
            completed = self._wait(1, _CHECK_SECONDS)
            if not completed:
                patience.check(self._count_workers())
                continue
            # Others that are completed too, since each call looks at all references.
            for reference in self._wait(len(self._running), 0):
                yield self._running.pop(reference)

    def _wait(self, number: int, seconds: float) -> list[Any]:
        references = list(self._running)
        with _connection(self._ray, self._cluster):
            completed, _ = self._ray.wait(references, num_returns=number, timeout=seconds, fetch_local=False)
        ready: list[Any] = completed
        return ready

    def _count_workers(self) -> int:
        _check_connection(self._ray, self._cluster)
        try:
            return int(self._ray.cluster_resources().get("CPU", 0))
        except Exception as error:
            raise _gone(self._cluster, error) from None


def _call(call: AgreedCall) -> Any:
    return call.run()


@contextlib.contextmanager
def connect(cluster: ClusterAddress | Any, jobs: int, agreement: Agreement) -> Iterator[RayExecutor]:
    """Connect with a Ray cluster, or start one on this machine.

    Parameters
    ----------
    cluster : ClusterAddress or module
        The module `ray` must be initialized, and stays so.
    jobs : int
        Number of workers to start on this machine; 0 means one for each processor.
    agreement : Agreement
        What the workers must have in common with this process.

    Raises
    ------
    UsageError
        If Ray is not installed, or it is in use already or not initialized.
    PolyframeError
        If no cluster answers.
    """
    with contextlib.ExitStack() as opened:
        if isinstance(cluster, ClusterAddress):
            name, ray = str(cluster), _initialized(cluster, jobs, opened)
        else:
            name, ray = "the Ray cluster", cluster
            if not ray.is_initialized():
                raise UsageError("cluster: Ray is not initialized; call ray.init() first")
        yield opened.enter_context(RayExecutor(ray, name, agreement))


def _initialized(cluster: ClusterAddress, jobs: int, opened: contextlib.ExitStack) -> Any:
    import joblib

    ray: Any
    try:
        import ray
    except ImportError:
        raise UsageError(f"cluster: {cluster} needs Ray; {install_command('ray')}") from None
    if ray.is_initialized():
        raise UsageError("cluster: this process uses Ray already; pass the module ray instead of an address")
    quiet = {"log_to_driver": False, "configure_logging": False}
    environment = {"env_vars": _ENVIRONMENT}
    refusals = _Refusals()
    opened.enter_context(silenced("ray"))
    try:
        with warnings.catch_warnings(action="ignore"):
            if cluster.host is None:
                workers = jobs or joblib.cpu_count()
                local = {"address": "local", "num_cpus": workers, "include_dashboard": False}
                ray.init(**local, runtime_env=environment, **quiet)
            else:
                if importlib.util.find_spec("grpc") is None:
                    raise UsageError(f"cluster: {cluster} needs Ray's client; {install_command('ray')}")
                with refusals:
                    _use_token()
                    _connect_client(ray, f"ray://{cluster.host}", runtime_env=environment, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        reason = refusals.last or _reason(error)
        if "authentication" in reason:
            # The full message of Ray has five sentences.
            reason = refusals.last or "Ray found no token"
            raise PolyframeError(
                f"{cluster}: cannot authenticate ({reason}); set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to "
                "the token of the cluster, which `ray get-auth-token` prints on its head node"
            ) from None
        if _SERVER_FAILED.search(reason):
            raise PolyframeError(
                f"{cluster}: the head node failed {_MOST_TRIES} times to start a server for this process; "
                "see ray_client_server_*.err on it, and run the same command again"
            ) from None
        raise PolyframeError(
            f"{cluster}: no Ray cluster answers ({reason}); check the address, or start one with "
            "`ray start --head --ray-client-server-port=10001`"
        ) from None
    # Again, since Ray's client sets the level of its logger.
    opened.enter_context(silenced("ray"))
    opened.callback(ray.shutdown)
    return ray


def _connect_client(ray: Any, address: str, **options: Any) -> None:
    """Connect, again if the server of this client ended: some do so at their start on a busy head node."""
    for _ in range(_MOST_TRIES - 1):
        try:
            ray.init(address, **options)
            return
        except (ConnectionError, RuntimeError) as error:
            if not _SERVER_FAILED.search(str(error)):
                raise
    ray.init(address, **options)


def _use_token() -> None:
    """Let Ray's client send the token of this user, if there is one.

    `ray start` requires the token by default if the user has one, and `ray.init` sends it to clusters of this
    machine, but its client only does so if the environment variable RAY_AUTH_MODE tells it to.
    """
    with contextlib.suppress(ImportError):  # before Ray 2.59
        from ray._private.authentication import authentication_token_setup

        authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


class _Refusals(logging.Handler):
    """Collects why a cluster refuses its client, which Ray only logs: its error says that time is up."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def __enter__(self) -> Self:
        self._logger = logging.getLogger("ray.util.client.worker")
        self._before = self._logger.level, self._logger.propagate
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.level, self._logger.propagate = self._before

    def emit(self, record: logging.LogRecord) -> None:
        before, found, reason = record.getMessage().partition("Received when checking init: ")
        if found and not before:
            self.last = reason


def _reason(error: BaseException) -> str:
    """Return one line: errors of gRPC have many, and those of Ray's server begin with a traceback."""
    details = getattr(error, "details", None)
    lines = str(details() if callable(details) else error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _check_connection(ray: Any, cluster: str) -> None:
    """Raise an error if the connection is lost: then Ray would look for another cluster, for minutes."""
    if not ray.is_initialized():
        raise _gone(cluster)


@contextlib.contextmanager
def _connection(ray: Any, cluster: str) -> Iterator[None]:
    """Say that the connection is lost, instead of the many errors of Ray."""
    _check_connection(ray, cluster)
    try:
        yield
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise _gone(cluster, error) from None


def _gone(cluster: str, error: BaseException | None = None) -> PolyframeError:
    reason = f" ({_reason(error)})" if error else ""
    return PolyframeError(f"{cluster}: lost the connection{reason}; check that the cluster is running")
