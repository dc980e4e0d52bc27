"""Write how close averages are to the truth, as JSON and as Markdown tables."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from accuracy_rows import Row

#: The averages in the order of the tables.
ORDER = ("median", "majority", "level n/2", "union", "intersection", "last")
#: The share of careless volunteers in the table by their number, and their number in that by the share.
SHARE, VOLUNTEERS = 0.2, 10


@dataclass
class AccuracyReport:
    """All results of one call.

    Attributes
    ----------
    setup, machine : dict
        The options of the scenes; the versions and the commit.
    tools : dict of str to str
        Versions of the packages for pixels.
    missing : dict of str to str
        Why a tool for pixels is missing.
    rows : list of Row
    notes : list of str
    """

    setup: dict[str, Any]
    machine: dict[str, Any]
    tools: dict[str, str]
    missing: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write accuracy.json, with a row per line, and accuracy.md."""
        folder.mkdir(parents=True, exist_ok=True)
        head = {key: _plain(getattr(self, key)) for key in ("setup", "machine", "tools", "missing", "notes")}
        lines = ",\n".join(json.dumps(_plain(asdict(row)), ensure_ascii=False) for row in self.rows)
        text = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
        (folder / "accuracy.json").write_text(f'{text},\n "rows": [\n{lines}\n]}}\n', encoding="utf-8")
        (folder / "accuracy.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """Return the tables; pages include the parts between comments."""
        lines = ["# Averages against the truth", "", *self._described(), ""]
        for name, part in self._parts().items():
            # Before and after the part, so that a page can include it.
            lines += [f"<!-- {name} -->", "", *part, "", f"<!-- end of {name} -->", ""]
        notes = [f"{tool}: {reason}." for tool, reason in self.missing.items()] + self.notes
        if notes:
            lines += ["## Notes", "", *(f"- {note}" for note in notes), ""]
        return "\n".join(lines)

    def _described(self) -> Iterator[str]:
        machine = self.machine
        versions = ", ".join(f"{name} {number}" for name, number in self.tools.items())
        yield f"Measured {machine['measured']} with polyframe at commit {machine['commit']};"
        yield f"tools for pixels: {versions or 'none'}. Options of the scenes: "
        yield ", ".join(f"{name} {value}" for name, value in self.setup.items()) + "."
        yield ""
        yield (
            "Means over the subjects, with their standard errors. IoU with the true outline; boundary: "
            "symmetric mean distance in pixels; area: of the average / true area. All measurements are in "
            "accuracy.json."
        )

    def _parts(self) -> dict[str, list[str]]:
        return {
            "people": list(self._people()),
            "volunteers": list(self._by("volunteers", "careless", bad=SHARE)),
            "careless": list(self._by("bad", "careless", volunteers=VOLUNTEERS)),
            "areas": list(self._by("volunteers", "careless", "area_ratio", bad=SHARE)),
            "scribblers": list(self._by("bad", "scribblers", volunteers=VOLUNTEERS)),
            "pixels": list(self._pixels()),
        }

    def _people(self) -> Iterator[str]:
        people = [row for row in self.rows if row.scenes == "people"]
        most = max((row.volunteers for row in people), default=0)
        rows = sorted((row for row in people if row.volunteers == most), key=_rank)
        images = rows[0].subjects if rows else 0
        yield f"Real people: {most} workers on {images} images of BU-BIL."
        yield ""
        yield from _table(
            ["average", "mean IoU", "less the median's", "better than the median", "boundary", "area"],
            (
                [
                    f"`{row.method}`" if row.method in ORDER else row.method,
                    _with_error(row.iou, row.iou_error),
                    "" if row.method == "median" else _signed(row.over_median, row.over_median_error),
                    "" if row.method == "median" else f"{100 * row.better:.0f} %",
                    _with_error(row.boundary, row.boundary_error, 2),
                    _with_error(row.area_ratio, row.area_ratio_error),
                ]
                for row in rows
            ),
        )

    def _by(self, column: str, kind: str, value: str = "iou", **fixed: float) -> Iterator[str]:
        """Yield a table with a line for each value of a column, and a column for each average."""
        rows = [
            row
            for row in self.rows
            if row.scenes == kind and all(getattr(row, name) == amount for name, amount in fixed.items())
        ]
        methods = [method for method in ORDER if any(row.method == method for row in rows)]
        cells = {(getattr(row, column), row.method): row for row in rows}
        titles = {"volunteers": "volunteers", "bad": kind}
        shown = {"iou": "mean IoU", "area_ratio": "area / true area"}[value]
        with_what = ", ".join(
            f"{100 * amount:.0f} % {kind}" if name == "bad" else f"{amount} volunteers"
            for name, amount in fixed.items()
        )
        yield f"Synthetic scenes, {with_what}: {shown}."
        yield ""
        keys = sorted({key for key, _ in cells})
        yield from _table(
            [titles[column], "marks", *(f"`{method}`" for method in methods)],
            (
                [
                    str(key) if column == "volunteers" else f"{100 * key:.0f} %",
                    f"{cells[key, 'median'].marks:.1f}",
                    *(
                        _with_error(getattr(cells[key, m], value), getattr(cells[key, m], f"{value}_error"))
                        for m in methods
                    ),
                ]
                for key in keys
            ),
        )

    def _pixels(self) -> Iterator[str]:
        """Yield a table of the tools for pixels: their IoU less that of the majority."""
        rows = [row for row in self.rows if row.method not in ORDER]
        methods = list(dict.fromkeys(row.method for row in rows))
        yield "Tools for pixels: mean IoU less that of `majority`, on the same clusters."
        yield ""
        scenes = list(dict.fromkeys((row.scenes, row.volunteers, row.bad) for row in rows))
        cells = {(row.scenes, row.volunteers, row.bad, row.method): row for row in self.rows}
        lines = []
        for scene in scenes:
            kind, volunteers, bad = scene
            named = "BU-BIL" if kind == "people" else f"synthetic, {100 * bad:.0f} % {kind}"
            own = cells.get((*scene, "majority"))
            lines.append(
                [
                    named,
                    str(volunteers),
                    "" if own is None else _with_error(own.iou, own.iou_error),
                    *(_less_majority(cells.get((*scene, method))) for method in methods),
                ]
            )
        yield from _table(["scenes", "volunteers", "`majority`", *methods], lines)


def _less_majority(row: Row | None) -> str:
    if row is None or row.over_majority is None or row.over_majority_error is None:
        return ""
    return _signed(row.over_majority, row.over_majority_error)


def _rank(row: Row) -> int:
    return ORDER.index(row.method) if row.method in ORDER else len(ORDER)


def _table(titles: list[str], lines: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|---|{'--:|' * (len(titles) - 1)}"
    for cells in lines:
        yield f"| {' | '.join(cells)} |"


def _with_error(value: float, error: float, digits: int = 3) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.{digits}f}" + ("" if math.isnan(error) else f" ± {error:.{digits}f}")


def _signed(value: float, error: float) -> str:
    if math.isnan(value):
        return ""
    # Four digits: such differences are small. A typographic minus sign.
    return f"{value:+.4f}".replace("-", "\u2212") + ("" if math.isnan(error) else f" ± {error:.4f}")


def _plain(value: Any) -> Any:
    """Convert values for JSON: NaN becomes null, and numbers are rounded to six digits."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
