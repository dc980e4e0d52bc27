"""Open stores of objects, such as buckets, with obstore (extra `cloud`)."""

import functools
import importlib.util
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from polyframe.core.addresses import STORE_SCHEMES, Address, has_secret
from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.extras import install_command
from polyframe.core.suggestions import nearest

if TYPE_CHECKING:
    from obstore.store import ObjectStore

#: Names and values as obstore and Polars take them, such as `{"aws_endpoint": "http://localhost:9000"}`; what
#: is missing is read from the environment, such as `AWS_ACCESS_KEY_ID`. Callers may also pass numbers, True
#: and False, which become text.
StorageOptions = Mapping[str, str]

#: Options of the connection, which obstore takes separately.
_CLIENT_OPTIONS: Final = (
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "proxy_url",
    "timeout",
    "user_agent",
)
#: How errors of obstore begin if the value of an option cannot be parsed.
_CONFIG_ERROR: Final = "Generic Config error: "
_PROVIDER_PREFIXES: Final = ("aws_", "google_", "azure_")
#: Parts of errors of obstore if it has no credentials; the first is the address of a cloud's own machines.
_NO_CREDENTIALS: Final = ("169.254.", "redential", "SecretAccessKey", "Account must be specified")
#: By prefix, the environment variables with credentials that messages name.
_CREDENTIALS: Final = {
    "aws_": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a public bucket",
    "google_": "GOOGLE_SERVICE_ACCOUNT, or GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "azure_": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


def open_store(address: Address) -> "ObjectStore":
    """Open the store of an address; the keys of its objects are relative to the address.

    Parameters
    ----------
    address : Address
        A bucket with an optional path, such as `s3://bucket/project`. Options that it does not have are
        those of the environment.

    Returns
    -------
    obstore.store.ObjectStore
        For the same address the same object, so that connections are reused. Nothing is sent
        yet.

    Raises
    ------
    UsageError
        If the scheme or an option is not known, or the value of an option cannot be parsed.
    PolyframeError
        If obstore is not installed, or the address is not valid.
    """
    if address.scheme not in STORE_SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in ("s3", "gs", "az"))
        raise UsageError(
            f"{address}: {address.scheme}:// is not a store; expected one of {known}, or a local path"
            f"{nearest(address.scheme, STORE_SCHEMES)}"
        )
    require_obstore(address)
    return _open(address)


def require_obstore(address: Address) -> None:
    """Check that obstore is installed.

    Raises
    ------
    PolyframeError
        If it is not; the message names the extra.
    """
    if importlib.util.find_spec("obstore") is None:
        raise PolyframeError(f"{address}: needs obstore; install it with: {install_command('cloud')}")


def store_error(address: Address, error: BaseException) -> PolyframeError:
    """Return the error to raise if obstore fails, on one line and with advice.

    Parameters
    ----------
    address : Address
        What was read or written.
    error : exception
        Of obstore.
    """
    import obstore.exceptions as kinds

    text, withheld = first_line(error), _withheld(address)
    if isinstance(error, (kinds.PermissionDeniedError, kinds.UnauthenticatedError)):
        return PolyframeError(
            f"{address}: access denied; check the credentials and what they allow{withheld}"
        )
    if isinstance(error, FileNotFoundError) or "NoSuchBucket" in str(error):
        return PolyframeError(f"{address}: does not exist; check the address")
    if "builder error" in text and "http://" in text:
        return PolyframeError(
            f"{address}: the endpoint is not encrypted; allow that with the option allow_http=true or, of "
            "S3, the environment variable AWS_ALLOW_HTTP=true"
        )
    if any(part in text for part in _NO_CREDENTIALS):
        variables = _CREDENTIALS[_prefix_of(address)]
        return PolyframeError(
            f"{address}: no credentials; set them in the environment ({variables})"
            f"{withheld or ' or in storage_options'}"
        )
    if text.startswith(_CONFIG_ERROR):
        return UsageError(f"{address}: {_config_problem(address, text.removeprefix(_CONFIG_ERROR))}")
    reason = text.rpartition(" - ")[2] or text
    return PolyframeError(
        f"{address}: cannot be reached ({reason}); check address, endpoint and network{withheld}"
    )


def _withheld(address: Address) -> str:
    """Return what a message adds on a worker that did not get all options."""
    if not address.withheld:
        return ""
    return f". Workers do not get {', '.join(address.withheld)} of the run: set that in their environment"


def _config_problem(address: Address, reason: str) -> str:
    """Return the message for a value that cannot be parsed, with the names of the options that have it."""
    named = {name: value for name, value in address.options if f'"{value}"' in reason}
    place = f"storage_options: {', '.join(named)}" if named else "options in the environment"
    for name, value in named.items():
        if has_secret(name, value):
            reason = reason.replace(value, "...")
    return f"{place}: {reason.replace('as Duration', 'as a duration such as 30s')}"


@functools.cache
def _open(address: Address) -> "ObjectStore":
    from obstore import store as stores
    from obstore.exceptions import BaseError

    if address.scheme == "memory":
        return stores.MemoryStore()
    config, client = _sorted_options(address)
    # Its types know each option; ours are checked when it reads them.
    from_url: Any = stores.from_url
    try:
        store: ObjectStore = from_url(address.url, config=config or None, client_options=client or None)
    except BaseError as error:
        reason = first_line(error).removeprefix("Configuration key: ")
        if "is not valid for store" in reason:
            raise UsageError(f"{address}: storage_options: {reason}") from None
        raise store_error(address, error) from None
    except ValueError as error:
        raise UsageError(f"{address}: is not an address of a store ({first_line(error)})") from None
    return store


def _check_urls(address: Address) -> None:
    """Raise a UsageError if an option or an environment variable is not the URL that it should be.

    obstore would end the process, or treat what is not a URL as the name of a host.
    """
    prefix = _prefix_of(address).upper()
    known = [(f"storage_options: {name}", value) for name, value in address.options if _is_url(name)]
    known += [
        (f"the environment variable {name}", value)
        for name, value in os.environ.items()
        if value and name.startswith(prefix) and _is_url(name)
    ]
    for place, value in known:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises a ValueError if it is not a number
            is_url = bool(parts.scheme and parts.hostname and value.isprintable())
        except ValueError:
            is_url = False
        if not is_url or " " in value:
            # The value may contain a password.
            raise UsageError(f"{address}: {place}: is not a URL such as https://host:9000")


def _is_url(name: str) -> bool:
    plain = name.lower()
    return (
        plain.endswith(("endpoint", "endpoint_url", "endpoint_url_s3", "proxy_url")) and "use_" not in plain
    )


def _prefix_of(address: Address) -> str:
    """Return how the names of options begin that are only for stores like this one."""
    return {"s3": "aws_", "s3a": "aws_", "gs": "google_"}.get(address.scheme, "azure_")


def _sorted_options(address: Address) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort options into those of the store and those of the connection.

    Those of other stores are omitted: an export may be in another store than the output.
    """
    _check_urls(address)
    config: dict[str, Any] = {}
    client: dict[str, Any] = {}
    others = tuple(prefix for prefix in _PROVIDER_PREFIXES if prefix != _prefix_of(address))
    for name, value in address.options:
        plain = name.lower()
        if plain.startswith(others):
            continue
        plain = plain.removeprefix(_prefix_of(address))
        if plain in _CLIENT_OPTIONS:
            client[plain] = value
        else:
            config[name.lower()] = value
    if client and "AWS_ALLOW_HTTP" in os.environ:
        # obstore reads it only without other options of the connection.
        client.setdefault("allow_http", os.environ["AWS_ALLOW_HTTP"])
    return config, client
