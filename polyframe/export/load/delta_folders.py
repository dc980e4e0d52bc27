"""Put part files into the folders of Delta tables, on a local disk or in a bucket."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from polyframe.core.addresses import Address
from polyframe.core.atomic_files import atomic_path, cannot_write, sync_folder
from polyframe.core.errors import PolyframeError
from polyframe.core.object_stores import open_store, store_error
from polyframe.core.remote_files import bucket_of, key_of
from polyframe.store.objects import link_or_copy
from polyframe.store.part_files import PartFile

if TYPE_CHECKING:
    from obstore.store import ObjectStore

#: The folder that makes a folder a Delta table.
LOG: Final = "_delta_log"
#: Files that are uploaded at the same time.
_UPLOADS: Final = 8


@dataclass(frozen=True)
class FolderContent:
    """What the folder of a table contains.

    Attributes
    ----------
    folders : set of str
        The names of the folders directly in it; with `LOG`, it is a Delta table.
    sizes : mapping of str to int
        Bytes of each file directly in it, by name.
    """

    folders: frozenset[str]
    sizes: Mapping[str, int]

    @property
    def has_log(self) -> bool:
        """Whether it is a Delta table."""
        return LOG in self.folders


class Folders(Protocol):
    """The place of some Delta tables: a folder for each.

    Attributes
    ----------
    name : str
        For messages, without credentials.
    options : mapping of str to str, or None
        Credentials and endpoint, for deltalake.
    """

    name: str
    options: Mapping[str, str] | None

    def url(self, table: str) -> str:
        """Return the address of a table, for deltalake."""

    def content(self, table: str) -> FolderContent | None:
        """List the folder of a table; None if there is none.

        Raises
        ------
        PolyframeError
            If it cannot be read.
        """

    def put(self, table: str, sources: Mapping[str, PartFile], done: Callable[[], None]) -> None:
        """Put files into the folder of a table; those that exist are replaced.

        Parameters
        ----------
        table : str
        sources : mapping of str to PartFile
            The parts to put there, by their new names. They never change, so links will do.
        done : callable
            Called after each file.

        Raises
        ------
        PolyframeError
            If one of them cannot be read or written.
        """


class LocalFolders:
    """Delta tables in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)
        self.options: Mapping[str, str] | None = None

    def url(self, table: str) -> str:
        """Return the address of a table: as a URL, since deltalake decodes paths, too."""
        return (self.root / table).absolute().as_uri()

    def content(self, table: str) -> FolderContent | None:
        """List the folder of a table; None if there is none."""
        folder = self.root / table
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
            folders = frozenset(entry.name for entry in listed if entry.is_dir())
            sizes = {entry.name: entry.stat().st_size for entry in listed if entry.is_file()}
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise PolyframeError(f"{folder}: cannot be read ({reason}); name another place") from None
        return FolderContent(folders, sizes)

    def put(self, table: str, sources: Mapping[str, PartFile], done: Callable[[], None]) -> None:
        """Link files into the folder of a table, or copy them if the file system has no links."""
        folder = self.root / table
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from None
        for name, part in sources.items():
            _put_file(part, folder / name)
            done()
        sync_folder(folder)


class BucketFolders:
    """Delta tables in a bucket, below an address."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.name = str(address)
        self.options: Mapping[str, str] | None = dict(address.options) or None
        self.store: ObjectStore = open_store(address)

    def url(self, table: str) -> str:
        """Return the address of a table."""
        return self.address.joined(table).url

    def content(self, table: str) -> FolderContent | None:
        """List the folder of a table; None if there is none."""
        import obstore

        with self._explained(table):
            found: Any = obstore.list_with_delimiter(self.store, prefix=f"{table}/")
        sizes = {entry["path"].rpartition("/")[2]: entry["size"] for entry in found["objects"]}
        folders = frozenset(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])
        return FolderContent(folders, sizes) if sizes or folders else None

    def put(self, table: str, sources: Mapping[str, PartFile], done: Callable[[], None]) -> None:
        """Upload files to the folder of a table."""
        with ThreadPoolExecutor(_UPLOADS) as threads:
            uploads = [threads.submit(self._upload, table, name, path) for name, path in sources.items()]
            try:
                for upload in as_completed(uploads):
                    upload.result()
                    done()
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise

    def _upload(self, table: str, name: str, part: PartFile) -> None:
        import obstore

        source = part.place
        target = self.address.joined(f"{table}/{name}")
        if isinstance(source, Address) and bucket_of(source) == bucket_of(target):
            with self._explained(f"{table}/{name}"):
                obstore.copy(open_store(bucket_of(target)), key_of(source), key_of(target))
            return
        content = part.source()
        with self._explained(f"{table}/{name}"):
            # In pieces, so that memory is bounded.
            obstore.put(self.store, f"{table}/{name}", content)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            raise store_error(self.address.joined(key), error) from None


def _put_file(part: PartFile, target: Path) -> None:
    """Link a part to a path, or copy it if the file system has no links or the part is in a bucket."""
    source = part.source()
    if isinstance(source, Path):
        link_or_copy(source, target)
        return
    with atomic_path(target, create_folder=False, durable=False) as temporary:
        temporary.write_bytes(source.getbuffer())
