"""Volunteers in the report: numbers instead of names, their figures, and the way to their marks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from exports import Done
from pages import VOLUNTEER, js, number_shown, open_page, page_of, wait_for

import polyframe as pf

Call = Callable[..., Done]


def test_names_are_in_the_file_only_if_they_are_wanted(
    hostile: Path, tmp_path: Path, polyframe: Call
) -> None:
    assert polyframe("report", hostile, "-o", tmp_path / "x.html").code == 0
    page = page_of(tmp_path / "x.html")
    assert VOLUNTEER not in page.text
    assert sorted(page.data["volunteers"]["name"]) == [f"Volunteer {number}" for number in range(1, 7)]
    assert "no names of volunteers" in page.text
    assert polyframe("report", hostile, "--names", "-o", tmp_path / "y.html").code == 0
    page = page_of(tmp_path / "y.html")
    assert sorted(page.data["volunteers"]["name"]) == [f"{VOLUNTEER} {number}" for number in range(6)]
    assert "This file contains the names of volunteers." in page.text


def test_volunteers_are_sorted_by_score_and_marks_know_their_volunteer(example: Path, tmp_path: Path) -> None:
    pf.report(example, tmp_path / "x.html", names=True)
    data = page_of(tmp_path / "x.html").data
    table = pl.read_parquet(example / "volunteers" / "*.parquet").sort("score", "volunteer", nulls_last=True)
    assert data["volunteers"]["name"] == table["volunteer"].to_list()
    assert data["volunteers"]["score"] == table["score"].to_list()
    labels = pl.read_parquet(example / "labels" / "*.parquet")
    drawn = {
        (classification, index): data["volunteers"]["name"][volunteer]
        for columns in zip(
            *(data["groups"][name] for name in ("classificationIds", "markIndexes", "volunteers")),
            strict=True,
        )
        for classification, index, volunteer in zip(*columns, strict=True)
    }
    rows = labels.select(pl.col("classification_id").cast(str), "mark_index", "volunteer").rows()
    assert drawn == {(classification, index): volunteer for classification, index, volunteer in rows}
    pf.report(example, tmp_path / "y.html", limit=5)
    page = page_of(tmp_path / "y.html")
    assert len(page.data["volunteers"]["name"]) == 5
    assert f"the 5 volunteers with the lowest scores, of {table.height}." in page.text


def test_a_link_shows_the_marks_of_a_volunteer(browser: Any, example: Path, example_page: Path) -> None:
    open_page(browser, example_page)
    total = number_shown(browser)
    table = pl.read_parquet(example / "volunteers" / "*.parquet").sort("score", "volunteer", nulls_last=True)
    rows = browser.find_elements("css selector", "#volunteer-table tbody tr")
    first = table.row(0, named=True)
    figures = rows[0].text.split()
    assert figures[:6] == [
        "Volunteer",
        "1",
        f"{first['score']:.2f}",
        *(str(first[n]) for n in ("n_classifications", "n_marks", "n_outliers")),
    ]
    rows[0].find_element("css selector", "a").click()
    wait_for(lambda: browser.find_element("id", "of-subject").is_displayed())
    assert (
        f"Volunteer 1 drew {first['n_marks']} marks in this report"
        in browser.find_element("id", "of-subject").text
    )
    labels = pl.read_parquet(example / "labels" / "*.parquet")
    own = labels.filter(volunteer=first["volunteer"])
    subjects = {str(subject) for subject in own["subject_id"]}
    assert number_shown(browser) < total
    shown = js(
        browser, "[...document.querySelectorAll('.subject h3')].map((one) => one.textContent.split(' ')[1])"
    )
    assert set(shown) == subjects
    marks = wait_for(lambda: browser.find_elements("css selector", ".card .of-volunteer path"))
    assert marks
    browser.find_element("css selector", "#of-subject button").click()
    assert number_shown(browser) == total
    assert not browser.find_elements("css selector", ".of-volunteer")
    # The address of a page keeps the choice.
    open_page(browser, example_page, "#volunteer-1")
    assert js(browser, "onlyVolunteer") == 0
    open_page(browser, example_page, "#volunteer-999")
    assert number_shown(browser) == 0
    assert "There is no such volunteer." in browser.find_element("id", "of-subject").text


def test_the_table_of_volunteers_is_sorted_by_its_headings_and_filtered(
    browser: Any, example: Path, example_page: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    table = pl.read_parquet(example / "volunteers" / "*.parquet").sort("score", "volunteer", nulls_last=True)
    table = table.with_row_index("number", offset=1)
    open_page(browser, example_page)
    assert browser.find_element("id", "volunteers-count").text == (
        f"{table.height} of {table.height} volunteers; the first 20 are shown"
    )
    browser.find_element("id", "more-volunteers").click()
    heads = browser.find_elements("css selector", "#volunteer-table thead th")
    shown = (
        "[...document.querySelectorAll('#volunteer-table tbody th')].map((one) => +one.textContent.slice(10))"
    )
    columns = ["number", "score", "n_classifications", "n_marks", "n_outliers", "precision", "recall", "iou"]
    assert [head.get_attribute("aria-sort") for head in heads] == [None, "ascending", *[None] * 6]
    for head, column in zip(heads, columns, strict=True):
        # By click, and again by keyboard; the button keeps the focus. Missing values are always last.
        descending = column in ("n_classifications", "n_marks", "n_outliers")
        for press in (lambda button: button.click(), lambda button: button.send_keys(Keys.ENTER)):
            press(head.find_element("css selector", "button"))
            assert head.get_attribute("aria-sort") == ("descending" if descending else "ascending")
            expected = table.sort(column, "number", descending=[descending, False], nulls_last=[True, False])
            assert js(browser, shown) == expected["number"].to_list(), (column, descending)
            assert js(browser, "document.activeElement.textContent") in head.text
            descending = not descending
    assert len(browser.find_elements("css selector", "#volunteer-table [aria-sort]")) == 1
    browser.find_element("id", "volunteer-filter").send_keys("Teer 1")
    found = [number for number in range(1, table.height + 1) if str(number).startswith("1")]
    assert sorted(js(browser, shown)) == found
    assert browser.find_element("id", "volunteers-count").text == f"{len(found)} of {table.height} volunteers"
    # Links lead to the marks of whoever has this number, whatever the order.
    link = browser.find_elements("css selector", "#volunteer-table tbody a")[0]
    name = link.text
    link.click()
    wait_for(lambda: browser.find_element("id", "of-subject").is_displayed())
    assert browser.find_element("id", "of-subject").text.startswith(f"{name} drew ")
