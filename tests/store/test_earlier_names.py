"""A run without names says in which earlier versions they still are, and how to remove those."""

import shlex
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from exports import Done

import polyframe as pf
from polyframe.core.local_paths import place_of
from polyframe.store.output import PARTS, Output

Call = Callable[..., Done]


def run(export: Path, out: object, **settings: object) -> list[str]:
    """Return the notes of a run about versions with names."""
    notes: list[str] = []
    pf.run(export, out, engine="shapely", jobs=1, say=notes.append, **settings)  # type: ignore[arg-type]
    return [note for note in notes if "still contain" in note]


def has_names(out: object) -> bool:
    """Tell whether any part in the store contains the names of volunteers, whatever version it is of."""
    objects = Output(place_of(out, "output")).objects
    parts = [key for key in objects.keys(PARTS) if key.startswith(f"{PARTS}extractions/")]
    assert parts
    return any(
        pl.read_parquet(objects.read(key))["user_name"].str.starts_with("volunteer").any() for key in parts
    )


@pytest.mark.parametrize("name", ["out", "my tables"])
def test_the_command_of_the_note_removes_names(
    name: str, small_export: Path, tmp_path: Path, polyframe: Call
) -> None:
    out = tmp_path / name
    assert run(small_export, out) == []
    (note,) = run(small_export, out, volunteers="drop")
    path = shlex.quote(str(out))
    command = f"polyframe vacuum {path} --keep 0d"
    assert note == (f"version 1 of {out} still contains the names of volunteers; remove it with `{command}`")
    # Also if nothing changed since.
    assert run(small_export, out, volunteers="drop") == [note]
    assert has_names(out)
    assert polyframe(*shlex.split(command)[1:]).code == 0
    assert not has_names(out)
    assert run(small_export, out, volunteers="drop") == []


def test_several_versions(small_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for eps in (0.3, 0.4):
        run(small_export, out, eps=eps, keep_versions=3)
    (note,) = run(small_export, out, volunteers="drop", keep_versions=3)
    assert note.startswith(f"versions 1, 2 of {out} still contain the names of volunteers; remove them with")


def test_no_note_without_names(small_export: Path, tmp_path: Path) -> None:
    """The only version is without, or a run keeps no other version."""
    out = tmp_path / "out"
    assert run(small_export, out, volunteers="drop") == []
    assert run(small_export, out, volunteers="drop", eps=0.3) == []
    assert run(small_export, out) == []
    assert run(small_export, out, volunteers="drop", keep_versions=1) == []
    assert not has_names(out)


def test_in_a_bucket_parts_would_stay_for_a_week(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = f"memory://{tmp_path.name}/out"
    run(small_export, out)
    (note,) = run(small_export, out, volunteers="drop")
    command = f"polyframe vacuum {out} --keep 0d --grace 0d"
    assert note.endswith(f"remove it with `{command}` if no run is in progress")
    pf.vacuum(out, keep="0d")
    assert has_names(out)
    pf.vacuum(out, keep="0d", grace="0d")
    assert not has_names(out)
