"""Writing of Standard MIDI Files."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import mido
import numpy as np

from audioseq.errors import MidiError
from audioseq.midi.instruments import INSTRUMENTS
from audioseq.midi.notes import (
    DRUM_CHANNEL,
    Controller,
    Note,
    TempoMap,
    TickNote,
    resolve_overlaps,
    tick_tempo_map,
)

if TYPE_CHECKING:
    from audioseq.midi.score import Score

TICKS_PER_BEAT = 480
"""Default resolution of files; a beat is a quarter note, and at 120 beats per minute a tick is about 1 ms."""
NOTE_OFF, PEDAL, NOTE_ON = range(3)
"""Kinds of events, in the order in which those of one tick are written."""


def to_midi(score: Score) -> mido.MidiFile:
    """Convert a score to the events of a file."""
    for note in score.notes:
        in_range = 0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 and 0 <= note.program <= 127
        if not (in_range and 0 <= note.onset < math.inf and 0 < note.duration < math.inf):
            raise MidiError(
                f"{note}: cannot be written; use pitch, velocity and program up to 127, and durations above 0"
            )
    conductor_track, tempo_map = _conductor_track(score)
    tracks = [conductor_track]
    voices: dict[tuple[int, bool, int], list[Note]] = defaultdict(list)
    for note in score.notes:
        voices[note.track, note.drum, note.program].append(note)
    melodic = drums = 0
    for (number, drum, program), notes in sorted(voices.items()):
        # Each port has 15 melodic channels and one drum channel; further voices use further ports, as in
        # MuseScore.
        if drum:
            port, channel = drums, DRUM_CHANNEL
            drums += 1
        else:
            port, channel = divmod(melodic, 15)
            channel += channel >= DRUM_CHANNEL
            melodic += 1
        track = [mido.MetaMessage("midi_port", port=min(port, 255))] if port else []
        if number < len(score.names) and score.names[number]:
            track.append(mido.MetaMessage("track_name", name=score.names[number]))
        name = "Drums" if drum else INSTRUMENTS[program].name
        track.append(mido.MetaMessage("instrument_name", name=name))
        track.append(mido.Message("program_change", channel=channel, program=program))
        positions = tempo_map.position([(note.onset, note.end) for note in notes])
        spans: list[tuple[int, int]] = np.rint(positions).astype(np.int64).tolist()
        ticks = [TickNote(note.pitch, *span, note.velocity) for note, span in zip(notes, spans, strict=True)]
        # In order: tick, place among the events of the tick (note-offs, pedal, note-ons), pitch or value.
        events: list[tuple[int, int, int, int]] = []
        for pitch, onset, end, velocity in resolve_overlaps(ticks):
            events += [(onset, NOTE_ON, pitch, velocity), (end, NOTE_OFF, pitch, 0)]
        for seconds, pedalled, down in score.pedals if not drum else ():
            if pedalled == number:
                events.append((_tick(tempo_map, seconds), PEDAL, 127 * down, 0))
        previous = 0
        for tick, kind, value, velocity in sorted(events):
            message: dict[str, int] = {"channel": channel, "time": tick - previous}
            if kind == PEDAL:
                track.append(
                    mido.Message("control_change", control=Controller.SUSTAIN, value=value, **message)
                )
            else:
                name = "note_on" if kind == NOTE_ON else "note_off"
                track.append(mido.Message(name, note=value, velocity=velocity, **message))
            previous = tick
        tracks.append(mido.MidiTrack(track))
    return mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_beat, charset="utf-8", tracks=tracks)


def _conductor_track(score: Score) -> tuple[mido.MidiTrack, TempoMap]:
    """Return the track of tempos, signatures and text, and the resulting tempo map in ticks."""
    tempos = score.tempos or ((0.0, 120.0),)
    bpm = {0: _round_tempo(tempos[0][1])}
    tick, start = 0, 0.0
    for seconds, tempo in tempos[1:]:  # each change is rounded to a tick, from which the next one is counted
        tick_seconds = 60 / bpm[tick] / score.ticks_per_beat
        steps = max(round((seconds - start) / tick_seconds), 0)
        tick, start = tick + steps, start + steps * tick_seconds
        bpm[tick] = _round_tempo(tempo)
    tempo_map = tick_tempo_map(bpm, score.ticks_per_beat)
    events = [(tick, mido.MetaMessage("set_tempo", tempo=round(6e7 / rate))) for tick, rate in bpm.items()]
    for index, (seconds, numerator, denominator) in enumerate(score.time_signatures):
        signature = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        events.append((_tick(tempo_map, seconds) if index else 0, signature))
    for seconds, key in score.keys:
        events.append((_tick(tempo_map, seconds), mido.MetaMessage("key_signature", key=key)))
    for seconds, text in (*score.markers, *score.chords):
        events.append((_tick(tempo_map, seconds), mido.MetaMessage("marker", text=text)))
    track = [mido.MetaMessage("text", text=score.text)] if score.text else []
    previous = 0
    for tick, event in sorted(events, key=lambda event: event[0]):
        track.append(event.copy(time=tick - previous))
        previous = tick
    return mido.MidiTrack(track), tempo_map


def _round_tempo(bpm: float) -> float:
    """Return the closest tempo that a file can store, a whole number of microseconds per beat in 24 bits."""
    return 6e7 / min(max(round(6e7 / bpm), 1), 2**24 - 1)


def _tick(tempo_map: TempoMap, seconds: float) -> int:
    return round(float(tempo_map.position(seconds)))
