"""Write the lower voices to melodies: several at once, one sixteenth of each at a time, within the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from audioseq.data import pad
from audioseq.music.generation.sampling import Sampling, draw
from audioseq.music.harmony.model import BASS, DURATION_CLASSES, KNOWN_VOICES, ORDER, SOPRANO, HarmonyModel
from audioseq.music.harmony.rules import FIFTH, OCTAVE, is_parallel
from audioseq.music.harmony.voices import HIGHEST_PITCH, LOWEST_PITCH, REST, VOICES, tokens
from audioseq.nn import State

MIN_TEMPERATURE = 1e-3
"""Temperature, the lowest there is; from there on it is the likeliest pitch anyway."""


@dataclass
class PartialHarmonisation:
    """A harmonisation in the making.

    Args:
        melody: pitches within the soprano's range, without rests, int64 `[T]`.
        random: where its chances come from.
        ceiling: pitch above which the lower voices must not sing, 52 or more, int64 `[T]`; that of the melody
            if not given.
        rows: pitches of all voices, a sixteenth each.
        nats: of the lower voices, at temperature 1.
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
    model: HarmonyModel, drafts: Sequence[PartialHarmonisation], sampling: Sampling, *, strict: bool = True
) -> None:
    """Write drafts to their end, as one batch; each depends on its own random generator alone.

    Every voice stays in its range and below the one above it. The temperature is that of the pitches to which
    voices move. When they move is as the model has it: else a low temperature would hold every note.

    Args:
        sampling: how free the choice is.
        strict: no parallel fifths and octaves, unless there is nothing else.
    """
    device = next(model.parameters()).device
    ordered = sorted(drafts, key=lambda draft: -len(draft.melody))  # those that go on come first
    melodies, lengths = pad([torch.from_numpy(draft.melody - LOWEST_PITCH[SOPRANO] + 1) for draft in ordered])
    told = model.encode_melody(melodies.to(device), lengths.to(device))
    before = np.full((len(ordered), len(VOICES)), REST)
    held = np.zeros_like(before)
    state = None
    for step in range(int(lengths.max())):
        active = int((lengths > step).sum())
        before, held = before[:active], held[:active]
        if state is not None:
            state = tuple(_first_rows(layer, active) for layer in state)
        prior = torch.from_numpy(tokens(before)).to(device)
        summary, state = model.summarise(
            told[:active, step : step + 1], prior[:, None], torch.from_numpy(held[:, None]).to(device), state
        )
        now = np.full_like(before, REST)
        now[:, SOPRANO] = [draft.melody[step] for draft in ordered[:active]]
        for voice in ORDER:
            chosen = torch.from_numpy(tokens(now)).to(device)
            scores = model.score_voice(summary[:, 0], voice, chosen, prior).float()
            logs = scores.log_softmax(1)
            tempered = (
                _apply_temperature(logs, prior[:, voice : voice + 1], sampling.temperature).cpu().numpy()
            )
            nats = -logs.cpu().numpy()
            for row, draft in enumerate(ordered[:active]):
                ceiling = draft.melody if draft.ceiling is None else draft.ceiling
                allowed = _allowed_tokens(voice, now[row], before[row], int(ceiling[step]), strict)
                token = draw(tempered[row], allowed, replace(sampling, temperature=1.0), draft.random)
                now[row, voice] = token - 1 + LOWEST_PITCH[voice]
                draft.nats += float(nats[row, token])
        for row, draft in enumerate(ordered[:active]):
            draft.rows.append(now[row])
        held = np.where(now == before, np.minimum(held + 1, DURATION_CLASSES - 1), 1)
        before = now


def _apply_temperature(logs: Tensor, held: Tensor, temperature: float) -> Tensor:
    """Return log-probabilities `[N, V]` at a temperature, with that of staying where one is as it was.

    Args:
        logs: log-probabilities `[N, V]`.
        held: token of the sixteenth before, int64 `[N, 1]`.
    Example:
        >>> _tempered(torch.tensor([[0.5, 0.3, 0.2]]).log(), torch.tensor([[0]]), 0.5).exp().mul(52).round()
        tensor([[26., 18.,  8.]])
    """
    moves = logs.scatter(1, held, -torch.inf)
    tempered = (moves / max(temperature, MIN_TEMPERATURE)).log_softmax(1) + moves.logsumexp(1, keepdim=True)
    return tempered.scatter(1, held, logs.gather(1, held))


def _allowed_tokens(
    voice: int, now: np.ndarray, before: np.ndarray, ceiling: int, strict: bool
) -> np.ndarray:
    """Return which tokens one voice may have, bool `[V]`: never a rest."""
    pitches = np.arange(LOWEST_PITCH[voice], HIGHEST_PITCH[voice] + 1)
    allowed = pitches <= ceiling
    if voice != BASS:  # the voice that was chosen last is the one below
        allowed &= pitches >= now[KNOWN_VOICES[voice][-1]]
    if strict:
        clean = allowed.copy()
        for other in KNOWN_VOICES[voice]:
            pair = (before[other], before[voice], now[other], pitches)
            if other > voice:
                pair = (before[voice], before[other], pitches, now[other])
            clean &= ~(is_parallel(FIFTH, *pair) | is_parallel(OCTAVE, *pair))
        allowed = clean if clean.any() else allowed
    return np.concatenate([[False], allowed])


def _first_rows(layer: State, rows: int) -> State:
    """Return the first rows of what a layer remembers."""
    return (layer[0][:rows], layer[1][:rows]) if isinstance(layer, tuple) else layer[:rows]
