"""Read files at addresses: from the start, and in ranges of bytes of one version."""

import base64
import contextlib
import datetime
import email.utils
import http.client
import socket
import ssl
import urllib.error
import urllib.parse
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol

from polyframe.core.addresses import WEB_SCHEMES, Address, host_of
from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.object_stores import open_store, store_error
from polyframe.core.open_url import open_url
from polyframe.core.remote_files import bucket_of, check_readable, key_of, no_such_object

_BLOCK: Final = 1 << 18
#: Seconds until an answer begins, and between two blocks of it.
_PATIENCE: Final = 60.0
_PARTIAL: Final = 206
_NO_SUCH_RANGE: Final = 416
_OTHER_VERSION: Final = 412
_REDIRECTS: Final = range(300, 400)
_MISSING: Final = (404, 410)
_REFUSED: Final = (401, 403)
#: Of a server that may answer if it is asked again.
_TEMPORARY: Final = (408, 425, 429, 500, 502, 503, 504)
#: Letters that a signed link may contain; others, such as blanks, are escaped.
_AS_IT_IS: Final = "%/:=&?~+!$,;'@()*[]"
_NEW_LINK: Final = "request a new one, for example from the project's Data Exports page"


class InterruptedReadError(Exception):
    """The network or the server failed; another try may succeed.

    Attributes
    ----------
    pause : float
        Seconds after which the server wants to be asked again; 0 if it does not say.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Content:
    """The version of a file that is read.

    Attributes
    ----------
    size : int or None
        Bytes; None if the server does not say.
    version : str or None
        The ETag, or the time of the last change; None if the server gives neither.
    in_ranges : bool
        Whether ranges of this version can be read.
    encoding : str
        How the server has compressed it (`Content-Encoding`), such as `gzip`; empty if it has not.
    """

    size: int | None
    version: str | None
    in_ranges: bool
    encoding: str


#: An empty file, which has no first byte.
_EMPTY: Final = Content(0, None, in_ranges=False, encoding="")


class _NoSuchRangeError(Exception):
    """A file of a store has fewer bytes."""


class Blocks(Protocol):
    """The content of an answer, in blocks of bytes; to be closed."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks."""

    def close(self) -> None:
        """Close the connection, whether all has been read or not."""


class Reader(Protocol):
    """Reads a file."""

    def open(self, first_bytes: int | None = None) -> tuple[Content, Blocks]:
        """Return its current version, and its bytes from the start; at least the first ones."""

    def read(self, content: Content, start: int, stop: int) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` to before `stop` of a version; an error if the file has changed."""


def _nothing() -> Generator[bytes, None, None]:
    yield from ()


def reader_of(address: Address, hosts: Collection[str] | None = None) -> Reader:
    """Return a reader of a file; nothing is sent yet.

    If `hosts` are given, a web server may redirect only to these. Its methods raise `InterruptedReadError` if
    another try may succeed, otherwise a `PolyframeError`.
    """
    check_readable(address)
    return _WebReader(address, hosts) if address.scheme in WEB_SCHEMES else _StoreReader(address)


def _changed(address: Address) -> PolyframeError:
    return PolyframeError(f"{address}: changed while it was downloaded; run the command again")


class _StoreReader:
    """Reads an object of a store with obstore, which itself repeats requests that fail."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._store = open_store(bucket_of(address))

    def open(self, first_bytes: int | None = None) -> tuple[Content, Blocks]:
        try:
            result = self._get({} if first_bytes is None else {"range": (0, first_bytes)})
        except _NoSuchRangeError:
            return _EMPTY, _nothing()
        size, tag = result.meta["size"], result.meta["e_tag"]
        encoding = result.attributes.get("Content-Encoding", "")
        return Content(size, tag, tag is not None, encoding), self._blocks(result)

    def read(self, content: Content, start: int, stop: int) -> Generator[bytes, None, None]:
        try:
            result = self._get({"range": (start, stop), "if_match": content.version})
        except _NoSuchRangeError:
            raise _changed(self._address) from None
        if result.meta["e_tag"] != content.version or result.meta["size"] != content.size:
            raise _changed(self._address)
        yield from self._blocks(result)

    def _get(self, options: Mapping[str, Any]) -> Any:
        from obstore import exceptions, get

        try:
            return get(self._store, key_of(self._address), options=options)  # type: ignore[arg-type]
        except exceptions.PreconditionError:
            raise _changed(self._address) from None
        except FileNotFoundError:
            raise no_such_object(self._address) from None
        except (exceptions.BaseError, ValueError, OSError) as error:
            if f"{_NO_SUCH_RANGE} " in str(error):
                raise _NoSuchRangeError from None
            raise store_error(self._address, error) from None

    def _blocks(self, result: Any) -> Generator[bytes, None, None]:
        from obstore.exceptions import BaseError

        try:
            yield from result.stream(min_chunk_size=_BLOCK)
        except (BaseError, OSError) as error:
            raise InterruptedReadError(first_line(error)) from None


class _WebReader:
    """Reads a file of a web server, with the standard library."""

    def __init__(self, address: Address, hosts: Collection[str] | None) -> None:
        self._address, self._hosts = address, hosts
        try:
            parts = urllib.parse.urlsplit(address.url)
            parts.port  # noqa: B018 - raises a ValueError if it is not a number
            user, _, host = parts.netloc.rpartition("@")
            host = host if host.isascii() else host.encode("idna").decode()
        except ValueError:
            # The reason could quote a part of the password.
            raise UsageError(
                f"{address}: is not a valid address; check host and port, and write / ? # in a password as "
                "%2F %3F %23"
            ) from None
        path, query = (urllib.parse.quote(part, safe=_AS_IT_IS) for part in (parts.path, parts.query))
        self._url = urllib.parse.urlunsplit((parts.scheme, host, path or "/", query, ""))
        # Servers that compress on the fly cannot give ranges.
        self._headers = {"Accept-Encoding": "identity"}
        if user:
            secret = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
            self._headers["Authorization"] = f"Basic {secret}"

    def open(self, first_bytes: int | None = None) -> tuple[Content, Blocks]:
        # Signed links allow GET only, so HEAD cannot tell the size.
        last = "" if first_bytes is None else first_bytes - 1
        try:
            response = self._get({"Range": f"bytes=0-{last}"})
        except urllib.error.HTTPError as error:
            if error.code == _NO_SUCH_RANGE:
                return _EMPTY, _nothing()
            raise self._problem(error) from None
        content, size = _content_of(response), None
        if response.status == _PARTIAL:
            first, final, size = _range_of(response)
            if first != 0:
                response.close()
                raise InterruptedReadError("the server sent another range")
            if first_bytes is not None and final is not None:
                size = final + 1
        return content, _Body(response, content.size if size is None else size)

    def read(self, content: Content, start: int, stop: int) -> Generator[bytes, None, None]:
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        if content.version and content.version.startswith('"'):
            headers["If-Match"] = content.version
        try:
            response = self._get(headers)
        except urllib.error.HTTPError as error:
            if error.code in (_OTHER_VERSION, _NO_SUCH_RANGE, *_MISSING):
                raise _changed(self._address) from None
            raise self._problem(error) from None
        with contextlib.closing(_Body(response, stop - start)) as body:
            if _content_of(response) != content:
                raise _changed(self._address)
            if _range_of(response)[:2] != (start, stop - 1):
                raise InterruptedReadError("the server sent another range")
            yield from body

    def _get(self, headers: Mapping[str, str]) -> Any:
        """Return the response to a request.

        Raises
        ------
        urllib.error.HTTPError
            If the server refuses it.
        """
        try:
            return open_url(
                self._url,
                _PATIENCE,
                {**self._headers, **headers},
                advice="if that is what you want, use its address",
                hosts=self._hosts,
            )
        except PolyframeError as error:
            raise PolyframeError(f"{self._address}: {error}") from None
        except urllib.error.HTTPError:
            raise
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._raise_unreachable(error)

    def _raise_unreachable(self, error: Exception) -> NoReturn:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ConnectionError | TimeoutError | http.client.HTTPException) and not isinstance(
            cause, http.client.InvalidURL
        ):
            raise InterruptedReadError(_reason(cause)) from None
        advice = "check the address and the network"
        if isinstance(cause, ssl.SSLCertVerificationError):
            advice = "set SSL_CERT_FILE to a file with the certificates of your network"
        elif isinstance(cause, socket.gaierror):
            advice = f"check the name {host_of(self._address)} and the network"
        raise PolyframeError(f"{self._address}: cannot be reached ({_reason(cause)}); {advice}") from None

    def _problem(self, error: urllib.error.HTTPError) -> Exception:
        """Return the error to raise if the server refuses a request."""
        # Not the server's own words, which may be anything.
        status = f"{error.code} {http.client.responses.get(error.code, '')}".strip()
        if error.code in _TEMPORARY:
            return InterruptedReadError(status, _pause_of(error.headers["Retry-After"]))
        if error.code in _MISSING:
            return PolyframeError(f"{self._address}: does not exist ({status}); check the address")
        if error.code in _REFUSED:
            # The link may redirect to a signed one.
            expired = next(filter(None, map(expiry, (error.url or "", self._address.url))), None)
            now = datetime.datetime.now(datetime.UTC)
            if expired is not None and expired < now:
                at = expired.strftime("%Y-%m-%d %H:%M UTC")
                return PolyframeError(f"{self._address}: the link has expired (at {at}); {_NEW_LINK}")
            return PolyframeError(
                f"{self._address}: access denied ({status}); the link may have expired or need a login: "
                f"{_NEW_LINK}"
            )
        if error.code in _REDIRECTS:
            return PolyframeError(
                f"{self._address}: redirects in a circle, or to what is neither http nor https; check the "
                "address"
            )
        return PolyframeError(f"{self._address}: cannot be downloaded ({status}); check the address")


class _Body:
    """The content of a response, in blocks; its size is checked."""

    def __init__(self, response: Any, size: int | None) -> None:
        self._response, self._size = response, size

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        try:
            while block := self._response.read1(_BLOCK):
                received += len(block)
                yield block
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise InterruptedReadError(_reason(error)) from None
        if self._size is not None and received != self._size:
            raise InterruptedReadError(f"the connection closed after {received:,} of {self._size:,} bytes")

    def close(self) -> None:
        self._response.close()


def _pause_of(retry_after: str | None) -> float:
    """Return the seconds of the header `Retry-After`, which has a number or a date; 0 without one."""
    seconds = _integer(retry_after)
    if seconds is not None:
        return float(seconds)
    try:
        date = email.utils.parsedate_to_datetime(retry_after or "")
    except ValueError:
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
    return max((date - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)


def _reason(error: BaseException) -> str:
    """Return why a connection failed, for a message."""
    text = getattr(error, "strerror", None) or first_line(error)
    return text if text.isprintable() else type(error).__name__


def _content_of(response: Any) -> Content:
    """Return the version of a file from the headers of a response."""
    headers = response.headers
    size = _range_of(response)[2] if response.status == _PARTIAL else _integer(headers["Content-Length"])
    version = headers["ETag"] or headers["Last-Modified"]
    encoding = (headers["Content-Encoding"] or "").strip().lower()
    in_ranges = response.status == _PARTIAL and None not in (size, version)
    return Content(size, version, in_ranges, "" if encoding == "identity" else encoding)


def _range_of(response: Any) -> tuple[int | None, int | None, int | None]:
    """Return first byte, last byte and size from the header `Content-Range: bytes 0-99/1000`."""
    unit, _, rest = (response.headers["Content-Range"] or "").strip().partition(" ")
    place, _, size = rest.partition("/")
    first, _, last = place.partition("-")
    if unit.lower() != "bytes":
        return None, None, None
    return _integer(first), _integer(last), _integer(size)


def _integer(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def expiry(url: str) -> datetime.datetime | None:
    """Return when a signed link expires, by its query; None if it does not say.

    Parameters
    ----------
    url : str
        A link that was signed by Azure (`se`), by S3 or Google (`X-Amz-Date` with `X-Amz-Expires`, or
        `Expires`), or by CloudFront (`Expires`).

    Examples
    --------
    >>> str(expiry("https://x.blob.core.windows.net/a.csv?se=2026-11-27T10%3A00%3A00Z&sig=..."))
    '2026-11-27 10:00:00+00:00'
    """
    query = {name.lower(): value for name, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query)}
    try:
        for prefix in ("x-amz", "x-goog"):
            if f"{prefix}-date" in query:
                signed = datetime.datetime.strptime(query[f"{prefix}-date"], "%Y%m%dT%H%M%SZ")
                lasts = datetime.timedelta(seconds=int(query[f"{prefix}-expires"]))
                return signed.replace(tzinfo=datetime.UTC) + lasts
        if "se" in query:
            end = datetime.datetime.fromisoformat(query["se"])
            return end if end.tzinfo else end.replace(tzinfo=datetime.UTC)
        if "expires" in query:
            return datetime.datetime.fromtimestamp(int(query["expires"]), datetime.UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        pass
    return None
