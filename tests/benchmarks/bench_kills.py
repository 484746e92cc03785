"""Kills at random moments: is the result of a command the same as without them?

    python -m tests.benchmarks.bench_kills [--kills 1000] [--seed 1]

Each command runs on tiny inputs in a process that is killed (SIGKILL) and started again until it ends. Half
of the moments are random processor times within that of an undisturbed run and a quarter more; half are
random operations on files (fsync, rename, delete). After the last start, each file that the command writes is
compared with that of an undisturbed run, byte by byte; only the times in `results.jsonl` differ. After each
kill, each output that has its final name is compared or opened. Processes are forked from one that has
imported everything, so that most moments are within the work of a command. The commands take turns, and
counts are written every minute: a benchmark that is stopped has counts too.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch._dynamo  # the first optimiser of a process would load it, which takes a second
from safetensors import safe_open

from tests import commands, mortal
from tests.benchmarks import report

COMMANDS = tuple(name for name in commands.COMMANDS if name != "compose")
POLL_SECONDS = 0.002
SAVE_SECONDS = 60
KILLS_PER_RUN = 20
"""After this many kills a run is left to end; a command that starts from the beginning may never end else."""


def fork(target: Callable[..., object], *arguments: Any, **options: Any) -> int:
    """Call a function in a forked process, which ends with it; return the number of the process."""
    if process := os.fork():
        return process
    try:
        target(*arguments, **options)
    finally:
        os._exit(0)


def wait(process: int, seconds: float = float("inf")) -> int:
    """Wait for a process, and return its exit code; negative if it was killed.

    Args:
        process: its number.
        seconds: processor time after which it is killed (on Linux).
    """
    clock = ~process << 3 | 2  # of the processor time of a process, see man 3 clock_getcpuclockid
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if seconds < float("inf") and time.clock_gettime(clock) > seconds:
            os.kill(process, signal.SIGKILL)
            seconds = float("inf")
        time.sleep(POLL_SECONDS)


def is_incomplete(path: Path, content: bytes, expected: dict[str, bytes], name: str) -> bool:
    """Return whether a file with a final name is not what a reader expects there."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "numpy"):
                return False
        except Exception:
            return True
    return path.suffix in (".txt", ".mid") and content != expected.get(name)


class Trial:
    """Kills of one command.

    Args:
        name: of the command.
        inputs: folder of the inputs.
        work: folder for the runs.
        url: address of the model for `models fetch`.
        draw: random numbers.
    """

    def __init__(self, name: str, inputs: Path, work: Path, url: str, draw: random.Random) -> None:
        self.name, self.inputs, self.work, self.url, self.draw = name, inputs, work, url, draw
        self.log = work / "log"
        self.counts: Counter[str] = Counter()
        whole = work / "whole"
        whole.mkdir(parents=True)
        self._start(whole)  # fills the caches of the system
        shutil.rmtree(whole)
        whole.mkdir()
        counter = work / "operations"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = self._start(whole, prepare=lambda: mortal.count_operations(counter))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert code == 0, self.log.read_text()
        self.operations = counter.stat().st_size
        self.expected = commands.contents(whole)

    def _start(self, folder: Path, seconds: float = float("inf"), **options: Any) -> int:
        process = fork(
            commands.run_command, self.name, self.inputs, folder, log=self.log, url=self.url, **options
        )
        return wait(process, seconds)

    def run(self, kills: int) -> None:
        """Kill one run until it ends; when the command has been killed this many times, let it end."""
        folder = self.work / "run"
        folder.mkdir()
        while True:
            if self.counts["kills"] >= kills:
                code = self._start(folder)
            elif self.draw.random() < 0.5:
                code = self._start(folder, self.draw.uniform(0, 1.25 * self.seconds))
            else:
                operation = self.draw.randint(1, self.operations + self.operations // 4 + 1)
                code = self._start(folder, kill_at_operation=operation)
            if code != -signal.SIGKILL:
                break
            self.counts["kills"] += 1
            for name, content in _readable(folder).items():
                self.counts["incomplete"] += is_incomplete(folder / name, content, self.expected, name)
        found = commands.contents(folder)
        self.counts["runs"] += 1
        self.counts["failed"] += code != 0
        differing = {name for name in self.expected if found.get(name) != self.expected[name]}
        self.counts["differing"] += bool(differing)
        self.counts["left"] += len(found.keys() - self.expected.keys())
        if code or differing or found.keys() != self.expected.keys():
            names = sorted(found.keys() - self.expected.keys())
            print(f"{self.name}: exit code {code}, {differing} differ, {names} left", flush=True)
            print(self.log.read_text()[-2000:], flush=True)
        self.log.unlink(missing_ok=True)
        shutil.rmtree(folder)

    def row(self) -> report.Row:
        """Return the counts."""
        return {
            "command": self.name,
            "kills": self.counts["kills"],
            "runs": self.counts["runs"],
            "failed runs": self.counts["failed"],
            "runs with other results": self.counts["differing"],
            "temporary files left": self.counts["left"],
            "incomplete outputs after a kill": self.counts["incomplete"],
        }


def _readable(folder: Path) -> dict[str, bytes]:
    """Return the files whose names are not those of temporary files."""
    names = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in names
        if not path.name.startswith(".") and path.suffix != ".part"
    }


def measure(kills: int, seed: int, work: Path, save: Callable[[list[report.Row]], None]) -> None:
    """Kill each command its share of the kills, and save the counts every minute and at the end."""
    assert torch._dynamo
    inputs = work / "inputs"
    if wait(fork(commands.make_inputs, inputs)) != 0 or not (inputs / "language.toml").is_file():
        raise SystemExit("the inputs cannot be made")
    server = commands.make_server(inputs)
    serving = fork(server.serve_forever)
    saved = time.monotonic()
    try:
        trials = [
            Trial(name, inputs, work / name, commands.address(server), random.Random(f"{seed} {name}"))
            for name in COMMANDS
        ]
        while (done := sum(trial.counts["kills"] for trial in trials)) < kills:
            trial = min(trials, key=lambda trial: trial.counts["kills"])
            trial.run(min(trial.counts["kills"] + KILLS_PER_RUN, trial.counts["kills"] + kills - done))
            if time.monotonic() - saved > SAVE_SECONDS:
                save([trial.row() for trial in trials])
                saved = time.monotonic()
        save([trial.row() for trial in trials])
    finally:
        os.kill(serving, signal.SIGKILL)
        os.waitpid(serving, 0)


if __name__ == "__main__":
    parser = report.parser("kills", __doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    def save(rows: list[report.Row]) -> None:
        done = sum(int(row["kills"]) for row in rows)
        total = {column: sum(int(row[column]) for row in rows) for column in list(rows[0])[1:]}
        title = f"{done:,} of {arguments.kills:,} kills"
        report.write(arguments.output, {title: [*rows, {"command": "all", **total}]})

    with tempfile.TemporaryDirectory() as directory:
        measure(arguments.kills, arguments.seed, Path(directory), save)
