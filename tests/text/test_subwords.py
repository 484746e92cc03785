"""Subword tokenizer: learning, encoding and decoding."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import CheckpointError, DataError
from audioseq.speech.decoding.forced_alignment import Span, to_words
from audioseq.text.subwords import SubwordTokenizer, restore_tokenizer
from audioseq.text.tokenizer import CharTokenizer

TEXTS = ["the cat sat on the mat", "that hat is the cat's", "he hath a thatched hat", "aaa aaaa"]
WORDS = st.text("abc'", min_size=1, max_size=8)


def learn_merges_slowly(texts: list[str], merges: int) -> list[tuple[str, str]]:
    """Learn merges by counting all pairs again after each merge."""
    words = Counter(word for text in texts for word in text.split())
    encoded = {word: [f" {word[0]}", *word[1:]] for word in words}
    learnt = []
    for _ in range(merges):
        totals: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in pairwise(encoded[word]):
                totals[pair] += count
        best = max(totals, key=lambda pair: (totals[pair], pair), default=None)
        if best is None or totals[best] < 2:
            break
        learnt.append(best)
        for word, parts in encoded.items():
            merged, rest = [], parts
            while rest:
                step = 2 if tuple(rest[:2]) == best else 1
                merged.append("".join(rest[:step]))
                rest = rest[step:]
            encoded[word] = merged
    return learnt


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(st.lists(WORDS, max_size=4).map(" ".join), max_size=6), merges=st.integers(0, 12))
def test_learning_equals_the_slow_algorithm_and_texts_round_trip(texts: list[str], merges: int) -> None:
    tokenizer = SubwordTokenizer.learn(texts, 9 + merges, " abc'")
    assert tokenizer.merges == learn_merges_slowly(texts, merges)
    assert tokenizer.size <= 9 + merges
    for text in texts:
        tokens = tokenizer.encode(text)
        assert tokenizer.decode(tokens) == text
        assert all(0 < token < tokenizer.size for token in tokens)


def test_frequent_words_become_one_token() -> None:
    tokenizer = SubwordTokenizer.learn(TEXTS, 80)
    assert [tokenizer.pieces[token] for token in tokenizer.encode("the hat")] == [" the", " hat"]
    assert len(tokenizer.encode("zebra")) == 5


@pytest.mark.parametrize("tokenizer", [SubwordTokenizer.learn(TEXTS, 70), CharTokenizer()])
def test_tokenizer_is_restored_from_its_description(tokenizer: SubwordTokenizer | CharTokenizer) -> None:
    again = restore_tokenizer(tokenizer.to_dict())
    assert type(again) is type(tokenizer)
    assert again.encode(TEXTS[0]) == tokenizer.encode(TEXTS[0])
    with pytest.raises(CheckpointError):
        restore_tokenizer({**tokenizer.to_dict(), "alphabet": None})


def test_words_begin_at_tokens_with_a_space() -> None:
    tokenizer = SubwordTokenizer.learn(TEXTS, 80)
    tokens = tokenizer.encode("the thatch")
    spans = [Span(2 * i, 2 * i + 1, -0.5) for i in range(len(tokens))]
    first, second = to_words(tokens, spans, tokenizer, 0.08)
    assert (first.word, first.start, first.end) == ("the", 0.0, 0.08)
    assert (second.word, second.start) == ("thatch", 0.16)
    assert second.end == pytest.approx(spans[-1].end * 0.08)


def test_errors_of_encoding_and_learning() -> None:
    with pytest.raises(DataError, match="'é' is not in the alphabet"):
        SubwordTokenizer.learn(TEXTS, 60).encode("café")
    with pytest.raises(DataError, match="at least 55"):
        SubwordTokenizer.learn(TEXTS, 20)
