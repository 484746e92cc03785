"""A user's melody, as the model reads it: one voice by sixteenths, within the soprano's range."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.harmony.voices import (
    HIGHEST_PITCH,
    LOWEST_PITCH,
    MAX_SIXTEENTHS,
    QUARTER,
    REST,
    hold_through_rests,
    sixteenths,
    to_voice,
)
from audioseq.music.representation.vocabulary import TICKS_PER_QUARTER

SHORT_REST_SIXTEENTHS = QUARTER
"""Sixteenths; through shorter rests the lower voices go on."""
MAX_COVERED_SHARE = 0.5
"""Share of a note's time under higher ones from which it is no part of the top line."""
OFF_GRID_SIXTEENTHS = 0.15
"""Sixteenths off the grid from which a note is told of."""
MELODY_TRACK_NAME = re.compile(r"melod|sopran|cantus|vocal|voice|lead", re.IGNORECASE)


@dataclass(frozen=True)
class Melody:
    """What is harmonised. Frames are those sixteenths of a melody that the model reads.

    A rest is told to the model as if the note before it went on; whole quarters of it are left out.

    Args:
        score: the melody alone, as it was given, with the tempos and signatures.
        pitches: that the model reads, int64 `[T]`.
        ceiling: above which the lower voices must not sing, for there the melody is, int64 `[T]`.
        velocities: of the note of the melody, int64 `[T]`.
        starts, ends: when each frame begins and ends, seconds `[T]`; where a note is struck, then.
        sings: whether the lower voices sing in it, bool `[T]`; in rests of a quarter or more they do not.
        struck: whether a note of the melody begins in it, bool `[T]`.
        shift: semitones by which the model's melody is higher than the user's.
        remarks: what the user should know, a line each.
    """

    score: Score
    pitches: np.ndarray
    ceiling: np.ndarray
    velocities: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    active: np.ndarray
    has_onset: np.ndarray
    shift: int
    warnings: tuple[str, ...]


def extract_melody(score: Score) -> Melody:
    """Take the melody out of a score: the track that is named like one, else the highest; its top line.

    For the model, onsets and ends go to the nearest sixteenth; where two notes share one, the later counts.
    The notes themselves keep their times.

    Raises:
        DataError: there is no melody, or it is too long or too low.
    """
    warnings: list[str] = []
    notes = _track(score, warnings)
    places = sixteenths(score, notes)
    if (length := int(places.max() - places.min())) > MAX_SIXTEENTHS:
        raise DataError(
            f"its melody has {length} sixteenths, and {MAX_SIXTEENTHS} are the limit; cut it into parts"
        )
    notes = _top_line(notes, score, warnings)
    places = sixteenths(score, notes)
    onsets = 4 * np.asarray(score.beats(np.array([note.onset for note in notes])))
    if off := int((np.abs(onsets - places[:, 0]) > OFF_GRID_SIXTEENTHS).sum()):
        warnings.append(
            f"{off} of {len(notes)} notes are not on a sixteenth (triplets, or played freely): "
            "they are harmonised as on the nearest, and stay where they are"
        )
    pitches = np.array([note.pitch for note in notes])
    told, shift = _fit_range(pitches, warnings)
    start = int(places[0, 0]) // QUARTER * QUARTER
    length = int(places.max()) - start
    read = to_voice(places, told, start, length)
    ceiling = to_voice(places, np.minimum(told, pitches + shift), start, length)
    kept, active = _without_rests(read)
    has_onset = np.zeros(length, bool)
    has_onset[places[:, 0] - start] = True
    loud = np.maximum.accumulate(np.where(has_onset, np.arange(length), 0))
    velocities = np.zeros(length, np.int64)
    velocities[places[:, 0] - start] = [note.velocity for note in notes]
    starts, ends = _times(score, notes, places - start, start, active)
    return Melody(
        score=replace(score, notes=tuple(replace(note, track=0) for note in notes), names=()),
        pitches=hold_through_rests(read)[kept],
        ceiling=hold_through_rests(ceiling)[kept],
        velocities=velocities[loud][kept],
        starts=starts[kept],
        ends=ends[kept],
        active=active[kept],
        has_onset=has_onset[kept],
        shift=shift,
        warnings=tuple(warnings),
    )


def _track(score: Score, warnings: list[str]) -> list[Note]:
    """Return the notes of the track that the melody is in."""
    tracks: dict[int, list[Note]] = defaultdict(list)
    for note in score.notes:
        if not note.drum:
            tracks[note.track].append(note)
    if not tracks:
        raise DataError("has no melody, only drums; give a file in which one is played")
    names = {track: score.names[track] if track < len(score.names) else "" for track in tracks}
    named = [track for track in tracks if MELODY_TRACK_NAME.search(names[track])] or list(tracks)
    best = max(named, key=lambda track: float(np.mean([note.pitch for note in tracks[track]])))
    if len(tracks) > 1:
        called = f"track {best + 1}" + (f" ({names[best]})" if names[best] else "")
        warnings.append(f"{called} is taken for the melody; the other {len(tracks) - 1} are left out")
    return tracks[best]


def _top_line(notes: Sequence[Note], score: Score, warnings: list[str]) -> list[Note]:
    """Return the notes that are not, for half of their time or more, under higher ones."""
    beats = np.asarray(score.beats(np.array([(note.onset, note.end) for note in notes])))
    spans = np.rint((beats - beats.min()) * TICKS_PER_QUARTER).astype(int)
    spans[:, 1] = np.maximum(spans[:, 1], spans[:, 0] + 1)
    highest = np.zeros(spans.max(), np.int64)
    for note, (onset, end) in zip(notes, spans, strict=True):
        np.maximum(highest[onset:end], note.pitch, out=highest[onset:end])
    kept = [
        note
        for note, (onset, end) in zip(notes, spans, strict=True)
        if (highest[onset:end] > note.pitch).mean() < MAX_COVERED_SHARE
    ]
    if len(kept) < len(notes):
        fewer = f"{len(notes) - len(kept)} of {len(notes)} notes"
        warnings.append(f"the melody has chords: {fewer}, below its top line, are left out")
    return kept


def _fit_range(pitches: np.ndarray, warnings: list[str]) -> tuple[np.ndarray, int]:
    """Return pitches within the soprano's range for the model, int64 `[N]`, and by how much all were shifted.

    As few notes as can be are beyond it, and are then told an octave or more nearer; of such shifts it is the
    smallest, in which the alto has room below the lowest note.
    """

    def beyond(shift: int) -> int:
        return int(((pitches + shift < LOWEST_PITCH[0]) | (pitches + shift > HIGHEST_PITCH[0])).sum())

    lowest = int(pitches.min())
    shifts = range(LOWEST_PITCH[1] - lowest, HIGHEST_PITCH[0] - lowest + 1)
    shift = min(shifts, key=lambda shift: (beyond(shift), abs(shift)))
    if shift > LOWEST_PITCH[-1]:
        raise DataError(
            f"its melody reaches down to MIDI pitch {lowest}, and leaves the bass no room; "
            "move it up by octaves"
        )
    if shift:
        warnings.append(
            f"the melody is out of the soprano's range: it is harmonised {abs(shift)} semitones "
            f"{'higher' if shift > 0 else 'lower'}, and all voices are brought back by as much"
        )
    if count := beyond(shift):
        warnings.append(
            f"the melody is wider than the soprano's range: {count} of {len(pitches)} notes are harmonised "
            "as if they were an octave or more nearer, and stay where they are"
        )
    told = pitches + shift
    told = told + 12 * np.maximum(-((told - LOWEST_PITCH[0]) // 12), 0)
    return told - 12 * np.maximum(-((HIGHEST_PITCH[0] - told) // 12), 0), shift


def _without_rests(sung: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which frames are kept, and in which the lower voices sing, bool `[T]` both."""
    index, sounding = np.arange(len(sung)), sung != REST
    before = np.maximum.accumulate(np.where(sounding, index, -1))
    after = np.minimum.accumulate(np.where(sounding, index, len(sung))[::-1])[::-1]
    rest = after - before - 1  # sixteenths of the rest that a frame is in
    breath = (rest < SHORT_REST_SIXTEENTHS) & (before >= 0)
    return sounding | (rest < SHORT_REST_SIXTEENTHS) | (index - before <= rest % QUARTER), sounding | breath


def _times(
    score: Score, notes: Sequence[Note], places: np.ndarray, start: int, active: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return when frames begin and end, seconds `[T]`: when notes are struck in them, or let go."""
    length = len(active)
    lines = np.asarray(score.seconds((start + np.arange(length + 1)) / 4))
    starts = lines[:-1].copy()
    for note, place in zip(reversed(notes), places[::-1, 0], strict=True):  # of several, the first counts
        starts[place] = note.onset
    ends = np.append(starts[1:], lines[-1])
    for note, last in zip(notes, places[:, 1] - 1, strict=True):
        if last + 1 == length or not active[last + 1]:
            ends[last] = note.end
    return starts, ends
