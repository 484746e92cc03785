"""Word confidences: calibration error and accuracy, before and after calibration, on speakers held out.

    python -m tests.benchmarks.bench_confidence MANIFEST [--model MODEL] [--every 1]

The words are those of the recommended decoding and of greedy decoding, unchanged, in white noise at 10 dB,
and played backwards, when all words are wrong. Before calibration, a confidence is the posterior of the word
in the n-best list, or the mean probability of its tokens. Speakers that the calibration was fitted on (those
in the model card) are left out. Reported are the expected calibration error (ten bins of equal width), the
mean confidence, the accuracy, and the accuracy of the words with a confidence of at least 0.9.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import numpy as np

from audioseq.data import read_manifest
from audioseq.models import default_for
from audioseq.speech import pipeline
from audioseq.speech.decoding.confidence import Method, stored_calibration
from audioseq.speech.decoding.weights import stored_table
from audioseq.speech.evaluation.calibrate import DecodedUtterance, calibration_error, collect_evidence
from audioseq.text.tokenizer import normalise
from tests.benchmarks import report
from tests.benchmarks.bench_robustness import Change, noisy
from tests.benchmarks.bench_speech_detection import white

CHANGES: dict[str, Change] = {
    "unchanged": lambda waveform: waveform,
    "white noise at 10 dB": noisy(white, 10),
    "backwards": lambda waveform: waveform[::-1].copy(),
}
METHODS: tuple[Method, ...] = "beam", "greedy"


def measure(confidences: np.ndarray, correct: np.ndarray) -> report.Row:
    """Return the figures of one way to compute confidences."""
    sure = correct[confidences >= 0.9]
    return {
        "calibration error": round(calibration_error(confidences, correct), 3),
        "mean confidence": round(float(confidences.mean()), 3),
        "accuracy": round(float(correct.mean()), 3),
        "words with 0.9 or more (%)": round(100 * len(sure) / len(correct), 1),
        "their accuracy": round(float(sure.mean()), 3) if len(sure) else "",
    }


if __name__ == "__main__":
    parser = report.parser("confidence", __doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default=default_for("speech"))
    parser.add_argument("--every", type=int, default=1, help="take every N-th utterance")
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    card, tokenizer = recogniser.header.card, recogniser.tokenizer
    decoder = recogniser.choose_decoder(None)
    assert decoder is not None
    fitted = stored_table(card).get("speakers", ())
    held_out = [each for each in read_manifest(arguments.manifest) if each.speaker not in fitted]
    rows: list[report.Row] = []
    for name, change in CHANGES.items():
        decoded = []
        for utterance in held_out[:: arguments.every]:
            reference = "" if name == "backwards" else normalise(utterance.text, tokenizer.alphabet).text
            chunks = recogniser.compute_emissions(change(utterance.load()))
            emissions = [chunk.log_probs for chunk in chunks]
            decoded.append(DecodedUtterance(reference, emissions, decoder.decode_all(emissions)))
        for method in METHODS:
            evidence = collect_evidence(decoded, tokenizer, method)
            before = 1 / (1 + np.exp(-evidence.logits[:, 0]))
            confidences = {"before calibration": before}
            if (calibration := stored_calibration(card, method)) is not None:
                confidences["calibrated"] = calibration(evidence.logits)
            for kind, values in confidences.items():
                row = {"recordings": name, "decoding": method, "confidences": kind}
                rows.append({**row, **measure(values, evidence.correct)})
                report.show(rows[-1])
    report.write(
        arguments.output, {f"{arguments.model}, {len(held_out[:: arguments.every])} utterances": rows}
    )
