"""The network in ONNX Runtime gives the scores of the network in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audioseq import checkpoint
from audioseq.errors import CheckpointError
from audioseq.language.punctuation.graph import OnnxModel
from audioseq.language.punctuation.model import build
from audioseq.language.punctuation.pipeline import load_punctuator
from tests.language.punctuation.tiny import TOKENIZER, config, save


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_both_runtimes_give_the_same_scores(tmp_path: Path, cell: str) -> None:
    made, stored = config(cell=cell), checkpoint.load(save(tmp_path / "tiny.safetensors", cell=cell))
    rows = [[[1, 2], [3], []], [[4, 5, 6, *[7] * 20]], [[2]] * 40]
    pauses = [[0.0, 0.5, float("nan")], None, [0.2] * 40]
    found = OnnxModel(made, stored).score_rows(rows, pauses)
    expected = stored.restore(lambda: build(made, TOKENIZER.size)).eval().score_rows(rows, pauses)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        for row, text in enumerate(rows):  # the scores of the padding do not matter
            # With the large weights of the tiny model, a simple recurrent network amplifies rounding.
            np.testing.assert_allclose(one[row, : len(text)], other[row, : len(text)], rtol=1e-4, atol=0.02)


def test_weights_that_do_not_match_the_config_are_an_error(tmp_path: Path) -> None:
    path = save(tmp_path / "tiny.safetensors")
    stored = checkpoint.load(path)
    for name in ("head.weight", "stack.layers.0.forward_layer.weight_hh_l0", "pause_embedding.weight"):
        weights = dict(stored.weights)
        weights[name] = weights[name][:, :2].contiguous()
        checkpoint.save(path, weights, stored.header)
        with pytest.raises(CheckpointError, match=r"tiny\.safetensors"):
            load_punctuator(path, "cpu")
