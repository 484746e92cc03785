"""Options of a piece: style, key, tempo, density, length, chords and meter."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audioseq.errors import ConfigError
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import parse_progression

MAX_SECONDS = 3600.0
"""Longest piece, seconds."""
MAX_BARS = 2000
"""Longest piece, bars."""
DEFAULT_METER = "4/4"
"""Meter of pieces with a pickup."""
MIN_PICKUP = 0.25
"""Shortest pickup, and what all are multiples of, quarter notes."""
DENSITIES = 0.5, 16.0
"""Lowest and highest density that can be requested, notes per quarter."""


@dataclass(frozen=True)
class CompositionOptions:
    """Requested properties of a piece. Options that are None are sampled from the training distribution.

    With a primer, key, tempo and density are by default those of the primer.

    Args:
        style: one of `vocabulary.STYLES`, except `other`, in any case.
        key: such as `D`, `Bb minor`, `f#`, `F#m` or `E-flat major`.
        tempo: quarter notes per minute, 20 to 400.
        density: notes per quarter note, 0.5 to 16.
        bars: length in bars, 1 to `MAX_BARS`.
        seconds: length in seconds, 1 to `MAX_SECONDS`; the piece ends with the nearest bar. Excludes `bars`.
        chords: chords bar by bar, repeated, such as `| C | Am7 | F G7 |` or `I vi ii V7`; see
            `parse_progression`. The key is by default the one that fits them.
        meter: time signature of new bars, such as `3/4`.
        swing: share of the first of two eighths in their quarter, 50 to 75 percent; see `swing.swing`.
        pedal: whether the sustain pedal holds the piano tracks; by default in new pop pieces.
        humanise: whether files and audio have the timing of a player; notation has not.
        pickup: length of an incomplete bar before the first one, quarter notes; the meter is then 4/4 by
            default.
    Raises:
        ConfigError: a value is unknown or out of range, or both lengths are given.
    """

    style: str | None = None
    key: str | None = None
    tempo: float | None = None
    density: float | None = None
    bars: int | None = None
    seconds: float | None = None
    chords: str | None = None
    meter: str | None = None
    swing: float | None = None
    pedal: bool | None = None
    humanise: bool = False
    pickup: float | None = None

    def __post_init__(self) -> None:
        styles = v.STYLES[:-1]
        if self.style is not None:
            if self.style.strip().lower() not in styles:
                raise ConfigError(f"style is {self.style!r}; give one of {', '.join(styles)}")
            object.__setattr__(self, "style", self.style.strip().lower())
        if self.key is not None:
            v.parse_key(self.key)
        check_range("tempo", self.tempo, 20, 400, "quarter notes per minute")
        check_range("density", self.density, *DENSITIES, "notes per quarter note")
        check_range("bars", self.bars, 1, MAX_BARS, "bars")
        check_range("seconds", self.seconds, 1, MAX_SECONDS, "seconds")
        check_range("swing", self.swing, 50, 75, "percent, where 50 is straight")
        if self.bars is not None and self.seconds is not None:
            raise ConfigError("bars and seconds both set the length; give one of them")
        if self.chords is not None:
            parse_progression(self.chords)
        meter = parse_meter(self.meter or DEFAULT_METER)
        if self.pickup is not None:
            bar = v.METER_TICKS[meter] / v.TICKS_PER_QUARTER
            check_range("pickup", self.pickup, MIN_PICKUP, bar - MIN_PICKUP, "quarter notes")
            if self.pickup % MIN_PICKUP:
                raise ConfigError(f"pickup is {self.pickup:g}; give a multiple of {MIN_PICKUP} quarter notes")


def parse_meter(text: str) -> int:
    """Return the index of a time signature in `vocabulary.METERS`."""
    for index, (numerator, denominator) in enumerate(v.METERS):
        if text.replace(" ", "") == f"{numerator}/{denominator}":
            return index
    raise ConfigError(f"meter is {text!r}; give a time signature such as 4/4, 3/4, 2/4, 6/8 or 12/8")


def parse_bars(text: str) -> tuple[int, int]:
    """Return the first and the last bar of a range, as counted from 1.

    Raises:
        ConfigError: the text is not a range of bars.
    Example:
        >>> parse_bars("9-16"), parse_bars("4")
        ((9, 16), (4, 4))
    """
    found = re.fullmatch(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?", text.strip())
    if not found:
        raise ConfigError(f"bars are {text!r}; give a range such as 9-16, or one bar")
    return int(found[1]), int(found[2] or found[1])


def check_range(name: str, value: float | None, low: float, high: float, unit: str) -> None:
    """Refuse a number outside its range; ConfigError names both."""
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} is {value:g}; give {low:g} to {high:g} {unit}")
