"""Music in four voices, sixteenth by sixteenth: what the model of harmony reads and writes."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from audioseq.errors import AudioseqError, DataError
from audioseq.midi import Note, Score
from audioseq.music.data.corpora import PieceEntry

VOICES = ("soprano", "alto", "tenor", "bass")
LOWEST_PITCH = (60, 52, 46, 36)
"""MIDI pitch of the lowest note of each voice, in all of Bach's chorales that are learnt from."""
HIGHEST_PITCH = (81, 74, 69, 66)
VOCABULARY_SIZES = tuple(high - low + 2 for low, high in zip(LOWEST_PITCH, HIGHEST_PITCH, strict=True))
"""Tokens of each voice: 0 is a rest, and 1 its lowest note."""
REST = -1
"""In place of a pitch."""
QUARTER = 4
"""Sixteenths; a piece begins on one."""
MAX_SIXTEENTHS = 4000
"""Sixteenths of a piece: 250 bars of 4/4."""


def sixteenths(score: Score, notes: Iterable[Note]) -> np.ndarray:
    """Return the sixteenths at which notes begin and end, the nearest of the grid, int64 `[N, 2]`.

    Each note lasts for one at least.
    """
    times = np.array([(note.onset, note.end) for note in notes]).reshape(-1, 2)
    places: np.ndarray = np.rint(4 * np.asarray(score.beats(times))).astype(np.int64)
    places[:, 1] = np.maximum(places[:, 1], places[:, 0] + 1)
    return places


def to_voice(places: np.ndarray, pitches: Iterable[int], start: int, length: int) -> np.ndarray:
    """Return the pitch of one voice in each sixteenth, `REST` where it is silent, int64 `[T]`.

    Args:
        places: of its notes in order of onset, as `sixteenths` tells; a note ends where the next one begins.
        pitches: of its notes.
        start: sixteenth of the score that comes first.
        length: sixteenths T.
    """
    found = np.full(length, REST, np.int64)
    for (onset, end), pitch in zip(places - start, pitches, strict=True):
        found[onset:] = REST
        found[onset:end] = pitch
    return found


def hold_through_rests(pitches: np.ndarray) -> np.ndarray:
    """Return a voice whose notes go on until the next begins, and whose first begins at once, `[T]`.

    Example:
        >>> through_rests(np.array([-1, 67, -1, -1, 69])).tolist()
        [67, 67, 67, 67, 69]
    """
    sounding = pitches != REST
    latest = np.where(sounding, np.arange(len(pitches)), np.argmax(sounding))
    held: np.ndarray = pitches[np.maximum.accumulate(latest)]
    return held


def to_frames(score: Score) -> np.ndarray:
    """Return the four voices of a score, pitches from the top down, int64 `[T, 4]`.

    It begins with the quarter in which the first note begins. A note that is repeated looks like one that is
    held.

    Raises:
        DataError: there are not four voices, one is out of its range, or the piece is too long.
    """
    tracks: dict[int, list[Note]] = defaultdict(list)
    for note in score.notes:
        tracks[note.track].append(note)
    if len(tracks) != len(VOICES):
        raise DataError(f"it has {len(tracks)} tracks; four-part harmony has {len(VOICES)}, one a voice")
    voices = sorted(tracks.values(), key=lambda notes: -np.mean([note.pitch for note in notes]))
    places = sixteenths(score, score.notes)
    start = int(places.min()) // QUARTER * QUARTER
    length = int(places.max()) - start
    if length > MAX_SIXTEENTHS:
        raise DataError(f"it has {length} sixteenths, and {MAX_SIXTEENTHS} are the limit; cut it into parts")
    frames = np.stack(
        [to_voice(sixteenths(score, notes), [n.pitch for n in notes], start, length) for notes in voices],
        axis=1,
    )
    for voice, name in enumerate(VOICES):
        sung = frames[frames[:, voice] != REST, voice]
        if sung.min() < LOWEST_PITCH[voice] or sung.max() > HIGHEST_PITCH[voice]:
            raise DataError(
                f"its {name} reaches from {sung.min()} to {sung.max()}; "
                f"the range is {LOWEST_PITCH[voice]} to {HIGHEST_PITCH[voice]} (MIDI pitches)"
            )
    return frames


def load_pieces(tunes: Iterable[PieceEntry]) -> dict[str, np.ndarray]:
    """Read pieces in four voices by their ids; one that is bad is told of and left out."""
    found = {}
    for tune in tunes:
        try:
            found[tune.id] = to_frames(Score.load(tune.midi_filepath))
        except DataError as error:
            print(f"left out: {tune.midi_filepath}: {error}", file=sys.stderr)
        except AudioseqError as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


def tokens(frames: np.ndarray) -> np.ndarray:
    """Return pitches as tokens of their voices, both `[T, 4]`."""
    found: np.ndarray = np.where(frames == REST, 0, frames - np.array(LOWEST_PITCH) + 1)
    return found


def transposition_range(frames: np.ndarray) -> tuple[int, int]:
    """Return by how many semitones a piece can be transposed, down (0 or less) and up, with all in range.

    Example:
        >>> room(np.array([[62, 60, 60, 36], [80, -1, 50, 48]]))
        (0, 1)
    """
    heard = np.ma.masked_equal(frames, REST)
    down = (np.array(LOWEST_PITCH) - heard.min(axis=0)).max()
    up = (np.array(HIGHEST_PITCH) - heard.max(axis=0)).min()
    return int(down), int(up)
