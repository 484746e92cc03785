"""Encode pieces as events, and decode events to pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import FEATURES, Conditions, EventState
from audioseq.music.representation.grid import GridNote, Piece
from audioseq.music.representation.vocabulary import BAR, END, SAME


def encode(piece: Piece) -> np.ndarray:
    """Return the events of a piece `[E, 6]` int16, with the columns of `vocabulary`; the last is `END`."""
    events: list[tuple[int, ...]] = []
    starts = piece.starts
    notes = iter(piece.notes)
    note = next(notes, None)
    for bar, meter in enumerate(piece.meters):
        events.append((BAR, meter, -1, -1, -1, -1))
        position = -1
        while note is not None and note.onset < starts[bar + 1]:
            here = note.onset - starts[bar]
            step = SAME if here == position else here
            duration, velocity = v.duration_class(note.duration), v.velocity_level(note.velocity)
            events.append((step, -1, note.track, note.pitch, duration, velocity))
            position = here
            note = next(notes, None)
    events.append((END, -1, -1, -1, -1, -1))
    return np.array(events, np.int16)


def decode(events: Iterable[Sequence[int]], programs: Sequence[int], bpm: float) -> Piece:
    """Return the piece of some events; a note ends at the next onset of its pitch in its track."""
    notes: list[GridNote] = []
    meters: list[int] = []
    latest: dict[tuple[int, int], int] = {}  # index of the last note of each track and pitch
    start = length = position = 0
    for step, meter, track, pitch, duration, velocity in events:
        if step == END:
            break
        if step == BAR:
            start, length = start + length, v.METER_TICKS[meter]
            meters.append(int(meter))
            continue
        position = position if step == SAME else int(step)
        onset = start + position
        key = track, pitch = int(track), int(pitch)
        if key in latest:
            before = notes[latest[key]]
            notes[latest[key]] = before._replace(duration=min(before.duration, onset - before.onset))
        latest[key] = len(notes)
        ticks, velocity = v.DURATION_TICKS[duration], v.level_velocity(int(velocity))
        notes.append(GridNote(onset, track, -pitch, ticks, velocity))
    return Piece(tuple(notes), tuple(meters), tuple(programs), bpm)


def conditions_of(piece: Piece, style: int) -> Conditions:
    """Return the conditions that describe a piece."""
    tonic, minor = piece.key()
    tempo, density = v.tempo_class(piece.bpm), v.density_class(piece.density)
    return Conditions(style, tonic, minor, tempo, density, len(piece.meters), piece.programs)


def features(events: np.ndarray, conditions: Conditions) -> np.ndarray:
    """Return the input of the model before each event `[E, FEATURES]` int16."""
    event_state = EventState(conditions)
    rows = np.empty((len(events), FEATURES), np.int16)
    for i, event in enumerate(events.tolist()):
        rows[i] = event_state.features()
        event_state.push(event)
    return rows
