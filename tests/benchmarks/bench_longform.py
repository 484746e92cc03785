"""Long recordings: the effect of chunking and merging on the word error rate, and peak memory.

    python -m tests.benchmarks.bench_longform MANIFEST [--model MODEL] [--minutes 40] [--hours 10]

The utterances of the manifest are transcribed one by one, then as one recording with random pauses of 0.2
to 1 s between them, and as one recording without pauses. Reported are the word error rates, each of one
long text against one long reference. Then the recording is repeated up to the given hours on disk, and the
peak memory of a process of `audioseq transcribe --lm none` is measured for it and for its first ten
seconds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile as sf

from audioseq import audio
from audioseq.data import Utterance, read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report

LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Starts a command from a small process: on Linux a process hands its peak memory on to its children."""


def with_pauses(waveforms: Iterable[np.ndarray], shortest: float, longest: float) -> Iterator[np.ndarray]:
    """Yield waveforms, each followed by silence of random length."""
    random = np.random.default_rng(0)
    for waveform in waveforms:
        yield waveform
        yield np.zeros(int(random.uniform(shortest, longest) * audio.SAMPLE_RATE), np.float32)


def measure_words(model: str, utterances: Sequence[Utterance]) -> list[report.Row]:
    """Return the word error rates of utterances alone and joined."""
    recogniser = pipeline.load_recogniser(model, "cpu")
    reference = " ".join(normalise(u.text, recogniser.tokenizer.alphabet).text for u in utterances)
    waveforms = [utterance.load() for utterance in utterances]

    def transcribed(recordings: Iterable[np.ndarray]) -> str:
        texts = (recogniser.transcribe(recording, audio.SAMPLE_RATE).raw for recording in recordings)
        return " ".join(filter(None, texts))

    rows: list[report.Row] = []
    for name, text in (
        ("one by one", transcribed(waveforms)),
        ("joined, pauses of 0.2 to 1 s", transcribed([np.concatenate(list(with_pauses(waveforms, 0.2, 1)))])),
        ("joined, no pauses", transcribed([np.concatenate(waveforms)])),
    ):
        errors = word_errors([UtteranceResult(name, reference, text)])
        rows.append(
            {
                "utterances": name,
                "WER (%)": round(100 * errors.rate, 2),
                "deletions": errors.deletions,
                "insertions": errors.insertions,
                "words": errors.length,
            }
        )
        report.show(rows[-1])
    return rows


def measure_memory(model: str, utterances: Sequence[Utterance], hours: float) -> list[report.Row]:
    """Return the peak memory for ten seconds and for hours of audio."""
    with tempfile.TemporaryDirectory() as directory:
        short, long = Path(directory) / "short.wav", Path(directory) / "long.wav"
        with sf.SoundFile(long, "w", audio.SAMPLE_RATE, 1, "PCM_16") as file:
            for waveform in with_pauses((u.load() for u in itertools.cycle(utterances)), 0.2, 1):
                file.write(waveform)
                if file.tell() > hours * 3600 * audio.SAMPLE_RATE:
                    break
        audio.write(short, sf.read(long, 10 * audio.SAMPLE_RATE)[0])
        few, many = (round(peak_memory(model, recording)) for recording in (short, long))
    rows: list[report.Row] = [
        {"recording": "10 seconds", "peak memory (MB)": few, "more than for 10 seconds (MB)": 0},
        {
            "recording": f"{hours:g} hours",
            "peak memory (MB)": many,
            "more than for 10 seconds (MB)": many - few,
        },
    ]
    for row in rows:
        report.show(row)
    return rows


def peak_memory(model: str, recording: Path) -> float:
    """Transcribe in a new process, and return its peak memory in MB."""
    command = [sys.executable, "-m", "audioseq", "transcribe", "-m", model, "--lm", "none", str(recording)]
    measured = subprocess.run([sys.executable, "-c", LAUNCHER, *command], check=True, stdout=subprocess.PIPE)
    return int(measured.stdout) / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    parser = report.parser("longform", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--minutes", type=float, default=40, help="minutes of utterances for the error rates")
    parser.add_argument("--hours", type=float, default=10, help="hours of audio for the memory")
    arguments = parser.parse_args()
    utterances = read_manifest(arguments.manifest)
    until = np.cumsum([utterance.duration for utterance in utterances])
    first = utterances[: int(np.searchsorted(until, 60 * arguments.minutes)) + 1]
    tables = {
        f"Word error rates, {arguments.model}, {arguments.minutes:g} minutes": measure_words(
            arguments.model, first
        ),
        "Peak memory, greedy decoding": measure_memory(arguments.model, utterances, arguments.hours),
    }
    report.write(arguments.output, tables)
