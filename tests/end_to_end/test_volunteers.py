"""Volunteers can be kept, hashed or dropped in tables, without changing the results."""

import hashlib
import hmac
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.consensus.anonymize import anonymize
from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.settings import Settings
from polyframe.core.tables import TABLES
from polyframe.panoptes.annotations.redaction import NOT_SHOWN, redact_detail
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT
from polyframe.pipeline import process_tasks
from polyframe.pipeline.executors import joblib_executor
from polyframe.pipeline.partition_task import PartitionTask
from polyframe.synthetic import SynthOptions, write_export

Call = Callable[..., Done]
PERSONAL = ("volunteer", "user_name", "user_id")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some volunteers classify a subject again, so that names affect the results."""
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, SynthOptions(subjects=12, volunteers=6, vertices=40, repeats=0.3, seed=5))
    return path


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    return "a secret"


def without_names(out: Path) -> dict[str, pl.DataFrame]:
    tables = {name: pf.scan(out, name).drop(PERSONAL, strict=False).collect() for name in TABLES}
    # Their hashes are in another order than their names.
    return tables | {"volunteers": tables["volunteers"].sort(pl.all())}


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    return all(table.equals(other[name]) for name, table in one.items())


def people(out: Path, column: str) -> list[object]:
    return pf.scan(out, "classifications").collect()[column].to_list()


@pytest.mark.parametrize("volunteers", ["hash", "drop"])
def test_results_equal_those_with_names(volunteers: str, export: Path, tmp_path: Path, key: str) -> None:
    kept = pf.run(export, tmp_path / "keep", engine="shapely")
    hidden = pf.run(export, tmp_path / volunteers, engine="shapely", volunteers=volunteers)
    assert kept.accounting == hidden.accounting
    assert kept.accounting.marks_set_aside > 0
    with_names, others = without_names(tmp_path / "keep"), without_names(tmp_path / volunteers)
    if volunteers == "drop":
        assert with_names.pop("volunteers").height > others.pop("volunteers").height == 0
    assert same(with_names, others)
    assert pf.validate(tmp_path / volunteers) == []


def test_a_hash_is_an_hmac_with_the_key(export: Path, tmp_path: Path, key: str) -> None:
    pf.run(export, tmp_path / "keep", contours=False)
    pf.run(export, tmp_path / "hash", contours=False, volunteers="hash")
    for before, after in zip(
        people(tmp_path / "keep", "user_name"), people(tmp_path / "hash", "user_name"), strict=True
    ):
        assert after == hmac.new(key.encode(), str(before).encode(), hashlib.sha256).hexdigest()[:32]
    numbers = dict(
        zip(people(tmp_path / "keep", "user_id"), people(tmp_path / "hash", "user_id"), strict=True)
    )
    assert len(set(numbers.values())) == len(numbers) > 2
    assert all(before is None or before != after for before, after in numbers.items())
    assert (None in numbers) == (None in numbers.values())
    labels = pf.scan(tmp_path / "hash", "labels").collect()["user_name"]
    assert labels.is_in(people(tmp_path / "hash", "user_name")).all()


def test_dropped_volunteers_are_missing_in_all_tables(export: Path, tmp_path: Path) -> None:
    pf.run(export, tmp_path / "out", volunteers="drop")
    for name, table in TABLES.items():
        for column in set(PERSONAL) & set(table.schema):
            assert pf.scan(tmp_path / "out", name).select(pl.col(column).is_null().all()).collect().item()


def test_single_stages_equal_a_run(export: Path, tmp_path: Path, key: str, polyframe: Call) -> None:
    flags = ("--volunteers", "hash", "-q", "--engine", "shapely")
    assert polyframe("run", export, "-o", tmp_path / "run", *flags).code == 0
    assert polyframe("extract", export, "-o", tmp_path / "steps", "--volunteers", "hash", "-q").code == 0
    assert polyframe("reduce", tmp_path / "steps", "-q", "--engine", "shapely").code == 0
    assert polyframe("contours", tmp_path / "steps", "-q", "--engine", "shapely").code == 0
    for path in (tmp_path / "run").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "steps" / path.relative_to(tmp_path / "run")).read_bytes()


def test_without_names_later_stages_need_filter_all(export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("extract", export, "-o", out, "--volunteers", "drop").code == 0
    done = polyframe("reduce", out)
    assert done.code == 2
    assert "--filter all" in done.err
    assert polyframe("reduce", out, "--filter", "all", "--engine", "shapely").code == 0
    # A run from the export knows the names, even if the extractions exist already.
    pf.run(export, tmp_path / "keep", contours=False, engine="shapely")
    pf.run(export, out, contours=False, engine="shapely", volunteers="drop")
    kept = pf.scan(tmp_path / "keep", "labels").drop("volunteer", "user_name").collect()
    assert pf.scan(out, "labels").drop("volunteer", "user_name").collect().equals(kept)


def test_another_key_rebuilds_the_parts(
    export: Path, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert pf.run(export, out, contours=False, volunteers="hash").made == 1
    before = people(out, "user_name")
    assert pf.run(export, out, contours=False, volunteers="hash").made == 0
    monkeypatch.setenv(KEY_VARIABLE, "another secret")
    assert pf.run(export, out, contours=False, volunteers="hash").made == 1
    assert not set(before) & set(people(out, "user_name"))
    for path in out.rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes()


def test_a_missing_key_is_an_error(
    export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    done = polyframe("run", export, "-o", tmp_path / "out", "--volunteers", "hash")
    assert done.code == 2
    assert KEY_VARIABLE in done.err
    assert not (tmp_path / "out").exists()


def test_names_that_were_not_utf8_become_missing() -> None:
    frame = pl.DataFrame({"user_name": ["a", f"Jos{REPLACEMENT}", None, "a"]})
    hashed = anonymize(frame, Settings(volunteers="hash"), b"k")["user_name"].to_list()
    assert hashed[1:3] == [None, None]
    assert hashed[0] == hashed[3] != "a"


#: A name in cells where it does not belong; with digits, since a number may identify somebody.
NAME = "Jane Doe 5550123"


def svg(path: str) -> dict[str, Any]:
    return {"toolIndex": 0, "toolType": "freehandLine", "path": path}


#: Rejected rows, each with its detail in `rejects` if volunteers are hidden.
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "id": (
        {"classification_id": NAME},
        "row 1: classification_id 16 characters, subject_ids 1 characters, workflow_id 1 characters, "
        "workflow_version 3 characters",
    ),
    "subject": (
        {"subject_ids": NAME, "classification_id": None},
        "row 1: classification_id missing, subject_ids 16 characters, workflow_id 1 characters, "
        "workflow_version 3 characters",
    ),
    "workflow": (
        {"workflow_id": NAME},
        "row 1: classification_id 4 characters, subject_ids 1 characters, workflow_id missing, "
        "workflow_version 3 characters",
    ),
    "version": (
        {"workflow_version": NAME},
        "row 1: classification_id 4 characters, subject_ids 1 characters, workflow_id 1 characters, "
        "workflow_version 16 characters",
    ),
    "no JSON": ({"annotations": NAME}, "not JSON at character 1"),
    "cut": ({"annotations": f'[{{"task": "{NAME}'}, "not JSON at character 11"),
    "a string": ({"annotations": json.dumps(NAME)}, "got a string, expected a list of objects with a `task`"),
    "an entry": (
        {"annotations": json.dumps([NAME])},
        "entry 0 is a string, expected an object with a `task`",
    ),
    "a task": (
        {"annotations": json.dumps([{"task": [NAME]}])},
        "`task` of entry 0 is a list, expected a string such as T0",
    ),
    "a mark": ({"annotations": drawing(square(0, 0), NAME)}, "got a string, expected an object"),
    "a list": ({"annotations": drawing(square(0, 0), [NAME])}, "got a list, expected an object"),
    "a tool": (
        {"annotations": drawing(square(0, 0, toolIndex=NAME))},
        "`toolIndex` is a string, expected an integer",
    ),
    "an old tool": (
        {"annotations": drawing(square(0, 0, tool={"name": NAME}))},
        "`tool` is an object, expected an integer",
    ),
    "a frame": (
        {"annotations": drawing(square(0, 0, frame=f"', expected an object {NAME}"))},
        "`frame` is a string, expected an integer",
    ),
    "a number": (
        {"annotations": drawing(square(0, 0, frame=-5550123))},
        "`frame` is a number, expected an integer",
    ),
    "a coordinate": (
        {"annotations": drawing(square(0, 0, pathX=[1, NAME, 2, 3]))},
        "x of point 1 is a string, expected a number",
    ),
    "a coordinate too large": (
        {"annotations": drawing(square(0, 0, pathX=[1, 5550123e9, 2, 3]))},
        "a coordinate is a number",
    ),
    "keys": (
        {"annotations": drawing({"toolIndex": 0, "toolType": "freehandLine", NAME: [1, 2, 3, 4, 5, 6]})},
        "its keys are not those of an outline",
    ),
    "no point": (
        {"annotations": drawing(square(0, 0, pathX=[], pathY=[]))},
        "`pathX` and `pathY` are empty",
    ),
    "a path": ({"annotations": drawing(svg(f"M 1,1 #{NAME}"))}, "`path` is not an SVG path at character 7"),
    "a command": (
        {"annotations": drawing(svg("M 1,1 L 5550123"))},
        "`path` is not an SVG path of one outline",
    ),
    "two outlines": (
        {"annotations": drawing(svg("M 1,1 L 5,1 5,5 Z M 8,8 L 9,8 9,9 Z"))},
        "`path` draws 2 outlines, expected one",
    ),
    "points": (
        {"annotations": drawing({"toolIndex": 0, "toolType": "polygon", "points": [NAME, 1]})},
        "`points` has a string, expected objects with x and y",
    ),
    "lengths": (
        {"annotations": drawing(square(0, 0, pathX=[1, NAME]))},
        "`pathX` has 2 numbers, `pathY` has 4",
    ),
}


WITHOUT_VALUES = (
    *("workflow", "no JSON", "cut", "a string", "an entry", "lengths"),
    *("no point", "a path", "a command", "two outlines"),
)


@pytest.mark.parametrize("volunteers", ["hash", "drop", "keep"])
@pytest.mark.parametrize("name", HOSTILE)
def test_rejects_do_not_quote_cells_that_may_contain_a_name(
    name: str, volunteers: str, tmp_path: Path, key: str
) -> None:
    cells, expected = HOSTILE[name]
    hostile = export_row(1, drawing(square(0, 0))) | cells
    path = tmp_path / "export.csv"
    path.write_text(export_text([hostile, export_row(2, drawing(square(0, 0)))]), encoding="utf-8")
    pf.run(path, tmp_path / "out", contours=False, volunteers=volunteers, engine="shapely")
    in_memory = pf.extract(path, volunteers=volunteers).rejects
    for rejects in (in_memory, pf.scan(tmp_path / "out", "rejects").collect()):
        (detail,) = rejects["detail"]
        if volunteers == "keep":
            assert any(part in detail for part in ("Jane", "55")) == (name not in WITHOUT_VALUES)
            continue
        assert detail == expected
        assert not any(part in rejects.write_csv() for part in ("Jane", "Doe", "555"))


@pytest.mark.parametrize(
    "detail",
    [
        NAME,
        f"`keys` are {NAME}",
        f"the cell is empty {NAME}",
        f"{NAME} points",
        f"4 points\n{NAME}",
        "",
        "\n",
    ],
)
def test_details_of_an_unknown_form_are_not_shown(detail: str) -> None:
    assert redact_detail(detail) == NOT_SHOWN


def test_answers_of_copies_are_not_shown() -> None:
    assert redact_detail(f"copy of mark 3; its answers [{NAME}] are lost, none are kept") == (
        "copy of mark 3; its answers are lost"
    )
    assert redact_detail("copy of mark 3") == "copy of mark 3"


def test_tasks_do_not_contain_the_secret(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[PartitionTask] = []
    monkeypatch.setenv(KEY_VARIABLE, "s3cret")
    process = process_tasks.process_partition
    monkeypatch.setattr(
        process_tasks, "process_partition", lambda task: (tasks.append(task), process(task))[1]
    )
    pf.run(export, tmp_path / "out", volunteers="hash", engine="shapely", jobs=1)
    (task,) = tasks
    assert b"s3cret" not in pickle.dumps(task)
    assert "s3cret" not in repr(task)
    # A worker with another secret would give other hashes.
    for other, message in (("other s3cret", KEY_VARIABLE), (None, "needs a secret in the environment")):
        monkeypatch.setenv(KEY_VARIABLE, other) if other else monkeypatch.delenv(KEY_VARIABLE)
        monkeypatch.setattr(
            "polyframe.pipeline.partition_task._extraction", lambda _: (pf.extract(export), None, [])
        )
        with pytest.raises(pf.PolyframeError, match=message) as raised:
            process(task)
        assert "s3cret" not in str(raised.value)


def test_workers_use_the_secret_of_the_current_run(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They inherit it when they start, and joblib keeps them for later runs."""
    monkeypatch.setattr(joblib_executor, "_TASKS_FOR_THREADS", 0)
    monkeypatch.setattr("polyframe.pipeline.plan._MEGABYTE", 100_000)
    for secret in ("one", "two"):
        monkeypatch.setenv(KEY_VARIABLE, secret)
        out = tmp_path / secret
        summary = pf.run(
            export, out, contours=False, volunteers="hash", engine="shapely", jobs=2, partition_size=1
        )
        assert summary.partitions > 1
        names = pf.extract(export).classifications["user_name"]
        expected = [hmac.new(secret.encode(), n.encode(), hashlib.sha256).hexdigest()[:32] for n in names]
        assert people(out, "user_name") == expected
