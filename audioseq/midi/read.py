"""Standard MIDI Files to notes."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import mido
import numpy as np

from audioseq.errors import MidiError
from audioseq.files import reading
from audioseq.midi.notes import DRUMS, Note, Sound, tick_clock, untangle

LONGEST = 4
"""Hours; longer files are damaged, or no single piece."""
LARGEST = 8 * 2**20
"""Bytes; an hour of dense music has a tenth of it."""
LONGEST_PEDAL = 32
"""Quarter notes; a sustain pedal that is down for longer is taken for stuck, and holds nothing."""
SUSTAIN = 64
"""The controller of the sustain pedal, and also the value from which it is down."""


def parse(source: str | os.PathLike[str] | bytes) -> tuple[mido.MidiFile, str]:
    """Return the events of a file, and what to call it where something is wrong with it."""
    if isinstance(source, bytes):
        where, content = "MIDI data", source
    else:
        where = os.fspath(source)
        with reading(where, MidiError), open(source, "rb") as opened:
            content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise MidiError(f"{where}: is larger than {LARGEST >> 20} MiB, the limit; cut it into pieces")
    if content[:4] != b"MThd":
        raise MidiError(f"{where}: is not a MIDI file; give a Standard MIDI File (.mid)")
    try:
        file = mido.MidiFile(file=io.BytesIO(content))
    except EOFError:
        raise MidiError(f"{where}: is cut off; get or export it again") from None
    except (
        Exception
    ) as error:  # of many kinds: OSError, ValueError, KeySignatureError, IndexError, struct.error
        reason = ascii(str(error).split("\n")[0][:100])[1:-1]
        raise MidiError(f"{where}: is damaged ({reason}); get or export it again") from None
    if file.type == 2 or file.ticks_per_beat <= 0:
        kind = "type 2" if file.type == 2 else "times in film frames"
        raise MidiError(f"{where}: is a MIDI file of {kind}; export it as type 0 or 1, in ticks a beat")
    return file, where


def read(file: mido.MidiFile, where: str) -> dict[str, Any]:
    """Turn the events of a file into what makes a `Score`."""
    tempos: dict[int, float] = {0: 120.0}
    signatures: dict[int, tuple[int, int]] = {}
    keys: dict[int, str] = {}
    texts: list[str] = []
    instruments: dict[tuple[int, int, int], list[Sound]] = defaultdict(list)  # by track, channel and program
    names: dict[int, str] = {}
    for index, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            match message.type:
                case "set_tempo" if message.tempo > 0:
                    tempos[tick] = 6e7 / message.tempo
                case "time_signature" if message.numerator > 0:
                    signatures.setdefault(tick, (message.numerator, message.denominator))
                case "key_signature":
                    keys.setdefault(tick, message.key)
                case "track_name":
                    names.setdefault(index, _decoded(message.name))
                case "text" if tick == 0:
                    texts.append(_decoded(message.text))
        for (channel, program), sounds in _sounds(track, file.ticks_per_beat).items():
            instruments[index, channel, program] += sounds
    if not instruments:
        raise MidiError(f"{where}: has no notes; choose another file")
    seconds = tick_clock(tempos, file.ticks_per_beat).seconds
    voices = [(*voice, untangle(sounds)) for voice, sounds in sorted(instruments.items())]
    ticks = np.array([(sound.onset, sound.end) for *_, sounds in voices for sound in sounds])
    hours = seconds(ticks.max()) / 3600
    if hours > LONGEST:
        raise MidiError(f"{where}: lasts {hours:.1f} hours, and {LONGEST} are the limit; cut it into pieces")
    times = iter(seconds(ticks).tolist())
    notes = []
    for number, (_, channel, program, sounds) in enumerate(voices):
        for sound, (onset, end) in zip(sounds, times, strict=False):
            drum = channel == DRUMS
            notes.append(Note(sound.pitch, sound.velocity, onset, end - onset, program, drum, number))
    return dict(
        notes=tuple(notes),
        tempos=tuple((seconds(tick), bpm) for tick, bpm in sorted(tempos.items())),
        time_signatures=tuple((seconds(tick), *value) for tick, value in sorted(signatures.items()))
        or ((0.0, 4, 4),),
        keys=tuple((seconds(tick), key) for tick, key in sorted(keys.items())),
        names=tuple(names.get(index, "") for index, *_ in voices) if names else (),
        text="\n".join(texts),
    )


def _sounds(track: Sequence[Any], ticks_per_beat: int) -> dict[tuple[int, int], list[Sound]]:
    """Pair the events of one track to notes, by channel and program; pedals hold them."""
    finished: dict[tuple[int, int], list[Sound]] = defaultdict(list)
    programs: dict[int, int] = defaultdict(int)
    pressed: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(
        list
    )  # (onset, velocity, program)
    released: dict[tuple[int, int], int] = {}  # when each key was let go last
    held: dict[int, list[tuple[int, Sound]]] = defaultdict(list)  # by the pedal of a channel; with programs
    down: dict[int, int] = {}  # since when
    tick = 0

    def let_go(channel: int, pitch: int, at: int) -> None:
        onset, velocity, program = pressed[channel, pitch].pop(0)
        sound = Sound(pitch, onset, at, velocity)
        if channel in down:
            held[channel].append((program, sound))
        else:
            finished[channel, program].append(sound)

    def lift(channel: int) -> None:
        stuck = tick - down.pop(channel) > LONGEST_PEDAL * ticks_per_beat
        for program, sound in held.pop(channel, ()):
            finished[channel, program].append(sound if stuck else sound._replace(end=tick))

    def leave(channel: int, pitch: int) -> None:
        # Struck twice and let go once: both ended then.
        at = released.get((channel, pitch), -1)
        while (waiting := pressed[channel, pitch]) and waiting[0][0] < at:
            let_go(channel, pitch, at)

    for message in track:
        tick += message.time
        kind = message.type
        if kind == "note_on" and message.velocity > 0:
            channel, pitch = message.channel, message.note
            leave(channel, pitch)
            pressed[channel, pitch].append((tick, message.velocity, programs[channel]))
        elif kind in ("note_on", "note_off"):
            channel, pitch = message.channel, message.note
            if pressed[channel, pitch]:
                let_go(channel, pitch, tick)
                released[channel, pitch] = tick
        elif kind == "program_change":
            programs[message.channel] = message.program
        elif kind == "control_change" and message.control == SUSTAIN and message.channel != DRUMS:
            if message.value >= SUSTAIN:
                down.setdefault(message.channel, tick)
            elif message.channel in down:
                lift(message.channel)
    for channel, pitch in list(pressed):
        leave(channel, pitch)
        while pressed[channel, pitch]:  # never let go: it lasts until the end of the track
            let_go(channel, pitch, tick)
    for channel in list(down):
        lift(channel)
    return finished


def _decoded(text: str) -> str:
    """Read as UTF-8 what mido takes for Latin-1, as far as it is that."""
    try:
        return text.encode("latin1").decode()
    except UnicodeDecodeError:
        return text
