"""Keys are told from the notes, and a piece that left its key is led back."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.music.representation.keys import KeyTracker, best_key

MAJOR, MINOR = (0, 4, 7, 5, 9, 0, 7, 11, 2, 0), (0, 3, 7, 5, 8, 0, 7, 11, 2, 0)


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("minor", [False, True])
def test_a_cadence_tells_its_key(tonic: int, minor: bool) -> None:
    classes = (np.array(MINOR if minor else MAJOR) + tonic) % 12
    assert best_key(np.bincount(classes, minlength=12), None) == (tonic, minor)


def test_the_last_bass_decides_where_notes_do_not() -> None:
    whole = np.ones(12)
    assert best_key(whole, 7)[0] == 7


def test_at_home_nothing_is_led_and_far_away_much_is() -> None:
    home, away = KeyTracker(2, minor=False), KeyTracker(2, minor=False)
    for note in MAJOR * 6:
        home.push(60 + note + 2)
        away.push(60 + note + 8)
    assert np.abs(home.logit_bias()[[2, 4, 6, 7, 9, 11, 1]]).max() < 0.1
    assert away.logit_bias()[[2, 6, 9]].min() > 0.05 > -0.05 > away.logit_bias()[[8, 0, 3]].max()


def test_before_the_first_note_the_key_is_known() -> None:
    leaning = KeyTracker(7, minor=True).logit_bias()
    assert leaning[7] > 0 > leaning[11] and np.isfinite(leaning).all()
