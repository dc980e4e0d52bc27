"""All tables are published together or none: publishing is interrupted at every step, then run again."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fault_injection
import polars as pl
import pytest
from footers import settings_in
from run_processes import PARTITION_BYTES, small_export
from stores import published

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.pipeline import plan, run
from polyframe.store import publishing
from polyframe.store.output import Output

SUBJECTS = 2


class Killed(BaseException):
    """Represents the end of the process; no code catches it."""


def tables(out: Path) -> dict[str, pl.DataFrame | None]:
    """Each table as `polyframe.scan` reads it; None if it is missing."""
    frames: dict[str, pl.DataFrame | None] = {}
    for table in TABLES:
        try:
            frames[table] = pf.scan(out, table).collect()
        except pf.PolyframeError as error:
            expected = ("has no table", "not a polyframe output directory", "no such")
            if not any(reason in str(error) for reason in expected):
                raise
            frames[table] = None
    return frames


@dataclass(frozen=True)
class Change:
    """An output directory just before a run publishes its parts, and its tables before and after."""

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
    return Change(ready, tuple(seen), again, old, tables(out), published(out))


def interrupted(change: Change, out: Path) -> Iterator[int]:
    """Interrupt publishing before its first change of a file name, its second, and so on to the end."""
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
def test_publishing_that_is_interrupted_anywhere(
    change: Change, exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(publishing, "_exchanged", lambda _one, _other: False)
    out = tmp_path / "interrupted"
    seen_old = seen_new = steps = 0
    for number in interrupted(change, out):
        steps += 1
        for table in TABLES:
            folder = out / table
            if not folder.exists():
                # Between two renames the folder is missing for a moment.
                assert not exchanges or change.old[table] is None or change.new[table] is None
                continue
            assert len(settings_in(folder)) == 1, (number, table)
        frames = tables(out)
        is_old, is_new = (
            all(_equal(frames[table], expected[table]) for table in TABLES)
            for expected in (change.old, change.new)
        )
        assert is_old or is_new, number
        seen_old, seen_new = seen_old + is_old, seen_new + (is_new and not is_old)
        # Once the change is decided, the old tables never come back.
        assert not (is_old and seen_new), number
        change.again(out)
        assert published(out) == change.final, number
    assert steps > 5
    assert seen_old
    assert seen_new


def _equal(one: pl.DataFrame | None, other: pl.DataFrame | None) -> bool:
    return other is None if one is None else other is not None and one.equals(other)


@pytest.fixture
def export_and_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An export and its output directory, with several partitions."""
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    small, out = small_export(tmp_path / "export.csv", SUBJECTS), tmp_path / "out"
    pf.run(small, out, engine="shapely", jobs=1)
    return small, out


def run_that_dies(small: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Let a run die after it finished its parts and before it publishes them."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(run, "publish", die)
        with pytest.raises(Killed):
            pf.run(small, out, engine="shapely", jobs=1, **options)


def test_finished_parts_with_other_settings_are_not_published(
    export_and_output: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = export_and_output
    run_that_dies(small, out, monkeypatch, eps=0.2)
    run_that_dies(small, out, monkeypatch, visitors="name", eps=0.2)
    assert len(list((Output(out).finished / "extractions").iterdir())) >= SUBJECTS
    # One partition is out of date, the other is current.
    text = small.read_text().replace("volunteer9", "somebody")
    small.write_text(text)
    pf.run(small, out, engine="shapely", jobs=1)
    pf.run(small, tmp_path / "scratch", engine="shapely", jobs=1)
    assert published(out) == published(tmp_path / "scratch")


def test_a_later_stage_starts_from_the_published_extractions(
    export_and_output: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    polyframe: Callable[..., Any],
) -> None:
    small, out = export_and_output
    shutil.copytree(out, tmp_path / "other")
    run_that_dies(small, out, monkeypatch, visitors="name")
    for folder in (out, tmp_path / "other"):
        assert polyframe("reduce", folder, "--eps", 0.3, "--engine", "shapely", "--jobs", 1).code == 0
    assert published(out) == published(tmp_path / "other")


def test_a_missing_part_that_a_dead_run_rebuilt_is_published(
    export_and_output: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, out = export_and_output
    whole = published(out)
    next((out / "labels").iterdir()).unlink()
    run_that_dies(small, out, monkeypatch)
    pf.run(small, out, engine="shapely", jobs=1)
    assert published(out) == whole


def test_force_rebuilds_parts_with_damage_outside_the_footer(export_and_output: tuple[Path, Path]) -> None:
    small, out = export_and_output
    whole = published(out)
    damaged = sorted((out / "extractions").iterdir())[1]
    content = bytearray(damaged.read_bytes())
    content[40] ^= 0xFF
    damaged.write_bytes(content)
    pf.run(small, out, engine="shapely", jobs=1, force=True)
    assert published(out) == whole


def test_a_part_of_another_run_stops_publishing(
    export_and_output: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example one that a worker of a killed run wrote late."""
    small, out = export_and_output
    run_that_dies(small, out, monkeypatch, eps=0.3)
    other_parts = {path.name: path.read_bytes() for path in (Output(out).finished / "labels").iterdir()}
    whole = published(out)
    publish = publishing.publish

    def late(output: Output, *arguments: Any) -> None:
        name = min(other_parts)
        (output.finished_table("labels") / name).write_bytes(other_parts[name])
        publish(output, *arguments)

    monkeypatch.setattr(run, "publish", late)
    with pytest.raises(pf.PolyframeError, match="run again"):
        pf.run(small, out, engine="shapely", jobs=1, eps=0.2)
    assert published(out) == whole
