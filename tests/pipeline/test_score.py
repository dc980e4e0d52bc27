"""Scores against an expert: worked out by hand, the same from each kind of file, and a naive comparison."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from exports import drawing, export_row, square
from gold_cases import (
    expert_coco,
    expert_geojson,
    expert_rows,
    feature,
    geojson,
    volunteer_rows,
    write_rows,
)

import polyframe as pf
from polyframe.core.result_tables import SCORES
from polyframe.pipeline import plan
from polyframe.synthetic import SynthOptions, write_export

EXPECTED = {
    "n_subjects": 2,
    "n_gold": 2,
    "n_predicted": 2,
    "n_matched": 1,
    "precision": 0.5,
    "recall": 0.5,
    "f1": 0.5,
    "matched_iou": 0.64,
    "gold_iou": 0.32,
    "area_ratio": 100 / 64,
    "area_ratio_median": 100 / 64,
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    pf.run(write_rows(tmp_path / "export.csv", volunteer_rows()), tmp_path / "out", jobs=1, engine="shapely")
    return tmp_path / "out"


def golds(folder: Path) -> dict[str, Path]:
    """Write the same outlines in each form."""
    return {
        "export": write_rows(folder / "expert.csv", expert_rows()),
        "geojson": expert_geojson(folder / "expert.geojson"),
        "tools named": expert_geojson(folder / "tools.geojson", tool="T0_toolIndex0", frame=0, workflow_id=7),
        "coco": expert_coco(folder / "expert.json"),
        "another category": expert_coco(folder / "cells.json", "cell"),
    }


def everything(table: pl.DataFrame) -> dict[str, Any]:
    (row,) = table.filter(scope="all").to_dicts()
    return row


@pytest.mark.parametrize("form", ["export", "geojson", "tools named", "coco", "another category"])
def test_averages_worked_out_by_hand(form: str, out: Path) -> None:
    """One of two gold squares is matched, 8 of 10 wide; on subject 2 the expert drew nothing."""
    notes: list[str] = []
    table = pf.score(out, golds(out.parent)[form], say=notes.append)
    assert table.schema == SCORES.schema
    assert table.select("scored", "scope", "tool", "volunteer").rows() == [
        ("median", "all", None, None),
        ("median", "tool", "T0_toolIndex0", None),
    ]
    for row in table.to_dicts():
        assert {name: row[name] for name in EXPECTED} == pytest.approx(EXPECTED)
        # Two sides have distance 0; along the others, it is at most 2, and the corner sqrt(8).
        assert 0.9 < row["boundary_distance"] < 1.1
    assert notes[-1] == (f"{golds(out.parent)[form]}: 2 gold outlines on 2 of the 3 subjects of {out}")


def test_marks_of_each_volunteer(out: Path) -> None:
    """Two volunteers matched one of two gold outlines each; the third one drew nothing."""
    table = pf.score(out, golds(out.parent)["geojson"], what="marks")
    rows = {row["volunteer"]: row for row in table.filter(scope="volunteer").to_dicts()}
    assert list(rows) == ["volunteer1", "volunteer2", "volunteer3"]
    for name in ("volunteer1", "volunteer2"):
        assert {key: rows[name][key] for key in EXPECTED} == pytest.approx(EXPECTED)
    idle = rows["volunteer3"]
    assert (idle["n_subjects"], idle["n_gold"], idle["n_predicted"], idle["n_matched"]) == (2, 2, 0, 0)
    assert (idle["precision"], idle["recall"], idle["f1"], idle["gold_iou"]) == (None, 0, 0, 0)
    total = everything(table)
    assert (total["n_gold"], total["n_predicted"], total["n_matched"]) == (6, 4, 2)
    assert (total["precision"], total["recall"], total["f1"]) == pytest.approx((2 / 4, 2 / 6, 4 / 10))


def test_a_contour_level(out: Path) -> None:
    gold = golds(out.parent)["coco"]
    for level, n_predicted in ((1, 2), (2, 2), (3, 0)):
        notes: list[str] = []
        row = everything(pf.score(out, gold, level=level, say=notes.append))
        assert (row["scored"], row["n_predicted"]) == (f"level {level}", n_predicted)
        missed = "2 of 2 clusters of these subjects have no level 3, so their objects count as missed"
        assert (missed in notes) == (n_predicted == 0)
    assert pf.score(out, gold, what="contours", level=2).equals(pf.score(out, gold, level=2))
    for share, level in (("50%", 1), ("50.1%", 2), ("100%", 2)):
        row = everything(pf.score(out, gold, level=share))
        assert row.pop("scored") == f"level {share}"
        assert row.items() <= everything(pf.score(out, gold, level=level)).items()


def test_our_own_exports_score_perfectly(out: Path, tmp_path: Path) -> None:
    for to, name, options in (
        ("geojson", "a.geojson", {}),
        ("coco", "b.json", {}),
        ("geojson", "c.geojson", {"level": 2}),
    ):
        pf.export(out, to, tmp_path / name, **options, say=lambda _: None)  # type: ignore[arg-type]
        row = everything(pf.score(out, tmp_path / name, **options))
        assert (row["precision"], row["recall"], row["gold_iou"], row["boundary_distance"]) == (1, 1, 1, 0)
        assert row["n_gold"] == 3
    pf.export(out, "geojson", tmp_path / "all.geojson", what="contours")
    with pytest.raises(pf.PolyframeError, match="several contour levels of each cluster; export one of them"):
        pf.score(out, tmp_path / "all.geojson")


def test_exported_shares_are_one_level_of_each_cluster(tmp_path: Path) -> None:
    rows = [
        export_row(10 * subject + volunteer, drawing(square(volunteer, 0)), subject_ids=subject)
        for subject, volunteers in ((1, 3), (2, 5))
        for volunteer in range(volunteers)
    ]
    pf.run(write_rows(tmp_path / "export.csv", rows), tmp_path / "out", jobs=1, engine="shapely")
    pf.export(tmp_path / "out", "geojson", tmp_path / "half.geojson", level="50%")
    row = everything(pf.score(tmp_path / "out", tmp_path / "half.geojson", level="50%"))
    assert (row["scored"], row["n_gold"], row["recall"], row["gold_iou"]) == ("level 50%", 2, 1, 1)
    assert everything(pf.score(tmp_path / "out", tmp_path / "half.geojson", level=2))["gold_iou"] < 1


def test_the_rows_of_the_output_that_are_marked_as_gold_standard(tmp_path: Path) -> None:
    export = write_rows(tmp_path / "all.csv", [*volunteer_rows(), *expert_rows(gold_standard="true")])
    pf.run(export, tmp_path / "out", jobs=1, engine="shapely")
    pf.run(write_rows(tmp_path / "v.csv", volunteer_rows()), tmp_path / "apart", jobs=1, engine="shapely")
    gold = write_rows(tmp_path / "expert.csv", expert_rows())
    marks = pf.score(tmp_path / "out", "gold_standard", what="marks")
    assert marks.equals(pf.score(tmp_path / "apart", gold, what="marks"))
    assert "the expert" not in marks["volunteer"].to_list()
    # The clusters contain the marks of the expert.
    for source in ("gold_standard", gold, export):
        for options in ({}, {"level": 1}):
            with pytest.raises(pf.PolyframeError) as refused:
                pf.score(tmp_path / "out", source, **options, say=lambda _: None)
            assert "2 classifications of the expert took part in its clusters" in str(refused.value)
            assert "\n" not in str(refused.value)
    notes: list[str] = []
    table = pf.score(tmp_path / "apart", export, say=notes.append)
    assert f"{export}: of 11 classifications, only the 2 marked as gold standard are used" in notes
    assert table.equals(pf.score(tmp_path / "apart", gold))
    with pytest.raises(pf.PolyframeError, match="no classification is marked as gold standard; pass a file"):
        pf.score(tmp_path / "apart", "gold_standard")


def test_excluded_gold_standards_may_judge(tmp_path: Path) -> None:
    """The way out that the message names leads to the scores of clusters without the expert."""
    export = write_rows(tmp_path / "all.csv", [*volunteer_rows(), *expert_rows(gold_standard="true")])
    out = tmp_path / "out"
    pf.run(export, out, jobs=1, engine="shapely")
    pf.run(write_rows(tmp_path / "v.csv", volunteer_rows()), tmp_path / "apart", jobs=1, engine="shapely")
    with pytest.raises(
        pf.PolyframeError, match=rf"`polyframe reduce {re.escape(str(out))} --gold-standard exclude`"
    ):
        pf.score(out, "gold_standard", say=lambda _: None)
    pf.reduce(out, output=out, gold_standard="exclude", engine="shapely")
    gold = write_rows(tmp_path / "expert.csv", expert_rows())
    for options in ({}, {"what": "marks"}):
        expected = pf.score(tmp_path / "apart", gold, **options)  # type: ignore[arg-type]
        for source in ("gold_standard", gold, export):
            assert pf.score(out, source, **options, say=lambda _: None).equals(expected)  # type: ignore[arg-type]
    # Rows that are not marked in the output took part, whatever the file says.
    pf.run(
        write_rows(tmp_path / "u.csv", [*volunteer_rows(), *expert_rows()]),
        tmp_path / "unmarked",
        gold_standard="exclude",
        jobs=1,
        engine="shapely",
    )
    with pytest.raises(pf.PolyframeError, match="make the clusters from an export without them"):
        pf.score(tmp_path / "unmarked", export, say=lambda _: None)


def test_excluded_volunteers_are_not_scored(out: Path) -> None:
    pf.reduce(out, output=out, exclude_volunteers="volunteer1", engine="shapely", max_shrink=1.0)
    table = pf.score(out, golds(out.parent)["geojson"], what="marks")
    assert table.filter(scope="volunteer")["volunteer"].to_list() == ["volunteer2", "volunteer3"]


def test_of_several_gold_classifications_of_a_subject_one_is_used(out: Path, tmp_path: Path) -> None:
    second = [
        row | {"classification_id": 7000 + k, "created_at": "2027-01-01 00:00:00 UTC"}
        for k, row in enumerate(expert_rows())
    ]
    gold = write_rows(tmp_path / "two.csv", [*expert_rows(), *second])
    notes: list[str] = []
    table = pf.score(out, gold, say=notes.append)
    assert table.equals(pf.score(out, golds(tmp_path)["export"]))
    assert any(
        "2 classifications of a subject that has another one; only the first" in note for note in notes
    )


def test_an_expert_who_outlined_nothing(out: Path, tmp_path: Path) -> None:
    gold = geojson(*(feature(None, subject_id=subject) for subject in (2, 3)), path=tmp_path / "none.json")
    row = everything(pf.score(out, gold))
    assert (row["n_gold"], row["n_predicted"], row["precision"], row["f1"]) == (0, 2, 0, 0)
    assert [row[name] for name in ("recall", "gold_iou", "matched_iou", "area_ratio")] == [None] * 4


def test_only_images_and_tools_of_the_expert_count(tmp_path: Path) -> None:
    marks = [square(0, 0), square(0, 0, frame=1), square(0, 0, toolIndex=1), square(50, 0, task="T0")]
    rows = [export_row(k, drawing(*marks)) for k in range(3)]
    pf.run(write_rows(tmp_path / "e.csv", rows), tmp_path / "out", jobs=1, engine="shapely")
    gold = geojson(
        feature([[[0, 0], [10, 0], [10, 10], [0, 10]]], subject_id="1", tool="T0_toolIndex0"),
        path=tmp_path / "gold.json",
    )
    notes: list[str] = []
    row = everything(pf.score(tmp_path / "out", gold, say=notes.append))
    assert (row["n_gold"], row["n_predicted"], row["n_matched"], row["gold_iou"]) == (1, 2, 1, 1)
    assert f"{gold}: has no outlines of T0_toolIndex1, which are not scored" in notes
    # An expert who classified saw all frames and could use all tools.
    expert = write_rows(tmp_path / "expert.csv", [export_row(9, drawing(square(0, 0)))])
    row = everything(pf.score(tmp_path / "out", expert))
    assert (row["n_gold"], row["n_predicted"], row["n_matched"]) == (1, 4, 1)
    row = everything(pf.score(tmp_path / "out", expert, tool=0))
    assert (row["n_gold"], row["n_predicted"], row["n_matched"]) == (1, 3, 1)
    row = everything(pf.score(tmp_path / "out", expert, tool=1))
    assert (row["n_gold"], row["n_predicted"], row["n_matched"]) == (0, 1, 0)
    with pytest.raises(pf.PolyframeError, match="contains no outline of tool 5"):
        pf.score(tmp_path / "out", expert, tool=5)
    unnamed = geojson(feature([[[0, 0], [10, 0], [10, 10]]], subject_id=1), path=tmp_path / "unnamed.json")
    with pytest.raises(pf.UsageError, match=r"names no tool .*T0_toolIndex0, T0_toolIndex1.*choose one"):
        pf.score(tmp_path / "out", unnamed)
    assert everything(pf.score(tmp_path / "out", unnamed, tool=1))["n_matched"] == 1


def test_names_of_volunteers_are_as_in_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = write_rows(tmp_path / "e.csv", volunteer_rows())
    gold = write_rows(tmp_path / "expert.csv", expert_rows())
    monkeypatch.setenv("POLYFRAME_VOLUNTEERS_KEY", "secret")
    pf.run(export, tmp_path / "hashed", volunteers="hash", jobs=1, engine="shapely")
    table = pf.score(tmp_path / "hashed", gold, what="marks")
    hashes = pf.scan(tmp_path / "hashed", "classifications").collect()["volunteer"].unique().sort()
    assert table.filter(scope="volunteer")["volunteer"].to_list() == hashes.to_list()
    assert "volunteer1" not in table.write_csv()
    # The names of experts are not needed.
    monkeypatch.delenv("POLYFRAME_VOLUNTEERS_KEY")
    assert pf.score(tmp_path / "hashed", gold, what="marks").equals(table)
    pf.run(export, tmp_path / "dropped", volunteers="drop", filter="all", jobs=1, engine="shapely")
    dropped = pf.score(tmp_path / "dropped", gold, what="marks")
    assert dropped["scope"].to_list() == ["all", "tool"]
    assert dropped.drop("volunteer").equals(table.filter(pl.col("scope") != "volunteer").drop("volunteer"))


def test_partitions_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_export(tmp_path / "e.csv", SynthOptions(subjects=12, volunteers=5, seed=3, vertices=40))
    gold = tmp_path / "gold.geojson"
    for size in (1_000_000, 5_000):
        monkeypatch.setattr(plan, "_MEGABYTE", size)
        pf.run(tmp_path / "e.csv", tmp_path / str(size), jobs=1, engine="shapely")
    assert len(list((tmp_path / "5000" / "reductions").iterdir())) > 2
    pf.reduce(tmp_path / "5000", output=tmp_path / "5000", average="union", engine="shapely")
    pf.export(tmp_path / "5000", "geojson", gold)
    pf.reduce(tmp_path / "5000", output=tmp_path / "5000", average="median", engine="shapely")
    for what in ("reductions", "marks"):
        one, many = (pf.score(tmp_path / str(size), gold, what=what) for size in (1_000_000, 5_000))
        assert one.equals(many)
    assert everything(one)["area_ratio"] < 1


def test_the_output_is_not_changed(out: Path) -> None:
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for what in ("reductions", "marks"):
        pf.score(out, golds(out.parent)["coco"], what=what)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "labels"}, "what: 'labels' is not one of reductions, contours, marks"),
        ({"what": ["marks"]}, "what: ['marks'] is not one of"),
        ({"level": 0}, "level: 0 is neither a number of marks from 1"),
        ({"level": True}, "level: True is neither a number of marks from 1"),
        ({"level": 2, "what": "marks"}, "level: marks have no levels"),
        ({"what": "contours"}, "choose one of their levels with level, such as --level 3"),
        ({"min_iou": 1.5}, "min_iou must be >= 0 and <= 1 (got 1.5)"),
        ({"min_iou": "half"}, "min_iou must be >= 0 and <= 1 (got 'half')"),
        ({"min_iou": float("nan")}, "min_iou must be >= 0 and <= 1 (got nan)"),
    ],
)
def test_invalid_options(options: dict[str, Any], message: str, out: Path) -> None:
    with pytest.raises(pf.UsageError) as error:
        pf.score(out, golds(out.parent)["coco"], **options)
    assert message in str(error.value)


def test_missing_tables(tmp_path: Path, small_export: Path, polyframe: Callable[..., Any]) -> None:
    assert polyframe("extract", small_export, "-o", tmp_path / "out", "-q").code == 0
    gold = golds(tmp_path)["export"]
    with pytest.raises(pf.PolyframeError, match="has no table 'reductions'; make it with `polyframe reduce"):
        pf.score(tmp_path / "out", gold)
    assert everything(pf.score(tmp_path / "out", gold, what="marks"))["n_gold"] > 0
    with pytest.raises(pf.PolyframeError, match="no such directory"):
        pf.score(tmp_path / "nowhere", gold)


@pytest.mark.slow
def test_real_people_equal_a_naive_comparison(bu_bil: Path, tmp_path: Path) -> None:
    """One outline per image on each side, so each pair is a match if its IoU is large enough."""
    pf.run(bu_bil / "classifications.csv.gz", tmp_path / "out", eps=0.9, jobs=1, engine="shapely")
    gold = bu_bil / "gold.csv.gz"
    expert = {
        subject: shapely.make_valid(shapely.Polygon(np.column_stack([x, y])))
        for subject, x, y in pf.extract(gold).extractions.select("subject_id", "x", "y").iter_rows()
    }
    averages = pf.scan(tmp_path / "out", "reductions").select("subject_id", "geometry").collect().rows()
    pairs = [(shapely.from_wkb(wkb), expert[subject]) for subject, wkb in averages]
    iou = np.array([one.intersection(other).area / one.union(other).area for one, other in pairs])
    assert len(iou) == 197
    assert iou.mean() == pytest.approx(0.7736, abs=5e-5)  # published with the data
    table = everything(pf.score(tmp_path / "out", gold, min_iou=0))
    assert table["gold_iou"] == table["matched_iou"] == pytest.approx(iou.mean(), abs=1e-9)
    near = iou >= 0.5
    table = everything(pf.score(tmp_path / "out", gold))
    assert (table["n_gold"], table["n_predicted"], table["n_matched"]) == (197, 197, near.sum())
    assert table["gold_iou"] == pytest.approx((iou * near).mean(), abs=1e-9)
    areas = np.array([(one.area, other.area) for one, other in pairs])[near]
    assert table["area_ratio"] == pytest.approx(areas[:, 0].sum() / areas[:, 1].sum(), abs=1e-9)
    assert table["area_ratio_median"] == pytest.approx(np.median(areas[:, 0] / areas[:, 1]), abs=1e-9)
