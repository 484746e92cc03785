"""Cost of a busy machine: wall time of `audioseq transcribe` beside processes that use all cores.

    python -m tests.benchmarks.bench_busy FOLDER [--clips 10] [--loops 2] [--runs 5] [-m MODEL]

Each run is a new process that transcribes the first clips of a folder, beside the given number of endless
loops at normal priority. The settings take turns, so that other load of the machine affects them alike.
Reported are medians over the runs: of the wall time, and of its ratio to that of one thread in the same
turn. `spinning` is the behaviour of OpenMP without the defaults of the `audioseq` command.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from audioseq import audio
from audioseq.models import default_for
from tests.benchmarks import report

SPINNING = {"OMP_NUM_THREADS": str(os.cpu_count()), "OMP_WAIT_POLICY": "", "GOMP_SPINCOUNT": "300000"}
"""Environment that restores the defaults of OpenMP: a thread per core, which spins while it waits."""
SETTINGS: dict[str, tuple[dict[str, str], list[str]]] = {
    "one thread": ({}, ["--threads", "1"]),
    "default": ({}, []),
    "spinning": (SPINNING, ["--threads", str(os.cpu_count())]),
}
"""Environment and options of each setting; the first is the baseline."""
LOOP = "while True: pass"


def measure(command: list[str], environment: dict[str, str]) -> float:
    """Run a command, and return its wall seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    return time.perf_counter() - began


def compare(clips: list[str], model: str, loops: int, runs: int) -> list[report.Row]:
    """Measure all settings in turns beside a number of endless loops."""
    busy = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(loops)]
    command = [sys.executable, "-m", "audioseq", "transcribe", *clips, "-m", model, "--device", "cpu"]
    try:
        turns = [
            [measure(command + options, environment) for environment, options in SETTINGS.values()]
            for _ in range(runs)
        ]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    rows: list[report.Row] = []
    for name, times in zip(SETTINGS, zip(*turns, strict=True), strict=True):
        ratios = [seconds / turn[0] for seconds, turn in zip(times, turns, strict=True)]
        row = {"busy loops": loops, "setting": name, "wall time (s)": round(statistics.median(times), 1)}
        rows.append({**row, "relative to one thread": round(statistics.median(ratios), 2)})
        report.show(rows[-1])
    return rows


if __name__ == "__main__":
    parser = report.parser("busy", __doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-m", "--model", default=default_for("speech"))
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--loops", type=int, nargs="+", default=[2])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    clips = [str(path) for path in audio.find_recordings([arguments.folder])[: arguments.clips]]
    rows = [
        row for loops in arguments.loops for row in compare(clips, arguments.model, loops, arguments.runs)
    ]
    report.write(arguments.output, {f"{len(clips)} recordings of {arguments.folder.name}": rows})
