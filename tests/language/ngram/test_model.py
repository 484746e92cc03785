"""N-gram models: states, scores, perplexity, and the compact file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.errors import CheckpointError
from audioseq.language.ngram import binary
from audioseq.language.ngram.files import load_ngram, save_ngram
from audioseq.language.ngram.prune import by_loss
from tests.language.small import VOCABULARY, after, assert_normalised, contexts, random_model, random_text


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equal_states_have_equal_continuations(order: int) -> None:
    model = by_loss(random_model(order), 1e-3)
    by_state: dict[int, tuple[np.ndarray, tuple[str, ...]]] = {}
    for context in contexts(model):
        state = np.array([model.start])
        for word in context:
            _, state = model.step(state, np.array([VOCABULARY.index(word)]))
        probabilities = after(model, context)
        expected = by_state.setdefault(int(state[0]), (probabilities, context))[0]
        np.testing.assert_array_equal(expected, probabilities)
    assert len(by_state) <= 1 + sum(model.sizes[:-1])
    if order > 1:
        assert len(by_state) > 3


def test_batched_steps_equal_single_steps() -> None:
    model = random_model(3)
    states = np.array([model.start, 0, model.start, 4])
    words = np.array([3, 4, 5, 2])
    before = states.copy()
    batched = model.step(states, words)
    for row in range(len(states)):
        single = model.step(states[row : row + 1], words[row : row + 1])
        assert (single[0][0], single[1][0]) == (batched[0][row], batched[1][row])
    np.testing.assert_array_equal(states, before)  # the input is not modified
    assert batched[0].dtype == np.float32 and batched[1].dtype == np.int64


def test_predictions_equal_sentence_scores() -> None:
    model = random_model(3)
    found = model.predict(["a", "zebra"], 100)
    assert sorted(word for word, _ in found) == sorted(VOCABULARY.words[3:])
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    for word, probability in found:
        assert math.log(probability) == pytest.approx(model.score(["a", "zebra", word])[2], rel=1e-5)
    assert model.predict(["a", "zebra"], 2) == found[:2]


def test_perplexity_equals_mean_of_scores() -> None:
    model = random_model(3)
    text = [["a", "b"], [], ["zebra", "c"]]
    scores = [model.score(words) for words in text]
    assert [len(some) for some in scores] == [3, 1, 3]
    measured = model.perplexity(iter(text))
    every = [score for some in scores for score in some]
    known = [*scores[0], *scores[1], *scores[2][1:]]
    assert measured.perplexity_with_unknown == pytest.approx(math.exp(-np.mean(every)), rel=1e-5)
    assert measured.perplexity == pytest.approx(math.exp(-np.mean(known)), rel=1e-5)
    assert (measured.words, measured.unknown, measured.sentences) == (4, 1, 3)
    assert "1 of 4 words unknown (25.00%)" in measured.summary()


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_compact_file_round_trip(order: int, tmp_path: Path) -> None:
    model, text = by_loss(random_model(order), 1e-4), random_text(seed=1)
    save_ngram(tmp_path / "lm.safetensors", model, {"text": "letters"})
    again = load_ngram(tmp_path / "lm.safetensors")
    np.testing.assert_array_equal(again.keys, model.keys)
    assert again.sizes == model.sizes and again.vocabulary == model.vocabulary
    np.testing.assert_allclose(again.log_probs, model.log_probs, rtol=5e-3, atol=5e-2)
    assert again.perplexity(text).perplexity == pytest.approx(model.perplexity(text).perplexity, rel=1e-2)
    assert_normalised(again, tolerance=2e-2)
    assert checkpoint.read_header(tmp_path / "lm.safetensors").card == {"text": "letters"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.just(0.0) | st.floats(-20, -0.001), min_size=1, max_size=900))
def test_quantise_selects_the_nearest_level(values: list[float]) -> None:
    exact = np.array(values, np.float32)
    codes, levels = binary.quantise(exact)
    assert len(levels) <= 256
    distance = np.abs(exact[:, None] - levels[None]).min(1)
    np.testing.assert_allclose(np.abs(exact - levels[codes]), distance, atol=1e-6)
    assert (levels[codes][exact == 0] == 0).all()
    if len(np.unique(exact)) <= 256:
        np.testing.assert_array_equal(levels[codes], exact)


@pytest.mark.parametrize("order", [math.inf, 1e300, "a", None, []])
def test_a_damaged_order_is_an_error(order: object, tmp_path: Path) -> None:
    binary.save(tmp_path / "lm.safetensors", random_model(2))
    stored = checkpoint.load(tmp_path / "lm.safetensors")
    header = replace(stored.header, config={"order": order})
    checkpoint.save(tmp_path / "lm.safetensors", stored.weights, header)
    with pytest.raises(CheckpointError, match="damaged"):
        load_ngram(tmp_path / "lm.safetensors")


def test_perplexities_of_impossible_words_are_finite() -> None:
    model = random_model(3)
    damaged = replace(model, backoffs=model.backoffs - 1e30, log_probs=model.log_probs + 1e30)
    assert math.isfinite(model.perplexity([["a", "x"]]).perplexity)
    assert all(math.isfinite(value) for value in vars(damaged.perplexity([["a", "d"]])).values())
    assert all(math.isfinite(probability) for _, probability in damaged.predict(["a"], 3))


def test_model_of_another_task_is_an_error(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "m.safetensors", {}, Header("speech"))
    with pytest.raises(CheckpointError, match="for speech, not for ngram"):
        load_ngram(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocabulary", torch.tensor(list(b"a\na\nb"), dtype=torch.uint8)),
        ("vocabulary", torch.tensor([255], dtype=torch.uint8)),
        ("2.words", torch.full((999,), 3, dtype=torch.uint8)),
        ("2.words", None),
        ("1.children", torch.zeros(7, dtype=torch.uint8)),
        ("3.log_probs.levels", torch.zeros(1)),
        ("2.backoffs.levels", torch.full((256,), math.nan)),
        ("2.children", torch.full((999,), 2**40)),
        ("vocabulary", torch.zeros(7, dtype=torch.float8_e4m3fn)),
    ],
)
def test_damaged_file_is_an_error(name: str, value: torch.Tensor | None, tmp_path: Path) -> None:
    path = tmp_path / "lm.safetensors"
    binary.save(path, random_model(3))
    stored = checkpoint.load(path)
    tensors = {key: tensor for key, tensor in stored.weights.items() if key != name}
    checkpoint.save(path, tensors if value is None else tensors | {name: value}, stored.header)
    with pytest.raises(CheckpointError, match="damaged"):
        load_ngram(path)
