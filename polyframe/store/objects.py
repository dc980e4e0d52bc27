"""Keep files by key: below a folder of this computer, or in a bucket.

Every file appears whole or not at all, and all but a few are never changed.
"""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from polyframe.core.addresses import Address, Place
from polyframe.core.atomic_files import atomic_path, cannot_write, sync_folder
from polyframe.core.errors import PolyframeError
from polyframe.core.object_stores import open_store, store_error

#: Files up to this size are kept in memory until they are sent to a bucket.
_MOST_IN_MEMORY: Final = 64_000_000
#: Part of the error of a bucket if a file is shorter than the start of a range.
_PAST_THE_END: Final = "416 Range Not Satisfiable"
#: How many keys a bucket removes with one request.
_KEYS_PER_REQUEST: Final = 1000


@dataclass(frozen=True)
class Entry:
    """A file of a store.

    Attributes
    ----------
    size : int
        In bytes.
    modified : float
        When it was written (seconds since 1970).
    """

    size: int
    modified: float


class Objects(Protocol):
    """Files by key, such as `manifests/00000001.json`."""

    @property
    def place(self) -> Place:
        """The folder or the address to which keys are relative."""

    def read(self, key: str) -> bytes:
        """Return the content of a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        PolyframeError
            If it cannot be read.
        """

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return some bytes of a file, without the one at `end`; errors are those of `read`.

        Fewer bytes, or none, if the file is shorter.
        """

    def create(self, key: str, content: bytes) -> bool:
        """Write a file unless there is one; of several writers, exactly one gets True."""

    def writing(self, key: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Open a file for writing that appears, or replaces the one of that key, when the body is done."""

    def entries(self, prefix: str) -> dict[str, Entry]:
        """Return the files whose keys begin with a prefix, which ends with a slash, in the order of keys."""

    def keys(self, prefix: str) -> Iterator[str]:
        """List the keys that begin with a prefix, in any order, as they become known."""

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files; missing ones do not matter."""

    def place_of(self, key: str) -> Place:
        """Return where a file is, for messages and for libraries that read it themselves."""


@dataclass(frozen=True)
class FolderObjects:
    """Files below a folder of this computer.

    Attributes
    ----------
    place : Path
        The folder; created when something is written.
    """

    place: Path

    def read(self, key: str) -> bytes:
        """Return the content of a file."""
        with self._open(key) as file:
            return file.read()

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return some bytes of a file."""
        with self._open(key) as file:
            file.seek(start)
            return file.read(end - start)

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[IO[bytes]]:
        """Open a file for reading; errors, also those of the body, are those of `read`."""
        path = self.place_of(key)
        try:
            with path.open("rb") as file:
                yield file
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(str(path)) from None
        except OSError as error:
            raise PolyframeError(f"{path}: cannot be read ({error.strerror})") from None

    def create(self, key: str, content: bytes) -> bool:
        """Write a file unless there is one."""
        path = self.place_of(key)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if not _moved_if_absent(temporary, path):
                return False
            sync_folder(path.parent)
            sync_folder(self.place)
        except OSError as error:
            raise cannot_write(path, error) from None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        """Open a file for writing that appears when the body is done."""
        with atomic_path(self.place_of(key), unique=True) as temporary, temporary.open("wb") as file:
            yield file

    def entries(self, prefix: str) -> dict[str, Entry]:
        """Return the files whose keys begin with a prefix."""
        listed: dict[str, Entry] = {}
        for key, entry in _walk(self.place / prefix, prefix):
            # It may have been removed at this moment.
            with contextlib.suppress(FileNotFoundError):
                if not entry.name.startswith("."):
                    status = entry.stat(follow_symlinks=False)
                    listed[key] = Entry(status.st_size, status.st_mtime)
        return {key: listed[key] for key in sorted(listed)}

    def keys(self, prefix: str) -> Iterator[str]:
        """List the keys that begin with a prefix."""
        return (key for key, _ in _walk(self.place / prefix, prefix))

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files, and folders that are then empty."""
        for key in keys:
            path = self.place_of(key)
            with contextlib.suppress(OSError):
                path.unlink()
            for folder in path.parents:
                if folder == self.place:
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def place_of(self, key: str) -> Path:
        """Return the path of a file."""
        return self.place / key

    def remove_unfinished(self) -> None:
        """Remove temporary files that killed processes left; nobody else may write here meanwhile."""
        for path in self.place.rglob(".*.tmp"):
            with contextlib.suppress(OSError):
                path.unlink()


@dataclass(frozen=True)
class BucketObjects:
    """Files below the address of a bucket, with obstore.

    Attributes
    ----------
    place : Address
        Such as `s3://bucket/project`.
    """

    place: Address

    def read(self, key: str) -> bytes:
        """Return the content of a file."""
        with self._explained(key):
            return bytes(open_store(self.place).get(key).bytes())

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return some bytes of a file."""
        with self._explained(key):
            try:
                return bytes(open_store(self.place).get_range(key, start=start, end=end))
            except Exception as error:
                if _PAST_THE_END in str(error):
                    return b""
                raise

    def create(self, key: str, content: bytes) -> bool:
        """Write a file unless there is one."""
        from obstore.exceptions import AlreadyExistsError

        with self._explained(key):
            try:
                open_store(self.place).put(key, content, mode="create")
            except AlreadyExistsError:
                # After a lost answer the request is sent again, and meets what the first one wrote.
                return self.read(key) == content
            return True

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[IO[bytes]]:
        """Open a file for writing that is sent when the body is done."""
        with tempfile.SpooledTemporaryFile(max_size=_MOST_IN_MEMORY) as file:
            yield file
            file.seek(0)
            with self._explained(key):
                open_store(self.place).put(key, file)

    def entries(self, prefix: str) -> dict[str, Entry]:
        """Return the files whose keys begin with a prefix."""
        listed = dict(self._list(prefix))
        return {key: listed[key] for key in sorted(listed)}

    def keys(self, prefix: str) -> Iterator[str]:
        """List the keys that begin with a prefix."""
        return (key for key, _ in self._list(prefix))

    def _list(self, prefix: str) -> Iterator[tuple[str, Entry]]:
        with self._explained(prefix):
            for entries in open_store(self.place).list(prefix.rstrip("/") or None):
                for entry in entries:
                    yield entry["path"], Entry(entry["size"], entry["last_modified"].timestamp())

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files."""
        listed = list(keys)
        for start in range(0, len(listed), _KEYS_PER_REQUEST):
            batch = listed[start : start + _KEYS_PER_REQUEST]
            with self._explained(batch[0]), contextlib.suppress(FileNotFoundError):
                open_store(self.place).delete(batch)

    def place_of(self, key: str) -> Address:
        """Return the address of a file."""
        return self.place.joined(key)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn errors of obstore into one line; that of a missing file stays."""
        # Also without obstore, this says how to install it.
        open_store(self.place)
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise store_error(self.place, error) from None
            raise FileNotFoundError(str(self.place_of(key))) from None
        except BaseError as error:
            raise store_error(self.place_of(key), error) from None


def link_or_copy(source: Path, target: Path) -> None:
    """Link a file of this computer, or copy it if the file system has no links; replace what is there.

    Raises
    ------
    OSError
        If the source is missing, or nothing can be written.
    """
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)


def _moved_if_absent(temporary: Path, path: Path) -> bool:
    """Move a file to a path if that is free; return False if it is not."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:
        # A file system without hard links. There only the lock of the output keeps two writers apart.
        if path.exists():
            return False
        temporary.rename(path)
    return True


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """List the files of a folder with their keys, without links."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                yield f"{prefix}{entry.name}", entry
