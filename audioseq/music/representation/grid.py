"""Scores on a grid of bars and ticks: what the events of the model are made of."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.representation.keys import best_key
from audioseq.music.representation.vocabulary import (
    DRUMS,
    DURATION_TICKS,
    LONGEST_BAR,
    METER_TICKS,
    METERS,
    TICKS,
    TRACKS,
    duration_class,
)

MOST_BARS = 4000
"""Bars of a piece; one with more is no single piece, or has a time signature that is a mistake."""


class GridNote(NamedTuple):
    """A note in ticks, 24 to the quarter; sorted as events are told."""

    onset: int
    track: int
    down: int
    """The pitch below 0: chords are told from the top down."""
    duration: int
    velocity: int

    @property
    def pitch(self) -> int:
        """0 to 127."""
        return -self.down


@dataclass(frozen=True)
class Piece:
    """Music on the grid.

    Args:
        notes: in the order of events; none sounds in its track when its pitch is struck there again.
        meters: index of the time signature of each bar.
        programs: of each track, 0 to 127, or `DRUMS`.
        bpm: quarter notes a minute.
    """

    notes: tuple[GridNote, ...]
    meters: tuple[int, ...]
    programs: tuple[int, ...]
    bpm: float = 120.0

    @property
    def starts(self) -> list[int]:
        """Ticks at which the bars begin, and at the end the one at which the last ends."""
        return [0, *accumulate(METER_TICKS[meter] for meter in self.meters)]

    @property
    def density(self) -> float:
        """Notes in a quarter."""
        return len(self.notes) * TICKS / max(self.starts[-1], TICKS)

    @property
    def final_bass(self) -> int | None:
        """Pitch class of the lowest note that sounds when the last one begins; None if there are no notes."""
        pitched = [note for note in self.notes if self.programs[note.track] != DRUMS]
        last = max((note.onset for note in pitched), default=0)
        sounding = (note.pitch for note in pitched if note.onset + note.duration > last)
        bass = min(sounding, default=None)
        return None if bass is None else bass % 12

    def key(self) -> tuple[int, bool]:
        """Return the tonic (0 is C) and whether the key is minor: the profile that fits best.

        The time for which each pitch class sounds is compared with what is usual in each key; that the piece
        ends on the tonic in the bass speaks for a key.
        """
        pitched = [note for note in self.notes if self.programs[note.track] != DRUMS]
        if not pitched:
            return 0, False
        sounding = np.zeros(12)
        for note in pitched:
            sounding[note.pitch % 12] += note.duration
        return best_key(sounding, self.final_bass)


def to_grid(score: Score) -> Piece:
    """Put a score on the grid.

    Onsets and ends go to the nearest tick (a 24th of a quarter: at most a 48th off); durations beyond eight
    quarters are cut to whole quarters. Tempo changes become the tempo at which most of the piece goes. Tracks
    beyond the eighth join another, one of the same instrument if there is one.

    Raises:
        DataError: the score has no notes, or too many bars.
    """
    if not score.notes:
        raise DataError("the piece has no notes")
    track_of, programs = _tracks(score.notes)
    lines = np.asarray(score.beats(score.bars())) * TICKS
    if len(lines) > MOST_BARS:
        raise DataError(
            f"the piece has {len(lines) - 1} bars, and {MOST_BARS} are the limit; cut it into parts"
        )
    changes = [score.beats(seconds) * TICKS for seconds, _, _ in score.time_signatures]
    signatures = [(numerator, denominator) for _, numerator, denominator in score.time_signatures]
    meters: list[int] = []
    reached = 0
    for start, end in pairwise(lines):
        index = max(0, int(np.searchsorted(changes, start + 0.5)) - 1) if changes else -1
        signature = signatures[index] if changes else (4, 4)
        for meter in _meters(round(end) - reached, signature):
            meters.append(meter)
            reached += METER_TICKS[meter]
    onsets = np.rint(score.beats(np.array([note.onset for note in score.notes])) * TICKS).astype(int).tolist()
    ends = np.rint(score.beats(np.array([note.end for note in score.notes])) * TICKS).astype(int).tolist()
    notes = _untangle(
        [
            GridNote(onset, track_of[_voice(note)], -note.pitch, max(end - onset, 1), note.velocity)
            for note, onset, end in zip(score.notes, onsets, ends, strict=True)
        ]
    )
    while reached <= notes[-1].onset:
        meters.append(meters[-1] if meters else 0)
        reached += METER_TICKS[meters[-1]]
    return Piece(tuple(notes), tuple(meters), programs, _main_tempo(score))


def to_score(piece: Piece, text: str = "", names: Sequence[str] = ()) -> Score:
    """Return the score of a piece."""
    tick = 60 / (piece.bpm * TICKS)
    starts = piece.starts
    return Score(
        notes=tuple(
            Note(
                pitch=note.pitch,
                velocity=note.velocity,
                onset=note.onset * tick,
                duration=note.duration * tick,
                program=piece.programs[note.track] % DRUMS,
                drum=piece.programs[note.track] == DRUMS,
                track=note.track,
            )
            for note in piece.notes
        ),
        tempos=((0.0, piece.bpm),),
        time_signatures=tuple(
            (starts[index] * tick, *METERS[meter])
            for index, meter in enumerate(piece.meters)
            if index == 0 or meter != piece.meters[index - 1]
        ),
        names=tuple(names),
        text=text,
    )


def _voice(note: Note) -> tuple[int, int]:
    return note.track, DRUMS if note.drum else note.program


def _tracks(notes: Sequence[Note]) -> tuple[dict[tuple[int, int], int], tuple[int, ...]]:
    """Give each voice a track; those beyond the last join the busiest of their program, or the last."""
    counts = Counter(map(_voice, notes))
    kept = sorted(sorted(counts, key=lambda voice: -counts[voice])[:TRACKS])
    by_program: dict[int, int] = {}
    for index, (_, program) in enumerate(kept):
        by_program.setdefault(program, index)
    places = {voice: index for index, voice in enumerate(kept)}
    for voice in counts:
        places.setdefault(voice, by_program.get(voice[1], len(kept) - 1))
    return places, tuple(program for _, program in kept)


def _meters(length: int, signature: tuple[int, int]) -> list[int]:
    """Return bars that together are as long as one: itself where it is known, else others, longest first."""
    if signature in METERS and METER_TICKS[METERS.index(signature)] == length:
        return [METERS.index(signature)]
    meters: list[int] = []
    while length >= min(METER_TICKS):
        meter = max(
            (index for index, ticks in enumerate(METER_TICKS) if ticks <= min(length, LONGEST_BAR)),
            key=lambda index: (METER_TICKS[index], -index),
        )
        meters.append(meter)
        length -= METER_TICKS[meter]
    return meters


def _untangle(notes: Sequence[GridNote]) -> list[GridNote]:
    """Sort notes; end each where its pitch is struck again in its track; of two at once keep the longer."""
    by_key: dict[tuple[int, int], list[GridNote]] = defaultdict(list)
    for note in sorted(notes):
        held = by_key[note.track, note.down]
        if held and held[-1].onset == note.onset:
            held[-1] = max(held[-1], note, key=lambda note: note.duration)
            continue
        if held and held[-1].onset + held[-1].duration > note.onset:
            held[-1] = held[-1]._replace(duration=note.onset - held[-1].onset)
        held.append(note)
    return sorted(
        note._replace(duration=DURATION_TICKS[duration_class(note.duration)])
        for held in by_key.values()
        for note in held
    )


def _main_tempo(score: Score) -> float:
    """Return the tempo at which half of the piece is slower, and half faster."""
    end = score.end
    spans: list[tuple[float, float]] = []
    tempos = score.tempos or ((0.0, 120.0),)
    for (start, bpm), (stop, _) in zip(tempos, (*tempos[1:], (end, 0.0)), strict=True):
        spans.append((bpm, max(0.0, min(stop, end) - start)))
    spans.sort()
    half = math.fsum(seconds for _, seconds in spans) / 2
    for bpm, seconds in spans:
        half -= seconds
        if half <= 0:
            return bpm
    return spans[-1][0]
