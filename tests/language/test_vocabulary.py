"""Vocabularies: selection of words, ids, out-of-vocabulary words."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.errors import CheckpointError
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 9)), st.integers(0, 9), st.integers(1, 9))
def test_from_counts_selects_the_most_frequent_words(
    counts: dict[str, int], size: int, at_least: int
) -> None:
    vocabulary = Vocabulary.from_counts(counts, size, at_least)
    known = vocabulary.words[3:]
    assert len(known) == min(size, sum(count >= at_least for count in counts.values()))
    unknown = [count for word, count in counts.items() if word not in vocabulary]
    for word in known:
        assert counts[word] >= at_least
        assert counts[word] >= max((count for count in unknown if count >= at_least), default=0)
    assert Vocabulary.from_dict(vocabulary.to_dict()) == vocabulary


def test_ids_and_oov_words() -> None:
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "to", "be"))
    assert (vocabulary.unk, vocabulary.bos, vocabulary.eos) == (0, 1, 2)
    assert vocabulary.encode(["to", "</s>", "or"]) == [3, 2, 0]
    assert vocabulary.index("be") == 4 and vocabulary.index("not") == 0
    assert len(vocabulary) == 5 and "be" in vocabulary and "not" not in vocabulary


def test_from_counts_ignores_special_tokens() -> None:
    assert Vocabulary.from_counts(Counter(["<s>", "a", "</s>", "<unk>"])).words == (*SPECIAL_TOKENS, "a")


@pytest.mark.parametrize("words", [("a",), (*SPECIAL_TOKENS, "a", "a"), ("<s>", "<unk>", "</s>")])
def test_missing_special_tokens_or_duplicates_are_errors(words: tuple[str, ...]) -> None:
    with pytest.raises(CheckpointError, match="distinct words"):
        Vocabulary(words)


@pytest.mark.parametrize("stored", [{}, {"kind": "characters", "words": []}, {"kind": "words"}])
def test_invalid_stored_values_are_an_error(stored: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="not a vocabulary"):
        Vocabulary.from_dict(stored)
