"""Scores of generated pieces: names, key signature, and the music of the user before them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from audioseq.midi import Note, Score
from audioseq.midi.instruments import INSTRUMENTS
from audioseq.music.generation.primer import Primer, Setting
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import GridNote, Piece, to_score
from audioseq.music.representation.keys import key_signature
from audioseq.music.representation.playing import is_piano

TRACK_NAMES = {
    "pop": ("Melody", "Bridge", "Piano"),
    "lied": ("Voice", "Piano, right hand", "Piano, left hand"),
    "quartet": ("Violin I", "Violin II", "Viola", "Cello"),
    "chorale": ("Soprano", "Alto", "Tenor", "Bass"),
}
SINGING_PROGRAM = 52
"""Program of the voice in a song: the training files have a wind instrument, as MuseScore writes."""
MIN_TICKS_PER_BEAT = 96
"""Lowest resolution of a file with generated notes."""


def compose_score(piece: Piece, style: int, key: tuple[int, bool], text: str) -> Score:
    """Return the score of a piece, with key signature, and names of the tracks."""
    programs, names = piece.programs, TRACK_NAMES.get(v.STYLES[style], ())
    others = tuple(map(_instrument_name, programs))
    if v.STYLES[style] == "lied" and not is_piano(programs[0]):
        names = names if programs[1:] == (0, 0) else (names[0], *others[1:])
        programs = (SINGING_PROGRAM, *programs[1:])
    elif len(names) != len(programs) or v.STYLES[style] == "lied":
        names = others
    score = to_score(replace(piece, programs=programs), text, names)
    return replace(score, keys=((0.0, key_signature(*key)),))


def places_of(primer: Primer, setting: Setting) -> tuple[list[tuple[int, int]], list[str]]:
    """Return where the music of the model goes among the tracks of the user.

    Returns:
        the track of the score and the program of each track of the model; and the names of all tracks.
    """
    places: list[tuple[int, int]] = []
    further = max(note.track for note in primer.score.notes) + 1
    names = list(primer.score.names) + [""] * (further - len(primer.score.names))
    for track, program in enumerate(setting.programs):
        origin = setting.origin(track)
        places.append(primer.voices[origin] if origin is not None else (further, program))
        if origin is None:
            further += 1
            names.append(_instrument_name(program))
    return places, names


def continue_score(
    primer: Primer,
    setting: Setting,
    piece: Piece,
    key: tuple[int, bool],
    text: str,
    with_primer: bool,
) -> Score:
    """Return the score of the user with the new notes after it, or of the new notes alone.

    The notes of the user are unchanged. New notes are in the tracks and instruments of the user.

    Args:
        primer: music of the user.
        setting: how the model reads it.
        piece: the new notes on the tracks of the model, at the tempo of the continuation.
        key: tonic, and whether it is minor.
        text: description of the piece.
        with_primer: whether the result begins with the primer.
    """
    score = primer.score
    places, names = places_of(primer, setting)
    begin = primer.end / v.TICKS_PER_QUARTER
    reached = float(score.seconds(begin))
    if not with_primer:
        first = min((note.onset for note in piece.notes), default=primer.end)
        starts = np.array(piece.starts)
        begin = float(starts[np.searchsorted(starts, first, side="right") - 1]) / v.TICKS_PER_QUARTER
        reached = 0.0
    beat = 60 / piece.bpm
    notes = []
    for onset, track, negative_pitch, duration, velocity in piece.notes:
        number, program = places[track]
        seconds = reached + (onset / v.TICKS_PER_QUARTER - begin) * beat
        length = duration / v.TICKS_PER_QUARTER * beat
        notes.append(Note(-negative_pitch, velocity, seconds, length, program, False, number))
    texts = add_text(score, text)
    keys = score.keys or ((0.0, key_signature(*key)),)
    resolution = fine_resolution(score)
    if not with_primer:
        signature = (score.time_signatures or ((0.0, 4, 4),))[-1]
        return Score(
            tuple(notes), ((0.0, piece.bpm),), ((0.0, *signature[1:]),), ((0.0, keys[-1][1]),),
            tuple(names), texts, ticks_per_beat=resolution,
        )  # fmt: skip
    tempos = tuple(change for change in score.tempos if change[0] <= reached) or score.tempos[:1]
    if abs(tempos[-1][1] / piece.bpm - 1) > 1e-4:
        tempos += ((reached, piece.bpm),)
    return replace(
        score, notes=score.notes + tuple(notes), tempos=tempos, keys=keys,
        names=tuple(names) if any(names) else (), text=texts, ticks_per_beat=resolution,
    )  # fmt: skip


def add_notes(score: Score, notes: Iterable[GridNote], places: Sequence[tuple[int, int]]) -> list[Note]:
    """Return new notes at the tempo of the user.

    Args:
        score: music of the user.
        notes: new notes on the tracks of the model, in ticks of the score.
        places: track of the score and program of each track of the model.
    """
    made = []
    for note in notes:
        number, program = places[note.track]
        onset, end = (float(score.seconds(tick / v.TICKS_PER_QUARTER)) for tick in (note.onset, note.end))
        made.append(Note(note.pitch, note.velocity, onset, end - onset, program, False, number))
    return made


def add_text(score: Score, text: str) -> str:
    """Return the text of a score with one more line."""
    return "\n".join(filter(None, (score.text, text)))


def fine_resolution(score: Score) -> int:
    """Return the ticks per quarter of a file for a score with new notes: a multiple of those of the score."""
    return score.ticks_per_beat * math.ceil(MIN_TICKS_PER_BEAT / score.ticks_per_beat)


def _instrument_name(program: int) -> str:
    return "Drums" if program == v.DRUMS else INSTRUMENTS[program].name
