"""Images from files, by the metadata of subjects, and from URLs, without the network."""

import io
import json
import os
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory import run_in_new_process
from PIL import EpsImagePlugin, Image, ImageFile
from plotted_groups import DATA

import polyframe.panoptes.subjects.image_files
from polyframe.core import open_url
from polyframe.core.errors import PolyframeError
from polyframe.panoptes.subjects.image_files import upright_size
from polyframe.panoptes.subjects.subject_export import Subject
from polyframe.plot import ImageFolder, fetch_image, load_images, read_image, read_subject


def png(width: int = 4, height: int = 3, colour: Any = (10, 20, 30), mode: str = "RGB") -> bytes:
    content = io.BytesIO()
    Image.new(mode, (width, height), colour).save(content, "PNG")
    return content.getvalue()


class Response(io.BytesIO):
    """The response of a URL."""


def subjects_csv(path: Path, metadata: Any, locations: Any, subject_id: int = 5) -> Path:
    def cell(value: Any) -> str:
        return '"' + (value if isinstance(value, str) else json.dumps(value)).replace('"', '""') + '"'

    rows = f"{subject_id},{cell(metadata)},{cell(locations)}\n"
    path.write_text("subject_id,metadata,locations\n" + rows, encoding="utf-8")
    return path


def test_an_image_file_is_read_as_an_array(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype, image[0, 0].tolist()) == ((3, 4, 3), np.uint8, [10, 20, 30])
    (tmp_path / "b.png").write_bytes(png(colour=(1, 2, 3, 4), mode="RGBA"))
    assert read_image(tmp_path / "b.png").shape == (3, 4, 4)
    (tmp_path / "c.png").write_bytes(png(colour=9, mode="L"))
    assert read_image(tmp_path / "c.png").shape == (3, 4, 3)


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", exif=turned)
    assert read_image(tmp_path / "a.jpg").shape == (4, 3, 3)


def test_a_file_that_is_not_an_image_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(PolyframeError, match=r"a\.png: cannot be read as an image"):
        read_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png()[:50])
    with pytest.raises(PolyframeError, match="cannot be read as an image"):
        read_image(tmp_path / "b.png")
    monkeypatch.setattr(polyframe.panoptes.subjects.image_files, "LARGEST_PIXELS", 11)
    (tmp_path / "c.png").write_bytes(png())
    with pytest.raises(PolyframeError, match="has 4 x 3 pixels, more than 11"):
        read_image(tmp_path / "c.png")


def saved(form: str, path: Path, **options: Any) -> Path:
    Image.new("RGB", (4, 3), (10, 20, 30)).save(path, form, **options)
    return path


def test_supported_formats_are_read(tmp_path: Path) -> None:
    for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        assert read_image(saved(form, tmp_path / "a.png")).shape == (3, 4, 3)
    more = [Image.new("RGB", (4, 3))]
    assert read_image(saved("MPO", tmp_path / "a.jpg", save_all=True, append_images=more)).shape == (3, 4, 3)


@pytest.mark.parametrize("form", ["EPS", "PDF", "PPM", "ICO", "TGA", "PCX", "SGI", "DDS", "ICNS"])
def test_other_formats_are_refused_whatever_their_name(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For EPS, Pillow would start Ghostscript."""
    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(PolyframeError, match=r"a\.png: cannot be read as an image; expected PNG, JPEG, WebP"):
        read_image(saved(form, tmp_path / "a.png"))
    with (tmp_path / "a.png").open("rb") as file, pytest.raises(PolyframeError, match="expected PNG"):
        upright_size(file, "a.png")


def compressed_png(width: int, height: int) -> bytes:
    """An empty RGBA PNG of any size, compressed a thousandfold, without allocating its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    compressor = zlib.compressobj(9)
    rows = b"".join(compressor.compress(bytes(4 * width + 1)) for _ in range(height)) + compressor.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(compressed_png(10_000, 10_000))
    assert (tmp_path / "a.png").stat().st_size < 400_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("was decoded"))
    refused = r"a\.png: has 10000 x 10000 pixels, more than 50,000,000; make it smaller"
    with pytest.raises(PolyframeError, match=refused):
        read_image(tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb") as file, pytest.raises(PolyframeError, match=refused):
        upright_size(file, str(tmp_path / "a.png"))


def test_the_largest_image_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Four bytes per pixel, and at most three copies."""
    (tmp_path / "a.png").write_bytes(compressed_png(10_000, 5_000))
    code = (
        "import sys\nfrom pathlib import Path\nimport memory\n"
        "from polyframe.plot import read_image\n"
        "from polyframe.export.report.backgrounds import _thumbnail_bytes\n"
        "assert len(_thumbnail_bytes(Path(sys.argv[1]), 100)) > 100\n"
        "assert read_image(sys.argv[1]).shape == (5000, 10000, 4)\n"
        "print(memory.peak_bytes() // 10**6)"
    )
    assert int(run_in_new_process(code, tmp_path / "a.png")) < 300 + 4 * 200


def test_a_too_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    os.truncate(tmp_path / "a.png", 250_000_001)
    with pytest.raises(PolyframeError, match=r"a\.png: has 250,000,001 bytes, more than 250,000,000"):
        read_image(tmp_path / "a.png")


def test_a_small_image_with_a_large_tile_is_refused(tmp_path: Path) -> None:
    side = 65_536
    tags = {256: 4, 257: 3, 258: 8, 259: 5, 262: 1, 277: 1, 322: side, 323: side, 324: 200, 325: 9}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags))
    (tmp_path / "a.tif").write_bytes(head + entries + bytes(100))
    with pytest.raises(PolyframeError, match="has 65536 x 65536 pixels, more than"):
        read_image(tmp_path / "a.tif")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("exif", [b"II*\0", b"II*\0\x08\0\0\0\x01\0", b"MM", b"zz"])
def test_damaged_exif_data_is_ignored(exif: bytes, tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif)
    assert read_image(tmp_path / "a.jpg").shape == (3, 4, 3)
    with (tmp_path / "a.jpg").open("rb") as file:
        assert upright_size(file, "a.jpg") == (4, 3)


def test_rotated_photos_have_the_size_of_the_upright_image(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (4, 3)).save(tmp_path / "a.jpg", exif=exif)
        with (tmp_path / "a.jpg").open("rb") as file:
            width, height = upright_size(file, "a.jpg")
        assert read_image(tmp_path / "a.jpg").shape == (height, width, 3)


def test_the_images_of_the_example_are_identified_by_metadata() -> None:
    subject = read_subject(DATA / "subjects.csv", 1000003)
    paths = ImageFolder(DATA / "images").of(subject)
    assert {frame: path.name for frame, path in paths.items()} == {0: "1000003-0.png", 1: "1000003-1.png"}


def test_numbers_in_keys_order_the_frames(tmp_path: Path) -> None:
    names = [f"{k}.png" for k in range(12)]
    for name in names:
        (tmp_path / name).touch()
    metadata = {f"image_{k}": names[k] for k in (10, 2, 11, *range(2), *range(3, 10))}
    subject = Subject(5, {"license": "CC", "credit": 7, **metadata}, {})
    assert [path.name for path in ImageFolder(tmp_path).of(subject).values()] == names


def test_a_missing_file_leaves_its_frame_without_an_image(tmp_path: Path) -> None:
    (tmp_path / "b.png").touch()
    metadata = {"image_1": "a.png", "image_2": "b.png"}
    addresses = {0: "https://example.org/1.jpeg", 1: "https://example.org/2.jpeg"}
    folder = ImageFolder(tmp_path)
    assert folder.of(Subject(5, metadata, addresses)) == {1: tmp_path / "b.png"}
    # Two of three names belong to the two frames, but with one file it is unclear which.
    assert folder.of(Subject(5, {"preview": "c.png", **metadata}, addresses)) == {}
    (tmp_path / "a.png").touch()
    images_of = folder.of(Subject(5, {"preview": "c.png", **metadata}, addresses))
    assert images_of == {0: tmp_path / "a.png", 1: tmp_path / "b.png"}


def test_addresses_identify_files_if_the_metadata_do_not(tmp_path: Path) -> None:
    (tmp_path / "f.jpeg").touch()
    locations = {0: "https://example.org/x/missing.jpeg", 1: "https://example.org/x/f.jpeg?size=3"}
    subject = Subject(5, {"name": "gone.png"}, locations)
    assert ImageFolder(tmp_path).of(subject) == {1: tmp_path / "f.jpeg"}


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "/etc/secret.png",
        "a\0.png",
        "",
        "x" * 5000 + ".png",
        "x" * 500 + ".png",
        "\ud83d.png",
        "link.png",
    ],
)
def test_no_file_outside_the_folder_is_used(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").touch()
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    assert ImageFolder(folder).of(Subject(5, {"a": name}, {0: name})) == {}


def test_a_missing_folder_or_subject_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolyframeError, match="no such folder of images"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(PolyframeError, match=r"subjects\.csv: has no subject 3"):
        read_subject(DATA / "subjects.csv", 3)
    with pytest.raises(PolyframeError, match="not a subject export with subject_id"):
        read_subject(DATA / "classifications.csv", 3)
    with pytest.raises(PolyframeError, match=r"none\.csv: no such file"):
        read_subject(tmp_path / "none.csv", 3)


def test_the_name_of_a_subjects_export_is_not_a_glob_pattern(tmp_path: Path) -> None:
    subjects_csv(tmp_path / "s1.csv", {"which": "other"}, {})
    named = subjects_csv(tmp_path / "s[1].csv", {"which": "this"}, {})
    assert read_subject(named, 5).metadata == {"which": "this"}


def test_invalid_addresses_are_ignored(tmp_path: Path) -> None:
    locations = {"0": "https://[x/1.png", "9" * 5000: "https://example.org/a.png"}
    subject = read_subject(subjects_csv(tmp_path / "s.csv", {}, locations), 5)
    assert list(subject.locations) == [0]
    assert ImageFolder(tmp_path).of(subject) == {}


@pytest.mark.parametrize("cell", ["", "not JSON", "[1]", "[" * 100_000, '{"a": {"b": 1}, "0": 5}'])
def test_malformed_cells_are_ignored(cell: str, tmp_path: Path) -> None:
    subject = read_subject(subjects_csv(tmp_path / "s.csv", cell, cell), 5)
    assert subject.locations == {}
    assert ImageFolder(tmp_path).of(subject) == {}


def test_a_url_is_fetched() -> None:
    requested: list[str] = []

    def opened(url: str, _seconds: float) -> Response:
        requested.append(url)
        return Response(png())

    assert fetch_image("https://example.org/a.png", opened=opened).shape == (3, 4, 3)
    assert requested == ["https://example.org/a.png"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a.png", "images/a.png", "data:image/png,x"]
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(PolyframeError, match="is not an http or https address"):
        fetch_image(url, opened=lambda *_: pytest.fail("was opened"))


def test_a_redirect_to_another_scheme_is_refused() -> None:
    handler = open_url.RedirectHandler(open_url.AddressGuard(0.0))
    with pytest.raises(PolyframeError, match="is not an http or https address"):
        handler.redirect_request(None, io.BytesIO(), 302, "", {}, "file:///etc/passwd")


def test_size_and_time_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> Iterator[float]:
        yield from (0.0, 1.0)
        while True:
            yield 31.0

    ticks = slow()
    with pytest.raises(PolyframeError, match="takes longer than 30 seconds"):
        fetch_image(
            "https://example.org/a", opened=lambda *_: Response(bytes(300_000)), clock=lambda: next(ticks)
        )
    monkeypatch.setattr(load_images, "LARGEST_DOWNLOAD", 100_000)
    with pytest.raises(PolyframeError, match="is larger than"):
        fetch_image("https://example.org/a", opened=lambda *_: Response(bytes(300_000)))


def test_a_failed_request_is_an_error() -> None:
    def opened(_url: str, _seconds: float) -> Response:
        raise TimeoutError("timed out")

    with pytest.raises(PolyframeError, match=r"cannot be fetched \(timed out\); use --image FILE"):
        fetch_image("https://example.org/a", opened=opened)
    with pytest.raises(PolyframeError, match="cannot be read as an image"):
        fetch_image("https://example.org/a", opened=lambda *_: Response(b"<html>"))
