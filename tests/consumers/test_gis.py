"""GIS programs measure the areas of the tables, in pixels and not in degrees."""

from pathlib import Path

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
    ):
        pf.export(folder / "out", to, folder / name, **names)  # type: ignore[arg-type]
    return folder


def areas_of(folder: Path) -> pl.Series:
    """Return the areas in the tables."""
    return pf.scan(folder / "out", "reductions").select("area").collect()["area"]


@pytest.mark.parametrize("name", ["averages.geojson", "averages.gpkg"])
def test_geopandas_reads_pixels(folder: Path, name: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.read_file(folder / name)
    assert frame.crs.is_engineering
    # GeoPandas warns about areas in degrees, which the tests turn into an error.
    assert frame.area.to_numpy() == pytest.approx(areas_of(folder).to_numpy())
    assert frame.is_valid.all()
    assert set(frame["label"]) == {"Cell", "Crystal"}


@pytest.mark.parametrize(
    ("name", "layer"),
    [("averages.geojson", "averages"), ("averages.gpkg", "reductions")],
)
def test_gdal(folder: Path, name: str, layer: str) -> None:
    """That of pyogrio, by SQL, as in `ogrinfo -dialect sqlite -sql`."""
    pyogrio = pytest.importorskip("pyogrio")
    path, areas = folder / name, areas_of(folder)
    columns = "count(*) AS n, sum(st_area(geometry)) AS area, sum(st_isvalid(geometry)) AS valid"
    sql = f"SELECT {columns} FROM {layer}"
    row = pyogrio.read_dataframe(path, sql=sql, sql_dialect="SQLITE", read_geometry=False).iloc[0]
    assert (row["n"], row["valid"]) == (len(areas), len(areas))
    assert row["area"] == pytest.approx(areas.sum())
    assert "image pixels" in pyogrio.read_info(path)["crs"]
