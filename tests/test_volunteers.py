"""Volunteers in what is written: as they are, hashed, or left out; the answers stay the same."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done

import polyframe as pf
from polyframe.panoptes.cells import REPLACEMENT
from polyframe.settings import Settings
from polyframe.synthetic import SynthOptions, write_export
from polyframe.tables import TABLES
from polyframe.volunteers import KEY_VARIABLE, as_published

Call = Callable[..., Done]
PERSONAL = ("volunteer", "user_name", "user_id")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some volunteers classify a subject again, so that names matter to the answers."""
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, SynthOptions(subjects=12, volunteers=6, vertices=40, repeats=0.3, seed=5))
    return path


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    return "a secret"


def impersonal(out: Path) -> dict[str, pl.DataFrame]:
    return {name: pf.scan(out, name).drop(PERSONAL, strict=False).collect() for name in TABLES}


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    return all(table.equals(other[name]) for name, table in one.items())


def people(out: Path, column: str) -> list[object]:
    return pf.scan(out, "classifications").collect()[column].to_list()


@pytest.mark.parametrize("volunteers", ["hash", "drop"])
def test_the_answers_are_those_with_names(volunteers: str, export: Path, tmp_path: Path, key: str) -> None:
    kept = pf.run(export, tmp_path / "keep", engine="shapely")
    hidden = pf.run(export, tmp_path / volunteers, engine="shapely", volunteers=volunteers)
    assert kept.accounting == hidden.accounting
    assert kept.accounting.marks_set_aside > 0
    assert same(impersonal(tmp_path / "keep"), impersonal(tmp_path / volunteers))
    assert pf.validate(tmp_path / volunteers) == []


def test_a_hash_is_that_of_the_standard_with_the_key(export: Path, tmp_path: Path, key: str) -> None:
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


def test_left_out_means_nowhere(export: Path, tmp_path: Path) -> None:
    pf.run(export, tmp_path / "out", volunteers="drop")
    for name, table in TABLES.items():
        for column in set(PERSONAL) & set(table.schema):
            assert pf.scan(tmp_path / "out", name).select(pl.col(column).is_null().all()).collect().item()


def test_steps_give_what_a_run_gives(export: Path, tmp_path: Path, key: str, polyframe: Call) -> None:
    flags = ("--volunteers", "hash", "-q", "--engine", "shapely")
    assert polyframe("run", export, "-o", tmp_path / "run", *flags).code == 0
    assert polyframe("extract", export, "-o", tmp_path / "steps", "--volunteers", "hash", "-q").code == 0
    assert polyframe("reduce", tmp_path / "steps", "-q", "--engine", "shapely").code == 0
    assert polyframe("contours", tmp_path / "steps", "-q", "--engine", "shapely").code == 0
    for path in (tmp_path / "run").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "steps" / path.relative_to(tmp_path / "run")).read_bytes()


def test_without_names_repeats_cannot_be_told_later(export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    assert polyframe("extract", export, "-o", out, "--volunteers", "drop").code == 0
    done = polyframe("reduce", out)
    assert done.code == 2
    assert "--filter all" in done.err
    assert polyframe("reduce", out, "--filter", "all", "--engine", "shapely").code == 0
    # From the export they can, also where the extractions are there already.
    pf.run(export, tmp_path / "keep", contours=False, engine="shapely")
    pf.run(export, out, contours=False, engine="shapely", volunteers="drop")
    kept = pf.scan(tmp_path / "keep", "labels").drop("volunteer", "user_name").collect()
    assert pf.scan(out, "labels").drop("volunteer", "user_name").collect().equals(kept)


def test_another_key_makes_the_parts_anew(
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


def test_a_missing_key_is_said(
    export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    done = polyframe("run", export, "-o", tmp_path / "out", "--volunteers", "hash")
    assert done.code == 2
    assert KEY_VARIABLE in done.err
    assert not (tmp_path / "out").exists()


def test_names_that_were_not_utf8_are_not_taken_for_one_volunteer() -> None:
    frame = pl.DataFrame({"user_name": ["a", f"Jos{REPLACEMENT}", None, "a"]})
    hashed = as_published(frame, Settings(volunteers="hash"), b"k")["user_name"].to_list()
    assert hashed[1:3] == [None, None]
    assert hashed[0] == hashed[3] != "a"
