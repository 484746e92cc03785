from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.segment import cut

RATE = 1000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(scale=0.1, size=round(seconds * RATE))
    return np.asarray(samples, dtype=np.float32)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["silence", "steady", "noise", "bursts"]), st.integers(0, 60 * RATE), st.floats(1, 25))
def test_pieces_cover_everything_and_none_is_too_long(kind: str, samples: int, max_seconds: float) -> None:
    waveform = {
        "silence": np.zeros(samples, np.float32),
        "steady": np.full(samples, 0.5, np.float32),
        "noise": noise(samples / RATE),
        "bursts": noise(samples / RATE) * (np.arange(samples) // 700 % 2),
    }[kind]

    pieces = cut(waveform, RATE, max_seconds)

    edges = [start for start, _ in pieces] + [samples] if samples else []
    assert [end for _, end in pieces] == edges[1:]
    assert edges == sorted(set(edges)) and (not edges or edges[0] == 0)
    longest = int(max_seconds * RATE)
    assert all(end - start <= longest for start, end in pieces)
    if samples > longest:
        assert all(end - start >= longest // 4 for start, end in pieces)
    else:
        assert len(pieces) == (samples > 0)


def test_short_recordings_stay_whole() -> None:
    assert cut(noise(20), RATE) == [(0, 20 * RATE)]
    assert cut(np.zeros(1, np.float32), RATE) == [(0, 1)]
    assert cut(np.zeros(0, np.float32), RATE) == []


@pytest.mark.parametrize("depth", [0.0, 0.1])
def test_cuts_lie_in_the_middle_of_pauses(depth: float) -> None:
    waveform = noise(60)
    pauses = [(12.3, 12.9), (26.0, 26.3), (37.5, 39.5), (50.1, 50.6)]
    for start, end in pauses:
        waveform[round(start * RATE) : round(end * RATE)] *= depth
    pieces = cut(waveform, RATE)
    cuts = [end / RATE for _, end in pieces[:-1]]
    assert cuts == pytest.approx([12.6, 26.15, 38.5, 50.35], abs=0.05 if depth == 0 else 0.9)
    inside = [any(start < at < end for start, end in pauses) for at in cuts]
    assert all(inside)


def test_a_click_in_a_pause_is_avoided() -> None:
    waveform = noise(30)
    waveform[15 * RATE : 16 * RATE] = 0
    waveform[round(15.5 * RATE)] = 1
    (_, at), _ = cut(waveform, RATE)
    assert 15.1 <= at / RATE <= 15.4 or 15.6 <= at / RATE <= 15.9


def test_a_loud_constant_offset_does_not_hide_the_pause() -> None:
    waveform = noise(30)
    waveform[14 * RATE : 15 * RATE] = 0
    (_, at), _ = cut(waveform + np.float32(0.5), RATE)
    assert 14 < at / RATE < 15


def test_too_short_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        cut(noise(3), RATE, 0.5)
