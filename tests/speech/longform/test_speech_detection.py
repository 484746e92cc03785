"""Speech detection, and warnings about recordings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audioseq.speech.decoding.greedy import BestPath
from audioseq.speech.longform.speech_detection import SpeechDetector

RATE = 16_000
NOISE = np.random.default_rng(0).normal(scale=0.05, size=20 * RATE).astype(np.float32)


def tokens(count: int, probability: float) -> BestPath:
    places = tuple((frame, frame + 1) for frame in range(count))
    return BestPath((1,) * count, places, (math.log(probability),) * count)


@pytest.mark.parametrize(
    ("count", "probability", "seconds", "speech"),
    [
        (60, 0.7, 20, True),
        (60, 0.5, 20, True),
        (1, 0.7, 1, True),  # a single word
        (0, 0.7, 20, False),
        (60, 0.25, 20, False),
        (8, 0.35, 20, False),  # typical of music
        (2, 0.6, 20, False),
    ],
)
def test_token_probabilities_separate_speech_from_other_sounds(
    count: int, probability: float, seconds: int, speech: bool
) -> None:
    assert SpeechDetector().is_speech(NOISE[: seconds * RATE], tokens(count, probability)) == speech


def test_a_word_in_a_long_silence_is_speech() -> None:
    silence = 1e-3 * NOISE
    silence[5 * RATE : 6 * RATE] = NOISE[:RATE]
    assert SpeechDetector().is_speech(silence, tokens(1, 0.7))
    assert not SpeechDetector().is_speech(NOISE, tokens(1, 0.7))


def test_recent_segments_influence_the_decision() -> None:
    detector = SpeechDetector()
    assert detector.is_speech(NOISE, tokens(99, 0.7))
    assert detector.is_speech(NOISE, tokens(9, 0.3))
    assert [detector.is_speech(NOISE, tokens(9, 0.3)) for _ in range(4)][-1] is False
    assert "s left out" in "".join(detector.warnings())


def test_a_good_recording_has_no_warnings() -> None:
    detector = SpeechDetector()
    detector.is_speech(NOISE, tokens(60, 0.7))
    assert detector.warnings() == ()


@pytest.mark.parametrize(
    ("waveform", "best_path", "expected"),
    [
        (NOISE, tokens(0, 1), ["no speech found"]),
        (NOISE, tokens(60, 0.45), ["do not trust the text"]),
        (NOISE, tokens(60, 0.3), ["do not trust the text"]),
        (np.clip(NOISE * 20, -1, 1), tokens(60, 0.7), ["clipped ("]),
        (NOISE * 0.01, tokens(60, 0.7), ["very quiet (-66 dB)"]),
        (NOISE * 0, tokens(0, 1), ["no speech found", "very quiet (silence)"]),
        (NOISE[:1] * 0, tokens(0, 1), ["no speech found", "very quiet (silence)"]),
    ],
)
def test_problems_give_one_line_warnings(
    waveform: np.ndarray, best_path: BestPath, expected: list[str]
) -> None:
    detector = SpeechDetector()
    detector.is_speech(waveform, best_path)
    warnings = detector.warnings()
    assert len(warnings) == len(expected)
    assert all(part in warning for part, warning in zip(expected, warnings, strict=True))
    assert not any("\n" in warning for warning in warnings)


def test_low_calibrated_confidences_are_a_warning_and_high_ones_are_none() -> None:
    """They replace the limit of token probabilities, which knows less about words."""
    for probability, confidence, warned in ((0.7, 0.2, True), (0.7, 0.5, False), (0.45, 0.5, False)):
        detector = SpeechDetector()
        detector.is_speech(NOISE, tokens(60, probability), [confidence] * 12)
        assert any("do not trust" in warning for warning in detector.warnings()) == warned
