"""Names of earlier versions in model files, recipes and options are still read; current ones are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from audioseq import checkpoint
from audioseq.config import dump_toml, parse, resolve
from audioseq.errors import ConfigError
from audioseq.speech.config import SpeechConfig
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.decoding.weights import DecodingWeights, RescoringWeights
from audioseq.speech.model import build, load_acoustic_model
from audioseq.speech.pipeline import load_recogniser
from audioseq.text.subwords import restore_tokenizer
from audioseq.training.run import warm_start

DATA = Path(__file__).parents[1] / "data"
GOLDEN = DATA / "golden-speech-1.safetensors"
FORMER = {
    "spelling": {"sentences": 2},
    "data": {"train": [], "valid": []},
    "model": {"join": 3, "speller_layers": 1, "speller_size": 8},
    "smoke": {"model": {"speller_size": 4}},
}


def test_a_model_file_with_former_names_gives_the_same_emissions() -> None:
    recogniser = load_recogniser(GOLDEN, "cpu")
    waveform = (0.3 * np.sin(np.arange(8000) ** 2 / 20000)).astype(np.float32)
    network = load_acoustic_model(GOLDEN, "cpu")
    features = network.log_mel(torch.from_numpy(waveform)[None], torch.tensor([8000]))
    with torch.no_grad():
        emissions = network(*features)
    expected = json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))
    assert int(emissions.lengths) == len(expected)
    np.testing.assert_allclose(emissions.log_probs[0, : len(expected)], expected, atol=1e-2)
    decoder = recogniser.load_decoder(DecodingOptions())  # with `unknown` and `blank` of the card
    assert decoder.beam_decoder.weights == DecodingWeights(0.5, -0.5, -2.0, 3.0)
    assert decoder.rescoring_weights == RescoringWeights(0.5, -0.5, -2.0, gamma=0.25)


def test_a_model_file_with_former_names_is_a_warm_start_and_is_written_with_current_ones(
    tmp_path: Path,
) -> None:
    header = checkpoint.read_header(GOLDEN)
    config = parse(SpeechConfig, header.config, "golden")
    model = build(config, restore_tokenizer(header.tokenizer))
    assert "not copied" not in warm_start(GOLDEN, "speech", model)
    assert not any("speller" in name for name in checkpoint.load(GOLDEN).weights)
    text = dump_toml(config)
    assert not any(former in text for former in ("spelling", "speller", "join"))


def test_former_keys_of_a_recipe_its_smoke_table_and_its_overrides_are_read() -> None:
    config = resolve(
        SpeechConfig, FORMER, ["model.join=4", "spelling.sentences=5"], smoke=True, where="recipe"
    )
    assert config.text_only is not None and config.text_only.sentences == 5
    model = config.model
    assert (model.frame_stacking, model.p2g_layers, model.p2g_size) == (4, 1, 4)
    config = resolve(SpeechConfig, FORMER, ["model.frame_stacking=4"], smoke=False, where="recipe")
    assert (config.model.frame_stacking, config.model.p2g_size) == (4, 8)


def test_a_key_under_both_names_is_an_error() -> None:
    table = {**FORMER, "model": {"join": 3, "frame_stacking": 2}}
    with pytest.raises(ConfigError, match=r"recipe: model\.join: is unknown"):
        resolve(SpeechConfig, table, smoke=False, where="recipe")
