"""ONNX graphs of the shared layers compared with torch, and checked by the `onnx` package."""

from __future__ import annotations

import io

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from audioseq.errors import CheckpointError
from audioseq.nn import RecurrentStack, Subsample
from audioseq.nn.cells import CELLS
from audioseq.runtime import graph as layers
from audioseq.runtime.graph import Graph
from audioseq.runtime.onnx_format import read_metadata
from audioseq.runtime.session import Session
from tests.arrays import to_arrays

Outputs = list[np.ndarray]


def run(graph: Graph, y: str, lengths: str, x: torch.Tensor, sizes: torch.Tensor) -> Outputs:
    """Run a graph of a layer on a padded batch."""
    graph.output("y", y, "float32", ["B", "T2", "F2"])
    graph.output("sizes", lengths, "int64", ["B"])
    content = graph.to_bytes({})
    onnx.checker.check_model(onnx.load_from_string(content))
    return Session(content, "a graph")(["y", "sizes"], {"x": x.numpy(), "lengths": sizes.numpy()})


def inputs(features: int, int8: bool = False) -> tuple[Graph, str, str]:
    """Return a graph with a padded batch as its inputs."""
    graph = Graph(int8=int8)
    return graph, graph.input("x", "float32", ["B", "T", features]), graph.input("lengths", "int64", ["B"])


def batch(lengths: list[int], features: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(len(lengths), max(lengths) + 1, features), torch.tensor(lengths)


@settings(deadline=None, max_examples=16)
@given(
    cell=st.sampled_from(list(CELLS)),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    bidirectional=st.booleans(),
    extras=st.booleans(),
)
def test_a_stack_equals_that_of_torch(
    cell: str, sizes: tuple[int, int, int], lengths: list[int], bidirectional: bool, extras: bool
) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, *sizes, bidirectional=bidirectional, layer_norm=extras, residual=extras)  # type: ignore[arg-type]
    for parameter in stack.parameters():  # biases and norms too
        nn.init.normal_(parameter, std=0.7)
    x, frames = batch(lengths, sizes[0])
    graph, name, length_name = inputs(sizes[0])
    y = layers.recurrent_stack(graph, name, length_name, to_arrays(stack), cell, residual=extras)
    found, _ = run(graph, y, length_name, x, frames)
    with torch.no_grad():
        expected, _ = stack.eval()(x, frames)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [(5,), (4, 6)])
def test_convolutions_equal_those_of_torch(channels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module = Subsample(3, channels)
    x, frames = batch([1, 2, 7, 30], 3)
    graph, name, length_name = inputs(3)
    found, sizes = run(graph, *layers.subsample(graph, name, length_name, to_arrays(module)), x, frames)
    with torch.no_grad():
        expected, expected_sizes = module(x, frames)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)
    assert sizes.tolist() == expected_sizes.tolist()


def test_integers_are_close_to_floats() -> None:
    torch.manual_seed(0)
    stack, head = RecurrentStack("lstm", 20, 64, 1, bidirectional=True), nn.Linear(128, 7)
    x, frames = batch([30, 11], 20)
    results = []
    for int8 in (False, True):
        graph, name, length_name = inputs(20, int8)
        y = layers.recurrent_stack(graph, name, length_name, to_arrays(stack), "lstm", residual=False)
        y = layers.linear(graph, y, to_arrays(head))
        results.append(run(graph, y, length_name, x, frames)[0])
    floats, integers = results
    assert 0 < np.abs(floats - integers).max() < 0.06 * floats.std()


def test_frames_are_stacked_with_zeros_at_the_end() -> None:
    x, frames = batch([6, 4], 2)
    graph, name, length_name = inputs(2)
    y, lengths = layers.stack_frames(graph, name, length_name, 3, 2)
    found, sizes = run(graph, y, lengths, x, frames)
    np.testing.assert_array_equal(found.reshape(2, 9, 2)[:, :7], x.numpy())
    assert not found.reshape(2, 9, 2)[:, 7:].any() and sizes.tolist() == [2, 2]


def test_metadata_is_read_without_the_graph() -> None:
    texts = {"format": "audioseq/1", "card": "Müller & 李 " * 500, "empty": ""}
    graph = Graph()
    graph.output("y", graph.constant(np.ones(3, np.float32)), "float32", [3])
    content = graph.to_bytes(texts)
    assert read_metadata(io.BytesIO(content)) == texts
    assert {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props} == texts
    other = onnx.load_from_string(content)
    other.producer_name = "pytorch"
    assert read_metadata(io.BytesIO(other.SerializeToString())) is None
    for size in range(12, 5000, 97):  # within the second text
        with pytest.raises(ValueError):
            read_metadata(io.BytesIO(content[:size]))


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(100)])
def test_a_damaged_graph_is_an_error(content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"a\.onnx: is damaged or not a model file"):
        Session(content, "a.onnx")
