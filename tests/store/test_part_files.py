"""Part files: the same bytes for the same rows, a footer with their origin, written atomically."""

import itertools
import shutil
import threading
import time
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exports import drawing, export_row, export_text, square
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyframe as pf
from polyframe.core import atomic_files
from polyframe.core.tables import TABLES
from polyframe.store import arrow_tables, part_files
from polyframe.store.objects import FolderObjects
from polyframe.store.part_files import (
    Origin,
    PartFile,
    Written,
    read_origin,
    read_parts,
    read_rows_and_origin,
    stop_part_writers,
    write_part,
)
from polyframe.store.run_counts import Counts

ORIGIN = Origin(
    {"eps": 0.5, "tool": [1]}, "0123", "4567", Counts(rows_used=3, reasons={"frame_invalid": 1}, tools=["é"])
)
NOTHING = Origin({}, "", None, Counts())


def part_in(folder: Path, name: str = "part.parquet") -> PartFile:
    return PartFile(FolderObjects(folder), name)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """All tables of a small export, with rejected rows and marks."""
    folder = tmp_path_factory.mktemp("tables")
    rows = [
        export_row(10 * s + v, drawing(square(v, 0), square(40 * v, 50), square(0, 0, side=0)), subject_ids=s)
        for s in range(1, 6)
        for v in range(1, 4)
    ]
    rows += [export_row(99, None), export_row(98, "[]", subject_ids="x", user_name=None)]
    (folder / "export.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "export.csv", folder / "out", engine="shapely", jobs=1)
    frames = {name: pf.scan(folder / "out", name).collect() for name in TABLES}
    assert all(frame.height > 1 for frame in frames.values())
    return frames


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), pieces=st.integers(1, 5))
def test_the_same_rows_give_the_same_bytes(
    name: str, seed: int, pieces: int, tables: dict[str, pl.DataFrame], tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    table = tables[name]
    mixed = table.sample(fraction=1, shuffle=True, seed=seed).select(reversed(table.columns))
    size = -(-mixed.height // pieces)
    chunked = pl.concat([mixed[k : k + size] for k in range(0, mixed.height, size)], rechunk=False)
    one, two = part_in(folder, "one/part.parquet"), part_in(folder, "two/part.parquet")
    written = [
        write_part(frame, part, TABLES[name], ORIGIN) for frame, part in ((table, one), (chunked, two))
    ]
    assert one.path.read_bytes() == two.path.read_bytes()
    assert written == [Written(one.path.stat().st_size, table.height)] * 2
    assert read_parts([two]).equals(table)
    assert pl.read_parquet(two.path).schema == TABLES[name].schema


@pytest.mark.parametrize("name", TABLES)
def test_only_coordinates_have_no_dictionary_and_no_statistics(
    name: str, tables: Any, tmp_path: Path
) -> None:
    coordinates = {"x", "y", "clusters_x", "clusters_y", "contours_x", "contours_y", "contours_area"}
    part = part_in(tmp_path)
    write_part(tables[name], part, TABLES[name], ORIGIN)
    group = pq.read_metadata(part.path).row_group(0)
    columns = [group.column(k) for k in range(group.num_columns)]
    assert {column.path_in_schema.split(".")[0] for column in columns} == set(tables[name].columns)
    for column in columns:
        is_key = column.path_in_schema.split(".")[0] not in {*coordinates, "geometry"}
        assert (column.statistics is not None) == is_key
        # Parquet knows no dictionaries of booleans.
        assert column.has_dictionary_page == (is_key and column.physical_type != "BOOLEAN")


@pytest.mark.parametrize("name", TABLES)
def test_values_that_are_never_missing_are_required(name: str, tables: Any, tmp_path: Path) -> None:
    """Seen in the Parquet schema, which has levels for missing values and for repetition."""
    part = part_in(tmp_path)
    write_part(tables[name], part, TABLES[name], ORIGIN)
    schema = pq.ParquetFile(part.path).schema
    levels = {}
    for number in range(len(schema)):
        column = schema.column(number)
        levels[column.path.split(".")[0]] = (column.max_definition_level, column.max_repetition_level)
    for column in TABLES[name].columns:
        depth = str(column.dtype).count("List")
        # A list may be empty, which takes one level, too.
        assert levels[column.name] == (depth + column.nullable, depth)


@pytest.mark.parametrize("name", TABLES)
def test_row_groups_are_bounded_by_bytes(
    name: str, tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, several = part_in(tmp_path, "one.parquet"), part_in(tmp_path, "several.parquet")
    write_part(tables[name], one, TABLES[name], ORIGIN)
    monkeypatch.setattr(arrow_tables, "ROW_GROUP_BYTES", 200)
    write_part(tables[name], several, TABLES[name], ORIGIN)
    assert pq.read_metadata(one.path).num_row_groups == 1
    metadata = pq.read_metadata(several.path)
    assert metadata.num_row_groups > 1
    assert pl.read_parquet(several.path).equals(tables[name])
    if "subject_id" in tables[name].columns and name != "rejects":
        place = tables[name].columns.index("subject_id")
        ranges = [
            (group.column(place).statistics.min, group.column(place).statistics.max)
            for group in map(metadata.row_group, range(metadata.num_row_groups))
        ]
        assert ranges[0][0] == tables[name]["subject_id"].min()
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges))


def test_more_than_32_bit_offsets_reach_is_an_error(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_tables, "_LAST_OFFSET", 50)
    message = r"part\.parquet: cannot be written \(a row group of geometry has more than 2 GB\)"
    with pytest.raises(pf.PolyframeError, match=message):
        write_part(tables["reductions"][:1], part_in(tmp_path), TABLES["reductions"], ORIGIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", TABLES)
def test_a_part_without_rows(name: str, tmp_path: Path) -> None:
    part = part_in(tmp_path)
    assert write_part(TABLES[name].empty(), part, TABLES[name], NOTHING).rows == 0
    assert pl.read_parquet(part.path).equals(TABLES[name].empty())


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("origin", [ORIGIN, NOTHING])
def test_the_footer_is_read_back_unchanged(name: str, origin: Origin, tables: Any, tmp_path: Path) -> None:
    part = part_in(tmp_path)
    write_part(tables[name], part, TABLES[name], origin)
    assert read_origin(part) == origin
    assert read_rows_and_origin(part) == (tables[name].height, origin)


def with_metadata(path: Path, metadata: dict[str, str] | None) -> None:
    pq.write_table(pa.table({"x": [1]}).replace_schema_metadata(metadata), path)


@pytest.mark.parametrize(
    "footer",
    [
        None,
        {"other": "{}"},
        {"polyframe": "{"},
        {"polyframe": "[]"},
        {"polyframe": "1"},
        {"polyframe": '{"settings": {}, "fingerprint": ""}'},
    ],
)
def test_a_foreign_file_has_no_origin(footer: dict[str, str] | None, tmp_path: Path) -> None:
    with_metadata(tmp_path / "part.parquet", footer)
    assert read_origin(part_in(tmp_path)) is None


@pytest.mark.parametrize("keep", [0, 1, 4, 8, 100, -1, -9])
def test_a_damaged_file_has_no_origin(keep: int, tables: Any, tmp_path: Path) -> None:
    part = part_in(tmp_path)
    write_part(tables["labels"], part, TABLES["labels"], ORIGIN)
    part.path.write_bytes(part.path.read_bytes()[:keep])
    assert read_origin(part) is None
    assert read_origin(part_in(tmp_path, "missing.parquet")) is None
    assert read_origin(part_in(tmp_path, ".")) is None
    with pytest.raises(pf.PolyframeError, match=r"part\.parquet: is missing or damaged"):
        read_parts([part])


@pytest.mark.parametrize("fails", ["writing", "renaming"])
def test_a_failed_write_leaves_the_old_file(
    fails: str, tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = part_in(tmp_path)
    path = part.path
    write_part(tables["labels"], part, TABLES["labels"], ORIGIN)
    before = path.read_bytes()

    def half_written(_rows: Any, file: IO[bytes], _table: Any, _footer: Any) -> None:
        file.write(b"PAR1 half")
        raise OSError(28, "No space left on device")

    def not_renamed(temporary: Path, _: Path) -> None:
        assert temporary.stat().st_size > 4
        raise OSError(28, "No space left on device")

    if fails == "writing":
        monkeypatch.setattr(part_files, "_write_rows", half_written)
    else:
        monkeypatch.setattr(Path, "replace", not_renamed)
    message = r"part\.parquet: cannot be written \(No space left on device\)"
    with pytest.raises(pf.PolyframeError, match=message):
        write_part(tables["labels"][:1], part, TABLES["labels"], NOTHING)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported(tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_files, "_create_empty", lambda path: path.symlink_to("/dev/full"))
    with pytest.raises(pf.PolyframeError, match=r"part\.parquet: cannot be written \(No space left"):
        write_part(tables["labels"], part_in(tmp_path), TABLES["labels"], NOTHING)
    assert not list(tmp_path.iterdir())


def test_a_process_that_ends_leaves_no_incomplete_part(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "_WRITERS", threading.Semaphore(part_files._MOST_WRITERS))
    started, write = threading.Event(), part_files._write_rows

    def slowly(*arguments: Any) -> None:
        started.set()
        time.sleep(0.3)
        write(*arguments)

    monkeypatch.setattr(part_files, "_write_rows", slowly)

    def writer(name: str) -> threading.Thread:
        thread = threading.Thread(
            target=write_part, args=(tables["labels"], part_in(tmp_path, name), TABLES["labels"], ORIGIN)
        )
        thread.start()
        return thread

    active = writer("a.parquet")
    assert started.wait(10)
    stop_part_writers(10)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    late = writer("b.parquet")
    late.join(0.5)
    assert late.is_alive()
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    part_files._WRITERS.release()
    late.join()
    active.join()


def test_a_file_in_place_of_the_folder(tables: Any, tmp_path: Path) -> None:
    (tmp_path / "labels").touch()
    with pytest.raises(pf.PolyframeError, match="cannot be written"):
        write_part(tables["labels"], part_in(tmp_path, "labels/part.parquet"), TABLES["labels"], NOTHING)


@pytest.mark.usefixtures("without_root_rights")
def test_other_programs_cannot_write_into_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the folders are links to parts that versions share; they can be replaced and removed."""
    monkeypatch.setattr(part_files, "_WRITABLE", 0o222)
    export, out = tmp_path / "export.csv", tmp_path / "out"
    export.write_text(export_text([export_row(1, drawing(square(0, 0)))]), encoding="utf-8")
    pf.run(export, out, engine="shapely", jobs=1)
    shown = sorted(out.glob("[!.]*/*.parquet"))
    assert len(shown) == len(TABLES)
    for path in shown:
        with pytest.raises(PermissionError):
            path.open("r+b")
    assert pf.run(export, out, engine="shapely", jobs=1, force=True).made > 0
    assert pf.run(export, out, engine="shapely", jobs=1, eps=0.2, keep_versions=1).made > 0
    assert pf.vacuum(out, keep="0d").versions == 0
    copy = Path(shutil.copytree(out, tmp_path / "copy"))
    pf.run(export, copy, engine="shapely", jobs=1, eps=0.3, keep_versions=1)
    assert pf.validate(copy) == pf.validate(out) == []
    path = out / "labels" / "part-00000.parquet"
    path.with_suffix(".new").write_bytes(b"other")
    path.with_suffix(".new").replace(path)
    assert list(pf.status(out).not_current) == ["labels/part-00000.parquet"]
    shutil.rmtree(out)
    shutil.rmtree(copy)
