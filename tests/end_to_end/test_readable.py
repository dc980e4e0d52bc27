"""Tables can be read with common tools, which all give the same values."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import shapely
from doc_pages import DOCS, blocks
from exports import ROOT, drawing, export_row, export_text, square
from hand_made_project import (
    SUBJECTS,
    Rows,
    check_contours,
    check_extractions,
    check_labels,
    check_reductions,
    make_project,
    wkb_points,
)

import polyframe as pf
from polyframe.consensus.explode_levels import explode_levels
from polyframe.core.tables import TABLES

RECIPES = DOCS / "recipes"
CHECKS: dict[str, Callable[[Rows], None]] = {
    "labels": check_labels,
    "extractions": check_extractions,
    "reductions": check_reductions,
    "contours": check_contours,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of twelve parts each, with known values."""
    out = make_project(tmp_path_factory.mktemp("project"))
    assert len(list((out / "rejects").iterdir())) == len(SUBJECTS)
    return out


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables without rows: the example without clusters and rejects."""
    out = tmp_path_factory.mktemp("empty") / "out"
    pf.run(ROOT / "data" / "classifications.csv", out, ROOT / "data" / "config.yaml", min_samples=1000)
    return out


def plain(value: Any) -> Any:
    """Convert values of pandas to Python values."""
    if isinstance(value, (list, np.ndarray)):
        return [plain(one) for one in value]
    if isinstance(value, shapely.Geometry):
        return value
    return None if pd.isna(value) else value


def rows_of(frame: pd.DataFrame) -> Rows:
    return [{name: plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def rows_from(connection: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    result = connection.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_polars(project: Path, empty: Path) -> None:
    for name, check in CHECKS.items():
        check(pl.read_parquet(f"{project}/{name}/*.parquet").to_dicts())
        check(pl.scan_parquet(project / name).collect().to_dicts())
        check(pf.scan(project, name).collect().to_dicts())
    for name, table in TABLES.items():
        assert pl.read_parquet_schema(next((project / name).iterdir())) == dict(table.schema)
    for name in ("rejects", "reductions", "contours"):
        assert pl.read_parquet(empty / name).shape == (0, len(TABLES[name].columns))


def test_pandas(project: Path, empty: Path) -> None:
    for name, check in CHECKS.items():
        check(rows_of(pd.read_parquet(project / name)))
        check(rows_of(pd.read_parquet(project / name, dtype_backend="pyarrow")))
    times = pd.read_parquet(project / "labels")["created_at"]
    assert str(times.dt.tz) == "UTC"
    assert times.isna().sum() == len(SUBJECTS)
    people = pd.read_parquet(project / "extractions", dtype_backend="pyarrow")["user_id"]
    assert str(people.dtype) == "int64[pyarrow]"
    for name in ("rejects", "reductions", "contours"):
        assert pd.read_parquet(empty / name).shape == (0, len(TABLES[name].columns))


def test_pyarrow(project: Path, empty: Path) -> None:
    for name, check in CHECKS.items():
        check(pq.read_table(project / name).to_pylist())
        check(ds.dataset(project / name).to_table().to_pylist())
    assert pq.read_schema(next((project / "labels").iterdir())).field("created_at").type == pa.timestamp(
        "us", tz="UTC"
    )
    one = ds.dataset(project / "contours").to_table(filter=ds.field("subject_id") == 5)
    assert one["contours_area"].to_pylist() == [[120, 100, 80]]
    for name in ("rejects", "reductions", "contours"):
        table = pq.read_table(empty / name)
        assert (table.num_rows, table.column_names) == (0, list(TABLES[name].schema))


def test_duckdb(project: Path, empty: Path) -> None:
    connection = duckdb.connect()
    for name, check in CHECKS.items():
        check(rows_from(connection, f"FROM '{project}/{name}/*.parquet'"))
    inner = f"SELECT sum(contours_area[3]), max(list_max(contours_x[3])) FROM '{project}/contours/*.parquet'"
    assert connection.execute(inner).fetchone() == (80 * len(SUBJECTS), 1210)
    times = f"SELECT epoch(min(created_at)), count(created_at) FROM '{project}/labels/*.parquet'"
    # 2026-01-01 10:00:10 UTC
    assert connection.execute(times).fetchone() == (1767261610, 3 * len(SUBJECTS))
    for name in ("rejects", "reductions", "contours"):
        assert rows_from(connection, f"FROM '{empty}/{name}/*.parquet'") == []


def spatial(python: str, sql: str) -> list[list[Any]]:
    done = subprocess.run(
        [python, ROOT / "tests" / "support" / "run_spatial.py"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_duckdb_spatial(project: Path, empty: Path, readers_python: str) -> None:
    rows = spatial(
        readers_python,
        f"""SELECT subject_id, ST_Area(a.geometry), ST_XMin(a.geometry), ST_YMax(a.geometry),
            ST_Area(ST_Intersection(a.geometry, c.geometry)), ST_IsValid(c.geometry), ST_Area(c.geometry),
            ST_GeometryType(a.geometry), ST_Area(ST_GeomFromWKB(ST_AsWKB(c.geometry)))
        FROM '{project}/reductions/*.parquet' a JOIN '{project}/contours/*.parquet' c USING (subject_id)
        ORDER BY subject_id""",
    )
    assert rows == [[s, 100, 100 * s + 1, 60, 100, True, 120, "POLYGON", 120] for s in SUBJECTS]
    for name in ("reductions", "contours"):
        assert spatial(readers_python, f"SELECT sum(ST_Area(geometry)) FROM '{empty}/{name}/*.parquet'") == [
            [None]
        ]


def test_geopandas(project: Path, empty: Path) -> None:
    for name in ("reductions", "contours"):
        frame = geopandas.read_parquet(project / name)
        CHECKS[name](rows_of(frame))
        assert frame.crs is None
        assert frame.geometry.name == "geometry"
        one = geopandas.read_parquet(project / name / "part-00011.parquet")
        assert (len(one), one["subject_id"].tolist(), one.crs) == (1, [12], None)
        assert one.equals(frame.tail(1).reset_index(drop=True))
        without_rows = geopandas.read_parquet(empty / name)
        assert (len(without_rows), without_rows.crs, without_rows.area.sum()) == (0, None, 0)


def test_levels_in_geopandas(project: Path, empty: Path) -> None:
    rows = explode_levels(pf.scan(project, "contours").collect()).to_pandas()
    levels = geopandas.GeoDataFrame(rows, geometry=geopandas.GeoSeries.from_wkb(rows["geometry"]))
    assert levels["level"].tolist() == [1, 2, 3] * len(SUBJECTS)
    assert levels.area.tolist() == levels["area"].tolist() == [120, 100, 80] * len(SUBJECTS)
    expected = shapely.box(np.arange(100, 103), 50, np.arange(112, 109, -1), 60)
    assert shapely.equals(levels.geometry[:3].to_numpy(), expected).all()
    assert explode_levels(pf.scan(empty, "contours").collect()).is_empty()


def test_empty_geometries(tmp_path: Path) -> None:
    """The squares at both ends of a chain do not overlap."""
    rows = [export_row(k, drawing(square(shift, 0))) for k, shift in enumerate((0, 6, 12))]
    (tmp_path / "chain.csv").write_text(export_text(rows), encoding="utf-8")
    out = tmp_path / "out"
    pf.run(tmp_path / "chain.csv", out, eps=0.8, average_type="intersection")
    frame = geopandas.read_parquet(out / "reductions")
    assert frame.geometry.is_empty.tolist() == [True]
    assert (frame["area"].tolist(), list(frame["clusters_x"][0])) == ([0], [])
    (row,) = rows_from(duckdb.connect(), f"FROM '{out}/reductions/*.parquet'")
    assert (wkb_points(row["geometry"]), row["clusters_x"]) == ([], [])


def test_geo_metadata_follow_the_specification(project: Path, empty: Path) -> None:
    """GeoParquet 1.1: https://geoparquet.org/releases/v1.1.0/."""
    paths = [path for out in (project, empty) for path in sorted(out.rglob("*.parquet"))]
    # In folders of the view, and of partitions in the store.
    with_geometry = [path for path in paths if {"reductions", "contours"} & {*path.parts[-3:-1]}]
    assert [path for path in paths if b"geo" in pq.read_metadata(path).metadata] == with_geometry
    for path in with_geometry:
        file = pq.ParquetFile(path)
        geo = json.loads(file.metadata.metadata[b"geo"])
        assert geo["version"] == "1.1.0"
        assert geo["primary_column"] in geo["columns"]
        column = geo["columns"]["geometry"]
        assert column["encoding"] == "WKB"
        assert "crs" in column  # The default would be longitude and latitude.
        assert column["crs"] is None
        # Little-endian, and the code of two-dimensional polygons.
        kinds = {wkb[:5] for wkb in file.read(["geometry"])["geometry"].to_pylist()}
        assert kinds <= {bytes([1, 3, 0, 0, 0])}
        assert column["geometry_types"] == ["Polygon"]
        assert column["edges"] == "planar"
        bbox = column.get("bbox")
        assert (bbox is None) == (empty in path.parents)
        assert bbox is None or (len(bbox) == 4 and bbox[0] < bbox[2] and bbox[1] < bbox[3])
        assert set(column) <= {"encoding", "geometry_types", "crs", "edges", "bbox"}
        # A column of bytes at the root, not repeated.
        geometry = file.schema.column(file.schema.names.index("geometry"))
        assert (geometry.path, geometry.physical_type) == ("geometry", "BYTE_ARRAY")
        assert geometry.max_repetition_level == 0


def loading_sql() -> str:
    """Return the SQL of the recipe that fills a database."""
    return next(sql for sql in blocks(RECIPES / "duckdb.md", "sql") if "PRIMARY KEY" in sql)


def run_with_eps(eps: float) -> None:
    pf.run(
        ROOT / "data" / "classifications.csv", "out", ROOT / "data" / "config.yaml", eps=eps, partition_size=1
    )


def loaded() -> dict[str, Rows]:
    """Load the database again, and return its contents in a new connection."""
    with duckdb.connect("project.duckdb") as connection:
        connection.execute(loading_sql())
    return contents()


def contents() -> dict[str, Rows]:
    with duckdb.connect("project.duckdb", read_only=True) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {name: rows_from(connection, f"FROM {name}") for name in names}


def parquet() -> dict[str, Rows]:
    return {name: pq.read_table(f"out/{name}").to_pylist() for name in ("contours", "labels", "reductions")}


def test_loading_repeatedly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_with_eps(0.5)
    first = loaded()
    assert first == parquet()
    assert len(first["reductions"]) == 36
    assert loaded() == first
    # With fewer neighbours, first some clusters are divided, then most disappear.
    for eps, clusters in ((0.12, 38), (0.05, 5)):
        run_with_eps(eps)
        tables = loaded()
        assert tables == parquet()
        assert len(tables["reductions"]) == clusters
    run_with_eps(0.5)
    assert loaded() == first


def test_the_database_has_the_keys_of_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_with_eps(0.5)
    loaded()
    with duckdb.connect("project.duckdb") as connection:
        keys = connection.execute(
            "SELECT table_name, constraint_column_names FROM duckdb_constraints()"
            " WHERE constraint_type = 'PRIMARY KEY'"
        ).fetchall()
        assert dict(keys) == {name: list(TABLES[name].key) for name in parquet()}
        for name in parquet():
            with pytest.raises(duckdb.ConstraintException):
                connection.execute(f"INSERT INTO {name} FROM {name} LIMIT 1")


def test_loading_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_with_eps(0.5)
    first = loaded()
    run_with_eps(0.12)
    # The last table has a duplicate row.
    part = Path("out/contours/part-00000.parquet")
    part.with_name("part-00001.parquet").write_bytes(part.read_bytes())
    with pytest.raises(duckdb.Error, match="duplicate key"):
        loaded()
    assert contents() == first
    part.unlink()
    part.with_name("part-00001.parquet").unlink()
    with pytest.raises(duckdb.Error, match="No files found"):
        loaded()
    assert contents() == first


def test_code_of_the_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_with_eps(0.5)
    code = "\n".join(
        [
            "import matplotlib; matplotlib.use('agg')",
            *blocks(RECIPES / "read-tables.md", "python"),
            *blocks(RECIPES / "geopandas.md", "python")[:2],
            "assert 0 < agreed.height < 36",
            "assert len(labels) == 232",
            "assert areas.num_rows == len(averages) == 36 and averages.crs is None",
            "assert abs(averages.area - averages['area']).max() < 1e-6",
            "assert (levels['level'] == 1).sum() == 36",
        ]
    )
    Path("recipes.py").write_text(code, encoding="utf-8")
    subprocess.run([sys.executable, "recipes.py"], check=True)
    plain_sql, _, _ = blocks(RECIPES / "duckdb.md", "sql")
    result = duckdb.sql(plain_sql).pl()
    contours = pf.scan("out", "contours").filter(pl.col("number_of_contours") >= 3).collect()
    ratio = [areas[2] / areas[0] for areas in contours["contours_area"].to_list()]
    assert result["level_3_of_all"].to_list() == sorted(ratio, reverse=True)


def test_spatial_sql_of_the_recipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers_python: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run_with_eps(0.5)
    _, with_spatial, _ = blocks(RECIPES / "duckdb.md", "sql")
    # `run_spatial.py` loads the extension from a file, without installing it.
    pairs = spatial(readers_python, with_spatial.replace("LOAD spatial;", ""))
    assert pairs == overlapping_averages()


def overlapping_averages() -> list[list[Any]]:
    frame = geopandas.read_parquet("out/reductions")
    pairs = []
    for _, group in frame.groupby(["workflow_id", "subject_id", "task", "frame"]):
        rows = list(group.itertuples())
        for a in rows:
            for b in rows:
                pixels = a.geometry.intersection(b.geometry).area
                if (a.tool, a.cluster_label) < (b.tool, b.cluster_label) and pixels > 0:
                    keys = [a.subject_id, a.frame, a.tool, a.cluster_label, b.tool, b.cluster_label]
                    pairs.append([*keys, pytest.approx(pixels, abs=1e-6)])
    return pairs
