"""Four-part music as frames of one sixteenth: the representation of the harmony model."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from audioseq.errors import AudioseqError, DataError
from audioseq.midi import Note, Score
from audioseq.music.data.corpora import PieceEntry
from audioseq.music.representation.part_writing import HIGHEST_PITCH, LOWEST_PITCH, REST, VOICES

VOCABULARY_SIZES = tuple(high - low + 2 for low, high in zip(LOWEST_PITCH, HIGHEST_PITCH, strict=True))
"""Number of tokens of each voice: 0 is a rest, 1 the lowest note."""
QUARTER = 4
"""Sixteenths in a quarter; a piece begins on a quarter."""
MAX_SIXTEENTHS = 4000
"""Maximum length of a piece: 250 bars of 4/4."""


def sixteenths(score: Score, notes: Iterable[Note]) -> np.ndarray:
    """Quantise the onsets and ends of notes to the nearest sixteenth, int64 `[N, 2]`.

    Each note is at least one sixteenth long.
    """
    times = np.array([(note.onset, note.end) for note in notes]).reshape(-1, 2)
    spans: np.ndarray = np.rint(4 * np.asarray(score.beats(times))).astype(np.int64)
    spans[:, 1] = np.maximum(spans[:, 1], spans[:, 0] + 1)
    return spans


def to_voice(spans: np.ndarray, pitches: Iterable[int], start: int, length: int) -> np.ndarray:
    """Return the pitch of one voice in each sixteenth, `REST` where it is silent, int64 `[T]`.

    Args:
        spans: `sixteenths` of its notes in order of onset; a note ends where the next one begins.
        pitches: pitches of its notes.
        start: first sixteenth of the result in the score.
        length: sixteenths T.
    """
    voice = np.full(length, REST, np.int64)
    for (onset, end), pitch in zip(spans - start, pitches, strict=True):
        voice[onset:] = REST
        voice[onset:end] = pitch
    return voice


def hold_through_rests(pitches: np.ndarray) -> np.ndarray:
    """Hold the notes of a voice through rests; the first note also fills a rest at the beginning `[T]`.

    Example:
        >>> hold_through_rests(np.array([-1, 67, -1, -1, 69])).tolist()
        [67, 67, 67, 67, 69]
    """
    sounding = pitches != REST
    latest = np.where(sounding, np.arange(len(pitches)), np.argmax(sounding))
    return np.asarray(pitches[np.maximum.accumulate(latest)])


def to_frames(score: Score) -> np.ndarray:
    """Return the pitches of the four voices of a score from soprano to bass, int64 `[T, 4]`.

    The first frame is the start of the quarter with the first onset. Repeated and held notes are not
    distinguished.

    Raises:
        DataError: the score does not have four voices, one is out of its range, or it is too long.
    """
    tracks: dict[int, list[Note]] = defaultdict(list)
    for note in score.notes:
        tracks[note.track].append(note)
    if len(tracks) != len(VOICES):
        raise DataError(f"it has {len(tracks)} tracks; four-part harmony needs {len(VOICES)}, one per voice")
    voices = sorted(tracks.values(), key=lambda notes: -np.mean([note.pitch for note in notes]))
    spans = sixteenths(score, score.notes)
    start = int(spans.min()) // QUARTER * QUARTER
    length = int(spans.max()) - start
    if length > MAX_SIXTEENTHS:
        raise DataError(f"it has {length} sixteenths, and the limit is {MAX_SIXTEENTHS}; split it into parts")
    lines = [(sixteenths(score, notes), [note.pitch for note in notes]) for notes in voices]
    frames = np.stack([to_voice(*voice, start, length) for voice in lines], axis=1)
    for voice, name in enumerate(VOICES):
        sounding = frames[frames[:, voice] != REST, voice]
        if sounding.min() < LOWEST_PITCH[voice] or sounding.max() > HIGHEST_PITCH[voice]:
            raise DataError(
                f"its {name} ranges from {sounding.min()} to {sounding.max()}; "
                f"MIDI pitches must be in {LOWEST_PITCH[voice]}..{HIGHEST_PITCH[voice]}"
            )
    return frames


def load_pieces(entries: Iterable[PieceEntry]) -> dict[str, np.ndarray]:
    """Load pieces in four voices by their ids; unusable ones are reported on stderr and skipped."""
    pieces = {}
    for entry in entries:
        try:
            pieces[entry.id] = to_frames(Score.load(entry.midi_filepath))
        except AudioseqError as error:
            where = f"{entry.midi_filepath}: " if isinstance(error, DataError) else ""
            print(f"skipped: {where}{error}", file=sys.stderr)
    return pieces


def to_tokens(frames: np.ndarray) -> np.ndarray:
    """Convert pitches to the tokens of their voices, both `[T, 4]`."""
    return np.asarray(np.where(frames == REST, 0, frames - np.array(LOWEST_PITCH) + 1))


def transposition_range(frames: np.ndarray) -> tuple[int, int]:
    """Return the lowest (0 or less) and highest transposition in semitones that keeps all voices in range.

    Example:
        >>> transposition_range(np.array([[62, 60, 60, 36], [80, -1, 50, 48]]))
        (0, 1)
    """
    sounding = np.ma.masked_equal(frames, REST)
    down = (np.array(LOWEST_PITCH) - sounding.min(axis=0)).max()
    up = (np.array(HIGHEST_PITCH) - sounding.max(axis=0)).min()
    return int(down), int(up)
