"""Live transcription: word error rate, delay and stability of the text, and computation.

    python -m tests.benchmarks.bench_streaming MANIFEST... [--model MODEL] [--runtime onnx]
        [--every 1] [--windows 3+7 ...]

Each recording is a stream, fed in blocks of 20 ms. The clock of the stream advances by the processor time
that each block takes, if the process is behind. A word appears when it is first shown and then stays until it
is final; its delay is the time from its end, by forced alignment, until then. `changed` are the words that
were shown and later replaced or removed, by the alignment of each shown text with the next, relative to the
words of the final texts. Reported for each division of the stream into windows
(chunk + lookahead, in steps of the model), beside offline decoding of the same recordings, for each manifest.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from audioseq.audio import SAMPLE_RATE
from audioseq.data import Utterance, read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.decoding.decoder import Decoding
from audioseq.speech.metrics import ErrorRate
from audioseq.speech.streaming.encoder import maximum_delay
from audioseq.speech.streaming.options import Latency, StreamOptions
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report

BLOCK = SAMPLE_RATE // 50
DECODINGS: dict[str, Decoding] = {"recommended": None, "greedy": "greedy"}


class Shown:
    """The words that a reader has seen, and when."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.times: list[float] = []
        self.changed = 0

    def update(self, words: list[str], now: float) -> None:
        """Show other words at a time in seconds; words that stay keep their times."""
        times = []
        for step in Levenshtein.opcodes(self.words, words):
            if step.tag == "equal":
                times += self.times[step.src_start : step.src_end]
            else:
                times += [now] * (step.dest_end - step.dest_start)
                self.changed += step.src_end - step.src_start
        self.words, self.times = words, times


def transcribe_live(
    recogniser: pipeline.Recogniser, waveform: np.ndarray, decoding: Decoding, options: StreamOptions
) -> tuple[list[Word], Shown, float]:
    """Return the final words, what was shown when, and the processor time in seconds."""
    shown, final, clock, total = Shown(), list[Word](), 0.0, 0.0
    session = recogniser.stream(SAMPLE_RATE, decoding=decoding, raw=True, options=options)
    for start in range(0, len(waveform) + 1, BLOCK):
        block = waveform[start : start + BLOCK]
        before = time.process_time()
        session.feed(block)
        if start + BLOCK > len(waveform):
            session.close()
        partial = session.partial
        finals = list(session.finals())
        took = time.process_time() - before
        clock = max(clock, (start + len(block)) / SAMPLE_RATE) + took
        total += took
        final += [word for each in finals for word in each.words]
        shown.update([word.word for word in final] + partial.split(), clock)
    return final, shown, total


def measure(
    recogniser: pipeline.Recogniser, utterances: list[Utterance], decoding: Decoding, latency: Latency
) -> report.Row:
    """Return the figures of one division into windows."""
    errors, delays, words, changed, seconds, computed = ErrorRate(), list[float](), 0, 0, 0.0, 0.0
    for utterance in utterances:
        waveform = utterance.load()
        final, shown, took = transcribe_live(recogniser, waveform, decoding, StreamOptions(latency))
        reference = normalise(utterance.text, recogniser.tokenizer.alphabet).text.split()
        errors.add(reference, [word.word for word in final])
        delays += [time - word.end for word, time in zip(final, shown.times, strict=True)]
        words, changed = words + len(final), changed + shown.changed
        seconds, computed = seconds + len(waveform) / SAMPLE_RATE, computed + took
    return {
        "WER (%)": round(100 * errors.rate, 2),
        "core-hours per hour": round(computed / seconds, 3),
        "maximum delay of the model (ms)": round(
            1000 * maximum_delay(recogniser.model.window_model(), latency)
        ),
        "delay of a word, median (ms)": round(1000 * float(np.median(delays))),
        "95 % (ms)": round(1000 * float(np.percentile(delays, 95))),
        "changed words (%)": round(100 * changed / words, 1),
    }


def offline(recogniser: pipeline.Recogniser, utterances: list[Utterance], decoding: Decoding) -> report.Row:
    """Return the word error rate of whole recordings."""
    errors, seconds, before = ErrorRate(), 0.0, time.process_time()
    for utterance in utterances:
        waveform = utterance.load()
        text = recogniser.transcribe(waveform, SAMPLE_RATE, decoding=decoding, raw=True).text
        errors.add(normalise(utterance.text, recogniser.tokenizer.alphabet).text.split(), text.split())
        seconds += len(waveform) / SAMPLE_RATE
    took = time.process_time() - before
    return {"WER (%)": round(100 * errors.rate, 2), "core-hours per hour": round(took / seconds, 3)}


def compare(
    recogniser: pipeline.Recogniser, utterances: list[Utterance], latencies: Mapping[str, Latency]
) -> list[report.Row]:
    """Return the rows of a set of recordings: offline, and for each division into windows."""
    rows: list[report.Row] = []
    for name, decoding in DECODINGS.items():
        whole = offline(recogniser, utterances, decoding)
        rows.append({"decoding": name, "windows": "offline", **whole})
        report.show(rows[-1])
        for windows, latency in latencies.items():
            figures = measure(recogniser, utterances, decoding, latency)
            ratio = round(float(figures["WER (%)"]) / float(whole["WER (%)"]), 2)
            rows.append({"decoding": name, "windows": windows, **figures, "WER, relative to offline": ratio})
            report.show(rows[-1])
    return [{column: row.get(column, "") for column in rows[-1]} for row in rows]


if __name__ == "__main__":
    parser = report.parser("streaming", __doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--runtime", choices=["onnx", "torch"], default="onnx")
    parser.add_argument("--every", type=int, default=1, help="take every N-th utterance")
    parser.add_argument("--windows", nargs="*", default=["3+7"], metavar="CHUNK+LOOKAHEAD")
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu", arguments.runtime)
    latencies = {windows: Latency(*map(int, windows.split("+"))) for windows in arguments.windows}
    tables = {}
    for manifest in arguments.manifests:
        utterances = read_manifest(manifest)[:: arguments.every]
        title = f"{arguments.model}, {manifest.stem}: {len(utterances)} recordings"
        tables[title] = compare(recogniser, utterances, latencies)
    report.write(arguments.output, tables)
