"""What all formats of exports have in common."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from stores import without_store

import polyframe as pf
from polyframe.core import atomic_files
from polyframe.export.counted_rows import batches
from polyframe.export.export_options import FORMATS

IMAGES = ("coco", "yolo", "masks", "labelstudio")
#: Of formats of one file.
ENDINGS = {
    "panoptes-csv": ".csv",
    "geojson": ".geojson",
    "coco": ".json",
    "labelstudio": ".json",
    "gpkg": ".gpkg",
    "levels": ".parquet",
}


@pytest.mark.parametrize("to", FORMATS)
def test_no_file_is_replaced_if_a_run_replaces_the_tables(
    to: Any, small_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an earlier release, which has no versions; the run comes when the first file is begun."""
    out, target = tmp_path / "out", tmp_path / f"exported{ENDINGS.get(to, '')}"
    options: dict[str, Any] = {"image_size": "200x200"} if to in IMAGES else {}
    pf.run(small_export, out, engine="shapely", jobs=1, say=str)
    pf.export(out, to, target, say=str, **options)
    before = files_below(target)
    without_store(out)
    create = atomic_files._create_empty
    monkeypatch.setattr(atomic_files, "_create_empty", lambda temporary: (reduce(), create(temporary)))

    def reduce() -> None:
        monkeypatch.setattr(atomic_files, "_create_empty", create)
        pf.reduce(out, output=out, average="union", say=str)
        pf.contours(out, output=out, say=str)

    with pytest.raises(pf.PolyframeError, match="replaced version 0 during the export; export it again"):
        pf.export(out, to, target, say=str, **options)
    assert files_below(target) == before


def files_below(place: Path) -> dict[str, int]:
    """Return when each file was written: another one with the same bytes would be later."""
    files = [place, *place.rglob("*")]
    return {str(path): path.stat().st_mtime_ns for path in files if path.is_file()}


def test_progress_counts_every_cluster_of_every_format(small_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(small_export, out, engine="shapely", jobs=1, say=str)
    rows = {table: pf.scan(out, table).collect().height for table in ("reductions", "contours")}
    assert rows["reductions"] > 0
    for to in FORMATS:
        steps: list[tuple[int, int]] = []
        options: dict[str, Any] = {"image_size": "200x200"} if to in IMAGES else {}
        if to == "panoptes-csv":
            options = {"what": "reductions"}
        target = tmp_path / f"exported-{to}{ENDINGS.get(to, '')}"
        pf.export(out, to, target, progress=lambda *step: steps.append(step), say=str, **options)  # noqa: B023
        clusters = rows["contours" if to == "levels" else "reductions"]
        assert (steps[0], steps[-1]) == ((0, clusters), (clusters, clusters)), to
        assert {total for _, total in steps} == {clusters}, to
        # A pass before the writing is not counted here.
        assert steps == sorted(steps), to


def test_batches_count_what_their_rows_stand_for() -> None:
    counted: list[int] = []
    rows = pl.DataFrame({"image": range(1000)})
    seen = 0
    for batch in batches(rows, 500, counted.append):
        assert sum(counted) == seen // 2  # two images for a cluster; those of the present batch are not done
        seen += batch.height
    assert (seen, sum(counted)) == (1000, 500)
    assert list(batches(rows.clear(), 7, counted.append)) == []
    assert counted[-1] == 7
