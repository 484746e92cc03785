"""Errors of a recogniser and pauses in training texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.errors import DataError
from audioseq.language.punctuation.augment import MAX_ERROR_RATE, RecogniserErrors, read_errors, read_pauses
from audioseq.language.punctuation.books import Labels
from audioseq.language.punctuation.labels import NAMES

WORDS = ["the", "cat", "kitten", "sat", "set", "mr", "mister", "um"]
COUNTS = {"substitution": 2, "deletion": 1, "insertion": 1}


def text(words: list[int], cases: list[int], marks: list[int]) -> Labels:
    return Labels(np.array(words, np.int32), np.array(cases), np.array(marks))


def errors(**counts: int) -> RecogniserErrors:
    counts = {"substitution": 0, "deletion": 0, "insertion": 0, **counts}
    return RecogniserErrors(counts, {"cat": ["kitten"]}, ["um"], WORDS)


def corrupt(kind: str, original: Labels, seed: int) -> Labels:
    return errors(**{kind: 1}).corrupt(original, np.random.default_rng(seed))


def test_the_rate_and_the_kinds_of_errors() -> None:
    original = text([1] * 4000, [0] * 4000, [0] * 4000)
    rates = []
    for seed in range(60):
        found = errors(**COUNTS).corrupt(original, np.random.default_rng(seed))
        kittens, inserted = (int((found.words == WORDS.index(word)).sum()) for word in ("kitten", "um"))
        deleted = len(original) + inserted - len(found)
        rates.append((kittens / 4000, deleted / 4000, inserted / 4000))
    mean = np.mean(rates, 0)
    assert mean == pytest.approx(MAX_ERROR_RATE / 2 * np.array([0.5, 0.25, 0.25]), rel=0.25)
    assert max(map(sum, rates)) < MAX_ERROR_RATE * 1.1


@given(st.integers(0, 500), st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=12))
def test_marks_survive_deletions_and_insertions(seed: int, marks: list[int]) -> None:
    original = text([0] * len(marks), [0] * len(marks), marks)
    found = corrupt("insertion", original, seed)
    assert [mark for mark in found.marks if mark] == [mark for mark in marks if mark]
    inserted = found.words == WORDS.index("um")
    assert not found.cases[inserted].any()
    kept = corrupt("deletion", original, seed)
    assert 1 <= len(kept) <= len(marks)
    rest = iter(marks)
    assert all(mark in rest for mark in kept.marks.tolist() if mark)  # in order


def test_a_sentence_still_begins_with_a_capital() -> None:
    original = text([0, 1, 3] * 2, [1, 0, 0] * 2, [0, 0, 2] * 2)
    for seed in range(40):
        for kind in "substitution", "deletion":
            found = corrupt(kind, original, seed)
            starts = [0, *(np.flatnonzero(found.marks[:-1] == 2) + 1)]
            assert all(found.cases[start] == 1 for start in starts)


def test_words_become_those_of_similar_sound_and_abbreviations_are_spelled_out() -> None:
    seen = set()
    for seed in range(60):
        found = corrupt("substitution", text([3, 5], [0, 1], [0, 0]), seed)
        seen.add(WORDS[found.words[0]])
        assert WORDS[found.words[1]] in ("mister", "mr")
    assert seen == {"sat", "set"}


def test_pauses_are_those_after_each_mark(tmp_path: Path) -> None:
    path = tmp_path / "pauses.json"
    path.write_text(json.dumps({"none": [0.0, 0.1], "comma": [10.0], "full stop": [100.0]}))
    pauses = read_pauses(path)
    found = pauses.draw([0, 1, 2, 3] * 50, np.random.default_rng(1))
    tempo = found[1] / 10
    assert found[1::4] == pytest.approx([10 * tempo] * 50)
    assert found[2::4] == pytest.approx([100 * tempo] * 50)
    assert {round(pause / tempo, 6) for pause in found[::4]} == {0.0, 0.1}
    assert len({round(pause / tempo, 6) for pause in found[3::4]}) == 4  # a mark without pauses: those of all


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"counts": {}}', '{"counts": {}, "confusions": 1, "inserted": []}']
)
def test_a_damaged_table_is_an_error_of_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "errors.json").write_text(content)
    with pytest.raises(DataError, match=r"errors\.json: is no.*; write it with prepare") as caught:
        read_errors(tmp_path / "errors.json", WORDS)
    assert "\n" not in str(caught.value)
