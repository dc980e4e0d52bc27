"""The report as Chromium prints it to PDF: every cluster that the filters choose, each whole on its page."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pages import js, number_shown, open_page, wait_for
from printed_pages import CARD, cards_of, texts_of_pages

import polyframe as pf
from polyframe.export.report import page_html
from polyframe.synthetic import SynthOptions, write_export

#: The second line of a card.
COUNTS = re.compile(r"\d+ marks? of \d+ classifications?\b(?!, none in a cluster)")

Printed = Callable[[], tuple[bytes, list[str]]]


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a project with more clusters than a screen shows, and its report beside it."""
    folder = tmp_path_factory.mktemp("many")
    options = SynthOptions(subjects=60, volunteers=3, vertices=12, seed=5)
    write_export(folder / "many.csv", options)
    pf.run(folder / "many.csv", folder / "out", workflow_version="7.12", engine="shapely", jobs=1)
    pf.report(folder / "out", folder / "many.html")
    return folder / "out"


@pytest.fixture
def printed(browser: Any, pdf_python: str) -> Printed:
    """Return a function that prints the open page, and returns the PDF and the text of each of its pages."""

    def function() -> tuple[bytes, list[str]]:
        # Not `print_page`, which fails on a busy machine: it waits no longer than 10 seconds.
        pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
        return pdf, texts_of_pages(pdf, pdf_python)

    return function


def test_every_cluster_that_the_filters_choose_is_printed(browser: Any, many: Path, printed: Printed) -> None:
    rows = pl.read_parquet(many / "reductions" / "*.parquet").sort("consensus")
    keys = rows.select("subject_id", "cluster_label").rows()
    open_page(browser, many.parent / "many.html")
    browser.execute_script(
        "const number = (selector) => document.querySelectorAll(selector).length;"
        "window.links = () => number('#cards a[href]');"
        "window.before = links();"
        "addEventListener('beforeprint', () => {"
        "  window.drawn = number('svg.outlines'); window.printedLinks = links();"
        "})"
    )
    _, pages = printed()
    assert len(keys) > 100
    text = "".join(pages)
    assert f"{len(keys)} of {len(keys)} clusters shown" in text
    assert "Sorted by consensus, lowest first. Filters: none." in text
    assert sorted(cards_of(pages)) == sorted(keys)
    groups = pl.read_parquet(many / "groups" / "*.parquet")
    # Groups without a cluster have a close-up instead of contours.
    assert js(browser, "window.drawn") == len(keys) + 2 * groups.filter(n_clusters=0).height
    # Chromium searches for the target of every link on every page.
    assert js(browser, "[window.printedLinks, links()]") == [0, js(browser, "window.before")]
    # No card continues on another page, and there is nothing to press.
    for page in pages:
        assert len(CARD.findall(page)) == len(COUNTS.findall(page))
        assert not re.search("Reset|Show clusters|Sort by|Skip", page)
    # Pictures far from the viewport are removed again.
    assert js(browser, "document.querySelectorAll('svg.outlines').length") < len(keys)

    browser.execute_script("byId('least').value = 0.8; applySoon()")
    chosen = rows.filter(pl.col("consensus") >= 0.8)
    assert 48 < chosen.height < len(keys)
    _, pages = printed()
    text = "".join(pages)
    assert f"{chosen.height} of {len(keys)} clusters shown" in text
    assert "Filters: consensus from 0.80 to 1.00." in text
    assert sorted(cards_of(pages)) == sorted(chosen.select("subject_id", "cluster_label").rows())
    assert number_shown(browser) == chosen.height


def test_images_that_were_never_on_the_screen_are_printed(
    browser: Any, example_page: Path, printed: Printed
) -> None:
    open_page(browser, example_page)
    pdf, pages = printed()
    assert len(cards_of(pages)) == 36
    assert pdf.count(b"/Subtype /Image") >= 16


def test_an_open_cluster_is_printed_alone(browser: Any, example_page: Path, printed: Printed) -> None:
    open_page(browser, example_page, "#cluster-1000003-1-T0_toolIndex0-0")
    wait_for(browser.find_element("id", "details").is_displayed)
    _, pages = printed()
    text = "\n".join(pages)
    assert len(CARD.findall(text)) == 1
    assert "classifications_needed" in text
    marks = [cell.text for cell in browser.find_elements("css selector", ".marks td:nth-child(2)")]
    assert marks
    assert all(mark in text for mark in marks)


def test_the_paper_has_a_limit_and_says_so(
    browser: Any, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = page_html._file
    # Before the hash of the script is computed.
    monkeypatch.setattr(
        page_html, "_file", lambda name: file(name).replace("MOST_PRINTED = 3000", "MOST_PRINTED = 24")
    )
    pf.report(many, tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    cards = "[...document.querySelectorAll('.card')].filter((card) => card.checkVisibility()).length"
    assert js(browser, cards) == 24
    of_all = js(browser, "shown.length")
    assert of_all > 48
    limit = browser.find_element("id", "print-limit")
    assert limit.text == f"Here are the first 24 of {of_all} cards. Choose others with the filters."
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert js(browser, cards) == of_all
    # Fewer are printed whole, without the sentence.
    browser.execute_script("byId('subject').value = subjectOf(0); apply()")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert js(browser, cards) == js(browser, "shown.length") < 24
    assert not limit.is_displayed()
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
