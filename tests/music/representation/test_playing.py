"""Chords of two hands: against every division of the notes; ranges of instruments."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.midi.instruments import INSTRUMENTS
from audioseq.music.representation.playing import addable_pitches, instrument_range, is_playable
from audioseq.music.representation.vocabulary import DRUMS


def playable(chord: set[int]) -> bool:
    """Try every division of the notes between two hands."""
    for sides in product((0, 1), repeat=len(chord)):
        hands = [[p for p, side in zip(sorted(chord), sides, strict=True) if side == hand] for hand in (0, 1)]
        if all(not hand or (len(hand) <= 5 and max(hand) - min(hand) <= 16) for hand in hands):
            return True
    return False


@settings(deadline=None)
@given(st.sets(st.integers(30, 90), max_size=7))
def test_playable_chords(chord: set[int]) -> None:
    assert is_playable(chord) == playable(chord)


@settings(deadline=None)
@given(st.sets(st.integers(40, 80), min_size=1, max_size=6))
def test_pitches_that_can_be_added(chord: set[int]) -> None:
    if not playable(chord):
        assert not addable_pitches(sorted(chord)).any()
        return
    found = set(np.flatnonzero(addable_pitches(sorted(chord))).tolist())
    for pitch in found:
        assert playable(chord | {pitch})
    missed = {pitch for pitch in range(128) if pitch not in found | chord and playable(chord | {pitch})}
    # Hands that share the chord in order are enough, except where a new note lets them share it otherwise.
    assert all(min(chord) < pitch < max(chord) or len(chord) >= 5 for pitch in missed)


def test_ranges() -> None:
    assert len(INSTRUMENTS) == 128 and all(0 <= one.low < one.high <= 127 for one in INSTRUMENTS)
    assert [instrument_range(program) for program in (0, 40, 41, 42)] == [
        (21, 108),
        (55, 103),
        (48, 91),
        (36, 84),
    ]
    assert instrument_range(DRUMS) == (0, 127)
