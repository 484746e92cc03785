"""Extract the melody of a score as the model's input: one voice in sixteenths, in the soprano's range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.harmony.voices import MAX_SIXTEENTHS, QUARTER, hold_through_rests, sixteenths, to_voice
from audioseq.music.representation.melody_track import find_melody
from audioseq.music.representation.part_writing import HIGHEST_PITCH, LOWEST_PITCH, REST
from audioseq.music.representation.vocabulary import TICKS_PER_QUARTER

SHORT_REST_SIXTEENTHS = QUARTER
"""The lower voices continue through rests that are shorter than this."""
MAX_COVERED_SHARE = 0.5
"""A note belongs to the top line if higher notes sound during less than this share of its duration."""
CHORD_SPREAD_BEATS = 1 / 12
"""Notes with onsets closer than this, in quarter notes, are a chord."""
MAX_CHORD_SHARE = 0.1
"""A track with fewer chords among its onsets is one voice, and notes that overlap in it are all kept."""
OFF_GRID_SIXTEENTHS = 0.15
"""Notes farther than this from a sixteenth are reported in a warning."""


@dataclass(frozen=True)
class Melody:
    """A melody to harmonise, as frames of one sixteenth.

    The model sees a rest as a continuation of the note before it; whole quarters of a rest have no frames.

    Args:
        score: the melody alone with its original times, tempos and signatures.
        pitches: input of the model, int64 `[T]`.
        ceiling: highest pitch of the lower voices, at most the melody's, int64 `[T]`.
        velocities: velocity of the current note of the melody, int64 `[T]`.
        starts, ends: start and end of each frame in seconds `[T]`; the onset of a note that begins in it.
        active: whether the lower voices sound, bool `[T]`; they are silent in rests of a quarter or more.
        has_onset: whether a note of the melody begins in the frame, bool `[T]`.
        shift: semitones by which the model's input is higher than the original.
        warnings: messages for the user, one line each.
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
    """Extract the melody of a score: the top line of the track named as a melody, else of the highest track.

    Of chords, the top line is used; notes that overlap in a single voice are all kept. For the model, onsets
    and ends are quantised to the nearest sixteenth; of two notes on one sixteenth, the later one is used. The
    notes of the result keep their times.

    Raises:
        DataError: the score has no melody, or the melody is too long or too low.
    """
    warnings = list(score.warnings)
    notes = find_melody(score, warnings)
    spans = sixteenths(score, notes)
    if (length := int(spans.max() - spans.min())) > MAX_SIXTEENTHS:
        raise DataError(
            f"its melody has {length} sixteenths, and the limit is {MAX_SIXTEENTHS}; split it into parts"
        )
    notes = _top_line(notes, score, warnings)
    spans = sixteenths(score, notes)
    onsets = 4 * np.asarray(score.beats(np.array([note.onset for note in notes])))
    if off_grid := int((np.abs(onsets - spans[:, 0]) > OFF_GRID_SIXTEENTHS).sum()):
        warnings.append(
            f"{off_grid} of {len(notes)} notes are not on a sixteenth (triplets, or free timing): "
            "they are harmonised on the nearest sixteenth and keep their times"
        )
    original = np.array([note.pitch for note in notes])
    pitches, shift = _fit_range(original, warnings)
    start = int(spans[0, 0]) // QUARTER * QUARTER
    length = int(spans.max()) - start
    voice = to_voice(spans, pitches, start, length)
    # Where a note was moved down to fit the range, the lower voices stay below the moved note; where it was
    # moved up, below the original.
    ceiling = to_voice(spans, np.minimum(pitches, original + shift), start, length)
    selected, active = _select_frames(voice)
    has_onset = np.zeros(length, bool)
    has_onset[spans[:, 0] - start] = True
    latest_onset = np.maximum.accumulate(np.where(has_onset, np.arange(length), 0))
    velocities = np.zeros(length, np.int64)
    velocities[spans[:, 0] - start] = [note.velocity for note in notes]
    starts, ends = _frame_times(score, notes, spans - start, start, active)
    return Melody(
        score=replace(score, notes=tuple(replace(note, track=0) for note in notes), names=(), pedals=()),
        pitches=hold_through_rests(voice)[selected],
        ceiling=hold_through_rests(ceiling)[selected],
        velocities=velocities[latest_onset][selected],
        starts=starts[selected],
        ends=ends[selected],
        active=active[selected],
        has_onset=has_onset[selected],
        shift=shift,
        warnings=tuple(warnings),
    )


def _top_line(notes: Sequence[Note], score: Score, warnings: list[str]) -> list[Note]:
    """Return the notes that are the highest during more than half of their duration.

    In a single voice (see `MAX_CHORD_SHARE`), the next onset ends a note for this purpose.
    """
    beats = np.asarray(score.beats(np.array([(note.onset, note.end) for note in notes])))
    # Whether a note is single, or the first of a chord.
    starts = np.diff(beats[:, 0], prepend=-np.inf) > CHORD_SPREAD_BEATS
    chords = np.diff(np.append(np.flatnonzero(starts), len(notes))) > 1
    if chords.mean() < MAX_CHORD_SHARE:
        following = np.append(beats[starts, 0], np.inf)[np.cumsum(starts)]
        beats[:, 1] = np.minimum(beats[:, 1], following)
    spans = np.rint((beats - beats.min()) * TICKS_PER_QUARTER).astype(int)
    spans[:, 1] = np.maximum(spans[:, 1], spans[:, 0] + 1)
    highest = np.zeros(spans.max(), np.int64)
    for note, (onset, end) in zip(notes, spans, strict=True):
        np.maximum(highest[onset:end], note.pitch, out=highest[onset:end])
    top = [
        note
        for note, (onset, end) in zip(notes, spans, strict=True)
        if (highest[onset:end] > note.pitch).mean() < MAX_COVERED_SHARE
    ]
    if len(top) < len(notes):
        removed = f"{len(notes) - len(top)} of {len(notes)} notes"
        warnings.append(f"the melody has chords: {removed} below the top line are ignored")
    return top


def _fit_range(pitches: np.ndarray, warnings: list[str]) -> tuple[np.ndarray, int]:
    """Transpose a melody to the soprano's range: return its pitches, int64 `[N]`, and the shift in semitones.

    The shift leaves as few notes as possible out of range, and is the smallest such shift with the lowest
    note in the alto's range or above. Notes that are still out of range are moved by octaves.
    """

    def count_out_of_range(shift: int) -> int:
        return int(((pitches + shift < LOWEST_PITCH[0]) | (pitches + shift > HIGHEST_PITCH[0])).sum())

    lowest = int(pitches.min())
    shifts = range(LOWEST_PITCH[1] - lowest, HIGHEST_PITCH[0] - lowest + 1)
    shift = min(shifts, key=lambda shift: (count_out_of_range(shift), abs(shift)))
    if shift > LOWEST_PITCH[-1]:
        raise DataError(
            f"its melody reaches down to MIDI pitch {lowest}, too low for a bass below it; "
            "transpose it up by octaves"
        )
    if shift:
        warnings.append(
            f"the melody is out of the soprano's range: it is harmonised {abs(shift)} semitones "
            f"{'higher' if shift > 0 else 'lower'}, and the result is transposed back"
        )
    if count := count_out_of_range(shift):
        warnings.append(
            f"the melody is wider than the soprano's range: {count} of {len(pitches)} notes are harmonised "
            "an octave or more away and keep their pitch"
        )
    shifted = pitches + shift
    shifted = shifted + 12 * np.maximum(-((shifted - LOWEST_PITCH[0]) // 12), 0)
    return shifted - 12 * np.maximum(-((HIGHEST_PITCH[0] - shifted) // 12), 0), shift


def _select_frames(voice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masks of the frames that the model sees, and of those with lower voices, bool `[T]` both."""
    index, sounding = np.arange(len(voice)), voice != REST
    before = np.maximum.accumulate(np.where(sounding, index, -1))
    after = np.minimum.accumulate(np.where(sounding, index, len(voice))[::-1])[::-1]
    rest = after - before - 1  # length of the rest that a frame is in, sixteenths
    short = rest < SHORT_REST_SIXTEENTHS
    # A long rest keeps its length modulo a quarter, so that later frames keep their position in the quarter.
    return sounding | short | (index - before <= rest % QUARTER), sounding | (short & (before >= 0))


def _frame_times(
    score: Score, notes: Sequence[Note], spans: np.ndarray, start: int, active: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the starts and ends of frames in seconds `[T]`, aligned to the onsets and ends of notes."""
    length = len(active)
    grid = np.asarray(score.seconds((start + np.arange(length + 1)) / 4))
    starts = grid[:-1].copy()
    for note, onset in zip(reversed(notes), spans[::-1, 0], strict=True):  # the first of several notes counts
        starts[onset] = note.onset
    ends = np.append(starts[1:], grid[-1])
    for note, last in zip(notes, spans[:, 1] - 1, strict=True):
        if last + 1 == length or not active[last + 1]:
            ends[last] = note.end
    return starts, ends
