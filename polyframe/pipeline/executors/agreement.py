"""Check that a worker of a cluster gives the same tables, and the same bytes, as the process that uses it."""

import functools
import hashlib
import io
import os
import pickle
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyframe.consensus.anonymize import environment_key
from polyframe.core.addresses import Address
from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.errors import PolyframeError
from polyframe.core.extras import DISTRIBUTION
from polyframe.store.fingerprints import digest_of_key

#: The packages on whose versions the bytes of the tables depend.
_PACKAGES: Final = (
    *(DISTRIBUTION, "polars", "pyarrow", "numpy", "shapely", "scipy", "scikit-learn", "contourpy", "numba"),
)


@dataclass(frozen=True)
class Agreement:
    """What a worker must have in common with the process that sends it tasks.

    Attributes
    ----------
    versions : tuple of (str, str)
        The versions of Python and of packages.
    key_digest : str or None
        Of the secret with which volunteers are hashed, which the environment of each worker must contain.
    file : Path or None
        A file that a worker must be able to read, since tasks name files beside it.
    digest : str or None
        Of its content, which may be large, while each call contains the agreement.
    """

    versions: tuple[tuple[str, str], ...]
    key_digest: str | None = None
    file: Path | None = None
    digest: str | None = None


@dataclass(frozen=True)
class AgreedCall:
    """A call of a function on a worker, which first checks that the worker agrees with the caller.

    Attributes
    ----------
    agreement : Agreement
        What to check.
    pickled : bytes
        The function and its argument: paths as absolute ones, since the worker runs in another folder, and
        addresses without their secrets, which the worker reads from its own environment.
    """

    agreement: Agreement
    pickled: bytes

    def run(self) -> Any:
        """Call the function.

        Raises
        ------
        PolyframeError
            If the worker does not agree.
        """
        check_agreement(self.agreement)
        function, task = pickle.loads(self.pickled)
        return function(task)


class _TaskPickler(pickle.Pickler):
    """Pickles what another machine may know and understand."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Path):
            return Path, (str(value.absolute()),)
        if isinstance(value, Address):
            shared = value.without_secrets()
            return Address, (shared.scheme, shared.rest, shared.options, shared.withheld)
        return NotImplemented


def agreed_call(agreement: Agreement, function: Callable[[Any], Any], task: Any) -> AgreedCall:
    """Return a call for a worker of a cluster; see `AgreedCall`."""
    pickled = io.BytesIO()
    _TaskPickler(pickled, pickle.HIGHEST_PROTOCOL).dump((function, task))
    return AgreedCall(agreement, pickled.getvalue())


def agreement_of_this_process(key: bytes, file: Path | None) -> Agreement:
    """Return what workers must have in common with this process.

    Parameters
    ----------
    key : bytes
        The secret with which volunteers are hashed; empty if they are not.
    file : Path or None
        A file that workers must be able to read.
    """
    file = None if file is None else file.absolute()
    digest = None if file is None else _digest_of_file(file)
    return Agreement(_versions(), digest_of_key(key), file, digest)


@functools.cache
def check_agreement(agreement: Agreement) -> None:
    """Check that this worker agrees with its caller; the result is kept, so that only the first task pays.

    Raises
    ------
    PolyframeError
        If it has other versions or another secret, or if it does not see the same files.
    """
    here = f"worker process {os.getpid()} on {platform.node()}"
    own = dict(_versions())
    for name, version in agreement.versions:
        if version != own[name]:
            raise PolyframeError(
                f"{here} has {name} {own[name]}, but this process has {version}; "
                "install the same versions on all machines"
            )
    if agreement.key_digest and digest_of_key(environment_key()) != agreement.key_digest:
        differs = "differs from that of this process" if environment_key() else "is missing"
        raise PolyframeError(
            f"{here}: the environment variable {KEY_VARIABLE} {differs}. Set it for all workers, and restart "
            "them."
        )
    if agreement.file is not None and not _has_digest(agreement.file, agreement.digest):
        raise PolyframeError(
            f"{here} does not see the files in {agreement.file.parent}; name a directory that all machines "
            "share"
        )


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    from importlib.metadata import PackageNotFoundError, version

    versions = [("Python", ".".join(platform.python_version_tuple()[:2]))]
    for package in _PACKAGES:
        try:
            versions.append((package, version(package)))
        except PackageNotFoundError:
            versions.append((package, "none"))
    return tuple(versions)


def _digest_of_file(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes()).hexdigest()


def _has_digest(file: Path, digest: str | None) -> bool:
    try:
        return _digest_of_file(file) == digest
    except OSError:
        return False
