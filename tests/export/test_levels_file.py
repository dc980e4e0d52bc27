"""Levels as GeoParquet and CSV: the rows of `explode_levels`, with the names of images and tools."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import shapely
from exports import ROOT, Done, drawing, export_row, export_text, square

import polyframe as pf

Call = Callable[..., Done]
DATA = ROOT / "data"
KEYS = ["workflow_id", "subject_id", "task", "frame", "tool", "cluster_label", "level"]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    pf.run(DATA / "classifications.csv", folder / "out", DATA / "config.yaml", engine="shapely", jobs=1)
    return folder / "out"


def expected(out: Path) -> pl.DataFrame:
    return pf.explode_levels(pf.scan(out, "contours"))


def test_rows_equal_explode_levels(example: Path, tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / "levels.parquet"
    names = ("--subjects", DATA / "subjects.csv", "--workflows", DATA / "workflows.csv")
    done = polyframe("export", example, "--to", "levels", "-o", path, *names)
    levels = expected(example)
    assert (done.code, done.out) == (0, f"{path}: {levels.height} levels\n")
    rows = pl.read_parquet(path)
    assert rows.select(levels.columns).equals(levels)
    assert rows.select(KEYS).equals(rows.select(KEYS).sort(KEYS))
    assert rows.columns[-4:] == ["expected_iou", "image", "label", "geometry"]
    keys = KEYS[:-1]
    for table, column in (("contours", "number_of_contours"), ("reductions", "expected_iou")):
        of_clusters = pf.scan(example, table).select(*keys, column).collect()
        joined = rows.select(keys).join(of_clusters, on=keys, how="left", maintain_order="left")
        assert rows[column].to_list() == joined[column].to_list()
    assert rows["image"].to_list() == [
        f"{s}-{f}.png" for s, f in rows.select("subject_id", "frame").iter_rows()
    ]
    labels = {"T0_toolIndex0": "Cell", "T0_toolIndex1": "Crystal"}
    assert rows["label"].to_list() == [labels[tool] for tool in rows["tool"]]


def test_csv_has_the_same_rows(example: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv"):
        (done,) = pf.export(example, "levels", tmp_path / name)
    rows, table = pl.read_csv(tmp_path / "a.csv"), pl.read_parquet(tmp_path / "a.parquet")
    assert rows.columns == [*table.columns[:-1], "WKT"]
    assert done.count == rows.height == table.height
    flat = table.drop("geometry")
    assert rows.select(flat.columns).cast(flat.schema).equals(flat)  # type: ignore[arg-type]
    # Every digit is there.
    assert shapely.to_wkb(shapely.from_wkt(rows["WKT"].to_list())).tolist() == table["geometry"].to_list()


def test_the_file_is_geoparquet_of_the_types_of_the_tables(example: Path, tmp_path: Path) -> None:
    (done,) = pf.export(example, "levels", tmp_path / "a.parquet")
    file, stored = pq.ParquetFile(done.path), pq.ParquetFile(next((example / "contours").iterdir()))
    fields = {field.name: (str(field.type), field.nullable) for field in file.schema_arrow}
    known = {field.name: (str(field.type), field.nullable) for field in stored.schema_arrow}
    assert {name: fields[name] for name in fields if name in known} == {
        name: known[name] for name in known if name in fields
    }
    assert fields["geometry"][0] == "binary"
    assert {name for name, (_, nullable) in fields.items() if nullable} == {"expected_iou"}
    geo, stored_geo = (json.loads(one.metadata.metadata[b"geo"]) for one in (file, stored))
    bbox = geo["columns"]["geometry"].pop("bbox")
    stored_geo["columns"]["geometry"].pop("bbox")
    assert geo == stored_geo
    shapes = shapely.from_wkb(pl.read_parquet(done.path)["geometry"].to_list())
    assert tuple(bbox) == tuple(shapely.total_bounds(shapes))
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.read_parquet(done.path)
    assert frame.crs is None
    assert frame.geometry.area.to_numpy() == pytest.approx(frame["area"].to_numpy())
    pf.export(example, "levels", tmp_path / "b.parquet")
    assert (tmp_path / "b.parquet").read_bytes() == done.path.read_bytes()


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_one_level_of_each_cluster(name: str, example: Path, tmp_path: Path, polyframe: Call) -> None:
    path = tmp_path / name
    read: Any = pl.read_parquet if path.suffix == ".parquet" else pl.read_csv
    levels = expected(example)
    for level, wanted in (("3", pl.lit(3)), ("50%", (pl.col("clusters_count") + 1) // 2)):
        done = polyframe("export", example, "--to", "levels", "-o", path, "--level", level)
        rows, chosen = read(path), levels.filter(pl.col("level") == wanted)
        assert rows.select(KEYS).rows() == chosen.select(KEYS).rows()
        missing = pf.scan(example, "contours").collect().height - chosen.height
        assert (f"{missing} of 36 clusters" in done.err) == bool(missing)
    consensus = float(levels["consensus"].median())  # type: ignore[arg-type]
    polyframe("export", example, "--to", "levels", "-o", path, "--min-consensus", consensus)
    assert (
        read(path).select(KEYS).rows() == levels.filter(pl.col("consensus") >= consensus).select(KEYS).rows()
    )


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_without_rows(name: str, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        export_text([export_row(n, drawing()) for n in range(3)]), encoding="utf-8"
    )
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    (done,) = pf.export(tmp_path / "out", "levels", tmp_path / name)
    assert done.count == 0
    read: Any = pl.read_parquet if done.path.suffix == ".parquet" else pl.read_csv
    assert read(done.path).height == 0
    assert {"level", "image", "label"} <= {*read(done.path).columns}
    if done.path.suffix == ".parquet":
        geometry = json.loads(pq.read_metadata(done.path).metadata[b"geo"])["columns"]["geometry"]
        assert "bbox" not in geometry
        assert pytest.importorskip("geopandas").read_parquet(done.path).empty


def test_names_that_are_hard_to_write(tmp_path: Path) -> None:
    rows = [export_row(n, drawing(square(0, 0))) for n in range(3)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    name = "caf\u00e9, \"x\" 'y'\n{subject_id}-{frame}.tif"
    for path, read in ((tmp_path / "a.csv", pl.read_csv), (tmp_path / "a.parquet", pl.read_parquet)):
        pf.export(tmp_path / "out", "levels", path, image_name=name)
        assert set(read(path)["image"]) == {name.format(subject_id=1, frame=0)}
    # CSV may be opened by a spreadsheet, which would take this for a formula.
    for path, read, image in (
        (tmp_path / "a.csv", pl.read_csv, "'=1.png"),
        (tmp_path / "a.parquet", pl.read_parquet, "=1.png"),
    ):
        pf.export(tmp_path / "out", "levels", path, image_name="={subject_id}.png")
        assert set(read(path)["image"]) == {image}


def test_invalid_calls_are_errors(example: Path, tmp_path: Path) -> None:
    with pytest.raises(pf.UsageError, match=r"x: ends neither in \.parquet nor in \.csv"):
        pf.export(example, "levels", tmp_path / "x")
    with pytest.raises(pf.UsageError, match="what is for panoptes-csv, geojson, gpkg; omit it for levels"):
        pf.export(example, "levels", tmp_path / "x.csv", what="contours")
    assert list(tmp_path.iterdir()) == []


def test_contours_without_averages(small_export: Path, tmp_path: Path, polyframe: Call) -> None:
    out = tmp_path / "out"
    pf.extract(small_export, output=out)
    pf.contours(out, output=out)
    for to, name in (("levels", "a.parquet"), ("geojson", "a.geojson"), ("gpkg", "a.gpkg")):
        pytest.importorskip("pyogrio" if to == "gpkg" else "polars")
        what = () if to == "levels" else ("--what", "contours")
        done = polyframe("export", out, "--to", to, "-o", tmp_path / name, *what)
        assert (done.code, done.out.split(": ")[1].split()[0]) == (0, str(expected(out).height)), done.err
        done = polyframe("export", out, "--to", to, "-o", tmp_path / name, *what, "--min-expected-iou", "0.5")
        assert done.code == 1
        assert "has no table 'reductions'; make it with `polyframe reduce" in done.err
    assert pl.read_parquet(tmp_path / "a.parquet")["expected_iou"].null_count() == expected(out).height


def test_cells_that_spreadsheets_cut_are_counted(tmp_path: Path) -> None:
    # A comb of 1,000 teeth, whose 2,000 vertices have many digits.
    x = [number + number / 7 for number in range(2000)]
    comb = square(0, 0, pathX=[*x, x[-1], 0], pathY=[*([1.0 / 3, 50.0 / 3] * 1000), 99, 99])
    cells = {1: drawing(comb), 2: drawing(square(0, 0))}
    rows = [export_row(10 * s + n, cell, subject_ids=s) for s, cell in cells.items() for n in range(2)]
    (tmp_path / "e.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(tmp_path / "e.csv", tmp_path / "out", engine="shapely", jobs=1)
    notes: list[str] = []
    (done,) = pf.export(tmp_path / "out", "levels", tmp_path / "a.csv", say=notes.append)
    lengths = pl.read_csv(done.path)["WKT"].str.len_chars()
    assert (lengths > 32_767).to_list() == [True, True, False, False]
    (note,) = notes
    assert note.startswith(
        f"{done.path}: 2 cells have more than 32,767 characters, which spreadsheets truncate"
    )
    assert "(first: subject 1, column WKT)" in note
    pf.export(tmp_path / "out", "levels", tmp_path / "a.parquet", say=notes.append)
    assert len(notes) == 1
