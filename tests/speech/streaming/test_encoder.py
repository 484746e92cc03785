"""Emissions of a stream compared with those of the whole recording."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.config import DataConfig, ModelConfig, SpeechConfig
from audioseq.speech.model import AcousticModel
from audioseq.speech.stream_graph import OnnxWindowModel
from audioseq.speech.streaming.encoder import StreamingEncoder, maximum_delay
from audioseq.speech.streaming.options import Latency
from audioseq.speech.windows import WindowModel


def make(fine: bool = True, **options: Any) -> tuple[SpeechConfig, AcousticModel]:
    torch.manual_seed(0)
    config = SpeechConfig(
        subwords=0 if fine else 30,
        data=DataConfig(train=(), valid=()),
        model=ModelConfig.model_validate({**SIZES, **options}),
    )
    model = AcousticModel(9, 7, fine=fine, **config.model.model_dump()).eval()
    model.log_mel.set_statistics(torch.full((12,), -9.0), torch.full((12,), 2.0))
    return config, model


SIZES = {
    "n_mels": 12, "channels": (6, 8), "lower_layers": 1, "lower_size": 6, "upper_layers": 2, "upper_size": 5
}  # fmt: skip
NAMED = {
    "fine": make(),
    "phones": make(fine=False, p2g_layers=2, p2g_size=4, hop_length=112),
    "unidirectional": make(fine=False, bidirectional=False, frame_stacking=3),
    "one convolution": make(channels=(6,), frame_stacking=1),
    "GRU": make(cell="gru"),
}
MODELS = {name: model for name, (_, model) in NAMED.items()}


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def stream(model: WindowModel, waveform: np.ndarray, latency: Latency) -> np.ndarray:
    encoder = StreamingEncoder(model, latency)
    parts = []
    while (emissions := encoder.advance(waveform)) is not None:
        parts.append(emissions)
    if (emissions := encoder.finish(waveform)) is not None:
        parts.append(emissions)
    return np.concatenate(parts)


def offline(model: AcousticModel, waveform: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        features, frames = model.log_mel(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
        log_probs, lengths, *_ = model(features, frames)
    return log_probs[0, : int(lengths)].numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=12)
@given(samples=st.integers(1, 20_000), chunk=st.integers(1, 5))
def test_with_lookahead_to_the_end_the_emissions_are_those_of_the_recording(
    name: str, samples: int, chunk: int
) -> None:
    model, waveform = MODELS[name], noise(samples)
    expected = offline(model, waveform)
    # The unidirectional model needs no lookahead; a bidirectional one needs all of the recording.
    latency = Latency(chunk, 0 if name == "unidirectional" else 1_000)
    np.testing.assert_allclose(stream(model, waveform, latency), expected, atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_direction_continues_and_the_lookahead_brings_the_emissions_closer(name: str) -> None:
    model, waveform = MODELS[name], noise(40_000)
    expected = offline(model, waveform)
    errors = [np.abs(stream(model, waveform, Latency(2, ahead)) - expected).max() for ahead in (0, 4, 60)]
    assert errors[2] < 1e-3
    assert errors == sorted(errors, reverse=True) or errors[0] < 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_emissions_do_not_depend_on_later_samples(name: str) -> None:
    model, waveform = MODELS[name], noise(20_000)
    encoder = StreamingEncoder(model, Latency(2, 3))
    needed = encoder.samples_needed
    assert encoder.advance(waveform[: needed - 1]) is None
    now = encoder.advance(waveform[:needed])
    later = StreamingEncoder(model, Latency(2, 3)).advance(waveform)
    np.testing.assert_array_equal(now, later)
    assert maximum_delay(model, Latency(2, 3)) == needed / 16_000


def test_the_shipped_size_stays_below_600_ms() -> None:
    assert maximum_delay(MODELS["phones"], Latency()) <= 0.6


def test_an_empty_stream_has_no_emissions() -> None:
    assert StreamingEncoder(MODELS["fine"], Latency()).finish(np.zeros(0, np.float32)) is None


@pytest.mark.parametrize("name", NAMED)
def test_onnx_runtime_gives_the_emissions_of_torch(name: str) -> None:
    config, model = NAMED[name]
    onnx = OnnxWindowModel(config, model.weights(), "test")
    assert onnx.framing == model.framing
    for samples in (900, 12_345, 30_000):
        expected = stream(model, noise(samples), Latency(2, 3))
        np.testing.assert_allclose(stream(onnx, noise(samples), Latency(2, 3)), expected, atol=5e-5)


@pytest.mark.parametrize("change", [{"chunk_steps": 0}, {"lookahead_steps": -1}])
def test_impossible_windows_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs at least"):
        replace(Latency(), **change)
