"""The workflow and version of an expert's outlines: those of OUT, unless others are chosen."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import drawing, export_row, square
from gold_cases import coco, expert_geojson, expert_rows, volunteer_rows, write_rows

import polyframe as pf

#: The rows of an expert in each workflow and version: how many of the two squares they outlined.
N_GOLD = {(7, "3.1"): 1, (7, "3.2"): 2, (7, "5.1"): 3, (8, "4.1"): 4, (8, "5.5"): 5}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gold")
    pf.run(write_rows(folder / "export.csv", volunteer_rows()), folder / "out", jobs=1, engine="shapely")
    return folder / "out"


def gold_row(number: int, workflow_id: int, version: str, n_marks: int) -> dict[str, Any]:
    marks = [square(40 * k, 0, 8) for k in range(n_marks)]
    row = export_row(number, drawing(*marks), subject_ids=1, user_name="the expert")
    return row | {"workflow_id": workflow_id, "workflow_version": version}


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        gold_row(500 + number, workflow, version, n_marks)
        for number, ((workflow, version), n_marks) in enumerate(N_GOLD.items())
    ]
    return write_rows(tmp_path_factory.mktemp("gold") / "expert.csv", rows)


def n_gold(table: pl.DataFrame) -> int:
    return int(table.filter(scope="all")["n_gold"].item())


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, (7, "3.1")),
        ({"gold_workflow_version": "3.2"}, (7, "3.2")),
        ({"gold_workflow_version": "newest"}, (7, "5.1")),
        ({"gold_workflow_id": 7, "gold_workflow_version": "5"}, (7, "5.1")),
        ({"gold_workflow_id": 8}, (8, "5.5")),
        ({"gold_workflow_id": 8, "gold_workflow_version": 4}, (8, "4.1")),
    ],
)
def test_the_workflow_and_version_can_be_chosen(
    chosen: dict[str, Any], expected: tuple[int, str], out: Path, gold: Path
) -> None:
    assert pf.status(out).settings["workflow_version"] == "3.1"
    notes: list[str] = []
    assert n_gold(pf.score(out, gold, say=notes.append, **chosen)) == N_GOLD[expected]
    assert all(note.startswith(f"{gold}: ") for note in notes)
    # The frames of tune give the same outlines.
    tuned = pf.tune(out, gold=gold, eps=[0.5], min_samples=[2], say=lambda _: None, **chosen)
    assert tuned["gold_recall"].to_list() == pytest.approx([1 / N_GOLD[expected]])


def test_notes_say_what_is_not_used_and_how_to_choose_it(out: Path, gold: Path) -> None:
    notes: list[str] = []
    pf.score(out, gold, say=notes.append)
    assert notes[:2] == [
        f"{gold}: workflow 7, as in {out}; the export contains 7 (Outline) with 3 rows, 8 (Outline) with 2 "
        "rows; choose another with --gold-workflow-id",
        f"{gold}: version 3.1, as in {out}; the export also contains 2 rows of newer versions, up to 5.1; "
        "use them with --gold-workflow-version newest",
    ]


def test_several_versions_count_together(out: Path, gold: Path) -> None:
    # Of several classifications of a subject, the first counts.
    notes: list[str] = []
    assert n_gold(pf.score(out, gold, gold_workflow_version="3", say=notes.append)) == 1
    assert (
        f"{gold}: 1 classification of a subject that has another one; only the first of each subject is used"
        in notes
    )


@pytest.mark.parametrize(
    ("rows", "chosen", "message"),
    [
        (
            [gold_row(1, 8, "4.1", 1)],
            {},
            "contains no workflow 7, which OUT contains; it contains 8 (Outline) with 1 row; choose one with "
            "--gold-workflow-id, or another output directory",
        ),
        (
            [gold_row(1, 7, "4.1", 1)],
            {},
            "workflow 7 has no version 3.1, as in OUT; it has 4.1; choose one with --gold-workflow-version, "
            "or 4.1 with --gold-workflow-version newest",
        ),
        (
            [gold_row(1, 7, "4.1", 1)],
            {"gold_workflow_version": "5"},
            "workflow 7 has no version 5; it has 4.1",
        ),
        (
            [gold_row(1, 7, "4.1", 1)],
            {"gold_workflow_id": 9},
            "contains no workflow 9; it contains 7 (Outline) with 1 row",
        ),
    ],
)
def test_missing_workflows_and_versions(
    rows: list[dict[str, Any]], chosen: dict[str, Any], message: str, out: Path, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "expert.csv", rows)
    with pytest.raises(pf.PolyframeError) as error:
        pf.score(out, path, say=lambda _: None, **chosen)
    assert str(error.value) == f"{path}: {message}".replace("OUT", str(out))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"gold_workflow_id": -1}, "gold_workflow_id must be an integer >= 0 (got -1)"),
        ({"gold_workflow_id": "7"}, "gold_workflow_id must be an integer >= 0 (got '7')"),
        ({"gold_workflow_version": "x"}, "gold_workflow_version: 'x' is not one of "),
        ({"gold_workflow_version": "5..2"}, "gold_workflow_version: '5..2' is an empty range"),
    ],
)
def test_values_that_are_not_valid(chosen: dict[str, Any], message: str, out: Path, gold: Path) -> None:
    for verb in (pf.score, pf.tune):
        with pytest.raises(pf.UsageError) as error:
            verb(out, gold=gold, say=lambda _: None, **chosen)
        assert str(error.value).startswith(message)


def test_forms_without_workflows_or_versions_refuse_them(out: Path, tmp_path: Path) -> None:
    masks = coco([{"id": 1, "file_name": "1-0.png"}], [], path=tmp_path / "coco.json")
    features = expert_geojson(tmp_path / "gold.geojson")
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (masks, {"gold_workflow_id": 7}, "gold_workflow_id: COCO has no workflows or versions"),
        (
            masks,
            {"gold_workflow_version": "1"},
            "gold_workflow_version: COCO has no workflows or versions",
        ),
        (features, {"gold_workflow_version": "1"}, "gold_workflow_version: GeoJSON has no versions"),
    ]
    for path, chosen, message in cases:
        with pytest.raises(pf.UsageError) as error:
            pf.score(out, path, say=lambda _: None, **chosen)
        assert str(error.value) == f"{message}; omit it"
    with pytest.raises(pf.UsageError, match="gold: missing; gold_workflow_id and"):
        pf.tune(out, gold_workflow_id=7)


def test_gold_standard_rows_are_those_of_the_output(tmp_path: Path) -> None:
    rows = [*volunteer_rows(), *expert_rows(gold_standard="true")]
    path = write_rows(tmp_path / "export.csv", rows)
    pf.run(path, tmp_path / "out", jobs=1, engine="shapely", gold_standard="exclude")
    with pytest.raises(pf.UsageError, match=r"gold_workflow_id: gold_standard means rows of .*; omit it"):
        pf.score(tmp_path / "out", "gold_standard", gold_workflow_id=7)


def test_features_of_another_workflow(out: Path, tmp_path: Path) -> None:
    path = expert_geojson(tmp_path / "gold.geojson", workflow_id=8)
    notes: list[str] = []
    with pytest.raises(pf.PolyframeError, match="contains no subject"):
        pf.score(out, path, say=notes.append)
    assert n_gold(pf.score(out, path, gold_workflow_id=8, say=notes.append)) == 2


def test_marks_in_memory(gold: Path, tmp_path: Path) -> None:
    marks = pf.extract(write_rows(tmp_path / "export.csv", volunteer_rows()), engine="shapely")
    with pytest.raises(pf.UsageError, match="choose one with --gold-workflow-id"):
        pf.tune(marks, gold=gold, eps=[0.5], min_samples=[2], say=lambda _: None)
    table = pf.tune(marks, gold=gold, gold_workflow_id=8, eps=[0.5], min_samples=[2], say=lambda _: None)
    assert table["gold_recall"].to_list() == pytest.approx([1 / 5])
