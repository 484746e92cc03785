"""Batches of speech, their features, and their CTC loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audioseq.audio.augment import Effects, WaveAugment
from audioseq.audio.effects import apply_effects
from audioseq.audio.features import LogMel
from audioseq.audio.spec_augment import Masks, SpecAugment, apply_masks
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


class Recordings(NamedTuple):
    """Waveforms and their random changes, from which features are computed on the model's device."""

    samples: Tensor
    """16-bit samples `[B, N]`, 0 on padding; empty if they are read from `ResidentSamples`."""
    lengths: tuple[int, ...]
    """Samples of each waveform."""
    effects: tuple[Effects, ...] = ()
    """Of each waveform; empty: none."""
    masks: tuple[Masks, ...] = ()
    """Of the features of each waveform; empty: none."""


class SpeechBatch(NamedTuple):
    """Padded utterances."""

    numbers: tuple[int, ...]
    """Of the utterances in the training set."""
    recordings: Recordings
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


def pad_samples(rows: Sequence[np.ndarray]) -> tuple[Tensor, tuple[int, ...]]:
    """Stack 16-bit samples to `[B, N]`, padded with zeros; also return the lengths."""
    lengths = tuple(map(len, rows))
    samples = np.zeros((len(rows), max(lengths)), np.int16)
    for row, target in zip(rows, samples, strict=True):
        target[: len(row)] = row
    return torch.from_numpy(samples), lengths


def augment(
    recordings: Recordings,
    generators: Sequence[torch.Generator],
    wave: WaveAugment | None,
    spec: SpecAugment | None,
    log_mel: LogMel,
) -> Recordings:
    """Draw the effects and masks of recordings, each from a generator of its own.

    Args:
        recordings: without effects and masks.
        generators: one for each recording.
        wave, spec: what to draw from; None leaves it out.
        log_mel: the features to mask.
    """
    effects, masks = [], []
    for length, generator in zip(recordings.lengths, generators, strict=True):
        if wave:
            effects.append(wave.draw(generator))
            length = effects[-1].length(length)
        if spec:
            masks.append(spec.draw(log_mel.count_frames(length), log_mel.options["n_mels"], generator))
    return recordings._replace(effects=tuple(effects), masks=tuple(masks))


@torch.no_grad()
def compute_features(recordings: Recordings, log_mel: LogMel) -> tuple[Tensor, Tensor]:
    """Return the features `[B, T, F]` of recordings with their effects and masks, and their frames `[B]`.

    All steps run on the device of the samples, on the whole batch at once.
    """
    device = recordings.samples.device
    with torch.autocast(device.type, enabled=False):
        waveforms = recordings.samples.float() / 32768
        lengths, warps = list(recordings.lengths), None
        if recordings.effects:
            waveforms, lengths = apply_effects(waveforms, lengths, recordings.effects)
            warps = [each.warp for each in recordings.effects]
        features, frames = log_mel.batch_features(waveforms, torch.tensor(lengths).to(device), warps)
        return (apply_masks(features, recordings.masks) if recordings.masks else features), frames


def batch_loss(batch: SpeechBatch, model: AcousticModel, share: float) -> Tensor:
    """Return the CTC losses summed over the batch.

    Args:
        batch: on the model's device.
        model: with a phone-to-grapheme decoder, if the batch has text-only data.
        share: weight of the intermediate heads' mean loss; the loss of the tokens has the rest.
    """
    emissions = model(*compute_features(batch.recordings, model.log_mel))
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
