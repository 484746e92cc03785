"""Memory of one process that transcribes a hundred hours of audio.

    python -m tests.benchmarks.bench_soak [--hours 100] [-m digits]

Recordings of 0.2 s to an hour are made of samples of speech, noise and silence in random order. Each hour of
audio is several recordings; every tenth is one recording. They are transcribed by one recogniser in one
process, in turns by `Recogniser.transcribe` and by `transcribe_all`, the path of folders. The resident
memory is read after each hour of audio. It should stay within 50 MB of that after the first hour. Results
are written after each hour: a benchmark that is stopped has those of the hours done.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from audioseq import audio
from audioseq.speech import pipeline
from audioseq.speech.batch.run import transcribe_all
from tests.benchmarks import report

HOUR_SECONDS = 3600.0
SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 900.0
"""Range of the lengths in an hour of several recordings; their logarithms are uniform."""
WHOLE_INTERVAL = 10
"""Every hour of this many is one recording."""
ROWS = 20
"""Number of hours in the table."""
LIMIT_MB = 50
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_mb() -> float:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def lengths(hour: int, draw: np.random.Generator) -> list[float]:
    """Draw the lengths of the recordings of an hour, seconds."""
    if hour % WHOLE_INTERVAL == WHOLE_INTERVAL - 1:
        return [HOUR_SECONDS]
    drawn: list[float] = []
    while (left := HOUR_SECONDS - sum(drawn)) > SHORTEST_SECONDS:
        length = np.exp(draw.uniform(np.log(SHORTEST_SECONDS), np.log(LONGEST_SECONDS)))
        drawn.append(min(float(length), left))
    return drawn


def blocks(seconds: float, speech: list[np.ndarray], draw: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield blocks of speech, speech in noise, noise and silence of a total length."""
    left = round(seconds * audio.SAMPLE_RATE)
    while left > 0:
        block = speech[draw.integers(len(speech))]
        kind = draw.integers(4)
        if kind >= 2:
            block = np.zeros(round(draw.uniform(0.2, 4.0) * audio.SAMPLE_RATE), np.float32)
        if kind % 2:
            block = block + draw.normal(scale=0.02, size=len(block)).astype(np.float32)
        yield block[:left]
        left -= len(block)


def record(folder: Path, hour: int, speech: list[np.ndarray]) -> tuple[Path, Path]:
    """Write the recordings of an hour to two folders, in turns."""
    draw = np.random.default_rng(hour)
    folders = folder / "single", folder / "batch"
    for each in folders:
        each.mkdir(parents=True)
    for number, seconds in enumerate(lengths(hour, draw)):
        path = folders[(hour // WHOLE_INTERVAL + number) % 2] / f"{number}.wav"
        with sf.SoundFile(path, "w", audio.SAMPLE_RATE, 1, subtype="PCM_16") as file:
            for block in blocks(seconds, speech, draw):
                file.write(block)
    return folders


def soak(hours: int, model: str, work: Path) -> Iterator[report.Row]:
    """Transcribe hours of audio, and yield the memory after each."""
    speech = [audio.load(report.ROOT / "assets" / name) for name in ("digits.flac", "hello.flac")]
    recogniser = pipeline.load_recogniser(model, "cpu")
    start = resident_mb()
    count = words = 0
    for hour in range(hours):
        single, batch = record(work, hour, speech)
        began = time.process_time()
        for path in audio.find_recordings([single]) if any(single.iterdir()) else ():
            words += len(recogniser.transcribe(path, words=True).raw.split())
            count += 1
        if any(batch.iterdir()):
            summary = transcribe_all(batch, work / "out", model=recogniser, form=("txt", "srt"))
            assert not summary.failed
            count += summary.done
            words += sum(len(path.read_text().split()) for path in (work / "out").glob("*.txt"))
        seconds = time.process_time() - began
        shutil.rmtree(work)
        yield {
            "hours": hour + 1,
            "recordings": count,
            "words": words,
            "resident memory (MB)": round(resident_mb()),
            "at the start (MB)": round(start),
            "objects": len(gc.get_objects()),
            "core-seconds of the hour": round(seconds, 1),
        }


def tables(rows: list[report.Row], hours: int) -> dict[str, list[report.Row]]:
    """Return a summary, and a table of hours at even distances."""
    memory = [float(row["resident memory (MB)"]) for row in rows]
    growth = round(max(memory) - memory[0])
    summary: report.Row = {
        "hours": f"{len(rows)} of {hours}",
        "memory after the first hour (MB)": memory[0],
        "highest memory after a later hour (MB)": max(memory[1:], default=memory[0]),
        "growth (MB)": growth,
        f"within {LIMIT_MB} MB": "yes" if growth <= LIMIT_MB else "no",
    }
    step = max(1, len(rows) // ROWS)
    return {"Growth after the first hour": [summary], "Memory": rows[::-1][::step][::-1]}


if __name__ == "__main__":
    parser = report.parser("soak", __doc__)
    parser.add_argument("-m", "--model", default="digits")
    parser.add_argument("--hours", type=int, default=100)
    arguments = parser.parse_args()
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory() as directory:
        for row in soak(arguments.hours, arguments.model, Path(directory) / "work"):
            report.show(row)
            rows.append(row)
            report.write(arguments.output, tables(rows, arguments.hours))
