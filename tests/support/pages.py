"""Parse and open pages of the report, and name the example in data/ and hostile text."""

import json
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from exports import ROOT
from firefox import Firefox

DATA = ROOT / "data"
IMAGES = {"subjects": DATA / "subjects.csv", "images": DATA / "images"}

#: A task that would end its element and start another one, or end any string.
HOSTILE = """</script><img src=x onerror="document.title='was run'">'"&amp;<!--$title\\n"""
VOLUNTEER = "A Volunteer Of Some Name"


class Page(HTMLParser):
    """The elements of a page, with their attributes and their own text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        self._open.append(self.elements[-1][2])

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].append(data)

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(text)) for name, attributes, text in self.elements if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(
            next(text for attributes, text in self.of("script") if attributes.get("id") == "data")
        )


def page_of(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def resize(driver: Any, width: int, height: int) -> None:
    if isinstance(driver, Firefox):
        driver.resize(width, height)
        return
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def open_page(browser: Any, path: Path, anchor: str = "") -> None:
    browser.get("about:blank")
    browser.get(path.as_uri() + anchor)


def number_shown(browser: Any) -> int:
    """The number of clusters that the page reports, once it is drawn."""
    browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 0))")
    return int(js(browser, "byId('count').textContent").split(" of ")[0].replace(",", ""))


def wait_for(condition: Any, seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    assert result
    return result


def js(browser: Any, script: str, *arguments: Any) -> Any:
    return browser.execute_script(f"return {script}", *arguments)


def keys(browser: Any, *pressed: str) -> None:
    """Press keys, some of them from `selenium.webdriver.common.keys`."""
    if isinstance(browser, Firefox):
        browser.press(*pressed)
        return
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*pressed).perform()
