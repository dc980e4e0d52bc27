"""Collect the results, and write them as JSON, as Markdown tables and as a plot."""

import json
import math
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from processes import ROOT

TITLES = {
    "processor": "Processor time by kind of outline",
    "first": "First runs: nothing compiled yet",
    "estimates": "What estimates cost: `iou_others`, and how sure each outline is",
    "groups": "Large groups",
    "extract": "Extract",
    "reduce": "Extract + reduce",
    "end_to_end": "CSV to all tables",
    "contours": "Contours of one cluster",
    "kernels": "Kernels",
    "scaling": "Scaling with subjects",
    "workers": "Workers",
    "memory": "Peak memory",
    "floor": "The floor: bare library calls on arrays in memory",
}
_PACKAGES = (
    "polyframe",
    "numpy",
    "polars",
    "pyarrow",
    "shapely",
    "scikit-learn",
    "scipy",
    "msgspec",
    "joblib",
    "numba",
)


@dataclass
class Row:
    """One measurement.

    Attributes
    ----------
    part, measure : str
        The part of the benchmark, and what was measured.
    engine : str
        `fast`, `without`, or empty if it does not matter.
    against : str
        What polyframe is compared with; empty if it is measured alone.
    theirs, ours : float or None
        Medians, in `unit`.
    ratio : float or None
        theirs / ours, or what `measure` says.
    working : float or None
        The ratio without the start-up of both sides.
    least, most : float or None
        The target.
    unit : str
        `s` or `MB`.
    note : str
        Explains the numbers.
    runs : dict
        All single measurements, by side.
    marks : int or None
        Marks of the cluster, if a single cluster was measured.
    in_plot : bool
        Whether the ratio is in the plot.
    key : str
        The target in `targets.py`; empty if the row has none from there.
    most_ours : float or None
        The target for `ours`, in `unit`.
    adjusted_from : float or None
        The target on the machine where it was set, if `most_ours` is adjusted to this one.
    failure : str
        Why there is no result, such as `over 300 s`; then the target is not met.
    """

    part: str
    measure: str
    engine: str = ""
    against: str = ""
    theirs: float | None = None
    ours: float | None = None
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    unit: str = "s"
    note: str = ""
    runs: dict[str, list[float]] = field(default_factory=dict)
    marks: int | None = None
    in_plot: bool = False
    working: float | None = None
    key: str = ""
    most_ours: float | None = None
    adjusted_from: float | None = None
    failure: str = ""

    @property
    def met(self) -> bool | None:
        if self.most_ours is not None:
            return not self.failure and self.ours is not None and self.ours <= self.most_ours
        if self.ratio is None or (self.least is None and self.most is None):
            return None
        return (self.least is None or self.ratio >= self.least) and (
            self.most is None or self.ratio <= self.most
        )

    @property
    def target(self) -> str:
        if self.most_ours is not None:
            set_there = f" ({seconds(self.adjusted_from, self.unit)})" if self.adjusted_from else ""
            return f"≤ {seconds(self.most_ours, self.unit)}{set_there}"
        if self.least is not None:
            return f"≥ {self.least:,g}"
        return "" if self.most is None else f"≤ {self.most:,g}"


@dataclass
class Report:
    """All results of one run of the benchmark."""

    setup: dict[str, Any]
    machine: dict[str, Any]
    reference: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write results.json and results.md."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = [{**asdict(row), "target": row.target, "met": row.met} for row in self.rows]
        text = json.dumps(_plain({**asdict(self), "rows": rows}), indent=1, ensure_ascii=False)
        (folder / "results.json").write_text(text + "\n", encoding="utf-8")
        (folder / "results.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """Return the description of the machine and the tables."""
        lines = ["# polyframe against panoptes_aggregation 5.3.1", ""]
        lines += [f"**{problem}**\n" for problem in self.problems]
        lines += [self.described, ""]
        lines += [
            "Ratio: how many times as long (or as much) the other side takes, or what the measure says. "
            "`fast`: with the extra of that name (numba); `without`: without it. Medians.",
            "",
        ]
        if any(row.adjusted_from for row in self.rows):
            lines += [
                "`before` is an earlier version, measured once. Targets in seconds were set on another "
                "machine (in parentheses) and are adjusted by the time of the earlier version on both, or by "
                "the median of these adjustments.",
                "",
            ]
        for part, title in TITLES.items():
            rows = [row for row in self.rows if row.part == part]
            if rows:
                lines += [f"## {title}", "", *_table(rows), ""]
        if self.notes:
            lines += ["## Notes", "", *(f"- {note}" for note in self.notes), ""]
        return "\n".join(lines)

    @property
    def described(self) -> str:
        machine, reference = self.machine, self.reference
        ours = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        theirs = ", ".join(f"{name} {number}" for name, number in reference.items())
        setup = ", ".join(f"{name} {value}" for name, value in self.setup.items())
        return (
            f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB memory, "
            f"{machine['system']}; load at the start {machine['load']:.1f}.\n"
            f"polyframe's side: Python {machine['python']}, {ours} (commit {machine['commit']}).\n"
            f"Reference's side: {theirs or 'not run'}.\n"
            f"Measured {machine['measured']}: {setup}."
        )


def describe_machine() -> dict[str, Any]:
    """Return the machine, the versions and the commit."""
    import shapely

    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "missing"
    versions["GEOS"] = ".".join(map(str, shapely.geos_version))
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan,
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit_of(ROOT),
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def number(value: float | None) -> str:
    """Format a number with three significant digits."""
    if value is None or math.isnan(value):
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def seconds(value: float | None, unit: str = "s") -> str:
    """Format a time, small ones in ms, or an amount of memory."""
    if value is None or math.isnan(value):
        return ""
    return f"{number(value * 1000)} ms" if unit == "s" and value < 0.1 else f"{number(value)} {unit}"


def plot(report: Report, path: Path) -> None:
    """Draw the ratios against the reference and contour times by cluster size, if Matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is missing (pip install matplotlib)")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.6, 3.9), width_ratios=(1.25, 1), layout="constrained", facecolor="white"
    )
    drawn = [_plot_ratios(report, left), _plot_contours(report, right)]
    if any(drawn):
        machine = report.machine
        figure.supxlabel(
            f"{machine['cpu']}, {machine['cores']} cores; panoptes_aggregation 5.3.1; one worker; log scales",
            fontsize=7.5,
            color="#555555",
        )
        figure.savefig(path, dpi=110, pil_kwargs={"optimize": True})
    plt.close(figure)


# Colour-blind safe colours by Okabe and Ito; lines also differ in marker and dash.
_COLOURS = {"fast": "#0072B2", "without": "#E69F00", "": "#009E73"}
_NAMES = {"fast": "polyframe with `fast`", "without": "polyframe", "": "polyframe"}


def _plot_ratios(report: Report, axes: Any) -> bool:
    rows = [row for row in report.rows if row.in_plot]
    if not rows:
        axes.set_axis_off()
        return False
    measures = list(dict.fromkeys(row.measure for row in rows))
    engines = [engine for engine in _COLOURS if any(row.engine == engine for row in rows)]
    for row in rows:
        together = [
            engine for engine in engines if any((r.measure, r.engine) == (row.measure, engine) for r in rows)
        ]
        height = 0.8 / len(together)
        y = measures.index(row.measure) - 0.4 + height * (together.index(row.engine) + 0.5)
        axes.barh(y, row.ratio, height * 0.92, color=_COLOURS[row.engine])
        axes.annotate(
            f"{float(f'{row.ratio:.2g}'):,g} x",
            (row.ratio, y),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    for engine in engines:
        label = {"fast": "with the extra `fast`", "without": "without it", "": "either way"}[engine]
        axes.barh(0, 0, color=_COLOURS[engine], label=label)
    axes.set_yticks(range(len(measures)), measures, fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_xlim(1, max(row.ratio for row in rows) * 12)
    axes.set_title("Times faster than the reference tool", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    _bare(axes)
    return True


def _plot_contours(report: Report, axes: Any) -> bool:
    lines: dict[str, dict[int, float]] = {}
    for row in report.rows:
        if row.part == "contours" and row.marks:
            lines.setdefault(_NAMES[row.engine], {})[row.marks] = row.ours
            if row.theirs is not None:
                lines.setdefault("reference tool", {})[row.marks] = row.theirs
    if not lines:
        axes.set_axis_off()
        return False
    styles = {
        "reference tool": ("#D55E00", "s", ":"),
        _NAMES["without"]: (_COLOURS["without"], "^", "--"),
        _NAMES["fast"]: (_COLOURS["fast"], "o", "-"),
    }
    for name, (colour, marker, dash) in styles.items():
        if name in lines:
            points = sorted(lines[name].items())
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, ls=dash, ms=4, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,g}")
    ticks = [n for n in (4, 6, 9, 15, 30, 60, 100, 200) if n <= max(max(points) for points in lines.values())]
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    axes.set_title("Exact contours of one cluster, seconds", fontsize=10)
    axes.set_xlabel("marks in the cluster", fontsize=8.5)
    axes.tick_params(labelsize=8.5)
    axes.legend(fontsize=8, frameon=False)
    axes.grid(color="#dddddd", linewidth=0.6)
    _bare(axes)
    return True


def _bare(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _table(rows: list[Row]) -> list[str]:
    lines = [
        "| measure | extra | polyframe | against | there | ratio | without start-up | target | met |",
        "|---|---|--:|---|--:|--:|--:|--:|---|",
    ]
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    for row in rows:
        mark = f" [{notes.index(row.note) + 1}]" if row.note else ""
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        cells = (
            row.measure + mark,
            row.engine,
            row.failure or seconds(row.ours, row.unit),
            row.against,
            seconds(row.theirs, row.unit),
            f"**{number(row.ratio)}**" if row.ratio is not None else "",
            number(row.working),
            row.target,
            met,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", *(f"[{k}] {note}  " for k, note in enumerate(notes, start=1))]


def _plain(value: Any) -> Any:
    """Convert values for JSON: NaN becomes null, and numbers are rounded to six digits."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return math.nan


def commit_of(tree: Path) -> str:
    """Return the commit of a source tree, with a plus if tracked files were changed."""
    try:
        git = ["git", "-C", str(tree)]
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "polyframe"], check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
