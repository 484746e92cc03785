"""Transcribe recordings with another recogniser, for `bench_runtime`: print JSON lines as `audioseq` does.

    python -m tests.benchmarks.other_recognisers pocketsphinx|FOLDER FILE|FOLDER

A folder in place of the name has the weights of faster-whisper, which runs in int8 with a beam of 5.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from audioseq import audio
from audioseq.speech.data.cache import to_int16
from audioseq.text.tokenizer import normalise

POCKETSPHINX = "pocketsphinx"


def open_pocketsphinx() -> Callable[[Path], str]:
    """Return a function that transcribes a file with PocketSphinx and the model in its package."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(samprate=audio.SAMPLE_RATE, loglevel="FATAL")

    def transcribe(path: Path) -> str:
        decoder.start_utt()
        decoder.process_raw(to_int16(audio.load(path)).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    return transcribe


def open_whisper(weights: str) -> Callable[[Path], str]:
    """Return a function that transcribes a file with faster-whisper."""
    import faster_whisper

    model = faster_whisper.WhisperModel(weights, "cpu", compute_type="int8", cpu_threads=1)

    def transcribe(path: Path) -> str:
        segments, _ = model.transcribe(audio.load(path), language="en", beam_size=5)
        return " ".join(segment.text for segment in segments)

    return transcribe


if __name__ == "__main__":
    name, source = sys.argv[1], Path(sys.argv[2])
    transcribe = open_pocketsphinx() if name == POCKETSPHINX else open_whisper(name)
    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        print(json.dumps({"path": str(path), "text": normalise(transcribe(path)).text}))
