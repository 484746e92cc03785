"""Looking inside a recurrent network: how far back its gradient reaches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from audioseq.nn.recurrent import Recurrent, RecurrentStack, State


def last_output(y: Tensor) -> Tensor:
    """Return the sum of squares of the last frame of `y` `[B, T, H]`: a loss that asks for memory."""
    return y[:, -1].square().sum()


def gradient_norms(
    model: Recurrent | RecurrentStack, x: Tensor, loss: Callable[[Tensor], Tensor] = last_output
) -> Tensor:
    """Measure how strongly a loss depends on what a network remembered at each frame: ‖∂loss/∂h_t‖.

    The fused kernels keep h_t to themselves, so the network is stepped frame by frame and the gradient of
    each h_t, through its frame's output and through all later frames, is collected. In a plain RNN it
    shrinks geometrically away from the loss; in an LSTM the cell state carries it. Source: Hochreiter 1991;
    Bengio et al. 1994, "Learning long-term dependencies with gradient descent is difficult".

    Args:
        model: a layer or a stack that is not bidirectional; of a stack, the hidden states of the last layer
            count.
        x: inputs `[B, T, F]`, all frames valid.
        loss: from the outputs `[B, T, H]` to a scalar.
    Returns:
        norms `[T]`, averaged over the batch.
    Raises:
        ValueError: when the model is bidirectional: its hidden states are no steps through time.
    Example:
        >>> norms = gradient_norms(Recurrent("rnn_tanh", 1, 8), torch.zeros(2, 50, 1))
        >>> norms.shape
        torch.Size([50])
    """
    layer = model if isinstance(model, Recurrent) else model.layers[-1]
    hidden: list[Tensor] = []

    def share(module: nn.Module, args: object, result: tuple[Tensor, State | None]) -> tuple[Tensor, State]:
        """Let the frame's output be the very tensor that the next frame starts from."""
        state = result[1]
        if state is None:
            raise ValueError("gradient_norms needs a network that is not bidirectional")
        h = state if isinstance(state, Tensor) else state[0]
        hidden.append(h)
        return h.unsqueeze(1), state

    hook = layer.register_forward_hook(share)
    try:
        with torch.enable_grad():
            outputs, state = [], None
            for frame in torch.split(x, 1, dim=1):
                y, state = model(frame, None, state)
                outputs.append(y)
            gradients = torch.autograd.grad(loss(torch.cat(outputs, dim=1)), hidden)
    finally:
        hook.remove()
    return torch.stack([gradient.norm(dim=1).mean() for gradient in gradients])
