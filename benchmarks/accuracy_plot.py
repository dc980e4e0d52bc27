"""Draw how close averages are to the truth: IoU and area, by volunteers and by careless ones."""

from pathlib import Path
from typing import Any

from accuracy_report import ORDER, SHARE, VOLUNTEERS, AccuracyReport
from accuracy_rows import Row

# Colour-blind safe colours by Okabe and Ito; lines also differ in marker and dash.
_STYLES = {
    "median": ("#0072B2", "o", "-"),
    "majority": ("#D55E00", "s", "-"),
    "level n/2": ("#E69F00", "^", "--"),
    "union": ("#009E73", "v", ":"),
    "intersection": ("#CC79A7", "D", ":"),
    "last": ("#777777", "x", "-."),
}
_COLOURS_OF_FILE = 48


def plot(report: AccuracyReport, path: Path) -> None:
    """Draw the rows of a report as a PNG, with bars for standard errors, if Matplotlib is installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plot: matplotlib is missing (pip install matplotlib)")
        return
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    columns = (
        ("Real people (BU-BIL)", "workers", _of(report, "people")),
        (f"Synthetic, {100 * SHARE:.0f} % careless", "volunteers", _of(report, "careless", bad=SHARE)),
        (f"Synthetic, {VOLUNTEERS} volunteers", "bad", _of(report, "careless", volunteers=VOLUNTEERS)),
    )
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 5.6), layout="constrained", facecolor="white")
    for (title, by, rows), (above, below) in zip(columns, axes.T, strict=True):
        above.set_title(title, fontsize=10)
        _draw(above, rows, by, "iou")
        _draw(below, rows, by, "area_ratio")
        below.axhline(1, color="black", linewidth=0.8)
        below.set_yscale("log")
        below.minorticks_off()
        below.set_yticks([0.5, 0.7, 1, 1.4, 2], ["0.5", "0.7", "1", "1.4", "2"])
        below.set_xlabel({"bad": "careless volunteers, %"}.get(by, by), fontsize=9)
    axes[0, 0].set_ylabel("mean IoU with the truth", fontsize=9)
    axes[1, 0].set_ylabel("area / true area", fontsize=9)
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9, frameon=False)
    figure.savefig(path, dpi=100)
    plt.close(figure)
    # Few colours make a small file.
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(_COLOURS_OF_FILE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def _of(report: AccuracyReport, kind: str, **fixed: float) -> list[Row]:
    return [
        row
        for row in report.rows
        if row.scenes == kind and all(getattr(row, name) == value for name, value in fixed.items())
    ]


def _draw(axes: Any, rows: list[Row], by: str, value: str) -> None:
    column, scale = ("bad", 100) if by == "bad" else ("volunteers", 1)
    for method in ORDER:
        colour, marker, dash = _STYLES[method]
        points = sorted(
            (scale * getattr(row, column), getattr(row, value), getattr(row, f"{value}_error"))
            for row in rows
            if row.method == method
        )
        if points:
            x, y, error = zip(*points, strict=True)
            axes.errorbar(
                *(x, y, error), color=colour, marker=marker, ls=dash, ms=4, lw=1.2, capsize=2, label=method
            )
    axes.tick_params(labelsize=8.5)
    axes.grid(color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
