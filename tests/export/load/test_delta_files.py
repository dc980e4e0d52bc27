"""Names of part files, and what Delta's log says about them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exports import ROOT
from s3_server import Bucket

import polyframe as pf
from polyframe.core.addresses import Place, as_address
from polyframe.export.load.delta_files import PartName, file_statistics, parse_part_file_name, part_file_name
from polyframe.store import part_files
from polyframe.store.reading import open_tables
from polyframe.store.stored_parts import StoredPart, stored_parts

FINGERPRINT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("part", ["00000", "00007-01", "123456789012-00-12"])
@pytest.mark.parametrize("attempt", [1, 2, 10])
def test_names(part: str, attempt: int) -> None:
    name = part_file_name(part, FINGERPRINT, attempt)
    assert parse_part_file_name(name) == PartName(part, FINGERPRINT)


@pytest.mark.parametrize(
    "name",
    [
        "part-00000.parquet",
        "part-00000-49a6e9a5-1ad9-4c1a-8e6f-8f5e4d3c2b1a-c000.snappy.parquet",
        f"labels/part-00000-{FINGERPRINT}.parquet",
        f"part-00000-{FINGERPRINT}.parquet.crc",
    ],
)
def test_names_of_others(name: str) -> None:
    assert parse_part_file_name(name) is None


def parts_of(place: Place, table: str) -> list[StoredPart]:
    with open_tables(place, "test") as tables:
        return stored_parts(tables, table)


def run(output: Any, **options: Any) -> None:
    pf.run(
        ROOT / "data" / "classifications.csv",
        output,
        ROOT / "data" / "config.yaml",
        say=str,
        jobs=1,
        **options,
    )


@pytest.mark.parametrize("table", ["classifications", "extractions", "volunteers", "rejects"])
def test_statistics_are_those_of_the_rows(tmp_path: Path, table: str) -> None:
    run(tmp_path / "out")
    [part] = parts_of(tmp_path / "out", table)
    rows = part.read()
    statistics = file_statistics(part)
    assert statistics.n_rows == rows.height
    # Files without rows have no bounds.
    whole = [name for name, dtype in rows.schema.items() if dtype in (pl.Int64, pl.Int32) and rows.height]
    bounded = [name for name in whole if rows[name].count()]
    assert json.loads(statistics.text) == {
        "numRecords": rows.height,
        "minValues": {name: rows[name].min() for name in bounded},
        "maxValues": {name: rows[name].max() for name in bounded},
        "nullCount": {name: rows[name].null_count() for name in whole},
    }


def test_a_damaged_part_is_one_line(tmp_path: Path) -> None:
    run(tmp_path / "out")
    [part] = parts_of(tmp_path / "out", "labels")
    part.file.path.write_bytes(b"PAR1 is no footer")
    with pytest.raises(pf.PolyframeError, match=r"parquet: is damaged; rebuild it with"):
        file_statistics(part)


@pytest.mark.parametrize("bytes_at_once", [65_536, 100])
def test_statistics_of_parts_in_a_bucket(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, bytes_at_once: int
) -> None:
    """Also if the footer is longer than what is read first."""
    monkeypatch.setattr(part_files, "_FOOTER_BYTES", bytes_at_once)
    run(tmp_path / "out")
    address = as_address(f"{bucket.url}/project", bucket.options)
    assert address is not None
    run(address)
    for table in ("reductions", "contours"):
        [here], [there] = parts_of(tmp_path / "out", table), parts_of(address, table)
        assert file_statistics(there) == file_statistics(here)
