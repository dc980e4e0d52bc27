"""Tables come into place all or none: every step of a commit is cut short once, then the next run goes on."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fault_injection
import polars as pl
import pytest
from footers import settings_in
from run_processes import PARTITION_BYTES, files, small_export, tables_of

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.pipeline import plan, run
from polyframe.store import publishing
from polyframe.store.output import Output

SUBJECTS = 2


class Killed(BaseException):
    """Stands for the end of the process: nothing in a commit catches it."""


def tables(out: Path) -> dict[str, pl.DataFrame | None]:
    """What `polyframe.scan` gives of each table."""
    found: dict[str, pl.DataFrame | None] = {}
    for table in TABLES:
        try:
            found[table] = pf.scan(out, table).collect()
        except pf.PolyframeError as error:
            if not any(
                told in str(error) for told in ("has no table", "not a polyframe output directory", "no such")
            ):
                raise
            found[table] = None
    return found


@dataclass(frozen=True)
class Change:
    """An output directory just before a run puts its parts into place, and what it is before and after."""

    ready: Path
    arguments: tuple[Any, ...]
    again: Callable[[Path], Any]
    old: dict[str, pl.DataFrame | None]
    new: dict[str, pl.DataFrame | None]
    final: dict[str, bytes]


@pytest.fixture
def change(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    small, out, ready = small_export(tmp_path / "export.csv", SUBJECTS), tmp_path / "out", tmp_path / "ready"
    options: dict[str, Any] = {"engine": "shapely", "jobs": 1}
    if request.param != "first":
        pf.run(small, out, **options)
    changed = {
        "first": {},
        "other eps": {"eps": 0.2},
        "grown": {},
        "fewer tables": {"eps": 0.2, "contours": False},
    }
    if request.param == "grown":
        small_export(small, SUBJECTS + 1)
    old = tables(out)
    seen: list[Any] = []
    publish = publishing.publish

    def keep_copy(output: Output, *arguments: Any) -> None:
        shutil.copytree(output.path, ready)
        seen.extend(arguments)
        publish(output, *arguments)

    def again(output: Path) -> Any:
        return pf.run(small, output, **options, **changed[request.param])

    monkeypatch.setattr(run, "publish", keep_copy)
    again(out)
    monkeypatch.setattr(run, "publish", publish)
    assert len(list((out / "groups").iterdir())) >= SUBJECTS
    return Change(ready, tuple(seen), again, old, tables(out), files(out))


def cut_short(change: Change, out: Path) -> Iterator[int]:
    """Cut the commit short before its first change of a name, its second, and so on to the end."""
    for number in range(1000):
        shutil.copytree(change.ready, out)
        left = number

        def count() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        originals = fault_injection.before_each_change(count)
        try:
            publishing.publish(Output(out), *change.arguments)
            return
        except Killed:
            pass
        finally:
            for place, name, original in originals:
                setattr(place, name, original)
        yield number
        shutil.rmtree(out)


@pytest.mark.parametrize(
    ("change", "exchanges"),
    [
        ("first", True),
        ("other eps", True),
        ("other eps", False),
        ("grown", True),
        ("fewer tables", False),
    ],
    indirect=["change"],
)
def test_a_commit_that_is_cut_short_anywhere(
    change: Change, exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(publishing, "_exchanged", lambda _one, _other: False)
    out = tmp_path / "cut"
    seen_old = seen_new = steps = 0
    for number in cut_short(change, out):
        steps += 1
        for table in TABLES:
            folder = out / table
            if not folder.exists():
                # In two renames plain files are away for a moment.
                assert not exchanges or change.old[table] is None or change.new[table] is None
                continue
            assert len(settings_in(folder)) == 1, (number, table)
        found = tables(out)
        is_old, is_new = (
            all(_equal(found[table], wanted[table]) for table in TABLES)
            for wanted in (change.old, change.new)
        )
        assert is_old or is_new, number
        seen_old, seen_new = seen_old + is_old, seen_new + (is_new and not is_old)
        # Later steps were decided: earlier ones leave what was there.
        assert not (is_old and seen_new), number
        change.again(out)
        assert files(out) == change.final, number
    assert steps > 5
    assert seen_old
    assert seen_new


def _equal(one: pl.DataFrame | None, other: pl.DataFrame | None) -> bool:
    return other is None if one is None else other is not None and one.equals(other)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An export and what a run made of it, in several partitions."""
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    small, out = small_export(tmp_path / "export.csv", SUBJECTS), tmp_path / "out"
    pf.run(small, out, engine="shapely", jobs=1)
    return small, out


def died(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Let a run die after it finished its parts and before it put them into place."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(run, "publish", die)
        with pytest.raises(Killed):
            pf.run(small, out, engine="shapely", jobs=1, **options)


def test_parts_of_other_settings_that_a_dead_run_left_are_not_taken(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = made
    died(small, out, monkeypatch, eps=0.2)
    died(small, out, monkeypatch, visitors="name", eps=0.2)
    assert len(list((Output(out).finished / "extractions").iterdir())) >= SUBJECTS
    # One partition has to be made, the other is in place.
    text = small.read_text().replace("volunteer9", "somebody")
    small.write_text(text)
    pf.run(small, out, engine="shapely", jobs=1)
    pf.run(small, tmp_path / "scratch", engine="shapely", jobs=1)
    assert files(out) == files(tmp_path / "scratch")


def test_a_later_stage_starts_from_the_extractions_in_place(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polyframe: Callable[..., Any]
) -> None:
    small, out = made
    shutil.copytree(out, tmp_path / "other")
    died(small, out, monkeypatch, visitors="name")
    for folder in (out, tmp_path / "other"):
        assert polyframe("reduce", folder, "--eps", 0.3, "--engine", "shapely", "--jobs", 1).code == 0
    assert files(out) == files(tmp_path / "other")


def test_a_vanished_part_that_a_dead_run_made_again_comes_into_place(
    made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = made
    whole = files(out)
    next((out / "labels").iterdir()).unlink()
    died(small, out, monkeypatch)
    pf.run(small, out, engine="shapely", jobs=1)
    assert files(out) == whole


def test_force_mends_what_the_footers_do_not_tell(made: tuple[Path, Path]) -> None:
    small, out = made
    whole = files(out)
    damaged = sorted((out / "extractions").iterdir())[1]
    content = bytearray(damaged.read_bytes())
    content[40] ^= 0xFF
    damaged.write_bytes(content)
    pf.run(small, out, engine="shapely", jobs=1, force=True)
    assert files(out) == whole


def test_a_part_that_is_not_what_the_run_made_stops_it(
    made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For instance one that a worker of a killed run put there late."""
    small, out = made
    died(small, out, monkeypatch, eps=0.3)
    strange = {path.name: path.read_bytes() for path in (Output(out).finished / "labels").iterdir()}
    whole = tables_of(out)
    publish = publishing.publish

    def late(output: Output, *arguments: Any) -> None:
        name = min(strange)
        (output.finished_table("labels") / name).write_bytes(strange[name])
        publish(output, *arguments)

    monkeypatch.setattr(run, "publish", late)
    with pytest.raises(pf.PolyframeError, match="run again"):
        pf.run(small, out, engine="shapely", jobs=1, eps=0.2)
    assert tables_of(out) == whole
