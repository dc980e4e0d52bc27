"""The colours of plots and of the report are distinguishable with every kind of colour vision."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from polyframe.core.colours import (
    HEAT,
    HEAT_STEPS,
    MAJORITY,
    MAJORITY_RIM,
    ON_IMAGE,
    ON_WHITE,
    OUTLIER_ON_IMAGE,
    OUTLIER_ON_WHITE,
)
from polyframe.export.report import page_html
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
PAGE = Path(page_html.__file__).with_name("page")
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


@pytest.mark.parametrize("vision", VISION)
def test_steps_of_agreement_get_lighter(vision: str) -> None:
    lightness = [lab(np.asarray(VISION[vision]) @ linear(colour))[0] for colour in HEAT_STEPS]
    assert min(np.diff(lightness)) > 3


@pytest.mark.parametrize("vision", VISION)
def test_the_majority_stands_out_from_every_step_of_agreement(vision: str) -> None:
    def seen(colour: str) -> np.ndarray:
        return lab(np.asarray(VISION[vision]) @ linear(colour))

    lines = [seen(MAJORITY), seen(MAJORITY_RIM)]
    # The map is drawn with these opacities on white, and on images, here black, grey and white ones.
    for opacity, ground in ((0.95, "white"), (0.72, "black"), (0.72, "gray"), (0.72, "white")):
        for colour in HEAT_STEPS:
            step = opacity * np.array(to_rgb(colour)) + (1 - opacity) * np.array(to_rgb(ground))
            # The line or its rim, or both.
            assert max(np.linalg.norm(seen(to_hex(step)) - line) for line in lines) > 45


def variables(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-fA-F]{6});", css))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("ground", ["white", "image"])
def test_lines_of_the_report_are_distinguishable(ground: str, vision: str) -> None:
    colours = variables(page_html._colours())
    names = ("outline", "average", "other", "corrected", "outlier", "volunteer")
    seen = [lab(np.asarray(VISION[vision]) @ linear(colours[f"{name}-on-{ground}"])) for name in names]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 18


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_and_warnings_of_the_report_stand_out(scheme: str, vision: str) -> None:
    light, dark = re.findall(r":root {(.*?)}", (PAGE / "report.css").read_text(encoding="utf-8"), re.S)[:2]
    colours = variables(light if scheme == "light" else dark)
    seen = {name: lab(np.asarray(VISION[vision]) @ linear(colour)) for name, colour in colours.items()}
    for one, other in (("bar", "bar-chosen"), ("warn", "text"), ("warn", "soft"), ("warn", "accent")):
        assert np.linalg.norm(seen[one] - seen[other]) > 20, (one, other)
    assert contrast(colours["bar"], colours["bar-chosen"]) > 3
    for name in ("text", "soft", "accent", "warn"):
        assert min(contrast(colours[name], colours[ground]) for ground in ("box", "ground")) > 4.5, name
