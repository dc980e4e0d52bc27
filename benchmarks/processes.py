"""Run commands in new processes, and measure their time and memory."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "panoptes_aggregation==5.3.1"

#: Seconds between two samples of the memory of a process and its children.
_SAMPLING = 0.02


class ProcessError(Exception):
    """A process ended with an error; the message is the last line of its standard error."""


class LimitError(ProcessError):
    """A process was stopped because it exceeded a limit; the message is the limit, such as `over 120 s`."""


@dataclass(frozen=True)
class Limits:
    """Limits above which a process and its descendants are killed.

    Attributes
    ----------
    seconds : float
        From its start.
    resident_mb : float
        Sum over the process and its descendants; only with /proc.
    """

    seconds: float
    resident_mb: float


@dataclass(frozen=True)
class Done:
    """The result of a process.

    Attributes
    ----------
    seconds : float
        From its start to its end.
    cpu_seconds : float
        Processor time of it and its children; NaN if unknown.
    peak_mb : float
        The largest sampled sum of resident memory of the process and its descendants, in MB; NaN if it was
        not requested, or without /proc.
    peak_private_mb : float
        The same for anonymous memory, that is, without memory-mapped files, which the system may drop.
    output : str
        Its standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    peak_private_mb: float
    output: str


def run_process(
    command: list[str],
    *,
    text: str = "",
    folder: Path = ROOT,
    memory: bool = False,
    variables: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Done:
    """Run a command in a new process and wait for it.

    Parameters
    ----------
    command : list of str
    text : str
        Its standard input.
    folder : Path
        Its current folder, from which it imports, ahead of what is installed.
    memory : bool
        Whether to sample its memory.
    variables : mapping of str to str, optional
        Environment variables beside those of this process.
    limits : Limits, optional

    Raises
    ------
    LimitError
        If it exceeds a limit.
    ProcessError
        If it ends with an error.
    """
    environment = {**os.environ, "PYTHONPATH": str(folder), **(variables or {})}
    # Installers compile modules to byte code; otherwise each process would compile those of a source tree.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile("w+") as stdin, tempfile.TemporaryFile("w+") as stdout:
        stdin.write(text)
        stdin.seek(0)
        cpu = _children_cpu()
        start = time.perf_counter()
        with subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
            start_new_session=True,
        ) as process:
            watch = _MemoryWatch(process.pid, limits) if memory or limits else None
            try:
                _, errors = process.communicate()
            except BaseException:
                _kill_tree(process.pid)
                raise
            seconds = time.perf_counter() - start
            peak = watch.stop() if watch else (float("nan"), float("nan"))
        if watch and watch.exceeded:
            raise LimitError(watch.exceeded)
        if process.returncode:
            print(errors[-3000:], file=sys.stderr)
            last = errors.strip().rpartition("\n")[2]
            raise ProcessError(f"{Path(command[0]).name} ended with {process.returncode}: {last}")
        stdout.seek(0)
        return Done(seconds, _children_cpu() - cpu, *peak, stdout.read())


def reference_python() -> str:
    """Return a Python with the reference tool: POLYFRAME_REFERENCE_PYTHON, or that of `.venv-reference`."""
    return python_with("reference", REFERENCE)


def python_with(name: str, *requirements: str) -> str:
    """Return a Python with some packages: POLYFRAME_<NAME>_PYTHON, or that of `.venv-<name>`.

    The environment is created at its first use.

    Raises
    ------
    ProcessError
        If the packages cannot be installed.
    """
    from_variable = os.environ.get(f"POLYFRAME_{name.upper()}_PYTHON")
    if from_variable:
        return from_variable
    folder = ROOT / f".venv-{name}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing {', '.join(requirements)} into {folder.name} (once)", flush=True)
        run_process([sys.executable, "-m", "venv", "--clear", str(folder)])
        run_process([str(python), "-m", "pip", "install", "--quiet", *requirements])
        ready.write_text("\n".join([sys.version, *requirements]), encoding="utf-8")
    return str(python)


def ask_reference(python: str, job: dict, *, memory: bool = False) -> tuple[dict, Done]:
    """Run a job by `reference_side.py` in a new process of the reference's Python."""
    script = Path(__file__).with_name("reference_side.py")
    done = run_process([python, str(script)], text=json.dumps(job), folder=script.parent, memory=memory)
    return json.loads(done.output.splitlines()[-1]), done


class _MemoryWatch:
    """Samples the memory of a process tree until it is stopped, and kills it above a limit."""

    def __init__(self, pid: int, limits: Limits | None) -> None:
        #: The limit that was exceeded, as text; empty if none was.
        self.exceeded = ""
        self._pid = pid
        self._limits = limits
        self._start = time.perf_counter()
        self._stopped = threading.Event()
        self._peak = (0.0, 0.0)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[float, float]:
        self._stopped.set()
        self._thread.join()
        return self._peak if self._peak[0] else (float("nan"), float("nan"))

    def _watch(self) -> None:
        while not self._stopped.wait(_SAMPLING):
            memory = [_memory_of(pid) for pid in _tree(self._pid)]
            total, private = (sum(column) for column in zip(*memory, strict=True)) if memory else (0.0, 0.0)
            self._peak = (max(self._peak[0], total), max(self._peak[1], private))
            if self._limits:
                if total > self._limits.resident_mb:
                    self.exceeded = f"over {self._limits.resident_mb:,.0f} MB"
                elif time.perf_counter() - self._start > self._limits.seconds:
                    self.exceeded = f"over {self._limits.seconds:,.0f} s"
                if self.exceeded:
                    _kill_tree(self._pid)
                    return


def _kill_tree(pid: int) -> None:
    """Kill a process that was started in a session of its own, and its descendants."""
    for one in reversed(_tree(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def _tree(pid: int) -> list[int]:
    """Return a process and all its running descendants."""
    tree, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        tree.append(one)
        try:
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
        except OSError:
            continue
    return tree


def _memory_of(pid: int) -> tuple[float, float]:
    """Return resident and anonymous memory in MB; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kilobytes = {
        line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "RssAnon"))
    }
    return int(kilobytes.get("VmRSS", 0)) / 1000, int(kilobytes.get("RssAnon", 0)) / 1000


def _children_cpu() -> float:
    try:
        import resource
    except ImportError:
        return float("nan")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
