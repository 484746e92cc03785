"""Music as notes with times in seconds; Standard MIDI Files in and out.

Files are parsed by mido, which pretty_midi reads with too. pretty_midi itself takes twice as long (0.14 s for
an average file, against 0.08), makes a table as long as the piece has ticks, drops changes of tempo outside
the first track, and has no public way to write any. symusic parses 30 times as fast, which does not pay: a
corpus is read once, and symusic brings a downloader along.
"""

from __future__ import annotations

import io
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import mido
import numpy as np

from audioseq.errors import MidiError
from audioseq.files import write_atomically

SUFFIXES = (".mid", ".midi")
TICKS_PER_BEAT = 480
"""Of files that are written: a beat is a quarter note, and at 120 to the minute a tick is about 1 ms."""
LONGEST = 4
"""Hours; longer files are damaged, or no single piece."""
LARGEST = 8 * 2**20
"""Bytes; an hour of dense music has a tenth of it."""
LONGEST_PEDAL = 32
"""Quarter notes; a sustain pedal that is down for longer is taken for stuck, and holds nothing."""
DRUMS = 9
"""The channel of percussion, counted from 0."""
SUSTAIN = 64
"""The controller of the sustain pedal, and also the value from which it is down."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note; times in seconds."""

    pitch: int
    """0 to 127; 60 is middle C."""
    velocity: int
    """1 to 127."""
    onset: float
    duration: float
    """Above 0."""
    program: int = 0
    """Instrument in General MIDI, 0 to 127; 0 is a piano."""
    drum: bool = False
    track: int = 0
    """The voice, hand or player, counted from 0."""

    @property
    def end(self) -> float:
        """When it ends, seconds."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Score:
    """A piece of music; notes are kept in order of onset, then track, then pitch.

    Example:
        >>> score = Score((Note(60, 80, onset=0.0, duration=0.5), Note(64, 80, onset=1.0, duration=2.0)))
        >>> score.end, score.beats(score.end), score.bars().tolist()
        (3.0, 6.0, [0.0, 2.0, 4.0])
    """

    notes: tuple[Note, ...]
    tempos: tuple[tuple[float, float], ...] = ((0.0, 120.0),)
    """(seconds, quarter notes a minute), in order; the first holds from the beginning, wherever it stands."""
    time_signatures: tuple[tuple[float, int, int], ...] = ((0.0, 4, 4),)
    """(seconds, numerator, denominator), in order; the first holds from the beginning."""
    keys: tuple[tuple[float, str], ...] = ()
    """(seconds, key signature such as `Eb` or `F#m`), in order."""
    names: tuple[str, ...] = ()
    """Of the tracks, as far as they have any."""
    text: str = ""
    """Remarks, such as where the piece comes from."""

    def __post_init__(self) -> None:
        ordered = sorted(self.notes, key=lambda note: (note.onset, note.track, note.pitch))
        object.__setattr__(self, "notes", tuple(ordered))

    @property
    def end(self) -> float:
        """When the last note ends, seconds; 0 without notes."""
        return max((note.end for note in self.notes), default=0.0)

    def beats(self, seconds: Any) -> Any:
        """Return the places in quarter notes of times in seconds: a number or an array, as was given."""
        return self._clock.position(seconds)

    def seconds(self, beats: Any) -> Any:
        """Return the time in seconds of positions in quarter notes; the inverse of `beats`."""
        return self._clock.seconds(beats)

    def bars(self) -> np.ndarray:
        """Return the times of the bar lines, seconds `[bars + 1]`: from 0 to the first at or after the end.

        A time signature that changes within a bar cuts it short.
        """
        signatures = self.time_signatures or ((0.0, 4, 4),)
        end = self.beats(self.end)
        changes = [0.0, *(self.beats(start) for start, _, _ in signatures[1:]), math.inf]
        lines: list[float] = []
        for (_, numerator, denominator), (start, stop) in zip(signatures, pairwise(changes), strict=True):
            length = 4 * numerator / denominator
            count = math.ceil((min(stop, end) - start) / length - 1e-6)
            lines += [start + length * index for index in range(count)]
        last = lines[-1] + length if lines and stop > end else end
        return np.asarray(self.seconds(np.array([*lines, max(last, end)])))

    @cached_property
    def _clock(self) -> _Clock:
        starts, bpm = np.array(self.tempos or ((0.0, 120.0),), dtype=np.float64).T
        starts[0] = 0.0
        return _Clock(starts, np.cumsum([0.0, *np.diff(starts) * bpm[:-1] / 60]), bpm / 60)

    @classmethod
    def load(cls, source: str | os.PathLike[str] | bytes) -> Score:
        """Read a Standard MIDI File of type 0 or 1.

        A track of the file makes one track here for each channel and program that plays in it. The sustain
        pedal holds notes until it is lifted, or the same pitch is struck again. Of notes of one track in
        unison the longest is kept.

        Args:
            source: a path, or the content of a file.
        Raises:
            MidiError: the file is missing, not MIDI, damaged, has no notes, lasts over 4 hours, or is larger
                than 8 MiB.
        """
        where, file = _parsed(source)
        return _read(file, where)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a Standard MIDI File of type 1, whole or not at all; equal scores give equal files.

        Raises:
            MidiError: a note is out of range.
            CheckpointError: the file cannot be written; the one that was there is left as it was.
        """
        content = self.to_bytes()
        write_atomically(Path(path), lambda file: file.write(content))

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes; times are rounded to ticks (480 a beat).

        Raises:
            MidiError: a note is out of range.
        """
        buffer = io.BytesIO()
        _written(self).save(file=buffer)
        return buffer.getvalue()


class _Clock(NamedTuple):
    """Stretches of one tempo: where they start, and how fast they are."""

    starts: np.ndarray
    """Seconds."""
    positions: np.ndarray
    """Quarter notes, or ticks."""
    rates: np.ndarray
    """The same a second."""

    def position(self, seconds: Any) -> Any:
        index = np.maximum(np.searchsorted(self.starts, seconds, side="right") - 1, 0)
        position = self.positions[index] + (np.asarray(seconds) - self.starts[index]) * self.rates[index]
        return position if np.ndim(position) else float(position)

    def seconds(self, position: Any) -> Any:
        index = np.maximum(np.searchsorted(self.positions, position, side="right") - 1, 0)
        seconds = self.starts[index] + (np.asarray(position) - self.positions[index]) / self.rates[index]
        return seconds if np.ndim(seconds) else float(seconds)


class _Sound(NamedTuple):
    """A note in ticks."""

    pitch: int
    onset: int
    end: int
    velocity: int


def _untangle(sounds: Iterable[_Sound]) -> list[_Sound]:
    """Make the notes of one instrument playable: none empty, none sounding when its pitch is struck again."""
    kept: list[_Sound] = []
    for sound in sorted(sounds):
        sound = sound._replace(end=max(sound.end, sound.onset + 1))
        if kept and kept[-1].pitch == sound.pitch:
            before = kept[-1]
            if before.onset == sound.onset:  # in unison: sorted by their ends, so this one is the longer
                kept.pop()
                sound = sound._replace(velocity=max(before.velocity, sound.velocity))
            elif before.end > sound.onset:
                kept[-1] = before._replace(end=sound.onset)
        kept.append(sound)
    return kept


def _parsed(source: str | os.PathLike[str] | bytes) -> tuple[str, mido.MidiFile]:
    if isinstance(source, bytes):
        where, content = "MIDI data", source
    else:
        where = os.fspath(source)
        try:
            with open(source, "rb") as opened:
                content = opened.read(LARGEST + 1)
        except OSError as error:
            raise MidiError(f"{where}: cannot be read ({error.strerror}); check the path") from None
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
    return where, file


def _read(file: mido.MidiFile, where: str) -> Score:
    """Turn the events of a file into a score."""
    tempos: dict[int, float] = {0: 120.0}
    signatures: dict[int, tuple[int, int]] = {}
    keys: dict[int, str] = {}
    texts: list[str] = []
    instruments: dict[tuple[int, int, int], list[_Sound]] = defaultdict(list)  # by track, channel and program
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
    seconds = _tick_clock(tempos, file.ticks_per_beat).seconds
    voices = [(*voice, _untangle(sounds)) for voice, sounds in sorted(instruments.items())]
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
    return Score(
        notes=tuple(notes),
        tempos=tuple((seconds(tick), bpm) for tick, bpm in sorted(tempos.items())),
        time_signatures=tuple((seconds(tick), *value) for tick, value in sorted(signatures.items()))
        or ((0.0, 4, 4),),
        keys=tuple((seconds(tick), key) for tick, key in sorted(keys.items())),
        names=tuple(names.get(index, "") for index, *_ in voices) if names else (),
        text="\n".join(texts),
    )


def _tick_clock(bpm: Mapping[int, float], ticks_per_beat: int) -> _Clock:
    """Return the clock of a file, given quarter notes a minute from each tick on."""
    positions, rates = np.array(sorted(bpm.items()), dtype=np.float64).T
    rates *= ticks_per_beat / 60
    return _Clock(np.cumsum([0.0, *np.diff(positions) / rates[:-1]]), positions, rates)


def _sounds(track: Sequence[Any], ticks_per_beat: int) -> dict[tuple[int, int], list[_Sound]]:
    """Pair the events of one track to notes, by channel and program; pedals hold them."""
    finished: dict[tuple[int, int], list[_Sound]] = defaultdict(list)
    programs: dict[int, int] = defaultdict(int)
    pressed: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(
        list
    )  # (onset, velocity, program)
    released: dict[tuple[int, int], int] = {}  # when each key was let go last
    held: dict[int, list[tuple[int, _Sound]]] = defaultdict(list)  # by the pedal of a channel; with programs
    down: dict[int, int] = {}  # since when
    tick = 0

    def let_go(channel: int, pitch: int, at: int) -> None:
        onset, velocity, program = pressed[channel, pitch].pop(0)
        sound = _Sound(pitch, onset, at, velocity)
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


def _written(score: Score) -> mido.MidiFile:
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
            _Sound(note.pitch, onset, end, note.velocity)
            for note, (onset, end) in zip(notes, spans, strict=True)
        ]
        events = []
        for pitch, onset, end, velocity in _untangle(sounds):
            events += [(onset, 1, pitch, velocity), (end, 0, pitch, 0)]
        tick = 0
        for at, on, pitch, velocity in sorted(events):  # what ends comes before what begins
            kind = "note_on" if on else "note_off"
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=at - tick))
            tick = at
        tracks.append(mido.MidiTrack(track))
    return mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8", tracks=tracks)


def _conductor(score: Score) -> tuple[mido.MidiTrack, _Clock]:
    """Return the track of tempos, signatures and text, and the clock, in ticks, that they make."""
    tempos = score.tempos or ((0.0, 120.0),)
    bpm = {0: _playable(tempos[0][1])}
    tick, start = 0, 0.0
    for at, wanted in tempos[1:]:  # a change is rounded to a tick, and what follows is counted from there
        length = 60 / bpm[tick] / TICKS_PER_BEAT
        steps = max(round((at - start) / length), 0)
        tick, start = tick + steps, start + steps * length
        bpm[tick] = _playable(wanted)
    clock = _tick_clock(bpm, TICKS_PER_BEAT)
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


def _tick(clock: _Clock, seconds: float) -> int:
    return round(float(clock.position(seconds)))


def _decoded(text: str) -> str:
    """Read as UTF-8 what mido takes for Latin-1, as far as it is that."""
    try:
        return text.encode("latin1").decode()
    except UnicodeDecodeError:
        return text
