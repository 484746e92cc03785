"""Batches of speech, and their CTC loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from audioseq.data import pad
from audioseq.speech.model import AcousticModel, ctc


class TextOnlyBatch(NamedTuple):
    """Texts without recordings, with synthetic phone posteriors."""

    phones: Tensor
    """Log-probabilities of phones `[S, T', P]`."""
    phone_lengths: Tensor
    targets: Tensor
    """Token ids `[S, U]`."""
    target_lengths: Tensor


class SpeechBatch(NamedTuple):
    """Padded utterances."""

    features: Tensor
    """Normalised log-mel `[B, T, F]`."""
    feature_lengths: Tensor
    targets: Tensor
    """Token ids `[B, U]`."""
    target_lengths: Tensor
    units: Tensor
    """Characters or phones of the same texts, for the intermediate heads `[B, U']`."""
    unit_lengths: Tensor
    """`[B]`; 0 if the dictionary lacks a word of the text."""
    text_only: TextOnlyBatch | None
    characters: int
    """Characters in all texts; the loss is a sum over them."""
    seconds: float
    """Seconds of audio in the batch, without padding."""


def pad_ids(rows: Iterable[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Stack token ids to `[B, U]`, padded with zeros; also return the lengths `[B]`."""
    return pad([torch.tensor(row, dtype=torch.int64) for row in rows])


def batch_loss(batch: SpeechBatch, model: AcousticModel, share: float) -> Tensor:
    """Return the CTC losses summed over the batch.

    Args:
        batch: on the model's device.
        model: with a phone-to-grapheme decoder, if the batch has text-only data.
        share: weight of the intermediate heads' mean loss; the loss of the tokens has the rest.
    """
    emissions = model(batch.features, batch.feature_lengths)
    total = ctc(emissions.log_probs, emissions.lengths, batch.targets, batch.target_lengths)
    if batch.text_only is not None:
        phones, phone_lengths, targets, target_lengths = batch.text_only
        total = total + ctc(*model.decode_phones(phones, phone_lengths), targets, target_lengths)
    known = batch.unit_lengths > 0
    if not share or not known.any():
        return (1 - share) * total
    intermediate = [
        ctc(head[known], emissions.intermediate_lengths[known], batch.units[known], batch.unit_lengths[known])
        for head in emissions.intermediate
    ]
    return (1 - share) * total + share * torch.stack(intermediate).mean()
