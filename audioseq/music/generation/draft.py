"""Drafts: pieces that are being generated, and what their parts may play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from audioseq.music.generation.given import Given
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import Progression
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.playing import HAND_NOTES, instrument_range, is_piano

CHORALE_RANGES = ((61, 77), (57, 72), (51, 67), (41, 61))
"""Ranges of soprano, alto, tenor and bass with 98 % of the notes of Bach's chorales."""
STRINGS, STOPS = range(40, 44), 3
"""Programs of the violin and its relatives, and most notes that they play together."""
SINGER_RANGE = (40, 84)
"""Range of the voice in Lieder, whose files have a wind instrument as its program."""


@dataclass(frozen=True)
class Part:
    """What a track may play.

    Args:
        low, high: lowest and highest MIDI pitch.
        hands: whether a pianist plays it; all such parts share two hands.
        most: largest number of notes that begin together.
        silent: whether it has no new notes.
    """

    low: int = 0
    high: int = v.PITCHES - 1
    hands: bool = False
    most: int = 2 * HAND_NOTES
    silent: bool = False


@dataclass
class Draft:
    """A piece that is being generated.

    Args:
        conditions: requested properties.
        random: source of all randomness of this draft.
        target_ticks: length to reach, within half a bar; if given, the number of remaining bars follows from
            it after each bar line.
        events: events so far; initially those of a primer.
        parts: what each track may play; by default what its instrument can.
        density: requested notes per quarter; by default the middle of the class in the conditions.
        meters: meters that the new bars repeat, in turn; the model chooses if there are none.
        first_tick: new notes begin at this tick or later.
        pickup: whether a note begins at this tick, and the melody is alone in the first bar, but in chorales.
        grid: new notes begin at multiples of this number of ticks, counted from the bar line.
        levels: lowest and highest velocity level.
        key_strength: factor of the guidance towards the key.
        shares: share of the new notes that each track should have; the model chooses if there are none.
        chords: chords that the piece follows; the model chooses if there are none.
        ending: whether the last bars are sampled again until they end on the tonic.
        given: notes that are part of the piece in any case; none if not given.
    """

    conditions: Conditions
    random: np.random.Generator
    target_ticks: float | None = None
    events: list[list[int]] = field(default_factory=list)
    parts: Sequence[Part] = ()
    density: float | None = None
    meters: Sequence[int] = ()
    first_tick: int = 0
    pickup: bool = False
    grid: int = 1
    levels: tuple[int, int] = (0, v.VELOCITIES - 1)
    key_strength: float = 1.0
    shares: Sequence[float] = ()
    chords: Progression | None = None
    ending: bool = False
    given: Given | None = None
    nats: float = 0.0
    """Negative log-likelihood of the sampled events, at temperature 1."""
    sampled: int = 0
    """Number of sampled events."""
    new_nats: float = 0.0
    """Negative log-likelihood of the sampled events that do not repeat an earlier bar."""
    new: int = 0
    """Number of these events."""
    given_nats: float = 0.0
    """Negative log-likelihood of the events of the given notes and bars."""
    given_events: int = 0
    """Number of these events."""
    resampled: int = 0
    """Number of samples that were rejected because they completed a run of the training data."""

    def __post_init__(self) -> None:
        self.parts = self.parts or parts_of(self.conditions)

    @property
    def nats_per_event(self) -> float:
        """Mean negative log-likelihood of the sampled events."""
        return self.nats / max(self.sampled, 1)

    @property
    def new_nats_per_event(self) -> float:
        """Mean negative log-likelihood of the sampled events that do not repeat an earlier bar."""
        return self.new_nats / max(self.new, 1)

    @property
    def given_nats_per_event(self) -> float:
        """Mean negative log-likelihood of the events of the given notes and bars."""
        return self.given_nats / max(self.given_events, 1)


def parts_of(conditions: Conditions) -> tuple[Part, ...]:
    """Return what the instruments of a piece can play; the voices of chorales are those of Bach's."""
    style, programs = v.STYLES[conditions.style], conditions.programs
    if style == "chorale" and len(programs) == len(CHORALE_RANGES):
        return tuple(Part(low, high, most=1) for low, high in CHORALE_RANGES)
    parts = [
        Part(*instrument_range(program), is_piano(program), STOPS if program in STRINGS else 2 * HAND_NOTES)
        for program in programs
    ]
    if style == "lied" and not parts[0].hands:
        parts[0] = Part(*SINGER_RANGE, most=1)
    return tuple(parts)
