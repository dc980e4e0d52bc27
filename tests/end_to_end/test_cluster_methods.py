"""The settings `cluster_method` and `split`: everywhere, recorded, and without scikit-learn if not needed."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from cluster_oracle import distance_matrix, group_labels
from polars.testing import assert_frame_equal

import polyframe as pf
from polyframe.consensus import group_clusters
from polyframe.consensus.extract import repaired_polygons
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings
from polyframe.core.tables import GROUP_KEYS
from polyframe.pipeline import plan
from polyframe.synthetic import write_export
from polyframe.synthetic.synth_options import SynthOptions

WIDE = {"eps": 1.0, "cluster_method": "dbscan", "split": "doubled"}
HDBSCAN = {"cluster_method": "hdbscan", "split": "doubled"}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with objects that touch."""
    path = tmp_path_factory.mktemp("crowded") / "export.csv"
    write_export(path, SynthOptions(subjects=5, volunteers=6, seed=3, vertices=30, close_pairs=1.0))
    return path


def expected_labels(extractions: pl.DataFrame, settings: Settings) -> list[int]:
    """Return the labels of all groups by scikit-learn; no classification is a repeat."""
    labels: list[int] = []
    for group in extractions.partition_by(GROUP_KEYS, maintain_order=True):
        classes = group["classification_id"].to_list()
        matrix = distance_matrix(repaired_polygons(group).polygons, classes)
        labels += group_labels(matrix, classes, settings)
    return labels


@pytest.mark.parametrize("options", [WIDE, HDBSCAN, {**HDBSCAN, "split": "none", "min_samples": 4}])
def test_labels_equal_those_of_scikit_learn(export: Path, options: dict[str, object]) -> None:
    extraction = pf.extract(export)
    reduction = pf.reduce(extraction, filter="all", engine="shapely", **options)
    expected = expected_labels(extraction.extractions, Settings().replace(options))
    assert reduction.labels["cluster_label"].to_list() == expected
    assert len(set(expected)) > 2


def test_the_order_of_rows_changes_nothing(export: Path, tmp_path: Path) -> None:
    marks = pf.extract(export).extractions
    before = pf.reduce(marks, **HDBSCAN)
    after = pf.reduce(marks.sample(fraction=1, shuffle=True, seed=4), **HDBSCAN)
    for name in ("groups", "labels", "reductions"):
        assert_frame_equal(getattr(after, name), getattr(before, name))
    rows = pl.read_csv(export, infer_schema=False)
    rows.sample(fraction=1, shuffle=True, seed=5).write_csv(tmp_path / "shuffled.csv")
    pf.run(export, tmp_path / "one", jobs=1, **HDBSCAN)
    pf.run(tmp_path / "shuffled.csv", tmp_path / "other", jobs=1, **HDBSCAN)
    for table in ("labels", "reductions", "contours"):
        (one,), (other,) = ((tmp_path / out / table).iterdir() for out in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_later_stages_reuse_the_settings(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", 20_000)
    whole, steps = tmp_path / "whole", tmp_path / "steps"
    pf.run(export, whole, jobs=1, **HDBSCAN)
    assert not list(pf.validate(whole))
    pf.extract(export, output=steps, jobs=1)
    pf.reduce(steps, output=steps, jobs=1, **HDBSCAN)
    notes: list[str] = []
    pf.contours(steps, output=steps, jobs=1, say=notes.append)
    assert any("cluster_method hdbscan, split doubled" in note for note in notes)
    for table in ("labels", "reductions", "contours"):
        assert_frame_equal(pf.scan(steps, table).collect(), pf.scan(whole, table).collect())
    with pytest.raises(UsageError, match="split: none contradicts doubled"):
        pf.contours(steps, output=steps, split="none")
    pf.reduce(steps, output=steps, split="none")
    in_memory = pf.reduce(pf.extract(export), cluster_method="hdbscan")
    assert_frame_equal(pf.scan(steps, "labels").collect(), in_memory.labels)


def test_eps_is_ignored_with_a_note(export: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    extraction = pf.extract(export)
    one = pf.reduce(extraction, cluster_method="hdbscan", say=notes.append)
    assert "cluster_method is hdbscan, which ignores eps" in notes
    other = pf.reduce(extraction, cluster_method="hdbscan", eps=0.1, say=notes.append)
    assert notes[-1] == "eps 0.1 is ignored, since cluster_method is hdbscan"
    assert_frame_equal(one.reductions, other.reductions)
    summary = pf.run(export, tmp_path / "out", jobs=1, cluster_method="hdbscan", eps=0.2, say=notes.append)
    assert notes[-1] == summary.notes[-1] == "eps 0.2 is ignored, since cluster_method is hdbscan"
    pf.reduce(tmp_path / "out", output=tmp_path / "out", eps=0.3, say=notes.append)
    assert "eps 0.3 is ignored, since cluster_method is hdbscan" in notes
    notes.clear()
    pf.reduce(extraction, split="doubled", eps=0.2, say=notes.append)
    assert notes == []


def test_reducers_may_have_them(export: Path, tmp_path: Path) -> None:
    reducers = {"polygon_reducer": {**HDBSCAN, "min_samples": 3}, "polygon_reducer_contours": None}
    notes: list[str] = []
    reduction = pf.reduce(pf.extract(export), {"reducer_config": reducers}, say=notes.append)
    assert_frame_equal(reduction.labels, pf.reduce(pf.extract(export), min_samples=3, **HDBSCAN).labels)
    assert any("split doubled applies to polygon_reducer_contours too" in note for note in notes)
    reducers["polygon_reducer_contours"] = {"split": "none"}
    with pytest.raises(UsageError, match="a run has one clustering"):
        pf.reduce(pf.extract(export), {"reducer_config": reducers})


def test_too_many_overlapping_marks(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is DBSCAN, and no split, and a note that says so."""
    extraction = pf.extract(export)
    dbscan = pf.reduce(extraction, eps=0.9)
    monkeypatch.setattr(group_clusters, "LARGE_GROUP", 2)
    monkeypatch.setattr(group_clusters, "MOST_IN_MATRIX", 1)
    notes: list[str] = []
    reduction = pf.reduce(extraction, eps=0.9, say=notes.append, **HDBSCAN)
    assert_frame_equal(reduction.labels, dbscan.labels)
    assert notes[-1] == (
        "in 6 groups more than 5,000 marks overlap, whose distances do not fit into memory: "
        "they were clustered by dbscan with eps 0.9, and their large clusters were not split"
    )
    summary = pf.run(export, tmp_path / "out", jobs=1, say=notes.append, **WIDE)
    n_groups = summary.accounting.groups_too_large
    assert 0 < n_groups <= 6 < reduction.groups.height
    assert notes[-1] == (
        f"in {n_groups} groups more than 5,000 marks overlap, whose distances do not fit into memory: "
        "their large clusters were not split"
    )
    assert not list(pf.validate(tmp_path / "out"))


@pytest.mark.parametrize(
    ("flags", "imported"),
    [([], False), (["--split", "doubled"], False), (["--cluster-method", "hdbscan"], True)],
)
def test_scikit_learn_is_imported_only_if_it_is_used(
    small_export: Path, tmp_path: Path, flags: list[str], imported: bool
) -> None:
    """No cluster of this export is doubled."""
    code = (
        "import sys\n"
        "from polyframe.cli.app import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "print('sklearn' in sys.modules)\n"
    )
    call = ["run", str(small_export), "-o", str(tmp_path / "out"), "--jobs", "1", "-q", *flags]
    done = subprocess.run([sys.executable, "-c", code, *call], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == str(imported)
