"""Test that extractions of panoptes_aggregation give the results of the export, without evaluating cells."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done, other_digits

import polyframe as pf
from polyframe.core.settings import Settings
from polyframe.pipeline.from_extractions import extract_csv

Call = Callable[..., Done]

SMALL = Path(__file__).with_name("extractions.csv")
X, Y = "data.frame0.T0_toolIndex0_pathX", "data.frame0.T0_toolIndex0_pathY"
SQUARE, Y_SQUARE = "[[0, 10, 10, 0]]", "[[0, 0, 10, 10]]"


def small_rows() -> list[dict[str, str]]:
    with SMALL.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_published_extractions_give_the_results_of_the_export(
    cat_project: Path, tmp_path: Path, polyframe: Call
) -> None:
    extractions = cat_project / "polygon_extractor_extractions.csv"
    export = cat_project / "cat-project-classifications.csv"
    options = ("--filter", "last", "--engine", "shapely", "--average", "union", "--jobs", 1)
    done = polyframe("reduce", extractions, "-o", tmp_path / "in", "--workflow-version", "13.19", *options)
    assert done.code == 0
    assert done.out.startswith("rows read 128 = 0 filtered out + 0 rejected + 128 used")
    assert str(tmp_path) not in done.err
    assert polyframe("contours", tmp_path / "in", "--engine", "shapely").code == 0
    version = ("--workflow-id", 28090, "--workflow-version", "13.19", "--task", "T0")
    version = (*version, "--visitors", "name")
    assert polyframe("run", export, "-o", tmp_path / "out", *version, *options).code == 0
    sizes = ("image_width", "image_height")
    ours, theirs = (pf.scan(tmp_path / name, "classifications").collect() for name in ("in", "out"))
    assert ours.drop(sizes).equals(theirs.drop(sizes))
    for table in ("rejects", "groups", "labels", "reductions", "contours"):
        assert pf.scan(tmp_path / "in", table).collect().equals(pf.scan(tmp_path / "out", table).collect())
    ours, theirs = (pf.scan(tmp_path / name, "extractions").collect() for name in ("in", "out"))
    assert ours.drop("tool_type").equals(theirs.drop("tool_type"))
    assert pf.validate(tmp_path / "in") == []
    assert json.loads((tmp_path / "in" / "polyframe.json").read_text())["sources"] == [extractions.name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    in_memory = pf.reduce(extractions, filter="last", engine="shapely", average_type="union")
    assert in_memory.reductions.equals(pf.scan(tmp_path / "out", "reductions").collect())


def test_both_formats_of_tools_and_classifications_without_marks(tmp_path: Path) -> None:
    packed = tmp_path / "extractions.csv.gz"
    packed.write_bytes(gzip.compress(SMALL.read_bytes()))
    for path in (SMALL, packed):
        result = pf.reduce(path, engine="shapely")
        assert result.groups.select("frame", "tool", "n_classifications", "n_marks").rows() == [
            (0, "T0_toolIndex0", 3, 3),
            (1, "T0_tool1", 3, 1),
        ]
        assert result.reductions["threshold"].to_list() == [2 / 3]


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ("__import__('os').system('touch evaluated')", SQUARE, "path_missing"),
        ("[[0, 10, 10, 0]", SQUARE, "path_missing"),
        ("[" * 100_000, SQUARE, "path_missing"),
        ("{'a': 1}", SQUARE, "path_missing"),
        ("7", SQUARE, "path_missing"),
        ("[7]", SQUARE, "path_missing"),
        (SQUARE, "", "path_missing"),
        ("[[0, 10, 10]]", SQUARE, "path_lengths_differ"),
        ("[[0, 10, None, 0]]", SQUARE, "coordinate_not_a_number"),
        ("[[0, 10, 'ten', 0]]", SQUARE, "path_missing"),
        ("[[0, 10, nan, 0]]", SQUARE, "coordinate_not_finite"),
        ("[[0, 10, -inf, 0]]", SQUARE, "coordinate_not_finite"),
    ],
)
def test_bad_cells_are_rejected_and_the_others_used(
    x: str, y: str, reason: str, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = small_rows()
    rows[0] |= {X: x, Y: y}
    done = polyframe("reduce", written(tmp_path / "bad.csv", rows), "-o", tmp_path / "out", "--jobs", 1)
    assert done.code == 0, done.err
    rejects = pf.scan(tmp_path / "out", "rejects").collect()
    assert rejects["reason"].to_list() == [reason]
    assert rejects["classification_id"].to_list() == [11]
    assert pf.scan(tmp_path / "out", "labels").collect().height == 3
    assert not (tmp_path / "evaluated").exists()


def test_rows_of_several_tasks_are_one_classification(tmp_path: Path) -> None:
    """The file may be sorted by task; repeated rows are ignored."""
    rows = small_rows()
    more = [row | {"task": "T3"} | dict.fromkeys((X, Y), "") for row in rows]
    for row in more[:2]:
        row |= {
            "data.frame0.T3_toolIndex0_pathX": SQUARE,
            "data.frame0.T3_toolIndex0_pathY": "[[0, 0, 9, 9]]",
        }
    rows[0] |= {"data.frame0.T3_toolIndex0_pathX": "", "data.frame0.T3_toolIndex0_pathY": ""}
    result = pf.reduce(written(tmp_path / "two.csv", [*rows, *more, rows[0]]), engine="shapely")
    assert result.groups["task"].to_list() == ["T0", "T0", "T3"]
    assert result.groups["n_classifications"].to_list() == [3, 3, 3]
    assert result.labels.filter(pl.col("task") == "T3").height == 2


def test_invalid_input_is_an_error(tmp_path: Path, small_export: Path, polyframe: Call) -> None:
    done = polyframe("reduce", SMALL)
    assert done.code == 2
    assert "-o OUT" in done.err
    done = polyframe("reduce", small_export, "-o", tmp_path / "out")
    assert done.code == 1
    assert "polyframe run" in done.err
    assert polyframe("reduce", SMALL, "-o", tmp_path / "out", "-q").code == 0
    done = polyframe("reduce", tmp_path / "out", "-o", tmp_path / "other")
    assert done.code == 2
    done = polyframe("reduce", SMALL, "-o", tmp_path / "out", "--workflow-id", 8)
    assert done.code == 1
    assert f"{SMALL}: contains no workflow 8" in done.err
    rows = small_rows()
    rows[1]["extractor"] = "question_extractor"
    done = polyframe("reduce", written(tmp_path / "q.csv", rows), "-o", tmp_path / "new")
    assert done.code == 1
    assert "'question_extractor'" in done.err
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = polyframe("reduce", tmp_path / "other.csv", "-o", tmp_path / "new")
    assert done.code == 1
    assert "missing columns classification_id" in done.err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


#: As the reference tool wrote them: what it extracted of a question, of several choices, of two menus of a
#: dropdown, a text and a slider.
OLD_ANSWERS = (
    "[[{'0': 1}, {'0': 1, '1': 1}, {'value': [{'ab': 1}, {'None': 1}]}, {'text': \"it's\", 'gold_standard': "
    "False}, {'slider_value': 4}]]"
)


def test_answers_of_the_old_classifier(tmp_path: Path) -> None:
    rows = [
        row | {X: "", Y: "", "data.frame1.T0_tool1_pathX": SQUARE, "data.frame1.T0_tool1_pathY": Y_SQUARE}
        for row in small_rows()
    ]
    answers = (
        OLD_ANSWERS,
        OLD_ANSWERS.replace("'0': 1}, {", "'None': 1}, {", 1),
        "[[{'0': 1}, 'No extractor']]",
    )
    for row, cell in zip(rows, answers, strict=True):
        row["data.frame1.T0_tool1_details"] = cell
    (votes,) = pf.reduce(written(tmp_path / "old.csv", rows), engine="shapely").reductions["details_votes"]
    assert json.loads(votes) == [
        {"0": 2, "None": 1},
        {"0": 2, "1": 2},
        [{"ab": 2}, {"None": 2}],
        {"it's": 2},
        {"4": 2},
    ]


@pytest.mark.parametrize(
    ("cell", "votes"),
    [
        ("[{'0': 1}]", [{}, {"0": 1, "2": 1}]),
        ('[{"0": 1, "yes": 1}]', [{}, {"0": 1, "2": 1, "yes": 1}]),
        ("[{}]", [{}, {"2": 1}]),
        # One more or fewer than the marks: it is unknown whose answers they are.
        ("[{'0': 1}, {'0': 1}]", [{}, {"2": 1}]),
        ("[]", [{}, {"2": 1}]),
        ("", [{}, {"2": 1}]),
        ("__import__('os').system('touch evaluated')", [{}, {"2": 1}]),
        ("[{'slider_value': b'x'}]", [{}, {"2": 1, "slider_value": 1}]),
        ("[{'0': 1}", [{}, {"2": 1}]),
        ("[" * 100_000, [{}, {"2": 1}]),
        ("-" * 100_000 + "1", [{}, {"2": 1}]),
        ("['\\d', \0]", [{}, {"2": 1}]),
        ("[{'text': nan}]", [{}, {"2": 1}]),
        ("9" * 10_000, [{}, {"2": 1}]),
        # Python converts no numbers as long as these.
        ("[{0x" + "f" * 5000 + ": 1}]", [{}, {"2": 1}]),
        ("[{'slider_value': 0x" + "f" * 5000 + "}]", [{}, {"2": 1}]),
        # The answer to a question may have this name.
        ("[{'text': 1, 'image': 1}]", [{}, {"2": 1, "image": 1, "text": 1}]),
        ("[{'text': 'moss'}]", [{}, {"2": 1, "moss": 1}]),
    ],
)
def test_answers_of_the_new_classifier(
    cell: str, votes: list[dict[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [row | {X: SQUARE, Y: Y_SQUARE} for row in small_rows()[:2]]
    for row, answers in zip(rows, (cell, "[{'2': 1}]"), strict=True):
        row["data.frame0.T0_toolIndex0_subtask1"] = answers
    result = pf.reduce(written(tmp_path / "new.csv", rows), engine="shapely")
    assert json.loads(result.reductions["details_votes"][0]) == votes
    assert not (tmp_path / "evaluated").exists()


def test_a_range_of_versions_keeps_its_lower_end(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("reduce", SMALL, "-o", tmp_path / "out", "--workflow-version", "4.2..13")
    assert done.code == 0, done.err
    classifications = pf.scan(tmp_path / "out", "classifications").collect()
    assert classifications["workflow_version"].unique().to_list() == ["4.2"]


def test_times_and_columns_with_digits_of_other_scripts(tmp_path: Path) -> None:
    rows = small_rows()
    rows[0]["created_at"] = f"2026-01-01 10:00:00 +{other_digits('0100')}"
    zero = other_digits("0")
    foreign = {
        f"data.frame{zero}.T0_toolIndex0_pathX": SQUARE,
        f"data.frame0.T0_toolIndex{zero}_pathX": SQUARE,
    }
    extractions = written(tmp_path / "extractions.csv", [row | foreign for row in rows])
    result = pf.reduce(extractions, engine="shapely")
    assert result.groups.equals(pf.reduce(SMALL, engine="shapely").groups)
    assert result.labels["created_at"].null_count() == 1


def test_marks_with_an_index_of_thousands_of_digits_are_rejected(tmp_path: Path) -> None:
    far = {f"data.frame{'9' * 5000}.T0_toolIndex0_pathX": SQUARE, f"{X[:-6]}{'9' * 5000}_pathX": ""}
    far[f"data.frame{'9' * 5000}.T0_toolIndex0_pathY"] = Y_SQUARE
    rows = [row | far for row in small_rows()]
    extractions = written(tmp_path / "extractions.csv", rows)
    result = extract_csv(extractions, Settings())
    before = extract_csv(SMALL, Settings())
    assert result.extractions.equals(before.extractions)
    assert result.rejects.filter(reason="frame_invalid").height == len(rows)
