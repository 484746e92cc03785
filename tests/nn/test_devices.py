"""Saving and loading of models that were on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from audioseq import checkpoint
from audioseq.nn import RecurrentStack


def round_trip(model: nn.Module, path: Path) -> dict[str, Tensor]:
    header = checkpoint.Header(task="speech", config={}, features={}, tokenizer={}, card={})
    checkpoint.save(path, model.state_dict(), header)
    return dict(checkpoint.load(path).weights)


def test_weights_that_share_a_buffer_are_saved_separately(tmp_path: Path) -> None:
    """cuDNN stores a layer's weights as views of one flat buffer; this test builds such views on the CPU."""
    stack = RecurrentStack("lstm", 3, 4, 2, bidirectional=True)
    flat = torch.cat([parameter.detach().flatten() for parameter in stack.parameters()])
    start = 0
    for parameter in stack.parameters():
        parameter.data = flat[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
    torch.testing.assert_close(
        round_trip(stack, tmp_path / "model.safetensors"), dict(stack.state_dict()), rtol=0, atol=0
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_two_streams_give_the_gradients_of_one() -> None:
    """Many times, because a missing synchronisation shows by chance."""
    torch.manual_seed(0)
    stack = RecurrentStack("lstm", 64, 128, 3, bidirectional=True, residual=True)
    x, lengths = torch.randn(16, 200, 64), torch.randint(1, 201, (16,))
    stack(x, lengths)[0].square().sum().backward()
    expected = {name: each.grad.clone() for name, each in stack.named_parameters() if each.grad is not None}
    stack.cuda()
    for _ in range(50):
        stack.zero_grad()
        stack(x.cuda(), lengths.cuda())[0].square().sum().backward()
        for name, each in stack.named_parameters():
            assert each.grad is not None
            error = (each.grad.cpu() - expected[name]).norm() / expected[name].norm()
            assert error < 1e-2, name  # cuDNN may use TF32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_model_moved_from_the_gpu_is_saved_and_loaded(tmp_path: Path) -> None:
    stack = RecurrentStack("lstm", 3, 4, 2, bidirectional=True)
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    expected = stack(x, lengths)[0]
    stack.cuda()
    torch.testing.assert_close(stack(x.cuda(), lengths.cuda())[0].cpu(), expected, rtol=1e-4, atol=1e-5)
    stack.cpu()
    again = RecurrentStack("lstm", 3, 4, 2, bidirectional=True)
    again.load_state_dict(round_trip(stack, tmp_path / "model.safetensors"))
    torch.testing.assert_close(again(x, lengths)[0], expected)
