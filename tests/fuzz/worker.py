"""Run cases in a process of their own, which is replaced when a case kills it or takes too long.

A case is determined by a seed, the name of its kind and its index. It may return or raise an AudioseqError;
anything else is a find: another exception, the end of the process, more than 10 s of processor time, more
than 2 GiB of memory, or a file that is left behind.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, NamedTuple

MAX_SECONDS = 10
"""Processor time of a case."""
MAX_WALL_SECONDS = 90
"""A process that does not answer for this long is killed; other processes may use the processor."""
MAX_BYTES = 2 * 2**30
"""Memory of a case."""
RESTART_BYTES = 2**30
"""A process that took more memory is replaced."""
RESULT, FIND = "result", "find"


class TooSlowError(BaseException):
    """A case took too long; not an Exception, so that no handler turns it into a refusal."""


class Case(NamedTuple):
    """A mutated file."""

    kind: str
    number: int
    """Number of the case among those of its kind; `--index` of the command."""
    seed: int = 0

    def make(self) -> tuple[str, bytes, Random]:
        """Return the name and the content of the file, and the generator for the choices in reading it."""
        from tests.fuzz.kinds import KINDS

        random = Random(f"{self.seed}/{self.kind}/{self.number}")
        suffix, content = KINDS[self.kind].make(random)
        name = "results" if suffix == ".jsonl" else "case"  # a manifest is also read as a journal
        return name + suffix, content, random


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    case: Case
    status: str
    """`result`, `find`, or the class of an AudioseqError."""
    message: str = ""
    seconds: float = 0.0
    """Processor time."""
    peak_bytes: int = 0
    """Largest memory of the process during the case."""


def run(cases: Iterable[Case]) -> Iterator[Outcome]:
    """Run cases one after another, and yield their outcomes."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        worker = Worker(Path(folder))
        try:
            for case in cases:
                yield worker.run(case)
        finally:
            worker.stop()


class Worker:
    """A process that runs cases; another one is started after its end.

    Args:
        folder: a folder for its files, which it leaves behind when it is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Any = None
        self._connection: Connection | None = None

    def run(self, case: Case) -> Outcome:
        """Run a case, and return its outcome."""
        if self._connection is None:
            self._start()
        assert self._connection is not None
        began = time.monotonic()
        problem = f"no answer for {MAX_WALL_SECONDS} s"
        try:
            self._connection.send(case)
            while time.monotonic() - began < MAX_WALL_SECONDS:
                if self._connection.poll(0.2):
                    outcome: Outcome = self._connection.recv()
                    if (
                        outcome.peak_bytes > RESTART_BYTES
                    ):  # it may keep the memory, and the next case is measured
                        self.stop()
                    return outcome
        except (EOFError, OSError):
            self._process.join()
            problem = f"the process ended with code {self._process.exitcode}"
        self.stop()
        return Outcome(case, FIND, problem, time.monotonic() - began)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        os.environ["OMP_NUM_THREADS"] = "1"
        self._process = context.Process(target=serve, args=(other, self._folder), daemon=True)
        self._process.start()
        other.close()
        self._connection.recv()  # it is ready

    def stop(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._connection = None


def serve(connection: Connection, place: Path) -> None:
    """Answer cases with their outcomes, until the connection is closed."""
    import torch

    from tests.fuzz import kinds

    torch.set_num_threads(1)
    tempfile.tempdir = str(place)
    folder = Path(tempfile.mkdtemp())
    for kind in kinds.KINDS.values():  # so that the first case of a kind takes no longer than others
        kind.find_seeds()
    kinds.emissions()
    _limit_memory()
    signal.signal(signal.SIGPROF, _raise_too_slow)
    connection.send(None)
    with contextlib.suppress(EOFError):
        while True:
            connection.send(run_case(connection.recv(), folder))


def run_case(case: Case, folder: Path) -> Outcome:
    """Run a case in this process.

    Args:
        case: the case.
        folder: an empty folder, which is the current one and that of temporary files during the case.
    """
    from audioseq.errors import AudioseqError
    from audioseq.files import printable
    from tests.fuzz.kinds import KINDS

    name, content, random = case.make()
    path = folder / name
    path.write_bytes(content)
    status, message = RESULT, ""
    _reset_peak()
    previous, tempfile.tempdir = tempfile.tempdir, str(folder)
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    try:
        # The same encoding as that of the command line.
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape")
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            KINDS[case.kind].read(path, random)
    except AudioseqError as error:
        status = type(error).__name__
        try:
            message = printable(str(error))
        except Exception:
            status, message = FIND, traceback.format_exc()
    except BaseException:
        status, message = FIND, traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        tempfile.tempdir = previous
    seconds, peak = time.process_time() - began, _peak()
    path.unlink(missing_ok=True)
    if left := sorted(str(each.relative_to(folder)) for each in folder.rglob("*")):
        status, message = FIND, f"{message}\nleft behind: {', '.join(left)}"
        for each in folder.iterdir():
            if each.is_file():
                each.unlink()
    if peak > MAX_BYTES and status != FIND:
        status, message = FIND, f"{peak >> 20} MiB of memory"
    message = message.encode("utf-8", "backslashreplace").decode()  # it is printed
    return Outcome(case, status, message, seconds, peak)


def _raise_too_slow(signal_number: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"more than {MAX_SECONDS} s of processor time")


def _limit_memory() -> None:
    """Limit the address space to 2 GiB more than the present: allocating more raises a MemoryError."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        present = int(pages.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(
            resource.RLIMIT_AS, (present + MAX_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1])
        )


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Return the largest resident memory since `_reset_peak`, bytes; 0 if the system does not tell it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
