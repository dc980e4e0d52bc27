"""What the page "Decide with the report" says of its toy clusters, and of the cat project."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from doc_pages import DOCS, blocks

import polyframe as pf

pytestmark = pytest.mark.filterwarnings("ignore::polyframe.PolyframeWarning")


@pytest.fixture(scope="module")
def toy_marks(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The marks of the toy clusters, made by the code of the page."""
    folder = tmp_path_factory.mktemp("toy")
    (code,) = blocks(DOCS / "guide" / "decide.md", "python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, "decide.md", "exec"), {})
    return pf.scan(folder / "toy-out", "extractions").collect()


@pytest.mark.parametrize(
    ("eps", "split", "sizes"),
    [
        (0.3, "none", {1: [8, 8], 2: [8, 8]}),
        (0.4, "none", {1: [8, 8], 2: [16], 3: [4, 4]}),
        (0.7, "none", {1: [8, 8], 2: [16], 3: [8]}),
        # The truth: everyone outlined two objects of subjects 1 and 2, and one of subject 3.
        (0.7, "doubled", {1: [8, 8], 2: [8, 8], 3: [8]}),
    ],
)
def test_toy_clusters(toy_marks: pl.DataFrame, eps: float, split: Any, sizes: dict[int, list[int]]) -> None:
    clusters = pf.reduce(toy_marks, eps=eps, min_samples=3, split=split).reductions
    by_subject = clusters.group_by("subject_id").agg("clusters_count").sort("subject_id")
    assert dict(by_subject.iter_rows()) == sizes


def test_the_cat_project(tmp_path: Path, cat_project: Path) -> None:
    export = cat_project / "cat-project-classifications.csv"
    settings: Any = {"config": cat_project / "cat_project_reducer_config.yaml", "jobs": 1}
    pf.run(export, tmp_path / "out", **settings)
    assert pf.status(tmp_path / "out").accounting["marks_outliers"] == 46

    worst = pf.volunteers(tmp_path / "out").row(0, named=True)
    assert (worst["n_marks"], worst["n_outliers"], round(worst["score"], 2)) == (24, 22, 0.14)
    pf.run(export, tmp_path / "out", exclude_volunteers=[worst["volunteer"]], **settings)
    assert pf.status(tmp_path / "out").accounting["marks_outliers"] == 24

    marks = pf.scan(tmp_path / "out", "extractions").collect()
    kittens = marks.filter(subject_id=458023, tool="T0_toolIndex0")
    for eps, consensus in ((0.5, [0.59, 0.65]), (0.7, [0.3])):
        clusters = pf.reduce(kittens, eps=eps, min_samples=2).reductions
        assert sorted(clusters["consensus"].round(2)) == consensus
