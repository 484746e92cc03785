"""Chords of a MIDI file, as notes that sound together or as markers, to a progression bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from audioseq.errors import ConfigError, DataError
from audioseq.midi import SUFFIXES, Score
from audioseq.music.representation.chords import QUALITIES, parse_chord, parse_progression
from audioseq.music.representation.vocabulary import TONICS

RECOGNISED = (
    "",
    "m",
    "7",
    "m7",
    "maj7",
    "6",
    "m6",
    "dim",
    "dim7",
    "m7b5",
    "aug",
    "sus4",
    "sus2",
    "7sus4",
    "5",
)
"""Kinds of chords that are recognised in notes, the simplest first."""
BASS_BONUS = 0.15
"""Bonus of a chord whose root is the bass; the notes that sound have a sum of 1."""
MISSING_PENALTY = 0.2
"""Penalty of each tone of a chord that hardly sounds."""
MISSING_SHARE = 0.04
"""Share of the sounding time below which a tone counts as missing."""
BAR_PARTS = (1, 2, 3, 4, 6, 8)
"""Into how many equal parts the chords may divide a bar."""
PART_TOLERANCE = 0.04
"""How far from the beginning of such a part a chord may begin, as a share of the bar."""
HALVED_QUARTERS = 3
"""Length from which a bar with an even number of beats may have two chords, if these are notes; quarters."""
HALVING_GAIN = 0.05
"""How much better two chords must fit than one for the whole bar."""
SHARP_KEYS = ((7, 2, 9, 4, 11), (4, 11, 6, 1, 8))
"""Tonics of the major and the minor keys whose chords are spelled with sharps."""
SHARPS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


def load_chords(source: str | Path | Score) -> str:
    """Return the progression in a MIDI file or a score, or a text as it is.

    Raises:
        MidiError: the file cannot be read.
        DataError: it has no chords.
    """
    if isinstance(source, str) and not source.lower().endswith(SUFFIXES):
        return source
    score = source if isinstance(source, Score) else Score.load(source)
    try:
        return read_chords(score)
    except DataError as error:
        raise DataError(str(error) if isinstance(source, Score) else f"{source}: {error}") from None


def read_chords(score: Score) -> str:
    """Return the chords of a score bar by bar, as `parse_progression` reads them.

    If most markers are chord symbols, the chords are those of the markers. Otherwise they are recognised in
    the notes of each bar, or half bar: the chord with the largest share of the sounding time, and the fewest
    tones that are missing, best on its bass. A pickup has none.

    Raises:
        DataError: the score has neither notes nor chord symbols.
    Example:
        >>> from audioseq.midi import Note
        >>> chords = {0.0: (48, 52, 55), 2.0: (45, 48, 52, 55), 4.0: (41, 48, 57), 5.0: (47, 50, 55, 65)}
        >>> notes = [Note(p, 80, at, 2.0 if at < 4 else 1.0) for at, each in chords.items() for p in each]
        >>> read_chords(Score(tuple(notes)))
        '| C | Am7 | F G7/B |'
    """
    lines = np.asarray(score.beats(score.bars()), np.float64)[1 if score.pickup else 0 :]
    changes = _written(score) or _heard(score, lines)
    if not changes:
        raise DataError("has no chords; give a file with chords as notes or as markers, such as Am7")
    bars = [_parts(changes, begin, end) for begin, end in pairwise(lines)]
    text = "| " + " | ".join(map(" ".join, bars)) + " |"
    return _spell(text)


def _written(score: Score) -> list[tuple[float, str]]:
    """Return the beats and names of the chords among the markers, if most markers are chords."""
    found = []
    for seconds, text in score.markers:
        try:
            found.append((float(score.beats(seconds)), parse_chord(text.strip()).name))
        except ConfigError:
            continue
    return found if 2 * len(found) > len(score.markers) else []


def _heard(score: Score, lines: np.ndarray) -> list[tuple[float, str]]:
    """Return the beats and names of the chords of the notes, bar by bar or half bar by half bar."""
    notes = [note for note in score.notes if not note.drum]
    spans = np.array(score.beats(np.array([(note.onset, note.end) for note in notes]).reshape(-1, 2)))
    pitches = np.array([note.pitch for note in notes], np.int64)

    def hear(start: float, stop: float) -> tuple[float, list[tuple[float, str]]]:
        """Return how well the best chord fits a span, and the chord with the beat where it begins."""
        overlaps = np.minimum(spans[:, 1], stop) - np.maximum(spans[:, 0], start)
        heard = overlaps > (stop - start) / 8
        if not heard.any():
            return 0.0, []
        weights = np.bincount(pitches[heard] % 12, overlaps[heard], 12)
        fit, name = recognise(weights, int(pitches[heard].min()) % 12)
        return fit, [(start, name)]

    found: list[tuple[float, str]] = []
    for begin, end in pairwise(lines.tolist()):
        whole, chords = hear(begin, end)
        if end - begin >= HALVED_QUARTERS and _is_even(score, begin):
            middle = (begin + end) / 2
            (first, before), (second, after) = hear(begin, middle), hear(middle, end)
            if (first + second) / 2 > whole + HALVING_GAIN:
                chords = before + after
        found += chords
    return found


def _is_even(score: Score, beat: float) -> bool:
    """Return whether the bar at a position has an even number of beats; those of 6/8 are dotted."""
    seconds = score.seconds(beat + 1e-6)
    signatures = [each for each in score.time_signatures if each[0] <= seconds] or [(0.0, 4, 4)]
    return signatures[-1][1] % 2 == 0


def recognise(weights: np.ndarray, bass: int) -> tuple[float, str]:
    """Return how well the best chord fits, and its symbol.

    Args:
        weights: how long each pitch class sounds, in any unit `[12]`; not all 0.
        bass: pitch class of the lowest note.
    Example:
        >>> heard = np.isin(np.arange(12), (2, 5, 9))
        >>> recognise(heard, 2)[1], recognise(heard, 5)[1]
        ('Dm', 'Dm/F')
    """
    shares = np.asarray(weights, np.float64) / np.sum(weights)

    def fit(root: int, kind: str) -> float:
        tones = [(root + interval) % 12 for interval in QUALITIES[kind]]
        missing = sum(shares[tone] < MISSING_SHARE for tone in tones)
        return float(2 * shares[tones].sum() - MISSING_PENALTY * missing + BASS_BONUS * (root == bass))

    score, root, kind = max(
        ((fit(root, kind), root, kind) for kind in RECOGNISED for root in range(12)),
        key=lambda each: each[0],  # of equal ones the first, which is the simplest
    )
    inverted = bass != root and (bass - root) % 12 in QUALITIES[kind]
    return score, f"{TONICS[root]}{kind}" + (f"/{TONICS[bass]}" if inverted else "")


def _parts(changes: Sequence[tuple[float, str]], begin: float, end: float) -> list[str]:
    """Return the chords that divide a bar evenly; the first chord also stands for what is before it."""
    inside = [((beat - begin) / (end - begin), name) for beat, name in changes if begin <= beat < end - 1e-6]
    inside = [(place, name) for place, name in inside if place < 1 - PART_TOLERANCE]
    before = [name for beat, name in changes if beat < begin + PART_TOLERANCE * (end - begin)]
    held = before[-1] if before else changes[0][1]
    count = next(
        (
            parts
            for parts in BAR_PARTS
            if all(abs(place * parts - round(place * parts)) <= PART_TOLERANCE * parts for place, _ in inside)
        ),
        BAR_PARTS[-1],
    )
    names = []
    for part in range(count):
        begun = [name for place, name in inside if round(place * count) <= part]
        names.append(begun[-1] if begun else held)
    return names[:1] if len(set(names)) == 1 else names


def _spell(text: str) -> str:
    """Return a progression with sharps in place of flats, in a key with sharps."""
    tonic, minor = parse_progression(text).key()
    if tonic in SHARP_KEYS[minor]:
        for flat, sharp in SHARPS.items():
            text = text.replace(flat, sharp)
    return text
