"""Parse the addresses of clusters whose workers process partitions."""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from polyframe.core.errors import UsageError, short_repr

Scheduler = Literal["dask", "ray"]
#: An address as `parse_cluster` takes it, or a `distributed.Client`, or the module `ray` after `ray.init()`.
Cluster = str | object

#: The ports on which the schedulers listen by default.
_PORTS: Final[dict[Scheduler, int]] = {"dask": 8786, "ray": 10001}
#: The addresses that start workers on this machine.
_LOCAL: Final[dict[str, Scheduler]] = {"local-dask": "dask", "local-ray": "ray"}
#: The forms of all addresses, to show.
ADDRESSES: Final = (*(f"{scheduler}://HOST:PORT" for scheduler in _PORTS), *_LOCAL)


@dataclass(frozen=True)
class ClusterAddress:
    """Where a cluster is.

    Attributes
    ----------
    scheduler : {"dask", "ray"}
        What it runs.
    host : str or None
        Its scheduler, such as `node1:8786`; None to start workers on this machine.
    """

    scheduler: Scheduler
    host: str | None = None

    def __str__(self) -> str:
        return f"local-{self.scheduler}" if self.host is None else f"{self.scheduler}://{self.host}"


def starts_here(cluster: Cluster | None) -> bool:
    """Return whether the workers are processes that polyframe starts on this machine."""
    return cluster is None or (isinstance(cluster, str) and cluster in _LOCAL)


def parse_cluster(text: str) -> ClusterAddress:
    """Parse the address of a cluster.

    Parameters
    ----------
    text : str
        `dask://HOST:PORT`, `ray://HOST:PORT` (without a port, 8786 and 10001), `local-dask` or `local-ray`.

    Raises
    ------
    UsageError
        If it is not such an address.

    Examples
    --------
    >>> print(parse_cluster("dask://node1"))
    dask://node1:8786
    """
    if text in _LOCAL:
        return ClusterAddress(_LOCAL[text])
    try:
        parts = urlsplit(text)
        scheduler: Scheduler = next(name for name in _PORTS if name == parts.scheme)
        port = parts.port or _PORTS[scheduler]
    except (ValueError, StopIteration):
        raise _not_an_address(text) from None
    if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _not_an_address(text)
    if "@" in parts.netloc:
        # Not quoted, since this part of an address often contains a password.
        raise UsageError(f"cluster: an address such as {scheduler}://{parts.hostname} takes no user name")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return ClusterAddress(scheduler, f"{host}:{port}")


def _not_an_address(text: str) -> UsageError:
    shown = "this address" if "@" in text else short_repr(text)
    return UsageError(
        f"cluster: {shown} is not the address of a cluster; expected one of {', '.join(ADDRESSES)}"
    )
