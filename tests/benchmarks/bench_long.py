"""What cutting and stitching cost in words, and what a long recording costs in memory.

    python tests/benchmarks/bench_long.py MANIFEST [--model MODEL] [--minutes 40] [--hours 10]

The manifest's utterances are transcribed one by one, then as one recording in which random pauses of 0.2 to
1 s separate them, and as one without any pause between them. Printed are the word error rates, all of one
long text against one long text. Then the recording is repeated to so many hours on disk, and the peak memory
of a process of `audioseq transcribe --lm none` for them is compared with that for its first ten seconds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
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

LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Starts a command from a small process: Linux counts the memory of the one that starts it as its own."""


def with_pauses(waveforms: Iterable[np.ndarray], shortest: float, longest: float) -> Iterator[np.ndarray]:
    """Yield waveforms, each with a silence of random length after it."""
    random = np.random.default_rng(0)
    for waveform in waveforms:
        yield waveform
        yield np.zeros(int(random.uniform(shortest, longest) * audio.SAMPLE_RATE), np.float32)


def measure_words(model: str, utterances: Sequence[Utterance]) -> None:
    """Print the word error rates of utterances alone and joined."""
    recogniser = pipeline.load_recogniser(model, "cpu")
    reference = " ".join(normalise(u.text, recogniser.tokenizer.alphabet).text for u in utterances)
    waveforms = [utterance.load() for utterance in utterances]

    def transcribed(recordings: Iterable[np.ndarray]) -> str:
        texts = (recogniser.transcribe(recording, audio.SAMPLE_RATE).text for recording in recordings)
        return " ".join(filter(None, texts))

    for name, text in (
        ("one by one", transcribed(waveforms)),
        ("joined, pauses of 0.2 to 1 s", transcribed([np.concatenate(list(with_pauses(waveforms, 0.2, 1)))])),
        ("joined, no pauses", transcribed([np.concatenate(waveforms)])),
    ):
        rate = word_errors([UtteranceResult(name, reference, text)])
        print(
            f"{name:30}  WER {rate.rate:7.2%}   {rate.deletions} deleted, {rate.insertions} inserted, "
            f"of {rate.length}",
            flush=True,
        )


def measure_memory(model: str, utterances: Sequence[Utterance], hours: float) -> None:
    """Print the peak memory for ten seconds and for hours of audio."""
    with tempfile.TemporaryDirectory() as directory:
        short, long = Path(directory) / "short.wav", Path(directory) / "long.wav"
        with sf.SoundFile(long, "w", audio.SAMPLE_RATE, 1, "PCM_16") as file:
            for waveform in with_pauses((u.load() for u in itertools.cycle(utterances)), 0.2, 1):
                file.write(waveform)
                if file.tell() > hours * 3600 * audio.SAMPLE_RATE:
                    break
        audio.write(short, sf.read(long, 10 * audio.SAMPLE_RATE)[0])
        few, many = (peak_memory(model, recording) for recording in (short, long))
    print(f"10 s {few:.0f} MB, {hours:g} h {many:.0f} MB: {many - few:.0f} MB more")


def peak_memory(model: str, recording: Path) -> float:
    """Transcribe in a new process, and return its peak memory in MB."""
    command = [sys.executable, "-m", "audioseq", "transcribe", "-m", model, "--lm", "none", str(recording)]
    measured = subprocess.run([sys.executable, "-c", LAUNCHER, *command], check=True, stdout=subprocess.PIPE)
    return int(measured.stdout) / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument(
        "--minutes", type=float, default=40, help="of utterances for the error rates; 0: none"
    )
    parser.add_argument("--hours", type=float, default=10, help="of audio for the memory; 0: none")
    arguments = parser.parse_args()
    utterances = read_manifest(arguments.manifest)
    until = np.cumsum([utterance.duration for utterance in utterances])
    if arguments.minutes:
        measure_words(arguments.model, utterances[: int(np.searchsorted(until, 60 * arguments.minutes)) + 1])
    if arguments.hours:
        measure_memory(arguments.model, utterances, arguments.hours)
