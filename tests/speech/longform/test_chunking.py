from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.longform.chunking import Chunk, iter_chunks

RATE = 1000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(scale=0.1, size=round(seconds * RATE))
    return np.asarray(samples, dtype=np.float32)


def kinds(kind: str, samples: int) -> np.ndarray:
    return {
        "silence": np.zeros(samples, np.float32),
        "steady": np.full(samples, 0.5, np.float32),
        "noise": noise(samples / RATE),
        "bursts": noise(samples / RATE) * (np.arange(samples) // 700 % 2),
    }[kind]


KINDS = st.sampled_from(["silence", "steady", "noise", "bursts"])


def whole(waveform: np.ndarray, max_seconds: float = 20.0) -> list[Chunk]:
    return list(iter_chunks([waveform], RATE, max_seconds))


@settings(deadline=None, max_examples=100)
@given(KINDS, st.integers(0, 60 * RATE), st.floats(1, 25))
def test_chunks_cover_the_recording_and_have_the_maximum_length(
    kind: str, samples: int, max_seconds: float
) -> None:
    waveform = kinds(kind, samples)

    chunks = whole(waveform, max_seconds)

    ends = [0]
    for chunk in chunks:
        assert chunk.start + chunk.overlap == ends[-1]
        np.testing.assert_array_equal(chunk.waveform, waveform[chunk.start : chunk.end])
        ends.append(chunk.end)
    assert ends == sorted(set(ends)) and ends[-1] == samples
    assert not chunks or chunks[0].overlap == 0
    longest = int(max_seconds * RATE)
    assert all(len(chunk.waveform) <= longest for chunk in chunks)
    if samples > longest:
        assert all(len(chunk.waveform) >= longest // 4 for chunk in chunks)
    else:
        assert len(chunks) == (samples > 0)


@settings(deadline=None, max_examples=50)
@given(KINDS, st.integers(0, 60 * RATE), st.lists(st.integers(0, 30 * RATE), min_size=1), st.floats(1, 25))
def test_block_sizes_do_not_influence_the_chunks(
    kind: str, samples: int, sizes: list[int], max_seconds: float
) -> None:
    waveform = kinds(kind, samples)
    blocks = np.split(waveform, np.minimum(np.cumsum(sizes), samples))
    for one, other in zip(iter_chunks(blocks, RATE, max_seconds), whole(waveform, max_seconds), strict=True):
        assert (one.start, one.end, one.overlap) == (other.start, other.end, other.overlap)


def test_chunks_are_read_as_they_are_needed() -> None:
    read = 0

    def hours() -> Iterator[np.ndarray]:
        nonlocal read
        while True:
            read += 1
            yield noise(1, seed=read)

    ends = [chunk.end for chunk, _ in zip(iter_chunks(hours(), RATE), range(50), strict=False)]
    assert ends[-1] > 400 * RATE
    assert read * RATE <= ends[-1] + 26 * RATE


def test_short_recordings_are_single_chunks() -> None:
    for seconds in (20, 1 / RATE):
        (chunk,) = whole(noise(seconds))
        assert (chunk.start, chunk.end, chunk.overlap) == (0, round(seconds * RATE), 0)
    assert whole(np.zeros(0, np.float32)) == []
    assert list(iter_chunks([], RATE)) == []


@pytest.mark.parametrize("depth", [0.0, 0.05, 0.2])
def test_boundaries_lie_in_the_middle_of_pauses(depth: float) -> None:
    waveform = noise(60)
    pauses = [(12.3, 12.9), (26.0, 26.3), (37.5, 39.5), (50.1, 50.6)]
    for start, end in pauses:
        waveform[round(start * RATE) : round(end * RATE)] *= depth
    chunks = whole(waveform)
    boundaries = [(chunk.start + chunk.overlap / 2) / RATE for chunk in chunks[1:]]
    assert boundaries == pytest.approx([12.6, 26.15, 38.5, 50.35], abs=0.05 if depth == 0 else 0.9)
    inside = [any(start < at < end for start, end in pauses) for at in boundaries]
    assert all(inside)
    # At 14 dB below its surroundings, a quiet part may be a quiet word.
    assert {chunk.overlap for chunk in chunks[1:]} == ({2 * RATE} if depth == 0.2 else {0})


def test_a_boundary_avoids_a_click_in_a_pause() -> None:
    waveform = noise(30)
    waveform[15 * RATE : 16 * RATE] = 0
    waveform[round(15.5 * RATE)] = 1
    first, _ = whole(waveform)
    assert 15.1 <= first.end / RATE <= 15.4 or 15.6 <= first.end / RATE <= 15.9


def test_a_dc_offset_does_not_hide_a_pause() -> None:
    waveform = noise(30)
    waveform[14 * RATE : 15 * RATE] = 0
    first, _ = whole(waveform + np.float32(0.5))
    assert 14 < first.end / RATE < 15


def test_a_maximum_below_one_second_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        whole(noise(3), 0.5)
