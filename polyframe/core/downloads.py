"""Download files in parallel, in ranges, and continue after the network has failed."""

import contextlib
import functools
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from polyframe.core.addresses import Address
from polyframe.core.atomic_files import cannot_write
from polyframe.core.callbacks import Progress, Say, no_progress
from polyframe.core.content_encoding import check_size
from polyframe.core.errors import PolyframeError
from polyframe.core.notes import Information
from polyframe.core.remote_readers import Content, InterruptedReadError, reader_of

#: Requests at a time, for all files together.
_CONNECTIONS: Final = 4
#: Bytes of a request.
_RANGE: Final = 16 << 20
#: How often a request may fail, and the seconds before the first repetition; then twice as many.
_TRIES: Final = 6
_PAUSE: Final = 0.5
#: The longest pause for which a server can ask.
_LONGEST_PAUSE: Final = 60.0
#: Seconds between notes on a long download.
_NOTE_SECONDS: Final = 10.0
#: Seconds that threads get to end after an error or Ctrl-C; longer waits for the network are abandoned.
_LAST_SECONDS: Final = 1.0


def download(
    files: Sequence[tuple[Address, Path]], largest: int | None = None, say: Say = lambda _: None
) -> dict[Path, str]:
    """Download some files, each as one version.

    Memory is bounded, whatever the sizes. A request that fails is repeated from the last byte that arrived;
    of a web server that cannot give ranges, from the start.

    Parameters
    ----------
    files : sequence of (Address, Path)
        What to download, and the file to write, in an existing folder. A file appears when it is complete.
    largest : int, optional
        Bytes that a file may have.
    say : callable
        Receives a note every few seconds on how much has been downloaded.

    Returns
    -------
    dict of Path to str
        How the servers have compressed the files (`Content-Encoding`), empty if they have not.

    Raises
    ------
    PolyframeError
        If a file cannot be read or has changed in the meantime, or the disk is full. Then none of the
        files exists.
    """
    tasks = [_Download(address, path, largest) for address, path in files]
    _run([task.begin for task in tasks], lambda: say(_note(tasks)))
    for task in tasks:
        task.finish()
    return {task.path: task.content.encoding for task in tasks}


def look_up(addresses: Sequence[Address], first_bytes: int) -> list[tuple[Content, bytes]]:
    """Return the current version of each file, and its first bytes.

    Parameters
    ----------
    addresses : sequence of Address
    first_bytes : int
        How many bytes are wanted; fewer if the file is shorter.

    Raises
    ------
    PolyframeError
        If a file cannot be read.
    """
    answers: dict[int, tuple[Content, bytes]] = {}

    def job(number: int, stop: threading.Event) -> Sequence[_Job]:
        tries = _Tries(str(addresses[number]), stop)
        while number not in answers:
            try:
                content, blocks = reader_of(addresses[number]).open(first_bytes)
                with contextlib.closing(blocks):
                    answers[number] = content, b"".join(_first(blocks, first_bytes))
            except InterruptedReadError as error:
                tries.failed(error)
        return []

    _run([functools.partial(job, number) for number in range(len(addresses))], lambda: None)
    return [answers[number] for number in range(len(addresses))]


def download_pieces(
    address: Address, content: Content, pieces: Sequence[tuple[int, int]], path: Path, shift: int = 0
) -> None:
    """Download pieces of a version of a file into an existing file.

    Parameters
    ----------
    address : Address
    content : Content
        The version, which can be read in ranges, see `look_up`.
    pieces : sequence of (int, int)
        The first byte of each piece, and the one after its last.
    path : Path
        The file to write; other bytes of it remain.
    shift : int
        How many bytes before their position in the original the pieces are written.

    Raises
    ------
    PolyframeError
        As from `download`.
    """
    task = _Download(address, path, None)
    task.write_pieces_of(content, shift)
    _run(
        [
            functools.partial(task.fill, begin, min(begin + _RANGE, end))
            for start, end in pieces
            for begin in range(start, end, _RANGE)
        ],
        lambda: None,
    )


def _first(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the first bytes of blocks."""
    for block in blocks:
        yield block[:size]
        size -= len(block)
        if size <= 0:
            return


def download_each(
    files: Sequence[tuple[Address, Path]],
    accept: Callable[[Path], None],
    *,
    largest: int,
    seconds: float,
    hosts: Collection[str],
    progress: Progress = no_progress,
) -> dict[Path, str]:
    """Download files of which each is useful without the others.

    Parameters
    ----------
    files : sequence of (Address, Path)
        As for `download`.
    accept : callable
        Called in a thread for each file as soon as it is complete. If it raises a PolyframeError, the file is
        among the problems.
    largest : int
        Bytes that a file may have.
    seconds : float
        Time limit of a file, from its first request on.
    hosts : collection of str
        Servers may redirect only to these.
    progress : callable
        Receives the numbers of files that are done, with or without success, and of all.

    Returns
    -------
    dict of Path to str
        Why a file could not be downloaded, for those that could not be.
    """
    problems: dict[Path, str] = {}
    done = 0

    def job(address: Address, path: Path, stop: threading.Event) -> Sequence[_Job]:
        try:
            task = _Download(address, path, largest, hosts)
            limit = _Deadline(stop, seconds)
            jobs = task.begin(limit)
            while jobs:
                jobs = [more for one in jobs for more in one(limit)]
            task.finish()
            accept(path)
        except PolyframeError as error:
            problems[path] = str(error)
        except OSError as error:
            problems[path] = str(cannot_write(path, error))
        except _StoppedError:
            if stop.is_set():
                raise
            problems[path] = f"{address}: takes longer than {seconds:.0f} seconds; try again"
        return []

    def count() -> None:
        nonlocal done
        done += 1
        progress(done, len(files))

    progress(0, len(files))
    _run([functools.partial(job, *file) for file in files], lambda: None, count)
    return problems


def _note(tasks: Sequence["_Download"]) -> Information:
    """Say how much has been downloaded."""
    received, sizes = sum(task.received for task in tasks), [task.content.size for task in tasks]
    # The sizes of files that have not begun are not known.
    of_all = "" if None in sizes else f" of {sum(size or 0 for size in sizes) / 1e6:,.1f}"
    return Information(f"downloaded {received / 1e6:,.1f}{of_all} MB")


class _Stop(Protocol):
    """Says whether work should stop."""

    def is_set(self) -> bool:
        """Return whether it should."""

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds, or until it should; return whether it should."""


class _Deadline:
    """Says that work should stop if all work should, or if it takes longer than some seconds."""

    def __init__(self, stop: threading.Event, seconds: float) -> None:
        self._stop, self._end = stop, time.monotonic() + seconds

    def is_set(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._end

    def wait(self, timeout: float) -> bool:
        self._stop.wait(min(timeout, max(self._end - time.monotonic(), 0)))
        return self.is_set()


#: A piece of work; it returns further ones.
_Job = Callable[[Any], "Sequence[_Job]"]


class _StoppedError(Exception):
    """Another part of the downloads has failed."""


def _run(
    jobs: Sequence[_Job], say_more: Callable[[], None], finished: Callable[[], None] = lambda: None
) -> None:
    """Run jobs, and those that they return, in threads; the first error ends all of them.

    `say_more` is called every few seconds, and `finished` after each job.
    """
    next_note = time.monotonic() + _NOTE_SECONDS
    waiting: SimpleQueue[_Job | None] = SimpleQueue()
    done: SimpleQueue[Future[Sequence[_Job]]] = SimpleQueue()
    stop = threading.Event()
    # Threads of an executor cannot be abandoned: it joins them, and Python joins them again when it exits.
    threads = [
        threading.Thread(target=_work, args=(waiting, done, stop), name="polyframe-download", daemon=True)
        for _ in range(_CONNECTIONS)
    ]

    def submit(jobs: Sequence[_Job]) -> int:
        for job in jobs:
            waiting.put(job)
        return len(jobs)

    try:
        for thread in threads:
            thread.start()
        left = submit(jobs)
        while left:
            with contextlib.suppress(Empty):
                future = done.get(timeout=max(next_note - time.monotonic(), 0))
                left += submit(future.result()) - 1
                finished()
            if left and time.monotonic() >= next_note:
                say_more()
                next_note = time.monotonic() + _NOTE_SECONDS
    finally:
        stop.set()
        end = time.monotonic() + _LAST_SECONDS
        for _ in threads:
            waiting.put(None)
        for thread in threads:
            if thread.is_alive():
                thread.join(max(end - time.monotonic(), 0))


def _work(
    waiting: "SimpleQueue[_Job | None]", done: "SimpleQueue[Future[Sequence[_Job]]]", stop: threading.Event
) -> None:
    """Run jobs until there is none, or until the downloads stop."""
    while (job := waiting.get()) is not None and not stop.is_set():
        future: Future[Sequence[_Job]] = Future()
        try:
            future.set_result(job(stop))
        except BaseException as error:
            future.set_exception(error)
        done.put(future)


class _Tries:
    """Counts how often a request failed, and waits before it is repeated."""

    def __init__(self, name: str, stop: _Stop) -> None:
        self._name, self._stop, self._failed = name, stop, 0

    def failed(self, problem: InterruptedReadError) -> None:
        self._failed += 1
        if self._failed == _TRIES:
            raise PolyframeError(
                f"{self._name}: cannot be downloaded: failed {_TRIES} times ({problem}); check the network, "
                "then run the command again"
            )
        pause = max(_PAUSE * 2 ** (self._failed - 1), min(problem.pause, _LONGEST_PAUSE))
        if self._stop.wait(pause):
            raise _StoppedError


class _Download:
    """The download of a file.

    Attributes
    ----------
    path : Path
        The file to write; until it is complete, it has another name.
    content : Content
        The version that is downloaded; known after the first answer.
    received : int
        Bytes of it that have arrived.
    """

    def __init__(
        self, address: Address, path: Path, largest: int | None, hosts: Collection[str] | None = None
    ) -> None:
        self.path = path
        self.content = Content(None, None, in_ranges=False, encoding="")
        self.received = 0
        self._counting = threading.Lock()
        self._name = str(address)
        self._largest = largest
        self._reader = reader_of(address, hosts)
        self._unfinished = path.with_name(f"{path.name}.unfinished")
        self._shift = 0

    def write_pieces_of(self, content: Content, shift: int) -> None:
        """Prepare to write pieces of a version into the file itself; for `shift` see `download_pieces`."""
        self.content, self._shift, self._unfinished = content, shift, self.path

    def begin(self, stop: _Stop) -> Sequence[_Job]:
        """Download the first range, or all if there are no ranges; return the jobs for the others."""
        tries = _Tries(self._name, stop)
        while True:
            try:
                self.content, blocks = self._reader.open()
            except InterruptedReadError as error:
                tries.failed(error)
                continue
            size = self.content.size
            end = size if size is None or not self.content.in_ranges else min(size, _RANGE)
            self.received = 0
            with contextlib.closing(blocks):
                if stop.is_set():
                    raise _StoppedError
                self._create()
                position, problem = self._write(blocks, 0, end, stop)
            if problem is None:
                break
            tries.failed(problem)
            if self.content.in_ranges and end is not None:
                self._fill(position, end, tries, stop)
                break
        if size is None or end is None or end == size:
            return []
        starts = range(end, size, _RANGE)
        return [functools.partial(self.fill, start, min(start + _RANGE, size)) for start in starts]

    def finish(self) -> None:
        """Give the complete file its name."""
        self._unfinished.replace(self.path)

    def fill(self, start: int, end: int, stop: _Stop) -> Sequence[_Job]:
        """Download a range; a job of `_run`."""
        self._fill(start, end, _Tries(self._name, stop), stop)
        return []

    def _fill(self, position: int, end: int, tries: _Tries, stop: _Stop) -> None:
        """Download a range, and continue from where it was interrupted."""
        while position < end:
            with contextlib.closing(self._reader.read(self.content, position, end)) as blocks:
                position, problem = self._write(blocks, position, end, stop)
            if problem is not None:
                tries.failed(problem)

    def _create(self) -> None:
        """Create an empty file if there is room for the content."""
        size, folder = self.content.size, self._unfinished.parent
        check_size(self._name, size or 0, self._largest)
        try:
            free = shutil.disk_usage(folder).free
            self._unfinished.write_bytes(b"")
        except OSError as error:
            raise cannot_write(self._unfinished, error) from None
        if size is not None and size > free:
            raise PolyframeError(
                f"{self._name}: has {size / 1e6:,.1f} MB, but {folder} has only {free / 1e6:,.1f} MB of free "
                "space; free some space, or choose another disk"
            )

    def _write(
        self, blocks: Iterable[bytes], position: int, end: int | None, stop: _Stop
    ) -> tuple[int, InterruptedReadError | None]:
        """Write what arrives up to `end`; return the position after it, and what went wrong."""
        file = os.open(self._unfinished, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        try:
            os.lseek(file, position - self._shift, os.SEEK_SET)
            for block in blocks:
                if stop.is_set():
                    raise _StoppedError
                check_size(self._name, position + len(block), self._largest)
                position += self._write_all(file, block if end is None else block[: end - position])
                if position == end:
                    return position, None
        except InterruptedReadError as error:
            return position, error
        finally:
            os.close(file)
        if end is not None and position < end:
            return position, InterruptedReadError(f"only {position:,} of {end:,} bytes arrived")
        return position, None

    def _write_all(self, file: int, block: bytes) -> int:
        """Write bytes; errors of the disk must not be mistaken for those of the network."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError as error:
            raise cannot_write(self._unfinished, error) from None
        with self._counting:
            self.received += len(block)
        return len(block)
