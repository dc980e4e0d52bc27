"""Images from the addresses in a subject export: fetched once, and no bad one stops the others."""

import io
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from web_server import WebServer

from polyframe.core import downloads
from polyframe.core.errors import PolyframeError
from polyframe.panoptes.subjects import fetched_images
from polyframe.panoptes.subjects.fetched_images import fetch_images, images_cache
from polyframe.panoptes.subjects.subject_export import Subject


def png(seed: int = 0, side: int = 40) -> bytes:
    """Return an image of noise, which has as many bytes as pixels."""
    content = io.BytesIO()
    Image.frombytes("L", (side, side), random.Random(seed).randbytes(side * side)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_PAUSE", 0.001)


def fetch(cache: Path, **locations: Any) -> tuple[dict[tuple[int, int], Path], list[str]]:
    """Fetch the frames of subjects, given as `s5={0: url}`; return the files and the notes."""
    subjects = {int(name[1:]): Subject(int(name[1:]), {}, urls) for name, urls in locations.items()}
    notes: list[str] = []
    images = [(key, frame) for key, subject in subjects.items() for frame in subject.locations]
    return fetch_images(images, subjects, cache, notes.append), notes


def test_images_of_all_frames_are_fetched_once(web: WebServer, tmp_path: Path) -> None:
    for n in range(6):
        web.serve(f"/{n}.png", png(n))
    urls = {f"s{n}": {0: f"{web.url}/{n}.png", 1: f"{web.url}/{n + 3}.png"} for n in range(3)}
    files, notes = fetch(tmp_path / "a" / "b", **urls)
    assert notes == []
    assert len(files) == 6
    assert all(files[n, k].read_bytes() == png(n + 3 * k) for n in range(3) for k in (0, 1))
    requests = len(web.requests)
    # Two subjects may have the same image; nothing is requested again.
    again, notes = fetch(tmp_path / "a" / "b", **urls, s9={0: f"{web.url}/0.png"})
    assert (again, notes, len(web.requests)) == ({**files, (9, 0): files[0, 0]}, [], requests)
    assert {path.suffix for path in (tmp_path / "a" / "b").iterdir()} == {".png"}


def test_a_bad_image_is_one_note_and_the_others_are_fetched(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_images, "LARGEST_DOWNLOAD", 5000)
    web.serve("/good.png", png())
    web.serve("/page.png", b"<html>Not an image</html>", headers={"Content-Type": "text/html"})
    web.serve("/large.png", png(9, 200))
    web.serve("/endless.png", png(9, 200), sized=False, ranges=False)
    web.serve("/away.png", redirect=web.url.replace("127.0.0.1", "localhost") + "/good.png")
    web.serve("/denied.png", statuses=[403])
    web.serve("/broken.png", statuses=[500] * 20)
    urls = ["good", "page", "large", "endless", "away", "denied", "broken", "missing"]
    files, notes = fetch(tmp_path, **{f"s{n}": {0: f"{web.url}/{name}.png"} for n, name in enumerate(urls)})
    assert list(files) == [(0, 0)]
    reasons = ("cannot be read as an image", "has more than 0.005 MB", "has more than 0.005 MB")
    reasons += ("redirects to localhost, a host that the export does not name", "access denied (403")
    reasons += ("failed 6 times (500", "does not exist (404 Not Found)")
    assert len(notes) == len(reasons)
    for n, (note, reason) in enumerate(zip(notes, reasons, strict=True), start=1):
        assert note.startswith(f"subject {n}, frame 0: {web.url}/{urls[n]}.png: ")
        assert reason in note
        assert note.endswith("; its background is white")
    # Nothing unfinished or wrong remains.
    assert list(tmp_path.iterdir()) == [files[0, 0]]
    web.files["/missing.png"] = web.files["/good.png"]
    files, notes = fetch(tmp_path, s7={0: f"{web.url}/missing.png"})
    assert (list(files), notes) == ([(7, 0)], [])


def test_interrupted_requests_are_repeated(web: WebServer, tmp_path: Path) -> None:
    content = png(9, 100)
    web.serve("/cut.png", content, cuts=[1000, 100, 0])
    web.serve("/whole.png", content, cuts=[1000], ranges=False)
    web.serve("/busy.png", content, statuses=[503, 429])
    files, notes = fetch(
        tmp_path, s1={k: f"{web.url}/{n}.png" for k, n in enumerate(("cut", "whole", "busy"))}
    )
    assert notes == []
    assert [files[1, k].read_bytes() == content for k in range(3)] == [True] * 3


def test_a_server_says_when_to_ask_again(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def wait(_: object, timeout: float) -> bool:
        waited.append(timeout)
        return False

    monkeypatch.setattr(downloads._Deadline, "wait", wait)
    web.serve("/a.png", png(), statuses=[503], retry_after="7")
    web.serve("/b.png", png(), statuses=[503], retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    web.serve("/c.png", png(), statuses=[503], retry_after="99999")
    web.serve("/d.png", png(), statuses=[503], retry_after="soon")
    files, _ = fetch(tmp_path, s1={k: f"{web.url}/{n}.png" for k, n in enumerate("abcd")})
    assert len(files) == 4
    assert sorted(waited) == [0.001, 0.001, 7, 60]


def test_an_image_that_takes_too_long_is_a_note(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_images, "LONGEST_SECONDS", 1)
    web.serve("/slow.png", png(), statuses=[503] * 9, retry_after="50")
    files, notes = fetch(tmp_path, s1={0: f"{web.url}/slow.png"})
    assert files == {}
    expected = f"{web.url}/slow.png: takes longer than 1 seconds; try again; its background is white"
    assert notes == [f"subject 1, frame 0: {expected}"]


def test_only_images_at_web_addresses_are_requested(web: WebServer, tmp_path: Path) -> None:
    web.serve("/noend", png())
    (tmp_path / "secret.png").write_bytes(png())
    urls = ["images/1.png", f"file://{tmp_path}/secret.png", "s3://bucket/a.png", "http://[::1", "http://"]
    urls += [f"{web.url}/film.mp4?x=1", f"{web.url}/text.txt#a.png", f"{web.url}/noend"]
    files, notes = fetch(tmp_path / "cache", s1=dict(enumerate(urls)))
    assert list(files) == [(1, 7)]
    assert len(notes) == 7
    assert all("is not an http or https address" in note for note in notes[:5])
    assert all("is not an image, by its ending" in note for note in notes[5:])
    assert [request.path for request in web.requests] == ["/noend"]


def test_missing_addresses_are_noted_and_many_notes_are_counted(tmp_path: Path) -> None:
    notes: list[str] = []
    wanted = [(5, 0), (5, 1), *((n, 0) for n in range(10, 30))]
    assert fetch_images(wanted, {5: Subject(5, {}, {})}, tmp_path / "cache", notes.append) == {}
    assert notes[0] == (
        "subject 5, frame 0: the subject export has no address of this frame; its background is white"
    )
    assert "does not contain the subject" in notes[2]
    assert notes[10:] == ["12 more images could not be fetched"]
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_an_error(web: WebServer, tmp_path: Path) -> None:
    web.serve("/a.png", png())
    (tmp_path / "file").touch()
    with pytest.raises(PolyframeError, match="cannot be written"):
        fetch(tmp_path / "file" / "cache", s1={0: f"{web.url}/a.png"})


def test_what_is_complete_stays_if_the_work_is_interrupted(web: WebServer, tmp_path: Path) -> None:
    held = threading.Event()
    web.serve("/first.png", png())
    web.serve("/second.png", png(), silent=held)
    subject = Subject(1, {}, {0: f"{web.url}/first.png", 1: f"{web.url}/second.png"})

    def stop(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_images([(1, 0), (1, 1)], {1: subject}, tmp_path, print, stop)
    held.set()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [png()]
    files, notes = fetch(tmp_path, s1=subject.locations)
    assert (len(files), notes) == (2, [])
    assert [request.path for request in web.requests].count("/first.png") == 1


def test_the_default_cache_is_that_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert images_cache() == Path("/caches/polyframe/images")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert images_cache() == Path.home() / ".cache" / "polyframe" / "images"
    monkeypatch.setattr("sys.platform", "darwin")
    assert images_cache() == Path.home() / "Library" / "Caches" / "polyframe" / "images"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert images_cache() == Path("/local/polyframe/images")
