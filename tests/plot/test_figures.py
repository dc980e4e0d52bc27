"""Saved figures: text that stays text, fonts that journals accept, and images with enough pixels."""

import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from exports import ROOT
from matplotlib import pyplot
from matplotlib.figure import Figure
from plotted_groups import squares_group

import polyframe as pf

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figure() -> Figure:
    """Panels on an image that is much larger than in the figure."""
    image = np.random.default_rng(1).integers(0, 255, (900, 1500, 3), np.uint8)
    return pf.plot.subject_figure([squares_group()], images={1: image}, width=1500)


@pytest.fixture(scope="module")
def own() -> Figure:
    """A figure that is not ours."""
    figure, ax = pyplot.subplots()
    ax.set_title("Area of \N{GREEK SMALL LETTER MU}-cells, $x^2$ & <b>")
    pyplot.close(figure)
    return figure


def saved(figure: Figure, path: Path) -> bytes:
    before = dict(matplotlib.rcParams)
    pf.plot.save_figure(figure, path)
    assert dict(matplotlib.rcParams) == before
    return path.read_bytes()


def test_an_svg_has_its_text_as_text(figure: Figure, own: Figure, tmp_path: Path) -> None:
    tree = ElementTree.fromstring(saved(figure, tmp_path / "x.svg"))
    texts = [element.text or "" for element in tree.iter(f"{SVG}text")]
    assert {"Volunteers' outlines", "Averaged polygons: median", "1 outlier", "agreement"} <= set(texts)
    assert any(text.startswith("Subject 7, frame 1, T0_toolIndex2: 7 marks of ") for text in texts)
    # No glyphs, which are drawn as paths.
    assert not [element for element in tree.iter() if "DejaVu" in element.get("id", "")]
    tree = ElementTree.fromstring(saved(own, tmp_path / "own.svg"))
    assert "0.2" in [element.text for element in tree.iter(f"{SVG}text")]


def test_a_pdf_has_no_fonts_of_type_3(figure: Figure, own: Figure, tmp_path: Path) -> None:
    for drawn in (figure, own):
        pdf = saved(drawn, tmp_path / "x.pdf")
        # The dictionary of a font is not compressed; FontFile2 is an embedded TrueType font (PDF 1.7, 9.9).
        assert re.search(rb"/Subtype */CIDFontType2\b", pdf)
        assert b"/FontFile2" in pdf
        assert not re.search(rb"/Subtype */Type3\b", pdf)


def test_the_style_has_the_same_fonts(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    with pf.plot.own_style():
        pf.plot.toy_figure(width=900).savefig(tmp_path / "x.pdf")
    assert b"/FontFile2" in (tmp_path / "x.pdf").read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_images_in_vector_files_have_300_dots_per_inch(figure: Figure, tmp_path: Path) -> None:
    panel = figure.axes[0].get_position().width * figure.get_figwidth()
    pdf = saved(figure, tmp_path / "x.pdf")
    images = [blob for blob in re.findall(rb"<<(.*?)>>", pdf, re.DOTALL) if b"/Subtype /Image" in blob]
    widths = [int(re.search(rb"/Width (\d+)", blob)[1]) for blob in images]  # type: ignore[index]
    assert max(widths) == pytest.approx(panel * 300, abs=2)
    tree = ElementTree.fromstring(saved(figure, tmp_path / "x.svg"))
    sizes = [float(element.get("width", 0)) for element in tree.iter(f"{SVG}image")]
    # In the units of the file, which are points.
    assert max(sizes) == pytest.approx(panel * 72, abs=1)


def test_a_png_has_the_resolution_of_the_figure(tmp_path: Path) -> None:
    figure = pf.plot.subject_figure([squares_group()], show=["marks"], width=600)
    inches = figure.get_size_inches()
    for dpi in (120, 300):
        figure.set_dpi(dpi)
        header = saved(figure, tmp_path / "x.png")[16:24]
        size = [int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")]
        assert size == pytest.approx(inches * dpi, abs=1)


def test_all_pictures_are_saved_by_one_function() -> None:
    """So that each has the same fonts."""
    modules = (ROOT / "polyframe").rglob("*.py")
    saving = [path.name for path in modules if ".savefig(" in path.read_text(encoding="utf-8")]
    assert saving == ["figures.py"]
