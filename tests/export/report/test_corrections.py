"""Corrections in the report: corrected clusters are marked, and removed ones shown as removed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from pages import js, number_shown, open_page, page_of, wait_for

import polyframe as pf

#: All corrections of the fixture `corrected` are of this time, by this person.
WHO = "by ada@example.org, 2026-02-01 10:00 UTC"


def texts(browser: Any, selector: str) -> list[str]:
    return [one.text.replace("\n", " ") for one in browser.find_elements("css selector", selector)]


def choose(browser: Any, value: str) -> None:
    from selenium.webdriver.support.select import Select

    Select(browser.find_element("id", "correction")).select_by_value(value)
    number_shown(browser)


def shown_cards(browser: Any) -> list[str]:
    return js(browser, "[...document.querySelectorAll('.card')].map((card) => card.id)")


def test_figures_cards_and_subjects_show_corrections(browser: Any, corrected_page: Path) -> None:
    open_page(browser, corrected_page)
    assert "Corrections 3 1 corrected, 2 removed" in texts(browser, ".tiles div")
    assert "Clusters 3 in 3 groups" in texts(browser, ".tiles div")
    assert "This file says who corrected clusters." in texts(browser, ".notes li")
    assert number_shown(browser) == 3
    assert browser.find_element("id", "count").text == "3 of 3 clusters shown, 2 removed clusters"
    # Removed clusters are the last, since there is nothing to do about them.
    removed_cards = js(browser, "[...document.querySelectorAll('.removed-cluster')].map((card) => card.id)")
    assert shown_cards(browser)[-2:] == removed_cards
    assert browser.find_element("id", "cluster-1-0-T0_toolIndex0-0").text.endswith(f"corrected {WHO}")
    removed = browser.find_element("id", "cluster-2-0-T0_toolIndex0-0")
    assert removed.text.endswith(f"removed {WHO}")
    assert "3 marks of 3 classifications" in removed.text
    subjects = {text[:9]: text[10:] for text in texts(browser, ".subject")}
    assert subjects["Subject 1"].endswith("1 corrected")
    # The volunteers agree, but there is no object.
    assert subjects["Subject 2"] == "3 volunteers, 0 clusters, 0 outliers 1 removed"
    assert subjects["Subject 3"].startswith("3 volunteers, 1 cluster,")


def test_corrected_polygons_are_drawn_in_their_own_way(browser: Any, corrected_page: Path) -> None:
    open_page(browser, corrected_page)
    lines = {
        name: wait_for(lambda name=name: browser.find_elements("css selector", f".card .line.{name} path"))
        for name in ("average", "corrected")
    }
    colours = {one: paths[0].value_of_css_property("stroke") for one, paths in lines.items()}
    assert colours["average"] != colours["corrected"]
    # A double line, for those who do not see the colours.
    assert "core" in lines["corrected"][1].get_dom_attribute("class")
    path = lines["corrected"][0].get_dom_attribute("d")
    unit = js(browser, "IMAGES.unit[0]")
    left, top, *_ = js(browser, "boxAround([arguments[0]])", path)
    assert (left * unit, top * unit) == pytest.approx((2, 3), abs=unit)
    # What volunteers drew is there, too; removed clusters have no polygon.
    for card in ("1-0-T0_toolIndex0-0", "2-0-T0_toolIndex0-0"):
        outlines = wait_for(
            lambda card=card: browser.find_elements("css selector", f"#cluster-{card} .outline path")
        )
        assert outlines[0].get_dom_attribute("d").count("M") == 3
    assert not browser.find_elements("css selector", "#cluster-2-0-T0_toolIndex0-0 .average")
    browser.find_element("css selector", "[data-layer=corrected]").click()
    assert not lines["corrected"][0].is_displayed()
    assert lines["average"][0].is_displayed()


def test_a_correction_beyond_the_marks_is_not_cut_off(browser: Any, corrected_page: Path) -> None:
    # Marks of subject 1 are between (5, 5) and (52, 40), its correction between (2, 3) and (30, 41).
    data = page_of(corrected_page).data["images"]
    left, top, width, height = (side * data["unit"][0] for side in data["box"][0])
    assert left < 2
    assert top < 3
    assert left + width > 52
    assert top + height > 41
    open_page(browser, corrected_page)
    card = "#cluster-1-0-T0_toolIndex0-0"
    wait_for(lambda: browser.find_elements("css selector", f"{card} svg.contours .corrected path"))
    inner, outer = js(
        browser,
        "['.corrected', ''].map((part) => document.querySelector(`${arguments[0]} svg.contours ${part}`)"
        ".getBoundingClientRect().toJSON())",
        card,
    )
    assert outer["left"] < inner["left"] < inner["right"] < outer["right"]
    assert outer["top"] < inner["top"] < inner["bottom"] < outer["bottom"]


def test_corrections_can_be_chosen(browser: Any, corrected_page: Path) -> None:
    open_page(browser, corrected_page)
    for value, number, expected in (
        ("corrected", 1, ["1-0-T0_toolIndex0-0"]),
        ("removed", 0, ["2-0-T0_toolIndex0-0", "3-0-T0_toolIndex0-1"]),
        ("none", 2, ["1-0-T0_toolIndex0-1", "3-0-T0_toolIndex0-0"]),
    ):
        choose(browser, value)
        assert number_shown(browser) == number
        assert sorted(shown_cards(browser)) == [f"cluster-{name}" for name in expected]
    assert "Filters: neither corrected nor removed." in browser.find_element("id", "criteria").get_property(
        "textContent"
    )


def test_the_dialog_says_who_corrected(browser: Any, corrected_page: Path) -> None:
    open_page(browser, corrected_page, "#cluster-1-0-T0_toolIndex0-0")
    dialog = browser.find_element("id", "details")
    assert f"corrected {WHO}: the polygon of table corrections replaces the average" in dialog.text
    assert "corrected_by ada@example.org" in dialog.text
    open_page(browser, corrected_page, "#cluster-3-0-T0_toolIndex0-1")
    assert f"removed {WHO}: it is not an object, and in no export" in (
        browser.find_element("id", "details").text
    )


def test_corrections_stay_with_clusters_that_other_settings_do_not_change(
    browser: Any, corrected: Path, corrected_page: Path, tmp_path: Path
) -> None:
    open_page(browser, corrected_page)
    wait_for(lambda: browser.find_element("id", "tried-clusters").text)
    totals = (
        "['clusters', 'outliers', 'without', 'corrections'].map((name) => byId(`tried-${name}`).textContent)"
    )
    assert js(browser, totals) == ["3", "0", "0", "3"]
    # Neighbours are 0.19 and 0.34 apart: with 0.3 the clusters are the same.
    browser.execute_script("showSettings({ eps: 300, minSamples: 2 })")
    assert js(browser, totals) == ["3", "0", "0", "3"]
    assert number_shown(browser) == 3
    assert not browser.find_elements("css selector", ".line.corrected, .line.average")
    hint = "Averages, corrected polygons, contours and expected IoU are hidden"
    assert browser.find_element("id", "not-as-output").text.startswith(hint)
    assert len(browser.find_elements("css selector", ".removed-cluster")) == 2
    # As the tables say with these settings.
    again = Path(shutil.copytree(corrected, tmp_path / "out"))
    pf.reduce(again, output=again, eps=0.3, engine="shapely")
    assert pf.report(again, tmp_path / "y.html").clusters == 3
    # With 0.1 nobody agrees, and each correction would be stale.
    browser.execute_script("showSettings({ eps: 100, minSamples: 2 })")
    assert js(browser, totals) == ["0", "15", "3", "0"]
    browser.execute_script("showSettings(null)")
    assert js(browser, totals) == ["3", "0", "0", "3"]
    wait_for(lambda: browser.find_elements("css selector", ".line.corrected"))


def test_stale_and_ignored_corrections_are_counted(corrected: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(corrected, tmp_path / "out"))
    pf.reduce(out, output=out, eps=0.1, min_samples=1, engine="shapely", max_shrink="100%")
    pf.report(out, tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<dt>Corrections</dt><dd><strong>0</strong><small>3 stale</small>" in text
    assert "3 corrections are stale and not used, since the marks of their clusters have changed" in text
    done = pf.report(corrected, tmp_path / "y.html", corrections="ignore")
    assert done.clusters == 5
    page = page_of(done.path)
    option = '<span class="option">--corrections</span>'
    assert f"3 corrections are ignored ({option} ignore)." in page.text
    assert "<dt>Corrections" not in page.text
    assert set(page.data["clusters"]["correction"]) == {None}


def test_a_correction_replaces_a_chosen_level(corrected: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    pf.report(corrected, tmp_path / "x.html", level=4, say=notes.append)
    # Three marks have no level 4; somebody drew the outline of one cluster, and removed ones need none.
    assert notes == ["2 of 2 clusters have no level 4"]
    clusters = page_of(tmp_path / "x.html").data["clusters"]
    outlined = [kind for kind, path in zip(clusters["correction"], clusters["average"], strict=True) if path]
    assert outlined == ["corrected"]


def test_removed_clusters_need_no_volunteers(corrected: Path, tmp_path: Path) -> None:
    subjects = pf.scan(corrected, "subjects").collect()
    assert subjects.filter(subject_id=2)["classifications_needed"][0] is not None
    pf.report(corrected, tmp_path / "x.html")
    assert page_of(tmp_path / "x.html").data["subjects"]["2"]["needed"] is None
