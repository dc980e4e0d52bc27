"""The colours of clusters are distinguishable with every kind of colour vision."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from polyframe.core.colours import HEAT, HEAT_STEPS, ON_IMAGE, ON_WHITE, OUTLIER_ON_IMAGE, OUTLIER_ON_WHITE
from polyframe.plot.line_styles import cluster_style

#: The colours that appear together: those of clusters, and of outliers.
PALETTES = {
    "on white": [*ON_WHITE, OUTLIER_ON_WHITE],
    "on an image": [*ON_IMAGE, OUTLIER_ON_IMAGE],
}
#: Colour vision without one kind of cones, in linear RGB: Machado, Oliveira, Fernandes (2009), severity 1.
VISION = {
    "all three": np.eye(3),
    "no long": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "no short": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    share = TO_XYZ @ np.clip(rgb, 0, 1) / (0.9505, 1, 1.089)
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(colour: str, ground: str) -> float:
    light = sorted(TO_XYZ[1] @ linear(c) + 0.05 for c in (colour, ground))
    return light[1] / light[0]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", PALETTES)
def test_colours_are_distinguishable(palette: str, vision: str) -> None:
    assert len(PALETTES[palette]) == 9
    seen = [lab(np.asarray(VISION[vision]) @ linear(colour)) for colour in PALETTES[palette]]
    # A difference of about 2 is just noticeable side by side.
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 14


@pytest.mark.parametrize("on_image", [False, True])
def test_outliers_are_recognizable_in_greyscale(on_image: bool) -> None:
    outlier, *clusters = (cluster_style(label, on_image=on_image) for label in range(-1, 3 * 8))
    assert outlier.linestyle not in {style.linestyle for style in clusters}
    lightness, *others = (lab(linear(style.color))[0] for style in (outlier, *clusters))
    assert min(abs(other - lightness) for other in others) > 10


def test_colours_contrast_with_the_background() -> None:
    assert min(contrast(colour, "white") for colour in ON_WHITE) > 2
    assert min(contrast(colour, "black") for colour in ON_IMAGE) > 3


def test_the_steps_of_agreement_equal_the_colour_map() -> None:
    drawn = [to_hex(colormaps[HEAT](share)).upper() for share in np.linspace(0, 1, len(HEAT_STEPS))]
    assert list(HEAT_STEPS) == drawn
