"""Test the columns that follow from memberships, on frames of marks, against GEOS and hand cases."""

import importlib.util
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from resampling import seed_of

import polyframe as pf
from polyframe.consensus import group_clusters, membership_figures, reduce
from polyframe.consensus.marks import Distances
from polyframe.consensus.membership_figures import cluster_seeds
from polyframe.consensus.membership_figures import membership_figures as figures_of
from polyframe.consensus.reduce import cluster_marks
from polyframe.core.settings import Settings
from polyframe.geometry.stability import resample_weights

ENGINES = ["shapely", "compiled"] if importlib.util.find_spec("numba") else ["shapely"]
STABILITY = ["expected_iou", "area_low", "area_high", "classifications_needed"]


def marks_of(*outlines: Any, **columns: list[Any]) -> pl.DataFrame:
    """Return extractions: one mark of another volunteer for each outline, unless columns say otherwise."""
    n = len(outlines)
    names = [f"volunteer{k}" for k in range(n)]
    values: dict[str, Any] = {
        "workflow_id": [1] * n,
        "subject_id": [1] * n,
        "task": ["T0"] * n,
        "frame": [0] * n,
        "tool": ["T0_toolIndex0"] * n,
        "classification_id": list(range(n)),
        "mark_index": [0] * n,
        "created_at": [None] * n,
        "gold_standard": [None] * n,
        "details": [None] * n,
        "user_name": columns.get("volunteer", names),
        "volunteer": names,
        "x": [list(map(float, shapely.get_coordinates(outline)[:-1, 0])) for outline in outlines],
        "y": [list(map(float, shapely.get_coordinates(outline)[:-1, 1])) for outline in outlines],
    }
    frame = pl.DataFrame(values | columns, schema_overrides={"created_at": pl.Datetime("us", "UTC")})
    texts = dict.fromkeys(("volunteer", "user_name", "details"), pl.String)
    return frame.cast({**texts, "gold_standard": pl.Boolean})


def numbers(column: pl.Series) -> Any:
    """Return the numbers of a column, NaN for missing ones."""
    return column.cast(pl.Float64).to_numpy()


def box(x: float, y: float = 0, width: float = 10, height: float = 10) -> Any:
    return shapely.box(x, y, x + width, y + height)


def blobs(rng: np.random.Generator, count: int, x: float = 0) -> list[Any]:
    """Outlines of one object with random waves."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outlines = []
    for _ in range(count):
        waves = sum(rng.normal(0, 0.06) * np.cos(k * angle + rng.uniform(0, 7)) for k in range(1, 7))
        radius = 50 * (1 + waves)
        points = np.column_stack([x + radius * np.cos(angle), radius * np.sin(angle)]) + rng.normal(0, 3, 2)
        outlines.append(max(shapely.get_parts(shapely.Polygon(points).buffer(0)), key=lambda part: part.area))
    return outlines


def scene(seed: int = 5) -> pl.DataFrame:
    """Subjects with clusters of 2, 3, 5 and 12 marks, and outliers, in any order."""
    rng = np.random.default_rng(seed)
    outlines: list[Any] = []
    subjects: list[int] = []
    for subject, counts in {3: (5, 12), 4: (2, 3), 9: (1, 7)}.items():
        for place, count in enumerate(counts):
            outlines += blobs(rng, count, 1000 * place)
            subjects += [subject] * count
    return marks_of(*outlines, subject_id=subjects)


def test_by_hand() -> None:
    # Two squares, one of them three times, and a mark far away.
    marks = marks_of(box(0), box(0), box(0), box(5), box(90))
    result = pf.reduce(marks, eps=0.9)
    # Of the others, two or three agree on the same square; those of the last one of the cluster, too.
    assert result.labels["cluster_label"].to_list() == [0, 0, 0, 0, -1]
    assert result.labels["iou_others"].to_list() == [*[pytest.approx(1)] * 3, pytest.approx(1 / 3), None]
    (row,) = result.reductions.select(*STABILITY, "n_classifications").to_dicts()
    # The region of a resample is the square, unless the other one is drawn more than twice: or twice, but
    # then the median mark, one of the three, is in the square.
    seeds = cluster_seeds(cluster_marks(marks, None, Settings().replace({"eps": 0.9, "engine": "shapely"})))
    weights = resample_weights(np.array([4]), seeds)
    others = weights[3] > 2
    assert row["expected_iou"] == pytest.approx(np.mean(np.where(others, 1 / 3, 1.0)))
    assert (row["area_low"], row["area_high"]) == (pytest.approx(100), pytest.approx(100))
    error = (1 - row["expected_iou"]) / (1 - 0.95)
    assert row["classifications_needed"] == max(1, math.ceil(round(4 * error**2, 6) * 5 / 4))
    assert row["n_classifications"] == 5


def test_two_marks_are_compared_with_each_other() -> None:
    result = pf.reduce(marks_of(box(0), box(5)), eps=0.9)
    assert result.labels["iou_others"].to_list() == pytest.approx([1 / 3, 1 / 3])
    assert result.reductions.select(STABILITY).row(0) == (None,) * 4


def test_empty_majority() -> None:
    # A chain: each point is in at most two of five marks.
    result = pf.reduce(marks_of(*(box(6 * k) for k in range(5))), eps=0.9)
    assert result.labels["cluster_label"].to_list() == [0] * 5
    # Without the second mark, no three of four marks overlap; two do, with their median mark among them.
    assert result.labels["iou_others"].null_count() == 0
    (row,) = result.reductions.to_dicts()
    assert 0 <= row["expected_iou"] < 1
    assert row["area_low"] == 0


def test_marks_of_the_same_volunteer_are_no_others() -> None:
    outlines = [box(0), box(2), box(6), box(4)]
    columns = {"classification_id": [1, 2, 3, 3], "volunteer": ["ann", "ann", "bob", "bob"]}
    marks = marks_of(*outlines, mark_index=[0, 0, 0, 1], **columns)
    computed = pf.reduce(marks, eps=0.9, filter="all").labels["iou_others"].to_list()
    # Of two others, the first on ties is the region.
    others = [outlines[2], outlines[2], outlines[0], outlines[0]]
    assert computed == pytest.approx([iou(one, other) for one, other in zip(outlines, others, strict=True)])
    # If volunteers are dropped, each classification is that of another one.
    settings = Settings().replace({"eps": 0.9, "filter": "all", "volunteers": "drop", "engine": "shapely"})
    dropped = figures_of(cluster_marks(marks, None, settings), settings).iou_others
    nameless = marks.with_columns(volunteer=pl.lit(None, pl.String), user_name=pl.lit(None, pl.String))
    expected = pf.reduce(nameless, eps=0.9, filter="all").labels["iou_others"]
    assert dropped.tolist() == expected.to_list() != computed
    # Of the first mark, three marks are others: at least two of them cover x from 4 to 14.
    assert expected[0] == pytest.approx(iou(outlines[0], box(4)))


def iou(one: Any, other: Any) -> float:
    return float(shapely.intersection(one, other).area / shapely.union(one, other).area)


def test_clusters_below_the_threshold_have_iou_others() -> None:
    marks = marks_of(box(0), box(1), box(90), box(91), box(92))
    result = pf.reduce(marks, min_threshold=0.5)
    assert result.reductions.height == 1
    assert result.labels["iou_others"].null_count() == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_subjects_alone_have_the_same_bytes(engine: Any) -> None:
    marks = scene()
    whole = pf.reduce(marks, engine=engine)
    for subject in marks["subject_id"].unique():
        alone = pf.reduce(marks.filter(subject_id=subject), engine=engine)
        for name in ("labels", "reductions"):
            table: pl.DataFrame = getattr(whole, name)
            assert getattr(alone, name).equals(table.filter(subject_id=subject))
    shuffled = pf.reduce(marks.sample(fraction=1, shuffle=True, seed=4), engine=engine)
    assert shuffled.labels.equals(whole.labels)
    assert shuffled.reductions.equals(whole.reductions)


@pytest.mark.skipif("compiled" not in ENGINES, reason="needs numba")
def test_engines_agree() -> None:
    one, other = (pf.reduce(scene(), engine=engine) for engine in ("shapely", "compiled"))
    for table, columns in (("labels", ["iou_others"]), ("reductions", STABILITY)):
        for column in columns:
            values, others = (numbers(getattr(result, table)[column]) for result in (one, other))
            assert others == pytest.approx(values, rel=1e-9, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_large_groups_and_chunks(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pf.reduce(scene(), engine=engine)
    monkeypatch.setattr(membership_figures, "_MOST_PAIRS", 1)
    chunks = pf.reduce(scene(), engine=engine)
    assert chunks.labels.equals(whole.labels)
    assert chunks.reductions.equals(whole.reductions)
    # The groups of 8 and 17 marks are clustered in another way, which keeps no distances.
    monkeypatch.setattr(group_clusters, "LARGE_GROUP", 8)
    large = pf.reduce(scene(), engine=engine)
    for table, columns in (("labels", ["iou_others"]), ("reductions", STABILITY)):
        for column in columns:
            values, others = (numbers(getattr(result, table)[column]) for result in (whole, large))
            assert others == pytest.approx(values, rel=1e-9, abs=1e-9, nan_ok=True)


def test_distances_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings().replace({"engine": "shapely"})
    clusters = cluster_marks(scene(), None, settings)
    computed = []
    original = membership_figures.distances_between

    def counting(marks: Any, pairs: Any, known: Distances, engine: str) -> Any:
        computed.append(len(pairs[0]))
        return original(marks, pairs, known, engine)

    monkeypatch.setattr(membership_figures, "distances_between", counting)
    reduce.reduction_tables(clusters, settings)
    assert sum(computed) == 0


def test_distances_of_small_groups_are_known_beside_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_clusters, "LARGE_GROUP", 8)
    clusters = cluster_marks(scene(), None, Settings().replace({"engine": "shapely"}))
    known, marks = clusters.distances, clusters.marks
    assert np.all(np.diff(known.first * len(clusters.members) + known.second) > 0)
    cluster = np.repeat(np.arange(len(clusters.counts)), clusters.counts)
    assert np.array_equal(cluster[known.first], cluster[known.second])
    in_small = np.diff(marks.group_offsets)[clusters.group] < 8
    assert np.array_equal(np.unique(cluster[known.first]), np.flatnonzero(in_small & (clusters.counts > 1)))
    for first, second, distance in zip(known.first, known.second, known.distances, strict=True):
        one, other = marks.polygons[clusters.members[[first, second]]]
        assert distance == pytest.approx(1 - one.intersection(other).area / one.union(other).area)


def test_clusters_with_too_many_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, notes = pf.reduce(scene()), []
    monkeypatch.setattr(membership_figures, "MOST_MARKS", 5)
    result = pf.reduce(scene(), say=notes.append)
    assert [note for note in notes if "are not computed" in note] == [
        "2 clusters have more than 5 marks; for so many, iou_others, expected_iou, area_low, area_high and "
        "classifications_needed are not computed"
    ]
    sizes = pl.col("clusters_count")
    for column in STABILITY:
        expected = whole.reductions.with_columns(pl.when(sizes <= 5).then(column).alias(column))
        assert result.reductions[column].to_list() == expected[column].to_list()
    clustered = result.labels.filter(pl.col("cluster_label") >= 0)
    assert clustered["iou_others"].null_count() == 12 + 7


def test_seeds_are_hashes_of_the_keys() -> None:
    clusters = cluster_marks(scene(), None, Settings().replace({"engine": "shapely"}))
    rows = pf.reduce(scene()).reductions
    keys = rows.select("workflow_id", "subject_id", "task", "frame", "tool", "cluster_label").rows()
    expected = [seed_of(key) for key in keys]
    assert cluster_seeds(clusters).tolist() == expected
    assert len(set(expected)) == rows.height > 3
