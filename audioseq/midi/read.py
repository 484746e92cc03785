"""Reading of Standard MIDI Files."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections import defaultdict, deque
from typing import Any

import mido
import numpy as np

from audioseq.errors import MidiError
from audioseq.files import reading
from audioseq.midi.notes import DRUM_CHANNEL, Controller, Note, TickNote, resolve_overlaps, tick_tempo_map
from audioseq.midi.pedal import PedalChange
from audioseq.midi.repair import repair

MAX_HOURS = 4
"""Maximum duration, hours; longer files are damaged or contain several pieces."""
MAX_MIB = 8
"""Maximum file size, MiB; an hour of dense music takes a tenth of it."""
MAX_PEDAL_BEATS = 32
"""Quarter notes after which a held sustain pedal is considered stuck and is ignored."""
SUSTAIN_THRESHOLD = 64
"""Controller value from which the sustain pedal is down."""
PEDAL_CONTROLLERS = Controller.SUSTAIN, Controller.SOUND_OFF, Controller.RESET
"""Controllers that lift the pedal; the first also puts it down."""
MAX_UNENDED_BEATS = 4
"""Maximum duration of a note without a note-off, quarter notes; the next onset ends it earlier."""


def parse_file(source: str | os.PathLike[str] | bytes) -> tuple[mido.MidiFile, str, tuple[str, ...]]:
    """Return the parsed events of a file, the name of the file for error messages, and the warnings."""
    if isinstance(source, bytes):
        where, content = "MIDI data", source
    else:
        where = os.fspath(source)
        with reading(where, MidiError), open(source, "rb") as opened:
            content = opened.read((MAX_MIB << 20) + 1)
    if len(content) > MAX_MIB << 20:
        raise MidiError(f"{where}: is larger than the limit of {MAX_MIB} MiB; split it into shorter files")
    content, warnings = repair(content, where)
    return mido.MidiFile(file=io.BytesIO(content)), where, warnings


def extract_score(file: mido.MidiFile, pedal: bool) -> dict[str, Any]:
    """Return the fields of a `Score` from the events of a file.

    Args:
        file: the parsed file.
        pedal: whether the sustain pedal extends notes.
    Raises:
        MidiError: the file has no notes, or is too long; the message does not name the file.
    """
    tempos: dict[int, float] = {0: 120.0}
    signatures: dict[int, tuple[int, int]] = {}
    keys: dict[int, str] = {}
    texts: list[str] = []
    markers: list[tuple[int, str]] = []
    instruments: dict[tuple[int, int, int], list[TickNote]] = defaultdict(list)  # by track, channel, program
    pedals: dict[tuple[int, int], list[tuple[int, bool]]] = defaultdict(list)  # by track and channel
    names: dict[int, str] = {}
    for index, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            match message.type:
                case "set_tempo":
                    tempos[tick] = 6e7 / message.tempo
                case "time_signature":
                    signatures.setdefault(tick, (message.numerator, message.denominator))
                case "key_signature":
                    keys.setdefault(tick, message.key)
                case "track_name":
                    names.setdefault(index, _decode_utf8(message.name))
                case "text" if tick == 0:
                    texts.append(_decode_utf8(message.text))
                case "text" | "marker" | "cue_marker":
                    markers.append((tick, _decode_utf8(message.text)))
                case "control_change" if not pedal and message.control in PEDAL_CONTROLLERS:
                    down = message.control == Controller.SUSTAIN and message.value >= SUSTAIN_THRESHOLD
                    pedals[index, message.channel].append((tick, down))
        for (channel, program), paired in _pair_notes(track, file.ticks_per_beat, pedal).items():
            instruments[index, channel, program] += paired
    if not instruments:
        raise MidiError("has no notes; choose another file")
    seconds = tick_tempo_map(tempos, file.ticks_per_beat).seconds
    voices = [(*voice, resolve_overlaps(each)) for voice, each in sorted(instruments.items())]
    ticks = np.array([(note.onset, note.end) for *_, tick_notes in voices for note in tick_notes])
    hours = seconds(ticks.max()) / 3600
    if hours > MAX_HOURS:
        raise MidiError(f"lasts {hours:.1f} hours, but the limit is {MAX_HOURS}; split it into shorter files")
    times = iter(seconds(ticks).tolist())
    notes = []
    changes: list[PedalChange] = []
    for number, (index, channel, program, tick_notes) in enumerate(voices):
        changes += [(float(seconds(tick)), number, down) for tick, down in pedals[index, channel]]
        for note, (onset, end) in zip(tick_notes, times, strict=False):
            drum = channel == DRUM_CHANNEL
            notes.append(Note(note.pitch, note.velocity, onset, end - onset, program, drum, number))
    return dict(
        notes=tuple(notes),
        tempos=tuple((seconds(tick), bpm) for tick, bpm in sorted(tempos.items())),
        time_signatures=tuple((seconds(tick), *value) for tick, value in sorted(signatures.items()))
        or ((0.0, 4, 4),),
        keys=tuple((seconds(tick), key) for tick, key in sorted(keys.items())),
        names=tuple(names.get(index, "") for index, *_ in voices) if names else (),
        text="\n".join(texts),
        markers=tuple((seconds(tick), text) for tick, text in sorted(markers, key=lambda marker: marker[0])),
        pedals=tuple(sorted(changes)),
        ticks_per_beat=file.ticks_per_beat,
    )


def _pair_notes(track: list[Any], ticks_per_beat: int, pedal: bool) -> dict[tuple[int, int], list[TickNote]]:
    """Pair the note-on and note-off events of a track, and apply the sustain pedal.

    A note without a note-off lasts until the next onset of its channel, at most `MAX_UNENDED_BEATS`.

    Returns:
        the notes of each (channel, program).
    """
    finished: dict[tuple[int, int], list[TickNote]] = defaultdict(list)
    programs: dict[int, int] = defaultdict(int)
    # Pressed keys by channel and pitch: (onset, velocity, program).
    pressed: dict[tuple[int, int], deque[tuple[int, int, int]]] = defaultdict(deque)
    onsets: dict[int, list[int]] = defaultdict(list)  # by channel
    released: dict[tuple[int, int], int] = {}  # tick of the last note-off of each channel and pitch
    sustained: dict[int, list[tuple[int, TickNote]]] = defaultdict(list)  # by channel: (program, note)
    pedal_down: dict[int, int] = {}  # tick since which the pedal of a channel is down
    tick = 0

    def release(channel: int, pitch: int, end: int) -> None:
        onset, velocity, program = pressed[channel, pitch].popleft()
        note = TickNote(pitch, onset, end, velocity)
        if channel in pedal_down:
            sustained[channel].append((program, note))
        else:
            finished[channel, program].append(note)

    def lift_pedal(channel: int) -> None:
        stuck = tick - pedal_down.pop(channel) > MAX_PEDAL_BEATS * ticks_per_beat
        for program, note in sustained.pop(channel, ()):
            finished[channel, program].append(note if stuck else note._replace(end=tick))

    def release_earlier(channel: int, pitch: int) -> None:
        # Two note-ons with one note-off: both notes end at the note-off.
        end = released.get((channel, pitch), -1)
        while (waiting := pressed[channel, pitch]) and waiting[0][0] < end:
            release(channel, pitch, end)

    for message in track:
        tick += message.time
        kind = message.type
        if kind == "note_on" and message.velocity > 0:
            channel, pitch = message.channel, message.note
            release_earlier(channel, pitch)
            pressed[channel, pitch].append((tick, message.velocity, programs[channel]))
            onsets[channel].append(tick)
        elif kind in ("note_on", "note_off"):
            channel, pitch = message.channel, message.note
            if pressed[channel, pitch]:
                release(channel, pitch, tick)
                released[channel, pitch] = tick
        elif kind == "program_change":
            programs[message.channel] = message.program
        elif kind == "control_change":
            channel, control = message.channel, message.control
            if control == Controller.SUSTAIN and message.value >= SUSTAIN_THRESHOLD:
                if pedal and channel != DRUM_CHANNEL:
                    pedal_down.setdefault(channel, tick)
                continue
            if control in PEDAL_CONTROLLERS and channel in pedal_down:
                lift_pedal(channel)
            if control == Controller.SOUND_OFF or control >= Controller.NOTES_OFF:
                for pitch in range(128):
                    while pressed.get((channel, pitch)):
                        release(channel, pitch, tick)
    for channel, pitch in list(pressed):
        release_earlier(channel, pitch)
        while waiting := pressed[channel, pitch]:  # notes without a note-off
            onset = waiting[0][0]
            later = bisect_right(onsets[channel], onset)
            end = onsets[channel][later] if later < len(onsets[channel]) else tick
            release(channel, pitch, min(end, onset + MAX_UNENDED_BEATS * ticks_per_beat))
    for channel in list(pedal_down):
        lift_pedal(channel)
    return finished


def _decode_utf8(text: str) -> str:
    """Decode text as UTF-8 that mido has decoded as Latin-1; return other text unchanged."""
    try:
        return text.encode("latin1").decode()
    except UnicodeDecodeError:
        return text
