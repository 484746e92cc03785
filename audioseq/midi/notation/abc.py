"""Tunes in ABC notation: the melody of a piece as text."""

from __future__ import annotations

from math import gcd
from statistics import mean

from audioseq.midi.notation.rhythm import triplet_spans
from audioseq.midi.notation.sheet import Bar, Sheet, Staff, Symbol
from audioseq.midi.notation.spelling import FIFTHS, spell

UNIT_TICKS = 12
"""Unit note length, `L:1/8`."""
BARS_PER_LINE = 4
_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


def to_abc(sheet: Sheet, title: str = "", number: int = 1) -> str:
    """Return the tune of a sheet as ABC: the first voice of its highest staff.

    Args:
        sheet: sheet music.
        title: of the tune.
        number: of the tune, `X:`.
    """
    staves = [staff for part in sheet.parts for staff in part.staves if staff.clef != "percussion"]
    staff = max(staves, key=_mean_pitch, default=None)
    first = sheet.bars[0]
    lines = [
        f"X:{number}", f"T:{title or 'Untitled'}", f"M:{first.meter[0]}/{first.meter[1]}", "L:1/8",
        f"Q:1/4={round(first.tempo or 120)}", f"K:{_key_name(first)}",
    ]  # fmt: skip
    bars: list[str] = []
    before = first
    for bar, voices in zip(sheet.bars, staff.bars if staff else (), strict=False):
        change = f"[M:{bar.meter[0]}/{bar.meter[1]}]" if bar.meter != before.meter else ""
        if (bar.fifths, bar.minor) != (before.fifths, before.minor):
            change += f"[K:{_key_name(bar)}]"
        bars.append(change + _write_bar(voices[0], bar))
        before = bar
    rows = ["|".join(bars[start : start + BARS_PER_LINE]) for start in range(0, len(bars), BARS_PER_LINE)]
    return "\n".join([*lines, *(f"{row}|" for row in rows[:-1]), *(f"{row}|]" for row in rows[-1:])]) + "\n"


def _mean_pitch(staff: Staff) -> float:
    pitches = [symbol.pitches[-1] for bar in staff.bars for symbol in bar[0] if symbol.pitches]
    return mean(pitches) if pitches else 0.0


def _key_name(bar: Bar) -> str:
    """Return the key, such as `Bb` or `F#m`."""
    alteration, letter = divmod(bar.fifths + (3 if bar.minor else 0) + 1, 7)
    return FIFTHS[letter] + ("#" * alteration if alteration > 0 else "b" * -alteration) + "m" * bar.minor


def _write_bar(symbols: tuple[Symbol, ...], bar: Bar) -> str:
    """Return the notes of a bar; those of a beat are written without spaces, so that they share a beam."""
    beat = 36 if bar.meter[0] % 3 == 0 and bar.meter[1] >= 8 else 24
    spans = dict(triplet_spans(edge for each in symbols for edge in (each.start, each.start + each.ticks)))
    altered: set[str] = set()  # letters that have had an accidental
    chords = list(bar.chords)
    text = ""
    for symbol in symbols:
        if text and symbol.start % beat == 0:
            text += " "
        if symbol.triplet and symbol.start in spans:
            count = sum(symbol.start <= each.start < spans[symbol.start] for each in symbols)
            text += f"(3:2:{count}"
        while chords and chords[0][0] <= symbol.start:
            text += f'"{chords.pop(0)[1]}"'
        names = [_note_name(pitch, bar, altered) for pitch in symbol.pitches]
        name = names[0] if len(names) == 1 else f"[{''.join(names)}]" if names else "z"
        ticks = symbol.ticks * 3 // 2 if symbol.triplet else symbol.ticks
        text += name + _length(ticks) + ("-" if symbol.tie in ("start", "continue") else "")
    return text


def _note_name(pitch: int, bar: Bar, altered: set[str]) -> str:
    """Return a note with the accidental that the key signature and the bar so far require."""
    letter, alteration, octave = spell(pitch, bar.fifths, bar.minor)
    name = letter + "," * (4 - octave) if octave < 5 else letter.lower() + "'" * (octave - 5)
    in_key = 1 if FIFTHS.index(letter) < bar.fifths else -1 if FIFTHS.index(letter) - 7 >= bar.fifths else 0
    # Programs differ in how far an accidental holds; a letter with one has one for the rest of the bar.
    if alteration == in_key and letter not in altered:
        return name
    altered.add(letter)
    return _ACCIDENTALS[alteration] + name


def _length(ticks: int) -> str:
    """Return a duration as a multiple of the unit length: `2`, `/2`, `3/2`, or nothing for one unit.

    Example:
        >>> _length(24), _length(12), _length(6), _length(18), _length(3)
        ('2', '', '/2', '3/2', '/4')
    """
    divisor = gcd(ticks, UNIT_TICKS)
    above, below = ticks // divisor, UNIT_TICKS // divisor
    return ("" if above == 1 else str(above)) + ("" if below == 1 else f"/{below}")
