from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.decoding.beam import BeamDecoder, BeamLimits
from audioseq.speech.decoding.hotwords import Hotwords
from audioseq.speech.decoding.lexicon import Lexicon, extend, space, spell
from tests.speech.decoding.test_beam import CHARACTERS, boosts

Words = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4)


@settings(deadline=None)
@given(Words, st.lists(Words.map(" ".join), unique=True, max_size=4))
def test_what_is_won_is_what_a_search_through_the_text_finds(text: list[str], phrases: list[str]) -> None:
    found = Hotwords(phrases, 0.5, CHARACTERS)
    state, won = found.start, 0.0
    for word in text:
        for letter in word:
            state = found.spelt[state, CHARACTERS.index(letter)]
        won += found.won[state]
        state = found.ended[state]
    assert won == pytest.approx(boosts(" ".join(text), phrases, 0.5))


def test_hope_grows_with_each_letter_and_is_gone_when_the_text_goes_another_way() -> None:
    found = Hotwords(["ab a"], 1.0, CHARACTERS)
    a, b = 1, 2
    state, hopes = found.start, []
    for token in (a, b):
        state = found.spelt[state, token]
        hopes.append(float(found.hope[state]))
    assert hopes == [1.0, 2.0]
    assert found.hope[found.spelt[state, b]] == 0
    assert found.won[state] == 0  # the phrase goes on
    state = found.ended[state]
    assert found.hope[state] == 2.0
    assert found.won[found.spelt[state, a]] == 3.0


def test_a_phrase_that_cannot_be_spelt_is_never_found() -> None:
    assert not Hotwords(["xyz"], 1.0, CHARACTERS).won.any()


def test_a_hotword_is_heard_where_it_is_nearly_as_probable() -> None:
    log_probs = np.log([[0.05, 0.9, 0.03, 0.02], [0.05, 0.5, 0.43, 0.02]])
    assert BeamDecoder(CHARACTERS)(log_probs)[0].text == "a"
    assert BeamDecoder(CHARACTERS, hotwords=["ab"])(log_probs)[0].text == "ab"
    assert BeamDecoder(CHARACTERS, hotwords=["abba"])(log_probs, 1)[0].text == "a"


@settings(deadline=None)
@given(st.lists(st.text("abcé", max_size=6), unique=True), st.text("abcé", max_size=6))
def test_a_lexicon_knows_words_and_how_they_begin(words: list[str], sought: str) -> None:
    scores = -np.arange(1.0, len(words) + 1)
    lexicon = Lexicon(words, np.arange(len(words)), scores, otherwise=-99)
    (place,) = lexicon.find(spell([sought])[0])
    if not sought:
        return  # the beginning of every word is never looked for
    continued = [score for word, score in zip(words, scores, strict=True) if word.startswith(sought)]
    assert lexicon.best[place] == max(continued, default=-99)
    assert lexicon.ids[place] == (words.index(sought) if sought in words else -1)


@settings(deadline=None)
@given(st.text("abc", min_size=1), st.text("abc", min_size=1))
def test_spellings_are_put_together_as_texts_are(left: str, right: str) -> None:
    codes, powers = spell([left, right, left + right, f"{left} {right}"])
    assert extend(codes[:1], codes[1:2], powers[1:2]) == codes[2]
    apart = extend(space(codes[:1]), codes[1:2], powers[1:2])
    assert apart != codes[2]
    assert space(np.zeros(1, np.uint64)) == 0


def test_limits_do_not_lose_the_best_text_of_sure_emissions() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        path = generator.integers(0, 4, 30)
        log_probs = np.log(np.eye(4)[path] * 0.9 + 0.025)
        wide = BeamDecoder(
            CHARACTERS,
            limits=BeamLimits(beam_size=300, tokens=3, beam_threshold=50, blank_skip_threshold=1.0),
        )
        narrow = BeamDecoder(
            CHARACTERS, limits=BeamLimits(beam_size=20, tokens=2, beam_threshold=8, blank_skip_threshold=0.8)
        )
        assert wide(log_probs)[0].text == narrow(log_probs)[0].text
