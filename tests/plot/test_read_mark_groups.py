"""Groups of a subject: read from an output directory alone, with errors that list what is available."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import polyframe as pf
from polyframe.core.errors import PolyframeError
from polyframe.plot import groups_of, read_groups


def test_groups_equal_the_tables(example: Path) -> None:
    of_subject = pl.col("subject_id") == 1000003
    groups = read_groups(example, 1000003)
    table = pf.scan(example, "groups").filter(of_subject).collect()
    assert [(g.frame, g.tool) for g in groups] == table.select("frame", "tool").rows()
    assert [len(g.marks) for g in groups] == table["n_marks"].to_list()
    assert [len(g.clusters) for g in groups] == table["n_clusters"].to_list()
    assert [g.n_outliers for g in groups] == table["n_outliers"].to_list()
    clusters = [cluster for group in groups for cluster in group.clusters]
    reductions = pf.scan(example, "reductions").filter(of_subject).collect()
    assert [c.consensus for c in clusters] == reductions["consensus"].to_list()
    assert [c.n_marks for c in clusters] == reductions["clusters_count"].to_list()
    assert np.array_equal(clusters[0].average[:, 1], reductions["clusters_y"][0])
    contours = pf.scan(example, "contours").filter(of_subject).collect()
    assert [len(c.levels or []) for c in clusters] == contours["number_of_contours"].to_list()
    for path in (path for group in groups for path in group.marks):
        assert np.array_equal(path[0], path[-1])


def test_marks_belong_to_their_labels(small: Path) -> None:
    (group,) = read_groups(small, 1)
    assert group.labels.tolist() == [0, 0, 0, 0, -1]
    assert [path[:, 0].min() for path in group.marks] == [0, 1, 2, 1, 50]
    assert group.n_volunteers == 5


def test_marks_without_a_name_count_as_different_volunteers(small: Path) -> None:
    labels, extractions, reductions = (
        pf.scan(small, name).filter(pl.col("subject_id") == 1).collect()
        for name in ("labels", "extractions", "reductions")
    )
    (group,) = groups_of(extractions, labels.with_columns(volunteer=pl.lit(None, pl.String)), reductions)
    assert group.n_volunteers == 5
    (group,) = groups_of(extractions, labels.with_columns(volunteer=pl.lit("one")), reductions)
    assert group.n_volunteers == 1
    assert group.clusters[0].levels is None
    assert groups_of(extractions, labels.clear(), reductions) == []


def test_groups_can_be_chosen(example: Path) -> None:
    assert [g.tool for g in read_groups(example, 1000003, frames=[1])] == ["T0_toolIndex0", "T0_toolIndex1"]
    assert [g.frame for g in read_groups(example, 1000003, tools=[1], tasks=["T0"])] == [1]


def test_an_empty_choice_is_an_error_with_the_available_groups(example: Path) -> None:
    with pytest.raises(PolyframeError, match=r"it has frame 0 T0_toolIndex0, frame 1 T0_toolIndex0"):
        read_groups(example, 1000003, frames=[7])


def test_an_unknown_subject_is_an_error_with_the_nearest_subjects(example: Path) -> None:
    with pytest.raises(PolyframeError, match=r"no subject 1000099; .* 1000008, .* 1000012$") as caught:
        read_groups(example, 1000099)
    assert "\n" not in str(caught.value)
    with pytest.raises(PolyframeError, match="no subject 5; subjects with marks: 1000001, 1000002"):
        read_groups(example, 5)


def test_a_subject_without_marks_is_an_error(small: Path) -> None:
    with pytest.raises(PolyframeError, match="subject 3 has 1 classification, but no usable mark"):
        read_groups(small, 3)


def test_a_subject_without_clusters_can_be_read(small: Path) -> None:
    (group,) = read_groups(small, 2)
    assert (len(group.marks), group.clusters, group.n_outliers) == (2, [], 2)


def test_a_directory_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolyframeError, match="name the directory that `polyframe run` wrote"):
        read_groups(tmp_path, 1)
