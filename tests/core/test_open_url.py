"""Images from URLs, with a local server: bounded in time, without redirects to private addresses."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from polyframe.core import open_url
from polyframe.core.errors import PolyframeError
from polyframe.plot import fetch_image, load_images

#: Both are loopback, but the first counts as public here.
PUBLIC, PRIVATE = "127.0.0.2", "127.0.0.1"
NAMES = {"public.example": [PUBLIC], "private.example": [PRIVATE], "both.example": [PUBLIC, PRIVATE]}


class Handler(BaseHTTPRequestHandler):
    """Answers as its server says, and records the requests."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.requests.append((self.connection.getsockname()[0], self.path))
        server.answers[self.path](self)

    def log_message(self, *_: Any) -> None:
        pass


class Server:
    """A server on every address of this machine; `answers` by path."""

    def __init__(self) -> None:
        self.http = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self.http.daemon_threads = True
        self.requests: list[tuple[str, str]] = []
        self.answers: dict[str, Callable[[Handler], None]] = {"/image": image}
        vars(self.http).update(requests=self.requests, answers=self.answers)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def at(self, host: str, path: str) -> str:
        return f"http://{host}:{self.port}{path}"

    def redirect(self, path: str, to: str) -> None:
        def answer(handler: Handler) -> None:
            handler.send_response(302)
            handler.send_header("Location", to)
            handler.end_headers()

        self.answers[path] = answer


def image(handler: Handler) -> None:
    content = io.BytesIO()
    Image.new("RGB", (4, 3)).save(content, "PNG")
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(content.getvalue())


def dripping(before: bytes, drop: bytes) -> Callable[[Handler], None]:
    """Answer byte by byte without end, each byte well before a socket times out."""

    def drip(handler: Handler) -> None:
        handler.wfile.write(before)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                handler.wfile.write(drop)
                handler.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    return drip


@pytest.fixture
def server() -> Iterator[Server]:
    try:
        socket.create_server((PUBLIC, 0)).close()
    except OSError:
        pytest.skip(f"this machine has no address {PUBLIC}")
    started = Server()
    yield started
    started.http.shutdown()
    started.http.server_close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with some names, where one address of this machine counts as public."""
    is_public, getaddrinfo = open_url.is_public, socket.getaddrinfo

    def resolve(host: str, port: int, *more: Any, **options: Any) -> list[Any]:
        if host in NAMES:
            return [one for ip in NAMES[host] for one in getaddrinfo(ip, port, *more, **options)]
        if any(letter.isalpha() and letter not in "abcdefx" for letter in host) and host != "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, port, *more, **options)

    monkeypatch.setattr(open_url, "is_public", lambda address: address == PUBLIC or is_public(address))
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


pytestmark = pytest.mark.usefixtures("network")


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "header", "headers", "content", "chunk", "continue"],
)
def test_the_time_limit_includes_all_steps(
    before: bytes, drop: bytes, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/drip"] = dripping(before, drop)
    monkeypatch.setattr(load_images, "LONGEST_SECONDS", 1.0)
    started = time.monotonic()
    with pytest.raises(PolyframeError, match=r"/drip: (takes longer than 1 seconds|cannot be fetched)"):
        fetch_image(server.at(PRIVATE, "/drip"))
    # The answer would take a minute.
    assert time.monotonic() - started < 30


def test_the_time_limit_includes_the_name_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: waiting.wait(60))
    monkeypatch.setattr(load_images, "LONGEST_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(PolyframeError, match="takes longer than"):
        fetch_image("http://slow.example/a.png")
    assert time.monotonic() - started < 30
    waiting.set()


def test_a_redirect_does_not_extend_the_time_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(open_url.time, "monotonic", lambda: now[0])
    guard = open_url.AddressGuard(10.0)
    now[0] = 7.0
    assert guard.seconds_left() == 3.0
    request = open_url.RedirectHandler(guard).redirect_request(
        open_url.urllib.request.Request("http://a.example/"), io.BytesIO(), 302, "", {}, "http://b.example/"
    )
    assert request.timeout == 3.0
    now[0] = 10.0
    with pytest.raises(TimeoutError):
        guard.seconds_left()


@pytest.mark.parametrize(
    "host",
    [
        PRIVATE,
        "private.example",
        "both.example",
        "localhost",
        "0.0.0.0",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f000001",
        "127.1",
    ],
)
def test_a_public_address_cannot_redirect_to_a_private_one(host: str, server: Server) -> None:
    server.redirect("/first", server.at(host, "/image"))
    with pytest.raises(PolyframeError) as refused:
        fetch_image(server.at("public.example", "/first"))
    assert "is the target of a redirect, but is not on the public network" in str(refused.value)
    assert server.requests == [(PUBLIC, "/first")]


def test_a_public_address_may_redirect_to_a_public_one(server: Server) -> None:
    server.redirect("/first", server.at(PUBLIC, "/image"))
    assert fetch_image(server.at("public.example", "/first")).shape == (3, 4, 3)
    assert server.requests == [(PUBLIC, "/first"), (PUBLIC, "/image")]


def test_a_later_redirect_to_a_private_address_is_refused(server: Server) -> None:
    server.redirect("/first", server.at(PUBLIC, "/second"))
    server.redirect("/second", server.at(PRIVATE, "/image"))
    with pytest.raises(PolyframeError, match="is not on the public network"):
        fetch_image(server.at(PUBLIC, "/first"))


def test_a_private_address_can_be_fetched_and_may_redirect(server: Server) -> None:
    server.redirect("/first", server.at("private.example", "/image"))
    assert fetch_image(server.at("localhost", "/image")).shape == (3, 4, 3)
    assert fetch_image(server.at(PRIVATE, "/first")).shape == (3, 4, 3)


def test_a_name_with_public_and_private_addresses_uses_the_public_one(server: Server) -> None:
    assert fetch_image(server.at("both.example", "/image")).shape == (3, 4, 3)
    assert server.requests == [(PUBLIC, "/image")]


def test_a_name_is_looked_up_once_so_that_it_cannot_change_after_the_check(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is public when it is checked, and private when it is connected to (DNS rebinding)."""
    lookups: list[str] = []
    getaddrinfo = socket.getaddrinfo

    def resolve(host: str, *more: Any, **options: Any) -> list[Any]:
        if host != "changing.example":
            return getaddrinfo(host, *more, **options)
        lookups.append(host)
        return getaddrinfo(PUBLIC if len(lookups) == 1 else PRIVATE, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    server.redirect("/first", server.at("changing.example", "/image"))
    assert fetch_image(server.at("public.example", "/first")).shape == (3, 4, 3)
    assert {host for host, _ in server.requests} == {PUBLIC}


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:image/png,x", "gopher://x/"])
def test_redirects_to_other_schemes_are_refused(to: str, server: Server) -> None:
    server.redirect("/first", to)
    with pytest.raises(PolyframeError, match=r"is not an http or https address|cannot be fetched"):
        fetch_image(server.at(PRIVATE, "/first"))


def test_circular_redirects_end(server: Server) -> None:
    server.redirect("/first", server.at(PRIVATE, "/first"))
    with pytest.raises(PolyframeError, match="cannot be fetched"):
        fetch_image(server.at(PRIVATE, "/first"))
    assert len(server.requests) < 20


def test_names_are_checked_when_a_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may be private; the target of a redirect may not."""
    monkeypatch.setenv("http_proxy", server.at(PRIVATE, ""))
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers["http://public.example/image"] = image
    assert fetch_image("http://public.example/image").shape == (3, 4, 3)
    for first in ("http://public.example/first", "http://only-the-proxy-knows.example/first"):
        server.redirect(first, "http://169.254.169.254/image")
        with pytest.raises(PolyframeError, match="is not on the public network"):
            fetch_image(first)


@pytest.mark.parametrize(
    "url",
    [
        "http://[",
        "http://[x/1.png",
        "http://",
        "http:///a.png",
        "http:a.png",
        "http://public.example:x/a.png",
        "http://public.example:99999999/a.png",
        "http://pub lic.example/a.png",
        "http://public.example/a b.png",
        "http://public.example/\n\rX: y",
        "http://a..b/c.png",
        f"http://{'a' * 300}.example/",
        "http://\ud800.example/",
        "http://public.example/\u00fc.png",
        "http://user:password@public.example:1:2/",
        "https://%00/",
        "\x00",
        "",
        "//public.example/a.png",
    ],
)
def test_an_invalid_url_is_an_error_of_one_line(url: str) -> None:
    with pytest.raises(PolyframeError) as error:
        fetch_image(url)
    text = str(error.value)
    assert text.isprintable(), text
    assert len(text) < 500
    text.encode()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert open_url.is_public(address) == public


def test_an_answer_that_is_not_an_image_is_an_error_of_one_line(server: Server) -> None:
    server.answers["/missing"] = lambda handler: handler.send_error(404)
    server.answers["/broken"] = lambda handler: handler.wfile.write(b"\x00\x01 nonsense\r\n\r\n")
    for path in ("/missing", "/broken"):
        with pytest.raises(PolyframeError, match="cannot be fetched") as error:
            fetch_image(server.at(PRIVATE, path))
        assert str(error.value).isprintable()
