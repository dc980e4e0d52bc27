"""The counts of each setting equal those of a reduction with it, and each distance is computed once."""

import functools
import itertools
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from exports import ROOT, drawing, export_row, export_text, square
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyframe as pf
from polyframe import geometry as g
from polyframe.cli.app import cli
from polyframe.consensus import group_clusters, marks, repeated_outlines
from polyframe.consensus.extract import repaired_polygons
from polyframe.core.errors import UsageError
from polyframe.core.result_tables import TUNING
from polyframe.core.tables import CLASSIFICATIONS, EXTRACTIONS, REJECTS
from polyframe.pipeline import tune_partitions

EPS = [0.15, 0.3, 0.5, 0.7, 0.85, 1.0]
MIN_SAMPLES = [1, 2, 3, 4]


COMPARED = ("eps", "min_samples", "cluster_method", "split")


def row_from_reduction(marks: Any, setting: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Count the clusters of a full reduction with one setting, by its tables."""
    reduction = pf.reduce(marks, **setting, **options)
    groups, labels = reduction.groups, reduction.labels.filter(pl.col("cluster_label") >= 0)
    cluster = ["workflow_id", "subject_id", "task", "frame", "tool", "cluster_label"]
    clusters = labels.group_by(cluster).agg(
        pl.len(), pl.col("classification_id").is_duplicated().any().alias("doubled")
    )
    consensus = reduction.reductions["consensus"]
    n_outliers, n_marks = int(groups["n_outliers"].sum()), int(groups["n_marks"].sum())
    n_clusters = int(groups["n_clusters"].sum())
    return {
        **setting,
        "groups": groups.height,
        "marks": n_marks,
        "clusters": n_clusters,
        "clusters_kept": reduction.reductions.height,
        "groups_with_clusters": groups.filter(pl.col("n_clusters") > 0).height,
        "clusters_per_group": n_clusters / groups.height if groups.height else None,
        "clustered": labels.height,
        "outliers": n_outliers,
        "outlier_share": n_outliers / n_marks if n_marks else None,
        "marks_per_cluster": labels.height / clusters.height if clusters.height else None,
        "largest_cluster": clusters["len"].max() or 0,
        "doubled_clusters": int(clusters["doubled"].sum()),
        "consensus_q1": consensus.quantile(0.25, "linear"),
        "consensus_median": consensus.median(),
        "consensus_q3": consensus.quantile(0.75, "linear"),
    }


def check(marks: Any, table: pl.DataFrame, **options: Any) -> None:
    """Compare each row of a table of settings with a reduction."""
    assert table.schema == TUNING.schema
    expected = [
        row_from_reduction(marks, setting, **options) for setting in table.select(COMPARED).to_dicts()
    ]
    exact = [name for name in expected[0] if "consensus" not in name]
    assert table.select(exact).to_dicts() == [{name: row[name] for name in exact} for row in expected]
    for name in ("consensus_q1", "consensus_median", "consensus_q3"):
        values = [row[name] for row in expected]
        assert [value is None for value in values] == table[name].is_null().to_list()
        # The consensus of each cluster is the same to the last bit; quartiles are weighted differently.
        assert table[name].to_list() == pytest.approx(values, abs=1e-15)


@pytest.mark.parametrize("repeats", ["first", "last", "all"])
def test_counts_equal_those_of_reductions_of_the_example(example: Path, repeats: Any) -> None:
    table = pf.tune(example, eps=EPS[::2], min_samples=[1, 3], filter=repeats, jobs=1)
    check(example, table, filter=repeats)


def test_counts_equal_those_of_reductions_of_several_partitions(partitioned: Path) -> None:
    table = pf.tune(partitioned, eps=EPS, min_samples=MIN_SAMPLES, jobs=1)
    check(partitioned, table, min_threshold=0.3)
    # The settings give different results.
    assert (table["clusters_kept"] < table["clusters"]).any()
    assert table["doubled_clusters"].max() > 3
    assert table["merged_clusters"].max() > 3
    assert table["clusters"].n_unique() > 10


def test_counts_equal_those_of_reductions_of_a_real_project(cat_project: Path) -> None:
    extraction = pf.extract(
        cat_project / "cat-project-classifications.csv", cat_project / "cat_project_extractor_config.yaml"
    )
    check(extraction, pf.tune(extraction, eps=EPS[1:], min_samples=[2, 3]))


BOTH = {"cluster_method": "dbscan,hdbscan", "split": ["none", "doubled"]}


def test_methods_and_splits_are_compared_too(partitioned: Path) -> None:
    table = pf.tune(partitioned, eps="0.5,1", min_samples=[2, 3], jobs=1, **BOTH)
    expected = [
        (eps, least, method, split)
        for method, several in (("dbscan", (0.5, 1.0)), ("hdbscan", (None,)))
        for split in ("doubled", "none")
        for eps in several
        for least in (2, 3)
    ]
    assert table.select(COMPARED).rows() == expected
    check(partitioned, table, min_threshold=0.3)
    known = (pl.col("eps") == 1) & (pl.col("split") == "none")
    assert (
        table["merged_clusters"].is_not_null().to_list()
        == table.select(known.fill_null(value=False))["eps"].to_list()
    )
    # At 1 neighbours are joined, and splits bring them back.
    wide = table.filter(pl.col("eps") == 1)
    assert wide["split"].to_list() == ["doubled", "doubled", "none", "none"]
    assert wide["doubled_clusters"].to_list()[2] > 3 * wide["doubled_clusters"].to_list()[0]
    assert wide["clusters"].to_list()[2] < wide["clusters"].to_list()[0]


def test_methods_and_splits_default_to_those_of_the_output(small_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(small_export, out, jobs=1, cluster_method="hdbscan", split="doubled", min_samples=3)
    table = pf.tune(out, min_samples="2,3")
    assert table.select(*COMPARED, "current").rows() == [
        (None, 2, "hdbscan", "doubled", False),
        (None, 3, "hdbscan", "doubled", True),
    ]
    notes: list[str] = []
    assert not pf.tune(out, cluster_method="dbscan", split="none", say=notes.append)["current"].any()
    assert notes[-1] == (
        f"{out} was made with min_samples 3, cluster_method hdbscan, split doubled, which is not among these"
    )
    pf.tune(out, eps=0.3, cluster_method="hdbscan", min_samples=3, say=notes.append)
    assert "eps is ignored, since cluster_method is hdbscan" in notes
    with pytest.raises(UsageError, match="cluster_method must be one of dbscan, hdbscan"):
        pf.tune(out, cluster_method="optics")
    with pytest.raises(UsageError, match="split: no value to try; expected a list such as none,doubled"):
        pf.tune(out, split=[])


@pytest.mark.parametrize("repeats", ["first", "all"])
def test_the_current_row_agrees_with_the_tables(partitioned: Path, repeats: Any) -> None:
    table = pf.tune(partitioned, eps="0.5,0.6", min_samples="2:4", jobs=1)
    current = table.filter("current").to_dicts()
    assert [(row["eps"], row["min_samples"]) for row in current] == [(0.6, 3)]
    groups, reductions = (pf.scan(partitioned, name).collect() for name in ("groups", "reductions"))
    assert current[0]["clusters"] == groups["n_clusters"].sum()
    assert current[0]["outliers"] == groups["n_outliers"].sum()
    assert current[0]["clusters_kept"] == reductions.height
    assert current[0]["consensus_median"] == reductions["consensus"].median()


def test_results_do_not_depend_on_the_number_of_workers(partitioned: Path) -> None:
    steps: list[tuple[int, int]] = []
    two = pf.tune(partitioned, jobs=2, progress=lambda *step: steps.append(step))
    assert two.equals(pf.tune(partitioned, jobs=1))
    parts = [pl.read_parquet(part).height for part in sorted((partitioned / "classifications").iterdir())]
    done = [step for step, _ in steps]
    assert sorted(after - before for before, after in itertools.pairwise(done)) == sorted(parts)
    assert {total for _, total in steps} == {sum(parts)}


def test_workers_may_be_processes(partitioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyframe.pipeline.executors.joblib_executor._TASKS_FOR_THREADS", 0)
    by_processes = pf.tune(partitioned, eps="0.5,0.9", jobs=2, engine="shapely")
    assert by_processes.equals(pf.tune(partitioned, eps="0.5,0.9", jobs=1, engine="shapely"))


def test_each_distance_is_computed_once(partitioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[tuple[int, int]]] = []
    calls: list[int] = []
    marks_taking_part = marks.marks_taking_part
    pair_distances = marks.pair_distances

    def begin(*arguments: Any) -> Any:
        seen.append([])
        return marks_taking_part(*arguments)

    def count(polygons: Any, areas: Any, bounds: Any, left: Any, right: Any, engine: Any) -> Any:
        calls.append(len(left))
        seen[-1] += zip(left.tolist(), right.tolist(), strict=True)
        return pair_distances(polygons, areas, bounds, left, right, engine)

    monkeypatch.setattr(marks, "pair_distances", count)
    monkeypatch.setattr("polyframe.pipeline.tune_partitions.marks_taking_part", begin)
    pf.tune(partitioned, eps="0.1:0.9:0.1", min_samples="1:5", jobs=1)
    assert len(seen) == len(list((partitioned / "extractions").iterdir()))
    assert len(calls) == 2 * len(seen)  # one for neighbours, one for the other pairs within clusters
    assert all(len(pairs) == len(set(pairs)) for pairs in seen)
    pairs_of_all = sum(map(len, seen))
    # Smaller eps and larger min_samples need no more pairs than the widest setting alone.
    seen.clear()
    pf.tune(partitioned, eps=0.9, min_samples=1, jobs=1)
    assert pairs_of_all == sum(map(len, seen)) > 100


def distances_of(extraction: pf.Extraction) -> Any:
    """Return the distances of the marks of one group, those that are infinite as 9."""
    marks = extraction.extractions
    polygons = repaired_polygons(marks).polygons
    return np.minimum(g.iou_distance_matrix(polygons, marks["classification_id"].to_list()), 9)


def cores_of(distances: Any, eps: float, min_samples: int) -> tuple[Any, Any]:
    """Return labels and cores of one group by scikit-learn."""
    from sklearn.cluster import DBSCAN

    fitted = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(distances)
    return fitted.labels_, fitted.core_sample_indices_


def squares_at(positions: list[tuple[float, int]]) -> pf.Extraction:
    """Return squares of side 10 in one group: the x and the classification of each are given."""
    ordered = sorted(positions, key=lambda position: position[1])
    marks = [
        {
            "workflow_id": 1,
            "subject_id": 1,
            "task": "T0",
            "frame": 0,
            "tool": "T0_toolIndex0",
            "classification_id": number,
            "mark_index": k,
            "x": [x, x + 10, x + 10, x],
            "y": [0.0, 0.0, 10.0, 10.0],
        }
        for k, (x, number) in enumerate(ordered)
    ]
    frame = pl.DataFrame(marks).with_columns(
        pl.lit(None, EXTRACTIONS.schema[name]).alias(name)
        for name in EXTRACTIONS.schema
        if name not in marks[0]
    )
    extractions = EXTRACTIONS.conform(frame)
    classifications = extractions.unique("classification_id").with_columns(
        workflow_version=pl.lit("1.1"), n_marks=1, image_width=None, image_height=None
    )
    return pf.Extraction(CLASSIFICATIONS.conform(classifications), extractions, REJECTS.empty())


def _extracted(text: str) -> pf.Extraction:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        path.write_text(text, encoding="utf-8")
        return pf.extract(path)


POSITIONS = st.lists(
    st.tuples(st.integers(0, 40).map(lambda x: x / 2), st.integers(0, 7)), min_size=1, max_size=14
)
SOME = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@SOME
@given(POSITIONS)
def test_squares_in_a_row(positions: list[tuple[float, int]]) -> None:
    """Compare with reductions and scikit-learn; a larger eps never gives more outliers."""
    squares = squares_at(positions)
    table = pf.tune(squares, eps=EPS, min_samples=MIN_SAMPLES, engine="shapely")
    check(
        squares, table.filter(pl.col("eps").is_in(EPS[1::2]) & (pl.col("min_samples") < 4)), engine="shapely"
    )
    distances = distances_of(squares)
    for (least,), rows in table.group_by("min_samples"):
        along = rows.sort("eps")
        assert along["outliers"].diff().drop_nulls().le(0).all()
        assert along["merged_clusters"].is_null().to_list() == [True] + [False] * (len(EPS) - 1)
        fitted = [cores_of(distances, eps, int(least)) for eps in along["eps"]]
        for (labels, cores), (new_labels, _), merged in zip(
            fitted, fitted[1:], along["merged_clusters"][1:], strict=False
        ):
            pairs = {(labels[core], new_labels[core]) for core in cores}
            assert merged == len({a for a, _ in pairs}) - len({b for _, b in pairs})


@SOME
@given(POSITIONS, st.sampled_from([1, 1000]))
def test_large_groups_have_the_same_counts(positions: list[tuple[float, int]], duplicates: int) -> None:
    squares = squares_at(positions)
    settings = {"eps": [0.3, 0.7, 0.85], "min_samples": MIN_SAMPLES, **BOTH}
    expected = pf.tune(squares, engine="shapely", **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_clusters, "LARGE_GROUP", 2)
        patch.setattr(repeated_outlines, "MANY_DUPLICATES", duplicates)
        table = pf.tune(squares, engine="shapely", **settings)
    quartiles = cs.starts_with("consensus_")
    assert table.select(~quartiles).equals(expected.select(~quartiles))
    for name in table.select(quartiles).columns:
        assert table[name].to_list() == pytest.approx(expected[name].to_list(), abs=1e-12)


def test_counts_worked_out_by_hand() -> None:
    """Two volunteers draw two squares each, 10 wide and 8 apart; the second one a pixel to the right.

    Neighbours that overlap by 9 of 10 have IoU 90/110, distance 0.1818; by 3, 30/170, 0.8235.
    """
    squares = squares_at([(0, 0), (8, 0), (1, 1), (9, 1)])
    table = pf.tune(squares, eps="0.1,0.2,0.9", min_samples=2)
    rows = table.to_dicts()
    assert table["clusters"].to_list() == [0, 2, 1]
    assert table["outliers"].to_list() == [4, 0, 0]
    assert table["outlier_share"].to_list() == [1, 0, 0]
    assert table["marks_per_cluster"].to_list() == [None, 2, 4]
    assert table["largest_cluster"].to_list() == [0, 2, 4]
    assert table["doubled_clusters"].to_list() == [0, 0, 1]
    assert table["merged_clusters"].to_list() == [None, 0, 1]
    assert [row["consensus_median"] for row in rows[:2]] == [None, pytest.approx(90 / 110)]
    # Six pairs: two of one classification, two that overlap by 9, one by 3, one (0 and 9) by 1.
    assert rows[2]["consensus_q1"] == pytest.approx((2 * 90 / 110 + 30 / 170 + 10 / 190) / 6)


def test_a_mark_between_two_clusters_may_change_sides() -> None:
    """The mark at 10 is near 7 and 13. With min_samples 4 it is in the left cluster; with 5 only the right
    cluster has a core.
    """
    squares = squares_at([(x, k) for k, x in enumerate((4.5, 4.6, 7, 10, 13, 15.5, 15.6, 15.7))])
    table = pf.tune(squares, eps=0.5, min_samples="4,5")
    assert table.select("clusters", "clustered").rows() == [(2, 8), (1, 5)]
    check(squares, table)
    right = [10, 13, 15.5, 15.6, 15.7]
    shifts = [b - a for k, b in enumerate(right) for a in right[:k]]
    expected = np.mean([(10 - shift) / (10 + shift) for shift in shifts])
    assert table["consensus_median"][1] == pytest.approx(expected)


def test_without_marks_all_counts_are_zero() -> None:
    extraction = _extracted(export_text([export_row(1, drawing())]))
    table = pf.tune(extraction, eps="0.3,0.5", min_samples=2)
    assert table["clusters"].to_list() == [0, 0]
    assert table["outlier_share"].to_list() == [None, None]
    assert table["merged_clusters"].to_list() == [None, 0]


def test_frames_and_files_of_extractions_are_accepted(example: Path) -> None:
    frame = pf.scan(example, "extractions")
    assert pf.tune(frame, eps=0.5, min_samples=2)["clusters"].to_list() == [36]
    extractions = ROOT / "tests" / "panoptes" / "extractions.csv"
    check(extractions, pf.tune(extractions, eps="0.3,0.6", min_samples=2))


def test_settings_default_to_those_of_the_output(partitioned: Path) -> None:
    notes: list[str] = []
    tune = functools.partial(pf.tune, partitioned, eps=0.6, min_samples=3, jobs=1)
    with_its_settings = tune(say=notes.append)
    assert notes == [f"settings of {partitioned}: task all, tool all, filter first, min_threshold 0.3"]
    assert tune(min_threshold=0.3).equals(with_its_settings)
    overridden = tune(min_threshold=0.0, filter="all", tool=0, say=notes.append)
    assert notes[1] == (
        f"settings given: tool 0, filter all, min_threshold 0.0; settings of {partitioned}: task all"
    )
    clusters = overridden["clusters"].item()
    assert clusters == overridden["clusters_kept"].item() != with_its_settings["clusters"].item()
    tune = functools.partial(pf.tune, partitioned, jobs=1)
    tune(eps=0.5, min_samples=2, say=notes.append)
    assert notes[-1].endswith("was made with eps 0.6, min_samples 3, which is not among these")
    with pytest.raises(UsageError, match="workflow_version: 13 contradicts"):
        tune(workflow_version="13")
    with pytest.raises(TypeError, match="unexpected keyword argument 'filters'"):
        tune(filters="all")


def test_only_the_tools_of_the_reduction_are_used(tmp_path: Path) -> None:
    extract = ["extract", "data/classifications.csv", "-o", str(tmp_path / "out"), "-q"]
    config = tmp_path / "config.yaml"
    config.write_text(
        "extractor_config:\n  polygon_extractor:\n  - {task: T0, tools: [0]}\n", encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        cli(extract, standalone_mode=False)
    cli(["reduce", str(tmp_path / "out"), "-c", str(config), "-q"], standalone_mode=False)
    row = pf.tune(tmp_path / "out", eps=0.5, min_samples=2, jobs=1).row(0, named=True)
    labels = pf.scan(tmp_path / "out", "labels").collect()
    assert labels["tool"].unique().to_list() == ["T0_toolIndex0"]
    assert (row["current"], row["marks"]) == (True, labels.height)
    assert row["outliers"] == (labels["cluster_label"] == -1).sum()


def test_values_in_a_configuration_are_ignored(example: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "reducer_config:\n  polygon_reducer: {eps: 0.2, min_samples: 3}\n---\n".replace("---\n", "")
        + "  polygon_reducer_contours: {eps: 0.7}\n",
        encoding="utf-8",
    )
    table = pf.tune(example, config, eps="0.3,0.5", min_samples=2, jobs=1)
    assert table.equals(pf.tune(example, eps="0.3,0.5", min_samples=2, jobs=1))


def test_an_output_without_volunteers_needs_filter_all(tmp_path: Path, small_export: Path) -> None:
    pf.run(small_export, tmp_path / "out", volunteers="drop", jobs=1)
    with pytest.raises(UsageError, match="--filter all"):
        pf.tune(tmp_path / "out")
    assert pf.tune(tmp_path / "out", filter="all")["marks"].max() == 10


def test_without_reductions_no_row_is_current(
    tmp_path: Path, small_export: Path, polyframe: Callable[..., Any]
) -> None:
    assert polyframe("extract", small_export, "-o", tmp_path / "out", "-q").code == 0
    before = _content(tmp_path / "out")
    table = pf.tune(tmp_path / "out")
    assert not table["current"].any()
    assert table["marks"].unique().to_list() == [10]
    assert _content(tmp_path / "out") == before


@pytest.mark.parametrize("n_runs", [1, 2])
def test_runs_during_the_tune_do_not_change_its_table(
    n_runs: int, tmp_path: Path, small_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local output keeps two versions, so that the second run removes the one that the tune reads."""
    out = tmp_path / "out"
    pf.run(small_export, out, jobs=1)
    expected = pf.tune(out)
    rows = [export_row(100 + number, drawing(square(0, 0))) for number in range(n_runs)]
    more = export_text(rows).splitlines(keepends=True)[1:]
    read = tune_partitions.read_parts

    def run_and_read(*arguments: Any) -> Any:
        while more:
            small_export.write_text(small_export.read_text(encoding="utf-8") + more.pop(), encoding="utf-8")
            pf.run(small_export, out, jobs=1)
        return read(*arguments)

    monkeypatch.setattr(tune_partitions, "read_parts", run_and_read)
    if n_runs == 1:
        assert pf.tune(out).equals(expected)
    else:
        with pytest.raises(pf.PolyframeError, match="runs replaced version 1 during the tune; tune it again"):
            pf.tune(out)
    assert more == []
    assert not pf.tune(out).equals(expected)


def test_a_damaged_part_is_named(tmp_path: Path, small_export: Path) -> None:
    pf.run(small_export, tmp_path / "out", jobs=1)
    part = next((tmp_path / "out" / "extractions").iterdir())
    part.write_bytes(part.read_bytes()[:500])
    with pytest.raises(pf.PolyframeError, match="is missing or damaged"):
        pf.tune(tmp_path / "out")
    with pytest.raises(pf.PolyframeError, match="no such directory"):
        pf.tune(tmp_path / "nothing")


def _content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return functools.reduce(operator.or_, ({str(path): path.read_bytes()} for path in files))
