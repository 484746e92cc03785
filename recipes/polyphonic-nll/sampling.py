"""Samples of a trained network: the frames of a piano roll, key by key."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from model import RollModel
from rolls import KeyRange
from task import Piece, collate


@torch.no_grad()
def sample(
    model: RollModel,
    encode: Callable[[np.ndarray], Piece],
    keys: KeyRange,
    start: np.ndarray,
    frames: int,
    generator: torch.Generator,
) -> np.ndarray:
    """Continue a piano roll. Keys outside the range of the network stay silent.

    Args:
        model: in evaluation mode.
        encode: makes its input, see `task.build`.
        keys: range of the network.
        start: frames before the sample, uint8 `[T, 88]`; it may be empty.
        frames: number N of frames to sample.
        generator: of the random numbers.
    Returns:
        uint8 `[N, 88]`.
    """
    roll = np.concatenate([start, np.zeros((frames, start.shape[1]), np.uint8)])
    for t in range(len(start), len(roll)):
        history, _, _, lengths = collate([encode(roll[: t + 1]).window(0, t + 1)])
        features = model.features(history[:, :, 0], lengths)[0, -1:]
        roll[t, keys.low : keys.high] = sample_frames(model, features, history[0, -1:], generator)[0]
    return roll[len(start) :]


@torch.no_grad()
def sample_frames(
    model: RollModel, features: torch.Tensor, history: torch.Tensor, generator: torch.Generator
) -> np.ndarray:
    """Sample one frame for each of N histories, from the lowest key to the highest.

    Args:
        model: in evaluation mode.
        features: of the LSTM `[N, F]`.
        history: `[N, C, K]`.
        generator: of the random numbers.
    Returns:
        uint8 `[N, K]`.
    """
    frames = torch.zeros(len(history), history.shape[2])
    for key in range(frames.shape[1]):
        probability = model.head(features, history, frames)[:, key].sigmoid()
        frames[:, key] = (torch.rand(len(frames), generator=generator) < probability).float()
    return frames.numpy().astype(np.uint8)
