"""Write the lower voices to melodies: several at once, one sixteenth of each at a time, within the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from audioseq.data import pad
from audioseq.music.decode import Sampling, draw
from audioseq.music.harmony.model import AGES, BASS, KNOWN, ORDER, SOPRANO, HarmonyModel
from audioseq.music.harmony.rules import FIFTH, OCTAVE, parallel
from audioseq.music.harmony.voices import HIGHEST, LOWEST, REST, VOICES, tokens
from audioseq.nn import State


@dataclass
class Draft:
    """A harmonisation in the making.

    Args:
        melody: pitches within the soprano's range, without rests, int64 `[T]`.
        random: where its chances come from.
        rows: pitches of all voices, a sixteenth each.
        nats: of the lower voices, at temperature 1.
    """

    melody: np.ndarray
    random: np.random.Generator
    rows: list[np.ndarray] = field(default_factory=list)
    nats: float = 0.0

    @property
    def frames(self) -> np.ndarray:
        """Pitches of all voices `[T, 4]`."""
        return np.stack(self.rows)


@torch.inference_mode()
def generate(
    model: HarmonyModel, drafts: Sequence[Draft], sampling: Sampling, *, strict: bool = True
) -> None:
    """Write drafts to their end, as one batch; each depends on its own random generator alone.

    Every voice stays in its range and below the one above it.

    Args:
        strict: no parallel fifths and octaves, unless there is nothing else.
    """
    device = next(model.parameters()).device
    ordered = sorted(drafts, key=lambda draft: -len(draft.melody))  # those that go on come first
    melodies, lengths = pad([torch.from_numpy(draft.melody - LOWEST[SOPRANO] + 1) for draft in ordered])
    told = model.read(melodies.to(device), lengths.to(device))
    before = np.full((len(ordered), len(VOICES)), REST)
    held = np.zeros_like(before)
    state = None
    for step in range(int(lengths.max())):
        active = int((lengths > step).sum())
        before, held = before[:active], held[:active]
        if state is not None:
            state = tuple(_first(layer, active) for layer in state)
        prior = torch.from_numpy(tokens(before)).to(device)
        summary, state = model.remember(
            told[:active, step : step + 1], prior[:, None], torch.from_numpy(held[:, None]).to(device), state
        )
        now = np.full_like(before, REST)
        now[:, SOPRANO] = [draft.melody[step] for draft in ordered[:active]]
        for voice in ORDER:
            chosen = torch.from_numpy(tokens(now)).to(device)
            scores = model.choose(summary[:, 0], voice, chosen, prior).float()
            logs = scores.log_softmax(1).cpu().numpy()
            for row, draft in enumerate(ordered[:active]):
                allowed = _allowed(voice, now[row], before[row], strict)
                token = draw(logs[row], allowed, sampling, draft.random)
                now[row, voice] = token - 1 + LOWEST[voice]
                draft.nats -= float(logs[row, token])
        for row, draft in enumerate(ordered[:active]):
            draft.rows.append(now[row])
        held = np.where(now == before, np.minimum(held + 1, AGES - 1), 1)
        before = now


def _allowed(voice: int, now: np.ndarray, before: np.ndarray, strict: bool) -> np.ndarray:
    """Return which tokens one voice may have, bool `[V]`: never a rest."""
    pitches = np.arange(LOWEST[voice], HIGHEST[voice] + 1)
    allowed = pitches <= now[SOPRANO]
    if voice != BASS:  # the voice that was chosen last is the one below
        allowed &= pitches >= now[KNOWN[voice][-1]]
    if strict:
        clean = allowed.copy()
        for other in KNOWN[voice]:
            pair = (before[other], before[voice], now[other], pitches)
            if other > voice:
                pair = (before[voice], before[other], pitches, now[other])
            clean &= ~(parallel(FIFTH, *pair) | parallel(OCTAVE, *pair))
        allowed = clean if clean.any() else allowed
    return np.concatenate([[False], allowed])


def _first(layer: State, rows: int) -> State:
    """Return the first rows of what a layer remembers."""
    return (layer[0][:rows], layer[1][:rows]) if isinstance(layer, tuple) else layer[:rows]
