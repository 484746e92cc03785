"""Word error rates on recordings that are changed: telephone bandwidth, noise, level, speed.

    python -m tests.benchmarks.bench_robustness MANIFEST [--model MODEL] [--every 1]

Each utterance is transcribed unchanged; at the bandwidth of a telephone (8 kHz); in white and in pink noise
at a signal-to-noise ratio of 10 dB; at half and at a tenth of its amplitude; and at 0.9 and 1.1 times its
speed, which also changes its pitch. Reported are the word error rates of greedy decoding and of the
recommended decoding options of the model.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np

from audioseq.audio import SAMPLE_RATE
from audioseq.data import read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.decoding.decoder import Decoding
from audioseq.speech.metrics import UtteranceResult, word_errors
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report
from tests.benchmarks.bench_speech_detection import pink, white

Change = Callable[[np.ndarray], np.ndarray]


def telephone(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform `[N]` at 16 kHz without the frequencies above 4 kHz."""
    low = librosa.resample(waveform, orig_sr=SAMPLE_RATE, target_sr=SAMPLE_RATE // 2)
    return librosa.resample(low, orig_sr=SAMPLE_RATE // 2, target_sr=SAMPLE_RATE)


def noisy(noise: Callable[[int], np.ndarray], ratio: float) -> Change:
    """Return a function that adds noise to a waveform, `ratio` dB below its mean power."""

    def add(waveform: np.ndarray) -> np.ndarray:
        added = noise(len(waveform))
        level = np.sqrt(np.mean(waveform**2) / np.mean(added**2)) * 10 ** (-ratio / 20)
        return np.asarray(waveform + level * added, np.float32)

    return add


def faster(rate: float) -> Change:
    """Return a function that raises the speed and the pitch of a waveform by a factor."""
    return lambda waveform: librosa.resample(waveform, orig_sr=rate * SAMPLE_RATE, target_sr=SAMPLE_RATE)


CHANGES: dict[str, Change] = {
    "unchanged": lambda waveform: waveform,
    "sampled at 8 kHz": telephone,
    "white noise at 10 dB": noisy(white, 10),
    "pink noise at 10 dB": noisy(pink, 10),
    "half the amplitude": lambda waveform: waveform / 2,
    "a tenth of the amplitude": lambda waveform: waveform / 10,
    "0.9 times the speed": faster(0.9),
    "1.1 times the speed": faster(1.1),
}
DECODINGS: dict[str, Decoding] = {"WER, greedy (%)": "greedy", "WER, recommended (%)": None}


if __name__ == "__main__":
    parser = report.parser("robustness", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--every", type=int, default=1, help="take every N-th utterance")
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    utterances = read_manifest(arguments.manifest)[:: arguments.every]
    rows = []
    for name, change in CHANGES.items():
        row: dict[str, str | float] = {"recordings": name}
        for column, decoding in DECODINGS.items():
            transcribed = []
            for utterance in utterances:
                reference, _ = normalise(utterance.text, recogniser.tokenizer.alphabet)
                transcript = recogniser.transcribe(change(utterance.load()), SAMPLE_RATE, decoding=decoding)
                transcribed.append(UtteranceResult(utterance.id, reference, transcript.raw))
            row[column] = round(100 * word_errors(transcribed).rate, 2)
        rows.append(row)
        report.show(row)
    report.write(arguments.output, {f"{arguments.model}, {len(utterances)} utterances": rows})
