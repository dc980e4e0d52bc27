"""Start a PostgreSQL server for tests, on a socket in a temporary folder, as another user if we are root."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

#: Which user runs the server if the tests run as root, whom PostgreSQL refuses; the first that exists.
_USERS = ("postgres", "nobody")
#: The database that tests share.
_WITH_POSTGIS = "with_postgis"
_INSTALL = "apt-get install postgresql postgresql-postgis"
#: Of the role `guarded`.
PASSWORD = "open sesame"
#: The longest time to wait for the server, in seconds.
_LONGEST = 60.0
#: Nothing needs to survive a crash of the machine, and several tests run at the same time.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "20",
    "autovacuum": "off",
    "lc_messages": "C",
}


@dataclass(frozen=True)
class Database:
    """A database of the server for tests, and a schema in it.

    Attributes
    ----------
    name : str
    folder : Path
        The folder of the server's socket.
    schema : str
        The schema in which statements look for tables first, and create them.
    """

    name: str
    folder: Path
    schema: str = "public"

    def url(self, user: str = "owner", password: str | None = None, **parameters: str) -> str:
        """Return an address as users write it, with parameters such as `schema`."""
        account = user if password is None else f"{user}:{quote(password, safe='')}"
        options = f"-csearch_path={self.schema},public"
        given = {"host": str(self.folder), "options": options, **parameters}
        query = "&".join(f"{key}={quote(value)}" for key, value in given.items())
        return f"postgresql://{account}@/{self.name}?{query}"

    def connect(self, user: str = "owner", **options: Any) -> Any:
        """Connect with psycopg; every statement is a transaction of its own, unless `autocommit` is false."""
        import psycopg

        return psycopg.connect(self.url(user), **{"autocommit": True, **options})

    def rows(self, query: str, *values: object, user: str = "owner") -> list[tuple[Any, ...]]:
        """Execute one statement and return its rows; none if it has no result."""
        with self.connect(user) as connection:
            cursor = connection.execute(query, values or None)
            return list(cursor.fetchall()) if cursor.description else []


class Server:
    """A running server; `admin` is its superuser, `owner` owns the databases, `reader` may only connect."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._created = 0

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements as the superuser."""
        with Database(database, self.folder).connect("admin") as connection:
            for statement in statements:
                connection.execute(statement)

    def new_schema(self) -> Database:
        """Create a schema that belongs to `owner`, in a database with PostGIS that tests share.

        That is faster than a database for each test.
        """
        self._created += 1
        schema = f"test_{self._created}"
        self.execute(
            f"CREATE SCHEMA {schema} AUTHORIZATION owner",
            f"GRANT USAGE ON SCHEMA {schema} TO reader, guarded",
            database=_WITH_POSTGIS,
        )
        return Database(_WITH_POSTGIS, self.folder, schema)

    def new_database(self) -> Database:
        """Create a database that belongs to `owner`, without PostGIS."""
        self._created += 1
        name = f"project_{self._created}"
        self.execute(f"CREATE DATABASE {name} OWNER owner")
        return Database(name, self.folder)


@contextlib.contextmanager
def postgres_server() -> Iterator[Server]:
    """Run a server; skip the test if PostgreSQL or PostGIS is not installed.

    Only the role `guarded` needs a password, `PASSWORD`.
    """
    programs = _programs()
    if programs is None:
        pytest.skip(f"PostgreSQL's server is missing: {_INSTALL}")
    # Not below pytest's folder, which only its user may enter, and whose path is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="polyframe-pg-"))
    try:
        with _running(programs, folder):
            server = Server(folder)
            _create_roles(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(programs: Path, folder: Path) -> Iterator[None]:
    """Make a cluster in a folder and run its server."""
    folder.chmod(0o755)
    account = _account()
    if account:
        shutil.chown(folder, account)
    data = folder / "data"
    _make_cluster(programs, data, account)
    settings = {**_SETTINGS, "unix_socket_directories": str(folder)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    # If the tests are killed, so is the server.
    wrapper = ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
    command = [*wrapper, programs / "postgres", "-D", data, *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, user=account, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_for(folder, process)
        yield
    finally:
        process.send_signal(signal.SIGQUIT)  # at once, without writing what is in memory
        try:
            process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _programs() -> Path | None:
    """Return the folder of the server's programs, which Debian does not put on the path; newest version."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(versions, key=lambda path: float(path.parts[-3]), default=None) or shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _account() -> str | None:
    """Return the user who runs the server; None if we may run it ourselves."""
    if os.name == "nt" or os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in names)


def _make_cluster(programs: Path, data: Path, account: str | None) -> None:
    options = ["-U", "admin", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    command = [programs / "initdb", "-D", data, *options]
    done = subprocess.run(
        command, user=account, cwd=data.parent, capture_output=True, text=True, timeout=_LONGEST, check=False
    )
    assert done.returncode == 0, done.stderr
    access = data / "pg_hba.conf"
    rules = access.read_text(encoding="utf-8")
    access.write_text(f"local all guarded scram-sha-256\n{rules}", encoding="utf-8")


def _wait_for(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server accepts connections."""
    import psycopg

    end = time.monotonic() + _LONGEST
    while True:
        try:
            Database("postgres", folder).connect("admin").close()
            return
        except psycopg.OperationalError:
            log = (folder / "log").read_text(encoding="utf-8")
            assert process.poll() is None, log
            assert time.monotonic() < end, log
            time.sleep(0.05)


def _create_roles(server: Server) -> None:
    server.execute(
        "CREATE ROLE owner LOGIN",
        "CREATE ROLE reader LOGIN",
        f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'",
        f"CREATE DATABASE {_WITH_POSTGIS} OWNER owner",
    )
    extension = "SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"
    if not Database("postgres", server.folder).rows(extension, user="admin"):
        pytest.skip(f"PostGIS is missing: {_INSTALL}")
    server.execute("CREATE EXTENSION postgis", database=_WITH_POSTGIS)
