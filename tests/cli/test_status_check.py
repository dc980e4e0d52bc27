"""`status --check` for monitoring: one line, exit code 0 or 1."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exports import Done
from s3_server import Bucket

import polyframe as pf

Call = Callable[..., Done]


@pytest.fixture
def out(small_export: Path, tmp_path: Path, polyframe: Call) -> Path:
    assert polyframe("run", small_export, "-o", tmp_path / "out", "-q").code == 0
    return tmp_path / "out"


def make_older(out: Path, age: timedelta) -> None:
    """Let the tables look as if they were published some time ago."""
    manifests = out / ".polyframe" / "manifests"
    (manifests / "checked.json").unlink(missing_ok=True)
    path = max(manifests.glob("*.json"))
    then = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = re.sub(r'"finished_at": "[^"]*"', f'"finished_at": "{then}"', path.read_text(encoding="utf-8"))
    path.unlink()  # it may have another name, too
    path.write_text(text, encoding="utf-8")


def test_current_tables(out: Path, polyframe: Call) -> None:
    done = polyframe("status", out, "--check", "--max-age", "26h")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert done.out.startswith(f"{out}: version 1, 9 of 9 parts are current, updated ")
    assert polyframe("status", out, "--check", "-q") == Done(0, "", "")
    status = pf.status(out)
    assert status.checked_at == status.finished_at is not None
    age = status.age()
    assert age is not None
    assert timedelta(0) <= age < timedelta(hours=1)


@pytest.mark.parametrize(
    ("age", "limit", "message"),
    [
        (timedelta(hours=27), "26h", "updated 1d 3h ago, more than 1d 2h"),
        (timedelta(hours=25), "26h", ""),
        (timedelta(minutes=91), "90m", "updated 1h 31m ago, more than 1h 30m"),
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
    status = pf.status(out)
    assert status.number == 1
    assert str(status.checked_at) > str(status.finished_at)
    assert f"found up to date {status.checked_at} (" in polyframe("status", out).out
    make_older(out, timedelta(days=3))
    assert polyframe("run", "none.csv", "-o", out).code == 1
    assert polyframe("status", out, "--check", "--max-age", "26h").code == 1


def test_a_bucket(
    small_export: Path, bucket: Bucket, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    out = f"{bucket.url}/project"
    for number_of_runs in (1, 2):
        assert polyframe("run", small_export, "-o", out, "-q").code == 0
        done = polyframe("status", out, "--check", "--max-age", "26h")
        assert done.code == 0, done.err
        assert done.out.startswith(f"{out}: version 1, 9 of 9 parts are current, updated ")
        keys = list(bucket.keys())
        assert ("project/manifests/checked.json" in keys) == (number_of_runs == 2)
    assert polyframe("validate", out).code == 0
    bucket.delete(next(key for key in keys if "/labels/" in key))
    done = polyframe("status", out, "--check")
    assert (done.code, "1 part is missing or damaged: labels/" in done.err) == (1, True)


def test_missing_and_damaged_parts(out: Path, polyframe: Call) -> None:
    (out / "labels" / "part-00000.parquet").unlink()
    done = polyframe("status", out, "--check")
    problem = "1 part is missing or damaged: labels/part-00000.parquet is missing"
    assert done == Done(1, "", f"polyframe: error: {out}: {problem}\n")
    os.truncate(out / "groups" / "part-00000.parquet", 100)
    make_older(out, timedelta(days=2))
    done = polyframe("status", out, "--check", "--max-age", "1d", "-q")
    problems = "updated 2d ago, more than 1d; 2 parts are missing or damaged: groups/part-00000.parquet"
    assert done.err.startswith(f"polyframe: error: {out}: {problems} ") or "labels" in done.err
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)


def test_tables_of_an_earlier_release(out: Path, polyframe: Call) -> None:
    (sums,) = (out / ".polyframe").glob("parts/.volunteer_sums/*/*.parquet")
    (out / ".volunteer_sums").mkdir()
    sums.rename(out / ".volunteer_sums" / "part-00000.parquet")
    shutil.rmtree(out / ".polyframe")
    path = out / "polyframe.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for name in ("number", "finished_at", "host", "run"):
        del manifest[name]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert pf.status(out).age() is None
    assert polyframe("status", out, "--check").out == f"{out}: version 0, 9 of 9 parts are current\n"
    done = polyframe("status", out, "--check", "--max-age", "26h")
    message = "it is not known when the tables were published; run polyframe again"
    assert done == Done(1, "", f"polyframe: error: {out}: {message}\n")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"number": 1, "checked_at": "yesterday"}'])
def test_a_damaged_record_of_a_check(content: str, out: Path, polyframe: Call) -> None:
    (out / ".polyframe" / "manifests" / "checked.json").write_text(content, encoding="utf-8")
    done = polyframe("status", out, "--check", "--max-age", "26h")
    message = "it is not known when the tables were published; run polyframe again"
    expected = (1, f"polyframe: error: {out}: {message}\n") if "yesterday" in content else (0, "")
    assert (done.code, done.err) == expected
    assert polyframe("status", out).code == 0


def test_json(out: Path, polyframe: Call) -> None:
    make_older(out, timedelta(days=2))
    done = polyframe("status", out, "--check", "--max-age", "1d", "--json")
    assert done.code == 1
    printed = json.loads(done.out)
    assert (printed["exit_code"], printed["problems"]) == (1, ["updated 2d ago, more than 1d"])
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


def test_validate_counts_partitions_and_can_be_quiet(out: Path, polyframe: Call) -> None:
    steps: list[tuple[int, int]] = []
    assert pf.validate(out, progress=lambda *step: steps.append(step)) == []
    assert steps == [(0, 1), (1, 1)]
    done = polyframe("validate", out, "--progress", "on", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert done.err == "polyframe: partitions: 1 of 1 finished (100 %)\n"
    (part,) = (out / "groups").glob("*.parquet")
    part.chmod(0o644)
    part.unlink()
    done = polyframe("validate", out, "--quiet")
    assert done.code == 1
    assert "groups/part-00000.parquet" in done.out


def test_without_words_nothing_is_imported_for_them(out: Path) -> None:
    code = (
        f"import sys; from polyframe.cli import app; sys.argv = ['polyframe', 'status', {str(out)!r}]\n"
        "app.main()\n"
        "print([m for m in ('polyframe.export.words', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
