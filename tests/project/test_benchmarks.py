"""The benchmarks in `benchmarks/`: what they measure, compare and stop."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import shapely
from environments import python_with
from exports import ROOT, drawing, export_row, export_text, square

from polyframe.synthetic import SynthOptions, write_export

FOLDER = ROOT / "benchmarks"

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function that imports a module of the benchmarks."""
    if not FOLDER.is_dir():
        pytest.skip("benchmarks/ is not part of this copy")
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module
    names = {path.stem for path in FOLDER.glob("*.py")}
    for name in (set(sys.modules) - before) & names:
        del sys.modules[name]


def call(script: str, *arguments: object, **variables: str) -> str:
    """Run a benchmark in a new process; return what it prints."""
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_quick_run_has_a_row_for_each_target(reference_python: str, tmp_path: Path, load: Load) -> None:
    """It exits with 1 if results differ, from the reference or between engines."""
    variables = {"POLYFRAME_REFERENCE_PYTHON": reference_python}
    call("run.py", "--quick", "--work", tmp_path / "work", "--out", tmp_path, **variables)
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    targets = {key for key, target in load("targets").TARGETS.items() if not target.in_scale}
    if not load("inputs").TRACED.exists():
        targets.remove("bu-bil")
    assert {row["key"] for row in rows} - {""} == targets
    assert all(not row["failure"] for row in rows)
    # Tiny inputs measure nothing.
    assert all(row["met"] is None for row in rows)
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert all(f"| {row['measure']}" in table for row in rows)
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_small_large_exports(tmp_path: Path) -> None:
    call(
        "scale.py",
        "--gigabytes",
        "0.002",
        "--folder",
        tmp_path / "work",
        "--out",
        tmp_path,
        "--engine",
        "shapely",
    )
    table = (tmp_path / "scale.md").read_text(encoding="utf-8")
    assert "| run, nothing new |" in table
    assert "No problems." in table


@pytest.mark.slow
def test_a_version_has_the_tables_of_itself(tmp_path: Path) -> None:
    printed = call("compare_versions.py", ROOT, "--quick", "--engines", "shapely")
    assert printed.splitlines()[-1] == "no differences"


def test_targets_of_an_earlier_version_are_adjusted_to_this_machine(load: Load) -> None:
    report, measuring = load("report"), load("measuring")
    row = report.Row("processor", "whole process", against="before", theirs=10.6, ours=6.9)
    measuring.set_target(row, "synth")
    assert row.most_ours == pytest.approx(7.0)  # 3.5 s where the earlier version took 5.3 s
    assert row.met
    assert row.target == "≤ 7.00 s (3.50 s)"
    alone = measuring.set_target(report.Row("processor", "whole process", ours=6.9), "synth")
    assert (alone.met, alone.target) == (False, "≤ 3.50 s")
    other = measuring.set_target(
        report.Row("first", "elapsed", ours=23), "first large run, elapsed", [1, 2, 3]
    )
    assert (other.met, other.target) == (True, "≤ 24.0 s (12.0 s)")
    memory = report.Row("groups", "memory", ours=2100, unit="MB")
    assert measuring.set_target(memory, "5,000 marks, memory", [2]).met is False


def test_a_failure_meets_no_target(load: Load) -> None:
    row = load("report").Row("groups", "memory", failure="over 300 s", most_ours=2000, unit="MB")
    assert row.met is False


@pytest.mark.parametrize(
    ("code", "limits", "message"),
    [
        ("import time; time.sleep(600)", {"seconds": 0.1, "resident_mb": 1e6}, "over 0 s"),
        ("x = bytearray(300_000_000); input()", {"seconds": 600, "resident_mb": 200}, "over 200 MB"),
    ],
)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is sampled from /proc")
def test_a_process_over_a_limit_is_stopped(
    code: str, limits: dict[str, float], message: str, load: Load
) -> None:
    processes = load("processes")
    # A child of a child is stopped, too.
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with pytest.raises(processes.LimitError, match=message):
        processes.run_process([sys.executable, "-c", code], limits=processes.Limits(**limits))


def test_repeated_exports_have_other_ids_and_the_same_drawings(tmp_path: Path, load: Load) -> None:
    block, export = tmp_path / "block.csv", tmp_path / "export.csv"
    rows = write_export(block, SynthOptions(subjects=7, volunteers=4, vertices=12, old_share=0)).rows
    load("scale").repeat_export(block, export, 3)
    frame = pl.read_csv(export, infer_schema=False)
    first, *others = (frame.slice(rows * copy, rows) for copy in range(3))
    assert first.equals(pl.read_csv(block, infer_schema=False))
    for copy in others:
        assert copy["annotations"].equals(first["annotations"])
    assert frame["classification_id"].n_unique() == 3 * rows
    assert frame["subject_ids"].n_unique() == 3 * 7
    about = [next(iter(json.loads(cell))) for cell in frame["subject_data"]]
    assert about == frame["subject_ids"].to_list()


def write_table(folder: Path, **columns: object) -> Path:
    """Write a table with two squares, with other columns if there are any."""
    squares = {"clusters_x": [[0.0, 1, 1, 0]] * 2, "clusters_y": [[0.0, 0, 1, 1]] * 2, "area": [1.0, 1.0]}
    folder.mkdir(parents=True)
    pl.DataFrame({**squares, **columns}).write_parquet(folder / "part-00000.parquet")
    return folder


def test_tables_are_compared(tmp_path: Path, load: Load) -> None:
    tables, compare = load("tables"), load("compare")
    one = write_table(tmp_path / "one" / "reductions")
    same = write_table(tmp_path / "same" / "reductions", new=[1, 2])
    compared = tables.compare_table(one, same)
    assert compared.is_identical
    assert compared.new_columns == ("new",)

    turned = {"clusters_x": [[0.0, 1, 1, 0], [1.0, 1, 0, 0]], "clusters_y": [[0.0, 0, 1, 1], [0.0, 1, 1, 0]]}
    compared = tables.compare_table(one, write_table(tmp_path / "turned" / "reductions", **turned))
    assert not compared.is_identical
    assert compared.turned == 1

    x, y = [[0.0, 2, 2], [0.0, 1, 1], [0.5, 1, 1]], [[0.0, 0, 1]] * 3
    all_levels, some_levels = (
        pl.DataFrame(
            {"contours_x": [x[::step]], "contours_y": [y[::step]], "contours_level": [[1, 2, 3][::step]]}
        )
        for step in (1, 2)
    )
    all_levels = all_levels.drop("contours_level")
    all_levels, some_levels = (
        frame.with_columns(contours_area=pl.Series([areas]), number_of_contours=3)
        for frame, areas in ((all_levels, [1.0, 0.5, 0.25]), (some_levels, [1.0, 0.25]))
    )
    folders = [tmp_path / name / "contours" for name in ("all", "some")]
    for folder, frame in zip(folders, (all_levels, some_levels), strict=True):
        folder.mkdir(parents=True)
        frame.write_parquet(folder / "part-00000.parquet")
    assert tables.compare_table(*folders).is_identical

    others = {
        "area": {"area": [1.0, 1 + 1e-6]},
        "shape": {"clusters_x": [[0.0, 1, 1, 0], [0.0, 1, 1, 1e-6]]},
        "rows": {"clusters_x": [[0.0]], "clusters_y": [[0.0]], "area": [1.0]},
    }
    for name, columns in others.items():
        with pytest.raises(compare.ResultsDifferError):
            tables.compare_table(one, write_table(tmp_path / name / "reductions", **columns))
    with pytest.raises(compare.ResultsDifferError, match="no column"):
        tables.compare_table(same, one)
    with pytest.raises(compare.ResultsDifferError, match="no such table"):
        tables.compare_table(one, tmp_path / "missing" / "reductions")


@pytest.mark.parametrize("is_clicked", [False, True])
def test_drawings_are_marks_of_every_volunteer(is_clicked: bool, tmp_path: Path, load: Load) -> None:
    import polyframe as pf

    outlines = load("outlines")
    drawings = outlines.Drawings(5, 4, (2, 3), vertices=(4, 9), is_clicked=is_clicked)
    path = tmp_path / "export.csv"
    outlines.write_drawings(path, drawings, 1)
    marks = pf.extract(path).extractions
    assert marks.height == drawings.marks == 4 * (2 + 3 + 2 + 3 + 2)
    assert marks["x"].list.len().is_between(4, 9).all()
    assert pf.reduce(pf.extract(path), engine="shapely").reductions["clusters_count"].sum() > 0
    outlines.write_drawings(tmp_path / "again.csv", drawings, 1)
    assert path.read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_identical_drawings(tmp_path: Path, load: Load) -> None:
    import polyframe as pf

    outlines = load("outlines")
    path = tmp_path / "export.csv"
    outlines.write_drawings(path, outlines.Drawings(1, 3, marks_each=4, is_identical=True), 1)
    marks = pf.extract(path, duplicate_marks="keep").extractions
    assert (marks.height, marks["x"].n_unique()) == (12, 1)


@pytest.mark.slow
def test_a_quick_table_of_averages(tmp_path: Path, load: Load) -> None:
    call("accuracy.py", "--quick", "--tools", "none", "--out", tmp_path)
    text = (tmp_path / "accuracy.json").read_text(encoding="utf-8")
    rows = pl.DataFrame(json.loads(text)["rows"], infer_schema_length=None)
    accuracy = load("accuracy")
    scenes = list(accuracy.QUICK.scenes())
    if accuracy.TRACED.exists():
        scenes += [load("accuracy_rows").Scene("people", workers) for workers in accuracy.QUICK.people]
    expected = {(s.kind, s.volunteers, s.bad, method) for s in scenes for method in accuracy.METHODS}
    assert set(rows.select("scenes", "volunteers", "bad", "method").rows()) == expected
    assert rows.height == len(expected)
    assert rows["iou"].is_between(0, 1).all()
    assert (rows["found"] <= rows["objects"]).all()
    assert rows.filter(method="median")["over_median"].unique().to_list() == [0]
    # A union contains every level, and every level the intersection.
    areas = rows.pivot("method", index=["scenes", "volunteers", "bad"], values="area_ratio")
    assert (areas["union"] >= areas["level n/2"]).all()
    assert (areas["level n/2"] >= areas["intersection"]).all()
    # Ten careful volunteers are close to the truth.
    careful = rows.filter(scenes="careless", volunteers=10, bad=0, method="level n/2")
    assert careful["iou"].item() > 0.93
    table = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert "Synthetic scenes, 20 % careless: mean IoU." in table
    assert (tmp_path / "accuracy.png").stat().st_size < 100_000


def test_averages_of_three_squares_against_the_truth(tmp_path: Path, load: Load) -> None:
    """Squares with sides of 8, 10 and 12 pixels have a common corner; the true side is 10."""
    import polyframe as pf

    accuracy = load("accuracy")
    path = tmp_path / "export.csv"
    rows = [export_row(k, drawing(square(0, 0, side))) for k, side in enumerate((12, 8, 10))]
    rows += [export_row(k + 3, drawing(square(0, 0, side)), subject_ids=2) for k, side in enumerate((12, 12))]
    path.write_text(export_text(rows), encoding="utf-8")
    corners = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
    features = [
        {
            "type": "Feature",
            "properties": {"subject_id": subject},
            "geometry": {"type": "Polygon", "coordinates": [corners]},
        }
        for subject in (1, 2)
    ]
    gold = tmp_path / "gold.geojson"
    gold.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    objects = accuracy.objects_of(pf.extract(path), gold, 0.9, "shapely")
    assert objects.offsets.tolist() == [0, 3, 5]
    sides = {name: [polygon.area**0.5 for polygon in found] for name, found in objects.averages.items()}
    expected = {"median": 10, "majority": 10, "level n/2": 10, "union": 12, "intersection": 8, "last": 10}
    assert set(sides) <= set(expected)
    for name, (first, second) in sides.items():
        assert (first, second) == (pytest.approx(expected[name]), pytest.approx(12))

    measured = {
        row.method: row
        for row in accuracy.rows_of(
            accuracy.Scene("people", 3), objects.averages, objects.truths, objects.subject
        )
    }
    # On the first subject its IoU is 100 / 144, as that of every average on the second.
    union, median = measured["union"], measured["median"]
    assert (union.iou, union.iou_error) == pytest.approx((100 / 144, 0))
    assert median.iou == pytest.approx((1 + 100 / 144) / 2)
    # The standard error of two values is half of their difference.
    assert median.iou_error == pytest.approx((1 - 100 / 144) / 2)
    assert (union.over_median, union.better) == pytest.approx(((100 / 144 - 1) / 2, 0))
    assert (union.area_ratio, measured["intersection"].area_ratio) == pytest.approx((1.44, (0.64 + 1.44) / 2))
    assert union.boundary > median.boundary > 0


def test_means_are_over_subjects_and_empty_regions_have_no_boundary(load: Load) -> None:
    measure = load("accuracy_rows").measure
    empty, small, large = shapely.Polygon(), shapely.box(0, 0, 1, 1), shapely.box(0, 0, 2, 1)
    truths = np.array([small, small, small])
    found = measure(np.array([empty, large, small]), truths, np.array([5, 5, 9]))
    assert found.iou.tolist() == pytest.approx([(0 + 0.5) / 2, 1])
    assert found.area_ratio.tolist() == pytest.approx([(0 + 2) / 2, 1])
    assert found.boundary[1] == 0
    assert found.boundary[0] > 0
    alone = measure(np.array([empty]), truths[:1], np.array([5]))
    assert np.isnan(alone.boundary[0])
    assert load("accuracy_rows").mean_and_error(np.array([np.nan, 1.0, 3.0])) == pytest.approx((2, 1))


def test_pixels_of_marks_and_back(tmp_path: Path, load: Load) -> None:
    tools, side = load("raster_tools"), load("raster_side")
    with_hole = shapely.box(-3, 2, 9, 8).difference(shapely.box(0, 4, 2, 6))
    marks = np.array([shapely.box(1, 2, 5, 9), with_hole])
    masks, origin = tools.rasterize(marks)
    assert masks.sum(axis=(1, 2)).tolist() == [28, 68]
    for mask, mark in zip(masks, marks, strict=True):
        assert tools.region_of(mask, origin).equals(mark)
    assert tools.region_of(np.zeros((2, 3), np.bool_)).is_empty

    rng = np.random.default_rng(1)
    clusters = [(rng.random(shape) < 0.5, rng.integers(9, size=shape[0])) for shape in ((3, 2, 5), (1, 7, 1))]
    side.write_clusters(tmp_path / "masks.npz", clusters)
    for (masks, workers), again in zip(clusters, side.read_clusters(tmp_path / "masks.npz"), strict=True):
        assert np.array_equal(masks, again[0])
        assert np.array_equal(workers, again[1])


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(("name", "needs"), [("crowdkit", ["nltk", "tqdm"]), ("simpleitk", [])])
def test_tools_for_pixels_find_what_most_marks_cover(name: str, needs: list[str], load: Load) -> None:
    tools = load("raster_tools")
    # Without what crowd-kit would install to train models: half a gigabyte.
    python = python_with(f"bare-{name}", needs, bare=[tools.REQUIREMENTS[name][0]])
    most, other = shapely.box(0, 0, 10, 8), shapely.box(4, 0, 14, 8)
    marks = np.array([most, most, most])
    marks = np.concatenate([marks, [most, other, most, most, most]])
    found = tools.RasterTools({name: python}).combine(marks, np.array([0, 3, 8]), np.arange(len(marks)))
    assert (
        set(found)
        == {
            "crowdkit": {"crowd-kit majority", "crowd-kit RASA", "crowd-kit EM"},
            "simpleitk": {"STAPLE"},
        }[name]
    )
    for method, regions in found.items():
        assert [region.equals(most) for region in regions] == [True, True], method


def test_a_tool_that_cannot_be_installed_is_skipped(
    load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools, processes = load("raster_tools"), load("processes")

    def fails(name: str, *_: str) -> str:
        raise processes.ProcessError("pip ended with 1: no matching distribution")

    monkeypatch.setattr(tools, "python_with", fails)
    assert tools.install(["simpleitk"]).pythons == {}
    assert capsys.readouterr().out == (
        "skipped simpleitk: cannot be installed (pip ended with 1: no matching distribution); "
        "POLYFRAME_SIMPLEITK_PYTHON can name a Python that has it\n"
    )


def test_estimates_are_compared_with_the_truth(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    stability = load("stability")
    monkeypatch.setattr(stability, "VOLUNTEERS", 30)
    rows = pl.concat([stability.compare(one, 5, seed) for seed, one in enumerate(stability.populations(2))])
    assert 2 * 3 <= rows.height <= 2 * 6
    assert rows.select(pl.col("predicted", "true").is_between(0.7, 1).all()).row(0) == (True, True)
    assert len(stability.summarize(rows)) == 3
