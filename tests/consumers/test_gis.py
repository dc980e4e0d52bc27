"""GIS programs and readers of flat tables measure the areas of the tables, in pixels and not in degrees."""

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from exports import ROOT

import polyframe as pf

DATA = ROOT / "data"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of the example project in `out`, and the files that are made from them."""
    folder = tmp_path_factory.mktemp("gis")
    pf.run(DATA / "classifications.csv", folder / "out", DATA / "config.yaml", engine="shapely", jobs=1)
    names = {"subjects": DATA / "subjects.csv", "workflows": DATA / "workflows.csv"}
    for to, name in (
        ("geojson", "averages.geojson"),
        ("gpkg", "averages.gpkg"),
        ("levels", "levels.parquet"),
        ("levels", "levels.csv"),
    ):
        pf.export(folder / "out", to, folder / name, **names)  # type: ignore[arg-type]
    return folder


def areas_of(folder: Path, name: str) -> pl.Series:
    """Return the areas in the tables of the shapes in a file."""
    if name.startswith("averages"):
        return pf.scan(folder / "out", "reductions").select("area").collect()["area"]
    contours = pf.scan(folder / "out", "contours").select(pl.col("contours_area").explode())
    return contours.collect()["contours_area"]


@pytest.mark.parametrize("name", ["averages.geojson", "averages.gpkg"])
def test_geopandas_reads_pixels(folder: Path, name: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.read_file(folder / name)
    assert frame.crs.is_engineering
    # GeoPandas warns about areas in degrees, which the tests turn into an error.
    assert frame.area.to_numpy() == pytest.approx(areas_of(folder, name).to_numpy())
    assert frame.is_valid.all()
    assert set(frame["label"]) == {"Cell", "Crystal"}


@pytest.mark.parametrize(
    ("name", "layer"),
    [("averages.geojson", "averages"), ("averages.gpkg", "reductions"), ("levels.csv", "levels")],
)
def test_gdal(folder: Path, name: str, layer: str) -> None:
    """That of pyogrio, by SQL, as in `ogrinfo -dialect sqlite -sql`."""
    pyogrio = pytest.importorskip("pyogrio")
    path, areas = folder / name, areas_of(folder, name)
    columns = "count(*) AS n, sum(st_area(geometry)) AS area, sum(st_isvalid(geometry)) AS valid"
    sql = f"SELECT {columns} FROM {layer}"
    row = pyogrio.read_dataframe(path, sql=sql, sql_dialect="SQLITE", read_geometry=False).iloc[0]
    assert (row["n"], row["valid"]) == (len(areas), len(areas))
    assert row["area"] == pytest.approx(areas.sum())
    if name != "levels.csv":
        assert "image pixels" in pyogrio.read_info(path)["crs"]


READ_LEVELS = """
import json, sys
from fastparquet import ParquetFile
frame = ParquetFile(sys.argv[1]).to_pandas()
frame["geometry"] = [value.hex() for value in frame["geometry"]]
print(json.dumps({name: column.tolist() for name, column in frame.items()}))
"""


def test_fastparquet_reads_levels(folder: Path, readers_python: str) -> None:
    """It reads the lists of lists of the table contours as None."""
    done = subprocess.run(
        [readers_python, "-c", READ_LEVELS, str(folder / "levels.parquet")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    columns: dict[str, list[Any]] = json.loads(done.stdout)
    levels = pf.explode_levels(pf.scan(folder / "out", "contours"))
    assert [bytes.fromhex(value) for value in columns["geometry"]] == levels["geometry"].to_list()
    for name in levels.drop("geometry").columns:
        assert columns[name] == levels[name].to_list()


def test_duckdb_reads_levels(folder: Path) -> None:
    levels = pf.explode_levels(pf.scan(folder / "out", "contours"))
    for name in ("levels.parquet", "levels.csv"):
        rows = duckdb.sql(
            f"SELECT subject_id, tool, cluster_label, level, area FROM '{folder / name}' "
            "ORDER BY subject_id, task, frame, tool, cluster_label, level"
        )
        assert rows.fetchall() == levels.select("subject_id", "tool", "cluster_label", "level", "area").rows()
