"""The scores of each setting equal those of `score` after a reduction with it."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import Done
from gold_cases import GOLD_SQUARES, expert_geojson, expert_rows, volunteer_rows, write_rows

import polyframe as pf
from polyframe.consensus import group_clusters, marks, repeated_outlines
from polyframe.consensus.tune import gold_counts

GOLD_COLUMNS = ["gold_precision", "gold_recall", "gold_iou"]
EPS = [0.1, 0.2, 0.6, 0.9]
MIN_SAMPLES = [1, 3]


@pytest.fixture(scope="module")
def gold(partitioned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unions of a reduction as the outlines of an expert, of about half of the subjects."""
    folder = tmp_path_factory.mktemp("gold")
    shutil.copytree(partitioned, folder / "out")
    pf.reduce(
        folder / "out", output=folder / "out", average="union", eps=0.4, min_samples=2, engine="shapely"
    )
    pf.export(folder / "out", "geojson", folder / "all.geojson")
    lines = (folder / "all.geojson").read_text().splitlines()
    (folder / "gold.geojson").write_text(
        "\n".join([*lines[: len(lines) // 2], lines[len(lines) // 2].rstrip(","), "]}"])
    )
    return folder / "gold.geojson"


def check(table: pl.DataFrame, out: Path, gold: Path, **options: Any) -> None:
    """Compare each row with the scores of a reduction."""
    for row in table.iter_rows(named=True):
        names = ("eps", "min_samples", "cluster_method", "split")
        setting = {name: row[name] for name in names if row[name] is not None}
        pf.reduce(out, output=out, engine="shapely", max_shrink=1.0, **setting, **options)
        scores = pf.score(out, gold).row(0, named=True)
        expected = [scores["precision"], scores["recall"], scores["gold_iou"]]
        assert [row[name] for name in GOLD_COLUMNS] == pytest.approx(expected, abs=1e-12), setting


@pytest.mark.parametrize(("average", "least"), [("median", 0.0), ("union", 0.3), ("last", 0.0)])
def test_every_row_equals_a_score(
    average: Any, least: float, partitioned: Path, gold: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(partitioned, out)
    pf.reduce(out, output=out, average=average, min_threshold=least, max_shrink=1.0, engine="shapely")
    table = pf.tune(out, eps=EPS, min_samples=MIN_SAMPLES, gold=gold, jobs=1)
    assert table["gold_iou"].n_unique() > 2
    # The other columns are the same as without an expert.
    plain = pf.tune(out, eps=EPS, min_samples=MIN_SAMPLES, jobs=1)
    assert table.drop(GOLD_COLUMNS).equals(plain.drop(GOLD_COLUMNS))
    assert plain.select(GOLD_COLUMNS).null_count().row(0) == (plain.height,) * 3
    check(table, out, gold)


def test_other_clusterings_equal_scores_too(partitioned: Path, gold: Path, tmp_path: Path) -> None:
    shutil.copytree(partitioned, tmp_path / "out")
    grid: dict[str, Any] = {"cluster_method": "dbscan,hdbscan", "split": "none,doubled"}
    table = pf.tune(tmp_path / "out", eps=[0.3, 0.95], min_samples=2, gold=gold, jobs=1, **grid)
    assert table.height == 6
    check(table, tmp_path / "out", gold)


def test_workers_and_large_groups_do_not_matter(
    partitioned: Path, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tune(jobs: int) -> pl.DataFrame:
        return pf.tune(partitioned, eps=EPS, min_samples=MIN_SAMPLES, gold=gold, jobs=jobs, engine="shapely")

    expected = tune(1)
    assert tune(2).equals(expected)
    monkeypatch.setattr(group_clusters, "LARGE_GROUP", 2)
    monkeypatch.setattr(repeated_outlines, "MANY_DUPLICATES", 1000)
    large = tune(1)
    assert large.select("gold_precision", "gold_recall").equals(
        expected.select("gold_precision", "gold_recall")
    )
    assert large["gold_iou"].to_list() == pytest.approx(expected["gold_iou"].to_list(), abs=1e-12)


def test_each_distinct_cluster_is_averaged_once(
    partitioned: Path, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    average = gold_counts.averaged_polygons

    def count(clusters: Any, settings: Any) -> Any:
        offsets = clusters.member_offsets.tolist()
        members = [tuple(clusters.members[start:end].tolist()) for start, end in itertools.pairwise(offsets)]
        assert len(members) == len(set(members)) > 0
        seen.extend(members)
        return average(clusters, settings)

    monkeypatch.setattr(gold_counts, "averaged_polygons", count)
    table = pf.tune(partitioned, eps=EPS, min_samples=MIN_SAMPLES, gold=gold, jobs=1, engine="shapely")
    assert 0 < len(seen) < table["clusters_kept"].sum()


def test_no_distances_are_computed_for_the_expert(
    partitioned: Path, gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between marks; those to gold outlines are computed elsewhere."""
    calls: list[int] = []
    distances = marks.pair_distances

    def count(*arguments: Any) -> Any:
        calls.append(len(arguments[3]))
        return distances(*arguments)

    monkeypatch.setattr(marks, "pair_distances", count)
    totals = []
    for expert in (None, gold):
        calls.clear()
        pf.tune(partitioned, eps=EPS, min_samples=MIN_SAMPLES, gold=expert, jobs=1, engine="shapely")
        totals.append(sum(calls))
    assert totals[0] == totals[1] > 0


def test_marks_in_memory(tmp_path: Path) -> None:
    export = write_rows(tmp_path / "export.csv", volunteer_rows())
    gold = expert_geojson(tmp_path / "gold.geojson")
    pf.run(export, tmp_path / "out", jobs=1, engine="shapely")
    extraction = pf.extract(export)
    expected = pf.tune(tmp_path / "out", eps=0.5, min_samples=2, gold=gold)
    assert expected.select(GOLD_COLUMNS).row(0) == pytest.approx((0.5, 0.5, 0.64 / len(GOLD_SQUARES)))
    assert (
        pf.tune(extraction, eps=0.5, min_samples=2, gold=gold)
        .drop("current")
        .equals(expected.drop("current"))
    )
    frame = pf.tune(extraction.extractions, eps=0.5, min_samples=2, gold=gold)
    assert frame.select(GOLD_COLUMNS).equals(expected.select(GOLD_COLUMNS))


def test_an_expert_whose_marks_took_part_is_refused(tmp_path: Path) -> None:
    rows = [*volunteer_rows(), *expert_rows(gold_standard="true")]
    export = write_rows(tmp_path / "export.csv", rows)
    pf.run(export, tmp_path / "out", jobs=1, engine="shapely")
    extraction = pf.extract(export)
    for source in (tmp_path / "out", extraction, extraction.extractions):
        with pytest.raises(
            pf.PolyframeError, match=r"classifications? of the expert took part in its clusters"
        ):
            pf.tune(source, eps=0.5, min_samples=2, gold="gold_standard")


def test_excluded_gold_standards_may_judge(tmp_path: Path) -> None:
    rows = [*volunteer_rows(), *expert_rows(gold_standard="true")]
    export = write_rows(tmp_path / "export.csv", rows)
    pf.run(export, tmp_path / "out", jobs=1, engine="shapely")
    extraction = pf.extract(export)
    for source in (tmp_path / "out", extraction, extraction.extractions):
        table = pf.tune(source, eps=0.5, min_samples=2, gold="gold_standard", gold_standard="exclude")
        assert table.select("gold_recall", "gold_iou").row(0) == pytest.approx((0.5, 0.32))


def test_the_columns_are_printed_if_there_is_an_expert(
    tmp_path: Path, polyframe: Callable[..., Done]
) -> None:
    export = write_rows(tmp_path / "export.csv", volunteer_rows())
    gold = expert_geojson(tmp_path / "gold.geojson")
    pf.run(export, tmp_path / "out", jobs=1, engine="shapely")
    without = polyframe("tune", tmp_path / "out", "--eps", "0.5", "--min-samples", "2").out.splitlines()
    lines = polyframe(
        "tune", tmp_path / "out", "--eps", "0.5", "--min-samples", "2", "--gold", gold
    ).out.splitlines()
    assert lines[0].split()[-1] == "gold"
    assert lines[1].split()[-3:] == ["precision", "recall", "IoU"]
    assert lines[2].split()[-3:] == ["0.500", "0.500", "0.320"]
    assert [line[: len(short)] for line, short in zip(lines, without, strict=True)] == without
    done = polyframe("tune", tmp_path / "out", "--gold", tmp_path / "missing.csv")
    assert (done.code, len(done.err.splitlines())) == (1, 2)
    assert "missing.csv: no such file" in done.err
