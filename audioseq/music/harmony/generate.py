"""Generate the lower voices of melodies in a batch, one sixteenth at a time, within the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from audioseq.data import pad
from audioseq.music.generation.sampling import Sampling, draw
from audioseq.music.harmony.model import BASS, DURATION_CLASSES, KNOWN_VOICES, ORDER, SOPRANO, HarmonyModel
from audioseq.music.harmony.voices import to_tokens
from audioseq.music.representation.part_writing import (
    FIFTH,
    HIGHEST_PITCH,
    LOWEST_PITCH,
    OCTAVE,
    REST,
    VOICES,
    is_parallel,
)
from audioseq.nn import State

MIN_TEMPERATURE = 1e-3
"""Lower temperatures have the same effect: the most probable pitch."""


@dataclass
class PartialHarmonisation:
    """A harmonisation during generation.

    Args:
        melody: pitches within the soprano's range, without rests, int64 `[T]`.
        random: generator of its random numbers.
        ceiling: highest pitch of the lower voices, 52 or more, int64 `[T]`; the melody if not given.
        rows: pitches of all voices, one row for each sixteenth.
        nats: negative log-likelihood of the lower voices at temperature 1.
    """

    melody: np.ndarray
    random: np.random.Generator
    ceiling: np.ndarray | None = None
    rows: list[np.ndarray] = field(default_factory=list)
    nats: float = 0.0

    @property
    def frames(self) -> np.ndarray:
        """Pitches of all voices `[T, 4]`."""
        return np.stack(self.rows)


@torch.inference_mode()
def generate(
    model: HarmonyModel,
    pieces: Sequence[PartialHarmonisation],
    sampling: Sampling,
    *,
    strict: bool = True,
    check: Callable[[], object] | None = None,
) -> None:
    """Complete harmonisations in one batch; each depends only on its own random generator.

    Each voice stays in its range and does not cross the voice above. The temperature applies to the pitches
    of moving voices only. Whether a voice moves is sampled at temperature 1, because at a low temperature all
    notes would be held.

    Args:
        model: the network.
        pieces: melodies to harmonise; the result is written to them.
        sampling: temperature, top-k and top-p.
        strict: exclude parallel fifths and octaves, unless no other pitch is possible.
        check: called before each sixteenth; an error that it raises stops the generation.
    """
    device = next(model.parameters()).device
    # Finished pieces leave the end of the batch.
    ordered = sorted(pieces, key=lambda piece: -len(piece.melody))
    melodies, lengths = pad([torch.from_numpy(piece.melody - LOWEST_PITCH[SOPRANO] + 1) for piece in ordered])
    melody_features = model.encode_melody(melodies.to(device), lengths.to(device))
    untempered = replace(sampling, temperature=1.0)  # the temperature is applied before `draw`
    before = np.full((len(ordered), len(VOICES)), REST)
    held = np.zeros_like(before)
    state = None
    for step in range(int(lengths.max())):
        if check is not None:
            check()
        active = int((lengths > step).sum())
        before, held = before[:active], held[:active]
        if state is not None:
            state = tuple(_first_rows(layer, active) for layer in state)
        previous = torch.from_numpy(to_tokens(before)).to(device)
        features, durations = melody_features[:active, step : step + 1], torch.from_numpy(held).to(device)
        summary, state = model.summarise(features, previous[:, None], durations[:, None], state)
        now = np.full_like(before, REST)
        now[:, SOPRANO] = [piece.melody[step] for piece in ordered[:active]]
        for voice in ORDER:
            current = torch.from_numpy(to_tokens(now)).to(device)
            log_probs = model.score_voice(summary[:, 0], voice, current, previous).float().log_softmax(1)
            tempered = _apply_temperature(log_probs, previous[:, voice : voice + 1], sampling.temperature)
            tempered_log_probs, nats = tempered.cpu().numpy(), -log_probs.cpu().numpy()
            for row, piece in enumerate(ordered[:active]):
                ceiling = piece.melody if piece.ceiling is None else piece.ceiling
                allowed = _valid_tokens(voice, now[row], before[row], int(ceiling[step]), strict)
                token = draw(tempered_log_probs[row], allowed, untempered, piece.random)
                now[row, voice] = token - 1 + LOWEST_PITCH[voice]
                piece.nats += float(nats[row, token])
        for row, piece in enumerate(ordered[:active]):
            piece.rows.append(now[row])
        held = np.where(now == before, np.minimum(held + 1, DURATION_CLASSES - 1), 1)
        before = now


def _apply_temperature(log_probs: Tensor, held: Tensor, temperature: float) -> Tensor:
    """Apply a temperature to the pitches of a moving voice; the probability of holding the note is unchanged.

    Args:
        log_probs: log-probabilities `[N, V]`.
        held: token of the previous sixteenth, int64 `[N, 1]`.
        temperature: 0 or more.
    Returns:
        log-probabilities `[N, V]`.
    Example:
        >>> log_probs = torch.tensor([[0.5, 0.3, 0.2]]).log()
        >>> _apply_temperature(log_probs, torch.tensor([[0]]), 0.5).exp().mul(52).round()
        tensor([[26., 18.,  8.]])
    """
    moves = log_probs.scatter(1, held, -torch.inf)
    tempered = (moves / max(temperature, MIN_TEMPERATURE)).log_softmax(1) + moves.logsumexp(1, keepdim=True)
    return tempered.scatter(1, held, log_probs.gather(1, held))


def _valid_tokens(voice: int, now: np.ndarray, before: np.ndarray, ceiling: int, strict: bool) -> np.ndarray:
    """Return a mask of the tokens that a voice may have, bool `[V]`; rests are excluded."""
    pitches = np.arange(LOWEST_PITCH[voice], HIGHEST_PITCH[voice] + 1)
    allowed = pitches <= ceiling
    if voice != BASS:  # the last known voice is the one below
        allowed &= pitches >= now[KNOWN_VOICES[voice][-1]]
    if strict:
        without_parallels = allowed.copy()
        for other in KNOWN_VOICES[voice]:
            pair = (before[other], before[voice], now[other], pitches)
            if other > voice:
                pair = (before[voice], before[other], pitches, now[other])
            without_parallels &= ~(is_parallel(FIFTH, *pair) | is_parallel(OCTAVE, *pair))
        allowed = without_parallels if without_parallels.any() else allowed
    return np.concatenate([[False], allowed])


def _first_rows(layer: State, rows: int) -> State:
    """Return the first rows of the state of a layer."""
    return (layer[0][:rows], layer[1][:rows]) if isinstance(layer, tuple) else layer[:rows]
