"""Parts of a score for notation: instruments, staves and clefs, and the hands of keyboard parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import mean, median
from typing import TYPE_CHECKING, Literal

from audioseq.midi.instruments import INSTRUMENTS
from audioseq.midi.notes import Note

if TYPE_CHECKING:
    from audioseq.midi.score import Score

Clef = Literal["treble", "treble8vb", "alto", "bass", "percussion"]

KEYBOARDS = {*range(24), 46}
"""General MIDI programs written on two staves: pianos, mallets, organs, harp."""
SHORT_NAMES = {0: "Piano", 46: "Harp", 52: "Voice"}
"""Names that musicians use in place of those of General MIDI."""
ALTO_PROGRAMS, TENOR_PROGRAMS = {41}, {24, 25}
"""Violas have an alto clef; guitars sound an octave lower than they are written."""
BASS_CLEF_BELOW = 57
"""Median pitch below which a staff has a bass clef, A below middle C."""
HAND = re.compile(r",? +(right|left) hand$", re.IGNORECASE)
"""What names of the tracks of a keyboard part may end with."""
MIDDLE_C = 60
MAX_SPAN = 14
"""Semitones that one hand reaches, a ninth; more costs."""
MAX_STRAY_SHARE = 0.15
"""Share of notes in the register of the other hand up to which two tracks are the two hands."""
RESTING_HANDS = (48.0, 67.0)
"""MIDI pitches around which the left and the right hand begin."""


@dataclass(frozen=True)
class Part:
    """An instrument and the notes of its staves.

    Args:
        name: of the track, or of the General MIDI instrument.
        program: General MIDI program, 0 to 127.
        staves: clef and notes of each staff, from the top; keyboards have two.
    """

    name: str
    program: int
    staves: tuple[tuple[Clef, tuple[Note, ...]], ...]


def to_parts(score: Score) -> list[Part]:
    """Return the parts of a score, a track each; neighbouring keyboard tracks of one name are one part.

    Names that end with a hand count without it. Parts of the same name are numbered.
    """
    tracks: dict[tuple[int, int, bool], list[Note]] = {}
    for note in score.notes:
        tracks.setdefault((note.track, note.program, note.drum), []).append(note)

    def name_of(track: int, is_keyboard: bool) -> str:
        name = score.names[track] if track < len(score.names) else ""
        return HAND.sub("", name) if is_keyboard else name

    def instrument(key: tuple[int, int, bool]) -> tuple[str, int, bool, int | None]:
        track, program, drum = key
        is_keyboard = program in KEYBOARDS and not drum
        return name_of(track, is_keyboard), program, drum, None if is_keyboard else track

    parts = []
    for (name, program, drum, _), keys in groupby(sorted(tracks), key=instrument):
        members = [tracks[key] for key in keys]
        notes = tuple(note for member in members for note in member)
        staves: tuple[tuple[Clef, tuple[Note, ...]], ...]
        if drum:
            staves = (("percussion", notes),)
        elif program in KEYBOARDS and _needs_two_staves(notes):
            right, left = _hands(members)
            staves = (("treble", tuple(right)), ("bass", tuple(left)))
        else:
            staves = ((_clef(notes, program), notes),)
        parts.append(Part(name or _instrument_name(program, drum), program, staves))
    counts = Counter(part.name for part in parts)
    numbers: Counter[str] = Counter()
    for index, part in enumerate(parts):
        if counts[part.name] > 1:
            numbers[part.name] += 1
            parts[index] = replace(part, name=f"{part.name} {numbers[part.name]}")
    return parts


def track_names(score: Score) -> list[str]:
    """Return the name of each track: its own, or that of its instrument."""
    first = {note.track: note for note in reversed(score.notes)}
    return [
        (score.names[track] if track < len(score.names) else "") or _instrument_name(note.program, note.drum)
        for track, note in sorted(first.items())
    ]


def _instrument_name(program: int, drum: bool) -> str:
    return "Drums" if drum else SHORT_NAMES.get(program) or INSTRUMENTS[program].name


def _clef(notes: Sequence[Note], program: int) -> Clef:
    if program in ALTO_PROGRAMS:
        return "alto"
    if program in TENOR_PROGRAMS:
        return "treble8vb"
    return "bass" if median(note.pitch for note in notes) < BASS_CLEF_BELOW else "treble"


def _needs_two_staves(notes: Sequence[Note]) -> bool:
    """Whether a keyboard part is too wide, or too full, for one staff."""
    pitches = [note.pitch for note in notes]
    return min(pitches) < MIDDLE_C - 7 and max(pitches) > MIDDLE_C + 4


def _hands(tracks: Sequence[Sequence[Note]]) -> tuple[list[Note], list[Note]]:
    """Return the notes of the right and of the left hand.

    Two tracks of which one is clearly the higher are the hands. Else each chord is divided where the cost of
    all chords is lowest, by dynamic programming: notes beyond middle C, wide spans, and leaps of a hand cost.
    """
    if len(tracks) == 2:
        high, low = sorted(tracks, key=lambda notes: -mean(note.pitch for note in notes))
        strays = sum(note.pitch < MIDDLE_C - 7 for note in high)
        strays += sum(note.pitch > MIDDLE_C + 7 for note in low)
        if strays <= MAX_STRAY_SHARE * (len(high) + len(low)):
            return list(high), list(low)
    notes = sorted((note for track in tracks for note in track), key=lambda note: (note.onset, note.pitch))
    chords = [sorted(group, key=_pitch) for _, group in groupby(notes, key=lambda note: round(note.onset, 2))]
    # The best path to each division of the last chord: cost, centres of the left and the right hand.
    paths = [(0.0, *RESTING_HANDS)]
    origins: list[list[int]] = []  # of each chord and division: the best division of the chord before
    for chord in chords:
        extended, origin = [], []
        for division in range(len(chord) + 1):
            left, right = ([note.pitch for note in hand] for hand in (chord[:division], chord[division:]))
            costs = [cost + _leap(low, left) + _leap(high, right) for cost, low, high in paths]
            best = costs.index(min(costs))
            low_centre = mean(left) if left else paths[best][1]
            high_centre = mean(right) if right else paths[best][2]
            extended.append((costs[best] + _hand_cost(left, right), low_centre, high_centre))
            origin.append(best)
        origins.append(origin)
        paths = extended
    division = min(range(len(paths)), key=lambda index: paths[index][0])
    right_hand: list[Note] = []
    left_hand: list[Note] = []
    for chord, origin in zip(reversed(chords), reversed(origins), strict=True):
        left_hand += chord[:division]
        right_hand += chord[division:]
        division = origin[division]
    return right_hand[::-1], left_hand[::-1]


def _pitch(note: Note) -> int:
    return note.pitch


def _hand_cost(left: Sequence[int], right: Sequence[int]) -> float:
    """Return the cost of one chord: semitones beyond middle C, and twice those beyond the span of a hand."""
    crossed = sum(max(pitch - MIDDLE_C + 1, 0) for pitch in left)
    crossed += sum(max(MIDDLE_C - pitch, 0) for pitch in right)
    return crossed + 2.0 * sum(max(hand[-1] - hand[0] - MAX_SPAN, 0) for hand in (left, right) if hand)


def _leap(centre: float, hand: Sequence[int]) -> float:
    """Return the cost of a movement of a hand: a third of the semitones."""
    return abs(mean(hand) - centre) / 3 if hand else 0.0
