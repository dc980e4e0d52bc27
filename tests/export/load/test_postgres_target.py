"""Load into a PostgreSQL server; compare with the Parquet files and with loads into an empty database."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from doc_pages import DOCS, blocks
from exports import ROOT, Done
from loaded_in_postgres import LOADED, RECORDS, all_rows, rows_in, rows_of
from postgres_server import Database, Server

import polyframe as pf
from polyframe.core.errors import PolyframeError
from polyframe.core.tables import TABLES
from polyframe.export.load import postgres_session
from polyframe.export.load.postgres_address import parse_address
from polyframe.pipeline import plan

Call = Callable[..., Done]

#: Bytes of an export that make a partition, so that the example has several.
PARTITION = 60_000
CONFIG = ROOT / "data" / "config.yaml"


@pytest.fixture(scope="module", autouse=True)
def _small_partitions() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MEGABYTE", PARTITION)
        yield


def run(export: Any, out: Path, **options: Any) -> Path:
    options = {"jobs": 1, "partition_size": 1, "engine": "shapely", "say": str} | options
    pf.run(export, out, CONFIG, **options)
    return out


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of the example, with several partitions."""
    return run(ROOT / "data" / "classifications.csv", tmp_path_factory.mktemp("example") / "out")


@pytest.fixture(scope="module")
def loaded(example: Path, postgres: Server) -> Database:
    """A schema with the tables of the example; tests leave it as it was."""
    database = postgres.new_schema()
    load(example, database)
    return database


def load(out: Path, database: Database, **options: Any) -> pf.Loaded:
    return pf.load(out, database.url(), **{"say": str} | options)


def changed_rows(loaded: pf.Loaded) -> dict[str, tuple[int, int]]:
    """Return the rows that a load deleted and inserted, by table; without tables that it left alone."""
    rows = {name: (table.rows_deleted, table.rows_inserted) for name, table in loaded.tables.items()}
    return {name: counts for name, counts in rows.items() if counts != (0, 0)}


def without_records(rows: dict[str, Any]) -> dict[str, Any]:
    return {name: rows[name] for name in rows if name != RECORDS}


def versions_of_rows(database: Database) -> dict[str, Any]:
    """Return the transaction that wrote each row and its place, which change with every write."""
    return {name: database.rows(f"SELECT xmin::text, ctid::text FROM {name}") for name in (*LOADED, RECORDS)}


def test_tables_have_the_rows_of_the_files(example: Path, database: Database, polyframe: Call) -> None:
    done = polyframe("load", example, "--to", database.url())
    assert done.code == 0, done.err
    expected = rows_of(example)
    assert min(len(rows) for name, rows in expected.items() if name != "rejects") > 10
    with database.connect() as connection:
        # Times are instants, whatever the time zone of the session.
        connection.execute("SET TIME ZONE 'America/New_York'")
        for name in LOADED:
            assert rows_in(connection, name, database.schema) == expected[name], name
    n_parts = len(list((example / "labels").iterdir()))
    assert n_parts > 2
    labels = (
        f"labels           {n_parts} of {n_parts} parts inserted: {len(expected['labels'])} rows inserted"
    )
    assert labels in done.out
    assert done.out.splitlines()[-1].endswith(
        f"tables in postgresql://owner@/{database.name}?host={database.folder}"
    )


def test_columns_keys_indexes_and_comments_follow_the_definitions(loaded: Database) -> None:
    columns = loaded.rows(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, "
        "col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = 'reductions'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert [(name, not nullable, comment) for name, _, nullable, comment in columns] == [
        (column.name, column.nullable, column.meaning.removesuffix(", WKB"))
        for column in TABLES["reductions"].columns
    ]
    types = {name: kind for name, kind, _, _ in columns}
    assert {types[name] for name in ("workflow_id", "subject_id")} == {"bigint"}
    assert types["frame"] == "integer"
    assert types["clusters_x"] == "double precision[]"
    assert types["geometry"] == "geometry(Polygon)"
    indexes = {
        definition.partition(" USING ")[2]
        for (definition,) in loaded.rows(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'reductions' AND schemaname = current_schema()"
        )
    }
    assert indexes == {
        "btree (workflow_id, subject_id, task, frame, tool, cluster_label)",
        "btree (subject_id)",
        "gist (geometry)",
    }
    keys = loaded.rows(
        "SELECT conrelid::regclass::text FROM pg_constraint "
        "WHERE contype = 'p' AND connamespace = current_schema()::regnamespace"
    )
    assert {name for (name,) in keys} == {*LOADED, RECORDS} - {"rejects"}
    [(comment,)] = loaded.rows("SELECT obj_description('contour_levels'::regclass, 'pg_class')")
    assert comment == "polyframe: one row per cluster and level"


def test_the_page_of_the_documentation(example: Path, database: Database, polyframe: Call) -> None:
    page = DOCS / "guide" / "load.md"
    [command] = [block for block in blocks(page, "console") if "postgresql:" in block]
    program, *words = shlex.split(command.removeprefix("$ "))
    arguments = [database.url(schema="outlines") if "://" in word else word for word in words]
    arguments[arguments.index("out")] = str(example)
    assert program == "polyframe"
    assert polyframe(*arguments).code == 0
    results = [database.rows(block) for block in blocks(page, "postgresql")]
    assert len(results[0]) > 1
    assert database.rows("SELECT count(*) FROM outlines.labels", user="reader") == [(232,)]


def test_geometries_are_for_postgis(loaded: Database) -> None:
    [(largest_difference, srids)] = loaded.rows(
        "SELECT max(abs(ST_Area(geometry) - area)), array_agg(DISTINCT ST_SRID(geometry)) FROM contour_levels"
    )
    assert largest_difference < 1e-6
    assert srids == [0]


def test_a_second_load_writes_nothing(example: Path, loaded: Database) -> None:
    before = versions_of_rows(loaded)
    assert changed_rows(load(example, loaded)) == {}
    assert versions_of_rows(loaded) == before


@pytest.mark.slow
def test_ten_growing_nights_equal_a_load_from_scratch(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION // 6)
    export, out = tmp_path / "export.csv", tmp_path / "out"
    pf.synth(export, subjects=20, volunteers=4, vertices=20)
    rows = pl.read_csv(export, infer_schema=False)
    subjects = rows["subject_ids"].unique().sort()
    nightly, kept = postgres.new_schema(), 0
    for night in range(1, 11):
        # Subjects arrive in the order of their numbers, those of the last night without a few volunteers.
        present = subjects[: 2 * night]
        late = pl.col("subject_ids").is_in(present[-2:].to_list()) & (pl.col("user_name") < "m")
        rows.filter(pl.col("subject_ids").is_in(present.to_list()) & ~late).write_csv(export)
        run(export, out, max_shrink=1)
        kept += load(out, nightly).tables["labels"].parts_kept
        fresh = postgres.new_schema()
        load(out, fresh)
        assert all_rows(nightly) == all_rows(fresh), night
    assert kept > 10
    assert without_records(all_rows(nightly)) == rows_of(out)


KILLED = """
import os, signal, sys
import polyframe as pf
def progress(done, total):
    print(done, total, flush=True)
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
pf.load(sys.argv[1], sys.argv[2], say=str, progress=progress)
"""


@pytest.mark.slow
def test_a_killed_load_leaves_the_old_state_and_can_be_repeated(
    example: Path, database: Database, tmp_path: Path
) -> None:
    rows = pl.read_csv(ROOT / "data" / "classifications.csv", infer_schema=False)
    older = run(rows[: len(rows) // 2], tmp_path / "older")
    load(older, database)
    before = all_rows(database)
    n_parts = len(list((example / "labels").iterdir()))
    # Between tables, and in the last table.
    for place in (2 * n_parts, 8 * n_parts + 1):
        command = [sys.executable, "-c", KILLED, str(example), database.url(), str(place)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert all_rows(database) == before
    load(example, database)
    assert without_records(all_rows(database)) == rows_of(example)


def test_readers_see_the_old_rows_until_all_tables_are_loaded(
    example: Path, database: Database, tmp_path: Path
) -> None:
    rows = pl.read_csv(ROOT / "data" / "classifications.csv", infer_schema=False)
    load(run(rows[: len(rows) // 2], tmp_path / "older"), database)
    database.rows(f"GRANT SELECT ON ALL TABLES IN SCHEMA {database.schema} TO reader")
    before = all_rows(database, user="reader")

    def look(done: int, total: int) -> None:
        if done in (1, total):
            assert all_rows(database, user="reader") == before

    load(example, database, progress=look)
    assert all_rows(database, user="reader") != before


def test_two_loads_at_the_same_time(example: Path, database: Database) -> None:
    second_results: list[pf.Loaded] = []
    second = threading.Thread(target=lambda: second_results.append(load(example, database)))

    def start_second(done: int, total: int) -> None:
        if done == 1:
            second.start()
            # It waits for our lock.
            for _ in range(600):
                waiting = database.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                if waiting or not second.is_alive():
                    break
                second.join(0.1)
            assert waiting

    load(example, database, progress=start_second)
    second.join(60)
    assert [changed_rows(result) for result in second_results] == [{}]


def test_a_load_that_waits_too_long_names_the_other_one(
    example: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_session._SETTINGS, "lock_timeout", "50ms")
    messages = []

    def second(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(PolyframeError) as caught:
                load(example, database)
            messages.append(str(caught.value))

    load(example, database, progress=second)
    assert messages == [
        f"postgresql://owner@/{database.name}?host={database.folder}: another load is writing to the schema "
        f"{database.schema} as the role owner; load again when it has finished"
    ]


def test_changed_columns_need_permission_and_readers_keep_theirs(
    example: Path, database: Database, polyframe: Call
) -> None:
    load(example, database)
    expected = all_rows(database)
    for statement in (
        "GRANT SELECT ON labels TO reader",
        "ALTER TABLE labels DROP COLUMN iou_others",
        "ALTER TABLE labels ADD COLUMN comment text",
        "ALTER TABLE groups ALTER COLUMN n_marks TYPE bigint",
    ):
        database.rows(statement)
    done = polyframe("load", example, "--to", database.url())
    assert done.code == 1
    assert done.err.strip() == (
        f"polyframe: error: postgresql://owner@/{database.name}?host={database.folder}: table groups: column "
        "n_marks is bigint instead of integer; table labels: no column iou_others (double precision); table "
        "labels: column comment is not one of polyframe's; allow polyframe to rebuild these tables with "
        "--allow-schema-change (allow_schema_change=True)"
    )
    assert polyframe("load", example, "--to", database.url(), "--allow-schema-change").code == 0
    assert all_rows(database) == expected
    assert database.rows("SELECT count(*) FROM labels", user="reader") == [(len(expected["labels"]),)]


def test_a_view_on_a_table_that_must_be_rebuilt_is_named(example: Path, database: Database) -> None:
    load(example, database)
    database.rows("CREATE VIEW best AS SELECT subject_id, consensus FROM reductions WHERE consensus > 0.9")
    # A view does not keep rows from being replaced.
    database.rows("DELETE FROM reductions WHERE subject_id = (SELECT min(subject_id) FROM reductions)")
    assert changed_rows(load(example, database)).keys() == {"reductions"}
    database.rows("ALTER TABLE reductions DROP COLUMN expected_iou")
    with pytest.raises(PolyframeError, match=r"\(view best depends on table reductions\); drop"):
        load(example, database, allow_schema_change=True)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM labels WHERE ctid IN (SELECT ctid FROM labels LIMIT 3)",
        "INSERT INTO rejects SELECT NULL, NULL, NULL, 'read', 'x', 'y'",
        "INSERT INTO groups SELECT workflow_id, 1, task, frame, tool, 1, 1, 1, 0 FROM groups LIMIT 1",
        "TRUNCATE extractions",
        "DROP TABLE contour_levels",
        "DROP TABLE polyframe_loads",
        "DELETE FROM polyframe_loads WHERE part = '00001'",
        "UPDATE polyframe_loads SET n_rows = 0",
        "UPDATE polyframe_loads SET fingerprint = ''",
        "TRUNCATE volunteers",
        "UPDATE volunteers SET score = 1",
        "UPDATE labels SET cluster_label = -1 WHERE subject_id = (SELECT max(subject_id) FROM labels)",
    ],
)
def test_what_somebody_changed_is_repaired(example: Path, loaded: Database, statement: str) -> None:
    expected = all_rows(loaded)
    loaded.rows(statement)
    assert all_rows(loaded) != expected
    load(example, loaded)
    assert all_rows(loaded) == expected


def test_repeated_records_are_repaired(example: Path, database: Database) -> None:
    load(example, database)
    expected = all_rows(database)
    database.rows("ALTER TABLE polyframe_loads DROP CONSTRAINT polyframe_loads_pkey")
    database.rows("INSERT INTO polyframe_loads SELECT * FROM polyframe_loads")
    database.rows("DELETE FROM labels")
    load(example, database)
    assert all_rows(database)["labels"] == expected["labels"]


def test_a_table_of_somebody_else_stays(example: Path, database: Database) -> None:
    database.rows("CREATE TABLE labels (name text)")
    with pytest.raises(PolyframeError, match="has a table labels that polyframe did not make"):
        load(example, database)
    database.rows("DROP TABLE labels")
    database.rows("CREATE VIEW labels AS SELECT 1 AS one")
    with pytest.raises(PolyframeError, match="has a table labels that polyframe did not make"):
        load(example, database)
    assert database.rows("SELECT * FROM labels") == [(1,)]


def test_a_table_that_somebody_replaced_stays(example: Path, database: Database, tmp_path: Path) -> None:
    """Even if it has our columns, the output directory has no such table, or columns may change."""
    load(example, database)
    shutil.copytree(example, tmp_path / "out")
    pf.reduce(tmp_path / "out", output=tmp_path / "out", eps=0.2, say=str)
    assert not (tmp_path / "out" / "contours").exists()
    name = "contour_levels"
    database.rows(f"CREATE TABLE theirs AS SELECT * FROM {name} LIMIT 3")
    database.rows(f"DROP TABLE {name}")
    database.rows(f"ALTER TABLE theirs RENAME TO {name}")
    for statement in ("SELECT", f"ALTER TABLE {name} ADD COLUMN mine integer"):
        database.rows(statement)
        rows = database.rows(f"SELECT * FROM {name}")
        assert len(rows) == 3
        for allow_schema_change in (False, True):
            with pytest.raises(PolyframeError, match=f"has a table {name} that polyframe did not make"):
                load(example, database, allow_schema_change=allow_schema_change)
        load(tmp_path / "out", database, allow_schema_change=True)
        assert database.rows(f"SELECT * FROM {name}") == rows


def test_tables_of_another_role(example: Path, database: Database) -> None:
    load(example, database)
    url = database.url("reader")
    with pytest.raises(PolyframeError, match="belongs to the role owner; load as owner or a member"):
        pf.load(example, url, say=str)
    database.rows(f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA {database.schema} TO reader")
    database.rows("TRUNCATE subjects")
    assert changed_rows(pf.load(example, url, say=str)).keys() == {"subjects"}
    database.rows("DROP TABLE subjects")
    with pytest.raises(PolyframeError, match=r"permission denied for schema test_\d+; grant it to this"):
        pf.load(example, url, say=str)


def test_schemas(example: Path, database: Database) -> None:
    name = f"Shapes of {database.schema}"
    notes: list[str] = []
    pf.load(example, database.url(schema=name), say=notes.append)
    assert notes == [f"created the schema {name}"]
    assert all_rows(database) == {}
    assert without_records(all_rows(database, name)) == rows_of(example)
    assert changed_rows(pf.load(example, database.url(schema=name), say=str)) == {}
    with pytest.raises(PolyframeError, match="no schema of the search path exists; add schema=NAME"):
        pf.load(example, database.url(options="-csearch_path=third"), say=str)


def test_postgis_in_a_schema_outside_of_the_search_path(example: Path, postgres: Server) -> None:
    database = postgres.new_database()
    postgres.execute(
        "CREATE SCHEMA gis",
        "CREATE EXTENSION postgis SCHEMA gis",
        "GRANT USAGE ON SCHEMA gis TO owner",
        database=database.name,
    )
    load(example, database)
    assert changed_rows(load(example, database)) == {}
    [(kind,)] = database.rows(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'reductions'::regclass AND attname = 'geometry'"
    )
    assert kind == "gis.geometry(Polygon)"


def test_without_postgis_geometries_are_wkb(example: Path, postgres: Server) -> None:
    database = postgres.new_database()
    notes: list[str] = []
    load(example, database, say=notes.append)
    assert [note.partition(":")[0] for note in notes] == ["this role may not create the extension postgis"]
    assert without_records(all_rows(database)) == rows_of(example)
    # Somebody creates the extension later: nothing breaks, and what to do is said.
    postgres.execute("CREATE EXTENSION postgis", database=database.name)
    notes.clear()
    assert changed_rows(load(example, database, say=notes.append)) == {}
    assert [note.partition(",")[0] for note in notes] == [
        f"the table {name} keeps its geometries as WKB (bytea)" for name in ("reductions", "contour_levels")
    ]
    database.rows("DROP TABLE reductions, contour_levels")
    load(example, database)
    assert without_records(all_rows(database)) == rows_of(example)
    [(area,)] = database.rows("SELECT sum(ST_Area(geometry)) FROM reductions")
    assert area > 0


def test_a_superuser_creates_postgis(example: Path, postgres: Server) -> None:
    database = postgres.new_database()
    notes: list[str] = []
    pf.load(example, database.url("admin", schema="shapes"), say=notes.append)
    assert notes == ["created the schema shapes", "created the extension postgis"]
    assert database.rows(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'postgis'"
    ) == [("public",)]


def test_the_character_nul_is_replaced(tmp_path: Path, database: Database) -> None:
    rows = pl.read_csv(ROOT / "data" / "classifications.csv", infer_schema=False)
    name = rows["user_name"].mode().sort()[0]
    out = run(rows.with_columns(pl.col("user_name").replace(name, "a\0b")), tmp_path / "out")
    n_labels = pl.read_parquet(out / "labels" / "*.parquet").filter(pl.col("user_name") == "a\0b").height
    notes: list[str] = []
    load(out, database, say=notes.append)
    assert (
        f"table labels: {n_labels} texts of the column user_name contain the character NUL, which PostgreSQL "
        "refuses; \u2400 (U+2400) was loaded in its place"
    ) in notes
    assert database.rows("SELECT count(*) FROM labels WHERE user_name = 'a\u2400b'") == [(n_labels,)]
    assert changed_rows(load(out, database)) == {}


def test_a_lost_connection_is_one_line(example: Path, database: Database) -> None:
    def lose(done: int, total: int) -> None:
        if done == 1:
            database.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'polyframe load' AND datname = current_database()"
            )

    with pytest.raises(PolyframeError) as caught:
        load(example, database, progress=lose)
    assert "load again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all_rows(database) == {}


def test_a_statement_timeout_is_explained(example: Path, database: Database) -> None:
    with pytest.raises(PolyframeError, match="add options=-cstatement_timeout%3D0 to the address"):
        pf.load(example, database.url(options="-cstatement_timeout=1"), say=str)


def test_a_statement_timeout_while_another_load_is_writing(example: Path, database: Database) -> None:
    messages = []
    options = f"-csearch_path={database.schema},public -cstatement_timeout=500"

    def second(done: int, total: int) -> None:
        if done == 1:
            with pytest.raises(PolyframeError) as caught:
                pf.load(example, database.url(options=options), say=str)
            messages.append(str(caught.value))

    load(example, database, progress=second)
    (message,) = messages
    assert "canceling statement due to statement timeout; add options=-cstatement_timeout%3D0 to" in message


def test_a_timeout_of_idle_transactions_is_explained(example: Path, database: Database) -> None:
    def wait_for_the_server(done: int, total: int) -> None:
        """Until it has ended the connection."""
        for _ in range(600):
            if not database.rows(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'polyframe load' "
                "AND datname = current_database() AND pid <> pg_backend_pid()"
            ):
                return
            time.sleep(0.05)

    options = f"-csearch_path={database.schema},public -cidle_in_transaction_session_timeout=500"
    with pytest.raises(PolyframeError) as caught:
        pf.load(example, database.url(options=options), say=str, progress=wait_for_the_server)
    assert "-cidle_in_transaction_session_timeout%3D0 to the address" in str(caught.value)
    assert all_rows(database) == {}


def test_a_value_that_cannot_be_sent_is_no_lost_connection(database: Database) -> None:
    session = postgres_session.Session(parse_address(database.url()))
    try:
        with pytest.raises(PolyframeError) as caught:
            session.execute("SELECT %s", "a\0b")
    finally:
        session.close()
    assert "cannot contain NUL" in str(caught.value)
    assert "lost" not in str(caught.value)
