"""The recurrent language model: state, tied embeddings, dropout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.language.model import LanguageModel, log_probs

TOKENS = torch.randint(11, (3, 12), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("step", [1, 5])
def test_steps_equal_whole_sequence(cell: str, step: int) -> None:
    torch.manual_seed(0)
    model = LanguageModel(11, 6, 8, 2, cell=cell).double().eval()  # type: ignore[arg-type]
    whole, last = model(TOKENS)
    state: tuple[torch.Tensor, ...] = ()
    pieces = []
    for tokens in TOKENS.split(step, dim=1):
        scores, state = model(tokens, state)
        pieces.append(scores)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole)
    torch.testing.assert_close(state, last)


def test_equals_torch_layers() -> None:
    torch.manual_seed(0)
    model = LanguageModel(11, 6, 8, 2).double().eval()
    y = model.embedding(TOKENS)
    for layer in model.stack.layers:
        y, _ = layer.get_submodule("forward_layer")(y)
    expected = torch.nn.functional.linear(model.projection(y), model.embedding.weight, model.head.bias)
    torch.testing.assert_close(model(TOKENS)[0], expected)


def test_tied_embeddings_are_stored_once(tmp_path: Path) -> None:
    sizes = []
    for tied in True, False:
        model = LanguageModel(1000, 16, 8, 1, tied=tied)
        path = tmp_path / f"{tied}.safetensors"
        checkpoint.save(path, model.state_dict(), Header("language"))
        sizes.append(path.stat().st_size)
        fresh = LanguageModel(1000, 16, 8, 1, tied=tied)
        fresh.load_state_dict(checkpoint.load(path).weights)
        assert (fresh.head.weight is fresh.embedding.weight) == tied
        torch.testing.assert_close(fresh(TOKENS)[0], model(TOKENS)[0])
    assert 4 * 16 * 1000 <= sizes[1] - sizes[0] < 4 * 16 * 1000 + 200


def test_equal_sizes_need_no_projection() -> None:
    assert not list(LanguageModel(11, 8, 8, 1).projection.parameters())


def test_embedding_dropout_drops_whole_tokens() -> None:
    model = LanguageModel(11, 6, 8, 1, embedding_dropout=0.5, tied=False)
    torch.nn.init.ones_(model.embedding.weight)
    seen = []
    model.stack.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(TOKENS)
    for token in TOKENS.unique():
        features = seen[0][token == TOKENS]
        assert (features == 0).all() or (features == 2).all()
    model.eval()(TOKENS)
    assert (seen[1] == 1).all()


def test_log_probs_equal_torch() -> None:
    scores = torch.randn(3, 12, 11)
    loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), TOKENS.flatten(), reduction="sum")
    torch.testing.assert_close(-log_probs(scores, TOKENS).sum(), loss)
