"""The figures of the benchmarks on the pages are those of the last run, rounded."""

import re
from collections.abc import Iterator

import pytest
from exports import ROOT

RESULTS = [ROOT / "benchmarks" / "results" / name for name in ("results.md", "scale.md")]
#: Pages with figures, and the beginnings of the lines that have them; in all of them: a unit or bold.
PAGES = {
    "README.md": ("| CSV to all tables", "| contours of one cluster", "| 10 GB to all tables"),
    "docs/index.md": ("  [",),
    "docs/guide/large-exports.md": (
        "| CSV to all tables",
        "| again, nothing new",
        "| tables, temporary files",
    ),
    "docs/background/benchmarks.md": ("",),
}
#: Units of time in seconds, of size in MB, and of ratios.
UNITS = {"ms": 1e-3, "s": 1, "MB": 1, "GB": 1000, "times as fast": 1}
NUMBER = r"(\d[\d,]*(?:\.\d+)?)"
FIGURE = re.compile(rf"(?:(\d+) min )?(?:(\d+) to )?{NUMBER} ({'|'.join(UNITS)})\b")
#: In the results a ratio has no unit.
MEASURED = re.compile(rf"{NUMBER} ?(ms|s|MB|GB)?\b")


def figures(text: str) -> Iterator[tuple[str, float, int]]:
    """Yield each figure in a text, its amount in seconds, MB or as a ratio, and its significant digits."""
    for match in FIGURE.finditer(text):
        minutes, low, number, unit = match.groups()
        if low:
            yield match[0], float(low), len(low)
        amount = float(number.replace(",", "")) * UNITS[unit]
        digits = number.replace(",", "").replace(".", "").lstrip("0")
        if minutes:
            amount += 60 * int(minutes)
            digits = str(round(amount))
        yield match[0], amount, len(digits)


def measured() -> set[float]:
    """Return all amounts in the results, in seconds, MB or as a ratio."""
    return {
        float(number.replace(",", "")) * UNITS.get(unit, 1)
        for path in RESULTS
        for number, unit in MEASURED.findall(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_those_of_the_last_run(page: str) -> None:
    if not all(path.exists() for path in RESULTS):
        pytest.skip("benchmarks/ is not part of this copy")
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line.startswith(PAGES[page]))
    found = list(figures(text))
    assert found
    amounts = measured()
    for figure, amount, digits in found:
        rounded = {float(f"{value:.{digits}g}") for value in amounts}
        assert any(abs(value - amount) < 1e-9 * amount for value in rounded), (
            f"{figure} is not in the results"
        )


def test_figures_of_a_text() -> None:
    text = (
        "| 0.9 ms | 8 min 11 s, 1.3 GB of memory | [32 to 127 times as fast](x) | 60,000 subjects, 1,193 MB |"
    )
    amounts = [(amount, digits) for _, amount, digits in figures(text)]
    assert amounts == [(pytest.approx(0.0009), 1), (491, 3), (1300, 2), (32, 2), (127, 3), (1193, 4)]


#: Numbers with decimals, and percentages.
ACCURACY = re.compile(r"\b\d\.\d{2,}\b|\b\d+ %")


def test_figures_about_averages_are_those_of_the_last_run() -> None:
    """Tables are included from the results; the text around them must not tell others."""
    results = ROOT / "benchmarks" / "results" / "accuracy.md"
    if not results.exists():
        pytest.skip("benchmarks/ is not part of this copy")
    measured_figures = set(ACCURACY.findall(results.read_text(encoding="utf-8")))
    page = (ROOT / "docs" / "background" / "accuracy.md").read_text(encoding="utf-8")
    told = set(ACCURACY.findall(page))
    assert told
    assert told <= measured_figures, told - measured_figures
