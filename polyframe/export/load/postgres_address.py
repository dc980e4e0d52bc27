"""Read the address of a PostgreSQL schema, and connect to it."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.export.load.target_kinds import TARGET_KINDS

#: The parameter that libpq does not know.
_SCHEMA: Final = "schema"
#: Seconds until a server that does not answer is given up, unless the address says otherwise.
_CONNECT_TIMEOUT: Final = 30
#: So that a server that vanishes is noticed within two minutes, not hours. In seconds, but the last one in
#: milliseconds.
_KEEPALIVES: Final = {
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}


@dataclass(frozen=True)
class PostgresAddress:
    """The address of a schema.

    Attributes
    ----------
    parameters : dict
        Those of libpq, which may contain a password.
    schema : str or None
        The schema that receives the tables; None for the first one of `search_path` that exists.
    name : str
        The address for messages: without a password and most parameters.
    """

    parameters: dict[str, Any] = field(repr=False)
    schema: str | None
    name: str


def parse_address(address: str) -> PostgresAddress:
    """Read an address such as `postgresql://ann@localhost/project?schema=shapes`.

    Parameters
    ----------
    address : str
        A connection URI of libpq, with the additional parameter `schema`.

    Raises
    ------
    UsageError
        If it is not a valid URI. The message repeats nothing of it, since any part can be of a password
        whose special characters are not encoded.
    """
    start, _, query = address.partition("?")
    authority, _, path = start.partition("://")[2].partition("/")
    pairs = [pair for pair in query.split("&") if pair]
    schemas = [
        unquote(value) for name, _, value in (pair.partition("=") for pair in pairs) if name == _SCHEMA
    ]
    others = "&".join(pair for pair in pairs if pair.partition("=")[0] != _SCHEMA)
    try:
        # libpq would take the part of a password after an @ or a / for the host or the database.
        if "@" in path + query or authority.count("@") > 1 or "\0" in address or address.split() != [address]:
            raise psycopg.ProgrammingError
        parameters = conninfo_to_dict(f"{start}?{others}" if others else start)
        # In `ann:secret`, the server is missing.
        if not str(parameters.get("port", 0)).replace(",", "").isdecimal():
            raise psycopg.ProgrammingError
    except (psycopg.Error, UnicodeError):
        raise UsageError(
            "to: not a valid address of PostgreSQL; expected one such as "
            f"{TARGET_KINDS['postgresql'].example}, with parameters of libpq or schema=NAME, and with "
            "special characters encoded, such as %40 for @"
        ) from None
    if "" in schemas or "\0" in "".join(schemas) or len(schemas) > 1:
        raise UsageError("to: expected one schema=NAME in the address")
    return PostgresAddress(parameters, schemas[0] if schemas else None, _name_of(parameters, schemas))


def connect(address: PostgresAddress) -> "psycopg.Connection[Any]":
    """Open a connection, whose first statement begins a transaction.

    Raises
    ------
    PolyframeError
        If the server cannot be reached or refuses the connection.
    """
    defaults = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "fallback_application_name": "polyframe load",
        **_KEEPALIVES,
    }
    try:
        return psycopg.connect(
            # Poolers that share connections know no prepared statements.
            **{**defaults, **address.parameters, "client_encoding": "UTF8"},
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        raise PolyframeError(f"{address.name}: {' '.join(str(error).split())}") from None
    except UnicodeError as error:
        # Python encodes the names of hosts.
        raise PolyframeError(f"{address.name}: not the name of a server ({first_line(error)})") from None


def _name_of(parameters: dict[str, Any], schemas: list[str]) -> str:
    """Return the address with the role, the server, the database and the schema."""
    host = str(parameters.get("host", parameters.get("hostaddr", "")))
    user, port = parameters.get("user"), parameters.get("port")
    query = []
    if host.startswith("/"):
        query, host = [f"host={host}"], ""
    query += [f"{_SCHEMA}={schema}" for schema in schemas]
    server = "".join([f"{user}@" if user else "", host, f":{port}" if port else ""])
    return f"postgresql://{server}/{parameters.get('dbname', '')}{'?' if query else ''}{'&'.join(query)}"
