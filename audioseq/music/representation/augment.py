"""Changes to a piece that leave it music: key, tempo, dynamics, and what the model is told of its style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import COLUMNS, INDEX, LAGS, LOOKBACK, RELATIVE_PITCHES


@dataclass(frozen=True)
class MusicAugment:
    """Transpose a piece, change its tempo and its dynamics at random.

    Args:
        transpose: semitones, at most so many up or down.
        transpose_prob: share of pieces that are transposed; the others stay in their register.
        tempo: classes of tempo, at most so many up or down; each is a twelfth or so.
        dynamics: levels of velocity, at most so many up or down.
        style_dropout: share of pieces whose style is not told to the model, so that it need not be asked for.
    """

    transpose: int = 6
    transpose_prob: float = 0.5
    tempo: int = 1
    dynamics: int = 2
    style_dropout: float = 0.05

    def __post_init__(self) -> None:
        for name, most in (("transpose", 6), ("tempo", 4), ("dynamics", 8)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be in 0..{most}")
        for name in ("transpose_prob", "style_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be in 0..1")

    def __call__(
        self, events: np.ndarray, features: np.ndarray, generator: torch.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return changed events and features; a piece that would leave the range of MIDI is not transposed.

        Args:
            events: `[E, 6]`; pitches as they are written in C major or A minor (`grammar.LOWEST` is 0).
            features: what the model is told before each, `[E, FEATURES]`.
            generator: every draw comes from it.
        """
        draws = torch.rand(5, generator=generator).tolist()
        events, features = events.copy(), features.copy()
        if draws[0] < self.transpose_prob:
            _transpose(events, features, _pick(draws[1], self.transpose))
        tempo = features[:, INDEX["tempo"]]
        tempo[:] = np.clip(tempo + _pick(draws[2], self.tempo), 0, v.TEMPOS - 1)
        louder = _pick(draws[3], self.dynamics)
        for column, none in ((events[:, v.VELOCITY], -1), (features[:, INDEX["velocity"]], v.VELOCITIES)):
            told = column != none
            column[told] = np.clip(column[told] + louder, 0, v.VELOCITIES - 1)
        if draws[4] < self.style_dropout:
            features[:, INDEX["style"]] = v.STYLES.index("other")
        return events, features


def _pick(draw: float, most: int) -> int:
    return int(draw * (2 * most + 1)) - most


def _transpose(events: np.ndarray, features: np.ndarray, semitones: int) -> None:
    """Transpose in place. The key follows: as written only octaves change, and the shift does the rest."""
    shift = features[0, INDEX["shift"]] - 6 + semitones
    wrapped = (shift + 6) % 12 - 6
    octaves = shift - wrapped  # -12, 0 or 12
    pitches = events[:, v.PITCH]
    sounding = pitches[pitches >= 0] - 6 + shift
    drums = features[:, INDEX["program"]] == v.DRUMS
    if drums.any() or not len(sounding) or sounding.min() < 0 or sounding.max() >= v.PITCHES:
        return
    first = len(COLUMNS) + LOOKBACK.index(RELATIVE_PITCHES + 1)
    looks = [first + i * len(LOOKBACK) for i in range(len(LAGS))]
    for column in (pitches, features[:, INDEX["pitch"]], *(features[:, look] for look in looks)):
        told = (column >= 0) & (column < RELATIVE_PITCHES)
        column[told] = np.clip(column[told] + octaves, 0, RELATIVE_PITCHES - 1)
    features[:, INDEX["shift"]] = wrapped + 6
