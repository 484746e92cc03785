"""Bad conditions: what a command does on a full disk, without rights, beside another process, and so on.

    python -m tests.benchmarks.bench_conditions [--command NAME]...

Each command runs on tiny inputs under each condition, then once more without it (with `--resume` where the
command has it). A command should either work or exit with status 1 and one line that says what is wrong;
leave neither temporary nor incomplete files, except the received part of a download; keep files that
existed; and give the same files, byte by byte, once the condition is gone.

Full disks and read-only folders are file systems in memory (tmpfs) of a limited size or mounted read-only,
which needs root. The quota is RLIMIT_FSIZE, half the size of the largest file that the command writes. The
clock is that of the process: `time.time`, `time.time_ns` and `datetime.now` jump an hour forwards or
backwards at each call. Another user is `nobody` in new processes, with a home directory that it cannot
write to, and a number without an entry in the list of users, without `HOME`.
"""

from __future__ import annotations

import datetime
import itertools
import os
import pwd
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from audioseq.speech.batch import journal
from tests import commands
from tests.benchmarks import report
from tests.benchmarks.bench_kills import fork, is_incomplete, wait

EXISTING = {"lm train": "text.safetensors", "compose": "out.mid"}
"""Outputs that exist before the command, which overwrites them."""
BEFORE = b"a file that existed"
PAGE_BYTES = 4096
HOUR_SECONDS = 3600


class Setting(NamedTuple):
    """A condition, set up."""

    prepare: Callable[[], object] = lambda: None
    """Called in the process of the command."""
    lift: Callable[[], object] = lambda: None
    """Ends the condition in the folder of the command."""
    times: int = 1
    """Number of processes at once."""


Condition = Callable[[Path, dict[str, bytes]], AbstractContextManager[Setting]]
"""Sets up a condition for a folder, given the files that the command writes in it."""


def mount(folder: Path, options: str) -> None:
    """Mount a file system in memory, or change its options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def full(share: float) -> Condition:
    """Return the condition of a disk with room for a share of what the command writes."""

    @contextmanager
    def condition(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
        pages = sum(len(content) // PAGE_BYTES + 1 for content in expected.values())
        mount(folder, f"size={max(2, round(share * pages)) * PAGE_BYTES}")
        try:
            yield Setting(lift=lambda: mount(folder, "remount,size=64m"))
        finally:
            subprocess.run(["umount", folder], check=True)

    return condition


@contextmanager
def read_only_folder(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
    """Make the folder of the outputs read-only."""
    mount(folder, "size=64m,ro")
    try:
        yield Setting(lift=lambda: mount(folder, "remount,rw"))
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def read_only_home(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
    """Make the home directory read-only, with the cache of models in it."""
    home = folder.with_name("home")
    home.mkdir(exist_ok=True)
    mount(home, "size=1m,ro")

    def prepare() -> None:
        del os.environ["AUDIOSEQ_CACHE"]
        os.environ.pop("XDG_CACHE_HOME", None)
        os.environ["HOME"] = str(home)

    try:
        yield Setting(prepare)
    finally:
        subprocess.run(["umount", home], check=True)


@contextmanager
def no_home(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
    """Unset HOME, for a user who is not in the list of users."""

    def prepare() -> None:
        def unknown(user: int) -> NoReturn:
            raise KeyError(user)

        for name in ("AUDIOSEQ_CACHE", "XDG_CACHE_HOME", "HOME"):
            os.environ.pop(name, None)
        pwd.getpwuid = unknown

    yield Setting(prepare)


@contextmanager
def quota(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
    """Limit the size of files to half of the largest."""
    limit = max(map(len, expected.values())) // 2

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    yield Setting(prepare)


def clock(hours: float) -> Condition:
    """Return the condition of a clock that jumps at each call."""

    @contextmanager
    def condition(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
        def prepare() -> None:
            now, jumps = time.time, itertools.count(1)

            def jumping() -> float:
                return now() + hours * HOUR_SECONDS * next(jumps)

            class Jumping(datetime.datetime):
                @classmethod
                def now(cls, tz: datetime.tzinfo | None = None) -> Jumping:
                    return cls.fromtimestamp(jumping(), tz)

            time.time = jumping
            time.time_ns = lambda: int(jumping() * 1e9)
            setattr(journal, "datetime", Jumping)  # noqa: B010

        yield Setting(prepare)

    return condition


@contextmanager
def two_processes(folder: Path, expected: dict[str, bytes]) -> Iterator[Setting]:
    """Run the command twice at once in the same folder."""
    yield Setting(times=2)


CONDITIONS: dict[str, Condition] = {
    "full disk": full(0.0),
    "disk full halfway": full(0.5),
    "read-only output folder": read_only_folder,
    "read-only home": read_only_home,
    "no home": no_home,
    "quota": quota,
    "clock jumps forwards": clock(1),
    "clock jumps backwards": clock(-1),
    "two processes at once": two_processes,
}
NEEDS_ROOT = {"full disk", "disk full halfway", "read-only output folder", "read-only home"}


class Checker:
    """Runs commands under conditions.

    Args:
        work: folder for inputs and outputs.
        url: address of the model for `models fetch`.
    """

    def __init__(self, work: Path, url: str) -> None:
        self.inputs, self.work, self.url = work / "inputs", work, url
        self.expected: dict[str, dict[str, bytes]] = {}

    def _start(self, name: str, folder: Path, log: Path, prepare: Callable[[], object]) -> int:
        return fork(commands.run_command, name, self.inputs, folder, log=log, url=self.url, prepare=prepare)

    def undisturbed(self, name: str) -> dict[str, bytes]:
        """Return the files that a command writes without a condition."""
        if name not in self.expected:
            folder = self.work / "whole" / name
            folder.mkdir(parents=True)
            assert wait(self._start(name, folder, self.work / "log", lambda: None)) == 0
            self.expected[name] = commands.contents(folder)
        return self.expected[name]

    def check(self, name: str, condition: str) -> report.Row:
        """Run a command under a condition, and describe what happened."""
        expected, folder = self.undisturbed(name), self.work / "run"
        folder.mkdir()
        logs = [self.work / f"log{number}" for number in range(2)]
        with CONDITIONS[condition](folder, expected) as setting:
            writable = os.access(folder, os.W_OK)
            if name in EXISTING and writable:
                (folder / EXISTING[name]).write_bytes(BEFORE)
            started = [self._start(name, folder, log, setting.prepare) for log in logs[: setting.times]]
            codes = [wait(process) for process in started]
            outcomes = [_outcome(*result, folder) for result in zip(codes, logs, strict=False)]
            faults = _faults(folder, expected, EXISTING.get(name, "") if writable else "")
            if any(codes):
                setting.lift()
                if wait(self._start(name, folder, self.work / "log", lambda: None)):
                    faults.append("does not work afterwards")
            if commands.contents(folder) != expected and not condition.endswith("home"):
                faults.append("other files afterwards")
            if 70 in codes or any("traceback" in outcome for outcome in outcomes):
                faults.append("traceback")
        shutil.rmtree(folder)
        for log in logs:
            log.unlink(missing_ok=True)
        return {
            "condition": condition,
            "command": name,
            "what happens": " · ".join(sorted(set(outcomes))),
            "faults": ", ".join(faults) or "none",
        }


def _outcome(code: int, log: Path, folder: Path) -> str:
    """Describe the exit of a process."""
    text = log.read_text() if log.exists() else ""
    errors = [line.removeprefix("error: ") for line in text.splitlines() if line.startswith("error: ")]
    if "Traceback" in text:
        return f"traceback: {text.splitlines()[-1]}"
    if code == 0:
        return "works"
    message = " / ".join(errors) if len(errors) <= 1 else f"{errors[0]} and {len(errors) - 1} more"
    for path, short in ((folder.parent, "DIR"), (folder, "RUN")):
        message = message.replace(str(path), short)
    return f"exit {code}: {message or 'no message'}"


def _faults(folder: Path, expected: dict[str, bytes], existing: str) -> list[str]:
    """Return what is wrong with the files of a folder."""
    faults = []
    found = commands.contents(folder)
    temporary = [name for name in found if Path(name).name.startswith(".") or name.endswith(".tmp")]
    if temporary:
        faults.append(f"temporary files: {' '.join(temporary)}")
    for name, content in found.items():
        if name == existing and content == BEFORE:
            continue
        if name not in temporary and is_incomplete(folder / name, content, expected, name):
            faults.append(f"incomplete: {name}")
    if existing and existing not in found:
        faults.append(f"lost: {existing}")
    return faults


USERS = {
    "nobody, read-only home": ("65534", {"HOME": "/"}),
    "a user without a name and without HOME": ("54321", {}),
}
"""Number and environment of other users."""
NEW_PROCESSES = {
    "transcribe": ("transcribe", "{inputs}/clips", "-o", "out", "-m", "digits"),
    "compose": ("compose", "--bars", "2", "--seed", "7", "-o", "out.mid", "--plot", "out.png"),
    "train speech": commands.COMMANDS["train speech"],
    "lm train": commands.COMMANDS["lm train"],
    "models fetch": ("models", "fetch", "digits"),
}


def check_other_users(names: list[str], work: Path) -> Iterator[report.Row]:
    """Run the installed package as other users, in new processes."""
    processes = {name: words for name, words in NEW_PROCESSES.items() if name in names}
    python = work / "python"  # where they can execute it, even if its own folder is that of root
    python.mkdir()
    subprocess.run(["mount", "--bind", sys.base_prefix, python], check=True)
    paths = os.pathsep.join([str(report.ROOT), sysconfig.get_paths()["purelib"]])
    program = python / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    try:
        for (user, (number, variables)), (name, words) in itertools.product(USERS.items(), processes.items()):
            folder = work / "run"
            folder.mkdir()
            os.chown(folder, int(number), int(number))
            arguments = [word.format(inputs=work / "inputs") for word in words]
            as_user = ["setpriv", "--reuid", number, "--regid", number, "--clear-groups"]
            done = subprocess.run(
                [*as_user, program, "-m", "audioseq", *arguments],
                cwd=folder, env={"PATH": os.defpath, "PYTHONPATH": paths, **variables},
                capture_output=True, text=True,
            )  # fmt: skip
            log = work / "log"
            log.write_text(done.stderr)
            outcome = _outcome(done.returncode, log, folder)
            temporary = [path.name for path in folder.rglob("*") if path.name.endswith(".tmp")]
            faults = [*(["does not work"] * (outcome != "works")), *temporary]
            shutil.rmtree(folder)
            yield {
                "condition": user,
                "command": name,
                "what happens": outcome,
                "faults": ", ".join(faults) or "none",
            }
    finally:
        subprocess.run(["umount", python], check=True)


def measure(names: list[str], work: Path) -> Iterator[report.Row]:
    """Yield a row for each condition and command."""
    if wait(fork(commands.make_inputs, work / "inputs")) != 0:
        raise SystemExit("the inputs cannot be made")
    is_root = os.geteuid() == 0
    server = commands.make_server(work / "inputs")
    serving = fork(server.serve_forever)
    try:
        checker = Checker(work, commands.address(server))
        for condition, name in itertools.product(CONDITIONS, names):
            if is_root or condition not in NEEDS_ROOT:
                yield checker.check(name, condition)
    finally:
        os.kill(serving, 9)
        os.waitpid(serving, 0)
    if is_root:
        work.chmod(0o755)
        yield from check_other_users(names, work)


if __name__ == "__main__":
    parser = report.parser("conditions", __doc__)
    parser.add_argument("--command", action="append", choices=list(commands.COMMANDS))
    arguments = parser.parse_args()
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory() as directory:
        for row in measure(arguments.command or list(commands.COMMANDS), Path(directory)):
            report.show(row)
            rows.append(row)
            faulty = sum(each["faults"] != "none" for each in rows)
            report.write(arguments.output, {f"{len(rows)} cases, {faulty} with a fault": rows})
