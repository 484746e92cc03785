"""Inspection of recurrent networks: gradient norms over time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from audioseq.nn.recurrent import Recurrent, RecurrentStack, State


def last_frame_loss(y: Tensor) -> Tensor:
    """Return the sum of squares of the last frame of `y` `[B, T, H]`, a loss that requires memory."""
    return y[:, -1].square().sum()


def gradient_norms(
    model: Recurrent | RecurrentStack, x: Tensor, loss: Callable[[Tensor], Tensor] = last_frame_loss
) -> Tensor:
    """Compute the gradient norm of a loss with respect to the hidden state of each frame, ‖∂loss/∂h_t‖.

    The fused kernels do not expose h_t, so the network runs frame by frame, and the gradient of each h_t
    includes the paths through its own output and through all later frames. In a simple RNN the norm decreases
    geometrically with the distance from the loss; in an LSTM the cell state preserves it. Source: Hochreiter
    1991; Bengio et al. 1994, "Learning long-term dependencies with gradient descent is difficult".

    Args:
        model: a unidirectional layer or stack; for a stack, the hidden states of the last layer are used.
        x: inputs `[B, T, F]`, all frames valid.
        loss: function of the outputs `[B, T, H]` that returns a scalar.
    Returns:
        norms `[T]`, averaged over the batch.
    Raises:
        ValueError: the model is bidirectional.
    Example:
        >>> norms = gradient_norms(Recurrent("rnn_tanh", 1, 8), torch.zeros(2, 50, 1))
        >>> norms.shape
        torch.Size([50])
    """
    layer = model if isinstance(model, Recurrent) else model.layers[-1]
    hidden: list[Tensor] = []

    def use_state(module: nn.Module, args: object, y: tuple[Tensor, State | None]) -> tuple[Tensor, State]:
        """Replace the output of a frame by the state tensor, so that both contribute to one gradient."""
        state = y[1]
        if state is None:
            raise ValueError("gradient_norms: the network is bidirectional; pass a unidirectional one")
        h = state if isinstance(state, Tensor) else state[0]
        hidden.append(h)
        return h.unsqueeze(1), state

    hook = layer.register_forward_hook(use_state)
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
