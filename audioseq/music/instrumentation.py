"""Pieces for given instruments: melody, bass and chords, within the ranges of the instruments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

import numpy as np
from scipy.optimize import linear_sum_assignment

from audioseq.errors import ConfigError
from audioseq.midi import Note, Score
from audioseq.midi.instruments import INSTRUMENTS, PIANOS
from audioseq.midi.notation.staves import SHORT_NAMES

ALIASES = {
    "piano": 0, "vibes": 11, "organ": 19, "guitar": 24, "electric guitar": 27, "bass": 32,
    "electric bass": 33, "double bass": 43, "bass guitar": 33, "strings": 48,
    "harp": 46, "choir": 52, "voice": 53, "soprano": 53, "horn": 60, "sax": 65, "saxophone": 65,
    "cor anglais": 69, "violoncello": 42,
}  # fmt: skip
"""Usual names of instruments that General MIDI calls otherwise."""
SINGLE_LINE = {*range(32, 40), *range(40, 44), *range(52, 55), *range(56, 80), 109, 110, 111}
"""Programs that play one note at a time: basses, solo strings, voices, winds; the others play chords too."""
CHORD_SECONDS = 0.03
"""Notes whose onsets are nearer than this are a chord."""
MAX_CHORD_SHARE = 0.1
"""A track with fewer chords among its onsets is one line."""
MAX_INSTRUMENTS = 8


def parse_instruments(text: str) -> tuple[int, ...]:
    """Return the General MIDI programs of a list of instruments, such as `flute, cello, piano`.

    Names are those of General MIDI, or unambiguous parts of them, in any case.

    Raises:
        ConfigError: a name is unknown or ambiguous, or there are more than 8.
    Example:
        >>> parse_instruments("Flute, cello, piano")
        (73, 42, 0)
    """
    names = [" ".join(name.lower().split()) for name in text.split(",")]
    if len(names) > MAX_INSTRUMENTS:
        raise ConfigError(f"instruments are {len(names)}; give at most {MAX_INSTRUMENTS}")
    return tuple(map(_parse_instrument, names))


def _parse_instrument(name: str) -> int:
    known = [instrument.name.lower() for instrument in INSTRUMENTS]
    if name in ALIASES:
        return ALIASES[name]
    if name in known:
        return known.index(name)
    matches = [program for program, each in enumerate(known) if name and name in each]
    if len(matches) == 1:
        return matches[0]
    hint = "; give names such as flute, clarinet, violin, cello, guitar or piano"
    if matches:
        hint = f"; it may be {', '.join(known[program] for program in matches[:4])}"
    raise ConfigError(f"instrument is {name!r}{hint}")


def arrange(score: Score, programs: Sequence[int]) -> Score:
    """Return a piece for given instruments, each within its range.

    If the piece has as many lines as there are instruments, as a quartet does, each takes the line that fits
    its range best. Else the highest instrument that plays single notes takes the melody, the lowest the bass,
    the others lines between them, and those that play chords share what is left. Without an instrument that
    plays chords, the notes that are left are not played. A line is moved by octaves, as a whole if possible.

    Args:
        score: the piece; drums stay.
        programs: General MIDI programs, one for each track of the result.
    """
    drums = [note for note in score.notes if note.drum]
    tracks = _tracks(score)
    if len(tracks) == len(programs) and all(map(_is_line, tracks)):
        lines = _assign(tracks, programs)
    else:
        lines = _divide(tracks, programs)
    notes = [
        note
        for number, (program, line) in enumerate(zip(programs, lines, strict=True))
        for note in _fit(line, program, number)
    ]
    notes += [replace(note, track=len(programs)) for note in drums]
    names = tuple(SHORT_NAMES.get(program) or INSTRUMENTS[program].name for program in programs) + (
        "Drums",
    ) * bool(drums)
    times = sorted({(seconds, down) for seconds, _, down in score.pedals})
    keyboards = [number for number, program in enumerate(programs) if program in PIANOS]
    pedals = tuple((seconds, number, down) for seconds, down in times for number in keyboards)
    return replace(score, notes=tuple(notes), names=names, pedals=pedals)


def _tracks(score: Score) -> list[list[Note]]:
    """Return the notes of each track without drums, from the highest track to the lowest."""
    numbers = sorted({note.track for note in score.notes if not note.drum})
    tracks = [[note for note in score.notes if note.track == number and not note.drum] for number in numbers]
    return sorted(tracks, key=lambda track: -mean(note.pitch for note in track))


def _chords(notes: Sequence[Note]) -> list[list[Note]]:
    """Return the notes in groups of one onset."""
    groups: list[list[Note]] = []
    for note in sorted(notes, key=lambda note: (note.onset, note.pitch)):
        if groups and note.onset - groups[-1][0].onset < CHORD_SECONDS:
            groups[-1].append(note)
        else:
            groups.append([note])
    return groups


def _is_line(notes: Sequence[Note]) -> bool:
    """Whether a track has few chords."""
    chords = _chords(notes)
    return sum(len(chord) > 1 for chord in chords) <= MAX_CHORD_SHARE * len(chords)


def _assign(tracks: Sequence[list[Note]], programs: Sequence[int]) -> list[list[Note]]:
    """Return the track of each instrument, with the fewest notes out of range and the least transposition."""
    costs = np.array([[_cost(track, program) for track in tracks] for program in programs])
    _, columns = linear_sum_assignment(costs)
    return [_single(tracks[column]) if program in SINGLE_LINE else tracks[column]
            for program, column in zip(programs, columns, strict=True)]  # fmt: skip


def _cost(notes: Sequence[Note], program: int) -> float:
    low, high = INSTRUMENTS[program].low, INSTRUMENTS[program].high
    outside = mean(not low <= note.pitch <= high for note in notes)
    return 100 * outside + abs(mean(note.pitch for note in notes) - (low + high) / 2) / 12


def _divide(tracks: list[list[Note]], programs: Sequence[int]) -> list[list[Note]]:
    """Return a line for each instrument: melody, bass, inner lines, and what is left for chords."""
    lines: list[list[Note]] = [[] for _ in programs]
    left = [note for track in tracks for note in track]
    singles = [index for index, program in enumerate(programs) if program in SINGLE_LINE]
    others = [index for index in range(len(programs)) if index not in singles]
    by_height = sorted(
        singles, key=lambda index: -(INSTRUMENTS[programs[index]].low + INSTRUMENTS[programs[index]].high)
    )
    if not singles and len(others) > 1:  # guitar, piano: the first takes the melody
        by_height = others[:1]
        others = others[1:]
    for place, index in enumerate(by_height):
        is_bass = place > 0 and place == len(by_height) - 1
        # The melody is a track of its own in songs, else the highest line.
        source = tracks[0] if place == 0 and tracks and _is_line(tracks[0]) else left
        lines[index] = _outer_line(source, highest=not is_bass)
        taken = {id(note) for note in lines[index]}
        left = [note for note in left if id(note) not in taken]
        lines[index] = _single(lines[index])
    for place, index in enumerate(others):  # each has a register
        ordered = sorted(left, key=lambda note: -note.pitch)
        share = -(-len(ordered) // (len(others) - place))
        lines[index] = ordered[:share]
        left = ordered[share:]
    return lines


def _outer_line(notes: Sequence[Note], highest: bool) -> list[Note]:
    """Return the highest (or lowest) note of each chord, unless a higher (lower) one is held over it."""
    sign = 1 if highest else -1
    line: list[Note] = []
    for chord in _chords(notes):
        note = max(chord, key=lambda note: sign * note.pitch)
        held = line[-1] if line else None
        covered = held is not None and min(held.end, note.end) - note.onset > note.duration / 2
        if held is None or not covered or sign * held.pitch <= sign * note.pitch:
            line.append(note)
    return line


def _single(notes: Sequence[Note]) -> list[Note]:
    """Return one note at a time: the highest of each chord, until the next onset at the latest."""
    line = [chord[-1] for chord in _chords(notes)]
    ends = [*(note.onset for note in line[1:]), float("inf")][: len(line)]
    return [
        replace(note, duration=min(note.duration, end - note.onset))
        for note, end in zip(line, ends, strict=True)
    ]


def _fit(notes: Sequence[Note], program: int, track: int) -> list[Note]:
    """Return notes for an instrument, moved by octaves into its range."""
    low, high = INSTRUMENTS[program].low, INSTRUMENTS[program].high

    def outside(shift: int) -> tuple[int, int]:
        return sum(not low <= note.pitch + shift <= high for note in notes), abs(shift)

    shift = min(range(-48, 60, 12), key=outside)
    fitted: dict[tuple[float, int], Note] = {}
    for note in notes:
        pitch = note.pitch + shift
        pitch += 12 * max(-(-(low - pitch) // 12), 0)
        pitch -= 12 * max(-(-(pitch - high) // 12), 0)
        made = replace(note, pitch=pitch, program=program, track=track)
        other = fitted.get((note.onset, pitch))
        if other is None or other.duration < made.duration:
            fitted[note.onset, pitch] = made
    return list(fitted.values())
