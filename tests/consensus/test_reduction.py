"""Reductions and contours of a few marks, compared with answers worked out by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import shapely

import polyframe as pf
from polyframe.consensus.explode_levels import explode_levels
from polyframe.core.tables import CLASSIFICATIONS, CONTOURS, EXTRACTIONS, GROUPS, LABELS, REDUCTIONS, REJECTS

START = datetime(2026, 1, 1, tzinfo=UTC)


def box(x: float, y: float, width: float = 1, height: float = 1) -> list[tuple[float, float]]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def marks_of(*marks: dict[str, Any]) -> pl.DataFrame:
    """Return extractions from dictionaries with `outline` and the keys that differ from the defaults."""
    rows = []
    for number, mark in enumerate(marks):
        outline = mark["outline"]
        row = {
            "workflow_id": 1,
            "subject_id": 1,
            "task": "T0",
            "frame": 0,
            "tool": "T0_toolIndex0",
            "classification_id": number,
            "mark_index": 0,
            "created_at": START + timedelta(minutes=mark.get("classification_id", number)),
            "user_name": f"volunteer{mark.get('classification_id', number)}",
            "x": [float(x) for x, _ in outline],
            "y": [float(y) for _, y in outline],
        }
        rows.append(row | {key: value for key, value in mark.items() if key != "outline"})
    return pl.DataFrame(rows).cast({"created_at": pl.Datetime("us", "UTC")})


def polygons(*outlines: list[tuple[float, float]]) -> pl.DataFrame:
    return marks_of(*({"outline": outline} for outline in outlines))


FOUR_SQUARES = polygons(box(0, 0), box(0.5, 0), box(0, 0.5), box(0.5, 0.5))


def test_contours_of_the_four_squares() -> None:
    contours = pf.contours(FOUR_SQUARES, eps=0.9)
    assert contours["number_of_contours"].to_list() == [4]
    assert contours["contours_area"].to_list() == [pytest.approx([2.25, 1.25, 0.25, 0.25])]
    assert shapely.area(shapely.from_wkb(contours["geometry"].to_list())) == pytest.approx([2.25])


def test_exploded_levels_have_their_own_geometry() -> None:
    levels = explode_levels(pf.contours(FOUR_SQUARES, eps=0.9))
    assert levels["level"].to_list() == [1, 2, 3, 4]
    assert levels["area"].to_list() == pytest.approx([2.25, 1.25, 0.25, 0.25])
    assert shapely.area(shapely.from_wkb(levels["geometry"].to_list())) == pytest.approx(
        levels["area"].to_numpy()
    )
    assert explode_levels(CONTOURS.empty()).height == 0


def test_consensus_worked_out_by_hand() -> None:
    # Neighbours share 1/2 of 3/2, diagonal ones 1/4 of 7/4: distances 2/3 four times, 6/7 twice.
    reductions = pf.reduce(FOUR_SQUARES, eps=0.9).reductions
    assert reductions["consensus"].to_list() == [pytest.approx(1 - (4 * 2 / 3 + 2 * 6 / 7) / 6)]
    assert reductions["threshold"].to_list() == [1.0]


@pytest.mark.parametrize(
    ("average", "area"),
    [("union", 2.25), ("intersection", 0.25), ("median", 1.0), ("last", 1.0), ("majority", 0.75)],
)
def test_averages_of_the_four_squares(average: Any, area: float) -> None:
    reductions = pf.reduce(FOUR_SQUARES, eps=0.9, average_type=average).reductions
    assert reductions["area"].to_list() == [pytest.approx(area)]
    row = reductions.row(0, named=True)
    outline = shapely.Polygon(list(zip(row["clusters_x"], row["clusters_y"], strict=True)))
    assert outline.equals(shapely.from_wkb(row["geometry"]))
    assert outline.area == pytest.approx(area)


def test_median_is_the_first_on_ties_and_last_is_the_newest() -> None:
    median = pf.reduce(FOUR_SQUARES, eps=0.9, average_type="median").reductions
    assert median["clusters_x"].to_list()[0][:2] == [0, 1]
    assert min(median["clusters_y"].to_list()[0]) == 0
    last = pf.reduce(FOUR_SQUARES, eps=0.9, average_type="last").reductions
    assert min(last["clusters_x"].to_list()[0]) == 0.5
    assert min(last["clusters_y"].to_list()[0]) == 0.5


def test_the_largest_part_of_an_intersection_is_used() -> None:
    """The reference tool raises here."""
    upright = [(0, 0), (10, 0), (10, 10), (7, 10), (7, 2), (3, 2), (3, 10), (0, 10)]
    upside_down = [(0, 4), (10, 4), (10, -6), (8, -6), (8, 2.5), (3, 2.5), (3, -6), (0, -6)]
    reductions = pf.reduce(polygons(upright, upside_down), eps=1, average_type="intersection").reductions
    # Left limb: x 0..3, y 0..4; right limb: x 8..10 below y 2.5, x 7..10 above it.
    assert reductions["area"].to_list() == [pytest.approx(12)]


def test_empty_intersection() -> None:
    chain = polygons(box(0, 0, 3), box(1.5, 0, 3), box(3.2, 0, 3))
    row = pf.reduce(chain, eps=0.8, average_type="intersection").reductions.row(0, named=True)
    assert (row["clusters_count"], row["area"], row["clusters_x"], row["clusters_y"]) == (3, 0, [], [])
    assert shapely.from_wkb(row["geometry"]).equals(shapely.Polygon())
    assert pf.contours(chain, eps=0.8)["number_of_contours"].to_list() == [2]


@pytest.mark.parametrize("engine", ["shapely", "compiled"])
def test_majority_of_two_parts_and_of_none(engine: Any) -> None:
    if engine == "compiled":
        pytest.importorskip("numba", reason="the compiled loops need the extra `fast` (numba)")
    settings: Any = {"eps": 1, "average_type": "majority", "engine": engine}
    row = pf.reduce(polygons(box(0, 0, 4), box(3, 0, 4), box(6, 0, 4)), **settings).reductions.row(
        0, named=True
    )
    assert (row["clusters_count"], row["area"]) == (3, 1)
    assert (min(row["clusters_x"]), max(row["clusters_x"])) == (3, 4)
    row = pf.reduce(polygons(box(0, 0), box(5, 0), box(9, 0)), **settings).reductions.row(0, named=True)
    assert (row["clusters_count"], row["area"], row["clusters_x"], row["clusters_y"]) == (3, 0, [], [])
    assert shapely.from_wkb(row["geometry"]).equals(shapely.Polygon())


def test_a_volunteer_cannot_agree_with_themself() -> None:
    twice = [{"outline": box(0, 0), "classification_id": 5, "mark_index": index} for index in (0, 1)]
    assert pf.reduce(marks_of(*twice)).labels["cluster_label"].to_list() == [-1, -1]
    with_another = pf.reduce(marks_of(*twice, {"outline": box(0, 0), "classification_id": 6}))
    assert with_another.labels["cluster_label"].to_list() == [0, 0, 0]
    # Distances 0, 0 and, within the classification, infinity that counts as 1.
    assert with_another.reductions["consensus"].to_list() == [pytest.approx(2 / 3)]


def test_min_samples_one_makes_every_mark_a_cluster() -> None:
    result = pf.reduce(polygons(box(0, 0), box(5, 5)), min_samples=1)
    assert result.labels["cluster_label"].to_list() == [0, 1]
    assert result.reductions["consensus"].to_list() == [1, 1]
    assert result.reductions["clusters_count"].to_list() == [1, 1]


def test_eps_one_makes_all_marks_of_different_volunteers_neighbours() -> None:
    far = [{"outline": box(9 * n, 0), "classification_id": n} for n in range(3)]
    same = {"outline": box(50, 0), "classification_id": 2, "mark_index": 1}
    assert pf.reduce(marks_of(*far, same), eps=1).labels["cluster_label"].to_list() == [0, 0, 0, 0]
    assert pf.reduce(marks_of(*far, same), eps=0.99).labels["cluster_label"].to_list() == [-1] * 4


def test_groups_do_not_mix() -> None:
    marks = [
        {"outline": box(0, 0), "classification_id": n} | keys
        for n, keys in enumerate(
            (
                {},
                {"frame": 1},
                {"tool": "T0_toolIndex1"},
                {"task": "T1", "tool": "T1_toolIndex0"},
                {"subject_id": 2},
            )
        )
    ]
    result = pf.reduce(marks_of(*marks))
    assert result.labels["cluster_label"].to_list() == [-1] * 5
    assert result.groups.height == 5
    assert result.groups["n_outliers"].to_list() == [1] * 5


def test_holes_of_repaired_marks_do_not_reach_the_tables() -> None:
    # An outline that runs once round a ring and back inside leaves a hole after repair.
    ring = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (3, 3), (3, 7), (7, 7), (7, 3), (3, 3)]
    reductions = pf.reduce(polygons(ring, ring), average_type="median").reductions
    row = reductions.row(0, named=True)
    outline = shapely.Polygon(list(zip(row["clusters_x"], row["clusters_y"], strict=True)))
    assert row["area"] == outline.area == shapely.from_wkb(row["geometry"]).area == 100


@pytest.mark.parametrize(
    ("repeats", "counted", "n_classifications"),
    [("all", [0, 1, 2, 3, 4], 5), ("first", [0, 1, 3, 4], 4), ("last", [1, 2, 3, 4], 4)],
)
def test_filter_counts_one_classification_per_volunteer(
    repeats: Any, counted: list[int], n_classifications: int
) -> None:
    names = ["ann", "bob", "ann", None, None]
    marks = marks_of(
        *(
            {"outline": box(0.1 * n, 0), "classification_id": n, "user_name": name}
            for n, name in enumerate(names)
        )
    )
    result = pf.reduce(marks, filter=repeats)
    assert result.labels["classification_id"].to_list() == counted
    assert result.groups["n_classifications"].to_list() == [n_classifications]


def test_filter_compares_times_not_ids() -> None:
    marks = marks_of(
        {"outline": box(0, 0), "classification_id": 2, "user_name": "ann", "created_at": START},
        {
            "outline": box(0, 0),
            "classification_id": 1,
            "user_name": "ann",
            "created_at": START + timedelta(days=1),
        },
    )
    assert pf.reduce(marks, filter="first").labels["classification_id"].to_list() == [2]
    assert pf.reduce(marks, filter="last").labels["classification_id"].to_list() == [1]


def test_a_repeat_without_marks_still_counts_as_the_first_classification() -> None:
    marks = marks_of({"outline": box(0, 0), "classification_id": 2, "user_name": "ann"})
    classifications = pl.DataFrame(
        {
            "workflow_id": [1, 1],
            "subject_id": [1, 1],
            "classification_id": [1, 2],
            "created_at": [START, START + timedelta(minutes=2)],
            "volunteer": ["ann", "ann"],
        }
    )
    extraction = pf.Extraction(
        pl.concat([CLASSIFICATIONS.empty(), classifications], how="diagonal_relaxed"),
        pl.concat([EXTRACTIONS.empty(), marks], how="diagonal_relaxed"),
        REJECTS.empty(),
    )
    assert pf.reduce(extraction, filter="first").labels.height == 0
    assert pf.reduce(extraction, filter="last").labels.height == 1
    assert pf.reduce(extraction, filter="all").groups["n_classifications"].to_list() == [2]


def test_min_threshold_drops_clusters_from_reductions_and_contours_not_from_labels() -> None:
    marks = polygons(box(0, 0), box(0, 0), box(0, 0), box(9, 9), box(9, 9))
    result = pf.reduce(marks, min_threshold=0.4)
    assert result.labels["cluster_label"].to_list() == [0, 0, 0, 1, 1]
    assert result.groups["n_clusters"].to_list() == [2]
    assert result.reductions["cluster_label"].to_list() == [0]
    assert result.reductions["threshold"].to_list() == [pytest.approx(0.6)]
    assert pf.contours(marks, min_threshold=0.4)["cluster_label"].to_list() == [0]
    assert pf.reduce(marks, min_threshold=0.6).reductions.height == 0


def test_no_marks_give_empty_tables_with_the_right_columns() -> None:
    result = pf.reduce(EXTRACTIONS.empty())
    assert result.groups.schema == GROUPS.schema
    assert result.labels.schema == LABELS.schema
    assert result.reductions.schema == REDUCTIONS.schema
    contours = pf.contours(EXTRACTIONS.empty())
    assert contours.schema == CONTOURS.schema
    assert contours.height == 0


def test_only_outliers_give_no_reductions() -> None:
    result = pf.reduce(polygons(box(0, 0), box(5, 5)))
    assert result.groups["n_outliers"].to_list() == [2]
    assert result.reductions.schema == REDUCTIONS.schema
    assert result.reductions.height == pf.contours(polygons(box(0, 0), box(5, 5))).height == 0


@pytest.mark.parametrize("smoothing", ["minimal_sides", "rounded", "no_smoothing"])
def test_raster_contours_are_close_to_the_exact_ones(smoothing: Any) -> None:
    raster = pf.contours(
        FOUR_SQUARES, eps=0.9, contour_method="raster", num_grid_points=400, smoothing=smoothing
    )
    assert raster["contours_area"].to_list()[0] == pytest.approx([2.25, 1.25, 0.25, 0.25], abs=0.03)


def test_a_cluster_that_a_coarse_grid_misses_has_no_levels() -> None:
    # Corner, edge and corner again: no grid point of 2 x 2 lies inside a mark.
    contours = pf.contours(FOUR_SQUARES, eps=0.9, contour_method="raster", num_grid_points=2)
    row = contours.row(0, named=True)
    assert (row["number_of_contours"], row["contours_x"], row["contours_area"]) == (0, [], [])
    assert shapely.from_wkb(row["geometry"]).is_empty
    assert explode_levels(contours).height == 0


def test_missing_columns_and_unknown_settings_are_named() -> None:
    with pytest.raises(pf.UsageError, match=r"lacks the columns workflow_id, .*x, y"):
        pf.reduce(pl.DataFrame({"subject_id": [1]}))
    with pytest.raises(TypeError, match="unexpected keyword argument 'epps'"):
        pf.reduce(FOUR_SQUARES, epps=0.5)  # type: ignore[call-arg]


def test_rows_with_missing_values_are_named() -> None:
    shorter = FOUR_SQUARES.with_columns(
        pl.when(pl.col("classification_id") == 2)
        .then(pl.col("x").list.head(3))
        .otherwise(pl.col("x"))
        .alias("x")
    )
    with pytest.raises(
        pf.UsageError, match=r"row 2 of the frame \(from 0\) has x and y of different lengths"
    ):
        pf.reduce(shorter)
    for column in ("subject_id", "y", "tool"):
        missing = FOUR_SQUARES.with_columns(pl.when(pl.col("classification_id") != 1).then(pl.col(column)))
        with pytest.raises(pf.UsageError, match=f"row 1 of the frame .* has no {column}"):
            pf.contours(missing)


def test_numpy_numbers_are_settings_and_float_versions_are_not() -> None:
    import numpy as np

    assert pf.reduce(FOUR_SQUARES, eps=np.float64(0.9), min_samples=np.int64(2)).reductions.height == 1  # type: ignore[arg-type]
    with pytest.raises(pf.UsageError, match="workflow_version"):
        pf.reduce(FOUR_SQUARES, workflow_version=13.1)  # type: ignore[arg-type]
