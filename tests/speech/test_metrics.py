from __future__ import annotations

import math

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.metrics import (
    ErrorRate,
    UtteranceResult,
    align_texts,
    char_errors,
    format_alignment,
    substitutions,
    word_errors,
    worst,
)

Texts = st.lists(st.sampled_from(["a", "b", "cat", "hat"]), max_size=6).map(" ".join)
Pairs = st.lists(st.tuples(Texts.filter(bool), Texts), min_size=1, max_size=5)


def named(*pairs: tuple[str, str]) -> list[UtteranceResult]:
    return [UtteranceResult(str(number), *pair) for number, pair in enumerate(pairs)]


@settings(deadline=None, max_examples=100)
@given(Pairs)
def test_error_rates_of_a_set_equal_those_of_jiwer(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    words, chars = word_errors(named(*pairs)), char_errors(named(*pairs))
    by_words = jiwer.process_words(references, hypotheses)
    by_chars = jiwer.process_characters(references, hypotheses)

    assert words.rate == pytest.approx(by_words.wer)
    assert words.errors == by_words.substitutions + by_words.deletions + by_words.insertions
    assert words.length == by_words.hits + by_words.substitutions + by_words.deletions
    assert chars.rate == pytest.approx(by_chars.cer)


@settings(deadline=None, max_examples=100)
@given(Texts, Texts)
def test_an_alignment_has_both_texts_and_the_fewest_edits(reference: str, hypothesis: str) -> None:
    edits = align_texts(reference.split(), hypothesis.split())
    errors = ErrorRate()
    errors.add(reference.split(), hypothesis.split())

    assert [edit.reference for edit in edits if edit.mark != "I"] == reference.split()
    assert [edit.hypothesis for edit in edits if edit.mark != "D"] == hypothesis.split()
    assert all((edit.reference == edit.hypothesis) == (edit.mark == " ") for edit in edits)
    marks = [edit.mark for edit in edits]
    assert [marks.count(mark) for mark in "SDI"] == [
        errors.substitutions,
        errors.deletions,
        errors.insertions,
    ]


def test_the_rate_of_an_empty_reference() -> None:
    assert ErrorRate().rate == 0
    assert word_errors(named(("", ""))).rate == 0
    assert word_errors(named(("", "a"))).rate == math.inf
    assert word_errors(named(("", "a"), ("b c", "b c"))).rate == 0.5


def test_an_alignment_is_formatted_with_its_marks() -> None:
    assert format_alignment("the cat sat on it", "the a cat saturday it").splitlines() == [
        "ref  the * cat sat      on it",
        "hyp  the a cat saturday ** it",
        "         I     S        D",
    ]
    assert format_alignment("a b", "a b") == "ref  a b\nhyp  a b"
    assert format_alignment("", "a") == "ref  *\nhyp  a\n     I"
    assert format_alignment("", "") == "ref\nhyp"


def test_columns_are_aligned_with_accents_and_wide_characters() -> None:
    assert format_alignment("日本 x", "e\u0301 y").splitlines() == [
        "ref  日本 x",
        "hyp  e\u0301    y",
        "     S    S",
    ]


def test_substitutions_are_counted() -> None:
    table = substitutions(named(("the cat", "the hat"), ("a cat sat", "a hat"), ("and then", "an then")))
    assert table.most_common(1) == [(("cat", "hat"), 2)]
    assert table.total() == 3


def test_the_worst_utterances_come_first_and_longer_before_shorter() -> None:
    results = named(("a b", "a b"), ("a", "b"), ("a b c", "x y z"), ("a b", "a c"))
    assert [(rate, result.name) for rate, result in worst(results, 3)] == [(1.0, "2"), (1.0, "1"), (0.5, "3")]
