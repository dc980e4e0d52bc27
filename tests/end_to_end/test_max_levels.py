"""A cluster with more levels than `max_levels`: everything that reads levels looks up their numbers."""

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
import pytest
import shapely
from exports import Done, drawing, export_row, export_text, square
from pages import page_of

import polyframe as pf
from polyframe.core.plurals import counted
from polyframe.plot import read_groups
from polyframe.store.validation import Finding

Call = Callable[..., Done]

#: Seven squares of 10 x 10, each one pixel to the right of the one before: level k is 18 - 2 k wide.
SQUARES = 7
NOTE = (
    "1 of 1 cluster has more than 3 levels; evenly spaced ones were written, see contours_level; "
    "--max-levels writes more"
)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "x.csv"
    rows = [export_row(place, drawing(square(place, 0))) for place in range(SQUARES)]
    path.write_text(export_text(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def thinned(export: Path) -> Path:
    out = export.parent / "thinned"
    summary = pf.run(export, out, engine="shapely", jobs=1, max_levels=3)
    assert summary.notes[-1] == NOTE
    return out


def test_evenly_spaced_levels_are_written(thinned: Path) -> None:
    (row,) = pf.scan(thinned, "contours").collect().to_dicts()
    assert (row["number_of_contours"], row["contours_level"]) == (7, [1, 4, 7])
    assert row["contours_area"] == [160, 100, 40]
    assert [max(x) - min(x) for x in row["contours_x"]] == [16, 10, 4]
    assert shapely.from_wkb(row["geometry"]).area == 160


def test_levels_keep_their_numbers_when_they_are_exploded(thinned: Path) -> None:
    levels = pf.explode_levels(pf.scan(thinned, "contours"))
    assert levels.select("level", "area").rows() == [(1, 160), (4, 100), (7, 40)]
    assert levels.schema["level"] == pl.Int32


@pytest.mark.parametrize(
    ("most", "expected"), [(1, [1]), (2, [1, 7]), (7, [*range(1, 8)]), (8, [*range(1, 8)])]
)
@pytest.mark.parametrize("method", ["exact", "raster"])
def test_contours_in_memory(export: Path, method: str, most: int, expected: list[int]) -> None:
    notes: list[str] = []
    marks = pf.extract(export, say=notes.append)
    contours = pf.contours(marks, max_levels=most, contour_method=method, say=notes.append)
    assert contours["contours_level"].to_list() == [expected]
    assert contours["number_of_contours"].to_list() == [SQUARES]
    assert [note for note in notes if "levels" in note] == (
        [NOTE.replace("3 levels", counted(most, "level"))] if most < 7 else []
    )


def test_only_contours_are_rebuilt_with_another_number(export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    pf.run(export, out, engine="shapely", jobs=1)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.parquet")}
    done = polyframe("contours", out, "--max-levels", "3")
    assert NOTE in done.err
    changed = {path.parent.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"contours"}
    assert pf.status(out).settings["max_levels"] == 3
    assert NOTE in polyframe("contours", out, "--max-levels", "3").err


def test_exports_look_levels_up(thinned: Path, tmp_path: Path) -> None:
    notes: list[str] = []

    def levels(level: int | str | None) -> list[tuple[int, float]]:
        (done,) = pf.export(
            thinned, "geojson", tmp_path / "x.geojson", what="contours", level=level, say=notes.append
        )
        properties = [feature["properties"] for feature in json.loads(done.path.read_text())["features"]]
        return [(feature["level"], feature["area"]) for feature in properties]

    assert levels(None) == [(1, 160), (4, 100), (7, 40)]
    assert levels(4) == [(4, 100)]
    assert not notes
    assert levels(2) == []
    assert "not written (max_levels)" in notes[-1]
    assert levels(8) == []
    assert notes[-1].startswith("1 of 1 cluster has no level 8: subject ")
    assert levels("50%") == [(4, 100)]
    assert levels("57%") == [(4, 100)]
    assert levels("58%") == []
    assert notes[-1].startswith("1 of 1 cluster has level 58%, but it was not written (max_levels): subject ")


def test_pictures_look_levels_up(thinned: Path) -> None:
    (group,) = read_groups(thinned, int(pf.scan(thinned, "groups").collect()["subject_id"][0]))
    (cluster,) = group.clusters
    assert (cluster.level_numbers, cluster.highest_level) == ([1, 4, 7], 7)
    figure, axes = plt.subplots(1, 4)
    pf.plot.agreement(group, axes[0])
    (bands,) = [band for band in axes[0].collections if band.get_gid() == "agreement"]
    assert bands.get_array().tolist() == pytest.approx([1 / 7, 4 / 7, 1])
    for ax, level, words in (
        (axes[1], 4, "level 4 of 7"),
        (axes[2], 2, "level 2 not written (max_levels)"),
        (axes[3], 8, "only 7 levels"),
    ):
        pf.plot.level(group, ax, level=level)
        assert words in " ".join(ax.get_legend().get_texts()[0].get_text().split())
        assert len([patch for patch in ax.patches if patch.get_gid() == "level"]) == (level == 4)
    plt.close(figure)


def test_reports_contain_the_numbers(thinned: Path, tmp_path: Path) -> None:
    pf.report(thinned, tmp_path / "report.html")
    clusters = page_of(tmp_path / "report.html").data["clusters"]
    assert (clusters["levelNumbers"], clusters["levelAreas"]) == ([[1, 4, 7]], [[160, 100, 40]])


def test_the_csv_of_the_reference_tool_says_that_levels_are_missing(thinned: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    pf.export(thinned, "panoptes-csv", tmp_path / "c.csv", what="contours", say=notes.append)
    assert len(notes) == 1
    assert "1 cluster has more levels than max_levels (3)" in notes[0]


def test_validate_checks_the_numbers(thinned: Path) -> None:
    assert pf.validate(thinned) == []


def test_a_table_without_a_column_is_reported(thinned: Path, tmp_path: Path) -> None:
    (part,) = (thinned / "contours").iterdir()
    content = part.read_bytes()
    try:
        pl.read_parquet(part).drop("contours_level").write_parquet(part)
        for call in (
            lambda: pf.scan(thinned, "contours"),
            lambda: pf.export(thinned, "geojson", tmp_path / "x.geojson", what="contours"),
            lambda: pf.report(thinned, tmp_path / "x.html"),
            lambda: read_groups(thinned, int(pf.scan(thinned, "groups").collect()["subject_id"][0])),
        ):
            with pytest.raises(pf.PolyframeError, match="has no column 'contours_level'; rebuild it with"):
                call()
        findings: list[Finding] = pf.validate(thinned)
        assert any(finding.check == "schema" for finding in findings)
    finally:
        part.write_bytes(content)
