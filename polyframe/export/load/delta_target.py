"""Load tables into Delta tables: part files are linked or uploaded as they are, and listed in Delta's log."""

import contextlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    RemoveAction,
    Transaction,
    create_table_with_add_actions,
)

from polyframe import __version__
from polyframe.core.atomic_files import cannot_write
from polyframe.core.errors import PolyframeError, UsageError, first_line
from polyframe.core.local_paths import place_of
from polyframe.core.plurals import counted
from polyframe.core.table_schema import Table
from polyframe.export.load.delta_files import file_statistics, parse_part_file_name, part_file_name
from polyframe.export.load.delta_folders import BucketFolders, Folders, LocalFolders
from polyframe.export.load.delta_tables import (
    FILES,
    STATE,
    VERSION,
    WORKFLOW,
    ActiveFile,
    OpenTable,
    as_number,
    column_types,
    delta_schema,
    digest,
    open_table,
)
from polyframe.export.load.loaded_tables import LOADS, TargetPart, table_comment
from polyframe.export.load.target import ExistingTable, RecordedPart, ReplacedRows, TableChange
from polyframe.store.part_files import FOOTERS_AT_ONCE

_ADDRESS: Final = re.compile(r"delta:(?P<place>(?://)?.+)", re.IGNORECASE | re.DOTALL)
#: Tables that are opened at the same time.
_OPENED: Final = 8


def open_target(address: str, storage_options: Mapping[str, str] | None = None) -> "DeltaTarget":
    """Open a folder or a bucket for Delta tables; a missing folder is created.

    Parameters
    ----------
    address : str
        `delta:` and a folder or the address of a bucket, such as `delta:tables`, `delta:/data/tables` or
        `delta:s3://bucket/tables`. Two slashes after the colon may be added: `delta:///data/tables`.
    storage_options : mapping, optional
        Of the bucket.

    Raises
    ------
    UsageError, PolyframeError
        If it is not such an address, or the place cannot be used.
    """
    match = _ADDRESS.fullmatch(address)
    place = match["place"].removeprefix("//") if match else ""
    if not place:
        raise UsageError(
            f"to: {address!r} names no place; expected a folder or a bucket, such as delta:///data/tables or "
            "delta:s3://bucket/tables"
        )
    _check_no_secrets(place)
    # deltalake decodes every address, even if it is encoded.
    if unquote(place) != place:
        raise UsageError("to: Delta tables cannot be in a place with a % in its name; name another one")
    root = place_of(place, "to", storage_options)
    if isinstance(root, Path):
        return DeltaTarget(_local_folders(root))
    if root.scheme == "memory":
        raise UsageError(f"to: {root}: Delta tables cannot be in memory; name a folder or a bucket")
    return DeltaTarget(BucketFolders(root))


def _check_no_secrets(place: str) -> None:
    """Raise a UsageError, which repeats nothing, if an address has a user with a password, or a query."""
    _, is_address, rest = place.partition("://")
    has_password = ":" in rest.rpartition("@")[0]
    if is_address and (has_password or "?" in rest or "#" in rest):
        raise UsageError(
            "to: the address of a bucket for Delta tables cannot contain a password, ? or #; set keys in the "
            "environment, such as AWS_ACCESS_KEY_ID, or in storage_options"
        )


def _local_folders(root: Path) -> LocalFolders:
    if not root.absolute().parent.is_dir():
        raise PolyframeError(f"{root}: the folder {root.parent} does not exist; make it, or check the path")
    try:
        root.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(root, error) from None
    return LocalFolders(root)


@dataclass
class _Commit:
    """What the next commit of a table changes.

    Attributes
    ----------
    table : Table or None
        None if the table is not one of the output directory.
    added : list of AddAction
    removed : list of RemoveAction
    parts : list of (str, str)
        Name and fingerprint of each part of the table after the commit.
    replaces : bool
        Whether it replaces the table and its columns.
    workflow_id : int or None
    """

    table: Table | None
    added: list[AddAction] = field(default_factory=list)
    removed: list[RemoveAction] = field(default_factory=list)
    parts: list[tuple[str, str]] = field(default_factory=list)
    replaces: bool = False
    workflow_id: int | None = None


class DeltaTarget:
    """A place of Delta tables that is open for loading; see `polyframe.export.load.target.Target`.

    Delta has no transactions over several tables. So all files are put into place first, and `commit` then
    makes one short commit for each table. It records the state of all tables in each of them.

    Parameters
    ----------
    folders : Folders
        The place.
    """

    nested_lists = True

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.name = folders.name
        self.notes: list[str] = []
        self._tables: dict[str, OpenTable] = {}
        self._created: set[str] = set()
        self._commits: dict[str, _Commit] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nothing is open. Files without a commit belong to no table; the next load or VACUUM finds them.
        pass

    def column_types(self, table: Table) -> dict[str, str]:
        """Return the type of each column as Delta's log spells it."""
        return column_types(table)

    def existing_tables(self, names: Collection[str]) -> dict[str, ExistingTable]:
        """Return those Delta tables that have one of these names, and the record of loads.

        The names of files are the record, so it exists always.
        """
        existing = {LOADS.name: ExistingTable(column_types(LOADS), True)}
        wanted = [name for name in names if name != LOADS.name]
        with ThreadPoolExecutor(_OPENED) as threads:
            for name, table in zip(wanted, threads.map(self._open, wanted), strict=True):
                if isinstance(table, ExistingTable):
                    existing[name] = table
                elif table is not None:
                    self._tables[name] = table
                    self._note_changes(name, table)
                    # A table of ours without files was dropped, see `drop_table`.
                    if table.files or not table.is_own:
                        existing[name] = table.describe()
        return existing

    def recorded_parts(self) -> list[RecordedPart]:
        """Return the files of all tables: our own by their parts, others without a fingerprint."""
        return [
            RecordedPart(name, file.part, file.fingerprint, file.n_rows, table.workflow_id)
            for name, table in self._tables.items()
            if table.is_own
            for file in table.files.values()
        ]

    def count_rows(self, table: Table, parts: Sequence[TargetPart]) -> list[int]:
        """Return the number of rows of each part; -1 if its file is missing or has another size."""
        found = self._tables[table.name]
        files = {file.part: file for file in found.files.values()}
        return [files[part.name].n_rows if found.is_whole(files[part.name]) else -1 for part in parts]

    def create_table(self, table: Table) -> None:
        """Let the next commit create the table, replacing an existing one."""
        self._created.add(table.name)

    def drop_table(self, name: str) -> None:
        """Let the next commit remove all files of a table; the table stays, with its history."""
        self._commits[name] = _Commit(None, removed=_remove_actions(self._tables[name].files.values()))

    def replace_parts(self, change: TableChange, inserted: Callable[[], None]) -> ReplacedRows:
        """Put the files of a table into place, for the next commit."""
        name = change.table.name
        found = self._tables.get(name)
        files = found.files if found else {}
        present = found.sizes if found else {}
        replaces = name in self._created or (found is not None and found.has_deleted_rows)
        # A commit that replaces the table lists all files, by names that it does not remove.
        placed = (*change.kept, *change.inserted) if replaces else change.inserted
        paths = {part: _free_path(part, files, replaces=replaces) for part in placed}
        sources = {
            path: part.stored.file for part, path in paths.items() if present.get(path) != part.stored.size
        }
        self.folders.put(name, sources, inserted)
        for _ in range(len(change.inserted) - len(sources)):
            inserted()
        new = {path: part for part, path in paths.items() if path not in files}
        with ThreadPoolExecutor(FOOTERS_AT_ONCE) as threads:
            added = list(threads.map(_add_action, new, new.values()))
        kept = set() if replaces else {part.name for part in change.kept}
        stays = {*paths.values()}
        gone = [file for path, file in files.items() if file.part not in kept and path not in stays]
        self._commits[name] = _Commit(
            change.table,
            [action for action, _ in added],
            [] if replaces else _remove_actions(gone),
            [(part.name, part.fingerprint) for part in (*change.kept, *change.inserted)],
            replaces,
            change.workflow_id,
        )
        return ReplacedRows(sum(file.n_rows for file in gone), sum(rows for _, rows in added))

    def commit(self, version: int) -> None:
        """Make one commit for each table, with the state of all tables.

        Those that change come last: if the program is killed meanwhile, the next load finds what is missing.
        """
        unchanged = {
            name: _Commit(None, parts=table.parts, workflow_id=table.workflow_id)
            for name, table in self._tables.items()
            if name not in self._commits and table.files and table.is_own
        }
        commits = unchanged | self._commits
        state = as_number(*(digest(name, commit.parts) for name, commit in commits.items() if commit.parts))
        for name, commit in commits.items():
            if name in self._commits or self._tables[name].number(STATE) != state:
                with self._explained(name):
                    self._commit(name, commit, state, version)

    def _commit(self, name: str, commit: _Commit, state: int, version: int) -> None:
        numbers = {STATE: state, FILES: as_number(digest(name, commit.parts))}
        if commit.workflow_id is not None:
            numbers[WORKFLOW] = commit.workflow_id
        of_version = ""
        if version:
            numbers[VERSION] = version
            of_version = f", version {version} of the tables"
        properties = CommitProperties(
            custom_metadata={"userMetadata": f"polyframe {__version__}{of_version}, state {state}"},
            app_transactions=[Transaction(app, number) for app, number in numbers.items()],
        )
        found = self._tables.get(name)
        if found is not None and not commit.replaces:
            found.delta.create_write_transaction(
                [*commit.added, *commit.removed],
                "append",
                found.delta.schema(),
                [],
                commit_properties=properties,
            )
            return
        assert commit.table is not None
        create_table_with_add_actions(
            self.folders.url(name),
            delta_schema(commit.table),
            commit.added,
            "overwrite" if found else "error",
            name=name,
            description=table_comment(commit.table),
            storage_options=self._options(),
            commit_properties=properties,
        )

    def _open(self, name: str) -> OpenTable | ExistingTable | None:
        """Open a Delta table; None if there is none."""
        content = self.folders.content(name)
        if content is None:
            return None
        if not content.has_log:
            # Of our own files, the first load was stopped before it made the table.
            others = [file for file in content.sizes if not parse_part_file_name(file) and file[0] != "."]
            return ExistingTable({}, False) if others or content.folders else None
        with self._explained(name):
            try:
                delta = DeltaTable(self.folders.url(name), storage_options=self._options())
            except TableNotFoundError:
                return None
            return open_table(delta, content.sizes)

    def _note_changes(self, name: str, table: OpenTable) -> None:
        """Note if somebody else changed the files of a table of ours."""
        recorded = table.number(FILES)
        if recorded is None or recorded == as_number(digest(name, table.parts)):
            return
        foreign = sum(parse_part_file_name(path) is None for path in table.files)
        files = f" ({counted(foreign, 'file')} that polyframe did not write)" if foreign else ""
        self.notes.append(
            f"table {name}: another program changed it since the last load{files}; it gets the rows of the "
            f"output directory again; version {table.delta.version()} of the Delta table keeps the changes"
        )

    def _options(self) -> dict[str, str] | None:
        return None if self.folders.options is None else dict(self.folders.options)

    @contextlib.contextmanager
    def _explained(self, table: str) -> Iterator[None]:
        """Turn an error of deltalake into one line that names the table."""
        place = f"{self.name}/{table}"
        try:
            yield
        except (DeltaError, OSError, ValueError) as error:
            if isinstance(error, CommitFailedError) or "already exists" in str(error):
                raise PolyframeError(
                    f"{place}: another program changed the Delta table at the same time; load again"
                ) from None
            raise PolyframeError(f"{place}: {first_line(error)}") from None


def _free_path(part: TargetPart, files: Mapping[str, ActiveFile], *, replaces: bool) -> str:
    """Return the path for a file; that of a file of the table only if it may stay as it is."""
    attempt = 1
    while True:
        path = part_file_name(part.name, part.fingerprint, attempt)
        if path not in files or (not replaces and files[path].size == part.stored.size):
            return path
        attempt += 1


def _add_action(path: str, part: TargetPart) -> tuple[AddAction, int]:
    """Return the entry of a file in Delta's log, and its number of rows."""
    statistics = file_statistics(part.stored)
    action = AddAction(path, part.stored.size, {}, _now(), True, statistics.text)
    return action, statistics.n_rows


def _remove_actions(files: Iterable[ActiveFile]) -> list[RemoveAction]:
    now = _now()
    return [RemoveAction(file.path, True, now, file.size, {}) for file in files]


def _now() -> int:
    """Return the time as Delta's log has it, in milliseconds."""
    return time.time_ns() // 1_000_000
