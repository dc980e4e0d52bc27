"""PNG files: Pillow reads the same pixels."""

import io

import numpy as np
import pytest

from polyframe.core.png import png

image = pytest.importorskip("PIL.Image")


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (64, 33)])
@pytest.mark.parametrize(("dtype", "colours"), [(np.uint8, ()), (np.uint16, ()), (np.uint8, (3,))])
def test_pillow_reads_the_same_pixels(dtype: type, colours: tuple[int, ...], size: tuple[int, int]) -> None:
    most = np.iinfo(dtype).max
    picture = np.random.default_rng(3).integers(0, most, (*size, *colours), dtype, endpoint=True)
    for array in (picture, np.asfortranarray(picture), picture[::-1]):
        with image.open(io.BytesIO(png(array))) as decoded:
            assert decoded.format == "PNG"
            assert np.array_equal(np.asarray(decoded), array)
