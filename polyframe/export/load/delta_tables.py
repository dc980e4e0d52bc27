"""Open Delta tables, and list their files and columns."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable, Schema

from polyframe.core.table_schema import Table
from polyframe.export.load.delta_files import parse_part_file_name
from polyframe.export.load.loaded_tables import OWN_COMMENT
from polyframe.export.load.target import ExistingTable
from polyframe.store.arrow_tables import arrow_schema

#: Delta keeps a number for each name of an application, through all later commits. These are ours: of the
#: version of the output directory, of the parts of all tables, of the parts of this table, and the workflow.
VERSION: Final = "polyframe.version"
STATE: Final = "polyframe.state"
FILES: Final = "polyframe.files"
WORKFLOW: Final = "polyframe.workflow"


@dataclass(frozen=True)
class ActiveFile:
    """A file of the newest version of a Delta table.

    Attributes
    ----------
    path : str
        In the folder of the table.
    size : int
        Bytes.
    n_rows : int
        0 if the log does not say it.
    part, fingerprint : str
        Of a part that polyframe wrote. Of other files, the path and nothing, and of parts whose rows are not
        in the table just once.
    """

    path: str
    size: int
    n_rows: int
    part: str
    fingerprint: str


@dataclass(frozen=True)
class OpenTable:
    """A Delta table that exists.

    Attributes
    ----------
    delta : DeltaTable
    files : dict of str to ActiveFile
        By path.
    sizes : mapping of str to int
        Bytes of the files that are in its folder.
    has_deleted_rows : bool
        Whether rows of some files are marked as deleted, by deletion vectors.
    """

    delta: DeltaTable
    files: dict[str, ActiveFile]
    sizes: Mapping[str, int]
    has_deleted_rows: bool

    @property
    def is_own(self) -> bool:
        """Whether polyframe made the table."""
        description = self.delta.metadata().description or ""
        return description.startswith(OWN_COMMENT) or self.number(STATE) is not None

    @property
    def workflow_id(self) -> int | None:
        """The workflow of the rows."""
        return self.number(WORKFLOW)

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The name and the fingerprint of each part, see `ActiveFile`."""
        return [(file.part, file.fingerprint) for file in self.files.values()]

    def number(self, application: str) -> int | None:
        """Return the number that Delta keeps for a name; None without one."""
        number: int | None = self.delta.transaction_version(application)
        return number

    def is_whole(self, file: ActiveFile) -> bool:
        """Tell whether a file is in the folder, with its size."""
        return self.sizes.get(file.path) == file.size

    def describe(self) -> ExistingTable:
        """Return its columns."""
        types = _spelled_types(self.delta.schema(), self.delta.metadata().partition_columns)
        return ExistingTable(types, self.is_own)


def open_table(delta: DeltaTable, sizes: Mapping[str, int]) -> OpenTable:
    """List the files of a Delta table.

    Parameters
    ----------
    delta : DeltaTable
    sizes : mapping of str to int
        Bytes of the files that are in its folder.

    Raises
    ------
    ValueError
        If columns have other names in files than in the table, or files may not be removed.
    """
    properties = delta.metadata().configuration
    if properties.get("delta.columnMapping.mode", "none") != "none":
        raise ValueError("has column mapping, with which polyframe's files cannot be read; load elsewhere")
    if properties.get("delta.appendOnly", "false") == "true":
        raise ValueError("is append-only (delta.appendOnly); remove that property, or load elsewhere")
    has_deleted_rows = delta.deletion_vectors().read_all().num_rows > 0
    files = {file.path: file for file in _active_files(delta, has_deleted_rows)}
    return OpenTable(delta, files, sizes, has_deleted_rows)


def column_types(table: Table) -> dict[str, str]:
    """Return the type of each column as Delta's log spells it."""
    return _spelled_types(delta_schema(table), ())


def delta_schema(table: Table) -> Schema:
    """Return the columns of a table with their comments."""
    meanings = {column.name: column.meaning for column in table.columns}
    return Schema.from_arrow(
        pa.schema([field.with_metadata({"comment": meanings[field.name]}) for field in arrow_schema(table)])
    )


def digest(table: str, parts: Iterable[tuple[str, str]]) -> str:
    """Return a string that identifies the parts of a table, in any order."""
    lines = "\n".join(sorted("/".join((table, *part)) for part in parts))
    return hashlib.sha256(lines.encode()).hexdigest()


def as_number(*digests: str) -> int:
    """Return a number of 62 bits for some digests, in any order."""
    content = "\n".join(sorted(digests)).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8]) >> 2


def _active_files(delta: DeltaTable, has_deleted_rows: bool) -> Iterator[ActiveFile]:
    # Not `pyarrow.table`: it imports pandas if that is installed, a quarter of a second.
    actions = delta.get_add_actions()
    columns = [actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records")]
    names = {path: parse_part_file_name(path) for path in columns[0]}
    counts = Counter(name.part for name in names.values() if name)
    for path, size, n_rows in zip(*columns, strict=True):
        name = names[path]
        # If a part is there twice, so are its rows.
        is_own = name is not None and counts[name.part] == 1 and not has_deleted_rows
        part, fingerprint = (name.part, name.fingerprint) if name and is_own else (path, "")
        yield ActiveFile(path, size, n_rows or 0, part, fingerprint)


def _spelled_types(schema: Schema, partition_by: Sequence[str]) -> dict[str, str]:
    return {
        column["name"]: _spelled(column["type"])
        + ("" if column["nullable"] else " not null")
        + (", partitions the table" if column["name"] in partition_by else "")
        for column in json.loads(schema.to_json())["fields"]
    }


def _spelled(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    return f"array<{_spelled(kind['elementType'])}>" if kind["type"] == "array" else str(kind["type"])
