"""Open an address on the network: http and https only, and never led on to what is not public.

What an address leads on to is chosen by others, so that it could be a router, a service of this computer, or
one that hands out the keys of a machine in a data centre.
"""

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from polyframe import __version__
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.local_paths import type_name

#: IPv6 addresses that stand for an IPv4 address in their last 32 bits.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_SHOWN: Final = 200


def opened(url: str, seconds: float) -> Any:
    """Open an address, and what it leads on to.

    Parameters
    ----------
    url : str
        http or https. It may be loopback or private; only then may it lead on to such addresses.
    seconds : float
        For all of it until the content begins; each step gets what is left.

    Returns
    -------
    http.client.HTTPResponse
        Each reading from it may take as long as was left then.

    Raises
    ------
    PolyframeError
        Where it is of another scheme, or leads on to what is not public.
    OSError, ValueError, OverflowError, http.client.HTTPException
        Where it cannot be opened.
    """
    check_scheme(url)
    guard = Guard(time.monotonic() + seconds)
    opener = urllib.request.build_opener(LeadingOn(guard), _Http(guard), _Https(guard))
    request = urllib.request.Request(url, headers={"User-Agent": f"polyframe/{__version__}"})
    try:
        return opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def check_scheme(url: str) -> None:
    """Check that an address is of http or https.

    Raises
    ------
    PolyframeError
        Where it is not.
    """
    if not isinstance(url, str):
        raise UsageError(f"url: expected an address, got {type_name(url)}")
    try:
        scheme = urllib.parse.urlsplit(url).scheme.lower()
    except ValueError:
        raise PolyframeError(f"{shown(url)}: is no address; use --images DIR for files") from None
    if scheme not in ("http", "https"):
        raise PolyframeError(f"{shown(url)}: is no http or https address; use --images DIR for files")


def shown(url: str) -> str:
    """Return an address as it fits into a line."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in url[:_SHOWN])
    return printable + ("..." if len(url) > _SHOWN else "")


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public network, also where it stands for another one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        stands_for = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped
        if stands_for is not None:
            # Versions of Python differ in what they take such an address for.
            return is_public(str(stands_for))
        _, teredo = ip.teredo or (None, None)
        if not all(is_public(str(one)) for one in (ip.sixtofour, teredo) if one is not None):
            return False
    return ip.is_global and not ip.is_multicast


class Guard:
    """Which addresses may be connected to: public ones, and others where the first one was such."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.public_only: bool | None = None

    def left(self) -> float:
        """Return how many seconds are left.

        Raises
        ------
        TimeoutError
            Where none are.
        """
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def resolved(self, host: str, port: int) -> list[Any]:
        """Return where a host is to be found, as from `socket.getaddrinfo`.

        Raises
        ------
        PolyframeError
            Where it was led on to, and one of its addresses is not public.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        public = [one for one in found if is_public(str(one[4][0]))]
        if self.public_only is None:
            self.public_only = bool(public)
            return public or found
        if self.public_only and len(public) < len(found):
            raise PolyframeError(
                f"{shown(host)}: is led on to, but is not on the public network; use --image FILE"
            )
        return found

    def connect(self, place: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        """Connect to a host, at the addresses that were looked at; takes the place of `create_connection`."""
        problem: OSError = OSError("no such host")
        for family, kind, protocol, _name, address in self.resolved(*place):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.left())
                connection.connect(address)
            except OSError as error:
                connection.close()
                problem = error
            else:
                return connection
        raise problem


class LeadingOn(urllib.request.HTTPRedirectHandler):
    """Follows where an address leads on to, by the same rules as for the first one."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the request that follows; it has the time that is left."""
        # What leads on says no more, whether it is followed or not.
        fp.close()
        check_scheme(newurl)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None:
            request.timeout = self._guard.left()
        return request


class _Http(urllib.request.HTTPHandler):
    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_guarded(http.client.HTTPConnection, self._guard, req), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_guarded(http.client.HTTPSConnection, self._guard, req), req)


def _guarded(kind: Any, guard: Guard, request: Any) -> Any:
    """Return what makes a connection for a request, by the guard's rules."""
    target = urllib.parse.urlsplit(request.full_url)
    if request.has_proxy() or getattr(request, "_tunnel_host", None):
        # The proxy connects, so that the names are all that can be looked at from here.
        try:
            guard.resolved(target.hostname or "", target.port or 80)
        except socket.gaierror:
            guard.public_only = guard.public_only is not False
        return kind

    def made(host: str, **options: Any) -> Any:
        connection = kind(host, **options)
        connection._create_connection = guard.connect
        return connection

    return made
