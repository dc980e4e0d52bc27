"""Test the selection of the workflow and versions of an export."""

from pathlib import Path

import polars as pl
import pytest
from exports import export_row, export_text

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications import census, sources, version_selection


def written(tmp_path: Path, *exported: dict[str, str | int | None]) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(export_text(exported), encoding="utf-8")
    return path


def opened(path: Path) -> pl.LazyFrame:
    return sources.open_sources([path], path.parent / "work").rows


def chosen(path: Path, **values: object) -> version_selection.Selection:
    counted = census.take_census(opened(path))
    return version_selection.select(counted, Settings().replace(values), (str(path),))


def test_versions_compare_as_versions_and_the_newest_is_the_default(tmp_path: Path) -> None:
    path = written(
        tmp_path, *(export_row(n, "[]", workflow_version=v) for n, v in enumerate(("3.2", "3.16", "2.9")))
    )
    selected = chosen(path)
    assert selected.versions == ("3.16",)
    assert (selected.rows_read, selected.rows_filtered) == (3, 2)
    assert "version 3.16, the newest of 2.9, 3.2, 3.16" in selected.notes


@pytest.mark.parametrize(
    ("spec", "versions"),
    [
        ("3.2", ("3.2",)),
        ("3", ("3.2", "3.16")),
        ("2.9..3.2", ("2.9", "3.2")),
        ("..2", ("2.9",)),
        ("3.3..", ("3.16",)),
    ],
)
def test_requested_versions(spec: str, versions: tuple[str, ...], tmp_path: Path) -> None:
    path = written(
        tmp_path, *(export_row(n, "[]", workflow_version=v) for n, v in enumerate(("3.2", "3.16", "2.9")))
    )
    assert chosen(path, workflow_version=spec).versions == versions


def test_the_error_for_a_missing_workflow_or_version_lists_those_of_the_export(tmp_path: Path) -> None:
    path = written(tmp_path, export_row(1, "[]"), export_row(2, "[]", workflow_id=9, workflow_name="Count"))
    with pytest.raises(
        PolyframeError, match=r"no workflow 5; it contains 7 \(Outline\) with 1 row, 9 \(Count\)"
    ):
        chosen(path, workflow_id=5)
    with pytest.raises(PolyframeError, match=r"no version 4\.4; it has 3\.1"):
        chosen(path, workflow_id=7, workflow_version="4.4")
    with pytest.raises(UsageError, match="several workflows"):
        chosen(path)
