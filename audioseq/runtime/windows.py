"""Recurrent stacks over windows of a stream as ONNX graphs, with states as inputs and outputs."""

from __future__ import annotations

from audioseq.runtime.graph import (
    DIRECTIONS,
    Graph,
    RecurrentOperator,
    Weights,
    directions_last,
    run_layers,
    select,
)

STATE, NEXT_STATE = "state", "next_state"
"""Names of the states, with a number: inputs, and outputs after the window; float32 `[1, 1, H]`."""


class WindowStates:
    """The states of a graph: adds the inputs and outputs as layers ask for them, in the same order.

    Args:
        graph: the graph.
        cell: an LSTM has two states for each layer, other cells have one.
    """

    def __init__(self, graph: Graph, cell: str) -> None:
        self._graph, self._cell = graph, cell
        self.sizes: list[int] = []
        """Size H of each state."""

    def take(self, size: int) -> list[str]:
        """Add the inputs for the states of a layer."""
        names = []
        for _ in range(2 if self._cell == "lstm" else 1):
            names.append(self._graph.input(f"{STATE}{len(self.sizes)}", "float32", [1, 1, size]))
            self.sizes.append(size)
        return names

    def give(self, values: list[str]) -> None:
        """Add the outputs for the states of the layer whose inputs were taken last."""
        first = len(self.sizes) - len(values)
        for number, value in enumerate(values, first):
            self._graph.output(f"{NEXT_STATE}{number}", value, "float32", [1, 1, self.sizes[number]])


def recurrent_stack_window(
    graph: Graph, x: str, frames: str, states: WindowStates, weights: Weights, cell: str, *, residual: bool
) -> str:
    """Run a stack over a window as `audioseq.nn.RecurrentStack.window`: `[1, W, F]` to `[1, W, H]`.

    The forward direction runs once over the window, and once more over the frames before the lookahead, whose
    last state is that of the next window.

    Args:
        graph: the graph.
        x: the window `[1, W, F]`.
        frames: number of its frames before the lookahead, int64 `[1]`.
        states: states of all stacks.
        weights: of the stack.
        cell: as in `audioseq.nn`.
        residual: whether layers of equal input and output size add their input.
    """

    def run(x: str, layer: Weights) -> str:
        forward = select(layer, DIRECTIONS[0])
        size = forward["weight_hh_l0"].shape[1]
        initial = states.take(size)
        operator = RecurrentOperator(graph, [forward], cell, "forward")
        (y,) = operator(x, state=initial)
        begin = graph.op("Slice", x, graph.constant([0]), frames, graph.constant([0]))
        _, *last = operator(begin, state=initial, outputs=1 + len(initial))
        states.give(last)
        y = directions_last(graph, y, size)
        if not (backward := select(layer, DIRECTIONS[1])):
            return y
        (other,) = RecurrentOperator(graph, [backward], cell, "reverse")(x)
        return graph.op("Concat", y, directions_last(graph, other, size), axis=2)

    return run_layers(graph, x, weights, run, residual=residual)
