"""Where the segments of a stream end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.speech.streaming.endpointing import LONGEST_OVERRUN, Endpointing

FRAME = 0.1
RULES = Endpointing(trailing_silence=0.8, max_seconds=10.0, no_speech_seconds=3.0)


def first_endpoint(best: list[int]) -> tuple[int, int] | None:
    """Return after how many frames a segment ends, and the first frame of the next."""
    for count in range(1, len(best) + 1):
        frame = RULES.find(np.array(best[:count]), FRAME)
        if frame is not None:
            return count, frame
    return None


def test_a_pause_ends_a_segment_and_a_shorter_one_does_not() -> None:
    assert first_endpoint([0] * 5 + [4] * 3 + [0] * 6) is None
    count, frame = first_endpoint([0] * 5 + [4] * 3 + [0] * 9) or (0, 0)
    assert count == 5 + 3 + 8
    assert 8 < frame < count


def test_the_silence_that_is_needed_falls_with_the_length_of_the_segment() -> None:
    needed = []
    for spoken in (5, 40, 80):
        count, _ = first_endpoint([4] * spoken + [0] * 9) or (0, 0)
        needed.append(count - spoken)
    assert needed == sorted(needed, reverse=True) and needed[0] > needed[-1]


def test_silence_without_a_word_is_dropped_but_for_its_end() -> None:
    count, frame = first_endpoint([0] * 40) or (0, 0)
    assert count == 30
    assert frame == 27


@given(st.lists(st.sampled_from([0, 0, 0, 3, 5]), min_size=200, max_size=200))
def test_every_segment_ends_and_no_word_is_cut_off(best: list[int]) -> None:
    found = first_endpoint(best)
    assert found is not None
    count, frame = found
    assert 0 < frame <= count
    assert count * FRAME <= LONGEST_OVERRUN * RULES.max_seconds + RULES.no_speech_seconds + FRAME
    assert not any(best[frame:count])  # what is read again has no word


@pytest.mark.parametrize("name", ["trailing_silence", "max_seconds", "no_speech_seconds"])
def test_times_must_be_positive(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Endpointing(**{name: 0.0})
