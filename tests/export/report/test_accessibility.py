"""The report has no findings of axe-core in any state, nor of html-validate as a file and in any state."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from consumers import REPORT_CHECKERS
from environments import node_modules
from pages import IMAGES, js, number_shown, open_page, resize

import polyframe as pf

#: Rules about how HTML is written, which the serializer of a browser does not follow.
OF_SERIALIZER = (
    "attribute-boolean-style",
    "attribute-empty-style",
    "doctype-style",
    "no-trailing-whitespace",
)

#: Options of axe-core.
ALL_RULES = {"rules": {"target-size": {"enabled": True}}}
OF_COLORS = {"runOnly": ["cat.color"], "rules": {"color-contrast-enhanced": {"enabled": False}}}

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true })"
STATES = {
    "as opened": "",
    "everything open": OPEN_ALL,
    "controls closed": "byId('controls').open = false",
    "no cluster chosen": "byId('subject').value = 'x'; apply()",
    "other settings": "byId('subject').value = ''; showSettings({ eps: 150, minSamples: 4 })",
    "settings of the output": "showSettings(null)",
    "marks of a volunteer": "choose({ volunteer: 0 })",
    "one subject": "choose({ subject: subjectOf(0) })",
    "without layers": "document.querySelectorAll('[data-layer]').forEach((one) => one.click())",
    "a cluster open": "document.querySelector('.card h3 a').click()",
    "its details open": OPEN_ALL,
    "its contours": "document.querySelectorAll('.views button')[1].click()",
    "a mark highlighted": "document.querySelector('.light').click()",
}
STATES_WITH_CORRECTIONS = {
    "as opened": "",
    "other settings": "showSettings({ eps: 300, minSamples: 2 })",
    "settings of the output": "showSettings(null)",
    "a removed cluster open": "document.querySelector('.removed-cluster h3 a').click()",
}


@pytest.fixture(scope="session")
def page_checkers() -> Path:
    """Return the folder node_modules with the checkers."""
    return node_modules("page", [f"{checker.program}@{checker.version}" for checker in REPORT_CHECKERS])


def violations(browser: Any, axe: Path, options: dict[str, Any]) -> list[str]:
    """Return the rules of axe-core that the page violates, and their first elements."""
    if not js(browser, "'axe' in window"):
        browser.execute_script(axe.read_text(encoding="utf-8"))
    found = browser.execute_async_script("axe.run(document, arguments[0]).then(arguments[1])", options)
    assert found["passes"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found["violations"]]


def invalid(checkers: Path, folder: Path, disabled: tuple[str, ...] = ()) -> list[str]:
    """Return what html-validate says about the HTML files of a folder."""
    (folder / ".htmlvalidate.json").write_text(
        json.dumps(
            {"root": True, "extends": ["html-validate:recommended"], "rules": dict.fromkeys(disabled, "off")}
        )
    )
    files = sorted(path.name for path in folder.glob("*.html"))
    assert files
    command = ["node", checkers / "html-validate" / "bin" / "html-validate.mjs", "--formatter=json", *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [
        f"{Path(result['filePath']).name}:{message['line']}: {message['ruleId']}: {message['message']}"
        for result in json.loads(done.stdout)
        for message in result["messages"]
    ]


@pytest.fixture(scope="session")
def short_page(example: Path) -> Path:
    """The report of a few clusters, with their images."""
    path = example.parent / "short.html"
    pf.report(example, path, limit=6, **IMAGES)
    return path


@pytest.fixture(scope="module")
def valid() -> set[str]:
    """The HTML of states that html-validate has accepted."""
    return set()


@pytest.mark.parametrize("scheme", ["light", "dark", "phone"])
@pytest.mark.parametrize("content", ["clusters", "corrections"])
def test_axe_and_html_validate_have_no_findings_in_any_state(
    content: str,
    scheme: str,
    browser: Any,
    short_page: Path,
    corrected_page: Path,
    page_checkers: Path,
    valid: set[str],
    tmp_path: Path,
) -> None:
    """With dark colors, only the rules about colors apply if the HTML is the same as with light ones."""
    page, states = short_page, STATES
    if content == "corrections":
        page, states = corrected_page, STATES_WITH_CORRECTIONS
    if scheme == "phone":
        resize(browser, 375, 700)
    media = [{"name": "prefers-color-scheme", "value": "dark"}] if scheme == "dark" else []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    open_page(browser, page)
    found = {}
    html_of_states: dict[Path, str] = {}
    for state, script in states.items():
        browser.execute_script(script)
        number_shown(browser)
        html = "<!DOCTYPE html>\n" + js(browser, "document.documentElement.outerHTML")
        same = html in valid
        options = OF_COLORS if scheme == "dark" and same else ALL_RULES
        if violated := violations(browser, page_checkers / "axe-core" / "axe.min.js", options):
            found[state] = violated
        if not same:
            html_of_states[tmp_path / f"{state}.html"] = html
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found == {}
    for path, html in html_of_states.items():
        path.write_text(html, encoding="utf-8")
    if html_of_states:
        assert invalid(page_checkers, tmp_path, OF_SERIALIZER) == []
    valid.update(html_of_states.values())


def test_html_validate_accepts_the_file(
    example_page: Path, hostile: Path, page_checkers: Path, tmp_path: Path
) -> None:
    (tmp_path / "example.html").write_bytes(example_page.read_bytes())
    pf.report(hostile, tmp_path / "hostile.html")
    assert invalid(page_checkers, tmp_path) == []
