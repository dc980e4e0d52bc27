"""Volunteers who draw badly have the lowest scores."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import polyframe as pf
from polyframe.synthetic import SynthOptions, write_export
from polyframe.synthetic.volunteer_pool import make_volunteers


def scribblers(options: SynthOptions) -> set[str]:
    """Return the volunteers who always scribble, as tables name them."""
    pool = make_volunteers(options)
    names = [
        name if user_id else f"{name}/{session}"
        for name, user_id, session in zip(pool.name, pool.user_id, pool.session, strict=True)
    ]
    return {name for name, scribbles in zip(names, pool.scribbler, strict=True) if scribbles}


def separation(volunteers: pl.DataFrame, bad: set[str]) -> float:
    """Return how often a bad volunteer has a lower score than another one (area under the ROC curve)."""
    known = volunteers.drop_nulls("score")
    is_bad = pl.col("volunteer").is_in(sorted(bad))
    low, high = known.filter(is_bad)["score"].to_list(), known.filter(~is_bad)["score"].to_list()
    assert len(low) >= 3
    assert len(high) >= 10
    pairs = [(a < b) + (a == b) / 2 for a in low for b in high]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_scribblers_rank_last(share: float, seed: int, tmp_path: Path) -> None:
    options = SynthOptions(subjects=50, volunteers=8, pool=40, vertices=24, scribblers=share, seed=seed)
    write_export(tmp_path / "export.csv", options)
    reduction = pf.reduce(pf.extract(tmp_path / "export.csv"), engine="shapely")
    bad = scribblers(options)
    assert len(bad) == round(40 * share)
    assert separation(reduction.volunteers, bad) >= 0.95


def test_volunteers_who_draw_the_right_objects_badly_rank_last(tmp_path: Path) -> None:
    """Too large and shifted, but still in the clusters of the others."""
    options = SynthOptions(subjects=50, volunteers=8, pool=30, vertices=24, scribblers=0, seed=3)
    write_export(tmp_path / "export.csv", options)
    extraction = pf.extract(tmp_path / "export.csv")
    bad = set(extraction.classifications["volunteer"].unique().sort().to_list()[::5])
    marks = extraction.extractions
    columns = []
    for axis in ("x", "y"):
        moved = [
            [centre + 1.25 * (value - centre) + 0.1 * (max(path) - min(path)) for value in path]
            if volunteer in bad
            else path
            for volunteer, path in marks.select("volunteer", axis).iter_rows()
            for centre in [sum(path) / len(path)]
        ]
        columns.append(pl.Series(axis, moved, pl.List(pl.Float64)))
    reduction = pf.reduce(replace(extraction, extractions=marks.with_columns(columns)), engine="shapely")
    volunteers = reduction.volunteers
    of_bad = volunteers.filter(pl.col("volunteer").is_in(sorted(bad)))
    assert of_bad["n_outliers"].sum() < of_bad["n_marks"].sum() / 2
    assert separation(volunteers, bad) >= 0.95


def test_the_worst_two_of_the_real_project(cat_project: Path, tmp_path: Path) -> None:
    pf.run(
        cat_project / "cat-project-classifications.csv",
        tmp_path / "out",
        [cat_project / f"cat_project_{stage}_config.yaml" for stage in ("extractor", "reducer")],
        jobs=1,
    )
    worst = pf.volunteers(tmp_path / "out", limit=2)
    assert worst.select("n_outliers", "n_marks").rows() == [(22, 24), (5, 7)]
