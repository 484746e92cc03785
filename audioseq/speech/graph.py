"""The acoustic model as an ONNX graph: waveforms to log-probabilities of tokens, without torch.

The graph computes the same as `AcousticModel.compute_emissions`: log-mel features, both passes of a model
with a phone-to-grapheme (p2g) decoder, and each recording of a padded batch exactly as alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from audioseq.audio import SAMPLE_RATE
from audioseq.audio.mel import F_MAX, F_MIN, LOG_OFFSET, N_FFT, WIN_LENGTH, mel_filters
from audioseq.runtime.graph import (
    Graph,
    Weights,
    clear,
    linear,
    log_softmax,
    recurrent_stack,
    select,
    stack_frames,
    subsample,
)
from audioseq.speech.config import (
    PHONE_TEMPERATURE,
    SECOND_PASS_SHIFT_FRAMES,
    ModelConfig,
    SpeechConfig,
)

WAVEFORMS, LENGTHS, LOG_PROBS, FRAMES = "waveforms", "lengths", "log_probs", "frames"
"""Names of the inputs, float32 `[B, N]` and int64 `[B]` in samples at 16 kHz, and of the outputs, float32
`[B, T', V]` and int64 `[B]`."""


def build_graph(
    config: SpeechConfig, weights: Weights, metadata: Mapping[str, str], *, int8: bool = False
) -> bytes:
    """Return the content of an ONNX file.

    Args:
        config: of the model.
        weights: by the names of the torch model.
        metadata: texts to store in the file.
        int8: see `Graph`.
    Raises:
        KeyError, ValueError, IndexError: the weights do not match the config.
    """
    check_sizes(config.model, weights)
    model, graph = config.model, Graph(int8=int8)
    waveforms = graph.input(WAVEFORMS, "float32", ["B", "N"])
    samples = graph.input(LENGTHS, "int64", ["B"])
    frames = graph.op(
        "Add", graph.op("Div", samples, graph.constant([model.hop_length])), graph.constant([1])
    )
    x = log_mel(graph, waveforms, samples, model, select(weights, "log_mel."))
    lengths = frames
    if model.p2g_layers:
        x, lengths = _both_passes(graph, clear(graph, x, frames), frames)
    x, lengths = subsample(graph, x, lengths, select(weights, "subsample."))
    x = _stack(graph, x, lengths, weights, "lower", model)
    width = 2 * model.lower_size if model.bidirectional else model.lower_size
    x, stacked_lengths = stack_frames(graph, x, lengths, model.frame_stacking, width)
    x = _stack(graph, x, stacked_lengths, weights, "upper", model)
    if model.p2g_layers:
        x, lengths, stacked_lengths = _decode_phones(graph, x, lengths, weights, model)
    fine = not config.subwords
    x = head(graph, x, weights, "head", model.frame_stacking if fine else 1)
    graph.output(
        LOG_PROBS,
        log_softmax(graph, x),
        "float32",
        ["B", "T", len(weights["head.linear.bias"]) // (model.frame_stacking if fine else 1)],
    )
    graph.output(FRAMES, lengths if fine else stacked_lengths, "int64", ["B"])
    return graph.to_bytes(metadata)


def check_sizes(model: ModelConfig, weights: Weights) -> None:
    """Check that the sizes in a config are those of the weights, from which the graph is built.

    Raises:
        KeyError, ValueError: a weight is missing, or has another size.
    """
    directions = 2 if model.bidirectional else 1
    units = len(weights["phone_head.linear.bias"]) if model.p2g_layers else 0  # of a stacked frame
    stacks = {
        "lower": (model.channels[-1], model.lower_size, model.lower_layers),
        "upper": (directions * model.lower_size * model.frame_stacking, model.upper_size, model.upper_layers),
        "p2g_decoder": (units, model.p2g_size, model.p2g_layers),
    }
    for name, (inputs, size, layers) in stacks.items():
        for i in range(layers):
            shape = weights[f"{name}.layers.{i}.forward_layer.weight_ih_l0"].shape
            hidden = weights[f"{name}.layers.{i}.forward_layer.weight_hh_l0"].shape[1]
            if (shape[1], hidden) != (inputs if i == 0 else directions * size, size):
                raise ValueError(f"sizes of {name}")
        if f"{name}.layers.{layers}.forward_layer.weight_ih_l0" in weights:
            raise ValueError(f"layers of {name}")
    for i, channels in enumerate(model.channels):
        if weights[f"subsample.convolutions.{i}.weight"].shape[0] != channels:
            raise ValueError("channels")


def frame_seconds(config: SpeechConfig) -> float:
    """Return the seconds between output frames."""
    stacked = config.model.frame_stacking if config.subwords else 1
    return config.model.hop_length * (1 << len(config.model.channels)) * stacked / SAMPLE_RATE


def log_mel(graph: Graph, waveforms: str, samples: str, model: ModelConfig, weights: Weights) -> str:
    """Compute normalised log-mel energies `[B, T, F]` as `audio.features.LogMel`.

    The Fourier transform of the frames is a convolution with windowed sines and cosines. It is more than ten
    times slower than a fast Fourier transform, which still is only a tenth of the network, and runs as one
    matrix product.
    """
    x = clear(graph, graph.op("Unsqueeze", waveforms, graph.constant([2])), samples)
    x = graph.op("Transpose", x, perm=[0, 2, 1])
    time, bins = np.arange(WIN_LENGTH), np.arange(N_FFT // 2 + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / WIN_LENGTH)
    waves = window * np.exp(-2j * np.pi / N_FFT * bins[:, None] * time)
    kernels = np.concatenate([waves.real, waves.imag])[:, None].astype(np.float32)
    half = WIN_LENGTH // 2
    spectrum = graph.op("Conv", x, graph.constant(kernels), strides=[model.hop_length], pads=[half, half])
    squares = graph.op("Mul", spectrum, spectrum)
    # The filters sum up the squares of the real and the imaginary parts.
    filters = mel_filters(N_FFT, model.n_mels, F_MIN, F_MAX, SAMPLE_RATE).T
    energies = graph.op("MatMul", graph.constant(np.concatenate([filters, filters], axis=1)), squares)
    logarithms = graph.op("Log", graph.op("Add", energies, graph.constant(LOG_OFFSET)))
    centred = graph.op(
        "Sub", graph.op("Transpose", logarithms, perm=[0, 2, 1]), graph.constant(weights["mean"])
    )
    return graph.op("Div", centred, graph.constant(weights["std"]))


def _both_passes(graph: Graph, x: str, frames: str) -> tuple[str, str]:
    """Return the batch, followed by the same batch delayed by the shift, and the lengths of both."""
    shift = SECOND_PASS_SHIFT_FRAMES
    first = graph.op("Pad", x, graph.constant([0, 0, 0, 0, shift, 0]))
    second = graph.op("Pad", x, graph.constant([0, shift, 0, 0, 0, 0]))
    delayed = graph.op("Add", frames, graph.constant([shift]))
    return graph.op("Concat", first, second, axis=0), graph.op("Concat", frames, delayed, axis=0)


def _decode_phones(
    graph: Graph, x: str, lengths: str, weights: Weights, model: ModelConfig
) -> tuple[str, str, str]:
    """Average the phone probabilities of both passes, and run the p2g decoder.

    Returns:
        the output of the decoder, and the lengths before and after the stacking of frames.
    """
    phones = log_softmax(graph, head(graph, x, weights, "phone_head", model.frame_stacking))
    units = len(weights["phone_head.linear.bias"]) // model.frame_stacking
    both = graph.constant([2])
    rows = graph.op("Div", graph.op("Shape", lengths), both)
    first, second, lengths = (
        graph.op("Slice", value, *bounds, graph.constant([0]))
        for value, bounds in (
            (phones, (graph.constant([0]), rows)),
            (phones, (rows, graph.constant([2**31]))),
            (lengths, (graph.constant([0]), rows)),
        )
    )
    mean = graph.op(
        "Log",
        graph.op(
            "Mul", graph.op("Add", graph.op("Exp", first), graph.op("Exp", second)), graph.constant(0.5)
        ),
    )
    x = graph.op("Softmax", graph.op("Mul", mean, graph.constant(1 / PHONE_TEMPERATURE)), axis=-1)
    x, stacked = stack_frames(graph, clear(graph, x, lengths), lengths, model.frame_stacking, units)
    return _stack(graph, x, stacked, weights, "p2g_decoder", model), lengths, stacked


def _stack(graph: Graph, x: str, lengths: str, weights: Weights, name: str, model: ModelConfig) -> str:
    return recurrent_stack(graph, x, lengths, select(weights, f"{name}."), model.cell, residual=True)


def head(graph: Graph, x: str, weights: Weights, name: str, frames: int) -> str:
    """Compute the scores of `audioseq.nn.FrameHead`, several frames per step."""
    layer = select(weights, f"{name}.linear.")
    scores = linear(graph, x, layer)
    if frames == 1:
        return scores
    return graph.op("Reshape", scores, graph.constant([0, -1, len(layer["bias"]) // frames]))
