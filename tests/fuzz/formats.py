"""The structure of binary formats: where their numbers and parts are, and their checksums.

Each function accepts damaged files, and returns what it finds.
"""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

from audioseq.audio.headers import _mpeg_frame_bytes
from tests.fuzz.mutate import MAX_PARTS, Field, Layout

OGG_POLYNOMIAL = 0x04C11DB7
MP4_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf")
EBML_CONTAINERS = (0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE1, 0x1F43B675, 0x114D9B74, 0x4DBB)
"""Ids of Matroska elements that contain others, such as segment, tracks and cluster."""


def wav(content: bytes) -> Layout:
    """Chunks of a RIFF file, their sizes, and the numbers of its format chunk."""
    fields, cuts, at = [Field(4, 4)], [12], 12
    while at + 8 <= len(content) and len(cuts) < MAX_PARTS:
        cuts.append(at)
        fields.append(Field(at + 4, 4))
        if content[at : at + 4] == b"fmt ":
            fields += [
                Field(at + 8 + place, size)
                for place, size in ((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2))
            ]
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return Layout(fields, cuts)


def flac(content: bytes) -> Layout:
    """Metadata blocks of a FLAC file, the numbers of the first, and the frames."""
    fields: list[Field] = []
    cuts, at = [4], 4
    while at + 4 <= len(content) and len(cuts) < MAX_PARTS:
        cuts.append(at)
        fields += [Field(at, 1, "big"), Field(at + 1, 3, "big")]
        if content[at] & 0x7F == 0:
            places = ((0, 2), (2, 2), (4, 3), (7, 3), (10, 8), (10, 4), (14, 4), (18, 16))
            fields += [Field(at + 4 + place, size, "big") for place, size in places]
        last = content[at] >= 0x80
        at += 4 + int.from_bytes(content[at + 1 : at + 4], "big")
        if last:
            break
    frames = [found.start() for found in re.finditer(rb"\xff[\xf8\xf9]", content[at:])]
    cuts += [at + frame for frame in frames[:MAX_PARTS]]
    fields += [Field(at + frame + 2, 2, "big") for frame in frames[:20]]
    return Layout(fields, cuts)


def ogg(content: bytes) -> Layout:
    """Pages of an Ogg file, the numbers of their headers, and those of the first packets."""
    fields: list[Field] = []
    cuts: list[int] = []
    at = content.find(b"OggS")
    while at >= 0 and len(cuts) < MAX_PARTS:
        cuts.append(at)
        fields += [
            Field(at + place, size) for place, size in ((4, 1), (5, 1), (6, 8), (14, 4), (18, 4), (26, 1))
        ]
        fields += [Field(at + 27 + segment, 1) for segment in range(3)]
        start = at + 27 + (content[at + 26] if at + 26 < len(content) else 0)
        cuts.append(min(start, len(content)))
        if content[start : start + 8] == b"OpusHead":
            fields += [
                Field(start + place, size)
                for place, size in ((8, 1), (9, 1), (10, 2), (12, 4), (16, 2), (18, 1))
            ]
        elif content[start + 1 : start + 7] == b"vorbis":
            fields += [
                Field(start + place, size)
                for place, size in ((0, 1), (7, 4), (11, 1), (12, 4), (28, 1), (29, 1))
            ]
        at = content.find(b"OggS", at + 4)
    return Layout(fields, sorted(cuts))


def seal_ogg(content: bytes, serial: int | None = None) -> bytes:
    """Correct the checksums of the pages; with a serial number, also set that of all pages."""
    data = bytearray(content)
    starts = [found.start() for found in re.finditer(b"OggS", content)]
    for start, end in pairwise([*starts, len(content)]):
        if start + 27 > len(data):
            break
        table = data[start + 27 : start + 27 + data[start + 26]]
        end = min(end, start + 27 + len(table) + sum(table))
        if serial is not None:
            data[start + 14 : start + 18] = serial.to_bytes(4, "little")
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _ogg_checksum(data[start:end]).to_bytes(4, "little")
    return bytes(data)


def _ogg_checksum(page: bytes | bytearray) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[value >> 24 ^ byte]
    return value


def _ogg_table() -> list[int]:
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1 ^ (OGG_POLYNOMIAL if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


_OGG_TABLE = _ogg_table()


def mp3(content: bytes) -> Layout:
    """Frames of an MP3 file, their headers, the size of an ID3 tag and the numbers of a Xing header."""
    fields = [Field(6, 4, "big")] if content[:3] == b"ID3" else []
    for found in re.finditer(b"Xing|Info", content[:2000]):
        fields += [Field(found.start() + place, 4, "big") for place in (4, 8, 12)]
    cuts: list[int] = []
    at = 0
    while at + 4 <= len(content) and len(cuts) < MAX_PARTS:
        if length := _mpeg_frame_bytes(content[at : at + 4]):
            cuts.append(at)
            fields += [Field(at + place, 1) for place in (1, 2, 3)]
            at += length
        else:
            at = found_at if (found_at := content.find(b"\xff", at + 1)) > 0 else len(content)
    return Layout(fields, cuts)


def mp4(content: bytes) -> Layout:
    """Boxes of an MP4 file, their sizes, and the numbers of small boxes."""
    fields: list[Field] = []
    cuts: list[int] = []
    ranges = [(0, len(content))]
    while ranges and len(cuts) < MAX_PARTS:
        at, end = ranges.pop()
        while at + 8 <= end and len(cuts) < MAX_PARTS:
            size = int.from_bytes(content[at : at + 4], "big")
            cuts.append(at)
            fields.append(Field(at, 4, "big"))
            after = min(end, at + size) if size >= 8 else end
            if content[at + 4 : at + 8] in MP4_CONTAINERS:
                ranges.append((at + 8, after))
            elif content[at + 4 : at + 8] != b"mdat":
                fields += [Field(place, 4, "big") for place in range(at + 8, min(after, at + 120) - 3, 4)]
            at = after
    return Layout(fields, sorted(cuts))


def webm(content: bytes) -> Layout:
    """Elements of a Matroska file, their sizes, and the values of short elements."""
    fields: list[Field] = []
    cuts: list[int] = []
    at = 0
    while at + 2 < len(content) and len(cuts) < MAX_PARTS:
        id_bytes = 9 - content[at].bit_length()
        start = at + id_bytes
        if id_bytes > 4 or start >= len(content) or not content[start]:
            at += 1
            continue
        size_bytes = 9 - content[start].bit_length()
        size = int.from_bytes(content[start : start + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        cuts.append(at)
        fields.append(Field(start, size_bytes, "big"))
        body = start + size_bytes
        if int.from_bytes(content[at:start], "big") in EBML_CONTAINERS:
            at = body
            continue
        if 0 < size <= 8:
            fields.append(Field(body, size, "big"))
        at = body + size
    return Layout(fields, cuts)


def midi(content: bytes) -> Layout:
    """Header, tracks and events of a MIDI file, their lengths and their data bytes."""
    fields = [Field(4, 4, "big"), Field(8, 2, "big"), Field(10, 2, "big"), Field(12, 2, "big")]
    cuts: list[int] = []
    for found in re.finditer(b"MTrk", content):
        fields.append(Field(found.start() + 4, 4, "big"))
        cuts.append(found.start())
        at, status = found.start() + 8, 0
        while at + 2 < len(content) and len(cuts) < MAX_PARTS:
            cuts.append(at)
            fields.append(Field(at, 1))
            while at < len(content) and content[at] >= 0x80:
                at += 1
            at += 1
            if at + 2 >= len(content):
                break
            if content[at] >= 0x80:
                status, at = content[at], at + 1
            if status == 0xFF:
                length = content[at + 1]
                fields += [Field(at, 1), Field(at + 1, 1), Field(at + 2, min(length, 3), "big")]
                fields += [Field(at + 2 + place, 1) for place in range(min(length, 4))]
                at += 2 + length
                if content[at - 2 - length] == 0x2F:
                    break
            else:
                size = 1 if 0xC0 <= status < 0xE0 else 2
                fields += [Field(at + place, 1) for place in range(size)]
                at += size
    return Layout([field for field in fields if field.size], sorted(cuts))


def seal_midi(content: bytes) -> bytes:
    """Correct the lengths of the tracks."""
    data = bytearray(content)
    starts = [found.start() for found in re.finditer(b"MTrk", content)]
    for start, end in pairwise([*starts, len(content)]):
        if start + 8 <= end:
            data[start + 4 : start + 8] = (end - start - 8).to_bytes(4, "big")
    return bytes(data)


def insert_midi_events(content: bytes, random: Random) -> bytes:
    """Insert random events, often many, at the start of a track or at an event."""
    cuts = midi(content).cuts
    if not cuts:
        return content
    at = random.choice(cuts)
    at += 8 * (content[at : at + 4] == b"MTrk")
    channel = random.randrange(16)
    kinds = [
        lambda: bytes((0x90 | channel, random.randrange(128), random.randrange(128))),
        lambda: bytes((0x80 | channel, random.randrange(128), 0)),
        lambda: bytes((0xC0 | random.randrange(16), random.randrange(128))),
        lambda: bytes((0xB0 | channel, random.choice((64, 120, 121, 123, 7)), random.randrange(128))),
        lambda: b"\xff\x51\x03" + random.choice((bytes(3), b"\xff\xff\xff", b"\0\0\1", random.randbytes(3))),
        lambda: b"\xff\x58\x04" + bytes((random.choice((0, 1, 4, 255)), random.choice((0, 2, 7, 33)), 24, 8)),
        lambda: b"\xff\x59\x02" + random.randbytes(2),
        lambda: bytes((0xFF, random.choice((1, 3)), 4)) + random.randbytes(4),
    ]
    chosen = random.sample(kinds, random.randint(1, 3))
    times = random.choice(
        ((b"\0",), (b"\x60",), (b"\0", b"\x83\x60"), (b"\xff\xff\xff\x7f",), (b"\xbf\x7f",))
    )
    events = [random.choice(times) + random.choice(chosen)() for _ in range(random.choice((1, 5, 50, 2000)))]
    return content[:at] + b"".join(events) + content[at:]
