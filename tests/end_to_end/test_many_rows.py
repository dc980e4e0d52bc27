"""Every stage on one or two partitions of many small rows: more rows than Polars processes in one chunk.

Four volunteers outline the same square in each subject, one of them a pixel to the right. Worked out by hand:
the levels cover 110, 100, 100 and 90 square pixels, the median is a square of 100, and of the six pairs,
three have IoU 1 and three 9/11, which gives a consensus of 10/11.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.pipeline import plan
from polyframe.plot.draw_consensus import consensus_counts

Call = Callable[..., Done]

ROWS = 50_000
SUBJECTS = ROWS // 4
LEVELS = [110.0, 100.0, 100.0, 90.0]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "many.csv"
    cells = [drawing(square(shift, 0)) for shift in (0, 0, 0, 1)]
    rows = (export_row(k, cells[k % 4], subject_ids=1 + k // 4, created_at="") for k in range(ROWS))
    path.write_text(export_text(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=[1, 2])
def out(request: pytest.FixtureRequest, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a run, in one partition or in two."""
    path = tmp_path_factory.mktemp("many") / "out"
    with pytest.MonkeyPatch.context() as patched:
        # Two partitions need a little more than half of the bytes each.
        patched.setattr(plan, "_MEGABYTE", 16_000_000 if request.param == 1 else 11_000_000)
        pf.run(many, path, jobs=1, partition_size=1 if request.param == 2 else 2, engine="shapely")
    assert len(list((path / "labels").glob("*.parquet"))) == request.param
    return path


def check(reductions: pl.DataFrame, contours: pl.DataFrame) -> None:
    assert reductions.height == contours.height == SUBJECTS
    assert reductions["clusters_count"].unique().to_list() == [4]
    assert reductions["area"].unique().to_list() == [100.0]
    assert reductions["consensus"].to_numpy() == pytest.approx(10 / 11)
    assert contours["contours_area"].unique().to_list() == [LEVELS]


@pytest.mark.slow
def test_run(out: Path) -> None:
    check(pf.scan(out, "reductions").collect(), pf.scan(out, "contours").collect())


def test_single_stages(many: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    for command in (("extract", many, "-o", out, "--partition-size", 99), ("reduce", out), ("contours", out)):
        done = polyframe(*command, "--quiet")
        assert done == Done(0, "", "")
    check(pf.scan(out, "reductions").collect(), pf.scan(out, "contours").collect())


@pytest.mark.slow
@pytest.mark.parametrize(
    "selection",
    [{}, {"drawing_tasks": (DrawingTask("T0"),), "task": "T0", "tool": 0}],
    ids=["all", "selected"],
)
def test_in_memory(selection: dict[str, Any], out: Path) -> None:
    extractions = pf.scan(out, "extractions").collect()
    reduced = pf.reduce(extractions, engine="shapely", **selection)
    assert reduced.labels.height == ROWS
    check(reduced.reductions, pf.contours(extractions, engine="shapely", **selection))


def test_extract_in_memory(many: Path) -> None:
    extraction = pf.extract(many)
    assert (extraction.extractions.height, extraction.classifications.height) == (ROWS, ROWS)
    assert extraction.rejects.height == 0


def test_tune(out: Path) -> None:
    table = pf.tune(out, eps=[0.05, 0.5], min_samples=[2], engine="shapely")
    assert table["clusters"].to_list() == [SUBJECTS, SUBJECTS]
    # Marks with a distance of 2/11 are not neighbours at 0.05.
    assert table["outliers"].to_list() == [SUBJECTS, 0]


def test_status_and_validate(out: Path) -> None:
    assert pf.status(out).not_current == {}
    assert pf.validate(out) == []


def test_pictures_and_reports(out: Path, tmp_path: Path) -> None:
    counts = consensus_counts(out)
    assert counts["n"].to_list() == [SUBJECTS]
    (group,) = pf.plot.read_groups(out, SUBJECTS)
    assert (len(group.marks), group.n_volunteers, len(group.clusters)) == (4, 4, 1)
    assert pf.report(out, tmp_path / "report.html", limit=10).clusters_of_all == SUBJECTS


@pytest.mark.parametrize("to", ["panoptes-csv", "geojson", "coco", "labelstudio"])
def test_exports(to: str, out: Path, tmp_path: Path) -> None:
    size = {"image_size": "20x20"} if to in ("coco", "labelstudio") else {}
    files = pf.export(out, to, tmp_path / f"out.{'csv' if to == 'panoptes-csv' else 'json'}", **size)
    assert [file.count for file in files][:1] == [SUBJECTS]
