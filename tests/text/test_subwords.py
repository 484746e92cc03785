"""Subwords: what is learnt, and that every text comes back."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import CheckpointError, DataError
from audioseq.speech.decoding.forced_alignment import Span, to_words
from audioseq.text.subwords import SubwordTokenizer, restore
from audioseq.text.tokenizer import CharTokenizer

TEXTS = ["the cat sat on the mat", "that hat is the cat's", "he hath a thatched hat", "aaa aaaa"]
WORDS = st.text("abc'", min_size=1, max_size=8)


def by_counting_anew(texts: list[str], merges: int) -> list[tuple[str, str]]:
    """Learn merges the slow way: all pairs are counted again for each merge."""
    words = Counter(word for text in texts for word in text.split())
    spelt = {word: [f" {word[0]}", *word[1:]] for word in words}
    learnt = []
    for _ in range(merges):
        totals: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in pairwise(spelt[word]):
                totals[pair] += count
        best = max(totals, key=lambda pair: (totals[pair], pair), default=None)
        if best is None or totals[best] < 2:
            break
        learnt.append(best)
        for word, parts in spelt.items():
            merged, rest = [], parts
            while rest:
                step = 2 if tuple(rest[:2]) == best else 1
                merged.append("".join(rest[:step]))
                rest = rest[step:]
            spelt[word] = merged
    return learnt


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(st.lists(WORDS, max_size=4).map(" ".join), max_size=6), more=st.integers(0, 12))
def test_learning_equals_counting_anew_and_every_text_comes_back(texts: list[str], more: int) -> None:
    tokenizer = SubwordTokenizer.learn(texts, 9 + more, " abc'")
    assert tokenizer.merges == by_counting_anew(texts, more)
    assert tokenizer.size <= 9 + more
    for text in texts:
        tokens = tokenizer.encode(text)
        assert tokenizer.decode(tokens) == text
        assert all(0 < token < tokenizer.size for token in tokens)


def test_frequent_words_become_one_token() -> None:
    tokenizer = SubwordTokenizer.learn(TEXTS, 80)
    assert [tokenizer.pieces[token] for token in tokenizer.encode("the hat")] == [" the", " hat"]
    assert len(tokenizer.encode("zebra")) == 5


@pytest.mark.parametrize("tokenizer", [SubwordTokenizer.learn(TEXTS, 70), CharTokenizer()])
def test_a_model_file_brings_its_tokenizer_back(tokenizer: SubwordTokenizer | CharTokenizer) -> None:
    again = restore(tokenizer.to_dict())
    assert type(again) is type(tokenizer)
    assert again.encode(TEXTS[0]) == tokenizer.encode(TEXTS[0])
    with pytest.raises(CheckpointError):
        restore({**tokenizer.to_dict(), "alphabet": None})


def test_words_begin_where_a_token_has_a_space() -> None:
    tokenizer = SubwordTokenizer.learn(TEXTS, 80)
    tokens = tokenizer.encode("the thatch")
    spans = [Span(2 * i, 2 * i + 1, -0.5) for i in range(len(tokens))]
    first, second = to_words(tokens, spans, tokenizer, 0.08)
    assert (first.word, first.start, first.end) == ("the", 0.0, 0.08)
    assert (second.word, second.start) == ("thatch", 0.16)
    assert second.end == pytest.approx(spans[-1].end * 0.08)


def test_what_cannot_be_spelt_or_learnt_is_told() -> None:
    with pytest.raises(DataError, match="'é' is not in the alphabet"):
        SubwordTokenizer.learn(TEXTS, 60).encode("café")
    with pytest.raises(DataError, match="take 55"):
        SubwordTokenizer.learn(TEXTS, 20)
