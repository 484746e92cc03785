"""Speech is told from what is none, and a user from what is wrong with a recording."""

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
        (1, 0.7, 1, True),  # a word, alone
        (0, 0.7, 20, False),
        (60, 0.25, 20, False),
        (8, 0.35, 20, False),  # as in music
        (2, 0.6, 20, False),
    ],
)
def test_how_sure_the_model_is_tells_speech(
    count: int, probability: float, seconds: int, speech: bool
) -> None:
    assert SpeechDetector().is_speech(NOISE[: seconds * RATE], tokens(count, probability)) == speech


def test_a_word_in_a_long_silence_is_speech() -> None:
    silence = 1e-3 * NOISE
    silence[5 * RATE : 6 * RATE] = NOISE[:RATE]
    assert SpeechDetector().is_speech(silence, tokens(1, 0.7))
    assert not SpeechDetector().is_speech(NOISE, tokens(1, 0.7))


def test_what_was_heard_just_before_counts() -> None:
    evidence = SpeechDetector()
    assert evidence.is_speech(NOISE, tokens(99, 0.7))
    assert evidence.is_speech(NOISE, tokens(9, 0.3))
    assert [evidence.is_speech(NOISE, tokens(9, 0.3)) for _ in range(4)][-1] is False
    assert "s of it are left out" in "".join(evidence.warnings())


def test_a_good_recording_has_no_warnings() -> None:
    evidence = SpeechDetector()
    evidence.is_speech(NOISE, tokens(60, 0.7))
    assert evidence.warnings() == ()


@pytest.mark.parametrize(
    ("waveform", "heard", "said"),
    [
        (NOISE, tokens(0, 1), ["no speech is heard"]),
        (NOISE, tokens(60, 0.45), ["do not trust the text"]),
        (NOISE, tokens(60, 0.3), ["do not trust the text"]),
        (np.clip(NOISE * 20, -1, 1), tokens(60, 0.7), ["is clipped ("]),
        (NOISE * 0.01, tokens(60, 0.7), ["very quiet (-66 dB)"]),
        (NOISE * 0, tokens(0, 1), ["no speech is heard", "very quiet (silence)"]),
        (NOISE[:1] * 0, tokens(0, 1), ["no speech is heard", "very quiet (silence)"]),
    ],
)
def test_what_is_wrong_is_said(waveform: np.ndarray, heard: BestPath, said: list[str]) -> None:
    evidence = SpeechDetector()
    evidence.is_speech(waveform, heard)
    warnings = evidence.warnings()
    assert len(warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, warnings, strict=True))
    assert not any("\n" in warning for warning in warnings)
