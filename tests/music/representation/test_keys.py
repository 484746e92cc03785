"""Keys are estimated from notes, and a piece that left its key is guided back."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.errors import ConfigError
from audioseq.music.representation.keys import KeyTracker, best_key
from audioseq.music.representation.vocabulary import parse_key

MAJOR, MINOR = (0, 4, 7, 5, 9, 0, 7, 11, 2, 0), (0, 3, 7, 5, 8, 0, 7, 11, 2, 0)


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("minor", [False, True])
def test_key_of_a_cadence_is_found(tonic: int, minor: bool) -> None:
    classes = (np.array(MINOR if minor else MAJOR) + tonic) % 12
    assert best_key(np.bincount(classes, minlength=12), None) == (tonic, minor)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("A MINOR", (9, True)), ("f sharp minor", (6, True)), ("F♯ minor", (6, True)),
        ("F-SHARP-MIN", (6, True)),
        ("B♭", (10, False)), ("b♭", (10, True)), ("E-flat major", (3, False)), ("EB MAJOR", (3, False)),
        ("AM", (9, False)), ("Am", (9, True)), ("b", (11, True)), ("Bbm", (10, True)), ("Cb", (11, False)),
        ("c  Major", (0, False)), ("g_minor", (7, True)),
    ],
)  # fmt: skip
def test_spellings_of_keys(name: str, key: tuple[int, bool]) -> None:
    assert parse_key(name) == key


@pytest.mark.parametrize("name", ["", "H", "minor", "C dorian", "F##", "sharp", "C majorminor", "A minor 7"])
def test_other_keys_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="give a key such as"):
        parse_key(name)


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
