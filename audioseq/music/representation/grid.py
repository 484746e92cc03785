"""Pieces on a grid of bars and ticks, between MIDI scores and events."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audioseq.errors import AudioseqError, DataError
from audioseq.midi import Note, Score
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.keys import best_key
from audioseq.music.representation.vocabulary import DRUMS, METER_TICKS, METERS, TICKS_PER_QUARTER

MAX_BARS = 4000
"""A score with more bars is a collection, or has a wrong time signature."""
MAX_SPLIT_BARS = 4 * MAX_BARS
"""Limit after bars that are too long are split."""


class GridNote(NamedTuple):
    """A note in ticks, 24 per quarter; notes sort in the order of events."""

    onset: int
    track: int
    negative_pitch: int
    """The pitch times -1, so that the notes of a chord sort from the highest to the lowest."""
    duration: int
    velocity: int

    @property
    def pitch(self) -> int:
        """MIDI pitch, 0 to 127."""
        return -self.negative_pitch

    @property
    def end(self) -> int:
        """End of the note, in ticks."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Piece:
    """A piece on the grid.

    Args:
        notes: in the order of events; notes of the same track and pitch do not overlap.
        meters: index of the time signature of each bar.
        programs: one for each track, 0 to 127, or `DRUMS`.
        bpm: quarter notes per minute.
    """

    notes: tuple[GridNote, ...]
    meters: tuple[int, ...]
    programs: tuple[int, ...]
    bpm: float = 120.0

    @property
    def starts(self) -> list[int]:
        """Start of each bar and end of the last bar, in ticks."""
        return [0, *accumulate(METER_TICKS[meter] for meter in self.meters)]

    @cached_property
    def pitched(self) -> list[GridNote]:
        """The notes without those of drums."""
        return [note for note in self.notes if self.programs[note.track] != DRUMS]

    @property
    def density(self) -> float:
        """Notes per quarter note."""
        return len(self.notes) * TICKS_PER_QUARTER / max(self.starts[-1], TICKS_PER_QUARTER)

    @property
    def final_bass(self) -> int | None:
        """Pitch class of the lowest note that sounds at the last onset; None without pitched notes."""
        last = max((note.onset for note in self.pitched), default=0)
        sounding = [note.pitch for note in self.pitched if note.end > last]
        return min(sounding) % 12 if sounding else None

    def key(self, complete: bool = True) -> tuple[int, bool]:
        """Estimate the key: return the tonic (0 is C) and whether it is minor.

        The time for which each pitch class sounds is correlated with key profiles; a key whose tonic is the
        final bass note is favoured if the piece is complete. See `best_key`.
        """
        if not self.pitched:
            return 0, False
        sounding = np.zeros(12)
        for note in self.pitched:
            sounding[note.pitch % 12] += note.duration
        return best_key(sounding, self.final_bass if complete else None)


def to_grid(score: Score) -> Piece:
    """Quantise a score to the grid.

    Onsets and ends are rounded to the nearest tick (a 24th of a quarter, so the error is at most a 48th).
    Durations above eight quarters are shortened to whole quarters. Tempo changes are replaced by the median
    tempo. Tracks beyond the eighth are merged into another track, of the same instrument if possible.

    Raises:
        DataError: the score has no notes or too many bars.
    """
    if not score.notes:
        raise DataError("the piece has no notes")
    track_of, programs = _assign_tracks(score.notes)
    lines = np.asarray(score.beats(score.bars())) * TICKS_PER_QUARTER
    if len(lines) > MAX_BARS:
        raise DataError(f"the piece has {len(lines) - 1} bars; split it into parts of at most {MAX_BARS}")
    signatures = score.time_signatures or ((0.0, 4, 4),)
    changes = [score.beats(seconds) * TICKS_PER_QUARTER for seconds, _, _ in signatures]
    meters: list[int] = []
    reached = 0
    for start, end in pairwise(lines):
        signature = signatures[max(0, int(np.searchsorted(changes, start + 0.5)) - 1)][1:]
        for meter in _split_bar(round(end) - reached, signature):
            meters.append(meter)
            reached += METER_TICKS[meter]
        if len(meters) > MAX_SPLIT_BARS:
            raise DataError(
                f"the piece has bars of {signature[0]}/{signature[1]}; correct its time signatures"
            )
    times = np.array([(note.onset, note.end) for note in score.notes])
    spans = np.rint(score.beats(times) * TICKS_PER_QUARTER).astype(int).tolist()
    notes = _resolve_overlaps(
        GridNote(onset, track_of[_voice(note)], -note.pitch, max(end - onset, 1), note.velocity)
        for note, (onset, end) in zip(score.notes, spans, strict=True)
    )
    while reached <= notes[-1].onset:
        meters.append(meters[-1] if meters else 0)
        reached += METER_TICKS[meters[-1]]
    return Piece(tuple(notes), tuple(meters), programs, _median_tempo(score))


def read_piece(path: Path, warn: Callable[[str], object]) -> Piece | None:
    """Read a MIDI file as a piece; return None if it cannot be used.

    Args:
        path: the file.
        warn: called with a line for a file that is damaged or cannot be used.
    """
    try:
        score = Score.load(path)
        piece = to_grid(score)
    except AudioseqError as error:
        where = f"{path}: " if isinstance(error, DataError) else ""
        warn(f"skipped: {where}{error}")
        return None
    for warning in score.warnings:
        warn(warning)
    return piece


def to_score(piece: Piece, text: str = "", names: Sequence[str] = ()) -> Score:
    """Return the score of a piece."""
    tick = 60 / (piece.bpm * TICKS_PER_QUARTER)
    notes = []
    for onset, track, negative_pitch, duration, velocity in piece.notes:
        program, drum = piece.programs[track] % DRUMS, piece.programs[track] == DRUMS
        notes.append(Note(-negative_pitch, velocity, onset * tick, duration * tick, program, drum, track))
    signatures = tuple(
        (start * tick, *METERS[meter])
        for start, meter, previous in zip(piece.starts, piece.meters, (None, *piece.meters), strict=False)
        if meter != previous
    )
    return Score(tuple(notes), ((0.0, piece.bpm),), signatures, names=tuple(names), text=text)


def voices_of(notes: Sequence[Note]) -> tuple[tuple[int, int], ...]:
    """Return the track of the score and the program of each track that `to_grid` assigns to some notes.

    The voices with the most notes get a track each.
    """
    counts = Counter(map(_voice, notes))
    return tuple(sorted(sorted(counts, key=lambda voice: -counts[voice])[: v.TRACKS]))


def _voice(note: Note) -> tuple[int, int]:
    """Return the track and the program of a note."""
    return note.track, DRUMS if note.drum else note.program


def _assign_tracks(notes: Sequence[Note]) -> tuple[dict[tuple[int, int], int], tuple[int, ...]]:
    """Assign a track to each voice, and return the programs of the tracks.

    Voices beyond those of `voices_of` share the first track of their program, or the last track.
    """
    kept = voices_of(notes)
    by_program = {program: index for index, (_, program) in reversed([*enumerate(kept)])}  # the first track
    places = {voice: index for index, voice in enumerate(kept)}
    for voice in map(_voice, notes):
        places.setdefault(voice, by_program.get(voice[1], len(kept) - 1))
    return places, tuple(program for _, program in kept)


def _split_bar(length: int, signature: tuple[int, int]) -> list[int]:
    """Return the meters of bars that together are as long as one bar.

    That is the bar itself if `METERS` has its signature, else shorter bars, the longest first.
    """
    if signature in METERS and METER_TICKS[METERS.index(signature)] == length:
        return [METERS.index(signature)]
    meters: list[int] = []
    while length >= min(METER_TICKS):
        meter = max(
            (index for index, ticks in enumerate(METER_TICKS) if ticks <= min(length, v.MAX_BAR_TICKS)),
            key=lambda index: (METER_TICKS[index], -index),
        )
        meters.append(meter)
        length -= METER_TICKS[meter]
    return meters


def _resolve_overlaps(notes: Iterable[GridNote]) -> list[GridNote]:
    """Sort notes, end each at the next onset of its pitch and track, and keep the longer of two at once."""
    by_key: dict[tuple[int, int], list[GridNote]] = defaultdict(list)
    for note in sorted(notes):
        earlier = by_key[note.track, note.negative_pitch]
        if earlier and earlier[-1].onset == note.onset:
            note = max(earlier.pop(), note, key=lambda note: note.duration)
        elif earlier and earlier[-1].end > note.onset:
            earlier[-1] = earlier[-1]._replace(duration=note.onset - earlier[-1].onset)
        earlier.append(note)
    return sorted(
        note._replace(duration=v.DURATION_TICKS[v.duration_class(note.duration)])
        for note in chain.from_iterable(by_key.values())
    )


def _median_tempo(score: Score) -> float:
    """Return the median tempo, weighted by time."""
    end = score.end
    changes = (*(score.tempos or ((0.0, 120.0),)), (end, 0.0))
    spans = sorted((bpm, max(0.0, min(stop, end) - start)) for (start, bpm), (stop, _) in pairwise(changes))
    half = math.fsum(seconds for _, seconds in spans) / 2
    for bpm, seconds in spans:
        half -= seconds
        if half <= 0:
            return bpm
    return spans[-1][0]
