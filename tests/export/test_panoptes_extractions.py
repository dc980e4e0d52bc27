"""The extractions CSV: ours equals that of the reference tool, and gives our extractions back."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from exports import ROOT, Done, drawing, export_row, export_text, square
from reference_jobs import run_jobs

import polyframe as pf
from polyframe.export import panoptes_extractions
from polyframe.export.export_options import FORMATS
from polyframe.panoptes.aggregation_csv.extraction_rows import path_texts
from polyframe.panoptes.aggregation_csv.subtask_extracts import extracts
from polyframe.store import reading

csv.field_size_limit(2**31 - 1)

Call = Callable[..., Done]
Rows = list[dict[str, str]]

NEW = json.dumps({"classifier_version": "2.0"})
#: Names that need quotes in CSV, or that programs take for something else.
NAMES = ['Ann "the eye" O\'Neil', "comma, colon;", "line\nbreak", "très-net_日本", "12", "a'b", "tab\there"]

DETAILS = {
    "T0_tool0": ["question_extractor", "text_extractor", "dropdown_extractor", None],
    "T0_tool1": ["slider_extractor"],
    "T0_toolIndex0_subtask0": "question_extractor",
    "T0_toolIndex0_subtask1": "text_extractor",
    "T0_toolIndex1_subtask0": "slider_extractor",
}
HAND_MADE = {
    "workflow_id": 7,
    "version": "3",
    "extractor_config": {
        "polygon_extractor": [{"task": "T0", "details": DETAILS}, {"task": "T3"}],
        "bezier_extractor": [{"task": "T5"}],
    },
}
JOBS: dict[str, dict[str, Any]] = {
    "cat": {
        "workflow_id": 28090,
        "version": "13.19",
        "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
    },
    "cat-all-versions": {
        "workflow_id": 28090,
        "version": {"min": "4.4", "max": "13"},
        "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
    },
    "example": {
        "workflow_id": 4321,
        "version": "7.12",
        "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
    },
    "example-old": {
        "workflow_id": 4321,
        "version": "7.9",
        "extractor_config": {
            "polygon_extractor": [{"task": "T0", "tools": [0, 1]}],
            "bezier_extractor": [{"task": "T3"}],
        },
    },
    "example-both": {
        "workflow_id": 4321,
        "version": "7",
        "extractor_config": {
            "polygon_extractor": [{"task": "T0", "details": {"T0_toolIndex0_subtask0": "question_extractor"}}]
        },
    },
    "bu-bil": {
        "workflow_id": 1,
        "version": "1.1",
        "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
    },
    "hand-made": HAND_MADE,
}
#: An export for which the files differ, as the guide says.
DIFFERENT = {
    "workflow_id": 7,
    "version": "3.1",
    "extractor_config": {"polygon_extractor": [{"task": "T0"}]},
}


def new_mark(index: int, *subtasks: int, tool: int = 0, **more: Any) -> dict[str, Any]:
    details = [{"task": f"T0.{tool}.{subtask}"} for subtask in subtasks]
    return square(index, 3.5, toolIndex=tool, details=details, **more)


def old_mark(index: int, *answers: Any, tool: int = 0, frame: int = 0) -> dict[str, Any]:
    points = [{"x": index + x, "y": y} for x, y in ((0, 0), (30, 0.25), (30, 40), (0.5, 40))]
    return {
        "tool": tool,
        "frame": frame,
        "points": points,
        "details": [{"value": value} for value in answers],
    }


def annotations(*tasks: tuple[str, list[Any]], answers: tuple[tuple[str, int, Any], ...] = ()) -> str:
    drawn: list[dict[str, Any]] = [{"task": task, "value": value} for task, value in tasks]
    drawn += [
        {"task": task, "taskType": "single", "markIndex": mark, "value": value}
        for task, mark, value in answers
    ]
    drawn.append({"task": "T9", "value": 'a "question", with\na line'})
    return json.dumps(drawn)


def hand_made_rows() -> list[dict[str, Any]]:
    """Return rows of both classifiers, with frames, tools, tasks, sub-tasks and odd names, sorted by ID."""
    old_tasks = [
        [old_mark(0, 1, 'it\'s "so", no?', [{"value": "ab"}, {"value": None}], 5)],
        [old_mark(1, [0, 2], "", [], 1), old_mark(2, tool=1), old_mark(3, 0.5, tool=1, frame=10)],
        [old_mark(4, None, None, [{"value": "Yes, très net"}], 2), old_mark(5, 7, tool=1, frame=2)],
        [],
    ]
    curve = [{"x": x, "y": y} for x, y in ((0, 0), (10.5, 1), (20, 0), (21, 15), (20, 30.25), (7, 9))]
    bezier = {"tool": 0, "frame": 0, "points": curve, "details": []}
    rows = [
        export_row(
            i, annotations(("T0", marks), ("T3", []), ("T5", [bezier] * (i % 2))), workflow_version="3.1"
        )
        for i, marks in enumerate(old_tasks)
    ]
    new_tasks: list[tuple[list[Any], tuple[tuple[str, int, Any], ...]]] = [
        ([new_mark(0, 0, 1)], (("T0.0.0", 0, 1), ("T0.0.1", 0, 'caf\u00e9 "\n\u65e5'))),
        (
            [new_mark(1, 0, tool=1), new_mark(2, 0), new_mark(3, 0, 1, frame=2)],
            (("T0.1.0", 0, 4), ("T0.0.0", 1, None), ("T0.0.0", 2, [0, 1]), ("T0.0.1", 2, None)),
        ),
        ([], ()),
        ([new_mark(4)], ()),
    ]
    rows += [
        export_row(
            10 + i,
            annotations(("T0", marks), ("T3", [square(1e-5, i, toolIndex=2)] * (i % 2)), answers=answers),
            workflow_version="3.2",
            metadata=NEW,
        )
        for i, (marks, answers) in enumerate(new_tasks)
    ]
    for i, row in enumerate(rows):
        row |= {
            "user_name": NAMES[i % len(NAMES)],
            "user_id": None if i == 3 else i,
            # Neither the subjects nor the times are in the order of the rows.
            "subject_ids": 5 - i % 3,
            "created_at": f"2026-01-01 10:00:{59 - i:02d} UTC",
            "gold_standard": "true" if i == 1 else "",
        }
    return rows


@pytest.fixture(scope="module")
def exports(cat_project: Path, bu_bil: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The classification export of each job."""
    folder = tmp_path_factory.mktemp("exports")
    hand_made = folder / "hand-made.csv"
    hand_made.write_text(export_text(hand_made_rows()), encoding="utf-8")
    some = folder / "bu-bil.csv"
    pl.read_csv(bu_bil / "classifications.csv.gz", infer_schema=False).head(60).write_csv(some)
    cat = cat_project / "cat-project-classifications.csv"
    different = folder / "different.csv"
    rows = [
        export_row(3, drawing(square(0, 0)), user_name="NA"),
        export_row(2, '[{"task": "T0", "value": null}]', metadata=NEW),
        export_row(1, drawing(square(2, 0)), user_name="-dash-"),
        export_row(4, drawing(square(3, 0)), user_id=None, workflow_version="9.9"),
    ]
    different.write_text(export_text(rows), encoding="utf-8")
    example = ROOT / "data" / "classifications.csv"
    of_examples = dict.fromkeys((name for name in JOBS if name.startswith("example")), example)
    return {
        "cat": cat,
        "cat-all-versions": cat,
        **of_examples,
        "bu-bil": some,
        "hand-made": hand_made,
        "different": different,
    }


@pytest.fixture(scope="module")
def reference(
    exports: dict[str, Path], reference_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The extractions of the reference tool, in a folder for each job."""
    folder = tmp_path_factory.mktemp("reference")
    jobs = [
        {**job, "name": name, "classifications": str(exports[name])}
        for name, job in {**JOBS, "different": DIFFERENT}.items()
    ]
    assert run_jobs(reference_python, exports["cat"], folder, jobs) == {}
    return folder


def make(job: dict[str, Any], export: Path, out: Path, **settings: Any) -> None:
    """Extract with the configuration of a job, and with the settings of the reference tool."""
    config = {
        "workflow_id": job["workflow_id"],
        "workflow_version": job["version"],
        "extractor_config": job["extractor_config"],
    }
    pf.extract(export, config=config, output=out, duplicate_marks="keep", visitors="name", jobs=1, **settings)


def read(path: Path) -> tuple[list[str], Rows]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    return list(reader.fieldnames or ()), rows


def assert_same(ours: Path, theirs: Path, *, numbers_only: bool = False) -> None:
    """Compare two files cell by cell: as text, or paths as numbers; those of curves to 1e-9."""
    columns, rows = read(ours)
    their_columns, their_rows = read(theirs)
    assert columns == their_columns
    assert len(rows) == len(their_rows)
    for row, their_row in zip(rows, their_rows, strict=True):
        for column, cell in row.items():
            their_cell = their_row[column]
            if column == "data.aggregation_version":
                assert cell.startswith("polyframe ")
                assert their_cell == "5.3.1"
            elif column.endswith(("_pathX", "_pathY")) and cell and (numbers_only or "bezier" in ours.name):
                paths, their_paths = json.loads(cell), json.loads(their_cell)
                assert [*map(len, paths)] == [*map(len, their_paths)]
                for path, their_path in zip(paths, their_paths, strict=True):
                    assert path == (their_path if numbers_only else pytest.approx(their_path, abs=1e-9))
            else:
                assert cell == their_cell, column


@pytest.mark.parametrize("name", JOBS)
def test_extractions_equal_those_of_the_reference_tool(
    name: str, exports: dict[str, Path], reference: Path, tmp_path: Path
) -> None:
    make(JOBS[name], exports[name], tmp_path / "out")
    done = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "csv", what="extractions")
    assert {file.path.name for file in done} == {path.name for path in (reference / name).glob("*.csv")}
    for file in done:
        # The export of bu-bil was not written by a browser: it has 627.0 for 627.
        assert_same(file.path, reference / name / file.path.name, numbers_only=name == "bu-bil")


def test_what_differs_from_the_reference_tool(
    exports: dict[str, Path], reference: Path, tmp_path: Path
) -> None:
    """Theirs are in the order of the export, or missing; NA is no name, and numbers are floats."""
    make(DIFFERENT, exports["different"], tmp_path / "out")
    (done,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "csv", what="extractions")
    names = ("classification_id", "user_name", "user_id")
    shown = [
        [tuple(row[name] for name in names) for row in read(folder / done.path.name)[1]]
        for folder in (reference / "different", tmp_path / "csv")
    ]
    assert shown == [
        [("1003", "", "3.0"), ("1001", "-dash-", "1.0")],
        [("1001", "'-dash-", "1"), ("1002", "volunteer2", "2"), ("1003", "NA", "3")],
    ]


def test_the_published_file_of_the_project_is_reproduced(cat_project: Path, tmp_path: Path) -> None:
    """Written by the reference tool 5.1.0."""
    make(JOBS["cat"], cat_project / "cat-project-classifications.csv", tmp_path / "out")
    (done,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "e.csv", what="extractions")
    columns, rows = read(done.path)
    their_columns, their_rows = read(cat_project / "polygon_extractor_extractions.csv")
    assert columns == their_columns
    version = {"data.aggregation_version": ""}
    assert [row | version for row in rows] == [row | version for row in their_rows]


def test_an_export_in_partitions_has_the_same_rows(
    cat_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sorted on disk in several blocks, and read subject by subject."""
    make(JOBS["cat-all-versions"], cat_project / "cat-project-classifications.csv", tmp_path / "out")
    (whole,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "whole.csv", what="extractions")
    partitions = reading.OutputTables.partitions

    def by_subject(tables: reading.OutputTables, /, **columns: Any) -> Any:
        for frames in partitions(tables, **columns):
            for subject in frames["classifications"]["subject_id"].unique().sort():
                yield {name: frame.filter(subject_id=subject) for name, frame in frames.items()}

    monkeypatch.setattr(reading.OutputTables, "partitions", by_subject)
    bounds = np.array([611991000, 613238642, 613238643, 613380000, 699999999])
    monkeypatch.setattr(panoptes_extractions._Survey, "bounds", lambda *_: bounds)
    (parts,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "parts.csv", what="extractions")
    assert parts.path.read_bytes() == whole.path.read_bytes()
    assert parts.count == whole.count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "parts.csv", "whole.csv"]


def test_reading_what_was_written_gives_the_same_marks(exports: dict[str, Path], tmp_path: Path) -> None:
    """Except what the files do not contain: kinds of tools, gold standards, the order among tools."""
    make(HAND_MADE, exports["hand-made"], tmp_path / "out")
    polygons, curves = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "csv", what="extractions")
    before = pf.scan(tmp_path / "out", "extractions").collect()
    pf.reduce(polygons.path, output=tmp_path / "polygons", workflow_version="3")
    pf.reduce(curves.path, output=tmp_path / "curves", workflow_version="3")
    after = pl.concat(pf.scan(tmp_path / name, "extractions").collect() for name in ("polygons", "curves"))
    lost = ("mark_index", "tool_type", "gold_standard", "details")
    keys = ["task", "frame", "tool", "classification_id", "mark_index"]
    assert after.sort(keys).drop(lost).equals(before.sort(keys).drop(lost))
    classifications = pf.scan(tmp_path / "polygons", "classifications").collect()
    unread = ("workflow_version", "gold_standard", "n_marks")
    assert classifications.drop(unread).equals(
        pf.scan(tmp_path / "out", "classifications").collect().drop(unread)
    )
    assert set(classifications["user_name"]) == set(NAMES)
    new = pl.col("tool") == "T0_toolIndex0"
    details, details_before = (frame.filter(new).sort(keys)["details"] for frame in (after, before))
    assert details.to_list() == details_before.to_list()
    assert details.null_count() < len(details)


def test_extractions_of_synthetic_projects_can_be_read_back(tmp_path: Path) -> None:
    pf.synth(tmp_path / "synth.csv", subjects=6, seed=3)
    pf.run(tmp_path / "synth.csv", tmp_path / "out", engine="shapely", visitors="name", filter="all")
    (done,) = pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "e.csv", what="extractions")
    again = pf.reduce(done.path, engine="shapely", filter="all", workflow_version="7.12")
    marks = pf.scan(tmp_path / "out", "extractions").collect()
    assert again.groups.equals(pf.scan(tmp_path / "out", "groups").collect())
    shared = ("subject_id", "frame", "tool", "classification_id", "created_at", "user_name", "cluster_label")
    labels = pf.scan(tmp_path / "out", "labels").collect()
    assert again.labels.select(shared).equals(labels.select(shared))
    assert marks.height > labels.height / 2


def test_a_folder_gets_all_three_files(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    assert polyframe("run", small_export, "-o", tmp_path / "out", "--engine", "shapely").code == 0
    done = polyframe("export", tmp_path / "out", "--to", "panoptes-csv", "-o", tmp_path / "csv")
    assert done.code == 0
    assert [re.sub(r".*/", "", line).split(":")[0] for line in done.out.splitlines()[:3]] == [
        "polygon_reducer_reductions.csv",
        "polygon_reducer_contours_reductions.csv",
        "polygon_extractor_extractions.csv",
    ]
    # Extractions need no reduction.
    assert polyframe("extract", small_export, "-o", tmp_path / "marks").code == 0
    done = polyframe("export", tmp_path / "marks", "--to", "panoptes-csv", "-o", tmp_path / "only")
    assert done.code == 0
    assert [path.name for path in (tmp_path / "only").iterdir()] == ["polygon_extractor_extractions.csv"]


def test_two_extractors_do_not_fit_into_one_file(exports: dict[str, Path], tmp_path: Path) -> None:
    make(HAND_MADE, exports["hand-made"], tmp_path / "out")
    with pytest.raises(
        pf.UsageError, match=r"e.csv: the extractions are two files, polygon_.* name a folder"
    ):
        pf.export(tmp_path / "out", "panoptes-csv", tmp_path / "e.csv", what="extractions")
    assert not (tmp_path / "e.csv").exists()


def test_formats_without_extractions_refuse_them(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    assert polyframe("run", small_export, "-o", tmp_path / "out", "--engine", "shapely").code == 0
    done = polyframe(
        "export", tmp_path / "out", "--to", "geojson", "--what", "extractions", "-o", tmp_path / "x.geojson"
    )
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "geojson has no extractions; choose reductions or contours" in done.err
    for other in set(FORMATS) - {"panoptes-csv"}:
        refusal = f"{other} has no extractions; choose|what is for .*; omit it for {other}"
        with pytest.raises(pf.UsageError, match=refusal):
            pf.export(tmp_path / "out", other, tmp_path / "x", what="extractions")  # type: ignore[arg-type]


def test_notes_say_what_is_not_in_the_file(tmp_path: Path) -> None:
    copy = square(0, 0)
    rows = [
        export_row(0, drawing(copy, copy), gold_standard="true"),
        export_row(1, drawing(square(1, 1, pathX=[]))),
        export_row(2, "not JSON"),
        export_row(3, drawing(square(2, 2, pathX=[1, 2, 3], pathY=[1, 2, 3]))),
    ]
    (tmp_path / "export.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "export.csv", tmp_path / "out", engine="shapely", say=lambda _: None)
    notes: list[str] = []
    (done,) = pf.export(
        tmp_path / "out", "panoptes-csv", tmp_path / "e.csv", what="extractions", say=notes.append
    )
    _, cells = read(done.path)
    # A mark without an area is in the file, as drawn; rejected marks and rows are not.
    paths = [row["data.frame0.T0_toolIndex0_pathX"] for row in cells]
    assert paths == ["[[0, 10, 10, 0]]", "", "[[1, 2, 3]]"]
    assert [row["classification_id"] for row in cells] == ["1000", "1001", "1003"]
    assert notes == [
        "extractions: omitted rows and marks that could not be read (annotations_not_json 1, "
        "duplicate_mark 1, path_lengths_differ 1); see the table rejects",
        "1 classification is marked as gold standard; gold_standard is False in extractions, as "
        "panoptes_aggregation writes it",
    ]


def test_cells_that_spreadsheets_would_cut_are_counted(tmp_path: Path, polyframe: Call) -> None:
    """Some 5,000 vertices have about 40,000 characters."""
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    x, y = ((500 + 400 * f(angle)).round(2).tolist() for f in (np.cos, np.sin))
    big = {"toolIndex": 0, "frame": 0, "toolType": "freehandLine", "pathX": x, "pathY": y, "details": []}
    rows = [export_row(i, drawing(big if i else square(0, 0)), subject_ids=1 + i // 2) for i in range(4)]
    (tmp_path / "export.csv").write_text(export_text(rows), encoding="utf-8")
    assert polyframe("run", tmp_path / "export.csv", "-o", tmp_path / "out", "--engine", "shapely").code == 0
    done = polyframe("export", tmp_path / "out", "--to", "panoptes-csv", "-o", tmp_path / "csv")
    assert done.code == 0
    places = {
        "polygon_reducer_reductions.csv": "subject 2, column data.frame0.T0_toolIndex0_clusters_x",
        "polygon_reducer_contours_reductions.csv": "subject 2, column data.frame0.T0_toolIndex0_contours_x",
        "polygon_extractor_extractions.csv": "classification 1001, column data.frame0.T0_toolIndex0_pathX",
    }
    for name, place in places.items():
        _, cells = read(tmp_path / "csv" / name)
        number = sum(len(cell) > 32_767 for row in cells for cell in row.values())
        assert number
        (note,) = [line for line in done.err.splitlines() if name in line]
        assert f"{name}: {number} cells have more than 32,767 characters" in note
        assert f"(first: {place})" in note


@pytest.mark.parametrize("kind", ["polygon", "bezier"])
def test_numbers_are_written_as_python_writes_them(kind: Any) -> None:
    random = np.random.default_rng(1)
    paths = [
        [912.0, 890.39, 0.0, -3.0, 1e9, -1e9, 0.1, 1e-4, 100.0],
        [1e-5, 3.0],
        [-2.5e-7],
        [5.0],
        [10.05, 20.005, 30.0],
        *(random.normal(0, 10.0**power, 50).tolist() for power in range(-9, 9)),
        *(random.normal(0, 1000, 50).round(digits).tolist() for digits in range(4)),
    ]
    whole = (lambda value: int(value) if value.is_integer() else value) if kind == "polygon" else float
    expected = [str([whole(value) for value in path]) for path in paths]
    assert path_texts(pl.Series(paths, dtype=pl.List(pl.Float64)), kind).to_list() == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (None, {"details": "[]"}),
        ("not JSON", {"details": "[]"}),
        ('{"a":1}', {"details": "[]"}),
        ('[{"value":1},{"value":"x"}]', {"details": "[{'1': 1}, 'No extractor for this subtask type']"}),
        ('[{"value":[1,1,"Don\'t know, 1,000"]}]', {"details": "[{'1': 2, 'don-t-know-1000': 1}]"}),
        ("[{}]", {"details": "[{'None': 1}]"}),
    ],
)
def test_answers_of_the_old_classifier(details: str | None, expected: dict[str, str]) -> None:
    assert extracts("T0_tool0", details, {0: "question_extractor"}) == expected


def test_files_without_rows_or_names(tmp_path: Path) -> None:
    times = ["2026-01-01T10:00:00.25Z", "unreadable", "2026-01-01 10:00:00 UTC"]
    marks = [export_row(i, drawing(square(i, 0)), created_at=time) for i, time in enumerate(times)]
    for name, rows in {"rejected": [export_row(1, "not JSON")], "nameless": marks}.items():
        (tmp_path / f"{name}.csv").write_text(export_text(rows), encoding="utf-8")
        pf.extract(tmp_path / f"{name}.csv", output=tmp_path / name, volunteers="drop", say=lambda _: None)
        pf.export(tmp_path / name, "panoptes-csv", tmp_path / f"{name}-csv", say=lambda _: None)
    columns, rows = read(tmp_path / "rejected-csv" / "polygon_extractor_extractions.csv")
    assert (columns[0], columns[-1], rows) == ("classification_id", "extractor", [])
    _, rows = read(tmp_path / "nameless-csv" / "polygon_extractor_extractions.csv")
    assert [row["created_at"] for row in rows] == ["2026-01-01 10:00:00.250 UTC", "", times[2]]
    assert {(row["user_name"], row["user_id"]) for row in rows} == {("", "")}
