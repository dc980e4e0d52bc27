"""DuckDB databases after any history of loads equal those of a first load."""

import functools
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from all_outputs import run_python
from duckdb_content import content_of, files_of, rows_of
from exports import Done

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.export.load import duckdb_target

Call = Callable[..., Done]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "project.duckdb"


def load(output: Path, database: Path, **options: Any) -> list[str]:
    """Load an output directory, and return the notes."""
    notes: list[str] = []
    pf.load(output, f"duckdb:///{database}", say=notes.append, **options)
    return notes


def content(database: Path) -> dict[str, Any]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return content_of(connection)


@functools.cache
def from_scratch(output: Path) -> dict[str, Any]:
    """Return the content of a database after a first load of an output directory, which stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        load(output, Path(folder, "project.duckdb"))
        return content(Path(folder, "project.duckdb"))


def texts_of(table: str, database: Path) -> list[Any]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.sql(f"SELECT COLUMNS(*)::VARCHAR FROM {table} ORDER BY ALL").fetchall()


def change(database: Path, *statements: str) -> None:
    with duckdb.connect(str(database)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="module")
def loaded(nights: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database after a first load of the ninth night."""
    database = tmp_path_factory.mktemp("loaded") / "project.duckdb"
    load(nights[8], database)
    return database


@pytest.fixture
def expected(nights: list[Path]) -> dict[str, Any]:
    """Return what that database contains."""
    return from_scratch(nights[8])


def test_tables_have_the_rows_types_and_keys_of_the_files(example: Path, database: Path) -> None:
    load(example, database)
    with duckdb.connect(str(database), read_only=True) as connection:
        for name in TABLES:
            assert rows_of(connection, name).equals(files_of(example, name)), name
        (key,) = connection.sql(
            "SELECT constraint_column_names FROM duckdb_constraints() "
            "WHERE table_name = 'labels' AND constraint_type = 'PRIMARY KEY'"
        ).fetchall()
        assert key == (["workflow_id", "subject_id", "classification_id", "mark_index"],)
        assert connection.sql(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'groups' AND column_name = 'n_outliers'"
        ).fetchall() == [("marks in no cluster",)]
        (types,) = connection.sql(
            "SELECT typeof(geometry), typeof(contours_x) FROM contours LIMIT 1"
        ).fetchall()
        assert types == ("GEOMETRY", "DOUBLE[][]")


def test_ten_nights_equal_a_load_from_scratch(
    nights: list[Path], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = 0
    for output in nights:
        with monkeypatch.context() as patch:
            # One or two parts together; all of them when loaded from scratch.
            patch.setattr(duckdb_target, "_BATCH_BYTES", 3_000)
            loaded = pf.load(output, f"duckdb:///{database}")
        kept += loaded.tables["labels"].parts_kept
        assert content(database) == from_scratch(output), output
    assert kept >= 10


def test_loads_of_earlier_nights_and_other_borders(
    nights: list[Path], database: Path, tmp_path: Path, expected: dict[str, Any]
) -> None:
    """The last night in one partition, an earlier night, and a night without the later stages."""
    one_partition, fewer_stages = tmp_path / "one", tmp_path / "fewer"
    export = nights[0].parent / "classifications.csv"
    pf.run(export, one_partition, engine="shapely")
    pf.extract(export, output=fewer_stages)
    history = [one_partition, nights[2], fewer_stages, nights[9], one_partition, nights[8]]
    for output in history:
        load(output, database)
        assert content(database) == from_scratch(output), output
    assert content(database) == expected


def test_a_second_load_writes_nothing(nights: list[Path], database: Path, loaded: Path) -> None:
    shutil.copy(loaded, database)
    before = database.read_bytes()
    assert load(nights[8], database) == []
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


@pytest.mark.parametrize("step", ["replace_parts 4", "create_table 3", "commit 1"])
def test_a_load_that_was_killed_is_repeated(
    nights: list[Path], database: Path, step: str, expected: dict[str, Any]
) -> None:
    load(nights[6], database)
    if step.startswith("create_table"):
        database.unlink()
    before = content(database) if database.exists() else {}
    method, number = step.split()
    code = (
        "import os, signal, sys, polyframe as pf\n"
        "from polyframe.export.load.duckdb_target import DuckDBTarget\n"
        f"method, calls = DuckDBTarget.{method}, []\n"
        "def killed(*arguments):\n"
        "    calls.append(arguments)\n"
        f"    if len(calls) == {number}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return method(*arguments)\n"
        f"DuckDBTarget.{method} = killed\n"
        "pf.load(sys.argv[1], sys.argv[2])\n"
    )
    done = run_python("-c", code, nights[8], f"duckdb:///{database}", cwd=database.parent)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert content(database) == before
    assert load(nights[8], database) == []
    assert content(database) == expected


CHANGES: dict[str, tuple[Sequence[str], str]] = {
    "rows deleted": (
        ["DELETE FROM labels WHERE subject_id = 3"],
        "table labels: somebody changed rows in 1 part; it is loaded again",
    ),
    "all rows deleted": (
        ["DELETE FROM extractions"],
        "table extractions: somebody changed rows in 7 parts; they are loaded again",
    ),
    "a row inserted": (
        ["INSERT INTO rejects SELECT * FROM rejects LIMIT 1"],
        "table rejects: somebody changed rows in 1 part; it is loaded again",
    ),
    "a row without a subject inserted": (
        ["INSERT INTO rejects VALUES (NULL, NULL, NULL, 'read', 'x', 'y')"],
        "table rejects: somebody changed rows in 1 part; it is loaded again",
    ),
    "a volunteer deleted": (
        ["DELETE FROM volunteers WHERE n_marks = (SELECT min(n_marks) FROM volunteers)"],
        "table volunteers: somebody changed rows in 1 part; it is loaded again",
    ),
    "a value changed": (
        ["UPDATE labels SET cluster_label = cluster_label + 1 WHERE subject_id = 3"],
        "table labels: somebody changed rows in 1 part; it is loaded again",
    ),
    "an outline changed": (
        ["UPDATE contours SET contours_x = [list_reverse(x) FOR x IN contours_x] WHERE subject_id = 3"],
        "table contours: somebody changed rows in 1 part; it is loaded again",
    ),
    "a geometry changed": (
        ["UPDATE reductions SET geometry = (SELECT max(geometry) FROM reductions)"],
        "table reductions: somebody changed rows in 7 parts; they are loaded again",
    ),
    "a volunteer changed": (
        ["UPDATE volunteers SET score = NULL WHERE n_marks = (SELECT max(n_marks) FROM volunteers)"],
        "table volunteers: somebody changed rows in 1 part; it is loaded again",
    ),
    "a checksum changed": (
        ["UPDATE polyframe_loads SET checksum = concat(checksum, '0') WHERE \"table\" = 'volunteers'"],
        "table volunteers: somebody changed rows in 1 part; it is loaded again",
    ),
    "another version of DuckDB": (
        ["UPDATE polyframe_loads SET checksum = replace(checksum, 'DuckDB ', 'DuckDB 1')"],
        f"another version of DuckDB loaded these tables, whose checksums DuckDB {duckdb.__version__} cannot "
        "compare; they are loaded again",
    ),
    "a table dropped": (
        ["DROP TABLE contours"],
        "table contours was removed from the target; it is created again",
    ),
    "loads dropped": (
        ["DROP TABLE polyframe_loads"],
        "table polyframe_loads was removed from the target; all parts are loaded again",
    ),
    "a record deleted": (["DELETE FROM polyframe_loads WHERE part LIKE '%1'"], ""),
    "a record changed": (["UPDATE polyframe_loads SET fingerprint = 'x' WHERE \"table\" = 'groups'"], ""),
    "all records deleted": (["DELETE FROM polyframe_loads"], ""),
}


@pytest.mark.parametrize("change_by_hand", CHANGES)
def test_what_somebody_changed_is_repaired(
    nights: list[Path], database: Path, loaded: Path, expected: dict[str, Any], change_by_hand: str
) -> None:
    shutil.copy(loaded, database)
    statements, note = CHANGES[change_by_hand]
    change(database, *statements)
    assert content(database) != expected
    assert load(nights[8], database) == [note] * bool(note)
    assert content(database) == expected


@pytest.mark.parametrize(
    ("statements", "difference"),
    [
        (["ALTER TABLE labels DROP COLUMN iou_others"], "table labels: no column iou_others (DOUBLE)"),
        (
            ["ALTER TABLE contours ALTER COLUMN consensus TYPE FLOAT"],
            "table contours: column consensus is FLOAT instead of DOUBLE",
        ),
        (
            ["ALTER TABLE groups ADD COLUMN note VARCHAR"],
            "table groups: column note is not one of polyframe's",
        ),
        (
            ["ALTER TABLE polyframe_loads DROP COLUMN n_rows"],
            "table polyframe_loads: no column n_rows (BIGINT)",
        ),
    ],
)
def test_columns_change_only_if_that_is_allowed(
    nights: list[Path],
    database: Path,
    loaded: Path,
    expected: dict[str, Any],
    statements: Sequence[str],
    difference: str,
    polyframe: Call,
) -> None:
    shutil.copy(loaded, database)
    change(database, *statements)
    changed, address = content_without_rows(database), f"duckdb:///{database}"
    done = polyframe("load", nights[8], "--to", address)
    assert done.code == 1
    advice = "allow polyframe to rebuild this table with --allow-schema-change"
    assert f"{address}: {difference}; {advice}" in done.err
    assert content_without_rows(database) == changed
    done = polyframe("load", nights[8], "--to", address, "--allow-schema-change")
    assert (done.code, f"columns of the target change: {difference}" in done.err) == (0, True)
    assert content(database) == expected


def test_of_many_changed_columns_three_are_listed(nights: list[Path], database: Path, loaded: Path) -> None:
    shutil.copy(loaded, database)
    change(database, *(f"ALTER TABLE labels ADD COLUMN note_{number} VARCHAR" for number in range(15)))
    notes = [f"table labels: column note_{number} is not one of polyframe's" for number in range(3)]
    listed = f"{'; '.join(notes)}; and 12 more"
    with pytest.raises(pf.PolyframeError, match=f"{listed}; allow polyframe to rebuild this table"):
        load(nights[8], database)


def content_without_rows(database: Path) -> list[Any]:
    with duckdb.connect(str(database), read_only=True) as connection:
        columns = "table_name, column_name, data_type, comment"
        return connection.sql(f"SELECT {columns} FROM duckdb_columns() ORDER BY ALL").fetchall()


@pytest.mark.parametrize("statement", ["CREATE TABLE labels (a INTEGER)", "CREATE VIEW labels AS SELECT 1"])
def test_tables_of_others_are_refused(nights: list[Path], database: Path, statement: str) -> None:
    change(database, statement)
    with pytest.raises(pf.PolyframeError, match="has a table labels that polyframe did not make; rename"):
        load(nights[0], database)
    assert "polyframe_loads" not in str(content_without_rows(database))


@pytest.mark.parametrize("columns", ["mine INTEGER", "LIKE"])
def test_a_table_that_somebody_replaced_stays(
    nights: list[Path], database: Path, loaded: Path, tmp_path: Path, columns: str
) -> None:
    """Even if it has our columns, the output directory has no such table, or columns may change."""
    shutil.copy(loaded, database)
    statement = "AS FROM contours LIMIT 3" if columns == "LIKE" else f"({columns})"
    change(
        database,
        f"CREATE TABLE theirs {statement}",
        "DROP TABLE contours",
        "ALTER TABLE theirs RENAME TO contours",
    )
    theirs = texts_of("contours", database)
    for allow_schema_change in (False, True):
        with pytest.raises(
            pf.PolyframeError, match="has a table contours that polyframe did not make; rename"
        ):
            load(nights[8], database, allow_schema_change=allow_schema_change)
    without_contours = tmp_path / "out"
    shutil.copytree(nights[8], without_contours)
    pf.reduce(without_contours, output=without_contours, eps=0.01, say=str)
    assert not (without_contours / "contours").exists()
    assert load(without_contours, database, allow_schema_change=True) == []
    assert texts_of("contours", database) == theirs


def test_other_tables_and_views_stay(nights: list[Path], database: Path, expected: dict[str, Any]) -> None:
    load(nights[3], database)
    change(
        database,
        "CREATE TABLE notes AS SELECT 1 AS a",
        "CREATE VIEW outliers AS SELECT * FROM labels WHERE cluster_label = -1",
    )
    load(nights[8], database)
    with duckdb.connect(str(database)) as connection:
        assert connection.sql("FROM notes").fetchall() == [(1,)]
        labels = files_of(nights[8], "labels")
        assert connection.sql("FROM outliers").pl().height == labels.filter(cluster_label=-1).height
        connection.execute("DROP TABLE notes")
    assert content(database) == expected


def test_a_database_that_another_process_uses(nights: list[Path], database: Path) -> None:
    load(nights[3], database)
    code = (
        "import duckdb, subprocess, sys\n"
        "with duckdb.connect(sys.argv[1]):\n"
        "    done = subprocess.run([sys.executable, '-m', 'polyframe', *sys.argv[2:]], timeout=120)\n"
        "sys.exit(done.returncode)\n"
    )
    done = run_python(
        "-c", code, database, "load", nights[4], "--to", f"duckdb:{database}", cwd=database.parent
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"duckdb:{database}: IO Error: Could not set lock on file" in line
    assert line.endswith("; close the database there, and load again")


def test_files_and_folders_that_are_no_databases(nights: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database" * 1000)
    with pytest.raises(
        pf.PolyframeError,
        match=r"notes\.txt.* not a valid DuckDB database file; name another file, or remove",
    ):
        load(nights[0], text)
    with pytest.raises(pf.PolyframeError, match=r"Is a directory; name a file in it, such as duckdb:///proj"):
        load(nights[0], tmp_path)
    with pytest.raises(pf.PolyframeError, match=r"the folder .*/missing does not exist; make it, or check"):
        load(nights[0], tmp_path / "missing" / "x.duckdb")
    for address in (
        "duckdb:",
        "duckdb://",
        "duckdb:///",
        "duckdb:////",
        "duckdb://x.duckdb",
        "duckdb:///:memory:",
    ):
        with pytest.raises(pf.UsageError, match="names no database file; expected duckdb:///project"):
            pf.load(nights[0], address)


def test_relative_and_absolute_addresses(
    nights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for address in (f"duckdb:///{tmp_path}/a.duckdb", "duckdb:///b.duckdb", "duckdb:c.duckdb"):
        assert pf.load(nights[0], address).target == address
    assert {path.name for path in tmp_path.iterdir()} == {"a.duckdb", "b.duckdb", "c.duckdb"}


def test_a_database_that_cannot_grow_stays_as_it_was(
    nights: list[Path], database: Path, expected: dict[str, Any]
) -> None:
    """As on a full disk."""
    load(nights[3], database)
    before = content(database)
    code = (
        "import resource, signal, sys, polyframe as pf\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "size = 4096\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "try: pf.load(sys.argv[1], f'duckdb:///{sys.argv[2]}')\n"
        "except pf.PolyframeError as error: print(error)\n"
    )
    done = run_python("-c", code, nights[8], database, cwd=database.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"duckdb:///{database}: ")
    assert content(database) == before
    load(nights[8], database)
    assert content(database) == expected
