"""Chord symbols and Roman numerals, and progressions of chords bar by bar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioseq.errors import ConfigError
from audioseq.midi import Score
from audioseq.music.representation.vocabulary import TONICS

QUALITIES = {
    "": (0, 4, 7), "maj": (0, 4, 7), "m": (0, 3, 7), "min": (0, 3, 7), "-": (0, 3, 7), "dim": (0, 3, 6),
    "°": (0, 3, 6), "o": (0, 3, 6), "aug": (0, 4, 8), "+": (0, 4, 8), "5": (0, 7), "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "M7": (0, 4, 7, 11), "Δ": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10), "min7": (0, 3, 7, 10), "-7": (0, 3, 7, 10), "mM7": (0, 3, 7, 11),
    "mmaj7": (0, 3, 7, 11), "dim7": (0, 3, 6, 9), "°7": (0, 3, 6, 9), "o7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10), "ø": (0, 3, 6, 10), "ø7": (0, 3, 6, 10), "aug7": (0, 4, 8, 10),
    "+7": (0, 4, 8, 10), "sus": (0, 5, 7), "sus4": (0, 5, 7), "sus2": (0, 2, 7), "7sus4": (0, 5, 7, 10),
    "add9": (0, 2, 4, 7), "9": (0, 2, 4, 7, 10), "maj9": (0, 2, 4, 7, 11), "m9": (0, 2, 3, 7, 10),
    "7b9": (0, 1, 4, 7, 10), "13": (0, 2, 4, 7, 9, 10),
}  # fmt: skip
"""Semitones above the root of the tones of each kind of chord, by its symbol."""
MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
MAX_CHORDS = 2000
"""Most chords of a progression."""
MAX_BAR_CHORDS = 16
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_ROMAN = re.compile(r"([b♭#♯]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(°|o|ø|\+)?(7|maj7|6|9)?")
_SYMBOL = re.compile(r"([A-G])([b♭#♯]?)([^/]*)(?:/([A-G])([b♭#♯]?))?")
_SIGNS = {"": 0, "b": -1, "♭": -1, "#": 1, "♯": 1}
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Chord:
    """A chord as pitch classes, 0 for C.

    Args:
        name: as written.
        root: of the chord.
        tones: all tones of the chord, with the bass.
        bass: the root, or what is written after a slash.
        symbol: chord symbol; that of a Roman numeral in its key.
    """

    name: str
    root: int
    tones: frozenset[int]
    bass: int
    symbol: str


@dataclass(frozen=True)
class Progression:
    """Chords bar by bar; the progression is repeated as long as the piece lasts.

    Args:
        bars: the chords of each bar, which divide it evenly.
    """

    bars: tuple[tuple[Chord, ...], ...]

    def at(self, bar: int, position: float, length: float) -> Chord:
        """Return the chord at a position in a bar.

        Args:
            bar: index of the bar, from 0.
            position: from the bar line, in any unit.
            length: of the bar, in this unit.
        """
        chords = self.bars[bar % len(self.bars)]
        return chords[min(int(position * len(chords) / length), len(chords) - 1)]

    def after(self, bars: int) -> Progression:
        """Return the progression of a piece in which it begins after a number of bars."""
        start = -bars % len(self.bars)
        return Progression(self.bars[start:] + self.bars[:start])

    def symbols(self, score: Score, first: int = 0) -> tuple[tuple[float, str], ...]:
        """Return the chord symbols of a score, where they change, each with its time in seconds.

        Args:
            score: a piece that follows the progression from its first bar on.
            first: index of the first bar with symbols.
        """
        lines = np.asarray(score.beats(score.bars()))
        found: list[tuple[float, str]] = []
        for bar in range(first, len(lines) - 1):
            chords = self.bars[bar % len(self.bars)]
            starts = np.linspace(lines[bar], lines[bar + 1], len(chords), endpoint=False)
            for start, chord in zip(starts, chords, strict=True):
                if not found or found[-1][1] != chord.symbol:
                    found.append((score.seconds(float(start)), chord.symbol))
        return tuple(found)

    def key(self) -> tuple[int, bool]:
        """Return the key that fits the chords best: tonic (0 is C), and whether it is minor."""
        chords = [chord for bar in self.bars for chord in bar]

        def fit(key: tuple[int, bool]) -> float:
            tonic, minor = key
            scale = {(tonic + step) % 12 for step in (MINOR_SCALE if minor else MAJOR_SCALE)}
            inside = sum(tone in scale for chord in chords for tone in chord.tones)
            third = (tonic + (3 if minor else 4)) % 12
            tonics = [chord.root == tonic and third in chord.tones for chord in chords]
            return inside + 2 * tonics[0] + tonics[-1] + 0.1 * sum(tonics)

        return max(((tonic, minor) for minor in (False, True) for tonic in range(12)), key=fit)


def parse_progression(text: str, key: tuple[int, bool] | None = None) -> Progression:
    """Read chords such as `| C | Am7 | F G7 | % |`, or Roman numerals such as `I vi ii7 V7`.

    Bar lines separate the bars; the chords of a bar divide it evenly. Without bar lines, each chord is a bar.
    `%` repeats the chord or bar before.

    Args:
        text: the progression.
        key: tonic and whether it is minor, for Roman numerals; C major if not given.
    Raises:
        ConfigError: a chord is unknown, there are none, or too many.
    Example:
        >>> progression = parse_progression("| C | Am7 F/A |")
        >>> [[(chord.name, sorted(chord.tones)) for chord in bar] for bar in progression.bars]
        [[('C', [0, 4, 7])], [('Am7', [0, 4, 7, 9]), ('F/A', [0, 5, 9])]]
    """
    inner = text.strip().strip("|")
    groups = (
        inner.split("|") if "|" in inner or "|" in text else [word for word in inner.split() if word != "-"]
    )
    bars: list[tuple[Chord, ...]] = []
    for group in groups:
        chords: list[Chord] = []
        for word in group.split():
            before = chords or (bars[-1] if bars else ())
            if word == "%" and not before:
                raise ConfigError("chords begin with %, which repeats the chord before; begin with a chord")
            if word == "%" and len(group.split()) == 1:
                chords += before
            else:
                chords.append(before[-1] if word == "%" else parse_chord(word, key))
        if not chords:
            raise ConfigError(f"chords have an empty bar {len(bars) + 1}; write % to repeat the bar before")
        if len(chords) > MAX_BAR_CHORDS:
            raise ConfigError(
                f"chords have {len(chords)} in bar {len(bars) + 1}; give at most {MAX_BAR_CHORDS}"
            )
        bars.append(tuple(chords))
    if not bars or len(bars) > MAX_CHORDS:
        raise ConfigError(
            f"chords have {len(bars)} bars; give 1 to {MAX_CHORDS}, such as '| C | Am | F | G7 |'"
        )
    return Progression(tuple(bars))


def parse_chord(name: str, key: tuple[int, bool] | None = None) -> Chord:
    """Read a chord symbol, such as `F#m7b5` or `Bb/D`, or a Roman numeral, such as `ii7` or `V7/V`.

    Raises:
        ConfigError: the chord is unknown.
    """
    found = _SYMBOL.fullmatch(name)
    if found and found[3] in QUALITIES:
        root = (_LETTERS[found[1]] + _SIGNS[found[2]]) % 12
        bass = (_LETTERS[found[4]] + _SIGNS[found[5]]) % 12 if found[4] else root
        return _chord(name, root, QUALITIES[found[3]], bass)
    numeral, slash, target = name.partition("/")
    local = key or (0, False)
    if slash and _ROMAN.fullmatch(target):
        local = parse_chord(target, local).root, target.lstrip("b♭#♯")[0].islower()
    if matched := _ROMAN.fullmatch(numeral):
        root, intervals = _roman(matched, local)
        return _chord(name, root, intervals, root)
    raise ConfigError(
        f"chords have {name!r}, which is no chord; give symbols such as C, Am7, F#dim or Bb/D, or Roman "
        "numerals such as ii7 or V7/V"
    )


def choose_key(text: str, key: tuple[int, bool]) -> tuple[int, bool]:
    """Return the key of a piece over some chords: tonic, and whether it is minor.

    That of chord symbols is the one that fits them best. Roman numerals take the tonic of `key`, in minor if
    they have a minor tonic chord, and in major if they have a major one.

    Raises:
        ConfigError: a chord is unknown.
    """
    progression = parse_progression(text, key)
    names = {chord.name for bar in progression.bars for chord in bar}
    if not any(_ROMAN.match(name) for name in names):
        return progression.key()
    minor = {name[0].islower() for name in names if re.fullmatch("[iI](7|maj7|6|9)?", name)}
    return key[0], minor.pop() if len(minor) == 1 else key[1]


def _chord(name: str, root: int, intervals: Sequence[int], bass: int) -> Chord:
    tones = frozenset([*((root + interval) % 12 for interval in intervals), bass])
    if _ROMAN.match(name) is None:
        return Chord(name, root, tones, bass, name)
    suffix = next((suffix for suffix, each in QUALITIES.items() if each == tuple(sorted(intervals))), "")
    return Chord(name, root, tones, bass, TONICS[root] + suffix)


def _roman(found: re.Match[str], key: tuple[int, bool]) -> tuple[int, tuple[int, ...]]:
    """Return root and intervals of a Roman numeral in a key."""
    sign, numeral, kind, number = found.groups(default="")
    tonic, minor = key
    scale = MINOR_SCALE if minor else MAJOR_SCALE
    degree = _NUMERALS.index(numeral.upper())
    step = scale[degree] + _SIGNS[sign]
    if minor and degree == 6 and not sign and kind in ("°", "o", "ø"):
        step += 1  # the leading note
    third = 3 if numeral.islower() else 4
    triad = {"": (0, third, 7), "+": (0, 4, 8)}.get(kind, (0, 3, 6))
    if not number:
        return (tonic + step) % 12, triad
    diatonic_seventh = 11 if (step + 11) % 12 in scale and third == 4 else 10
    seventh = {"°": 9, "o": 9, "ø": 10}.get(kind, 11 if number == "maj7" else diatonic_seventh)
    extra = {"6": (9,), "9": (seventh, 2)}.get(number, (seventh,))
    return (tonic + step) % 12, (*triad, *extra)
