"""How much worse recordings are understood that are not as they should be.

    python -m tests.benchmarks.bench_robust MANIFEST [--model MODEL] [--every 1]

Each utterance is taken as it is; as a telephone would pass it on (8 kHz); in white and pink noise of 10 dB;
at half the volume and at a tenth; and played at 0.9 and 1.1 times its speed, pitch and all. Printed are the
word error rates by sound alone, and of the search that the model's card advises.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np

from audioseq.audio import SAMPLE_RATE
from audioseq.data import read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.text.tokenizer import normalise
from tests.benchmarks.bench_honesty import pink, white

Change = Callable[[np.ndarray], np.ndarray]


def telephone(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform that has been sampled at 8 kHz."""
    low = librosa.resample(waveform, orig_sr=SAMPLE_RATE, target_sr=SAMPLE_RATE // 2)
    return librosa.resample(low, orig_sr=SAMPLE_RATE // 2, target_sr=SAMPLE_RATE)


def noisy(noise: Callable[[int], np.ndarray], ratio: float) -> Change:
    """Return what adds noise to a waveform, `ratio` dB below its mean power."""

    def add(waveform: np.ndarray) -> np.ndarray:
        added = noise(len(waveform))
        level = np.sqrt(np.mean(waveform**2) / np.mean(added**2)) * 10 ** (-ratio / 20)
        return np.asarray(waveform + level * added, np.float32)

    return add


def faster(rate: float) -> Change:
    """Return what plays a waveform faster by a factor, and higher."""
    return lambda waveform: librosa.resample(waveform, orig_sr=rate * SAMPLE_RATE, target_sr=SAMPLE_RATE)


CHANGES: dict[str, Change] = {
    "as it is": lambda waveform: waveform,
    "8 kHz": telephone,
    "white noise, 10 dB": noisy(white, 10),
    "pink noise, 10 dB": noisy(pink, 10),
    "half the volume": lambda waveform: waveform / 2,
    "a tenth of it": lambda waveform: waveform / 10,
    "0.9 times the speed": faster(0.9),
    "1.1 times the speed": faster(1.1),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--every", type=int, default=1, help="take one utterance of so many")
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    utterances = read_manifest(arguments.manifest)[:: arguments.every]
    print(f"{'':20s} by sound alone  as advised")
    for name, change in CHANGES.items():
        rates = []
        for beam in ("greedy", None):
            results = []
            for utterance in utterances:
                reference, _ = normalise(utterance.text, recogniser.tokenizer.alphabet)
                transcript = recogniser.transcribe(change(utterance.load()), SAMPLE_RATE, decoding=beam)
                results.append(UtteranceResult(utterance.id, reference, transcript.text))
            rates.append(word_errors(results).rate)
        print(f"{name:20s} " + "".join(f"{100 * rate:8.2f} %" for rate in rates), flush=True)
