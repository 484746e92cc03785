"""Every word error has one type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.speech.evaluation.error_analysis import ERROR_TYPES, classify_errors
from audioseq.speech.metrics import UtteranceResult, word_errors

Text = st.lists(st.sampled_from(["a", "b", "ab", "abc", "xyz"]), max_size=6).map(" ".join)


@given(Text, Text)
def test_every_error_has_one_type(reference: str, hypothesis: str) -> None:
    result = UtteranceResult("", reference, hypothesis)
    found = classify_errors([result], {"a", "b", "ab"})
    assert found.total() == word_errors([result]).errors
    assert set(found) <= set(ERROR_TYPES)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("i may be", "i maybe", {"joined": 2}),
        ("tomorrow then", "to morrow then", {"joined": 2}),
        ("the colour", "the color", {"near": 1}),
        ("the cat", "the house", {"other": 1}),
        ("dr zork came", "dr came", {"unknown": 1}),
        ("he came in", "he came", {"deleted": 1}),
        ("he came", "he came in", {"inserted": 1}),
    ],
)
def test_types_of_example_errors(reference: str, hypothesis: str, expected: dict[str, int]) -> None:
    vocabulary = set(["i", "may", "be", "the", "colour", "cat", "dr", "came", "he", "in", "tomorrow", "then"])
    assert classify_errors([UtteranceResult("", reference, hypothesis)], vocabulary) == expected
