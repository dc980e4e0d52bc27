"""Readers notice that a run replaced the tables, and errors name the next step."""

import re
from pathlib import Path

import polars as pl
import pytest

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.store import reading
from polyframe.store.output import MANIFEST, Output
from polyframe.store.reading import check_unchanged, explain_damage, read_unchanged


def replace_manifest(folder: Path) -> None:
    """Replace the manifest by one of the same bytes, as a run does that rebuilds every part."""
    (folder / "new").write_text("{}")
    (folder / "new").replace(folder / MANIFEST)


def test_a_change_during_a_long_read_is_an_error(tmp_path: Path) -> None:
    replace_manifest(tmp_path)
    with check_unchanged(Output(tmp_path), "export"):
        (tmp_path / "notes.txt").touch()
    message = f"{tmp_path}: a run changed it during the export; export it again"
    with pytest.raises(pf.PolyframeError, match=message), check_unchanged(Output(tmp_path), "export"):
        replace_manifest(tmp_path)


def test_a_change_explains_an_error_during_a_long_read(tmp_path: Path) -> None:
    def read(change: bool) -> None:
        with check_unchanged(Output(tmp_path), "export"):
            if change:
                replace_manifest(tmp_path)
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        read(change=False)
    with pytest.raises(pf.PolyframeError, match="a run changed it during the export"):
        read(change=True)


def test_a_short_read_is_repeated_until_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAUSE", 0)
    replace_manifest(tmp_path)
    results: list[int | None] = []

    def read() -> int | None:
        if len(results) < 2:
            replace_manifest(tmp_path)
        results.append(None if len(results) == 2 else len(results))
        return results[-1]

    assert read_unchanged(Output(tmp_path), read) == 3
    assert results == [0, 1, None, 3]


def test_a_short_read_gives_up_if_the_tables_keep_changing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAUSE", 0)

    def read() -> int:
        replace_manifest(tmp_path)
        return 1

    assert read_unchanged(Output(tmp_path), read) is None


def test_scan_suggests_tables_and_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(pf.UsageError, match="did you mean 'contours'"):
        pf.scan(tmp_path, "contour")
    for name in TABLES:
        with pytest.raises(pf.PolyframeError, match="name the directory that `polyframe run` wrote"):
            pf.scan(tmp_path, name)
        with pytest.raises(pf.PolyframeError, match="none: no such directory; make it with `polyframe run"):
            pf.scan(tmp_path / "none", name)


def test_the_error_for_a_missing_table_names_its_command(small_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(small_export, out, contours=False, engine="shapely", jobs=1)
    with pytest.raises(
        pf.PolyframeError, match=f"has no table 'contours'; make it with `polyframe contours {out}`"
    ):
        pf.scan(out, "contours")


def test_damage_is_explained_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_text("text")
    line = rf"{tmp_path}: cannot be read \(.+\); see `polyframe validate {tmp_path}`"
    with pytest.raises(pf.PolyframeError) as caught, explain_damage(tmp_path):
        pl.read_parquet(tmp_path / "part.parquet")
    assert re.fullmatch(line, str(caught.value))
    with pytest.raises(pf.PolyframeError, match=r"\(OSError\)"), explain_damage(tmp_path):
        raise OSError
