"""The list of subjects: worst first, with the figures of the table subjects."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import drawing, export_row, export_text, square
from pages import js, number_shown, open_page, wait_for

import polyframe as pf


@pytest.fixture(scope="module")
def disagreement(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Subject 1: three and an outlier. 2: two marks apart. 3: no mark. 4: two marks of nine volunteers."""
    marks = [
        *((1, [square(shift, 0)]) for shift in (0, 3, 1, 50)),
        *((2, [square(shift, 0)]) for shift in (0, 50)),
        (3, []),
        *((4, [square(shift, 0)] if shift < 2 else []) for shift in range(9)),
    ]
    rows = [export_row(n, drawing(*drawn), subject_ids=subject) for n, (subject, drawn) in enumerate(marks)]
    folder = tmp_path_factory.mktemp("disagreement")
    (folder / "few.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "few.csv", folder / "out", engine="shapely", jobs=1)
    pf.report(folder / "out", folder / "x.html")
    return folder


def cards(browser: Any) -> list[str]:
    return [card.text for card in browser.find_elements("css selector", ".subject")]


def test_subjects_are_listed_worst_first(browser: Any, disagreement: Path) -> None:
    open_page(browser, disagreement / "x.html")
    two, one, four = cards(browser)
    assert two == "Subject 2\n2 volunteers, 0 clusters, 2 outliers\n\nnobody agrees".replace("\n\n", "\n")
    table = pl.read_parquet(disagreement / "out" / "subjects" / "*.parquet").filter(subject_id=1)
    figures = (
        f"consensus from {table['consensus_min'][0]:.2f}, expected IoU {table['expected_iou_min'][0]:.2f}"
    )
    more = table["classifications_needed"][0] - table["n_classifications"][0]
    assert one == f"Subject 1\n4 volunteers, 1 cluster, 1 outlier\n{figures}\nneeds {more} more volunteers"
    assert four.startswith("Subject 4\n9 volunteers, 1 cluster, 0 outliers\nconsensus from 0.")
    # Those without a mark are named.
    without = browser.find_element("id", "without-marks")
    without.find_element("css selector", "summary").click()
    assert without.text == "Subjects without a mark\n3"
    wait_for(lambda: len(browser.find_elements("css selector", ".thumbnail svg")) == 3)
    outliers = js(
        browser, "document.querySelector('.thumbnail .outlier path').getAttribute('d').match(/M/g).length"
    )
    assert outliers == 2


def test_two_of_two_do_not_look_like_all_of_nine(browser: Any, disagreement: Path) -> None:
    open_page(browser, disagreement / "x.html")
    wait_for(lambda: len(browser.find_elements("css selector", ".card .heat path")) == 5)
    levels = js(
        browser,
        """[...document.querySelectorAll(".card .heat path")].map((path) => {
          path.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
          return [path.textContent, path.getAttribute("fill")];
        })""",
    )
    # Subject 4: two of nine classifications; subject 1: three of four.
    colours = dict(levels)
    of_nine = colours["at least 2 marks, of 9 classifications"]
    of_four = colours["at least 3 marks, of 4 classifications"]
    lightness = [sum(map(int, colour[4:-1].split(","))) for colour in (of_nine, of_four)]
    assert lightness[0] < lightness[1]


def test_filters_choose_subjects_too(browser: Any, disagreement: Path) -> None:
    open_page(browser, disagreement / "x.html")
    script = "byId(arguments[0]).value = arguments[1]; applySoon()"
    for field, value, expected in (
        ("support", "50", ["1"]),
        ("support", "20", ["1", "4"]),
        ("expected", "1", []),
    ):
        browser.execute_script(script, field, value)
        number_shown(browser)
        if field == "expected":
            continue
        assert [card.split()[1] for card in cards(browser)] == expected
    browser.find_element("css selector", "#filters button[type=reset]").click()
    assert number_shown(browser) == 2
    # Sorted by support, least first: none, 2 of 9, 3 of 4.
    browser.execute_script(script, "order", "least-support")
    number_shown(browser)
    assert [card.split()[1] for card in cards(browser)] == ["2", "4", "1"]
    browser.find_element("css selector", ".subject h3 a").click()
    wait_for(lambda: js(browser, "location.hash") == "#subject-2")
    assert number_shown(browser) == 0
    assert len(browser.find_elements("css selector", ".card.without-cluster")) == 1


def test_only_the_first_subjects_are_shown_at_once(browser: Any, tmp_path: Path) -> None:
    rows = [export_row(2 * s + n, drawing(square(n, s)), subject_ids=s) for s in range(1, 31) for n in (0, 1)]
    (tmp_path / "many.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "many.csv", tmp_path / "out", engine="shapely", jobs=1)
    pf.report(tmp_path / "out", tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    assert len(cards(browser)) == 12
    more = browser.find_element("id", "more-subjects")
    assert more.text == "Show all 30 subjects"
    more.click()
    assert len(browser.find_elements("css selector", ".subject")) == 30


def test_subjects_are_sorted_by_each_of_their_figures(
    browser: Any, example: Path, example_page: Path
) -> None:
    from selenium.webdriver.support.select import Select

    rows = pl.read_parquet(example / "subjects" / "*.parquet").with_columns(
        needed=(pl.col("classifications_needed") - pl.col("n_classifications")).clip(0)
    )
    open_page(browser, example_page)
    wanted = Select(browser.find_element("id", "subject-order"))
    reverse = browser.find_element("id", "subjects-reversed")
    names = (
        "[...document.querySelectorAll('.subject h3')].map((one) => Number(one.textContent.split(' ')[1]))"
    )
    first = js(browser, names)
    for value, column, descending in (
        ("subject", "subject_id", False),
        ("volunteers", "n_volunteers", False),
        ("clusters", "n_clusters", True),
        ("outliers", "n_outliers", True),
        ("consensus", "consensus_min", False),
        ("expected", "expected_iou_min", False),
        ("needed", "needed", True),
    ):
        wanted.select_by_value(value)
        figures = dict(zip(rows["subject_id"], rows[column], strict=True))
        for down in (descending, not descending):
            shown = [figures[subject] for subject in js(browser, names)]
            assert len(shown) == rows.height
            present = [figure for figure in shown if figure is not None]
            assert present == sorted(present, reverse=down), (value, down)
            assert shown[len(present) :] == [None] * (rows.height - len(present))
            reverse.click()
    assert reverse.get_attribute("aria-pressed") == "false"
    wanted.select_by_value("")
    assert js(browser, names) == first
