"""What all formats of exports have in common."""

from pathlib import Path
from typing import Any

import pytest
from stores import without_store

import polyframe as pf
from polyframe.core import atomic_files
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
