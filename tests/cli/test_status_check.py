"""`status --check` for monitoring: one line, exit code 0 or 1."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exports import Done

import polyframe as pf

Call = Callable[..., Done]


@pytest.fixture
def out(small_export: Path, tmp_path: Path, polyframe: Call) -> Path:
    assert polyframe("run", small_export, "-o", tmp_path / "out", "-q").code == 0
    return tmp_path / "out"


def make_older(out: Path, age: timedelta) -> None:
    """Let the tables look as if they were published some time ago."""
    then = time.time() - age.total_seconds()
    os.utime(out / "polyframe.json", (then, then))


def test_current_tables(out: Path, polyframe: Call) -> None:
    done = polyframe("status", out, "--check", "--max-age", "26h")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert done.out.startswith(f"{out}: 9 of 9 parts are current, published ")
    assert polyframe("status", out, "--check", "-q") == Done(0, "", "")
    published = pf.status(out).finished_at
    assert published is not None
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(published) < timedelta(hours=1)
    assert f"published {published}, " in polyframe("status", out).out


@pytest.mark.parametrize(
    ("age", "limit", "message"),
    [
        (timedelta(hours=27), "26h", "published 1d 3h ago, more than 1d 2h"),
        (timedelta(hours=25), "26h", ""),
        (timedelta(minutes=91), "90m", "published 1h 31m ago, more than 1h 30m"),
        (timedelta(days=-1), "1m", ""),  # a clock that is ahead
    ],
)
def test_old_tables(age: timedelta, limit: str, message: str, out: Path, polyframe: Call) -> None:
    make_older(out, age)
    done = polyframe("status", out, "--check", "--max-age", limit)
    assert done.code == bool(message)
    assert done.err == (f"polyframe: error: {out}: {message}\n" if message else "")
    assert pf.status(out).problems(limit) == [message] * bool(message)
    assert polyframe("status", out, "--check").code == 0
    assert polyframe("status", out).code == 0


def test_a_run_that_changes_nothing_counts(small_export: Path, out: Path, polyframe: Call) -> None:
    """A project may be quiet for days; its tables are as good as new."""
    make_older(out, timedelta(days=3))
    assert polyframe("status", out, "--check", "--max-age", "26h").code == 1
    assert "0 of 1 partition processed" in polyframe("run", small_export, "-o", out).out
    assert polyframe("status", out, "--check", "--max-age", "26h").code == 0
    make_older(out, timedelta(days=3))
    assert polyframe("run", "none.csv", "-o", out).code == 1
    assert polyframe("status", out, "--check", "--max-age", "26h").code == 1


def test_missing_and_damaged_parts(out: Path, polyframe: Call) -> None:
    (out / "labels" / "part-00000.parquet").unlink()
    done = polyframe("status", out, "--check")
    problem = "1 part is missing or damaged: labels/part-00000.parquet is missing"
    assert done == Done(1, "", f"polyframe: error: {out}: {problem}\n")
    os.truncate(out / "groups" / "part-00000.parquet", 100)
    make_older(out, timedelta(days=2))
    done = polyframe("status", out, "--check", "--max-age", "1d", "-q")
    problems = "published 2d ago, more than 1d; 2 parts are missing or damaged: groups/part-00000.parquet"
    assert done.err.startswith(f"polyframe: error: {out}: {problems} ") or "labels" in done.err
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)


def test_json(out: Path, polyframe: Call) -> None:
    make_older(out, timedelta(days=2))
    done = polyframe("status", out, "--check", "--max-age", "1d", "--json")
    assert done.code == 1
    assert json.loads(done.out)["problems"] == ["published 2d ago, more than 1d"]
    assert json.loads(polyframe("status", out, "--check", "--json").out)["problems"] == []
    assert "problems" not in json.loads(polyframe("status", out, "--json").out)


def test_no_tables(tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("status", tmp_path / "none", "--check")
    assert (done.code, done.out) == (1, "")
    assert "no such directory" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-age", "26h"), "--max-age needs --check"),
        (("--check", "--max-age", "26"), "--max-age must be a duration such as 30d, 26h or 90m (got '26')"),
    ],
)
def test_wrong_calls(arguments: tuple[str, ...], message: str, out: Path, polyframe: Call) -> None:
    assert polyframe("status", out, *arguments) == Done(2, "", f"polyframe: error: {message}\n")
