"""The CSV files of panoptes_aggregation: ours equal those of the reference tool, cell by cell."""

import csv
import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square
from reference_jobs import run_jobs
from stores import versions, without_store

import polyframe as pf
from polyframe.core.spreadsheet_cells import escape_formula

csv.field_size_limit(2**31 - 1)

Call = Callable[..., Done]
Rows = list[dict[str, str]]

PROJECT = {
    "workflow_id": 28090,
    "version": "13.19",
    "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
}
EXAMPLE = {
    "workflow_id": 4321,
    "version": "7.12",
    "extractor_config": {"polygon_extractor": [{"task": "T0", "tools": [0, 1]}]},
}
DEFAULTS: dict[str, Any] = {"eps": 0.5, "min_samples": 2}
REDUCTIONS: dict[str, dict[str, Any]] = {
    **{
        average: {**DEFAULTS, "average_type": average}
        for average in ("median", "union", "intersection", "last")
    },
    "collab": {
        "collab": True,
        "min_threshold": 0.2,
        "step_key": "S7",
        "task_index": 3,
        "tool_type": "polygon",
    },
    "sparse": {"eps": 0.3, "min_samples": 4},
}
CONTOURS = {
    "contours": {**DEFAULTS, "rasterisation": False},
    "tight": {"eps": 0.3, "min_samples": 2, "rasterisation": False},
}


def run_reference(
    python: str, export: Path, folder: Path, project: dict[str, Any], reducers: dict[str, Any]
) -> None:
    """Run the reference tool, which writes FOLDER/<name>.csv for each job."""
    jobs = [
        {**project, "name": name, "keywords": keywords, "reducer": reducer}
        for reducer, of_reducer in reducers.items()
        for name, keywords in of_reducer.items()
    ]
    assert run_jobs(python, export, folder, jobs) == {}


@pytest.fixture(scope="module")
def of_project(
    cat_project: Path, reference_python: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("project")
    export = cat_project / "cat-project-classifications.csv"
    run_reference(
        reference_python,
        export,
        folder,
        PROJECT,
        {"polygon_reducer": REDUCTIONS, "polygon_reducer_contours": CONTOURS},
    )
    return folder, export, PROJECT


@pytest.fixture(scope="module")
def of_example(
    reference_python: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    """The example has frames and both kinds of tools; the contours of the reference tool fail on it."""
    folder = tmp_path_factory.mktemp("example")
    export = ROOT / "data" / "classifications.csv"
    run_reference(reference_python, export, folder, EXAMPLE, {"polygon_reducer": REDUCTIONS})
    return folder, export, EXAMPLE


def ours(project: dict[str, Any], export: Path, folder: Path, **settings: Any) -> None:
    """Write our tables with the settings of a job."""
    settings.pop("rasterisation", None)
    tools = project["extractor_config"]["polygon_extractor"][0].get("tools")
    pf.run(
        export,
        folder,
        workflow_id=project["workflow_id"],
        workflow_version=project["version"],
        task="T0",
        tool=tools,
        filter="all",
        engine="shapely",
        jobs=1,
        partition_size=1,
        **settings,
    )


def read(path: Path) -> tuple[list[str], Rows]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    return list(reader.fieldnames or ()), rows


def assert_same_cells(our_row: dict[str, str], their_row: dict[str, str], as_geometry: bool) -> None:
    """Compare two rows: numbers to 1e-9, and shapes as geometry if their rings may start elsewhere."""
    assert our_row.keys() == their_row.keys()
    for column, cell in our_row.items():
        theirs = their_row[column]
        if column == "data.aggregation_version":
            assert cell.startswith("polyframe ")
        elif column.endswith(("_consensus", "threshold")) and cell and theirs:
            assert json.loads(cell) == pytest.approx(json.loads(theirs), abs=1e-9)
        elif as_geometry and column.endswith(("_clusters_x", "_contours_x")):
            y = f"{column[:-1]}y"
            assert_same_shapes(shapes(our_row, column, y), shapes(their_row, column, y))
        elif not (as_geometry and column.endswith(("_clusters_y", "_contours_y"))):
            assert cell == theirs, column


def shapes(row: dict[str, str], x: str, y: str) -> list[shapely.Polygon]:
    paths = zip(json.loads(row[x] or "[]"), json.loads(row[y] or "[]"), strict=True)
    return [shapely.Polygon(zip(*path, strict=True)) for path in paths]


def assert_same_shapes(ours: list[shapely.Polygon], theirs: list[shapely.Polygon]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.area == pytest.approx(other.area, rel=1e-9, abs=1e-9)
        difference = shapely.make_valid(one).symmetric_difference(shapely.make_valid(other))
        assert difference.area <= 1e-9 * max(one.area, 1)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("which", ["of_project", "of_example"])
def test_reductions_equal_those_of_the_reference_tool(
    which: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder, export, project = request.getfixturevalue(which)
    ours(project, export, tmp_path / "out", contours=False, **REDUCTIONS[name])
    (done,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "csv", what="reductions")
    assert done.path.name == "polygon_reducer_reductions.csv"
    columns, rows = read(done.path)
    their_columns, their_rows = read(folder / f"{name}.csv")
    assert columns == their_columns
    assert ("data.data" in columns) == (name == "collab")
    assert len(rows) == len(their_rows) == done.count
    for row, their_row in zip(rows, their_rows, strict=True):
        assert_same_cells(row, their_row, as_geometry=name in ("union", "intersection"))


@pytest.mark.parametrize("name", CONTOURS)
def test_contours_equal_those_of_the_reference_tool(
    name: str, of_project: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The order of tools in the reference tool is random, so rows and columns are sorted."""
    folder, export, project = of_project
    ours(project, export, tmp_path / "out", **CONTOURS[name])
    done = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "contours.csv", what="contours")
    columns, rows = read(done[0].path)
    their_columns, their_rows = read(folder / f"{name}.csv")
    assert sorted(columns) == sorted(their_columns)
    assert columns[:5] == their_columns[:5]
    assert len(rows) == len(their_rows)
    for row, their_row in zip(sorted(rows, key=_keys), sorted(their_rows, key=_keys), strict=True):
        assert_same_cells(row, their_row, as_geometry=True)


def _keys(row: dict[str, str]) -> tuple[str, ...]:
    endings = ("subject_id", "_cluster_label_for_contours", "_cluster_labels")
    return tuple(f"{name}{row[name]}" for end in endings for name in sorted(row) if name.endswith(end))


def test_the_published_file_of_the_project_is_reproduced(cat_project: Path, tmp_path: Path) -> None:
    """Written by the reference tool 5.1.0, which wrote fewer columns, in the same order."""
    export = cat_project / "cat-project-classifications.csv"
    ours(PROJECT, export, tmp_path / "out", contours=False, **REDUCTIONS["median"])
    (done,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "reductions.csv")
    columns, rows = read(done.path)
    their_columns, their_rows = read(cat_project / "polygon_reducer_reductions_median.csv")
    assert [name for name in columns if name in their_columns] == their_columns
    for row, their_row in zip(rows, their_rows, strict=True):
        assert_same_cells({name: row[name] for name in their_columns}, their_row, as_geometry=False)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Frames and tools beyond nine, a subject without marks, two tasks, several partitions."""
    rows = [
        export_row(
            10 * subject + place,
            drawing(
                square(place, 0),
                square(place, 50, frame=10, toolIndex=10),
                square(place, 50, frame=2, toolIndex=2),
                task="T3" if subject == 4 else "T0",
            )
            if subject != 2
            else "[]",
            subject_ids=subject,
        )
        for subject in (1, 2, 3, 4)
        for place in range(3)
    ]
    (tmp_path / "many.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "many.csv", tmp_path / "out", engine="shapely", jobs=1)
    return tmp_path / "out"


def test_rows_and_columns_are_in_the_order_of_strings(out: Path, tmp_path: Path) -> None:
    columns, rows = read(pf.export(out, "panoptes-csv", tmp_path / "r.csv")[0].path)
    assert [(row["subject_id"], row["task"]) for row in rows] == [
        (subject, task) for subject in "1234" for task in ("T0", "T3")
    ]
    labels = [name for name in columns if name.endswith("T0_toolIndex10_cluster_labels")]
    assert labels == ["data.frame10.T0_toolIndex10_cluster_labels"]
    assert [name.split(".")[1] for name in columns if name.endswith("_cluster_labels")][:3] == [
        "frame0",
        "frame10",
        "frame2",
    ]
    assert [row["data.threshold"] for row in rows[:3]] == ["[1.0, 1.0, 1.0]", "", ""]


def test_numbers_of_contours_are_integers_unless_a_row_lacks_them(
    small_export: Path, out: Path, tmp_path: Path
) -> None:
    pf.run(small_export, tmp_path / "small", engine="shapely", jobs=1)
    _, rows = read(pf.export(tmp_path / "small", "panoptes-csv", tmp_path / "c.csv", what="contours")[0].path)
    assert {row["data.frame0.T0_toolIndex0_number_of_contours"] for row in rows} == {"4"}
    _, rows = read(pf.export(out, "panoptes-csv", tmp_path / "d.csv", what="contours")[0].path)
    assert {row["data.frame0.T0_toolIndex0_number_of_contours"] for row in rows} == {"3.0", ""}


FORMULA_STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\n=", "\r\n=", " =", "\u00a0-", "\u3000@", "\v+"]
SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\ufe66")
#: Full-width and small forms of the signs, and invisible characters before them.
FORMULA_STARTS += [
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
    "\ufe66",
    "\ufeff=",
    "\u200b=",
    "\x01=",
    "\n\uff1d",
]


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_cell_becomes_a_formula(start: str, tmp_path: Path) -> None:
    task = f"{start}cmd|' /C calc'!A0"
    rows = [export_row(place, drawing(square(place, 0), task=task)) for place in range(3)]
    (tmp_path / "evil.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(
        tmp_path / "evil.csv",
        tmp_path / "out",
        engine="shapely",
        jobs=1,
        collab=True,
        step_key=f"{start}1",
        tool_type=f"{start}2",
    )
    for done in pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "csv"):
        columns, rows_ = read(done.path)
        assert len(rows_) == (3 if done.path.name.endswith("_extractions.csv") else 1)
        for cell in [*columns, *(cell for row in rows_ for cell in row.values())]:
            assert cell.lstrip(f"{string.whitespace}\u00a0\u3000\x01\u200b\ufeff")[:1] not in SIGNS
        assert rows_[0]["task"] == f"'{task}"
        if done.path.name.startswith("polygon_reducer_reductions"):
            assert rows_[0]["data.parameters.step_key"] == f"'{start}1"
            assert rows_[0]["data.parameters.tool_type"] == f"'{start}2"


@pytest.mark.parametrize("text", ["", " ", "T0", "1=1", "a\n=1", "'=1", "(-1)", "[-1]", "\u2014", "\u200b"])
def test_other_strings_are_unchanged(text: str) -> None:
    assert escape_formula(text) == text


@pytest.mark.parametrize("is_of_an_earlier_release", [False, True])
def test_a_run_during_the_export(
    is_of_an_earlier_release: bool, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions stay as they are; the only version of an earlier release is replaced."""
    from polyframe.export import panoptes_csv

    pf.export(out, "panoptes-csv", tmp_path / "before.csv")
    if is_of_an_earlier_release:
        without_store(out)
    tasks = panoptes_csv._tasks

    def changing(*arguments: Any) -> list[str]:
        pf.reduce(out, output=out, eps=0.25, min_samples=2, engine="shapely", jobs=1)
        return tasks(*arguments)

    monkeypatch.setattr(panoptes_csv, "_tasks", changing)
    if is_of_an_earlier_release:
        with pytest.raises(pf.PolyframeError, match="replaced version 0 during the export; export it again"):
            pf.export(out, "panoptes-csv", tmp_path / "r.csv")
    else:
        pf.export(out, "panoptes-csv", tmp_path / "r.csv")
        assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
        assert versions(out) == [1, 2]
    written = [] if is_of_an_earlier_release else ["r.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.csv", "many.csv", "out", *written]


def test_invalid_calls_are_errors(out: Path, small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("export", out, "--to", "panoptes-csv", "-o", tmp_path / "csv")
    assert done.code == 0
    assert done.out.splitlines()[0].endswith("csv/polygon_reducer_reductions.csv: 8 rows")
    assert polyframe("export", tmp_path, "--to", "panoptes-csv", "-o", tmp_path / "csv").code == 1
    assert polyframe("export", out, "--to", "excel", "-o", tmp_path / "csv").code == 2
    done = polyframe("export", out, "--to", "panoptes-csv", "-o", small_export.with_suffix(".txt"))
    assert done.code == 0  # a folder of that name
    (tmp_path / "notes").touch()
    done = polyframe("export", out, "--to", "panoptes-csv", "-o", tmp_path / "notes")
    assert done.code == 2
    assert "does not end in .csv" in done.err
    polyframe("extract", small_export, "-o", tmp_path / "extracted")
    done = polyframe("export", tmp_path / "extracted", "--to", "panoptes-csv", "-o", tmp_path / "x.csv")
    assert done.code == 1
    assert "polyframe reduce" in done.err
    with pytest.raises(pf.UsageError, match="did you mean 'panoptes-csv'"):
        pf.export(out, "panoptes_csv", tmp_path / "x.csv")
    with pytest.raises(TypeError, match="unexpected keyword argument 'wat'"):
        pf.export(out, "panoptes-csv", tmp_path / "x.csv", wat=1)  # type: ignore[call-arg]
    with pytest.raises(pf.UsageError, match="not one of reductions, contours"):
        pf.export(out, "panoptes-csv", tmp_path / "x.csv", what="labels")
