"""Every stage on one partition of many small rows, and on two: more rows than Polars takes in one piece.

Four volunteers outline the same square in each subject, three of them alike and one a pixel to the right. By
hand: the levels cover 110, 100, 100 and 90 square pixels, the median is a square of 100, and of the six pairs
three agree in full and three in 9/11, which is a consensus of 10/11.
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
def made(request: pytest.FixtureRequest, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run makes of it, in one partition or in two."""
    out = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patched:
        # A partition takes a little more than its share of the bytes that the plan counts.
        patched.setattr(plan, "_MEGABYTE", 16_000_000 if request.param == 1 else 11_000_000)
        pf.run(many, out, jobs=1, partition_size=1 if request.param == 2 else 2, engine="shapely")
    assert len(list((out / "labels").glob("*.parquet"))) == request.param
    return out


def check(reductions: pl.DataFrame, contours: pl.DataFrame) -> None:
    assert reductions.height == contours.height == SUBJECTS
    assert reductions["clusters_count"].unique().to_list() == [4]
    assert reductions["area"].unique().to_list() == [100.0]
    assert reductions["consensus"].to_numpy() == pytest.approx(10 / 11)
    assert contours["contours_area"].unique().to_list() == [LEVELS]


@pytest.mark.slow
def test_a_run(made: Path) -> None:
    check(pf.scan(made, "reductions").collect(), pf.scan(made, "contours").collect())


def test_stage_after_stage(many: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    for command in (("extract", many, "-o", out, "--partition-size", 99), ("reduce", out), ("contours", out)):
        done = polyframe(*command, "--quiet")
        assert done == Done(0, "", "")
    check(pf.scan(out, "reductions").collect(), pf.scan(out, "contours").collect())


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen", [{}, {"drawing_tasks": (DrawingTask("T0"),), "task": "T0", "tool": 0}], ids=["all", "chosen"]
)
def test_in_memory(chosen: dict[str, Any], made: Path) -> None:
    extractions = pf.scan(made, "extractions").collect()
    reduced = pf.reduce(extractions, engine="shapely", **chosen)
    assert reduced.labels.height == ROWS
    check(reduced.reductions, pf.contours(extractions, engine="shapely", **chosen))


def test_extract_in_memory(many: Path) -> None:
    extraction = pf.extract(many)
    assert (extraction.extractions.height, extraction.classifications.height) == (ROWS, ROWS)
    assert extraction.rejects.height == 0


def test_tune(made: Path) -> None:
    table = pf.tune(made, eps=[0.05, 0.5], min_samples=[2], engine="shapely")
    assert table["clusters"].to_list() == [SUBJECTS, SUBJECTS]
    # Marks that differ in 2/11 of their union stay apart at 0.05.
    assert table["outliers"].to_list() == [SUBJECTS, 0]


def test_status_and_validate(made: Path) -> None:
    assert pf.status(made).not_current == {}
    assert pf.validate(made) == []


def test_pictures_and_reports(made: Path, tmp_path: Path) -> None:
    counts = consensus_counts(made)
    assert counts["n"].to_list() == [SUBJECTS]
    (group,) = pf.plot.read_groups(made, SUBJECTS)
    assert (len(group.marks), group.n_volunteers, len(group.clusters)) == (4, 4, 1)
    assert pf.report(made, tmp_path / "report.html", limit=10).clusters_of_all == SUBJECTS


@pytest.mark.parametrize("to", ["panoptes-csv", "geojson", "coco", "labelstudio"])
def test_exports(to: str, made: Path, tmp_path: Path) -> None:
    size = {"image_size": "20x20"} if to in ("coco", "labelstudio") else {}
    written = pf.export(made, to, tmp_path / f"out.{'csv' if to == 'panoptes-csv' else 'json'}", **size)
    assert [file.count for file in written][:1] == [SUBJECTS]
