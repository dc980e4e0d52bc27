"""Addresses of PostgreSQL: what is accepted, and that no message contains a password."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import Done, drawing, export_row, export_text, square
from postgres_server import PASSWORD, Database, Server

import polyframe as pf
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.export.load.postgres_address import connect, parse_address

Call = Callable[..., Done]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output directory of one subject."""
    folder = tmp_path_factory.mktemp("address")
    rows = [export_row(number, drawing(square(number, 0))) for number in range(3)]
    (folder / "export.csv").write_text(export_text(rows), encoding="utf-8")
    pf.run(folder / "export.csv", folder / "out", jobs=1, engine="shapely", say=str)
    return folder / "out"


@pytest.mark.parametrize(
    ("address", "name", "schema"),
    [
        ("postgresql:///project", "postgresql:///project", None),
        ("postgres://ann@host:5433/project", "postgresql://ann@host:5433/project", None),
        ("postgresql://ann:x%40y@host/project?sslmode=require", "postgresql://ann@host/project", None),
        ("postgresql://host/db?schema=a%20b&password=x", "postgresql://host/db?schema=a b", "a b"),
        ("postgresql://u@/db?host=/run&schema=s", "postgresql://u@/db?host=/run&schema=s", "s"),
        ("postgresql://", "postgresql:///", None),
    ],
)
def test_addresses(address: str, name: str, schema: str | None) -> None:
    parsed = parse_address(address)
    assert (parsed.name, parsed.schema) == (name, schema)
    assert "schema" not in parsed.parameters
    assert "x" not in repr(parsed).replace("'postgresql", "")


def test_parameters_reach_libpq() -> None:
    address = "postgresql://ann:a%2Fb%40c@/db?host=/run/sock&options=-csearch_path%3Dx&schema=s"
    assert parse_address(address).parameters == {
        "user": "ann",
        "password": "a/b@c",
        "dbname": "db",
        "host": "/run/sock",
        "options": "-csearch_path=x",
    }


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:sec@ret@host/db",
        "postgresql://ann:sec/ret@host/db",
        "postgresql://ann:sec?ret@host/db",
        "postgresql://ann:sec ret@host/db",
        "postgresql://ann:sec%ret@host/db",
        "postgresql://ann:secret@host/db?pasword=secret",
        "postgresql://ann:secret@host/db?secret",
        "postgresql://ann:sec\0ret@host/db",
        "postgresql://ann:secret/db",
        "postgresql://ann:\ud800secret@host/db",
        "postgresql:secret",
        "postgresql:ann:secret@host/db",
    ],
)
def test_a_wrong_address_is_not_repeated(address: str, out: Path, polyframe: Call) -> None:
    done = polyframe("load", out, "--to", address)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(
        "polyframe: error: to: not a valid address of PostgreSQL; expected one such as postgresql://user@host/"
    )
    assert "sec" not in done.err


@pytest.mark.parametrize("query", ["schema=", "schema=a&schema=b", "schema=a%00b"])
def test_one_schema(query: str) -> None:
    with pytest.raises(UsageError, match="expected one schema=NAME in the address"):
        parse_address(f"postgresql:///db?{query}")


def test_no_server(out: Path, tmp_path: Path, polyframe: Call) -> None:
    done = polyframe("load", out, "--to", f"postgresql://ann:secret@/db?host={tmp_path}")
    assert done.code == 1
    assert done.err.startswith(f"polyframe: error: postgresql://ann@/db?host={tmp_path}: connection ")
    assert "No such file or directory" in done.err
    assert len(done.err.splitlines()) == 1
    assert "secret" not in done.err


@pytest.mark.parametrize("host", ["ex..ämple", "ä" * 70])
def test_a_host_that_has_no_valid_name(out: Path, host: str, polyframe: Call) -> None:
    done = polyframe("load", out, "--to", f"postgresql://ann:secret@{host}/db")
    assert done.code == 1
    assert done.err.startswith(f"polyframe: error: postgresql://ann@{host}/db: not the name of a server (")
    assert len(done.err.splitlines()) == 1


def test_a_server_that_vanishes_is_noticed(database: Database) -> None:
    """The address can say otherwise."""
    with connect(parse_address(database.url(keepalives_idle="5"))) as connection:
        parameters = connection.info.get_parameters()
    assert {name: parameters[name] for name in parameters if "keepalives" in name or "tcp" in name} == {
        "keepalives_idle": "5",
        "keepalives_interval": "10",
        "keepalives_count": "6",
        "tcp_user_timeout": "120000",
    }


def test_passwords(out: Path, database: Database, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PolyframeError, match='password authentication failed for user "guarded"') as caught:
        pf.load(out, database.url("guarded", "a wrong secret"), say=str)
    assert "secret" not in str(caught.value)
    postgres.execute(f"GRANT CREATE ON SCHEMA {database.schema} TO guarded", database=database.name)
    loaded = pf.load(out, database.url("guarded", PASSWORD), say=str)
    assert PASSWORD not in str(loaded) + repr(loaded)
    assert loaded.tables["labels"].rows_inserted
    # The password can be in the environment instead.
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert not pf.load(out, database.url("guarded"), say=str).tables["labels"].rows_inserted


def test_a_missing_extra_is_named(out: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("polyframe.export.load.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = polyframe("load", out, "--to", "postgresql://localhost/db")
    assert done.code == 1
    assert done.err == (
        "polyframe: error: load into postgresql needs an extra: pip install 'panoptes-polyframe[postgres]'\n"
    )
