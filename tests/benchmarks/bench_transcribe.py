"""What transcribing costs: whole processes of `audioseq transcribe` on an hour of audio, one file.

    python tests/benchmarks/bench_transcribe.py MANIFEST [--model MODEL] [--hours 1] [--runs 3]

The hour is joined from the manifest's recordings, over and over in their order. Each run is a new process, so
it includes the start of Python and torch and the loading of the model. Printed are the medians of: core-hours
(user and system time, as the operating system counts them) per hour of audio, wall time, and peak memory.
"""

from __future__ import annotations

import argparse
import itertools
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


def joined(manifest: Path, seconds: float) -> np.ndarray:
    """Join a manifest's recordings to a waveform of so many seconds at 16 kHz."""
    left, parts = int(seconds * audio.SAMPLE_RATE), []
    for utterance in itertools.cycle(read_manifest(manifest)):
        parts.append(utterance.load()[:left])
        left -= len(parts[-1])
        if not left:
            return np.concatenate(parts)
    raise AssertionError


def run(command: list[str]) -> tuple[float, float, float]:
    """Run a command, and return its CPU seconds, wall seconds and peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    scale = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / scale


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        recording = Path(directory) / "hour.flac"
        audio.write(recording, joined(arguments.manifest, 3600 * arguments.hours), audio.SAMPLE_RATE)
        command = [sys.executable, "-m", "audioseq", "transcribe", "-m", arguments.model, str(recording)]
        cpu, wall, memory = (
            statistics.median(column)
            for column in zip(*(run(command) for _ in range(arguments.runs)), strict=True)
        )
    print(f"core-hours per hour of audio  {cpu / 3600 / arguments.hours:.4f}")
    print(f"wall seconds                  {wall:.1f}")
    print(f"peak memory                   {memory:.0f} MB")
