"""GeoPackage: read with SQLite by the rules of the standard (OGC 12-128), every row equals the tables."""

import sqlite3
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square

import polyframe as pf
from polyframe.export import geopackage
from polyframe.export.shape_export import ShapeExport
from polyframe.export.shape_rows import rows_by_partition

pyogrio = pytest.importorskip("pyogrio")

Call = Callable[..., Done]
DATA = ROOT / "data"
NAMES = {"subjects": DATA / "subjects.csv", "workflows": DATA / "workflows.csv"}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    pf.run(DATA / "classifications.csv", folder / "out", DATA / "config.yaml", engine="shapely", jobs=1)
    return folder / "out"


def query(path: Path, sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(sql)]


def geometry_of(blob: bytes) -> tuple[int, shapely.Geometry]:
    """Return the reference system and the geometry of a GeoPackage blob (clause 2.1.3)."""
    assert blob[:3] == b"GP\0"
    flags = blob[3]
    order = "<" if flags & 1 else ">"
    envelope = (0, 32, 48, 48, 64)[flags >> 1 & 7]
    shape = shapely.from_wkb(blob[8 + envelope :])
    assert bool(flags & 16) == shape.is_empty
    return struct.unpack(f"{order}i", blob[4:8])[0], shape


def rows_of(path: Path, layer: str) -> tuple[pl.DataFrame, list[shapely.Geometry]]:
    rows = query(path, f"SELECT * FROM {layer} ORDER BY fid")
    (column,) = query(path, "SELECT * FROM gpkg_geometry_columns")
    assert (column["table_name"], column["geometry_type_name"]) == (layer, "POLYGON")
    geometries = [geometry_of(row.pop(column["column_name"])) for row in rows]
    assert {system for system, _ in geometries} <= {column["srs_id"]}
    table = pl.DataFrame(rows, infer_schema_length=None)
    return table.drop("fid") if rows else table, [shape for _, shape in geometries]


def test_every_averaged_polygon_is_a_row(example: Path, tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "a.gpkg"
    flags = [str(word) for name, value in NAMES.items() for word in (f"--{name}", value)]
    done = polyframe("export", example, "--to", "gpkg", "-o", path, *flags)
    assert (done.code, done.out) == (0, f"{path}: 36 features\n")
    table = pf.scan(example, "reductions").collect()
    rows, shapes = rows_of(path, "reductions")
    names = [name for name in rows.columns if name in table.columns]
    assert {*table.columns} - {*names} == {
        *("clusters_x", "clusters_y", "geometry", "area_low", "area_high"),
    }
    assert rows.select(names).cast(table.select(names).schema).equals(table.select(names))  # type: ignore[arg-type]
    assert shapely.to_wkb(shapes).tolist() == table["geometry"].to_list()
    assert rows["image"].to_list() == [
        f"{s}-{f}.png" for s, f in table.select("subject_id", "frame").iter_rows()
    ]
    labels = {"T0_toolIndex0": "Cell", "T0_toolIndex1": "Crystal"}
    assert rows["label"].to_list() == [labels[tool] for tool in table["tool"]]


def test_the_file_follows_the_standard(example: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    pf.export(example, "gpkg", path)
    assert query(path, "PRAGMA application_id") == [{"application_id": 0x47504B47}]
    assert query(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert query(path, "PRAGMA foreign_key_check") == []
    types = {row["name"]: row["type"] for row in query(path, "PRAGMA table_info(reductions)")}
    assert types == {
        "fid": "INTEGER",
        "geometry": "POLYGON",
        **dict.fromkeys(("workflow_id", "subject_id"), "INTEGER"),
        **dict.fromkeys(("task", "tool", "average_type", "details_votes", "image", "label"), "TEXT"),
        **dict.fromkeys(
            ("frame", "cluster_label", "clusters_count", "n_classifications", "classifications_needed"),
            "MEDIUMINT",
        ),
        **dict.fromkeys(("consensus", "threshold", "area", "expected_iou"), "REAL"),
    }
    (content,) = query(path, "SELECT * FROM gpkg_contents")
    assert (content["table_name"], content["data_type"]) == ("reductions", "features")
    assert "image pixels, y downwards" in content["description"]
    bounds = (content["min_x"], content["min_y"], content["max_x"], content["max_y"])
    assert bounds == tuple(shapely.total_bounds(rows_of(path, "reductions")[1]))
    # Not the systems that programs take for longitudes and latitudes.
    (system,) = query(path, f"SELECT * FROM gpkg_spatial_ref_sys WHERE srs_id = {content['srs_id']}")
    assert system["srs_id"] not in (0, 4326)
    crs = pytest.importorskip("pyproj").CRS.from_wkt(system["definition"])
    assert (crs.is_geographic, crs.is_projected) == (False, False)


def test_contours_have_a_row_for_each_level(example: Path, tmp_path: Path) -> None:
    (done,) = pf.export(example, "gpkg", tmp_path / "c.gpkg", what="contours")
    levels = pf.explode_levels(pf.scan(example, "contours"))
    rows, shapes = rows_of(done.path, "contours")
    assert done.count == levels.height
    assert shapely.to_wkb(shapes).tolist() == levels["geometry"].to_list()
    flat = levels.drop("geometry")
    assert rows.select(flat.columns).cast(flat.schema).equals(flat)  # type: ignore[arg-type]
    (done,) = pf.export(example, "gpkg", tmp_path / "c.gpkg", level="50%", say=lambda _: None)
    rows, _ = rows_of(done.path, "contours")
    assert (rows["level"] == (rows["clusters_count"] + 1) // 2).all()
    assert done.count == rows.height > 0


def test_the_same_tables_give_the_same_bytes(example: Path, tmp_path: Path) -> None:
    for name in ("a.gpkg", "b.gpkg"):
        pf.export(example, "gpkg", tmp_path / name)
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
    # An existing file is replaced.
    pf.export(example, "gpkg", tmp_path / "a.gpkg", what="contours")
    pf.export(example, "gpkg", tmp_path / "a.gpkg")
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.gpkg", "b.gpkg"}


def test_empty_geometries_and_names_that_are_hard_to_write(tmp_path: Path) -> None:
    rows = [export_row(place, drawing(square(4 * place, 0))) for place in range(4)]
    (tmp_path / "chain.csv").write_text(export_text(rows), encoding="utf-8")
    out, path = tmp_path / "out", tmp_path / "d\u00e9j\u00e0 'vu'.gpkg"
    pf.run(tmp_path / "chain.csv", out, engine="shapely", jobs=1, eps=0.6, average_type="intersection")
    name = "\U0001f9a0 \"x\" 'y' {subject_id}-{frame}; DROP TABLE reductions.tif"
    pf.export(out, "gpkg", path, image_name=name)
    table, (shape,) = rows_of(path, "reductions")
    assert shape.is_empty
    assert table["area"].to_list() == [0]
    assert table["image"].to_list() == [name.format(subject_id=1, frame=0)]


def test_a_table_without_rows(tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / "e.csv").write_text(
        export_text([export_row(n, drawing()) for n in range(3)]), encoding="utf-8"
    )
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    path = tmp_path / "a.gpkg"
    for what in ("reductions", "contours"):
        done = polyframe("export", tmp_path / "out", "--to", "gpkg", "--what", what, "-o", path)
        assert done.out == f"{path}: 0 features\n"
        assert rows_of(path, what)[1] == []
        columns = {row["name"] for row in query(path, f"PRAGMA table_info({what})")}
        assert {"geometry", "image", "label", "consensus"} <= columns


def test_limits_are_counted(example: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    table = pf.scan(example, "reductions").collect()
    middle = float(table["consensus"].median())  # type: ignore[arg-type]
    (done,) = pf.export(example, "gpkg", tmp_path / "a.gpkg", min_consensus=middle, say=notes.append)
    rows, _ = rows_of(done.path, "reductions")
    assert rows["consensus"].to_list() == table["consensus"].filter(table["consensus"] >= middle).to_list()
    omitted = table.height - rows.height
    assert [note.split(":")[0] for note in notes] == [
        f"omitted {omitted} shapes that have a consensus below {middle:g}"
    ]


def test_errors_leave_no_file(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pf.UsageError, match=r"x\.json: does not end in \.gpkg"):
        pf.export(example, "gpkg", tmp_path / "x.json")
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")

    def rows_then_an_error(export: ShapeExport) -> Iterator[pl.DataFrame]:
        yield next(rows_by_partition(export))
        raise pf.PolyframeError("a part is missing")

    monkeypatch.setattr(geopackage, "rows_by_partition", rows_then_an_error)
    with pytest.raises(pf.PolyframeError, match="a part is missing"):
        pf.export(example, "gpkg", tmp_path / "x.gpkg")
    assert list(tmp_path.iterdir()) == []
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == before


def test_a_missing_extra_is_named(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with pytest.raises(pf.PolyframeError, match=r"needs pyogrio: pip install 'panoptes-polyframe\[geo\]'"):
        pf.export(example, "gpkg", tmp_path / "x.gpkg")
