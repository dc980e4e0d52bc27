"""Find PostGIS in a database, and create it if that is allowed."""

from dataclasses import dataclass
from typing import Final

from polyframe.core.notes import Information
from polyframe.export.load.postgres_session import Session
from polyframe.export.load.postgres_tables import BYTES, GEOMETRY

_WITHOUT: Final = "geometries are loaded as WKB (bytea), without a spatial index"


@dataclass(frozen=True)
class PostGIS:
    """What there is of PostGIS.

    Attributes
    ----------
    schema : str or None
        The schema that contains it in this database; None if it is not there.
    is_on_server : bool
        Whether the server has it.
    is_allowed : bool
        Whether this role may create it in this database.
    """

    schema: str | None
    is_on_server: bool
    is_allowed: bool

    @property
    def geometry(self) -> str:
        """The type of the geometries of new tables."""
        return GEOMETRY if self.schema is not None or self.is_allowed else BYTES

    def ready(self, session: Session) -> tuple["PostGIS", str | None]:
        """Create it if it is not there but allowed; return what there is then, and a note for the user."""
        if self.schema is not None:
            return self, None
        if not self.is_on_server:
            return self, Information(f"PostGIS is not installed on the server: {_WITHOUT}")
        if not self.is_allowed:
            return self, Information(
                f"this role may not create the extension postgis: {_WITHOUT}. Let a superuser execute CREATE "
                "EXTENSION postgis in this database, drop the tables, and load again."
            )
        # Without a schema, it would go into the first one of the search path, which may be ours alone.
        public = session.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'public'")
        session.execute(f"CREATE EXTENSION postgis{' SCHEMA public' if public else ''}")
        return find_postgis(session), Information("created the extension postgis")


def find_postgis(session: Session) -> PostGIS:
    """Return what there is of PostGIS in a database."""
    installed = session.execute(
        "SELECT nspname::text FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
        "WHERE extname = 'postgis'"
    )
    available = session.execute(
        "SELECT bool_or(rolsuper OR trusted AND has_database_privilege(current_database(), 'CREATE')) "
        "FROM pg_available_extension_versions CROSS JOIN pg_roles "
        "WHERE name = 'postgis' AND rolname = current_user HAVING count(*) > 0"
    )
    return PostGIS(
        installed[0][0] if installed else None,
        bool(available),
        bool(available and available[0][0]),
    )
