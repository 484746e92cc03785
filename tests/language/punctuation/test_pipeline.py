"""Words and texts are written with marks and case, in windows, and otherwise unchanged."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import audioseq
from audioseq.errors import DataError
from audioseq.language.punctuation import pipeline
from audioseq.language.punctuation.labels import CASES, MARKS
from audioseq.language.punctuation.pipeline import Punctuator
from tests.language.punctuation.tiny import punctuator, save

WORDS = ["the", "cat", "sat", "on", "that", "flat", "hat", "mcdonald", "mr", "don't", "i", "it's", "zebra"]
BARE = re.compile(r"[^\w\s']")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Punctuator:
    return punctuator(tmp_path_factory.mktemp("both"))


def text_of(count: int, seed: int = 1) -> list[str]:
    return random.Random(seed).choices(WORDS, k=count)


def test_words_change_only_in_case_and_marks(tiny: Punctuator) -> None:
    words = text_of(300)
    written = tiny.punctuate(words)
    assert [BARE.sub("", each).strip().lower() for each in written] == words
    assert len({each for each in written if each.lower().startswith("cat")}) > 3
    assert set(tiny.punctuate(words, [0.0] * 300)) != set(written)


def test_the_texts_of_a_recogniser_may_be_empty_or_short(tiny: Punctuator) -> None:
    assert tiny.punctuate([]) == []
    assert tiny.punctuate([], []) == []
    assert tiny.punctuate_text("") == ""
    assert len(tiny.punctuate(["cat"], [0.3])) == 1
    with pytest.raises(DataError, match="2 words have 1 pauses; give one for each word"):
        tiny.punctuate(["the", "cat"], [0.1])


@pytest.mark.filterwarnings("ignore:words in another")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(
        st.one_of(
            st.sampled_from([*WORDS, "The", "cat,", "Mr.", "hat!", "–", "...", '"sat"', "1854", "McDonald?"]),
            st.text(alphabet="abI.,-–'\"1é ß\n", min_size=1, max_size=6),
        ),
        max_size=12,
    ).map(" ".join)
)
def test_punctuating_twice_equals_once(tiny: Punctuator, text: str) -> None:
    once = tiny.punctuate_text(text)
    assert tiny.punctuate_text(once) == once
    assert re.sub(r"[\s,.?!:;–]+", "", once.lower()) == re.sub(r"[\s,.?!:;–]+", "", text.lower())


def test_punctuated_texts_and_white_space_are_kept(tiny: Punctuator) -> None:
    assert all(tiny.punctuate_text(word)[0] == word[0].upper() for word in WORDS)
    text = 'He said: "Come in."\n\n  and they came'
    assert tiny.punctuate_text(text) == text
    assert tiny.punctuate_text("the  cat\n sat").count("\n") == 1
    for word in "http://cat.org/hat", "cat@hat.org":
        assert word in tiny.punctuate_text(f"the {word} cat {word}").split()


def test_words_of_other_alphabets_are_left_with_one_warning(tmp_path: Path) -> None:
    model = punctuator(tmp_path)
    with pytest.warns(UserWarning, match="another alphabet .* 'привет'") as caught:
        assert model.punctuate(["the", "привет", "мир"])[1:] == ["привет", "мир"]
        model.punctuate_text("привет")
    assert len(caught) == 1


def test_windows_give_the_result_of_their_surroundings(
    tiny: Punctuator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word has the labels that the network gives it within its window and the context of the window."""
    monkeypatch.setattr(pipeline, "WINDOW_WORDS", 10)
    monkeypatch.setattr(pipeline, "CONTEXT_WORDS", 4)
    monkeypatch.setattr(pipeline, "BATCH_WINDOWS", 3)
    words = text_of(67)
    expected = []
    for start in range(0, 67, 10):
        first = max(0, start - 4)
        rows = [[tiny.tokenizer.encode(word) for word in words[first : start + 14]]]
        scores = tiny.model.score_rows(rows, [None])
        found = zip(scores.cases[0].argmax(1).tolist(), scores.marks[0].argmax(1).tolist(), strict=True)
        expected += list(found)[start - first :][:10]
    labels = list(tiny.label(words))
    stop = MARKS.index(".")
    starts = [False, *(mark == stop for _, mark in expected)]
    assert labels == [
        (case or int(start), mark) for (case, mark), start in zip(expected, starts, strict=False)
    ]
    assert len({case for case, _ in labels}) == len(CASES)
    assert len({mark for _, mark in labels}) >= len(MARKS) / 2
    changed = list(tiny.label([*words[:40], "zebra", *words[41:]]))
    assert changed[:30] == labels[:30]
    assert changed[50:] == labels[50:]


def test_a_long_text_is_written_in_parts(tiny: Punctuator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "WINDOW_WORDS", 10)
    monkeypatch.setattr(pipeline, "CONTEXT_WORDS", 4)
    monkeypatch.setattr(pipeline, "BATCH_WINDOWS", 3)
    words = [*text_of(100), "–", *text_of(20, 2)]
    read = 0

    def encode(word: str) -> list[int]:
        nonlocal read
        read += 1
        return tiny.tokenizer.encode(word)

    monkeypatch.setattr(tiny, "encode", encode)
    parts = list[str]()
    for part in tiny.punctuate_parts(" ".join(words) + "\n"):
        parts.append(part)
        written = len("".join(parts).replace(" –", "").split())
        assert read <= 2 * written + 3 * 10 + 4 + 10  # words are encoded once more when they are written
    assert len(parts) == 14
    assert "".join(parts).replace(" –", "").split() == [
        each for word in tiny.punctuate(words) for each in word.replace(" –", "").split() if each != "–"
    ]


def test_a_bias_changes_how_often_a_label_is_chosen(tiny: Punctuator) -> None:
    words = text_of(200)
    counts = []
    for bias in -50.0, 0.0, 50.0:
        biases = {"mark_bias": {"comma": bias}, "case_bias": {"upper": bias}}
        config = tiny.config.model_copy(update=biases)
        written = Punctuator(tiny.model, tiny.tokenizer, config, tiny.header).punctuate(words)
        counts.append((sum(each.endswith(",") for each in written), sum(each.isupper() for each in written)))
    assert counts[0][0] == 0 < counts[1][0] < counts[2][0] == 200
    assert counts[0][1] < counts[1][1] < counts[2][1] == 200


def test_names_are_written_alike_with_every_label(tiny: Punctuator) -> None:
    config = tiny.config.model_copy(update={"names": {"ipad": "iPad", "nasa": "NASA"}})
    model = Punctuator(tiny.model, tiny.tokenizer, config, tiny.header)
    words = ["ipad", "nasa's", "(nasa)", "the", "cat"] * 10
    written = {BARE.sub("", word).strip() for word in model.punctuate(words)}
    assert {word for word in written if word[:3].lower() not in ("the", "cat")} == {"iPad", "NASA's", "NASA"}
    once = model.punctuate_text("ipad http://nasa/ipad")
    assert once.endswith(" http://nasa/ipad") and model.punctuate_text(once) == once


def test_the_public_function_loads_a_model(tmp_path: Path) -> None:
    text = audioseq.punctuate("the cat sat", save(tmp_path / "tiny.safetensors"))
    assert BARE.sub("", text).lower().split() == ["the", "cat", "sat"]
