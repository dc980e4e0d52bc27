"""Load into Delta tables; read them with deltalake and Polars, and compare with the Parquet files."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import polars as pl
import pyarrow as pa
import pyarrow.fs
import pytest
from exports import ROOT, Done
from s3_server import Bucket

import polyframe as pf
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.tables import TABLES
from polyframe.export.load import delta_target

Call = Callable[..., Done]


@pytest.fixture
def example(nights: list[Path]) -> Path:
    """The output directory of the last night, with several partitions."""
    return nights[9]


@pytest.fixture
def older(nights: list[Path]) -> Path:
    """The output directory of an earlier night: some of its parts are as in the last one."""
    return nights[6]


def export_of(nights_folder: Path) -> Path:
    """Return the export of the last night."""
    return nights_folder.parent / "classifications.csv"


def load(out: Path, lake: Path, **options: Any) -> pf.Loaded:
    return pf.load(out, f"delta:{lake}", **{"say": str} | options)


def notes_of(out: Path, lake: Path) -> list[str]:
    notes: list[str] = []
    load(out, lake, say=notes.append)
    return notes


def opened(lake: Path, table: str) -> deltalake.DeltaTable:
    return deltalake.DeltaTable(str(lake / table))


def versions(lake: Path) -> dict[str, int]:
    return {table: opened(lake, table).version() for table in TABLES}


def states(lake: Path) -> set[int | None]:
    return {opened(lake, table).transaction_version("polyframe.state") for table in TABLES}


def assert_same_rows(lake: str, out: Path, options: dict[str, str] | None = None) -> None:
    """Compare Delta tables, as Polars reads them, with the Parquet files; Delta has no order of rows."""
    for name, table in TABLES.items():
        found = pl.scan_delta(f"{lake}/{name}", storage_options=options).collect()
        expected = pl.read_parquet(out / name / "*.parquet")
        assert found.schema == expected.schema, name
        assert table.conform(found).equals(table.conform(expected)), name


def test_tables_have_the_rows_of_the_files(example: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("load", example, "--to", f"delta://{tmp_path}/lake")
    assert done.code == 0, done.err
    labels = list((example / "labels").glob("*.parquet"))
    counts = f"{len(labels)} of {len(labels)} parts inserted: {pl.read_parquet(labels).height} rows inserted"
    assert len(labels) > 2
    assert f"labels           {counts}" in done.out
    assert done.out.splitlines()[-1].endswith(f"tables in {tmp_path}/lake")
    assert_same_rows(f"{tmp_path}/lake", example)
    # Through pyarrow, with its own file system.
    for name in TABLES:
        table = opened(tmp_path / "lake", name)
        files = pyarrow.fs.SubTreeFileSystem(str(tmp_path / "lake" / name), pyarrow.fs.LocalFileSystem())
        rows = table.to_pyarrow_dataset(filesystem=files).to_table()
        assert rows.num_rows == table.count() == pl.read_parquet(example / name / "*.parquet").height


def test_columns_and_comments_follow_the_definitions(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path / "lake")
    table = opened(tmp_path / "lake", "contours")
    assert table.metadata().description == "polyframe: one row per cluster"
    assert table.metadata().partition_columns == []
    fields = json.loads(table.schema().to_json())["fields"]
    assert [(field["name"], field["nullable"], field["metadata"]["comment"]) for field in fields] == [
        (column.name, column.nullable, column.meaning) for column in TABLES["contours"].columns
    ]
    types = {field["name"]: field["type"] for field in fields}
    assert types["subject_id"] == "long"
    assert types["geometry"] == "binary"
    assert types["contours_x"] == {
        "type": "array",
        "elementType": {"type": "array", "elementType": "double", "containsNull": False},
        "containsNull": False,
    }
    times = json.loads(opened(tmp_path / "lake", "labels").schema().to_json())["fields"]
    assert {field["name"]: field["type"] for field in times}["created_at"] == "timestamp"


def test_files_are_links(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path / "lake")
    linked = {path.stat().st_ino for path in (tmp_path / "lake").rglob("part-*.parquet")}
    assert linked <= {path.stat().st_ino for path in example.rglob("*.parquet")}


def test_files_are_copied_without_links(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    load(example, tmp_path / "lake")
    assert_same_rows(f"{tmp_path}/lake", example)


def test_readers_skip_files_by_their_bounds(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path / "lake")
    table = opened(tmp_path / "lake", "labels")
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    assert len(actions) > 2
    for action in actions:
        rows = pl.read_parquet(tmp_path / "lake" / "labels" / action["path"])
        assert action["num_records"] == rows.height
        for column in ("subject_id", "classification_id", "cluster_label"):
            assert action[f"min.{column}"] == rows[column].min()
            assert action[f"max.{column}"] == rows[column].max()
            assert action[f"null_count.{column}"] == 0
    subject = actions[0]["min.subject_id"]
    assert len(table.file_uris(file_pruning_predicate=[("subject_id", "=", subject)])) == 1


def test_a_second_load_writes_nothing(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path / "lake")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*")}
    loaded = load(example, tmp_path / "lake")
    assert {(table.parts_inserted, table.parts_deleted) for table in loaded.tables.values()} == {(0, 0)}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*")} == before


def test_only_parts_that_differ_are_added(example: Path, older: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    load(older, lake)
    assert_same_rows(str(lake), older)
    [before] = states(lake)
    loaded = load(example, lake).tables["labels"]
    assert loaded.parts_kept > 0
    assert loaded.parts_inserted > 0
    assert_same_rows(str(lake), example)
    # Each table has one more version with the new state, also those that did not change.
    assert set(versions(lake).values()) == {1}
    [after] = states(lake)
    assert after != before
    log = (lake / "rejects" / "_delta_log" / "00000000000000000001.json").read_text().splitlines()
    recorded = json.loads(log[0])["commitInfo"]["userMetadata"]
    assert recorded == f"polyframe {pf.__version__}, version 10 of the tables, state {after}"
    # Time travel: the old files stay, for VACUUM.
    assert pl.scan_delta(str(lake / "labels"), version=0).collect().height == (
        pl.read_parquet(older / "labels" / "*.parquet").height
    )
    fresh = tmp_path / "fresh"
    load(example, fresh)
    assert states(fresh) == {after}


@pytest.mark.parametrize(
    "address", ["delta:lake", "delta://lake", "delta:{}/lake", "delta:///{}/lake", "delta:file://{}/lake"]
)
def test_addresses_of_folders(
    example: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pf.load(example, address.format(tmp_path), say=str)
    assert_same_rows(f"{tmp_path}/lake", example)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("delta:", "names no place; expected a folder or a bucket"),
        ("delta://", "names no place"),
        ("delta:memory://x", "cannot be in memory"),
        ("delta:a%20b", "cannot be in a place with a % in its name"),
        ("delta:s4://bucket/x", "s4://"),
        ("delta:https://example.org/x", "expected a path, or an address that begins with s3://"),
    ],
)
def test_wrong_addresses(example: Path, address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pf.load(example, address)


def test_places_that_cannot_be_used(example: Path, tmp_path: Path) -> None:
    with pytest.raises(PolyframeError, match=r"the folder .* does not exist"):
        load(example, tmp_path / "missing" / "lake")
    (tmp_path / "file").write_text("")
    with pytest.raises(PolyframeError, match="file: cannot be written"):
        load(example, tmp_path / "file")
    with pytest.raises(PolyframeError, match="has a table classifications that polyframe did not make"):
        load(example, example)


@pytest.mark.usefixtures("without_root_rights")
def test_a_folder_without_rights(example: Path, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir(mode=0o500)
    with pytest.raises(PolyframeError, match="cannot be written"):
        load(example, tmp_path / "lake")


def test_tables_of_others_are_refused(example: Path, tmp_path: Path) -> None:
    deltalake.write_deltalake(str(tmp_path / "labels"), pa.table({"label": [1]}))
    with pytest.raises(PolyframeError, match="has a table labels that polyframe did not make"):
        load(example, tmp_path)
    assert opened(tmp_path, "labels").version() == 0
    assert not (tmp_path / "contours").exists()


def test_tables_of_another_workflow_are_refused(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path / "lake")
    rows = pl.read_csv(export_of(example), infer_schema=False).with_columns(workflow_id=pl.lit("99"))
    pf.run(rows, tmp_path / "out", engine="shapely", say=str)
    with pytest.raises(PolyframeError, match="contains the tables of workflow 7, not of workflow 99"):
        load(tmp_path / "out", tmp_path / "lake")


KILLED = """
import os, signal, sys
import polyframe as pf
from polyframe.export.load import delta_target
commit, done = delta_target.DeltaTarget._commit, []
def counted(*arguments):
    if len(done) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    commit(*arguments)
    done.append(1)
delta_target.DeltaTarget._commit = counted
pf.load(sys.argv[1], sys.argv[2], say=str)
"""


@pytest.mark.parametrize("commits", [0, 4, 8])
def test_a_killed_load_can_be_repeated(example: Path, older: Path, tmp_path: Path, commits: int) -> None:
    lake = tmp_path / "lake"
    if commits != 4:  # the first load is killed, too
        load(older, lake)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, str(example), f"delta:{lake}", str(commits)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if commits != 4:
        # Each table is as before or as after, and readers can tell whether they are of one state.
        assert len(states(lake)) == (1 if commits == 0 else 2)
        assert sum(versions(lake).values()) == commits
    assert notes_of(example, lake) == []
    assert_same_rows(str(lake), example)
    assert len(states(lake)) == 1
    before = versions(lake)
    load(example, lake)
    assert versions(lake) == before


def append(lake: Path) -> None:
    rows = opened(lake, "labels").to_pyarrow_dataset(filesystem=files_of(lake)).head(3)
    deltalake.write_deltalake(str(lake / "labels"), rows, mode="append")


def files_of(lake: Path) -> Any:
    return pyarrow.fs.SubTreeFileSystem(str(lake / "labels"), pyarrow.fs.LocalFileSystem())


def delete_rows(lake: Path) -> None:
    opened(lake, "labels").delete("cluster_label = 0")


def delete_all_rows(lake: Path) -> None:
    opened(lake, "labels").delete()


def update_rows(lake: Path) -> None:
    opened(lake, "labels").update({"cluster_label": "7"}, predicate="cluster_label = 0")


def optimize(lake: Path) -> None:
    assert opened(lake, "labels").optimize.compact()["numFilesAdded"] == 1


def optimize_and_vacuum(lake: Path) -> None:
    optimize(lake)
    removed = opened(lake, "labels").vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert len(removed) > 2


def delete_a_part(lake: Path) -> None:
    """Remove whole files, which leaves only files that polyframe wrote."""
    last = max(pa.table(opened(lake, "labels").get_add_actions(flatten=True))["min.subject_id"].to_pylist())
    opened(lake, "labels").delete(f"subject_id >= {last}")


def mark_rows_as_deleted(lake: Path) -> None:
    """Delete two rows by a deletion vector, as Spark writes it; its bytes are made by hand."""
    table = opened(lake, "labels")
    file = next(
        action
        for action in pa.table(table.get_add_actions(flatten=True)).to_pylist()
        if action["num_records"] > 1
    )
    # A map of one bitmap of 64 bits with the rows 0 and 1, as Delta's protocol describes it.
    vector = struct.pack("<iqi", 1681511377, 1, 0) + struct.pack("<iiHHI2H", 12346, 1, 0, 1, 16, 0, 1)
    marked = {
        "path": file["path"],
        "partitionValues": {},
        "size": file["size_bytes"],
        "modificationTime": 0,
        "dataChange": True,
        "stats": json.dumps({"numRecords": file["num_records"]}),
        "deletionVector": {
            "storageType": "i",
            "pathOrInlineDv": z85(vector),
            "sizeInBytes": len(vector),
            "cardinality": 2,
        },
    }
    metadata = table.metadata()
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    entries = [
        {"commitInfo": {"timestamp": 0, "operation": "DELETE"}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {
            "metaData": {
                "id": str(metadata.id),
                "name": metadata.name,
                "description": metadata.description,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": table.schema().to_json(),
                "partitionColumns": [],
                "configuration": {"delta.enableDeletionVectors": "true"},
            }
        },
        {"remove": {"path": file["path"], "dataChange": True, "deletionTimestamp": 0}},
        {"add": marked},
    ]
    log = lake / "labels" / "_delta_log" / f"{table.version() + 1:020}.json"
    log.write_text("\n".join(map(json.dumps, entries)) + "\n")
    assert pl.scan_delta(str(lake / "labels")).collect().height == table.count() - 2


def remove_a_file(lake: Path) -> None:
    """Remove a file of the newest version, without telling Delta."""
    Path(opened(lake, "labels").file_uris()[0].removeprefix("file://")).unlink()


def z85(content: bytes) -> str:
    """Encode bytes as deletion vectors within the log are encoded (ZeroMQ RFC 32)."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    numbers = [int.from_bytes(content[place : place + 4]) for place in range(0, len(content), 4)]
    return "".join(digits[number // 85**power % 85] for number in numbers for power in (4, 3, 2, 1, 0))


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (append, " (1 file that polyframe did not write)"),
        (delete_rows, " (1 file that polyframe did not write)"),
        (delete_all_rows, ""),
        (update_rows, " (1 file that polyframe did not write)"),
        (optimize, " (1 file that polyframe did not write)"),
        (optimize_and_vacuum, " (1 file that polyframe did not write)"),
        (delete_a_part, ""),
        (mark_rows_as_deleted, ""),
    ],
)
def test_what_others_changed_is_reported_and_repaired(
    example: Path, tmp_path: Path, change: Callable[[Path], None], phrase: str
) -> None:
    lake = tmp_path / "lake"
    load(example, lake)
    change(lake)
    version = opened(lake, "labels").version()
    assert version > 0
    [note] = notes_of(example, lake)
    assert note.startswith(f"table labels: another program changed it since the last load{phrase}")
    assert f"version {version} of the Delta table keeps the changes" in note
    assert_same_rows(str(lake), example)
    assert len(states(lake)) == 1
    before = versions(lake)
    assert notes_of(example, lake) == []
    assert versions(lake) == before


def test_files_that_somebody_removed_or_cut_are_put_back(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path)
    first, second, *_ = sorted((tmp_path / "labels").glob("*.parquet"))
    first.unlink()
    content = second.read_bytes()
    second.unlink()
    second.write_bytes(content[:100])
    [note] = notes_of(example, tmp_path)
    assert note.startswith("table labels: ")
    assert "2 parts" in note
    assert_same_rows(str(tmp_path), example)


@pytest.mark.parametrize("seed", [4, 6, 13])
def test_any_history_gives_the_rows_of_the_last_night(nights: list[Path], tmp_path: Path, seed: int) -> None:
    """Loads of any nights, with changes of other programs between them."""
    chance = random.Random(seed)
    changes = [
        append,
        delete_rows,
        update_rows,
        optimize,
        optimize_and_vacuum,
        mark_rows_as_deleted,
        remove_a_file,
    ]
    load(nights[chance.randrange(3, 10)], tmp_path)
    for _ in range(6):
        if chance.random() < 0.6:
            chance.choice(changes)(tmp_path)
        out = nights[chance.randrange(3, 10)]
        load(out, tmp_path)
        assert_same_rows(str(tmp_path), out)
        before = versions(tmp_path)
        assert notes_of(out, tmp_path) == []
        assert versions(tmp_path) == before


def test_other_columns_need_a_permission(example: Path, tmp_path: Path, polyframe: Call) -> None:
    lake = tmp_path / "lake"
    load(example, lake)
    opened(lake, "labels").alter.add_columns([deltalake.Field("mine", "double", nullable=True)])
    before = versions(lake)
    refused = polyframe("load", example, "--to", f"delta:{lake}")
    assert refused.code == 1
    assert "table labels: column mine is not one of polyframe's" in refused.err
    assert "--allow-schema-change" in refused.err
    assert versions(lake) == before
    done = polyframe("load", example, "--to", f"delta:{lake}", "--allow-schema-change")
    assert done.code == 0, done.err
    assert_same_rows(str(lake), example)
    assert notes_of(example, lake) == []


def test_new_columns_need_a_permission(example: Path, tmp_path: Path) -> None:
    """A table as an earlier version of polyframe may have made it: with a column less, in other files."""
    load(example, tmp_path)
    table = opened(tmp_path, "labels")
    rows = table.to_pyarrow_dataset(filesystem=files_of(tmp_path)).to_table().drop_columns(["iou_others"])
    deltalake.write_deltalake(str(tmp_path / "labels"), rows, mode="overwrite", schema_mode="overwrite")
    with pytest.raises(PolyframeError, match=r"table labels: no column iou_others \(double\)"):
        load(example, tmp_path)
    load(example, tmp_path, allow_schema_change=True)
    assert_same_rows(str(tmp_path), example)
    assert (
        opened(tmp_path, "labels").metadata().description == f"polyframe: one row per {TABLES['labels'].row}"
    )


def test_a_table_that_somebody_partitioned(example: Path, tmp_path: Path) -> None:
    load(example, tmp_path)
    rows = opened(tmp_path, "labels").to_pyarrow_dataset(filesystem=files_of(tmp_path)).to_table()
    options: Any = {"mode": "overwrite", "schema_mode": "overwrite", "partition_by": ["tool"]}
    deltalake.write_deltalake(str(tmp_path / "labels"), rows, **options)
    assert opened(tmp_path, "labels").metadata().partition_columns == ["tool"]
    with pytest.raises(PolyframeError, match="column tool is string not null, partitions the table instead"):
        load(example, tmp_path)
    load(example, tmp_path, allow_schema_change=True)
    assert_same_rows(str(tmp_path), example)


def test_a_table_that_cannot_be_replaced(example: Path, older: Path, tmp_path: Path) -> None:
    load(older, tmp_path)
    opened(tmp_path, "labels").alter.set_table_properties({"delta.appendOnly": "true"})
    with pytest.raises(PolyframeError, match=r"labels: is append-only \(delta.appendOnly\)"):
        load(example, tmp_path)


def test_tables_that_the_output_directory_does_not_have(example: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    load(example, lake)
    without = tmp_path / "out"
    pf.extract(export_of(example), output=without, say=str)
    notes = notes_of(without, lake)
    assert "table contours is removed from the target: the output directory does not have it" in notes
    assert opened(lake, "contours").count() == 0
    before = versions(lake)
    assert notes_of(without, lake) == []
    assert versions(lake) == before
    assert notes_of(example, lake) == []
    assert_same_rows(str(lake), example)


def test_two_loads_at_the_same_time(
    example: Path, older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    load(older, lake)
    commit = delta_target.DeltaTarget.commit

    def load_meanwhile(target: Any, version: int) -> None:
        monkeypatch.setattr(delta_target.DeltaTarget, "commit", commit)
        load(example, lake)
        commit(target, version)

    monkeypatch.setattr(delta_target.DeltaTarget, "commit", load_meanwhile)
    with pytest.raises(PolyframeError, match="another program changed the Delta table at the same time"):
        load(example, lake)
    assert_same_rows(str(lake), example)
    assert len(states(lake)) == 1


def test_two_first_loads_at_the_same_time(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = delta_target.DeltaTarget.commit

    def load_meanwhile(target: Any, version: int) -> None:
        monkeypatch.setattr(delta_target.DeltaTarget, "commit", commit)
        load(example, tmp_path)
        commit(target, version)

    monkeypatch.setattr(delta_target.DeltaTarget, "commit", load_meanwhile)
    with pytest.raises(PolyframeError, match="another program changed the Delta table at the same time"):
        load(example, tmp_path)
    assert_same_rows(str(tmp_path), example)


def test_a_bucket(
    example: Path, older: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, polyframe: Call
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    lake = f"{bucket.url}/some/lake"
    for out in (older, example):
        done = polyframe("load", out, "--to", f"delta:{lake}")
        assert done.code == 0, done.err
        assert done.out.splitlines()[-1].endswith(f"tables in {lake}")
        assert_same_rows(lake, out, bucket.options)
    before = bucket.keys()
    assert polyframe("load", example, "--to", f"delta:{lake}").code == 0
    assert bucket.keys() == before
    missing = next(key for key in before if "/labels/part-" in key)
    bucket.delete(missing)
    done = polyframe("load", example, "--to", f"delta:{lake}")
    assert "in 1 part; it is loaded again" in done.err
    assert bucket.keys()[missing] == before[missing]
    done = polyframe("load", example, "--to", "delta:s3://no-such-bucket/lake")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "s3://no-such-bucket/lake/classifications: does not exist; check the address" in done.err


def test_tables_in_a_bucket(example: Path, bucket: Bucket, tmp_path: Path) -> None:
    """Options instead of the environment; the files stay in the bucket, or become those of a folder."""
    out = f"{bucket.url}/project"
    pf.run(export_of(example), out, engine="shapely", storage_options=bucket.options, say=str)
    before = bucket.keys()
    pf.load(out, f"delta:{bucket.url}/lake", storage_options=bucket.options, say=str)
    assert_same_rows(f"{bucket.url}/lake", example, bucket.options)
    files = [key for key in bucket.keys().keys() - before.keys() if key.endswith(".parquet")]
    assert len(files) == len(TABLES)
    assert {bucket.read(key) for key in files} <= {bucket.read(key) for key in before}
    pf.load(out, f"delta:{tmp_path}/lake", storage_options=bucket.options, say=str)
    assert_same_rows(f"{tmp_path}/lake", example)
    assert states(tmp_path / "lake") == {
        deltalake.DeltaTable(
            f"{bucket.url}/lake/{table}", storage_options=bucket.options
        ).transaction_version("polyframe.state")
        for table in TABLES
    }


def test_ten_nights_equal_a_load_from_scratch(
    nights: list[Path], tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a local disk each night, and on S3 some nights."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    lake, kept = tmp_path / "lake", 0
    for number, out in enumerate(nights, 1):
        kept += load(out, lake).tables["labels"].parts_kept
        if number in (1, 2, 6, 10):
            pf.load(out, f"delta:{bucket.url}/lake", say=str)
        load(out, tmp_path / f"fresh-{number}")
        assert states(lake) == states(tmp_path / f"fresh-{number}")
        assert {opened(lake, name).transaction_version("polyframe.version") for name in TABLES} == {number}
        assert_same_rows(str(lake), out)
    assert_same_rows(f"{bucket.url}/lake", nights[9], bucket.options)
    assert kept >= 10
    assert pf.scan(nights[9], "labels", version=10).collect().height == opened(lake, "labels").count()
