"""Music augmentation: random changes of key, tempo, dynamics and style label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import COLUMN_INDEX, LOOKBACK_PITCH_COLUMNS, RELATIVE_PITCHES

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MusicAugment:
    """Transpose a piece, and change its tempo and dynamics, at random.

    Args:
        transpose: largest transposition in semitones, up or down.
        transpose_prob: share of the pieces that are transposed; the others keep their register.
        tempo: largest change in tempo classes, up or down; a class is about 9 %.
        dynamics: largest change in velocity levels, up or down.
        style_dropout: share of the pieces whose style is replaced by `other`, so that the style is optional.
    """

    transpose: int = 6
    transpose_prob: float = 0.5
    tempo: int = 1
    dynamics: int = 2
    style_dropout: float = 0.05

    def __post_init__(self) -> None:
        limits = {"transpose": 6, "tempo": 4, "dynamics": 8, "transpose_prob": 1, "style_dropout": 1}
        for name, highest in limits.items():
            if not 0 <= getattr(self, name) <= highest:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be in 0..{highest}")

    def __call__(
        self, events: np.ndarray, features: np.ndarray, generator: torch.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return changed events and features. A piece that would leave the range of MIDI is not transposed.

        Args:
            events: with relative pitches, see `event_state.RELATIVE_PITCHES` `[E, 6]`.
            features: input of the model before each event `[E, FEATURES]`.
            generator: source of all randomness.
        """
        import torch  # not at the top: options of training are read where torch is not installed

        draws = torch.rand(5, generator=generator).tolist()
        events, features = events.copy(), features.copy()
        if draws[0] < self.transpose_prob:
            _transpose(events, features, _change(draws[1], self.transpose))
        tempo = features[:, COLUMN_INDEX["tempo"]]
        tempo[:] = np.clip(tempo + _change(draws[2], self.tempo), 0, v.TEMPOS - 1)
        louder = _change(draws[3], self.dynamics)
        velocities = features[:, COLUMN_INDEX["velocity"]]
        for column, none in ((events[:, v.VELOCITY], -1), (velocities, v.VELOCITIES)):
            present = column != none
            column[present] = np.clip(column[present] + louder, 0, v.VELOCITIES - 1)
        if draws[4] < self.style_dropout:
            features[:, COLUMN_INDEX["style"]] = v.STYLES.index("other")
        return events, features


def _change(draw: float, largest: int) -> int:
    """Map a uniform random number to an integer from -largest to largest."""
    return int(draw * (2 * largest + 1)) - largest


def _transpose(events: np.ndarray, features: np.ndarray, semitones: int) -> None:
    """Transpose in place.

    The key is transposed with the notes, so relative pitches only change by octaves; `shift` does the rest.
    """
    shift = features[0, COLUMN_INDEX["shift"]] - 6 + semitones
    wrapped = (shift + 6) % 12 - 6
    octaves = shift - wrapped  # -12, 0 or 12
    pitches = events[:, v.PITCH]
    sounding = pitches[pitches >= 0] - 6 + shift
    drums = features[:, COLUMN_INDEX["program"]] == v.DRUMS
    if drums.any() or not len(sounding) or sounding.min() < 0 or sounding.max() >= v.PITCHES:
        return
    columns = COLUMN_INDEX["pitch"], *LOOKBACK_PITCH_COLUMNS
    for column in (pitches, *(features[:, index] for index in columns)):
        present = (column >= 0) & (column < RELATIVE_PITCHES)
        column[present] = np.clip(column[present] + octaves, 0, RELATIVE_PITCHES - 1)
    features[:, COLUMN_INDEX["shift"]] = wrapped + 6
