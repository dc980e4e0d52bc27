"""Other settings, tried in the page: the same clusters, counts and consensus as from `pf.reduce`."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from exports import drawing, export_row, export_text, square
from pages import js, number_shown, open_page, wait_for

import polyframe as pf
from polyframe.export.report import live_distances
from polyframe.export.report.live_distances import NEVER_NEIGHBOURS, NOT_OVERLAPPING, in_thousandths

N_GROUPS, N_SETTINGS = 500, 20
KEYS = ["subject_id", "task", "frame", "tool"]


@pytest.fixture(scope="module")
def random_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares on a grid, so that many distances are equal or at a step of `eps`; some volunteers repeat."""
    random = np.random.default_rng(16)
    rows = []
    for subject in range(1, N_GROUPS + 1):
        objects = random.integers(0, 30, (3, 2))
        for _ in range(random.integers(2, 8)):
            places = objects[random.integers(3, size=random.integers(1, 4))] + random.integers(-3, 4, 2)
            marks = [square(int(x), int(y), int(random.integers(6, 14))) for x, y in places]
            rows.append(export_row(len(rows), drawing(*marks), subject_ids=subject))
    path = tmp_path_factory.mktemp("random") / "export.csv"
    path.write_text(export_text(rows), encoding="utf-8")
    return path


def random_settings() -> list[tuple[int, int]]:
    """Thousandths of `eps` and `min_samples`; the distances of squares are often simple fractions."""
    random = np.random.default_rng(17)
    steps = [1, 250, 333, 334, 500, 750, 999, 1000]
    steps += random.integers(1, 1001, N_SETTINGS - len(steps)).tolist()
    return [(step, int(random.integers(1, 6))) for step in steps]


@pytest.mark.parametrize(
    ("split", "settings"), [("none", random_settings()), ("doubled", random_settings()[::4])]
)
def test_clusters_are_those_of_reduce(
    split: str, settings: list[tuple[int, int]], browser: Any, random_export: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pf.run(random_export, out, engine="shapely", jobs=1, split=split)
    extraction = pf.extract(random_export)
    pf.report(out, tmp_path / "x.html", limit=10_000)
    open_page(browser, tmp_path / "x.html")
    pages = browser.execute_script(
        """return arguments[0].map(([eps, minSamples]) => {
          const labels = OUTPUT_LABELS.map((_, group) => [...labelsWith({ eps, minSamples }, group)]);
          const clusters = labels.flatMap(rowsWith).filter(({ label }) => label >= 0);
          return [labels.flat(), clusters.map(({ consensus }) => consensus)];
        })""",
        settings,
    )
    for (eps, min_samples), (labels, consensus) in zip(settings, pages, strict=True):
        expected = pf.reduce(
            extraction, engine="shapely", eps=eps / 1000, min_samples=min_samples, split=split
        )
        assert expected.groups.height == N_GROUPS
        assert labels == expected.labels["cluster_label"].to_list(), (eps, min_samples)
        assert consensus == pytest.approx(expected.reductions["consensus"].to_list(), abs=0.0005 + 1e-9)


def test_distances_are_rounded_up_to_the_step_at_which_marks_are_neighbours() -> None:
    between = np.nextafter(0.345, 1)
    distances = np.array([0, 1e-12, 0.001, 0.345, between, 0.3449999, 0.9999, np.nextafter(1, 0), 1, np.inf])
    steps = in_thousandths(distances)
    assert steps.tolist() == [0, 1, 1, 345, 346, 345, 1000, 1000, NOT_OVERLAPPING, NEVER_NEIGHBOURS]
    for eps in range(1, 1000):
        assert ((steps <= eps) == (distances <= float(f"0.{eps:03d}"))).all()


def totals(reduction: Any) -> list[str]:
    """The totals that the page shows: clusters, outliers, groups without a cluster, median consensus."""
    groups, reductions = reduction.groups, reduction.reductions
    without = groups.join(reductions, on=KEYS, how="anti").height
    counts = (reductions.height, groups["n_outliers"].sum(), without)
    return [f"{count:,}" for count in counts] + [f"{reductions['consensus'].median():.3f}"]


def set_number(browser: Any, field: str, value: float) -> None:
    """Type a number into a field."""
    script = (
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', { bubbles: true }))"
    )
    browser.execute_script(script, browser.find_element("id", field), value)
    number_shown(browser)


def test_sliders_change_cards_and_totals_at_once(browser: Any, example: Path, example_page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(browser, example_page)
    columns = {
        column: [
            browser.find_element("id", f"{column}-{name}")
            for name in ("clusters", "outliers", "without", "consensus")
        ]
        for column in ("output", "tried")
    }
    shown = {column: lambda cells=cells: [cell.text for cell in cells] for column, cells in columns.items()}
    of_output = totals(pf.reduce(example))
    wait_for(lambda: shown["tried"]() != [""] * 4)
    assert shown["output"]() == shown["tried"]() == of_output
    averages = len(browser.find_elements("css selector", ".card .average"))
    assert averages
    # By keyboard: from 0.5 to 0.497, which changes nothing here but hides the averages.
    browser.find_element("id", "eps").send_keys(Keys.ARROW_LEFT * 3)
    number_shown(browser)
    assert browser.find_element("id", "eps-number").get_property("value") == "0.497"
    wait_for(lambda: browser.find_elements("css selector", ".card .outline"))
    assert not browser.find_elements("css selector", ".card .average, .card .heat")
    set_number(browser, "eps-number", 0.15)
    set_number(browser, "min-samples-number", 4)
    other = pf.reduce(example, eps=0.15, min_samples=4)
    assert shown["output"]() == of_output
    clusters, outliers, without, consensus = shown["tried"]()
    assert [clusters, outliers, without] == totals(other)[:3] != of_output[:3]
    assert float(consensus) == pytest.approx(other.reductions["consensus"].median(), abs=0.0011)
    assert number_shown(browser) == other.reductions.height
    cards = js(
        browser,
        """[...document.querySelectorAll(".card:not(.without-cluster)")].map((card) => {
          const [marks, consensus] = [".facts", "strong"].map((name) => card.querySelector(name).textContent);
          return [card.id, parseInt(marks), consensus];
        })""",
    )
    anchor = pl.format("cluster-{}-{}-{}-{}", "subject_id", "frame", "tool", "cluster_label")
    rows = other.reductions.select(anchor, "clusters_count", "consensus").rows()
    expected = {name: (marks, consensus) for name, marks, consensus in rows}
    assert {name: marks for name, marks, _ in cards} == {name: marks for name, (marks, _) in expected.items()}
    assert all(float(text) == pytest.approx(expected[name][1], abs=0.0056) for name, _, text in cards)
    # A cluster of these settings opens, without what only the tables of the output know.
    browser.find_element("css selector", ".card:not(.without-cluster) h3 a").click()
    dialog = browser.find_element("id", "details")
    wait_for(dialog.is_displayed)
    assert "With these settings" in dialog.text
    assert "average_type" not in dialog.text
    browser.find_element("id", "close").click()
    # The commands rebuild the tables with these settings.
    use = js(browser, "[...document.querySelectorAll('#use pre')].map((block) => block.textContent)")
    assert use[0] == f"polyframe reduce {example} --eps 0.15 --min-samples 4\npolyframe contours {example}"
    assert "eps: 0.15\n    min_samples: 4" in use[1]
    browser.find_element("id", "back-to-output").click()
    assert number_shown(browser) == int(of_output[0])
    assert shown["tried"]() == of_output
    wait_for(lambda: browser.find_elements("css selector", ".card .average"))
    # The curves are computed meanwhile.
    wait_for(lambda: js(browser, "totalsOfCurves.get(2)?.length === CURVE_POINTS"))
    curve = [point["clusters"] for point in js(browser, "totalsOfCurves.get(2)")]
    table = pf.tune(example, eps=[0.025, 0.5, 1.0], min_samples=[2])
    assert [curve[0], curve[19], curve[39]] == table["clusters"].to_list()


def test_opening_the_page_computes_no_curves(browser: Any, example: Path, tmp_path: Path) -> None:
    # With a limit, the totals are also of clusters that the report does not contain.
    pf.report(example, tmp_path / "x.html", limit=6)
    open_page(browser, tmp_path / "x.html")
    wait_for(lambda: browser.find_element("id", "output-clusters").text)
    assert js(browser, "[distancesOfGroups, totalsOfCurves.size, outputRowsOfGroups]") == [None, 0, None]
    curve = browser.find_element("css selector", ".curve .track")
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", curve)
    wait_for(lambda: js(browser, "totalsOfCurves.get(2)?.length === CURVE_POINTS"))
    of_output = js(browser, "LIVE.totals")
    assert of_output["clusters"] > 6
    at_output = js(browser, "totalsOfCurves.get(2)[OUTPUT_SETTINGS.eps / CURVE_STEP - 1]")
    assert at_output == of_output | {"consensus": pytest.approx(of_output["consensus"], abs=0.0005)}


def test_cards_stay_where_they_are(browser: Any, example_page: Path) -> None:
    open_page(browser, example_page)
    card = wait_for(lambda: browser.find_elements("css selector", ".card"))[20]
    browser.execute_script("arguments[0].scrollIntoView()", card)
    number_shown(browser)
    wait_for(lambda: js(browser, "near.size > 0"))
    top = "[...document.querySelectorAll('.card')].find((card) => card.getBoundingClientRect().bottom > 0)"
    anchor, before = js(browser, f"({top}).id"), js(browser, f"({top}).getBoundingClientRect().top")
    for eps in (0.3, 0.7, 0.5):
        set_number(browser, "eps-number", eps)
        there = js(browser, "document.getElementById(arguments[0]).getBoundingClientRect().top", anchor)
        assert there == pytest.approx(before, abs=2)


def test_hdbscan_and_large_groups_keep_their_clusters(
    browser: Any, random_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    pf.run(random_export, out, engine="shapely", jobs=1, cluster_method="hdbscan")
    pf.report(out, tmp_path / "x.html")
    open_page(browser, tmp_path / "x.html")
    panel = browser.find_element("id", "settings")
    assert "these are of cluster_method: hdbscan" in panel.text
    assert not panel.find_elements("css selector", "input")
    pf.reduce(out, output=out, cluster_method="dbscan", engine="shapely")
    monkeypatch.setattr(live_distances, "LARGE_GROUP", 9)
    pf.report(out, tmp_path / "y.html", limit=10_000)
    open_page(browser, tmp_path / "y.html")
    sizes = pl.read_parquet(out / "groups" / "*.parquet")["n_marks"]
    n_large = (sizes >= 9).sum()
    assert f"{n_large} groups with too many marks to try settings here keep their clusters" in (
        browser.find_element("id", "settings").text
    )
    set_number(browser, "eps-number", 0.1)
    kept = js(browser, "OUTPUT_LABELS.map((labels, group) => labels === GROUPS.labels[group])")
    assert kept == (sizes >= 9).to_list()
