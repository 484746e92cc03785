"""Repair of Standard MIDI Files before they are parsed.

Files from the web and from old programs break the standard in ways that players ignore. `repair` reads such a
file like a player, and writes a correct one with only the events that the reader uses. It limits the numbers
that a parser would allocate memory for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from audioseq.errors import MidiError
from audioseq.midi.notes import Controller

MAX_JUNK_BYTES = 1024
"""Bytes that may precede the header, such as the 128 of MacBinary; a RIFF file (.rmi) may have more."""
MAX_TRACKS = 1024
MIN_TEMPO = 6000
"""Microseconds per quarter note, 10 000 quarter notes per minute; shorter ones are ignored."""
MAX_DENOMINATOR_EXPONENT = 7
"""Shortest unit of a time signature, a 128th; signatures with shorter ones are ignored."""
MAX_TEXT_BYTES = 2**16
"""Longer texts and names are cut."""
MAX_NUMBER_BYTES = 4
"""Bytes of a variable-length number."""
CONTROLLERS = {*Controller, *range(Controller.NOTES_OFF, 128)}
"""Controllers that the reader uses: the sustain pedal, and those that end notes."""

_HEADER = b"MThd\x00\x00\x00\x06"
_MARKER, _CUE = 0x06, 0x07
_TEXT, _NAME, _END, _TEMPO, _TIME_SIGNATURE, _KEY_SIGNATURE = 0x01, 0x03, 0x2F, 0x51, 0x58, 0x59
_EXACT_BYTES = {_TEMPO: 3, _TIME_SIGNATURE: 4, _KEY_SIGNATURE: 2}
_NOTE_ON, _CONTROL, _PROGRAM = 0x9, 0xB, 0xC
_DATA_BYTES = {0xC: 1, 0xD: 1, 0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Number of data bytes by kind of channel message or status of system message, where not 2 or 0."""


def repair(content: bytes, where: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a correct file of type 1 in ticks per quarter note, and what was wrong with the original.

    Args:
        content: a file of type 0, 1, or 2 with one track; also within a RIFF file, or after some other bytes.
        where: name of the file for error messages.
    Returns:
        the file, and a line for the user if anything was ignored or changed, else nothing.
    Raises:
        MidiError: the file is not MIDI, has no track, too many, or times that are not in ticks.
    """
    faults: dict[str, None] = {}  # an ordered set
    start = 0
    if content[:4] != b"MThd":
        riff = content[:4] == b"RIFF" and content[8:12] == b"RMID"
        start = content.find(_HEADER, 0, len(content) if riff else MAX_JUNK_BYTES + len(_HEADER))
        if start < 0:
            raise MidiError(f"{where}: is not a MIDI file; give a Standard MIDI File (.mid)")
        if not riff:
            faults[f"{start} bytes before the header"] = None
    end = content.find(_HEADER, start + 1)  # a second file after the first
    content = content[start : end if end > 0 else None]
    if len(content) < 14:
        raise MidiError(f"{where}: is truncated; copy or export it again")
    kind, declared_tracks, division = (int.from_bytes(content[at : at + 2], "big") for at in (8, 10, 12))
    if division == 0 or division >= 0x8000:
        what = "SMPTE time code" if division else "0 ticks per quarter note in its header"
        raise MidiError(f"{where}: is a MIDI file with {what}; export it as type 0 or 1 in ticks per beat")
    tracks = list(islice(_tracks(content, faults), MAX_TRACKS + 1))
    if not tracks:
        what = "is truncated" if len(content) < 22 else "is damaged (it has no tracks)"
        raise MidiError(f"{where}: {what}; copy or export it again")
    if len(tracks) > MAX_TRACKS:
        raise MidiError(f"{where}: has more than {MAX_TRACKS} tracks; merge or split them")
    if kind == 2 and len(tracks) > 1:
        raise MidiError(f"{where}: is a MIDI file with type 2; export it as type 0 or 1 in ticks per beat")
    if kind > 2:
        faults[f"unknown type {kind}"] = None
    if declared_tracks != len(tracks):
        faults["wrong number of tracks"] = None
    header = b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), division))
    chunks = [_HEADER + header, *(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)]
    line = f"{where}: is damaged, but was read ({', '.join(faults)}); check the result"
    return b"".join(chunks), (line,) if faults else ()


def _tracks(content: bytes, faults: dict[str, None]) -> Iterator[bytes]:
    """Yield the events of each track; other chunks are skipped."""
    position = 14
    while (position := content.find(b"MTrk", position)) >= 0:
        start = position + 8
        if start > len(content):
            faults["a truncated track"] = None
            break
        end = start + int.from_bytes(content[position + 4 : start], "big")
        # After the track must come the end of the file or a chunk, whose name has four letters.
        plausible = end == len(content) or (end < len(content) and content[end : end + 4].isalnum())
        if not plausible:
            following = content.find(b"MTrk", start)
            limit = following if following > 0 else len(content)
        track, length = _clean_track(content[start : end if plausible else limit], faults)
        if not plausible and start + length != end:
            truncated = end > len(content) and not content.endswith(b"\xff\x2f\x00")
            faults["a truncated track" if truncated else "wrong track length"] = None
        position = end if plausible else start + length
        yield track


def _clean_track(data: bytes, faults: dict[str, None]) -> tuple[bytes, int]:
    """Return the events of a track that the reader uses, and the length of the track up to its end event."""
    result = bytearray()
    position = time = 0  # time: ticks since the last event of the result
    status = 0
    try:
        while position < len(data):
            delta, position = _number(data, position)
            time += delta
            byte = data[position]
            if byte >= 0x80:
                position += 1
            elif status == 0:  # no status precedes: most events are notes
                byte = status = _NOTE_ON << 4
                faults["data without an event"] = None
            else:
                byte = status
            if byte in (0xF0, 0xF7, 0xFF):  # system exclusive, or a meta event
                kind = data[position] if byte == 0xFF else 0
                length, first = _number(data, position + (byte == 0xFF))
                position = first + length
                if position > len(data):
                    raise IndexError
                if kind == _END:
                    break
                value = data[first:position]
                if kind in _EXACT_BYTES and not _is_valid(kind, value):
                    faults["invalid tempo, time signature or key signature"] = None
                elif kind in (_TEXT, _NAME, _MARKER, _CUE, *_EXACT_BYTES):
                    value = value[: _EXACT_BYTES.get(kind, MAX_TEXT_BYTES)]
                    result += _encode(time) + bytes((0xFF, kind)) + _encode(len(value)) + value
                    time = 0
                continue
            kind = byte >> 4 if byte < 0xF0 else byte
            size = _DATA_BYTES.get(kind, 2 if byte < 0xF0 else 0)
            event = data[position : position + size]
            position += size
            if len(event) < size:
                raise IndexError
            if byte >= 0xF0:
                faults["events that a file cannot have"] = None
                continue
            status = byte
            if size and max(event) > 127:
                event = bytes(min(value, 127) for value in event)
                faults["data bytes above 127"] = None
            if kind <= _NOTE_ON or kind == _PROGRAM or (kind == _CONTROL and event[0] in CONTROLLERS):
                result += _encode(time) + bytes((byte,)) + event
                time = 0
    except IndexError:
        faults["a truncated track"] = None
    except ValueError:
        faults["a track that is unreadable from some event on"] = None
    return bytes(result + _encode(time) + b"\xff\x2f\x00"), min(position, len(data))


def _is_valid(kind: int, value: bytes) -> bool:
    """Return whether the value of a tempo, time signature or key signature is complete and sensible."""
    if len(value) < _EXACT_BYTES[kind]:
        return False
    if kind == _TEMPO:
        return int.from_bytes(value[:3], "big") >= MIN_TEMPO
    if kind == _TIME_SIGNATURE:
        return value[0] > 0 and value[1] <= MAX_DENOMINATOR_EXPONENT
    return (value[0] <= 7 or value[0] >= 249) and value[1] <= 1  # 7 flats (-7) to 7 sharps; major or minor


def _number(data: bytes, position: int) -> tuple[int, int]:
    """Read a variable-length number: return it, and the position after it."""
    number = 0
    for index in range(position, position + MAX_NUMBER_BYTES):
        byte = data[index]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, index + 1
    raise ValueError("number of more than 4 bytes")


def _encode(number: int) -> bytes:
    """Write a variable-length number."""
    result = [number & 0x7F]
    while number := number >> 7:
        result.append(number & 0x7F | 0x80)
    return bytes(reversed(result))
