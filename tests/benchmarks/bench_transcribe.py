"""Cost of transcription: whole processes of `audioseq transcribe` on an hour of audio in one file or in many.

    python -m tests.benchmarks.bench_transcribe MANIFEST [--files 1 10 600] [--hours 1] [--runs 3] [-m MODEL]

The recordings of the manifest are repeated in their order up to an hour, and this hour is split into the
given numbers of files; the longest file is about five times as long as the shortest. Each run is a new
process that writes a folder of transcripts, so a run includes the start of Python and torch and the loading
of the models. Reported are the medians of the core-hours (user and system time, as counted by the operating
system) per hour of audio, of the wall time and of the peak memory of the process, with the recommended
decoding options and with greedy decoding.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.data import read_manifest
from audioseq.models import default_for
from tests.benchmarks import report

DECODINGS = {"recommended": [], "greedy": ["--lm", "none"]}


def prepare(manifest: Path, seconds: float, counts: list[int], place: Path) -> None:
    """Write the first seconds of a manifest, repeated, once for each number of files in `counts`."""
    left, parts = int(seconds * audio.SAMPLE_RATE), []
    for utterance in itertools.cycle(read_manifest(manifest)):
        parts.append(utterance.load()[:left])
        left -= len(parts[-1])
        if not left:
            break
    waveform = np.concatenate(parts)
    for count in counts:
        (place / str(count)).mkdir()
        shares = np.random.default_rng(0).uniform(1, 5, count)
        ends = np.rint(np.cumsum(shares) / shares.sum() * len(waveform)).astype(int)
        for number, part in enumerate(np.split(waveform, ends[:-1])):
            audio.write(place / str(count) / f"{number:05}.flac", part)


def run(command: list[str]) -> tuple[float, float, float]:
    """Run a command, and return its CPU seconds, wall seconds and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    scale = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / scale


if __name__ == "__main__":
    parser = report.parser("transcribe", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("-m", "--model", default=default_for("speech"))
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--files", type=int, nargs="+", default=[1, 10, 600])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        # In a separate process: on Linux a process hands its peak memory on to its children.
        what = (arguments.manifest, 3600 * arguments.hours, arguments.files, place)
        preparing = multiprocessing.get_context("spawn").Process(target=prepare, args=what)
        preparing.start()
        preparing.join()
        rows = []
        for (decoding, options), count in itertools.product(DECODINGS.items(), arguments.files):
            command = [sys.executable, "-m", "audioseq", "transcribe", str(place / str(count)), *options]
            command += ["-m", arguments.model, "-o", str(place / "out"), "--force"]
            measured = zip(*(run(command) for _ in range(arguments.runs)), strict=True)
            cpu, wall, memory = map(statistics.median, measured)
            rows.append(
                {
                    "decoding": decoding,
                    "files": count,
                    "core-hours per hour of audio": round(cpu / 3600 / arguments.hours, 4),
                    "wall time (s)": round(wall, 1),
                    "peak memory (MB)": round(memory),
                }
            )
            report.show(rows[-1])
    report.write(arguments.output, {f"{arguments.model}, {arguments.hours:g} h of audio": rows})
