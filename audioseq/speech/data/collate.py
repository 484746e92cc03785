"""A batch of speech on its way to the model, and its loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from audioseq.data import pad
from audioseq.speech.model import AcousticModel, ctc


class TextOnlyBatch(NamedTuple):
    """Texts without recordings, and what they would sound like."""

    phones: Tensor
    """Log-probabilities `[S, T', P]`."""
    phone_lengths: Tensor
    targets: Tensor
    """Token ids `[S, U]`."""
    target_lengths: Tensor


class SpeechBatch(NamedTuple):
    """Padded examples."""

    features: Tensor
    """Normalised log-mel `[B, T, F]`."""
    feature_lengths: Tensor
    targets: Tensor
    """Token ids `[B, U]`."""
    target_lengths: Tensor
    units: Tensor
    """The same texts in characters or phones, for the intermediate heads `[B, U']`."""
    unit_lengths: Tensor
    """0 where it is not known how a word is said."""
    text_only: TextOnlyBatch | None
    characters: int
    """In all texts: what the loss is a sum over."""
    seconds: float
    """Audio in the batch, without padding."""


def pad_ids(rows: Iterable[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Stack token ids to `[B, U]`, zeros behind each; also return their numbers `[B]`."""
    return pad([torch.tensor(row, dtype=torch.int64) for row in rows])


def batch_loss(batch: SpeechBatch, model: AcousticModel, share: float) -> Tensor:
    """Return the CTC losses summed over the batch.

    Args:
        batch: on the model's device.
        model: with a speller, if the batch has texts without recordings.
        share: of the intermediate heads, all alike, in the loss; the rest is that of the tokens.
    """
    emissions = model(batch.features, batch.feature_lengths)
    total = ctc(emissions.log_probs, emissions.lengths, batch.targets, batch.target_lengths)
    if batch.text_only is not None:
        phones, phone_lengths, targets, target_lengths = batch.text_only
        total = total + ctc(*model.spell(phones, phone_lengths), targets, target_lengths)
    known = batch.unit_lengths > 0
    if not share or not known.any():
        return (1 - share) * total
    others = [
        ctc(head[known], emissions.intermediate_lengths[known], batch.units[known], batch.unit_lengths[known])
        for head in emissions.intermediate
    ]
    return (1 - share) * total + share * torch.stack(others).mean()
