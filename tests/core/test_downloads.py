"""Downloads from a web server and an S3 server: complete, of one version, or an error of one line."""

import datetime
import errno
import os
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from s3_server import Bucket
from web_server import WebServer

from polyframe.core import downloads, remote_readers
from polyframe.core.addresses import Address, as_address
from polyframe.core.downloads import download
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.remote_readers import expiry

CONTENT = random.Random(1).randbytes(1_000_000)


def address_of(text: str, options: dict[str, str] | None = None) -> Address:
    address = as_address(text, options)
    assert address is not None
    return address


@pytest.fixture(autouse=True)
def small_ranges_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_RANGE", 100_000)
    monkeypatch.setattr(downloads, "_PAUSE", 0.001)


def fetch(address: Address, folder: Path) -> bytes:
    download([(address, folder / "copy")])
    assert [file.name for file in folder.iterdir()] == ["copy"]
    return (folder / "copy").read_bytes()


def problem(address: Address, folder: Path) -> str:
    """Return the message if a file cannot be downloaded."""
    with pytest.raises(PolyframeError) as raised:
        download([(address, folder / "copy")])
    message = str(raised.value)
    assert message.isprintable()
    assert not (folder / "copy").exists()
    return message.removeprefix(f"{address}: ")


def test_a_file_is_requested_in_ranges_of_one_version(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT)
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT
    assert web.ranges()[0] == "bytes=0-"
    assert sorted(web.ranges()[1:]) == sorted(
        f"bytes={n * 100_000}-{n * 100_000 + 99_999}" for n in range(1, 10)
    )
    assert {request.headers.get("if-match") for request in web.requests[1:]} == {'"first"'}
    assert {request.headers["accept-encoding"] for request in web.requests} == {"identity"}


@pytest.mark.parametrize(
    "details",
    [
        {"ranges": False},
        {"tag": None},
        {"tag": None, "changed": "Fri, 27 Nov 2026 06:00:00 GMT"},
        {"tag": 'W/"weak"'},
        {"ranges": False, "sized": False},
        {"ranges": False, "tag": None},
    ],
    ids=str,
)
def test_every_kind_of_server_gives_the_same_bytes(
    details: dict[str, Any], web: WebServer, tmp_path: Path
) -> None:
    web.serve("/export.csv", CONTENT, **details)
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT


@pytest.mark.parametrize("size", [0, 1, 99_999, 100_000, 100_001, 200_000])
@pytest.mark.parametrize("ranges", [False, True])
def test_every_size_arrives(size: int, ranges: bool, web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT[:size], ranges=ranges)
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT[:size]


def test_several_files_at_once(web: WebServer, tmp_path: Path) -> None:
    for number in range(20):
        web.serve(f"/{number}.csv", CONTENT[number : number + 150_000])
    download([(address_of(f"{web.url}/{n}.csv"), tmp_path / str(n)) for n in range(20)])
    for number in range(20):
        assert (tmp_path / str(number)).read_bytes() == CONTENT[number : number + 150_000]


@pytest.mark.parametrize(
    ("sized", "last"), [(True, "downloaded 1.0 of 1.0 MB"), (False, "downloaded 1.0 MB")]
)
def test_notes_on_a_long_download(
    sized: bool, last: str, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is one range, and the second one is not requested before the first has arrived."""
    monkeypatch.setattr(downloads, "_NOTE_SECONDS", 0.01)
    monkeypatch.setattr(downloads, "_CONNECTIONS", 1)
    web.serve("/1.csv", CONTENT, ranges=False, sized=sized)
    arrived = threading.Event()
    web.serve("/2.csv", CONTENT[:10], ranges=False, sized=sized, silent=arrived)
    notes: list[str] = []

    def say(note: str) -> None:
        notes.append(note)
        if note == "downloaded 1.0 MB":
            arrived.set()

    download([(address_of(f"{web.url}/{n}.csv"), tmp_path / str(n)) for n in (1, 2)], say=say)
    assert arrived.is_set()
    assert set(notes) <= {"downloaded 0.0 MB", *(f"downloaded {n / 10} MB" for n in range(11)), last}


def test_a_connection_that_is_cut_continues_from_the_last_byte(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT[:100_000], cuts=[30_000, 20_000])
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT[:100_000]
    assert web.ranges() == ["bytes=0-", "bytes=30000-99999", "bytes=50000-99999"]


def test_later_ranges_are_continued_too(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT, cuts=[100_000, 5, 50_000, 0, 99_999, 70_000])
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT


@pytest.mark.parametrize("sized", [False, True])
def test_without_ranges_the_download_starts_again(sized: bool, web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT, ranges=False, sized=sized, cuts=[30_000, 999_999])
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT
    assert len(web.requests) == 3


def test_a_server_that_is_busy_is_asked_again(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT, statuses=[503, 429])
    assert fetch(address_of(f"{web.url}/export.csv"), tmp_path) == CONTENT


def test_a_server_that_stays_busy_is_an_error(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT, statuses=[503] * 100)
    message = problem(address_of(f"{web.url}/export.csv"), tmp_path)
    assert message == (
        "cannot be downloaded: failed 6 times (503 Service Unavailable); check the network, then run the "
        "command again"
    )
    assert len(web.requests) == 6


def test_a_connection_that_is_always_cut_is_an_error(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", CONTENT, cuts=[10] * 1000)
    assert "failed 6 times (the connection closed after" in problem(
        address_of(f"{web.url}/export.csv"), tmp_path
    )


@pytest.mark.parametrize(
    "change",
    [{"tag": '"second"'}, {"tag": None, "changed": "Fri, 27 Nov 2026 06:00:01 GMT"}, {"content": b"short"}],
    ids=str,
)
def test_a_file_that_changes_during_the_download_is_an_error(
    change: dict[str, Any], web: WebServer, tmp_path: Path
) -> None:
    served = web.serve("/export.csv", CONTENT, changed="Fri, 27 Nov 2026 06:00:00 GMT")
    if "changed" in change:
        served.tag = None

    def before(number: int) -> None:
        if number == 3:
            vars(served).update(change)

    served.before = before
    message = problem(address_of(f"{web.url}/export.csv"), tmp_path)
    assert message == "changed while it was downloaded; run the command again"


def test_a_file_that_is_removed_during_the_download_is_an_error(web: WebServer, tmp_path: Path) -> None:
    served = web.serve("/export.csv", CONTENT)
    served.before = lambda number: vars(served).update(statuses=[404] * (number > 2))
    assert "changed while it was downloaded" in problem(address_of(f"{web.url}/export.csv"), tmp_path)


def test_redirects_are_followed_without_the_password(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export", redirect=f"{web.url}/real.csv?signature=abc")
    web.serve("/real.csv", CONTENT)
    address = address_of(f"{web.url}/export".replace("://", "://me:pass%20word@"))
    assert fetch(address, tmp_path) == CONTENT
    first, second = web.requests[:2]
    assert first.headers["authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    assert second.query == "signature=abc"
    assert "authorization" not in second.headers
    assert second.headers["range"] == "bytes=0-"


def test_a_signed_link_is_requested_as_it_is(web: WebServer, tmp_path: Path) -> None:
    web.serve("/a%20b.csv", CONTENT)
    query = "X-Amz-Credential=a%2F20261127&X-Amz-Signature=0f%3D&x=a+b"
    assert fetch(address_of(f"{web.url}/a%20b.csv?{query}#part"), tmp_path) == CONTENT
    assert {(request.method, request.query) for request in web.requests} == {("GET", query)}


def test_names_with_other_letters_are_escaped(web: WebServer, tmp_path: Path) -> None:
    web.serve("/%C3%BC%20b.csv", CONTENT)
    assert fetch(address_of(f"{web.url}/ü b.csv"), tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "does not exist (404 Not Found); check the address"),
        (410, "does not exist (410 Gone); check the address"),
        (
            403,
            "access denied (403 Forbidden); the link may have expired or need a login: request a new one, "
            "for example from the project's Data Exports page",
        ),
        (400, "cannot be downloaded (400 Bad Request); check the address"),
    ],
)
def test_refusals(status: int, message: str, web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", statuses=[status])
    address = address_of(f"{web.url}/export.csv?signature=secret")
    assert problem(address, tmp_path) == message
    assert "secret" not in str(address)


def test_an_expired_link(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", statuses=[403])
    query = "X-Amz-Date=20250101T100000Z&X-Amz-Expires=3600&X-Amz-Signature=secret"
    assert problem(address_of(f"{web.url}/export.csv?{query}"), tmp_path) == (
        "the link has expired (at 2025-01-01 11:00 UTC); request a new one, for example from the project's "
        "Data Exports page"
    )


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("sv=2024&se=2026-11-27T10%3A00%3A00Z&sig=x", "2026-11-27 10:00"),
        ("se=2026-11-27&sig=x", "2026-11-27 00:00"),
        ("X-Goog-Date=20261127T100000Z&X-Goog-Expires=60", "2026-11-27 10:01"),
        ("AWSAccessKeyId=x&Expires=1795773600&Signature=y", "2026-11-27 10:00"),
        ("Expires=tomorrow", None),
        ("X-Amz-Date=20261127T100000Z", None),
        ("id=5", None),
        ("", None),
    ],
)
def test_expiry(query: str, end: str | None) -> None:
    expected = end and datetime.datetime.fromisoformat(f"{end}+00:00")
    assert expiry(f"https://host/export.csv?{query}") == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/export.csv", "failed 6 times (Connection refused)"),
        ("http://127.0.0.1:x/export.csv", "is not a valid address"),
        ("http://[/export.csv", "is not a valid address"),
        ("http://a..b/export.csv", "cannot be reached"),
    ],
)
def test_a_server_that_cannot_be_reached(url: str, message: str, tmp_path: Path) -> None:
    assert message in problem(address_of(url), tmp_path)


@pytest.mark.parametrize("password", ["se/cret", "se?cret", "se#cret", "se\u2100cret"])
def test_a_password_that_is_not_encoded_is_not_repeated(password: str, tmp_path: Path) -> None:
    address = address_of(f"https://ann:{password}@127.0.0.1/export.csv")
    assert str(address) == "https://127.0.0.1/export.csv"
    with pytest.raises(UsageError) as raised:
        download([(address, tmp_path / "copy")])
    assert str(raised.value) == (
        "https://127.0.0.1/export.csv: is not a valid address; check host and port, and write / ? # in a "
        "password as %2F %3F %23"
    )


def test_a_server_that_does_not_answer(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_readers, "_PATIENCE", 0.1)
    silent = web.serve("/export.csv", CONTENT, silent=threading.Event()).silent
    assert silent is not None
    try:
        assert "failed 6 times (" in problem(address_of(f"{web.url}/export.csv"), tmp_path)
    finally:
        silent.set()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, PolyframeError])
def test_an_interrupted_download_does_not_wait_for_the_server(
    stop: type[BaseException], web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C in a notebook; the server is silent for a minute."""
    monkeypatch.setattr(downloads, "_NOTE_SECONDS", 0.01)
    silent = web.serve("/export.csv", CONTENT, silent=threading.Event()).silent
    assert silent is not None

    def interrupted(_: str) -> None:
        raise stop

    started = time.monotonic()
    try:
        with pytest.raises(stop):
            download([(address_of(f"{web.url}/export.csv"), tmp_path / "copy")], say=interrupted)
        assert time.monotonic() - started < 30
    finally:
        silent.set()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "to", ["/export.csv", "ftp://host/export.csv?signature=secret", "file:///etc/passwd"]
)
def test_redirects_that_are_not_followed(to: str, web: WebServer, tmp_path: Path) -> None:
    web.serve("/export.csv", redirect=f"{web.url}{to}" if to.startswith("/") else to)
    message = problem(address_of(f"{web.url}/export.csv"), tmp_path)
    assert message in (
        "redirects in a circle, or to what is neither http nor https; check the address",
        "ftp://host/export.csv: is not an http or https address; if that is what you want, use its address",
    )


def test_a_full_disk(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.serve("/export.csv", CONTENT)
    address = address_of(f"{web.url}/export.csv")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300_000))
    assert problem(address, tmp_path) == (
        f"has 1.0 MB, but {tmp_path} has only 0.3 MB of free space; free some space, or choose another disk"
    )
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    write = os.write

    def full(file: int, content: Any) -> int:
        if len(content) > 1000:  # not those of other threads of the tests
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    monkeypatch.setattr(os, "write", full)
    assert "No space left on device" in problem(address, tmp_path)


def test_an_object_of_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    bucket.write("exports/a b%20ü.csv", CONTENT)
    address = address_of(f"{bucket.url}/exports/a b%20ü.csv", bucket.options)
    assert fetch(address, tmp_path) == CONTENT


@pytest.mark.parametrize("size", [0, 1, 100_000, 100_001])
def test_every_size_of_object_arrives(size: int, bucket: Bucket, tmp_path: Path) -> None:
    bucket.write("a.csv", CONTENT[:size])
    assert fetch(address_of(f"{bucket.url}/a.csv", bucket.options), tmp_path) == CONTENT[:size]


def test_an_object_that_changes_during_the_download_is_an_error(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.write("a.csv", CONTENT)
    begin = downloads._Download.begin

    def begin_and_change(self: Any, stop: Any) -> Any:
        jobs = begin(self, stop)
        bucket.write("a.csv", CONTENT[::-1])
        return jobs

    monkeypatch.setattr(downloads._Download, "begin", begin_and_change)
    message = problem(address_of(f"{bucket.url}/a.csv", bucket.options), tmp_path)
    assert message == "changed while it was downloaded; run the command again"


def test_a_missing_object_suggests_the_nearest_name(bucket: Bucket, tmp_path: Path) -> None:
    bucket.write("exports/classifications.csv", CONTENT[:10])

    def message(key: str) -> str:
        return problem(address_of(f"{bucket.url}/{key}", bucket.options), tmp_path)

    assert message("exports/clasifications.csv") == (
        f"does not exist; did you mean '{bucket.url}/exports/classifications.csv'?"
    )
    assert message("exports/other.parquet") == "does not exist; check the name"
    assert message("export/a.csv") == "does not exist, and nothing is beside it; check the address"
    assert message("exports") == (f"is a folder; name the files in it, such as '{bucket.url}/exports/*.csv'")


def test_a_missing_bucket(bucket: Bucket, tmp_path: Path) -> None:
    assert "does not exist" in problem(address_of("s3://no-such-bucket/a.csv", bucket.options), tmp_path)
