"""How often pieces come back, to where, and for how long."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.music.generation.repetition import ENDING, LAGS, PHRASE, SHARES, bars_back
from audioseq.music.representation.vocabulary import STYLES


@pytest.mark.parametrize("style", ["pop", "chorale"])
def test_phrases_come_back_whole_and_the_end_is_free(style: str) -> None:
    random, backs = np.random.default_rng(0), []
    for _ in range(300):
        back, piece = 0, []
        for bar in range(32):
            back = bars_back(bar, 31 - bar, STYLES.index(style), back, random)
            piece.append(back)
        backs.append(piece)
    found = np.array(backs)
    assert not found[:, :PHRASE].any() and not found[:, -ENDING:].any()
    assert (found <= np.arange(32)).all() and set(found.ravel().tolist()) == {0, *LAGS}
    starts = found[:, :-PHRASE:PHRASE]
    for later in range(1, PHRASE):
        assert np.array_equal(found[:, later:-PHRASE:PHRASE], starts)
    assert abs((starts[:, 1:] > 0).mean() - SHARES[style]) < 0.05
