"""The notes of a staff as one or two voices of chords."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from audioseq.midi.notation.rhythm import QUARTER, BeatGrids

MIN_HELD_TICKS = QUARTER // 2
"""A second voice is written for notes that sound at least this long after the next onset of the staff."""
MAX_KEPT_SHARE = 0.7
"""And that would lose at least the rest of their length if they ended there."""


class StaffNote(NamedTuple):
    """A note of a staff, in ticks."""

    onset: int
    end: float
    """End of the sound, not quantised."""
    pitch: int


class Chord(NamedTuple):
    """Notes of one voice with the same onset and end, in ticks."""

    start: int
    end: int
    pitches: tuple[int, ...]
    """From the lowest to the highest."""


def to_voices(
    notes: Sequence[StaffNote], lines: Sequence[int], grids: BeatGrids, low: bool
) -> tuple[list[Chord], list[Chord]]:
    """Divide the notes of a staff into an upper and a lower voice.

    A bar has two voices only if notes are held while others begin. The melody (or the bass, in a left hand)
    is then one voice, and the rest the other. Within a voice, a note ends at the next onset at the latest:
    what a pedal holds longer is not written.

    Args:
        notes: of the staff, sorted, with quantised onsets.
        lines: bar lines, from 0 to the end of the last bar.
        grids: of the part.
        low: whether the bass rather than the melody is a voice of its own.
    Returns:
        the voices; all chords of bars with one voice are in the first.
    """
    polyphonic = _polyphonic_bars(notes, lines)
    own = _outer_line(notes, low)
    voices: tuple[list[StaffNote], list[StaffNote]] = ([], [])
    for note, is_outer in zip(notes, own, strict=True):
        second = _bar_of(note.onset, lines) in polyphonic and is_outer == low
        voices[second].append(note)
    upper, lower = (_to_chords(voice, lines[-1], grids) for voice in voices)
    return upper, lower


def _bar_of(tick: int, lines: Sequence[int]) -> int:
    return bisect_right(lines, tick) - 1


def _polyphonic_bars(notes: Sequence[StaffNote], lines: Sequence[int]) -> set[int]:
    """Return the bars in which notes are held while others begin."""
    onsets = sorted({note.onset for note in notes})
    bars = set()
    for note in notes:
        index = bisect_right(onsets, note.onset)
        if index < len(onsets):
            kept, length = onsets[index] - note.onset, note.end - note.onset
            if length - kept >= MIN_HELD_TICKS and kept <= MAX_KEPT_SHARE * length:
                bars.add(_bar_of(note.onset, lines))
    return bars


def _outer_line(notes: Sequence[StaffNote], low: bool) -> list[bool]:
    """Return whether each note belongs to the highest (or lowest) line of the staff.

    A note does if no higher one sounds for more than half of its length, and the notes of its chord that end
    with it do too.
    """
    sign = -1 if low else 1
    by_onset: dict[int, list[int]] = {}
    for index, note in enumerate(notes):
        by_onset.setdefault(note.onset, []).append(index)
    outer = [False] * len(notes)
    sounding: list[StaffNote] = []
    for onset, indices in by_onset.items():
        top = max((notes[index] for index in indices), key=lambda note: sign * note.pitch)
        sounding = [note for note in sounding if note.end > onset]
        length = top.end - onset
        covered = [
            other for other in sounding
            if sign * other.pitch > sign * top.pitch and min(other.end, top.end) - onset > length / 2
        ]  # fmt: skip
        for index in indices:
            same_end = abs(notes[index].end - top.end) < QUARTER / 4
            outer[index] = not covered and same_end
        sounding += [notes[index] for index in indices]
    return outer


def _to_chords(notes: Sequence[StaffNote], last: int, grids: BeatGrids) -> list[Chord]:
    """Return the notes of one voice as chords that do not overlap."""
    groups: dict[int, list[StaffNote]] = {}
    for note in notes:
        groups.setdefault(note.onset, []).append(note)
    onsets = [*groups, last]
    chords = []
    for (onset, group), following in zip(groups.items(), onsets[1:], strict=True):
        end = grids.written_end(onset, max(note.end for note in group), following)
        chords.append(Chord(onset, end, tuple(sorted({note.pitch for note in group}))))
    return chords
