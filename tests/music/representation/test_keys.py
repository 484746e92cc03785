"""Keys are estimated from notes, and a piece that left its key is guided back."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.music.representation.keys import KeyTracker, best_key

MAJOR, MINOR = (0, 4, 7, 5, 9, 0, 7, 11, 2, 0), (0, 3, 7, 5, 8, 0, 7, 11, 2, 0)


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("minor", [False, True])
def test_key_of_a_cadence_is_found(tonic: int, minor: bool) -> None:
    classes = (np.array(MINOR if minor else MAJOR) + tonic) % 12
    assert best_key(np.bincount(classes, minlength=12), None) == (tonic, minor)


def test_final_bass_decides_between_equal_keys() -> None:
    whole = np.ones(12)
    assert best_key(whole, 7)[0] == 7


def test_bias_is_small_in_the_key_and_large_outside() -> None:
    inside, outside = KeyTracker(2, minor=False), KeyTracker(2, minor=False)
    for note in MAJOR * 6:
        inside.push(60 + note + 2)
        outside.push(60 + note + 8)
    assert np.abs(inside.logit_bias()[[2, 4, 6, 7, 9, 11, 1]]).max() < 0.1
    assert outside.logit_bias()[[2, 6, 9]].min() > 0.05 > -0.05 > outside.logit_bias()[[8, 0, 3]].max()


def test_bias_favours_the_key_before_the_first_note() -> None:
    bias = KeyTracker(7, minor=True).logit_bias()
    assert bias[7] > 0 > bias[11] and np.isfinite(bias).all()
