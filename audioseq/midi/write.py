"""Scores to Standard MIDI Files."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import mido
import numpy as np

from audioseq.errors import MidiError
from audioseq.midi.notes import DRUMS, Clock, Note, Sound, tick_clock, untangle

if TYPE_CHECKING:
    from audioseq.midi.score import Score

TICKS_PER_BEAT = 480
"""Of files that are written: a beat is a quarter note, and at 120 to the minute a tick is about 1 ms."""


def to_midi(score: Score) -> mido.MidiFile:
    """Turn a score into the events of a file."""
    for note in score.notes:
        sound = 0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 and 0 <= note.program <= 127
        if not (sound and 0 <= note.onset < math.inf and 0 < note.duration < math.inf):
            raise MidiError(
                f"{note}: cannot be written; pitch and velocity reach to 127, and durations are above 0"
            )
    conductor, clock = _conductor(score)
    tracks = [conductor]
    voices: dict[tuple[int, bool, int], list[Note]] = defaultdict(list)
    for note in score.notes:
        voices[note.track, note.drum, note.program].append(note)
    melodic = drums = 0
    for (number, drum, program), notes in sorted(voices.items()):
        # 15 melodic channels and one of drums in each port, as MuseScore does it.
        if drum:
            port, channel = drums, DRUMS
            drums += 1
        else:
            port, channel = divmod(melodic, 15)
            channel += channel >= DRUMS
            melodic += 1
        track = [mido.MetaMessage("midi_port", port=port)] if port else []
        if number < len(score.names) and score.names[number]:
            track.append(mido.MetaMessage("track_name", name=score.names[number]))
        track.append(mido.Message("program_change", channel=channel, program=program))
        ends = clock.position([(note.onset, note.end) for note in notes])
        spans = np.rint(ends).astype(np.int64).tolist()
        sounds = [
            Sound(note.pitch, onset, end, note.velocity)
            for note, (onset, end) in zip(notes, spans, strict=True)
        ]
        events = []
        for pitch, onset, end, velocity in untangle(sounds):
            events += [(onset, 1, pitch, velocity), (end, 0, pitch, 0)]
        tick = 0
        for at, on, pitch, velocity in sorted(events):  # what ends comes before what begins
            kind = "note_on" if on else "note_off"
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=at - tick))
            tick = at
        tracks.append(mido.MidiTrack(track))
    return mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8", tracks=tracks)


def _conductor(score: Score) -> tuple[mido.MidiTrack, Clock]:
    """Return the track of tempos, signatures and text, and the clock, in ticks, that they make."""
    tempos = score.tempos or ((0.0, 120.0),)
    bpm = {0: _playable(tempos[0][1])}
    tick, start = 0, 0.0
    for at, wanted in tempos[1:]:  # a change is rounded to a tick, and what follows is counted from there
        length = 60 / bpm[tick] / TICKS_PER_BEAT
        steps = max(round((at - start) / length), 0)
        tick, start = tick + steps, start + steps * length
        bpm[tick] = _playable(wanted)
    clock = tick_clock(bpm, TICKS_PER_BEAT)
    events = [(tick, mido.MetaMessage("set_tempo", tempo=round(6e7 / rate))) for tick, rate in bpm.items()]
    for index, (at, numerator, denominator) in enumerate(score.time_signatures):
        fraction = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        events.append((_tick(clock, at) if index else 0, fraction))
    for at, key in score.keys:
        events.append((_tick(clock, at), mido.MetaMessage("key_signature", key=key)))
    track = [mido.MetaMessage("text", text=score.text)] if score.text else []
    before = 0
    for tick, event in sorted(events, key=lambda event: event[0]):
        track.append(event.copy(time=tick - before))
        before = tick
    return mido.MidiTrack(track), clock


def _playable(bpm: float) -> float:
    """Return the closest tempo that a file can hold: a whole number of microseconds a beat, in 24 bits."""
    return 6e7 / min(max(round(6e7 / bpm), 1), 2**24 - 1)


def _tick(clock: Clock, seconds: float) -> int:
    return round(float(clock.position(seconds)))
