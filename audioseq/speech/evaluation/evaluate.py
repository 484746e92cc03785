"""How well a recogniser does on recordings whose words are known."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from audioseq.audio import SAMPLE_RATE
from audioseq.data import Utterance
from audioseq.speech import metrics
from audioseq.speech.decoding.decoder import Decoder, Decoding
from audioseq.speech.evaluation.error_analysis import ERROR_TYPES, classify_errors
from audioseq.speech.metrics import ErrorRate, UtteranceResult
from audioseq.speech.pipeline import Recogniser
from audioseq.text.tokenizer import normalise

SHOWN = 10
"""Rows in each table of the summary."""


@dataclass(frozen=True)
class Report:
    """Error rates over a set of utterances, and what went wrong."""

    words: ErrorRate
    chars: ErrorRate
    results: tuple[UtteranceResult, ...]
    """In the order of the utterances."""
    seconds: float
    """Audio in the set."""
    elapsed: float
    """Seconds that decoding took."""
    causes: Counter[str]
    """Errors in words by what they look like, as in `causes.causes`."""

    @property
    def wer(self) -> float:
        """Word error rate, 0 to 1 or above."""
        return self.words.rate

    @property
    def cer(self) -> float:
        """Character error rate, spaces counted."""
        return self.chars.rate

    @property
    def exact(self) -> float:
        """Share of utterances without any error."""
        return sum(result.reference == result.hypothesis for result in self.results) / len(self.results)

    def substitutions(self) -> Counter[tuple[str, str]]:
        """Count the confused words as (reference, hypothesis)."""
        return metrics.substitutions(self.results)

    def summary(self) -> str:
        """Return the tables that a person reads."""
        rates = [
            f"{name}  {100 * rate.rate:6.2f} %   ({rate.substitutions} substituted, "
            f"{rate.deletions} deleted, {rate.insertions} inserted, of {rate.length})"
            for name, rate in (("WER", self.words), ("CER", self.chars))
        ]
        confused = [
            f"{count:6d}  {said} -> {heard}"
            for (said, heard), count in self.substitutions().most_common(SHOWN)
        ]
        by_cause = [f"{self.causes[cause]:6d}  {cause}" for cause in ERROR_TYPES if self.causes[cause]]
        worst = [
            f"{name}  {100 * rate:.0f} %\n{metrics.print_alignment(reference, hypothesis)}"
            for rate, (name, reference, hypothesis) in metrics.worst(self.results, SHOWN)
        ]
        return "\n".join(
            [
                *rates,
                f"all right  {100 * self.exact:.2f} % of {len(self.results)} utterances",
                f"{self.seconds / 3600:.2f} h of audio, decoded in {self.elapsed:.0f} s",
                "", "errors by cause", *by_cause,
                "", "most confused words", *confused,
                "", "worst utterances", *worst,
            ]
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON."""
        return {
            "wer": round(self.wer, 5),
            "cer": round(self.cer, 5),
            "exact": round(self.exact, 5),
            "utterances": len(self.results),
            "seconds": round(self.seconds, 1),
            "words": asdict(self.words),
            "chars": asdict(self.chars),
            "causes": {cause: self.causes[cause] for cause in ERROR_TYPES},
            "substitutions": [
                {"reference": said, "hypothesis": heard, "count": count}
                for (said, heard), count in self.substitutions().most_common(SHOWN)
            ],
            "worst": [
                {"wer": round(rate, 5), **result._asdict()}
                for rate, result in metrics.worst(self.results, SHOWN)
            ],
        }


@dataclass(frozen=True)
class UtteranceEmissions:
    """What the acoustic model makes of an utterance: computed once, to be decoded many times."""

    name: str
    reference: str
    """In the model's spelling."""
    emissions: tuple[np.ndarray, ...]
    """Log-probabilities of each piece `[T, V]`."""

    def decode(self, search: Decoder) -> UtteranceResult:
        """Write down what a search hears in it."""
        texts = [search.candidates(log_probs)[0].text for log_probs in self.emissions]
        return UtteranceResult(self.name, self.reference, " ".join(filter(None, texts)))


def utterance_emissions(recogniser: Recogniser, utterance: Utterance) -> UtteranceEmissions:
    """Compute the emissions of an utterance.

    Raises:
        AudioError: the recording cannot be read.
    """
    reference, _ = normalise(utterance.text, recogniser.tokenizer.alphabet)
    pieces = recogniser.compute_emissions(utterance.load())
    return UtteranceEmissions(utterance.id, reference, tuple(piece.log_probs for piece in pieces))


def evaluate(recogniser: Recogniser, utterances: Sequence[Utterance], decoding: Decoding = None) -> Report:
    """Transcribe utterances and compare with their texts, both in the model's spelling.

    Args:
        recogniser: the model.
        utterances: recordings whose words are known.
        decoding: how to search, as in `Recogniser.transcribe`.
    Raises:
        DataError: there are no utterances.
        AudioError: a recording cannot be read.
    """
    began = time.perf_counter()
    results = []
    for utterance in utterances:
        reference, _ = normalise(utterance.text, recogniser.tokenizer.alphabet)
        transcript = recogniser.transcribe(utterance.load(), SAMPLE_RATE, decoding=decoding)
        results.append(UtteranceResult(utterance.id, reference, transcript.text))
    search = recogniser.decoder_for(decoding)
    model = None if search is None else search.decoder.model
    return Report(
        words=metrics.word_errors(results),
        chars=metrics.char_errors(results),
        results=tuple(results),
        seconds=sum(utterance.duration for utterance in utterances),
        elapsed=time.perf_counter() - began,
        causes=classify_errors(results, None if model is None else model.vocabulary),
    )
