"""Words of segments: best paths, speech detection, decoding, and times in the recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from audioseq.speech.decoding.confidence import set_confidences, stored_calibration
from audioseq.speech.decoding.forced_alignment import Span, correct_timestamps, to_words
from audioseq.speech.decoding.greedy import BestPath, greedy
from audioseq.speech.longform.merging import SegmentEmissions
from audioseq.speech.longform.speech_detection import SpeechDetector
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer


class WordDecoder(Protocol):
    """Decodes emissions to words, as a `Decoder` does."""

    def decode_words(self, emissions: Sequence[np.ndarray], frame_seconds: float) -> list[list[Word]]:
        """Return the words of each of the emissions `[T, V]`."""


class SegmentDecoder:
    """Turns the emissions of segments into words.

    Args:
        tokenizer: the tokenizer of the acoustic model.
        frame_seconds: time between two frames of emissions, seconds.
        card: the card of the speech model, which may have a calibration of confidences.
    """

    def __init__(self, tokenizer: Tokenizer, frame_seconds: float, card: Mapping[str, Any]) -> None:
        self._tokenizer, self._frame_seconds = tokenizer, frame_seconds
        self._calibration = stored_calibration(card, "greedy")

    def decode(
        self, segments: Sequence[SegmentEmissions], decoder: WordDecoder | None, detector: SpeechDetector
    ) -> list[list[Word]]:
        """Return the words of each segment with speech, with their times in the recording.

        Args:
            segments: of one recording.
            decoder: the beam search; None for greedy decoding.
            detector: leaves out the segments without speech.
        """
        speech: list[SegmentEmissions] = []
        found: list[list[Word]] = []
        for segment in segments:
            best_path = greedy(segment.log_probs)
            words = self._best_path_words(best_path)
            confidences = [word.confidence for word in words] if self._calibration is not None else []
            if detector.is_speech(segment.chunk.waveform, best_path, confidences):
                speech.append(segment)
                found.append(words)
        if decoder is not None:
            found = decoder.decode_words([segment.log_probs for segment in speech], self._frame_seconds)
        return [
            [
                replace(word, start=word.start + segment.start, end=word.end + segment.start)
                for word in correct_timestamps(words, segment.end - segment.start)
            ]
            for segment, words in zip(speech, found, strict=True)
        ]

    def _best_path_words(self, path: BestPath) -> list[Word]:
        """Return the words of a best path, which is the forced alignment of its own text."""
        spans = [Span(*at, score) for at, score in zip(path.frames, path.scores, strict=True)]
        words = to_words(path.tokens, spans, self._tokenizer, self._frame_seconds)
        return set_confidences(words, [word.confidence for word in words], path, self._calibration)
