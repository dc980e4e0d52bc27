"""Test that the folder `data` contains what `write_example` writes, and the images of subjects."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.png import png
from polyframe.synthetic import EXAMPLE, SynthOptions, subject_image, true_outlines, write_example

DATA = Path(__file__).parents[2] / "data"


def decode_png(content):
    """Decode a PNG as the generator writes it: 8-bit RGB, every line with filter 2."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        length, name = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        assert struct.unpack(">I", content[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + body),)
        chunks[name] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert (lines[:, 0] == 2).all()
    return np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8).reshape(height, width, 3)


def test_a_png_contains_the_pixels():
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)[::-1] * 3
    assert np.array_equal(decode_png(png(picture)), picture)


def test_images_show_the_objects_at_their_places():
    options = SynthOptions(subjects=6, seed=2, close_pairs=0)
    for subject_id in range(options.first_subject, options.first_subject + 6):
        picture = subject_image(options, subject_id).astype(float)
        brightness = picture.mean(axis=2)
        height, width, _ = picture.shape
        for t in true_outlines(options, subject_id):
            if t.frame == 0:
                assert 0 < t.x.min() < t.x.max() < width
                assert 0 < t.y.min() < t.y.max() < height
                # Just inside the outline it is brighter than just outside.
                cx, cy = t.x.mean(), t.y.mean()
                inner, outer = (
                    brightness[
                        (cy + k * (t.y - cy)).astype(int).clip(0, height - 1),
                        (cx + k * (t.x - cx)).astype(int).clip(0, width - 1),
                    ].mean()
                    for k in (0.95, 1.2)
                )
                assert inner > outer + 15


def test_a_missing_frame_is_an_error():
    with pytest.raises(UsageError, match="no frame 1"):
        subject_image(SynthOptions(), 1_000_001, 1)
    with pytest.raises(UsageError, match="no frame 0 of subject 3"):
        subject_image(SynthOptions(), 3)


def test_a_directory_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PolyframeError, match="cannot be written"):
        write_example(tmp_path / "file")


def test_the_folder_data_equals_the_generated_example(tmp_path):
    if not DATA.is_dir():
        pytest.skip("the folder data is missing")
    write_example(tmp_path)
    generated = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    stored = {path.relative_to(DATA) for path in DATA.rglob("*") if path.is_file()}
    assert generated == stored
    for name in sorted(generated):
        one, other = (tmp_path / name).read_bytes(), (DATA / name).read_bytes()
        if name.suffix == ".png":
            # The compressed bytes depend on the version of zlib.
            assert np.array_equal(decode_png(one), decode_png(other)), name
        else:
            assert one == other, name


def test_the_example_is_small():
    if not DATA.is_dir():
        pytest.skip("the folder data is missing")
    sizes = [path.stat().st_size for path in DATA.rglob("*") if path.is_file()]
    assert max(sizes) < 1_500_000
    assert sum(sizes) < 2_000_000
    assert EXAMPLE.subjects == 12
