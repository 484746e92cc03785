"""Token streams, windows, carried state, and training of language models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from audioseq import checkpoint
from audioseq.errors import AudioseqError, ConfigError, DataError
from audioseq.language import pipeline
from audioseq.language.config import LanguageConfig
from audioseq.language.metrics import sentence_scores, word_perplexity
from audioseq.language.model import log_probs
from audioseq.language.task import LanguageTask, learn_units, read_text, train
from audioseq.training import fit
from audioseq.training.distributed import Group
from tests.language.tiny import TEXTS, UNITS, config
from tests.training.conftest import assert_same_result

KINDS = ["words", "subwords", "characters"]
TRAIN_TEXTS = TEXTS * 5


def task(kind: str = "characters", **training: Any) -> LanguageTask:
    """Return a task with given tokens."""
    return LanguageTask(config(**training), TRAIN_TEXTS, TEXTS, UNITS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_windows_contain_the_shuffled_sentences(kind: str) -> None:
    made = task(kind)
    orders = []
    for epoch in 0, 1, 0:
        windows = [made.collate(indices, epoch) for indices in made.plan(epoch)]
        assert [window.is_first for window in windows] == [True] + [False] * (len(windows) - 1)
        assert all(window.tokens.shape == (3, 4) for window in windows)
        streams = torch.cat([window.tokens for window in windows], dim=1)
        targets = torch.cat([window.targets for window in windows], dim=1)
        assert targets[:, :-1].equal(streams[:, 1:])
        assert targets[:-1, -1].equal(streams[1:, 0])
        orders.append(streams.flatten().tolist())
    assert orders[0] == orders[2] != orders[1]
    units, expected = UNITS[kind], sorted(UNITS[kind].encode(text) for text in TRAIN_TEXTS)
    ends = [index for index, token in enumerate(orders[0]) if token == units.end]
    found = [orders[0][start + 1 : end] for start, end in pairwise(ends)]
    assert ends[0] == 0
    assert all(sentence in expected for sentence in found)
    assert len(expected) - 3 <= len(found) <= len(expected)


def test_each_process_has_its_own_streams() -> None:
    made = task()
    for rank in 0, 1:
        shares = [Group(rank, 2, torch.device("cpu")).local_part(batch) for batch in made.plan(0)]
        windows = [made.collate(share, 0) for share in shares]
        assert all(a.targets[:, -1].equal(b.tokens[:, 0]) for a, b in pairwise(windows))


def test_windows_with_carried_state_equal_the_whole() -> None:
    """The losses of all windows sum to the loss of the streams; gradients stop at window boundaries."""
    made = task()
    model = made.model.double().eval()
    windows = [made.collate(indices, 0) for indices in made.plan(0)]
    parts = sum(made.loss(window, model).total.item() for window in windows)
    tokens = torch.cat([window.tokens for window in windows], dim=1)
    targets = torch.cat([window.targets for window in windows], dim=1)
    assert parts == pytest.approx(-log_probs(model(tokens)[0], targets).sum().item(), rel=1e-5)
    assert not any(part.requires_grad for part in made.carry)


def test_resumed_run_is_equal_bit_for_bit(tmp_path: Path) -> None:
    options: dict[str, Any] = {"save_every": 3, "validate_every": 0.5, "average": 2}
    whole = task(epochs=2.0, **options)
    fit(whole, whole.config.training, tmp_path / "whole", device="cpu")
    for epochs in 0.3, 1.4, 2.0:
        part = task(epochs=epochs, decay=0.0, **options)
        fit(part, part.config.training, tmp_path / "parts", resume=True, device="cpu")
    straight = task(epochs=2.0, decay=0.0, **options)
    fit(straight, straight.config.training, tmp_path / "straight", device="cpu")
    ends = [checkpoint.load(tmp_path / name / "last.safetensors").weights for name in ("parts", "straight")]
    assert all(ends[0][name].equal(ends[1][name]) for name in ends[0])
    again = task(epochs=2.0, **options)
    fit(again, again.config.training, tmp_path / "again", device="cpu")
    assert_same_result(tmp_path / "whole", tmp_path / "again")


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_perplexity(kind: str, tmp_path: Path) -> None:
    made = task(kind, epochs=12)
    before = made.validate(made.model.eval())["perplexity"]
    result = fit(made, made.config.training, tmp_path, device="cpu")
    assert result.metrics["perplexity"] < 0.8 * before
    text = "ab abc"
    assert pipeline.load_predictor(result.last).score([text]) == pytest.approx(
        [sum(sentence_scores(made.model, made.units, [text])[0])], rel=1e-5
    )


def test_perplexity_counts_words_and_sentence_ends() -> None:
    """Each token has -1 nat; a word has one token more than characters, and a sentence end is one token."""
    units = UNITS["characters"]
    scores = [[-1.0] * (len(units.encode(text)) + 1) for text in TEXTS]
    found = word_perplexity(units, TEXTS, scores)
    tokens, predicted = sum(map(len, scores)), sum(len(text.split()) + 1 for text in TEXTS)
    assert found.perplexity == pytest.approx(torch.tensor(tokens / predicted).exp().item())
    assert (found.words, found.sentences, found.unknown) == (predicted - len(TEXTS), len(TEXTS), 0)
    with_oov = word_perplexity(units, ["ab c"], [[-1, -2, -4, -8, -16]], {"ab"})
    assert with_oov.perplexity == pytest.approx(torch.tensor((1 + 2 + 16) / 2).exp().item())
    assert with_oov.perplexity_with_unknown == pytest.approx(torch.tensor(31 / 3).exp().item())
    assert with_oov.unknown == 1


def test_units_are_learnt() -> None:
    base = config()
    words = learn_units(base.model_copy(update={"words": 2}), TEXTS)
    assert words.to_dict()["words"] == ["<unk>", "<s>", "</s>", "ab", "abc"]
    assert learn_units(base.model_copy(update={"subwords": 10}), TEXTS).size == 10
    assert learn_units(base, TEXTS).size == 5


def test_texts_are_normalised(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Ab  c!\n\n\ncab\n")
    assert read_text([tmp_path / "text"], " abc") == ["ab c", "cab"]


def assert_one_line(caught: pytest.ExceptionInfo[AudioseqError]) -> None:
    assert "\n" not in str(caught.value)


def test_too_little_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.streams") as caught:
        LanguageTask(config(), ["ab"], ["ab"], UNITS["characters"])
    assert_one_line(caught)
    with pytest.raises(DataError, match="no sentences") as caught:
        LanguageTask(config(), [], ["ab"], UNITS["characters"])
    assert_one_line(caught)
    recipe = tmp_path / "config.toml"
    recipe.write_text('[data]\ntrain = ["none.txt"]\nvalid = ["none.txt"]\n')
    with pytest.raises(DataError, match=r"none\.txt: cannot be read") as caught:
        train(recipe, run_dir=tmp_path / "run")
    assert_one_line(caught)


def test_words_and_subwords_are_exclusive(tmp_path: Path) -> None:
    recipe = tmp_path / "config.toml"
    recipe.write_text('words = 3\nsubwords = 40\n[data]\ntrain = ["a"]\nvalid = ["a"]\n')
    with pytest.raises(ConfigError, match="not both") as caught:
        train(recipe, run_dir=tmp_path / "run")
    assert_one_line(caught)
    assert LanguageConfig.model_validate({"data": {"train": (), "valid": ()}}).words == 0
