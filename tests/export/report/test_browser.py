"""The report in a real browser: pictures, filters, links and keys work, without an error in its log."""

import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pages import DATA, HOSTILE, js, number_shown, open_page, resize, wait_for

import polyframe as pf
from polyframe.synthetic import SynthOptions, write_export


def reductions(output: Path) -> pl.DataFrame:
    labels = pl.read_parquet(output / "labels" / "*.parquet")
    group = ["subject_id", "task", "frame", "tool"]
    outliers = labels.group_by(group).agg(n_outliers=(pl.col("cluster_label") < 0).sum())
    return pl.read_parquet(output / "reductions" / "*.parquet").join(outliers, on=group)


#: Cards of clusters; others are of groups without one.
CLUSTERS = ".card:not(.without-cluster)"


def test_every_cluster_is_drawn(browser: Any, example: Path, example_page: Path) -> None:
    open_page(browser, example_page)
    rows = reductions(example)
    assert number_shown(browser) == rows.height == len(browser.find_elements("css selector", CLUSTERS))
    wait_for(lambda: browser.find_elements("css selector", ".card svg path"))
    (worst,) = rows.sort("consensus").head(1).to_dicts()
    first = browser.find_element("css selector", CLUSTERS)
    assert f"Subject {worst['subject_id']}, cluster {worst['cluster_label']}" in first.text
    assert f"{worst['consensus']:.2f}" in first.text
    pictures = js(
        browser,
        """[...arguments[0].querySelectorAll("svg.picture")].map((svg) => ({
        image: svg.querySelector("image").getAttribute("href").slice(0, 23),
        outlines: (svg.querySelector(".outline path:not(.rim)")?.getAttribute("d").match(/M/g) ?? []).length,
        levels: svg.querySelectorAll(".heat path").length,
        averages: svg.querySelectorAll(".average path:not(.rim)").length}))""",
        first,
    )
    levels = pl.read_parquet(example / "contours" / "*.parquet").sort("consensus")["number_of_contours"][0]
    image = "data:image/jpeg;base64,"
    assert pictures == [
        {"image": image, "outlines": worst["clusters_count"], "levels": 0, "averages": 1},
        {"image": image, "outlines": 0, "levels": levels, "averages": 1},
    ]
    # The images can be decoded, and nothing is loaded from elsewhere.
    size = (
        "await Object.assign(new Image(), {src: document.querySelector('.card image').getAttribute('href')})"
    )
    assert browser.execute_async_script(
        f"const done = arguments[0]; (async () => {{ const image = {size}; await image.decode(); "
        "done(image.naturalWidth > 100); })()"
    )
    names = js(browser, "performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith("data:") for name in names)


def test_outliers_are_dashed_and_layers_can_be_hidden(
    browser: Any, example: Path, example_page: Path
) -> None:
    open_page(browser, example_page)
    browser.find_element("id", "with-outliers").click()
    assert number_shown(browser) == reductions(example).filter(pl.col("n_outliers") > 0).height > 0
    line = wait_for(lambda: browser.find_elements("css selector", ".card .outlier path:not(.rim)"))[0]
    assert line.value_of_css_property("stroke-dasharray") not in ("none", "")
    assert line.is_displayed()
    for layer in ("outlier", "outline", "average", "image"):
        of_layer = {"image": ".photo"}.get(layer, f".line.{layer}")
        element = browser.find_element("css selector", f".card {of_layer}")
        box = browser.find_element("css selector", f"[data-layer={layer}]")
        assert js(browser, "getComputedStyle(arguments[0]).display", element) != "none"
        box.click()
        assert js(browser, "getComputedStyle(arguments[0]).display", element) == "none"
    contours = browser.find_element("css selector", ".card svg.contours")
    assert contours.is_displayed()
    browser.find_element("css selector", "[data-layer=contours]").click()
    assert not contours.is_displayed()
    outlines = browser.find_element("css selector", ".card svg.outlines")
    whole = [float(n) for n in outlines.get_dom_attribute("viewBox").split()]
    browser.find_element("id", "closeup").click()
    close = [float(n) for n in outlines.get_dom_attribute("viewBox").split()]
    assert close[2] < whole[2]


def test_filters_select_the_same_clusters_as_queries_of_the_tables(
    browser: Any, example: Path, example_page: Path
) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select

    open_page(browser, example_page)
    rows = reductions(example)
    find = browser.find_element
    find("id", "least").send_keys(Keys.ARROW_RIGHT * 86)
    assert number_shown(browser) == rows.filter(pl.col("consensus") >= 0.86).height
    find("id", "most").send_keys(Keys.ARROW_LEFT * 11)
    between = rows.filter(pl.col("consensus").is_between(0.86, 0.89))
    assert 0 < number_shown(browser) == between.height < rows.height
    bars = js(
        browser, "[...document.querySelectorAll('.chart .chosen')].map((bar) => +bar.getAttribute('height'))"
    )
    scale = float(find("css selector", ".chart").get_attribute("data-scale"))
    steps = (between["consensus"] * 20).floor().cast(int)
    assert [round(height / scale) for height in bars] == [(steps == k).sum() for k in range(20)]
    find("id", "fewest").send_keys("7")
    more = between.filter(pl.col("clusters_count") >= 7)
    assert number_shown(browser) == more.height
    find("id", "largest").send_keys("8")
    assert number_shown(browser) == more.filter(pl.col("clusters_count") <= 8).height
    find("id", "largest").clear()
    find("id", "fewest").clear()
    of_tool = f"T0_toolIndex1 ({rows.filter(tool='T0_toolIndex1').height})"
    Select(find("id", "tool")).select_by_visible_text(of_tool)
    assert 0 < number_shown(browser) == between.filter(tool="T0_toolIndex1").height < between.height
    find("css selector", "#filters button[type=reset]").click()
    assert number_shown(browser) == rows.height
    find("id", "subject").send_keys("100001")
    matching = rows.filter(pl.col("subject_id").cast(str).str.starts_with("100001"))
    assert 0 < number_shown(browser) == matching.height < rows.height
    find("id", "subject").send_keys("x")
    assert number_shown(browser) == 0
    assert find("id", "empty").is_displayed()


def test_clusters_can_be_sorted(browser: Any, example: Path, example_page: Path) -> None:
    from selenium.webdriver.support.select import Select

    open_page(browser, example_page)
    anchored = reductions(example).with_columns(
        anchor=pl.format("cluster-{}-{}-{}-{}", "subject_id", "frame", "tool", "cluster_label")
    )
    for order, by, descending in (
        ("best", "consensus", True),
        ("many", "clusters_count", True),
        ("few", "clusters_count", False),
        ("area", "area", True),
        ("subject", "subject_id", False),
        ("worst", "consensus", False),
    ):
        Select(browser.find_element("id", "order")).select_by_value(order)
        number_shown(browser)
        anchors = js(browser, "[...document.querySelectorAll(arguments[0])].map((card) => card.id)", CLUSTERS)
        shown = pl.DataFrame({"anchor": anchors}).join(anchored, on="anchor", maintain_order="left")[by]
        assert shown.to_list() == sorted(anchored[by], reverse=descending), order


def test_links_lead_to_clusters_subjects_and_rows(
    browser: Any, example: Path, example_page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = reductions(example).filter(subject_id=1000003)
    (row,) = rows.filter(frame=1, tool="T0_toolIndex0", cluster_label=0).to_dicts()
    open_page(browser, example_page, "#cluster-1000003-1-T0_toolIndex0-0")
    dialog = browser.find_element("id", "details")
    assert dialog.is_displayed()
    values = {
        cells[0].text: cells[1].text
        for line in dialog.find_elements("css selector", "section:first-child tr")
        if len(cells := line.find_elements("css selector", "th, td")) == 2
    }
    for name in ("workflow_id", "subject_id", "task", "frame", "tool", "cluster_label", "clusters_count"):
        assert values[name] == str(row[name])
    assert values["details_votes"] == row["details_votes"] is not None
    # The snippet for Python selects the row.
    monkeypatch.chdir(example.parent)
    dialog.find_element("css selector", "details summary").click()
    python, sql = [block.text for block in dialog.find_elements("css selector", "pre")]
    selected = eval(python, {"pf": pf})
    assert selected.select("subject_id", "consensus").rows() == [(1000003, row["consensus"])]
    assert sql.startswith("SELECT * FROM 'out/reductions/*.parquet'\nWHERE workflow_id = 4321\n")
    # The marks are listed by their keys; a button highlights one.
    labels = pl.read_parquet(example / "labels" / "*.parquet").filter(
        pl.col("cluster_label").is_in([0, -1]), subject_id=1000003, frame=1, tool="T0_toolIndex0"
    )
    shown = [line.text.split()[-2:] for line in dialog.find_elements("css selector", ".marks tbody tr")]
    keys_of_marks = labels.select("classification_id", "mark_index").rows()
    assert sorted(shown) == sorted([str(a), str(b)] for a, b in keys_of_marks)
    dialog.find_element("css selector", ".light").click()
    assert len(dialog.find_elements("css selector", ".lit")) == 1
    outlines, contours, _ = dialog.find_elements("css selector", ".views button")
    contours.click()
    assert dialog.find_elements("css selector", ".heat path")
    assert not dialog.find_elements("css selector", ".lit")
    outlines.click()
    assert len(dialog.find_elements("css selector", ".lit")) == 1
    # Links to the other clusters of the subject, one by one and together, and back.
    others = dialog.find_elements("css selector", "a[href^='#cluster-']")
    assert len(others) == rows.height - 1
    others[0].click()
    wait_for(lambda: "#cluster-1000003-0" in js(browser, "location.hash"))
    assert dialog.is_displayed()
    dialog.find_element("css selector", "a[href='#subject-1000003']").click()
    wait_for(lambda: not dialog.is_displayed())
    assert number_shown(browser) == rows.height
    assert "Subject 1000003 has 4 clusters" in browser.find_element("id", "of-subject").text
    browser.find_element("css selector", ".card h3 a").click()
    wait_for(dialog.is_displayed)
    browser.find_element("id", "close").click()
    wait_for(lambda: js(browser, "location.hash") == "#subject-1000003")
    browser.find_element("css selector", "#of-subject button").click()
    assert number_shown(browser) == reductions(example).height
    open_page(browser, example_page, "#subject-1000006")
    assert number_shown(browser) == reductions(example).filter(subject_id=1000006).height
    open_page(browser, example_page, "#subject-__proto__")
    assert number_shown(browser) == 0


@pytest.mark.parametrize("which", ["example", "hostile"])
def test_a_phone_does_not_scroll_sideways(
    which: str, browser: Any, example_page: Path, hostile: Path, tmp_path: Path
) -> None:
    page = example_page
    if which == "hostile":
        page = tmp_path / "x.html"
        pf.report(hostile, page)
    resize(browser, 375, 700)
    open_page(browser, page)
    assert not browser.find_element("css selector", "#filters").is_displayed()
    browser.find_element("css selector", "#controls summary").click()
    for details in browser.find_elements("css selector", "main details"):
        browser.execute_script("arguments[0].open = true", details)
    number_shown(browser)
    assert js(browser, "innerWidth") == 375
    assert js(browser, "document.documentElement.scrollWidth") == 375
    assert all(card.rect["width"] <= 375 for card in browser.find_elements("css selector", ".card"))
    browser.execute_script("document.querySelector('.card a').click()")
    wait_for(browser.find_element("id", "details").is_displayed)
    assert js(browser, "document.getElementById('details').scrollWidth") <= 375
    assert js(browser, "document.documentElement.scrollWidth") == 375


def test_hostile_names_are_harmless(browser: Any, hostile: Path, tmp_path: Path) -> None:
    pf.report(hostile, tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    assert number_shown(browser) == 2
    # The image size is not known, but the outlier is within the picture.
    wait_for(lambda: browser.find_elements("css selector", ".card .outlier"))
    picture, outlier = js(
        browser,
        "['svg.outlines', '.outlier'].map((name) => "
        "document.querySelector(`[id^='cluster-1-'] ${name}`).getBoundingClientRect().toJSON())",
    )
    assert picture["left"] < outlier["left"] < outlier["right"] < picture["right"]
    browser.find_element("css selector", ".card h3 a").click()
    dialog = browser.find_element("id", "details")
    wait_for(dialog.is_displayed)
    cells = js(browser, "[...document.querySelectorAll('#details td')].map((cell) => cell.textContent)")
    assert HOSTILE in cells
    assert str(9007199254740993 + 4) in cells
    assert js(browser, "document.querySelectorAll('main img, dialog img, main script').length") == 0
    assert browser.title == "Consensus: Workflow 7, version 3.1"
    python, sql = js(
        browser, "[...document.querySelectorAll('#details pre')].map((block) => block.textContent)"
    )
    names = [line for line in python.splitlines() if line.strip().startswith("task=")]
    assert eval(f"dict({''.join(names)})") == {"task": HOSTILE}
    assert f"task = '{HOSTILE.replace(chr(39), chr(39) * 2)}'" in sql
    # The link of a cluster with such a name opens it.
    anchor = js(browser, "location.hash")
    open_page(browser, tmp_path / "x.html", anchor)
    assert browser.find_element("id", "details").is_displayed()


def test_an_output_without_clusters(browser: Any, tmp_path: Path) -> None:
    from exports import drawing, export_row, export_text, square

    export = tmp_path / "few.csv"
    export.write_text(export_text([export_row(1, drawing(square(0, 0)))]), encoding="utf-8")
    pf.run(export, tmp_path / "out", engine="shapely", jobs=1)
    pf.report(tmp_path / "out", tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    assert number_shown(browser) == 0
    # A card shows the mark with which nobody agrees.
    card = browser.find_element("css selector", ".card")
    assert "Subject 1, no cluster" in card.text
    assert "1 mark of 1 classification, none in a cluster" in card.text
    assert len(wait_for(lambda: card.find_elements("css selector", "svg:first-child .outlier path"))) == 1
    card.find_element("css selector", "h3 a").click()
    assert "Group in the tables" in browser.find_element("id", "details").text
    empty = tmp_path / "empty.csv"
    empty.write_text(export_text([export_row(1, drawing())]), encoding="utf-8")
    pf.run(empty, tmp_path / "none", engine="shapely", jobs=1)
    pf.report(tmp_path / "none", tmp_path / "y.html")
    open_page(browser, tmp_path / "y.html")
    assert browser.find_element("id", "empty").text == "This output has no clusters."


def test_two_thousand_clusters_are_fast(browser: Any, tmp_path: Path) -> None:
    write_export(tmp_path / "many.csv", SynthOptions(subjects=900, volunteers=4, vertices=30, seed=3))
    out = tmp_path / "out"
    pf.run(tmp_path / "many.csv", out, workflow_version="7.12", jobs=1)
    started = time.monotonic()
    done = pf.report(out, tmp_path / "x.html")
    assert time.monotonic() - started < 20
    assert done.clusters == 2000 <= done.clusters_of_all
    started = time.monotonic()
    open_page(browser, tmp_path / "x.html")
    assert number_shown(browser) == 2000
    assert time.monotonic() - started < 10
    n_rows = pl.read_csv(tmp_path / "many.csv", infer_schema=False).height
    assert f"rows read {n_rows:,} = " in js(browser, "document.querySelector('.accounting').textContent")
    keys_of_group = ["subject_id", "task", "frame", "tool", "cluster_label"]
    order = {"consensus": False, "clusters_count": True, **dict.fromkeys(keys_of_group, False)}
    worst = reductions(out).sort(*order, descending=[*order.values()]).head(2000)
    # All cards are in the page, so that a search finds them; pictures far from the viewport are not.
    headings = js(
        browser,
        "[...document.querySelectorAll('.card:not(.without-cluster) h3')].map((one) => one.textContent)",
    )
    keys_of_cards = worst.select("subject_id", "cluster_label").iter_rows()
    assert headings == [f"Subject {subject}, cluster {label}" for subject, label in keys_of_cards]
    assert 0 < js(browser, "document.querySelectorAll('svg.picture').length") < 150
    assert js(browser, "window.find(arguments[0])", headings[-1])
    found = js(browser, "getSelection().anchorNode.parentElement.closest('.card')")
    assert found.text.startswith(headings[-1])
    wait_for(lambda: found.find_elements("css selector", "svg.picture path"))
    timed = "const started = performance.now(); apply(); document.body.offsetHeight; "
    timed += "return performance.now() - started"
    assert browser.execute_script(timed) < 500
    browser.execute_script("byId('least').value = 0.7")
    assert browser.execute_script(timed) < 500
    assert number_shown(browser) == worst.filter(pl.col("consensus") >= 0.7).height
    browser.execute_script("byId('least').value = 0; apply()")
    wait_for(lambda: len(browser.find_elements("css selector", CLUSTERS)) == 2000)


def test_tools_and_answers_have_the_words_of_the_project(browser: Any, example: Path, tmp_path: Path) -> None:
    pf.report(example, tmp_path / "x.html", workflows=DATA / "workflows.csv")
    open_page(browser, tmp_path / "x.html")
    rows = reductions(example)
    tools = js(browser, "[...byId('tool').options].map((option) => option.textContent)")
    numbers = {
        name: rows.filter(tool=key).height
        for key, name in (("T0_toolIndex0", "Cell"), ("T0_toolIndex1", "Crystal"))
    }
    assert tools == ["all", *(f"{name} ({number})" for name, number in numbers.items())]
    open_page(browser, tmp_path / "x.html", "#cluster-1000003-1-T0_toolIndex0-0")
    text = browser.find_element("id", "details").text
    assert "Frame 1, Cell: outlines of" in text
    assert "the task Outline every cell and every crystal." in text
    assert "the answers How sure are you of its outline?" in text
