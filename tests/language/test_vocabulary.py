"""Words and ids."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.errors import CheckpointError
from audioseq.language.vocabulary import MARKS, Vocabulary


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 9)), st.integers(0, 9), st.integers(1, 9))
def test_the_most_frequent_words_are_known(counts: dict[str, int], size: int, at_least: int) -> None:
    vocabulary = Vocabulary.from_counts(counts, size, at_least)
    known = vocabulary.words[3:]
    assert len(known) == min(size, sum(count >= at_least for count in counts.values()))
    unknown = [count for word, count in counts.items() if word not in vocabulary]
    for word in known:
        assert counts[word] >= at_least
        assert counts[word] >= max((count for count in unknown if count >= at_least), default=0)
    assert Vocabulary.from_dict(vocabulary.to_dict()) == vocabulary


def test_ids_are_places_and_others_are_unknown() -> None:
    vocabulary = Vocabulary((*MARKS, "to", "be"))
    assert (vocabulary.unk, vocabulary.bos, vocabulary.eos) == (0, 1, 2)
    assert vocabulary.encode(["to", "</s>", "or"]) == [3, 2, 0]
    assert vocabulary.index("be") == 4 and vocabulary.index("not") == 0
    assert len(vocabulary) == 5 and "be" in vocabulary and "not" not in vocabulary


def test_marks_in_a_text_are_no_words() -> None:
    assert Vocabulary.from_counts(Counter(["<s>", "a", "</s>", "<unk>"])).words == (*MARKS, "a")


@pytest.mark.parametrize("words", [("a",), (*MARKS, "a", "a"), ("<s>", "<unk>", "</s>")])
def test_a_vocabulary_without_marks_or_with_a_word_twice_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(CheckpointError, match="distinct words"):
        Vocabulary(words)


@pytest.mark.parametrize("stored", [{}, {"kind": "characters", "words": []}, {"kind": "words"}])
def test_another_description_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="no vocabulary"):
        Vocabulary.from_dict(stored)
