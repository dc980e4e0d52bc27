"""Run a web server on this machine, for tests: with ranges, versions, redirects, and failures."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """What the server answers at a path.

    Attributes
    ----------
    content : bytes
    tag : str or None
        The ETag.
    changed : str or None
        The header `Last-Modified`.
    ranges : bool
        Whether it answers requests for ranges.
    sized : bool
        Whether it says the size; otherwise the content is chunked.
    headers : dict
        Further headers of the answer.
    statuses : list of int
        Errors with which it answers the first requests, one each.
    retry_after : str or None
        The header `Retry-After` of these errors.
    cuts : list of int
        After how many bytes it closes the connection, for the first requests that it answers.
    redirect : str or None
        The address to which it redirects instead.
    silent : threading.Event or None
        It waits for this event, for a minute at most, before it answers.
    before : callable or None
        Called before each answer with the number of the request, from 1.
    """

    content: bytes = b""
    tag: str | None = '"first"'
    changed: str | None = None
    ranges: bool = True
    sized: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    retry_after: str | None = None
    cuts: list[int] = field(default_factory=list)
    redirect: str | None = None
    silent: threading.Event | None = None
    before: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Request:
    """A request that the server received."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


class WebServer:
    """A server; `files` says what it answers, by path, and `requests` what it was asked."""

    def __init__(self, http: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{http.server_port}"
        self.files: dict[str, Served] = {}
        self.requests: list[Request] = []
        self.lock = threading.Lock()

    def serve(self, path: str, content: bytes = b"", **details: Any) -> Served:
        """Answer at a path, of which the address is `url` with the path."""
        self.files[path] = Served(content, **details)
        return self.files[path]

    def ranges(self) -> list[str]:
        """Return the ranges that were requested."""
        return [request.headers.get("range", "") for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        web: WebServer = self.server.web
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        with web.lock:
            web.requests.append(Request(self.command, path, query, headers))
            served = web.files.get(path)
            if served is None:
                return self._status(404)
            if served.before:
                served.before(sum(request.path == path for request in web.requests))
            if served.statuses:
                pause = {} if served.retry_after is None else {"Retry-After": served.retry_after}
                return self._status(served.statuses.pop(0), pause)
            cut = served.cuts.pop(0) if served.cuts else None
        if served.silent:
            served.silent.wait(60)
        if served.redirect:
            return self._status(302, {"Location": served.redirect})
        if headers.get("if-match", served.tag) != served.tag:
            return self._status(412)
        self._send(served, headers.get("range"), cut)

    #: Signed links allow only GET.
    def do_HEAD(self) -> None:
        self.server.web.requests.append(Request("HEAD", self.path, "", {}))
        self._status(403)

    def _status(self, code: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, served: Served, wanted: str | None, cut: int | None) -> None:
        content, size = served.content, len(served.content)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if served.ranges and match:
            first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
            if first >= size:
                return self._status(416, {"Content-Range": f"bytes */{size}"})
            content = content[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        headers = {"ETag": served.tag, "Last-Modified": served.changed, **served.headers}
        headers |= {"Content-Length": str(len(content))} if served.sized else {"Transfer-Encoding": "chunked"}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        sent = content if cut is None else content[:cut]
        if not served.sized and sent:
            sent = b"%x\r\n%s\r\n" % (len(sent), sent)
        if not served.sized and cut is None:
            sent += b"0\r\n\r\n"
        with contextlib.suppress(OSError):  # the client may need no more
            self.wfile.write(sent)
        if cut is not None:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def web_server() -> Iterator[WebServer]:
    """Run a server on a free port of 127.0.0.1."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    web = WebServer(http)
    vars(http)["web"] = web
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        http.shutdown()
        http.server_close()
        thread.join(10)
