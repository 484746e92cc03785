"""Evaluate a recogniser on utterances with reference texts."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from audioseq.audio import SAMPLE_RATE
from audioseq.data import Utterance
from audioseq.errors import AudioError, DataError
from audioseq.speech import metrics
from audioseq.speech.decoding.decoder import Decoder, Decoding
from audioseq.speech.evaluation.error_analysis import ERROR_TYPES, classify_errors
from audioseq.speech.metrics import ErrorRate, UtteranceResult
from audioseq.speech.pipeline import Recogniser
from audioseq.text.tokenizer import normalise

MAX_TABLE_ROWS = 10
"""Rows of each table in the summary."""


@dataclass(frozen=True)
class Report:
    """Error rates of a set of utterances, with an error analysis."""

    words: ErrorRate
    chars: ErrorRate
    results: tuple[UtteranceResult, ...]
    """One per utterance, in order."""
    seconds: float
    """Seconds of audio in the set."""
    elapsed: float
    """Seconds that decoding took."""
    error_types: Counter[str]
    """Number of word errors per type, see `classify_errors`."""

    @property
    def wer(self) -> float:
        """Word error rate; 1 is 100 %, and more is possible."""
        return self.words.rate

    @property
    def cer(self) -> float:
        """Character error rate, including spaces."""
        return self.chars.rate

    @property
    def exact(self) -> float:
        """Share of utterances without errors, 0 to 1."""
        return sum(result.reference == result.hypothesis for result in self.results) / len(self.results)

    def substitutions(self) -> Counter[tuple[str, str]]:
        """Count the substitutions of words as (reference, hypothesis)."""
        return metrics.substitutions(self.results)

    def summary(self) -> str:
        """Return the report as text."""
        rates = [
            f"{name}  {_percent(rate.rate, '6.2f')}   ({rate.substitutions} substitutions, "
            f"{rate.deletions} deletions, {rate.insertions} insertions, {rate.length} in the reference)"
            for name, rate in (("WER", self.words), ("CER", self.chars))
        ]
        substitutions = [
            f"{count:6d}  {reference} -> {hypothesis}"
            for (reference, hypothesis), count in self.substitutions().most_common(MAX_TABLE_ROWS)
        ]
        by_type = [
            f"{self.error_types[key]:6d}  {description}"
            for key, description in ERROR_TYPES.items()
            if self.error_types[key]
        ]
        worst = [
            f"{name}  {_percent(rate, '.0f')}\n{metrics.format_alignment(reference, hypothesis)}"
            for rate, (name, reference, hypothesis) in metrics.worst(self.results, MAX_TABLE_ROWS)
            if rate
        ]
        tables = {
            "word errors by type": by_type, "most frequent substitutions": substitutions,
            "worst utterances": worst,
        }  # fmt: skip
        return "\n".join(
            [
                *rates,
                f"without errors  {100 * self.exact:.2f} % of {len(self.results)} utterances",
                f"{self.seconds / 60:,.1f} minutes of audio, decoded in {self.elapsed:.0f} s",
                *(line for title, rows in tables.items() if rows for line in ("", title, *rows)),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON; the error rate of an empty reference is None."""
        return {
            "wer": _rounded(self.wer),
            "cer": _rounded(self.cer),
            "exact": round(self.exact, 5),
            "utterances": len(self.results),
            "seconds": round(self.seconds, 1),
            "words": asdict(self.words),
            "chars": asdict(self.chars),
            "error_types": {key: self.error_types[key] for key in ERROR_TYPES},
            "substitutions": [
                {"reference": reference, "hypothesis": hypothesis, "count": count}
                for (reference, hypothesis), count in self.substitutions().most_common(MAX_TABLE_ROWS)
            ],
            "worst": [
                {"wer": _rounded(rate), **result._asdict()}
                for rate, result in metrics.worst(self.results, MAX_TABLE_ROWS)
            ],
        }


def _percent(rate: float, form: str) -> str:
    return f"{100 * rate:{form}} %" if math.isfinite(rate) else "empty reference"


def _rounded(rate: float) -> float | None:
    return round(rate, 5) if math.isfinite(rate) else None


@dataclass(frozen=True)
class UtteranceEmissions:
    """The emissions of an utterance, computed once to be decoded many times."""

    name: str
    reference: str
    """Text, normalised to the model's alphabet."""
    emissions: tuple[np.ndarray, ...]
    """Log-probabilities of each chunk `[T, V]`."""

    def decode(self, decoder: Decoder) -> UtteranceResult:
        """Decode the emissions; return the best hypothesis with the reference."""
        texts = [hypotheses[0].text for hypotheses in decoder.decode_all(self.emissions)]
        return UtteranceResult(self.name, self.reference, " ".join(filter(None, texts)))


def utterance_emissions(recogniser: Recogniser, utterance: Utterance) -> UtteranceEmissions:
    """Compute the emissions of an utterance, by chunk.

    Raises:
        AudioError: the recording cannot be read.
    """
    reference, _ = normalise(utterance.text, recogniser.tokenizer.alphabet)
    chunks = recogniser.compute_emissions(utterance.load())
    return UtteranceEmissions(utterance.id, reference, tuple(chunk.log_probs for chunk in chunks))


def evaluate(
    recogniser: Recogniser,
    utterances: Iterable[Utterance],
    decoding: Decoding = None,
    on_error: Callable[[AudioError], object] | None = None,
) -> Report:
    """Transcribe utterances and compare the transcripts with the texts, normalised to the model's alphabet.

    Args:
        recogniser: the model.
        utterances: with reference texts.
        decoding: as in `Recogniser.transcribe`.
        on_error: called with the error of a recording that cannot be read, which is then left out; by default
            the error is raised.
    Returns:
        error rates and error analysis.
    Raises:
        DataError: there are no utterances, or none can be read.
        AudioError: a recording cannot be read.
    """
    began = time.perf_counter()
    results: list[UtteranceResult] = []
    seconds = 0.0
    for utterance in utterances:
        reference, _ = normalise(utterance.text, recogniser.tokenizer.alphabet)
        try:
            waveform = utterance.load()
        except AudioError as error:
            if on_error is None:
                raise
            on_error(error)
            continue
        transcript = recogniser.transcribe(waveform, SAMPLE_RATE, decoding=decoding, raw=True)
        seconds += utterance.duration
        results.append(UtteranceResult(utterance.id, reference, transcript.raw))
    if not results:
        raise DataError("no recording could be read; check the paths in the manifest")
    decoder = recogniser.choose_decoder(decoding)
    model = None if decoder is None else decoder.beam_decoder.model
    return Report(
        words=metrics.word_errors(results),
        chars=metrics.char_errors(results),
        results=tuple(results),
        seconds=seconds,
        elapsed=time.perf_counter() - began,
        error_types=classify_errors(results, None if model is None else model.vocabulary),
    )
