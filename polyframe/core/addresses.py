"""Recognize addresses such as `s3://bucket/project`, and print them without secrets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from polyframe.core.errors import UsageError, short_repr

#: The stores that obstore opens; `memory://name` is a store of this process, for tests and notebooks.
STORE_SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "memory")
#: Addresses from which files can be read, but to which nothing can be written.
WEB_SCHEMES: Final = ("https", "http")

#: `s3://bucket/x`, or `s3:/bucket/x`, to which pathlib.Path shortens it. A single letter is a drive.
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
#: A server that is named by its IPv4 address, or this machine, with a port.
_CERTAIN_SERVER: Final = re.compile(r"(localhost|\d{1,3}(\.\d{1,3}){3}):\d+")
#: Parts of the names of options that are secret.
_SECRET: Final = ("key", "token", "secret", "password", "credential", "sas", "service_account")


@dataclass(frozen=True)
class Address:
    """The place of a file or an output directory outside the local file system.

    `str` and messages omit what may be secret: the query of a signed link, and a user with a password.

    Attributes
    ----------
    scheme : str
        Such as `s3`, in lower case.
    rest : str
        What follows `://`, with its query.
    options : tuple of (str, str)
        Credentials, endpoint and so on, see `polyframe.core.object_stores.StorageOptions`; in the order of
        their names. What is not among them is read from the environment.
    withheld : tuple of str
        The names of options that this process did not get, see `without_secrets`; for messages.
    """

    scheme: str
    rest: str
    options: tuple[tuple[str, str], ...] = ()
    withheld: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        # Names of objects may contain ? and #.
        place = _without_password(self.rest) if self.is_store else _without_secrets(self.rest)
        return f"{self.scheme}://{place}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    @property
    def url(self) -> str:
        """The whole address, with everything that is secret; only for the library that opens it."""
        return f"{self.scheme}://{self.rest}"

    @property
    def contains_secret(self) -> bool:
        """Whether the address itself must not be sent to other machines, such as a signed link."""
        return self.url != str(self)

    @property
    def name(self) -> str:
        """The last part of the path, such as `export.csv.gz`."""
        return str(self).rstrip("/").rpartition("/")[2]

    @property
    def is_csv_file(self) -> bool:
        """Whether it is that of a CSV file, not of an output: a link, or a name that ends in `.csv`."""
        name = self.name.lower().removesuffix(".gz").removesuffix(".zst")
        return self.scheme in WEB_SCHEMES or name.endswith(".csv")

    @property
    def is_store(self) -> bool:
        """Whether it is in a store to which polyframe can write."""
        return self.scheme in STORE_SCHEMES

    def joined(self, key: str) -> "Address":
        """Return the address of something below this one."""
        return replace(self, rest=f"{self.rest.rstrip('/')}/{key}")

    @property
    def parent(self) -> "Address":
        """The folder of a file, without the query of a link."""
        place = self.rest if self.is_store else self.rest.partition("?")[0].partition("#")[0]
        return replace(self, rest=place.rpartition("/")[0])

    def without_secrets(self) -> "Address":
        """Return the address without those options that must not be sent to other machines.

        Those are keys, passwords and so on, and URLs with a user or a query, such as that of a proxy.
        """
        shared = tuple((name, value) for name, value in self.options if not has_secret(name, value))
        withheld = tuple(name for name, value in self.options if has_secret(name, value))
        rest = _without_password(self.rest) if self.is_store else self.rest
        return replace(self, rest=rest, options=shared, withheld=withheld)


#: A local path, or an address.
Place = Path | Address


def as_address(value: Any, options: Mapping[str, str] | None = None) -> Address | None:
    """Return a value as an address; None if it is a local path, or no path at all.

    Parameters
    ----------
    value : object
        An `Address`, a text, or a path, to which somebody may have converted the text.
    options : mapping, optional
        Its options; those that an `Address` has already are kept. Numbers, True and False become text.

    Raises
    ------
    UsageError
        If the options are not a mapping of texts to texts, numbers or bools.

    Notes
    -----
    `file:///x` is not an address, see `polyframe.core.local_paths.local_path`.

    Examples
    --------
    >>> str(as_address("s3://bucket/project/"))
    's3://bucket/project'
    >>> as_address("out") is None
    True
    """
    if isinstance(value, Address):
        return replace(value, options=_sorted({**_text_options(options), **dict(value.options)}))
    if not isinstance(value, (str, os.PathLike)):
        return None
    text = os.fspath(value)
    scheme, rest = split_scheme(text) if isinstance(text, str) else ("", "")
    # A folder named like an address, such as `s3:`, may exist.
    if scheme in ("", "file") or os.path.lexists(text):
        return None
    if scheme not in WEB_SCHEMES:
        rest = rest.rstrip("/")
    return Address(scheme, rest, _sorted(_text_options(options)))


def split_scheme(text: str) -> tuple[str, str]:
    """Return the scheme of an address in lower case, and what follows `://`; two empty texts for a path.

    Examples
    --------
    >>> split_scheme("S3://bucket/x")
    ('s3', 'bucket/x')
    """
    match = _ADDRESS.match(text)
    return (match[1].lower(), match[2]) if match else ("", "")


def host_of(address: Address) -> str:
    """Return the bucket or the web server of an address, without a user or a password."""
    return urlsplit(str(address)).netloc


def _text_options(options: Mapping[str, Any] | None) -> dict[str, str]:
    """Return options with text as their values, as the libraries take them."""
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise UsageError(
            f"storage_options: expected a mapping of names to text, got {type(options).__name__}"
        )
    texts = {}
    for name, value in options.items():
        if not isinstance(name, str):
            raise UsageError(f"storage_options: the name {short_repr(name)} is not text")
        if not isinstance(value, (str, bool, int, float)):
            # The value may be secret.
            raise UsageError(f"storage_options: {name}: expected text, got {type(value).__name__}")
        texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts


def _sorted(options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(options.items()))


def _without_password(rest: str) -> str:
    """Return what follows `://` in the address of a store without `user:password@`.

    Also if the password contains /, ? or #, which should be encoded there. A user without a password stays:
    in abfss://, it is a container.
    """
    host, end = _host_of(rest)
    user, at, _ = host.rpartition("@")
    if at and ":" not in user:
        return rest
    if at and "@" not in end:
        return rest[len(user) + 1 :]
    if "@" in end and ":" in host:
        return rest.rpartition("@")[2]
    name, colon, port = host.partition(":")
    return name if colon and not port.isdecimal() else rest


def _without_secrets(rest: str) -> str:
    """Return what follows `://` in a link without its query, a user and a password.

    The end of an unencoded password looks like a path: http://host:80/a@b may be a port of `host`, or the
    password `80/a` for `b`. Then only what is part of no password is returned.
    """
    host, end = _host_of(rest)
    user, at, server = host.rpartition("@")
    name, colon, port = server.partition(":")
    may_be_password = ":" in user or (colon and not _is_certain(server))
    if "@" not in end or not may_be_password:
        if colon and port and not port.isdecimal() and not server.startswith("["):
            return name
        return server + re.split("[?#]", end, maxsplit=1)[0]
    before, _, last = rest.rpartition("@")
    shown = re.split("[?#]", last, maxsplit=1)[0]
    if colon and not port.isdecimal() and not at:
        return shown  # certainly a password
    # What follows an @ in a query may be a part of a signature.
    return "..." if re.search("[?#]", before) else f"...@{shown}"


def _host_of(rest: str) -> tuple[str, str]:
    """Split what follows `://` before the first /, ? or #."""
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    return host, rest[len(host) :]


def _is_certain(server: str) -> bool:
    """Return whether a server with a port is certainly no user with a password."""
    return server.startswith("[") or _CERTAIN_SERVER.fullmatch(server) is not None


def has_secret(option: str, value: str) -> bool:
    """Return whether the value of a storage option must not be shown: by its name, or a URL by its parts."""
    return is_secret(option) or "@" in value or "?" in value


def is_secret(option: str) -> bool:
    """Return whether the value of a storage option must not be shown, by its name."""
    return any(part in option.lower() for part in _SECRET)
