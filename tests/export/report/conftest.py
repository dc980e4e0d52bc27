"""Outputs and a headless browser for the tests of the report."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edited_tasks import complete, export_of_squares, exported_tasks, percents, run, write
from environments import python_with
from exports import drawing, export_row, export_text, square
from firefox import Firefox, firefox
from pages import DATA, HOSTILE, IMAGES, VOLUNTEER, resize

import polyframe as pf


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the example in data/."""
    out = tmp_path_factory.mktemp("reporting") / "out"
    pf.run(DATA / "classifications.csv", out, DATA / "config.yaml", engine="shapely", jobs=1)
    return out


@pytest.fixture(scope="session")
def example_page(example: Path) -> Path:
    """The report of the example, with its images."""
    path = example.parent / "example.html"
    pf.report(example, path, **IMAGES)
    return path


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task with a hostile name: subject 1 has a cluster of three and an outlier, subject 22 one of two."""
    folder = tmp_path_factory.mktemp("hostile")
    marks = [(1, square(shift, 0)) for shift in (0, 1, 2, 50)] + [(22, square(shift, 5)) for shift in (0, 3)]
    rows = [
        export_row(
            number,
            drawing(mark, task=HOSTILE),
            subject_ids=subject,
            user_name=f"{VOLUNTEER} {number}",
            classification_id=9007199254740993 + number,
        )
        for number, (subject, mark) in enumerate(marks)
    ]
    export = folder / "<b>$title&.csv"
    export.write_text(export_text(rows), encoding="utf-8")
    pf.run(export, folder / "out", engine="shapely", jobs=1)
    return folder / "out"


@pytest.fixture(scope="session")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of five clusters, of which one is corrected and two, one of them alone, are removed."""
    folder = tmp_path_factory.mktemp("corrected")
    run(export_of_squares(folder / "export.csv"), folder / "out")
    tasks = exported_tasks(folder / "out", folder)
    first, second, third = (complete(task, by={"email": "ada@example.org"}) for task in tasks)
    # The marks of this cluster are between (5, 5) and (17, 15).
    first[0]["value"]["points"] = percents([[2.0, 3.0], [30.0, 3.0], [2.0, 41.0]])
    second.clear()
    del third[1]
    pf.import_corrections(folder / "out", write(tasks, folder / "edited.json"), say=lambda _: None)
    return folder / "out"


@pytest.fixture(scope="session")
def corrected_page(corrected: Path) -> Path:
    done = pf.report(corrected, corrected.parent / "x.html")
    assert (done.clusters, done.clusters_of_all, done.subjects) == (3, 3, 3)
    return done.path


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless browser with a new profile."""
    pytest.importorskip("selenium", reason="selenium is missing: pip install 'panoptes-polyframe[test]'")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("a browser is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield browser
    browser.quit()


@pytest.fixture
def browser(driver: Any) -> Iterator[Any]:
    """The browser with a large window; its log must be empty after the test."""
    resize(driver, 1280, 900)
    driver.get("about:blank")
    driver.get_log("browser")
    yield driver
    assert driver.get_log("browser") == []


@pytest.fixture(scope="session")
def firefox_window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """A headless Firefox with a new profile."""
    with firefox(tmp_path_factory.mktemp("firefox")) as window:
        yield window


@pytest.fixture
def firefox_browser(firefox_window: Firefox) -> Iterator[Firefox]:
    """Firefox with a large window; no message may be written to its console during the test."""
    resize(firefox_window, 1280, 900)
    firefox_window.get("about:blank")
    firefox_window.messages.clear()
    yield firefox_window
    firefox_window.get("about:blank")
    assert firefox_window.messages == []


@pytest.fixture(params=["browser", "firefox_browser"], ids=["chromium", "firefox"])
def each_browser(request: pytest.FixtureRequest) -> Any:
    """Chromium, then Firefox."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def pdf_python() -> str:
    """Return a Python that reads PDF."""
    return python_with("pdf", ["pypdf==7.1.1"])
