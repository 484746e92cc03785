"""The fields of an event, and the values that each field can take.

One event is one note, the bar line before a bar, or the end of the piece. A note is (step, track, pitch,
duration, velocity), where the step encodes its onset within the bar. A bar line is (step, meter).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right

from audioseq.errors import ConfigError

TICKS_PER_QUARTER = 24
"""Resolution of the grid. A 32nd note is 3 ticks, a triplet eighth 8."""
MAX_BAR_TICKS = 8 * TICKS_PER_QUARTER
"""Longest bar; a longer one is split into several."""

SAME = MAX_BAR_TICKS
"""Step of a note with the same onset as the note before. Smaller steps are positions in the bar, in ticks,
and later than the onset of the note before."""
BAR = MAX_BAR_TICKS + 1
"""Step of a bar line."""
END = MAX_BAR_TICKS + 2
"""Step of the end of the piece."""
STEPS = MAX_BAR_TICKS + 3

METERS: tuple[tuple[int, int], ...] = (
    (4, 4), (3, 4), (2, 4), (6, 8), (2, 2), (3, 8), (9, 8), (12, 8), (3, 2), (6, 4), (4, 2), (1, 4), (5, 4),
    (7, 4), (5, 8), (7, 8), (4, 8), (8, 8), (2, 8), (1, 8), (10, 8), (11, 8), (6, 16), (3, 16), (1, 16),
    (1, 32),
)  # fmt: skip
"""Time signatures. A bar with another time signature is composed of bars with these."""
METER_TICKS = tuple(4 * TICKS_PER_QUARTER * numerator // denominator for numerator, denominator in METERS)

TRACKS = 8
"""Tracks that a piece can have; further tracks are merged."""
DRUMS = 128
"""Stands for drums among the MIDI programs, 0 to 127, of the tracks."""
PITCHES = 128
VELOCITIES = 16
"""Velocity levels; each covers 8 MIDI velocities."""

DURATION_TICKS = (
    *range(1, MAX_BAR_TICKS + 1),
    *range(MAX_BAR_TICKS + TICKS_PER_QUARTER, 64 * TICKS_PER_QUARTER + 1, TICKS_PER_QUARTER),
)
"""Every tick up to eight quarters, then every quarter up to 64."""
DURATIONS = len(DURATION_TICKS)

STEP, METER, TRACK, PITCH, DURATION, VELOCITY = range(6)
"""Columns of an array of events."""
FIELDS = (STEPS, len(METERS), TRACKS, PITCHES, DURATIONS, VELOCITIES)
"""Number of values of each column; -1 marks a field that the event does not have."""

STYLES = ("pop", "lied", "quartet", "chorale", "other")
"""`other` means an unknown style: it replaces the true style in a share of the training pieces."""
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
TEMPOS = 25
DENSITIES = 17


def duration_class(ticks: int) -> int:
    """Return the index of the longest duration that is not longer than a number of ticks.

    Example:
        >>> duration_class(1), DURATION_TICKS[duration_class(230)], DURATION_TICKS[duration_class(9999)]
        (0, 216, 1536)
    """
    if ticks <= MAX_BAR_TICKS:
        return max(ticks, 1) - 1
    return min(MAX_BAR_TICKS - 1 + (ticks - MAX_BAR_TICKS) // TICKS_PER_QUARTER, DURATIONS - 1)


def velocity_level(velocity: int) -> int:
    """Return the level of a MIDI velocity."""
    return min(max(velocity, 1), 127) // 8


def level_velocity(level: int) -> int:
    """Return the MIDI velocity in the middle of a level."""
    return 8 * level + 4


def tempo_class(bpm: float) -> int:
    """Return the class of a tempo: eight classes per doubling, from 30 quarters per minute to 240.

    Example:
        >>> tempo_class(30), tempo_class(120), tempo_class(1000)
        (0, 16, 24)
    """
    return min(max(round(8 * math.log2(max(bpm, 1) / 30)), 0), TEMPOS - 1)


def class_tempo(index: int) -> float:
    """Return the tempo in the middle of a class, in quarter notes per minute."""
    return float(30 * 2 ** (index / 8))


def density_scale(notes_per_quarter: float) -> float:
    """Return a density on the scale of `density_class`, neither rounded nor clipped."""
    return 4 * math.log2(max(notes_per_quarter, 0.01))


def density_class(notes_per_quarter: float) -> int:
    """Return the class of a density: four classes per doubling, from one note per quarter to 16."""
    return min(max(round(density_scale(notes_per_quarter)), 0), DENSITIES - 1)


def countdown_class(bars: int) -> int:
    """Return the class of the number of remaining bars: exact up to 15, then four classes per doubling.

    Example:
        >>> [countdown_class(bars) for bars in (0, 15, 16, 32, 10_000)]
        [0, 15, 16, 20, 31]
    """
    return bars if bars < 16 else 15 + bisect_right(_COUNTDOWN_BARS, bars)


_COUNTDOWN_BARS = tuple(round(16 * 2 ** (i / 4)) for i in range(16))
COUNTDOWNS = 32


def parse_key(name: str) -> tuple[int, bool]:
    """Return the tonic (0 is C) and whether it is minor, of a key such as `D`, `Bb minor`, `F#m` or `c# min`.

    Accidentals may also be `♯`, `♭`, `sharp` or `flat`. Without a mode, a small letter is a minor key.

    Raises:
        ConfigError: the name is not a key.
    Example:
        >>> parse_key("Bb"), parse_key("f# minor"), parse_key("Am"), parse_key("E-flat MAJOR")
        ((10, False), (6, True), (9, True), (3, False))
    """
    found = _KEY.fullmatch(name.strip())
    if not found:
        raise ConfigError(f"key is {name!r}; give a key such as C, Bb major, F#m or 'd minor'")
    letter, sign, mode = found.groups(default="")
    tonic = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[letter.lower()]
    shift = {"": 0, "#": 1, "♯": 1, "sharp": 1}.get(sign.lower(), -1)
    minor = mode == "m" or mode.lower().startswith("min") if mode else letter.islower()
    return (tonic + shift) % 12, minor


_KEY = re.compile(r"([A-G])[\s_-]*(#|♯|sharp|b|♭|flat|)[\s_-]*(m|min|minor|maj|major|)", re.IGNORECASE)
