"""Open a URL: http and https only, without redirects to hosts that are not public.

Others choose the target of a redirect, so it could be a router, a service on this computer, or the metadata
service of a cloud, which returns credentials (server-side request forgery, SSRF).
"""

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from typing import Any, Final

from polyframe import __version__
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.local_paths import type_name

#: IPv6 addresses with an IPv4 address in their last 32 bits.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_SHOWN: Final = 200
#: What to do if a URL cannot be used, for images.
_OTHER_FILE: Final = "use --images DIR for files"
_OTHER_IMAGE: Final = "use --image FILE"


def open_url(
    url: str,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    advice: str = _OTHER_IMAGE,
    hosts: Collection[str] | None = None,
) -> Any:
    """Open a URL and follow its redirects.

    Parameters
    ----------
    url : str
        http or https. Only a loopback or private address may redirect to such addresses.
    seconds : float
        Time limit until the content begins, for all steps together.
    headers : mapping, optional
        Of the request. `Authorization` is not sent to the target of a redirect.
    advice : str
        What messages advise if a redirect is not allowed.
    hosts : collection of str, optional
        If given, redirects may lead only to these.

    Returns
    -------
    http.client.HTTPResponse
        Each read from it may take the time that was left.

    Raises
    ------
    PolyframeError
        If the scheme is another, or a redirect leads to another host or an address that is not public.
    OSError, ValueError, OverflowError, http.client.HTTPException
        If it cannot be opened.
    """
    check_scheme(url)
    guard = AddressGuard(time.monotonic() + seconds, advice)
    opener = urllib.request.build_opener(RedirectHandler(guard, hosts), _Http(guard), _Https(guard))
    request = urllib.request.Request(url, headers={"User-Agent": f"polyframe/{__version__}"})
    for name, value in (headers or {}).items():
        add = request.add_unredirected_header if name == "Authorization" else request.add_header
        add(name, value)
    try:
        return opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def check_scheme(url: str, advice: str = _OTHER_FILE) -> None:
    """Raise a PolyframeError if the scheme of a URL is neither http nor https."""
    if not isinstance(url, str):
        raise UsageError(f"url: expected a URL, got {type_name(url)}")
    try:
        scheme = urllib.parse.urlsplit(url).scheme.lower()
    except ValueError:
        raise PolyframeError(f"{shorten_url(url)}: is not a valid URL; {advice}") from None
    if scheme not in ("http", "https"):
        raise PolyframeError(
            f"{shorten_url(url.partition('?')[0])}: is not an http or https address; {advice}"
        )


def shorten_url(url: str) -> str:
    """Return a URL for a message: printable and not too long."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in url[:_SHOWN])
    return printable + ("..." if len(url) > _SHOWN else "")


def is_public(address: str) -> bool:
    """Return whether an IP address is public; if it embeds another address, that counts too."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped
        if embedded is not None:
            # Versions of Python disagree whether such an address is public.
            return is_public(str(embedded))
        _, teredo = ip.teredo or (None, None)
        if not all(is_public(str(one)) for one in (ip.sixtofour, teredo) if one is not None):
            return False
    return ip.is_global and not ip.is_multicast


class AddressGuard:
    """Allow connections to public addresses, and to others only if the first one was not public."""

    def __init__(self, end: float, advice: str = _OTHER_IMAGE) -> None:
        self.end = end
        self.advice = advice
        self.public_only: bool | None = None

    def seconds_left(self) -> float:
        """Return the remaining seconds, or raise a TimeoutError."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def resolve(self, host: str, port: int) -> list[Any]:
        """Return the addresses of a host, as from `socket.getaddrinfo`.

        Raises
        ------
        PolyframeError
            If it is the target of a redirect, and one of its addresses is not public.
        """
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        public = [one for one in addresses if is_public(str(one[4][0]))]
        if self.public_only is None:
            self.public_only = bool(public)
            return public or addresses
        if self.public_only and len(public) < len(addresses):
            raise PolyframeError(
                f"{shorten_url(host)}: is the target of a redirect, but is not on the public network; "
                f"{self.advice}"
            )
        return addresses

    def connect(self, place: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        """Connect to a host at its checked addresses, instead of `socket.create_connection`."""
        problem: OSError = OSError("no such host")
        for family, kind, protocol, _name, address in self.resolve(*place):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.seconds_left())
                connection.connect(address)
            except OSError as error:
                connection.close()
                problem = error
            else:
                return connection
        raise problem


class RedirectHandler(urllib.request.HTTPRedirectHandler):
    """Follow redirects by the rules of the guard."""

    def __init__(self, guard: AddressGuard, hosts: Collection[str] | None = None) -> None:
        self._guard, self._hosts = guard, hosts

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the next request, with the remaining time as its timeout."""
        # The body of the redirect is not needed.
        fp.close()
        check_scheme(newurl, self._guard.advice)
        host = urllib.parse.urlsplit(newurl).hostname or ""
        if self._hosts is not None and host not in self._hosts:
            raise PolyframeError(f"redirects to {shorten_url(host)}, a host that the export does not name")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None:
            request.timeout = self._guard.seconds_left()
        return request


class _Http(urllib.request.HTTPHandler):
    def __init__(self, guard: AddressGuard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_guarded(http.client.HTTPConnection, self._guard, req), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, guard: AddressGuard) -> None:
        super().__init__()
        self._guard = guard

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_guarded(http.client.HTTPSConnection, self._guard, req), req)


def _guarded(kind: Any, guard: AddressGuard, request: Any) -> Any:
    """Return a constructor of connections that follow the rules of the guard."""
    target = urllib.parse.urlsplit(request.full_url)
    if request.has_proxy() or getattr(request, "_tunnel_host", None):
        # The proxy connects, so only names can be checked here.
        try:
            guard.resolve(target.hostname or "", target.port or 80)
        except socket.gaierror:
            guard.public_only = guard.public_only is not False
        return kind

    def connection_to(host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        connection._create_connection = guard.connect
        return connection

    return connection_to
