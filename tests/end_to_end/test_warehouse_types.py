"""The files of the page "Load into a warehouse" have only what BigQuery's documentation says it can load.

Its page "Load Parquet data from Cloud Storage" lists types, the form of lists, and rules for names. Its page
on data types says that an array cannot contain arrays. Nothing is loaded: there is no server.
"""

import re
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from doc_pages import DOCS, blocks
from exports import ROOT

import polyframe as pf
from polyframe.core.tables import TABLES

#: Physical and logical types, and the type that each becomes.
TYPES = {
    ("BOOLEAN", "NONE"): "BOOL",
    ("INT32", "NONE"): "INT64",
    ("INT64", "NONE"): "INT64",
    ("INT64", "TIMESTAMP"): "TIMESTAMP",
    ("DOUBLE", "NONE"): "FLOAT64",
    ("BYTE_ARRAY", "NONE"): "BYTES",
    ("BYTE_ARRAY", "STRING"): "STRING",
}
NAME = re.compile(
    r"(?!_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER|_CHANGE_)[A-Za-z_]\w{0,299}"
)


def columns_in(path: Path) -> dict[str, str]:
    """Return the type in BigQuery of each column; fail if it has none."""
    schema = pq.ParquetFile(path).schema
    columns = {}
    for index in range(len(schema)):
        column = schema.column(index)
        name, *below = column.path.split(".")
        assert NAME.fullmatch(name)
        assert below in ([], ["list", "element"]), "lists in the standard form, without lists in them"
        assert column.max_repetition_level == len(below) // 2
        kind = TYPES[column.physical_type, column.logical_type.type]
        columns[name] = f"ARRAY<{kind}>" if below else kind
    assert len({name.lower() for name in columns}) == len(columns)
    return columns


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    pf.run(ROOT / "data" / "classifications.csv", folder / "out", ROOT / "data" / "config.yaml", say=str)
    return folder


def test_plain_files_have_types_of_bigquery(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example)
    pf.export("out", "levels", "geo-levels.parquet")
    [code] = [block for block in blocks(DOCS / "guide" / "load.md", "python") if "sink_parquet" in block]
    exec(code, {})
    written = {path.stem for path in example.glob("*.parquet")} - {"geo-levels"}
    assert written == {*TABLES, "levels"} - {"contours"}
    types = {name: columns_in(example / f"{name}.parquet") for name in written}
    for name in written - {"levels"}:
        assert list(types[name]) == [column.name for column in TABLES[name].columns]
        assert pl.read_parquet(f"{name}.parquet").equals(pl.read_parquet(f"out/{name}/*.parquet"))
    assert types["reductions"]["geometry"] == types["levels"]["geometry"] == "BYTES"
    assert types["reductions"]["clusters_x"] == "ARRAY<FLOAT64>"
    assert types["labels"]["created_at"] == "TIMESTAMP"
    assert all("ARRAY" not in kind for kind in types["levels"].values())
    # BigQuery takes columns that this metadata describes for GEOGRAPHY.
    assert all(b"geo" not in (pq.read_metadata(f"{name}.parquet").metadata or {}) for name in written)


def test_the_parts_themselves_have_types_of_bigquery(example: Path) -> None:
    for name in {*TABLES} - {"contours"}:
        columns_in(example / "out" / name / "part-00000.parquet")
    with pytest.raises(AssertionError, match="lists in the standard form"):
        columns_in(example / "out" / "contours" / "part-00000.parquet")


def test_the_columns_for_snowflake_are_those_of_the_levels(example: Path, tmp_path: Path) -> None:
    pf.export(example / "out", "levels", tmp_path / "levels.parquet", say=str)
    statements = "".join(blocks(DOCS / "guide" / "load.md", "sql"))
    [columns] = re.findall(r"CREATE TABLE IF NOT EXISTS levels \((.*?)\)", statements, re.DOTALL)
    kinds = {
        "INTEGER": "INT64",
        "VARCHAR": "STRING",
        "DOUBLE": "FLOAT64",
        "BINARY": "BYTES",
    }
    declared = dict(column.split() for column in columns.split(","))
    assert {name: kinds[kind] for name, kind in declared.items()} == columns_in(tmp_path / "levels.parquet")
