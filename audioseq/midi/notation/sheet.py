"""Sheet music of a score: bars of symbols on staves, from which MusicXML and ABC are written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from audioseq.errors import MidiError
from audioseq.midi.notation.rhythm import QUARTER, BeatGrids, split
from audioseq.midi.notation.spelling import estimate_fifths, key_fifths
from audioseq.midi.notation.staves import Clef, to_parts
from audioseq.midi.notation.voices import Chord, StaffNote, to_voices

if TYPE_CHECKING:
    from audioseq.midi.notes import Note
    from audioseq.midi.score import Score

Tie = Literal["", "start", "stop", "continue"]

TEMPO_CHANGE = 1.05
"""A tempo is written if it differs from the last one by this factor."""


@dataclass(frozen=True)
class Symbol:
    """A chord or a rest as written: one duration.

    Args:
        start: in ticks from the bar line, 24 per quarter; in a pickup, from the line of a full bar.
        ticks: duration.
        pitches: MIDI pitches, from the lowest; none for a rest.
        tie: `start`, `stop` or `continue` if several symbols are one note, else empty.
        triplet: whether it belongs to a triplet, which a beat or half a beat holds.
    """

    start: int
    ticks: int
    pitches: tuple[int, ...] = ()
    tie: Tie = ""
    triplet: bool = False


@dataclass(frozen=True)
class Bar:
    """What all parts have in common in a bar.

    Args:
        ticks: length; shorter than the meter in an incomplete bar.
        lead: ticks of its meter that are missing before a pickup; 0 in other bars.
        meter: numerator and denominator.
        fifths: sharps of the key signature, or flats if negative.
        minor: whether the key is minor.
        tempo: quarter notes per minute from this bar on, where it changes.
        chords: chord symbols, each with its position, as in `Symbol`.
    """

    ticks: int
    meter: tuple[int, int]
    fifths: int
    minor: bool
    tempo: float | None = None
    chords: tuple[tuple[int, str], ...] = ()
    lead: int = 0


@dataclass(frozen=True)
class Staff:
    """The voices of a staff: for each bar one or two sequences of symbols that fill it."""

    clef: Clef
    bars: tuple[tuple[tuple[Symbol, ...], ...], ...]


@dataclass(frozen=True)
class SheetPart:
    """An instrument with its staves, from the top."""

    name: str
    program: int
    staves: tuple[Staff, ...]


@dataclass(frozen=True)
class Sheet:
    """Sheet music of a piece."""

    parts: tuple[SheetPart, ...]
    bars: tuple[Bar, ...]


def to_sheet(score: Score) -> Sheet:
    """Write a score as sheet music.

    Onsets are quantised beat by beat; notes last until the next note rather than until a short rest; notes
    held under others get a voice of their own. Without a key signature, that with the fewest accidentals is
    used.

    Raises:
        MidiError: the score has no notes.
    """
    if not score.notes:
        raise MidiError("has no notes to write as sheet music; give a piece with notes")
    lines = [round(tick) for tick in (np.asarray(score.beats(score.bars())) * QUARTER).tolist()]
    lines = [line for line, following in pairwise([*lines, lines[-1] + 1]) if following > line]
    bars = _bars(score, lines)
    # The quarters of a pickup are counted back from the first full bar.
    rest = bars[0].ticks % QUARTER if bars[0].lead else 0
    quarters = [0] * bool(rest) + [*range(rest, lines[1], QUARTER)]
    quarters += [tick for line, following in pairwise(lines[1:]) for tick in range(line, following, QUARTER)]
    parts = []
    for part in to_parts(score):
        onsets = (score.beats(note.onset) * QUARTER for _, notes in part.staves for note in notes)
        grids = BeatGrids.choose(onsets, quarters)
        staves = tuple(
            Staff(clef, _staff_bars(score, notes, bars, lines, grids, clef)) for clef, notes in part.staves
        )
        parts.append(SheetPart(part.name, part.program, staves))
    return Sheet(tuple(parts), bars)


def _bars(score: Score, lines: Sequence[int]) -> tuple[Bar, ...]:
    """Return meter, key and tempo of each bar."""

    def index_at(seconds: Sequence[float], line: int) -> int:
        ticks = [round(score.beats(max(each, 0.0)) * QUARTER) for each in seconds]
        return max(bisect_right(ticks, line + QUARTER // 4) - 1, 0)

    weights = np.zeros(12)
    for note in score.notes:
        if not note.drum:
            weights[note.pitch % 12] += note.duration
    estimated = estimate_fifths(weights.tolist()), False
    signatures = score.time_signatures or ((0.0, 4, 4),)
    tempos = score.tempos or ((0.0, 120.0),)
    pickup = round(score.pickup * QUARTER)
    bars = []
    chords = [(round(score.beats(seconds) * QUARTER), symbol) for seconds, symbol in score.chords]
    written = 0.0
    for line, following in pairwise(lines):
        is_pickup = line == 0 and following == pickup
        _, *meter = signatures[1 if is_pickup else index_at([each[0] for each in signatures], line)]
        lead = 4 * QUARTER * meter[0] // meter[1] - pickup if is_pickup else 0
        bpm = tempos[index_at([each[0] for each in tempos], line)][1]
        key = score.keys[index_at([each[0] for each in score.keys], line)][1] if score.keys else None
        changed = not written or max(bpm / written, written / bpm) > TEMPO_CHANGE
        written = bpm if changed else written
        signature = key_fifths(key) if key else estimated
        here = tuple((tick - line + lead, symbol) for tick, symbol in chords if line <= tick < following)
        tempo = bpm if changed else None
        bars.append(Bar(following - line, (meter[0], meter[1]), *signature, tempo, here, lead))
    return tuple(bars)


def _staff_bars(
    score: Score,
    notes: Sequence[Note],
    bars: Sequence[Bar],
    lines: Sequence[int],
    grids: BeatGrids,
    clef: Clef,
) -> tuple[tuple[tuple[Symbol, ...], ...], ...]:
    """Return the voices of each bar of a staff."""
    times = (
        np.asarray(score.beats(np.array([(note.onset, note.end) for note in notes]).reshape(-1, 2))) * QUARTER
    )
    staff_notes = sorted(
        StaffNote(min(grids.quantise(onset), lines[-1] - 1), end, note.pitch)
        for note, (onset, end) in zip(notes, times.tolist(), strict=True)
    )
    voices = [_in_bars(voice, lines) for voice in to_voices(staff_notes, lines, grids, clef == "bass")]
    result = []
    for index, bar in enumerate(bars):
        present = [voice[index] for voice in voices if voice[index]] or [[]]
        result.append(tuple(_symbols(chords, bar) for chords in present))
    return tuple(result)


def _in_bars(chords: Sequence[Chord], lines: Sequence[int]) -> list[list[tuple[Chord, bool, bool]]]:
    """Return the chords of each bar, in ticks from its bar line.

    Each has whether it comes from the bar before, and whether it goes on in the next.
    """
    bars: list[list[tuple[Chord, bool, bool]]] = [[] for _ in lines[1:]]
    for chord in chords:
        for bar in range(bisect_right(lines, chord.start) - 1, len(bars)):
            start, stop = lines[bar], lines[bar + 1]
            if chord.end <= start:
                break
            part = Chord(max(chord.start, start) - start, min(chord.end, stop) - start, chord.pitches)
            bars[bar].append((part, chord.start < start, chord.end > stop))
    return bars


def _symbols(chords: Sequence[tuple[Chord, bool, bool]], bar: Bar) -> tuple[Symbol, ...]:
    """Return the symbols of one voice in one bar, with rests."""
    if not chords:
        return (Symbol(bar.lead, bar.ticks),)
    placed = [
        (Chord(chord.start + bar.lead, chord.end + bar.lead, chord.pitches), held, goes_on)
        for chord, held, goes_on in chords
    ]
    edges = {edge for chord, _, _ in placed for edge in (chord.start, chord.end)}
    symbols = []
    position, end = bar.lead, bar.lead + bar.ticks
    for chord, held, goes_on in [*placed, (Chord(end, end, ()), False, False)]:
        rests = split(position, chord.start, bar.meter, edges, is_rest=True)
        symbols += [Symbol(start, end - start, triplet=triplet) for start, end, triplet in rests]
        for start, end, triplet in split(chord.start, chord.end, bar.meter, edges):
            tie = _TIES[held or start > chord.start, goes_on or end < chord.end]
            symbols.append(Symbol(start, end - start, chord.pitches, tie, triplet))
        position = chord.end
    return tuple(symbols)


_TIES: dict[tuple[bool, bool], Tie] = {
    (False, False): "", (False, True): "start", (True, False): "stop", (True, True): "continue",
}  # fmt: skip
"""The tie of a symbol by whether it is held from the one before, and held on in the next."""
