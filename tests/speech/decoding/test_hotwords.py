from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.decoding.beam import BeamDecoder
from audioseq.speech.decoding.beam_search import BeamLimits
from audioseq.speech.decoding.hotwords import Hotwords
from audioseq.speech.decoding.lexicon import Lexicon, append, append_space, hash_spellings
from tests.speech.decoding.test_beam import CHARACTERS, boosts

Words = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4)


@settings(deadline=None)
@given(Words, st.lists(Words.map(" ".join), unique=True, max_size=4))
def test_bonuses_equal_those_of_a_text_search(text: list[str], phrases: list[str]) -> None:
    found = Hotwords(phrases, 0.5, CHARACTERS)
    state, bonus = found.start, 0.0
    for word in text:
        for letter in word:
            state = found.after_token[state, CHARACTERS.index(letter)]
        bonus += found.bonus[state]
        state = found.after_word[state]
    assert bonus == pytest.approx(boosts(" ".join(text), phrases, 0.5))


def test_the_lookahead_grows_with_each_letter_and_ends_where_the_text_leaves_the_phrase() -> None:
    found = Hotwords(["ab a"], 1.0, CHARACTERS)
    a, b = 1, 2
    state, lookaheads = found.start, []
    for token in (a, b):
        state = found.after_token[state, token]
        lookaheads.append(float(found.lookahead[state]))
    assert lookaheads == [1.0, 2.0]
    assert found.lookahead[found.after_token[state, b]] == 0
    assert found.bonus[state] == 0  # the phrase is not complete
    state = found.after_word[state]
    assert found.lookahead[state] == 2.0
    assert found.bonus[found.after_token[state, a]] == 3.0


def test_a_phrase_with_other_characters_is_never_found() -> None:
    assert not Hotwords(["xyz"], 1.0, CHARACTERS).bonus.any()


def test_a_hotword_wins_over_a_slightly_more_probable_text() -> None:
    log_probs = np.log([[0.05, 0.9, 0.03, 0.02], [0.05, 0.5, 0.43, 0.02]])
    assert BeamDecoder(CHARACTERS)(log_probs)[0].text == "a"
    assert BeamDecoder(CHARACTERS, hotwords=["ab"])(log_probs)[0].text == "ab"
    assert BeamDecoder(CHARACTERS, hotwords=["abba"])(log_probs, 1)[0].text == "a"


@settings(deadline=None)
@given(st.lists(st.text("abcé", max_size=6), unique=True), st.text("abcé", max_size=6))
def test_a_lexicon_has_all_words_and_prefixes(words: list[str], sought: str) -> None:
    scores = -np.arange(1.0, len(words) + 1)
    lexicon = Lexicon.from_words(words, np.arange(len(words)), scores, default=-99)
    (place,) = lexicon.find(hash_spellings([sought])[0])
    if not sought:
        return  # the empty prefix is never looked up
    continued = [score for word, score in zip(words, scores, strict=True) if word.startswith(sought)]
    assert lexicon.best[place] == max(continued, default=-99)
    assert lexicon.ids[place] == (words.index(sought) if sought in words else -1)


@settings(deadline=None)
@given(st.text("abc", min_size=1), st.text("abc", min_size=1))
def test_hashes_concatenate_like_texts(left: str, right: str) -> None:
    hashes, factors = hash_spellings([left, right, left + right, f"{left} {right}"])
    assert append(hashes[:1], hashes[1:2], factors[1:2]) == hashes[2]
    apart = append(append_space(hashes[:1]), hashes[1:2], factors[1:2])
    assert apart != hashes[2]
    assert append_space(np.zeros(1, np.uint64)) == 0


def test_limits_keep_the_best_text_of_confident_emissions() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        path = generator.integers(0, 4, 30)
        log_probs = np.log(np.eye(4)[path] * 0.9 + 0.025)
        wide = BeamDecoder(
            CHARACTERS,
            limits=BeamLimits(beam_size=300, beam_size_token=3, beam_threshold=50, blank_skip_threshold=1.0),
        )
        narrow = BeamDecoder(
            CHARACTERS,
            limits=BeamLimits(beam_size=20, beam_size_token=2, beam_threshold=8, blank_skip_threshold=0.8),
        )
        assert wide(log_probs)[0].text == narrow(log_probs)[0].text
