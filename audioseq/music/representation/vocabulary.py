"""The fields of an event, and the values that each may take.

One event is one note, the bar line before a bar, or the end. A note is (step, track, pitch, duration,
velocity): the step says when it begins, within its bar. A bar line is (step, meter).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right

from audioseq.errors import ConfigError

TICKS = 24
"""Ticks in a quarter note: the resolution of the grid. A 32nd is 3, an eighth of a triplet 8."""
LONGEST_BAR = 8 * TICKS
"""Ticks. A longer bar is cut into several."""

SAME = LONGEST_BAR
"""Step: at the onset of the note before. Below it, a step is a position in the bar, later than that onset."""
BAR = LONGEST_BAR + 1
"""Step: a bar begins."""
END = LONGEST_BAR + 2
"""Step: the piece has ended."""
STEPS = LONGEST_BAR + 3

METERS: tuple[tuple[int, int], ...] = (
    (4, 4), (3, 4), (2, 4), (6, 8), (2, 2), (3, 8), (9, 8), (12, 8), (3, 2), (6, 4), (4, 2), (1, 4), (5, 4),
    (7, 4), (5, 8), (7, 8), (4, 8), (8, 8), (2, 8), (1, 8), (10, 8), (11, 8), (6, 16), (3, 16), (1, 16),
    (1, 32),
)  # fmt: skip
"""Time signatures; a bar of another one is put together from bars of these."""
METER_TICKS = tuple(4 * TICKS * numerator // denominator for numerator, denominator in METERS)

TRACKS = 8
"""Tracks that a piece may have; more are merged."""
DRUMS = 128
"""What stands for drums among the programs of tracks, 0 to 127."""
PITCHES = 128
VELOCITIES = 16
"""Levels of 8 of MIDI's velocities."""

DURATION_TICKS = (*range(1, LONGEST_BAR + 1), *range(LONGEST_BAR + TICKS, 64 * TICKS + 1, TICKS))
"""Every tick up to eight quarters, then every quarter up to 64."""
DURATIONS = len(DURATION_TICKS)

STEP, METER, TRACK, PITCH, DURATION, VELOCITY = range(6)
"""Columns of an array of events."""
FIELDS = (STEPS, len(METERS), TRACKS, PITCHES, DURATIONS, VELOCITIES)
"""How many values each column has; -1 stands where an event has no such field."""

STYLES = ("pop", "lied", "quartet", "chorale", "other")
"""`other` stands for any: the model hears it in place of the true one now and then."""
TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
TEMPOS = 25
DENSITIES = 17


def duration_class(ticks: int) -> int:
    """Return the longest of the durations that is not longer, as its index.

    Example:
        >>> duration_class(1), DURATION_TICKS[duration_class(230)], DURATION_TICKS[duration_class(9999)]
        (0, 216, 1536)
    """
    if ticks <= LONGEST_BAR:
        return max(ticks, 1) - 1
    return min(LONGEST_BAR - 1 + (ticks - LONGEST_BAR) // TICKS, DURATIONS - 1)


def velocity_level(velocity: int) -> int:
    """Return the level of a MIDI velocity."""
    return min(max(velocity, 1), 127) // 8


def level_velocity(level: int) -> int:
    """Return the MIDI velocity in the middle of a level."""
    return 8 * level + 4


def tempo_class(bpm: float) -> int:
    """Return the class of a tempo: eighths of a doubling, from 30 quarters a minute to 240.

    Example:
        >>> tempo_class(30), tempo_class(120), tempo_class(1000)
        (0, 16, 24)
    """
    return min(max(round(8 * math.log2(max(bpm, 1) / 30)), 0), TEMPOS - 1)


def class_tempo(index: int) -> float:
    """Return the tempo in the middle of a class, quarter notes a minute."""
    return float(30 * 2 ** (index / 8))


def density_class(notes_per_quarter: float) -> int:
    """Return the class of a density: quarters of a doubling, from one note in a quarter to 16."""
    return min(max(round(4 * math.log2(max(notes_per_quarter, 0.01))), 0), DENSITIES - 1)


def countdown_class(bars: int) -> int:
    """Return the class of the bars that remain: each by itself up to 15, then quarters of a doubling.

    Example:
        >>> [countdown_class(bars) for bars in (0, 15, 16, 32, 10_000)]
        [0, 15, 16, 20, 31]
    """
    return bars if bars < 16 else 15 + bisect_right(_COUNTDOWN, bars)


_COUNTDOWN = tuple(round(16 * 2 ** (i / 4)) for i in range(16))
COUNTDOWNS = 32


def parse_key(name: str) -> tuple[int, bool]:
    """Return the tonic (0 is C) and whether it is minor, of a key such as `D`, `Bb minor`, `F#m` or `c# min`.

    Raises:
        ConfigError: there is no such key.
    Example:
        >>> parse_key("Bb"), parse_key("f# minor"), parse_key("Am")
        ((10, False), (6, True), (9, True))
    """
    found = _KEY.fullmatch(name.strip())
    if not found:
        raise ConfigError(f"key is {name!r}, but must be such as C, Bb major, F#m or 'd minor'")
    letter, sign, mode = found.groups()
    tonic = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[letter.lower()]
    minor = mode in ("m", "min") or mode.lower() == "minor" if mode else letter.islower()
    return (tonic + {"#": 1, "b": -1}.get(sign, 0)) % 12, minor


_KEY = re.compile(r"([A-Ga-g])([#b]?)(?:[ -]*(m|min|minor|maj|major|Minor|Major))?")
