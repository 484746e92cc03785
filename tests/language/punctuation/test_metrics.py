"""F1 of marks and capitals, against scikit-learn's definition written out, and on recognised words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.language.punctuation.labels import MARKS, NAMES, LabelledWord, read_labels
from audioseq.language.punctuation.metrics import Score, transfer_labels

LABELS = st.tuples(st.integers(0, 2), st.integers(0, len(NAMES) - 1))


@given(st.lists(st.tuples(LABELS, LABELS), max_size=30))
def test_f1_is_the_harmonic_mean(pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    score = Score()
    score.add([LabelledWord("cat", *reference, "") for reference, _ in pairs], [found for _, found in pairs])
    for mark, name in enumerate(NAMES[1:], 1):
        reference = {i for i, pair in enumerate(pairs) if pair[0][1] == mark}
        found = {i for i, pair in enumerate(pairs) if pair[1][1] == mark}
        row = score.labels[name].to_dict()
        if reference and found and reference & found:
            precision = len(reference & found) / len(found)
            recall = len(reference & found) / len(reference)
            assert row["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-4)
        elif reference or found:
            assert row["f1"] == 0


def test_the_pronoun_does_not_count_as_a_capital() -> None:
    score = Score()
    score.add(list(read_labels("I'm sure I saw Anna.")), [(1, 0), (0, 0), (1, 0), (0, 0), (1, 2)])
    assert score.labels["title"].reference == score.labels["title"].correct == 1
    assert score.macro_f1 == 1.0
    assert score.to_dict()["full stop"]["count"] == 1


def test_marks_of_missing_words_move_to_the_word_before() -> None:
    reference = list(read_labels("He came, saw, and won! Yes."))
    found = transfer_labels(reference, ["he", "came", "oh", "and", "one"])
    assert [MARKS[word.mark] for word in found] == ["", ",", ",", "", "!"]
    assert [word.word for word in transfer_labels(reference, ["cat"])] == ["cat"]
    assert transfer_labels(reference, []) == []
