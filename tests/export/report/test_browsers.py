"""The page in Chromium and in Firefox: the same figures, and the keyboard is enough."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from firefox import Firefox
from pages import js, keys, number_shown, open_page, wait_for
from printed_pages import cards_of, texts_of_pages

import polyframe as pf

#: What a reader sees, beside pictures: texts, and the labels of the marks of each group. Curves come later.
SEEN = """{
  count: byId("count").textContent,
  criteria: byId("criteria").textContent,
  cards: [...document.querySelectorAll(".card")].map((card) => [card.id, card.textContent]),
  subjects: [...document.querySelectorAll(".subject")].map((card) => card.textContent),
  settings: [...document.querySelectorAll("#try > :not(.curves)")].map((one) => one.textContent),
  labels: GROUPS.labels.map((labels) => [...labels]),
  chosen: byId("of-subject").textContent,
  bars: [...document.querySelectorAll(".chart .chosen")].map((bar) => bar.getAttribute("height")),
}"""
#: The outlines of the first card.
DRAWN = """[...document.querySelectorAll(".card")].slice(0, 1).flatMap((card) =>
  [...card.querySelectorAll("svg.picture path")].map((path) => path.getAttribute("d")))"""
#: Set a field as a user does.
SET = """
const field = byId(arguments[0]);
field.value = arguments[1];
field.dispatchEvent(new Event("input", { bubbles: true }));
"""
STEPS: dict[str, tuple[str, ...]] = {
    "opened": (),
    "consensus": (SET, "least", "0.86"),
    "marks": (SET, "fewest", "7"),
    "sorted by area": (SET, "order", "area"),
    "sorted by marks": (SET, "order", "few"),
    "no filters": ("byId('filters').reset()",),
    "a smaller eps": (SET, "eps", "150"),
    "a larger eps": (SET, "eps", "820"),
    "more for a cluster": (SET, "min-samples", "4"),
    "the output": ("byId('back-to-output').click()",),
    "a subject": ("document.querySelector('.subject h3 a').click()",),
    "all subjects": ("document.querySelector('#of-subject button').click()",),
    "a volunteer": ("document.querySelector('#volunteer-table a').click()",),
}


def seen(browser: Any, page: Path) -> dict[str, Any]:
    """Return what the page shows after each step."""
    open_page(browser, page)
    wait_for(lambda: js(browser, "byId('tried-clusters').textContent"))
    results = {}
    for step, (script, *arguments) in {name: step or ("",) for name, step in STEPS.items()}.items():
        browser.execute_script(script, *arguments)
        number_shown(browser)
        # Cards far from the window have no pictures.
        browser.execute_script("byId('clusters').scrollIntoView()")
        wait_for(lambda: js(browser, DRAWN))
        results[step] = {**js(browser, SEEN), "drawn": js(browser, DRAWN)}
    return results


def test_figures_are_the_same(
    browser: Any, firefox_browser: Firefox, example: Path, example_page: Path
) -> None:
    chromium, other = seen(browser, example_page), seen(firefox_browser, example_page)
    n_clusters = pl.read_parquet(example / "reductions" / "*.parquet").height
    assert chromium["opened"]["count"].startswith(f"{n_clusters} of {n_clusters} clusters shown")
    # Each step shows something else.
    steps = list(chromium.values())
    assert all(before != after for before, after in itertools.pairwise(steps))
    for step, expected in chromium.items():
        assert other[step] == expected, step


def test_firefox_prints_every_cluster(
    firefox_browser: Firefox, hostile: Path, pdf_python: str, tmp_path: Path
) -> None:
    pf.report(hostile, tmp_path / "x.html")
    open_page(firefox_browser, tmp_path / "x.html")
    number_shown(firefox_browser)
    pages = texts_of_pages(firefox_browser.printed(), pdf_python)
    assert cards_of(pages) == [(22, 0), (1, 0)]
    assert "2 of 2 clusters shown" in "".join(pages)


#: The controls that the page shows, in its order, by what they are called.
CONTROLS = """
window.labelOf = (element) => element.id || element.dataset.layer || element.textContent.trim();
const kinds = "a[href], button, input, select, summary, [tabindex='0']";
window.controls = [...document.querySelector(arguments[0]).querySelectorAll(kinds)]
  .filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true }));
window.stops = [];
const lineOf = (element) => {
  const style = getComputedStyle(element);
  return JSON.stringify([style.outlineStyle, style.outlineWidth, style.boxShadow]);
};
addEventListener("focusin", ({ target }) => {
  const last = stops.at(-1);
  if (last) last.without = lineOf(last.element);
  stops.push({ element: target, focused: lineOf(target) });
});
return controls.map(labelOf);
"""


def tab_through(browser: Any, within: str = "body") -> list[str]:
    """Press Tab until the last control within an element, and return the labels of all of them."""
    from selenium.webdriver.common.keys import Keys

    controls = browser.execute_script(CONTROLS, within)
    keys(browser, *[Keys.TAB] * len(controls))
    # Firefox also stops at boxes that scroll. After the last control it would leave the page.
    for _ in range(10):
        if js(browser, "stops.at(-1).element === controls.at(-1)"):
            break
        keys(browser, Keys.TAB)
    return controls


def test_tab_reaches_every_control_and_shows_where_it_is(each_browser: Any, example_page: Path) -> None:
    open_page(each_browser, example_page)
    wait_for(lambda: js(each_browser, "byId('tried-clusters').textContent"))
    controls = tab_through(each_browser)
    assert len(controls) > 100
    reached = js(
        each_browser,
        "stops.filter(({ element }) => controls.includes(element)).map(({ element }) => labelOf(element))",
    )
    assert reached == controls
    unmarked = js(
        each_browser,
        "stops.filter(({ focused, without }) => focused === without).map(({ element }) => labelOf(element))",
    )
    assert unmarked == []
    # From the settings to the filters, the layers, subjects, clusters and volunteers.
    expected = [
        "Subjects",
        "eps",
        "eps-number",
        "min-samples",
        "min-samples-number",
        "least",
        "most",
        "fewest",
    ]
    expected += [
        "largest",
        "support",
        "expected",
        "tool",
        "subject",
        "with-outliers",
        "order",
        "outline",
        "image",
    ]
    first_card = js(each_browser, "document.querySelector('.card h3 a').textContent")
    expected += ["closeup", "Subject 1000009", first_card, "Volunteer 1", "more-volunteers"]
    assert [name for name in controls if name in expected] == expected


Focus = Callable[[str], None]


@pytest.fixture
def focus(each_browser: Any) -> Focus:
    """Return a function that moves the focus to the first element of a selector."""
    return lambda selector: each_browser.execute_script(
        "document.querySelector(arguments[0]).focus()", selector
    )


def test_fields_work_by_keyboard(each_browser: Any, example: Path, example_page: Path, focus: Focus) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(each_browser, example_page)
    rows = pl.read_parquet(example / "reductions" / "*.parquet")
    focus("#most")
    keys(each_browser, *[Keys.ARROW_LEFT] * 12)
    assert number_shown(each_browser) == rows.filter(pl.col("consensus") <= 0.88).height
    focus("#fewest")
    keys(each_browser, "7")
    both = rows.filter(pl.col("consensus") <= 0.88, pl.col("clusters_count") >= 7)
    assert number_shown(each_browser) == both.height < rows.height
    # Enter shows the clusters; the focus is at their number.
    keys(each_browser, Keys.ENTER)
    assert js(each_browser, "document.activeElement.id") == "count"
    focus("#filters [type=reset]")
    keys(each_browser, Keys.SPACE)
    wait_for(lambda: number_shown(each_browser) == rows.height)
    focus("#order")
    keys(each_browser, Keys.ARROW_DOWN)
    number_shown(each_browser)
    best = rows.sort("consensus", descending=True)["subject_id"][0]
    assert js(each_browser, "document.querySelector('.card').id").startswith(f"cluster-{best}-")
    focus("[data-layer=outlier]")
    keys(each_browser, Keys.SPACE)
    assert js(each_browser, "document.body.classList.contains('without-outlier')")
    focus("#eps")
    keys(each_browser, *[Keys.ARROW_LEFT] * 3)
    number_shown(each_browser)
    assert js(each_browser, "byId('eps-number').value") == "0.497"
    focus("#back-to-output")
    keys(each_browser, Keys.ENTER)
    assert js(each_browser, "[byId('eps-number').value, document.activeElement.id]") == ["0.5", "eps"]
    focus("#controls summary")
    keys(each_browser, Keys.ENTER)
    assert js(each_browser, "byId('controls').open") is False


def test_a_cluster_opens_and_closes_by_keyboard(each_browser: Any, example_page: Path, focus: Focus) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(each_browser, example_page)
    number_shown(each_browser)
    first, second = js(
        each_browser, "[...document.querySelectorAll('.card')].slice(0, 2).map((card) => `#${card.id}`)"
    )
    hash_and_dialog = "[location.hash, byId('details').open]"
    focus(".card h3 a")
    keys(each_browser, Keys.ENTER)
    wait_for(lambda: js(each_browser, hash_and_dialog) == [first, True])
    keys(each_browser, Keys.ARROW_RIGHT)
    assert js(each_browser, hash_and_dialog) == [second, True]
    keys(each_browser, Keys.ARROW_LEFT)
    assert js(each_browser, hash_and_dialog) == [first, True]
    # All controls of the dialog are reached, and no others.
    controls = tab_through(each_browser, "#details")
    reached = js(each_browser, "stops.map(({ element }) => labelOf(element))")
    assert [label for label in reached if label in controls] == controls
    assert js(each_browser, "stops.every(({ element }) => element.closest('dialog'))")
    # A button highlights a mark.
    focus("#details .light")
    keys(each_browser, Keys.SPACE)
    wait_for(lambda: js(each_browser, "document.querySelectorAll('#details .lit').length") == 1)
    keys(each_browser, Keys.ESCAPE)
    wait_for(lambda: js(each_browser, hash_and_dialog) == ["", False])
    wait_for(lambda: js(each_browser, "'#' + document.activeElement.closest('.card')?.id") == first)


def test_the_focus_follows_links_and_comes_back(each_browser: Any, example_page: Path, focus: Focus) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(each_browser, example_page)
    number_shown(each_browser)
    for link in (".subject h3 a", "#volunteer-table a"):
        focus(link)
        address = js(each_browser, "document.activeElement.getAttribute('href')")
        keys(each_browser, Keys.ENTER)
        wait_for(lambda: js(each_browser, "document.activeElement.id") == "of-subject")
        # The way back is next.
        keys(each_browser, Keys.TAB, Keys.ENTER)
        wait_for(lambda: js(each_browser, "byId('of-subject').hidden"))
        assert js(each_browser, "document.activeElement.getAttribute('href')") == address
    focus("#more-volunteers")
    keys(each_browser, Keys.ENTER)
    # The first of the new rows with a link.
    new = js(
        each_browser,
        "[...document.querySelectorAll('#volunteer-table tbody th')].slice(20).map((cell) => cell.innerHTML)",
    )
    assert js(each_browser, "document.activeElement.outerHTML") == next(cell for cell in new if "<a" in cell)
