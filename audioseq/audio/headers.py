"""Recordings whose headers disagree with their content: interrupted, streamed and joined files.

libsndfile trusts the headers. `find_parts` returns byte ranges, with corrected headers, from which it reads
everything that is there.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

UNKNOWN_SIZE = 0x7FFF0000
"""Programs that cannot seek back write a data size of 0, or a placeholder of at least this."""
MAX_CHUNKS = 1000
"""Chunks of a RIFF file before its data; a damaged file could have a chunk every 8 bytes."""
FLAC_STREAMINFO = b"\0\0\x22"
"""Length of the first block of metadata of a FLAC file, which is always the same."""
XING_SEARCH_BYTES = 200
"""Bytes of the first MPEG frame in which the Xing or Info header lies."""
MPEG_KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of MPEG-1 (True) and MPEG-2 (False) layer III by the index in the frame header."""
MPEG_RATES_HZ = {0: (11025, 12000, 8000), 2: (22050, 24000, 16000), 3: (44100, 48000, 32000)}
"""Sample rates by the version field of the frame header."""


class Part(NamedTuple):
    """A byte range of a file that is a complete recording for libsndfile."""

    start: int = 0
    end: int | None = None
    """Byte after the last; None for the end of the file."""
    head: bytes = b""
    """Replaces the first bytes of the range."""
    exact: bool = False
    """Whether an MP3 file has a header with its exact length."""
    ended: bool = True
    """False if the end of the recording is missing, by an unknown amount."""


class PartFile(io.RawIOBase):
    """Seekable read-only view of a part of a file."""

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self._file, self._start, self._head = file, part.start, part.head
        self._size = (file.seek(0, os.SEEK_END) if part.end is None else part.end) - part.start
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        size = left if size is None or size < 0 else min(size, left)
        self._file.seek(self._start + self._at)
        content = self._file.read(size)
        if self._at < len(self._head):
            replaced = self._head[self._at : self._at + len(content)]
            content = replaced + content[len(replaced) :]
        self._at += len(content)
        return content

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def find_parts(file: BinaryIO) -> list[Part]:
    """Return the parts of a recording, in order; a file without faults is one part."""
    file.seek(0)
    start = file.read(12)
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        return [_wav(file)]
    if start[:4] == b"OggS":
        return list(_ogg(file))
    if start[:4] == b"fLaC":
        return list(_flac(file))
    return [_mp3(file)]


def _wav(file: BinaryIO) -> Part:
    """Correct the size of the data chunk if it is unknown, or if audio follows the chunk."""
    size = file.seek(0, os.SEEK_END)
    at = 12
    for _ in range(MAX_CHUNKS):
        name, declared = _chunk(file, at)
        if name == b"data":
            break
        if len(name) < 4:
            return Part()
        at += 8 + declared + declared % 2
    else:
        return Part()
    data = at + 8
    left = size - data
    if declared >= UNKNOWN_SIZE and left < declared:
        declared = 0
    elif left > declared + 8:
        # Metadata or padding may follow the samples; anything else was written after the header.
        follows, length = _chunk(file, data + declared + declared % 2)
        known = follows.isascii() and follows.decode("ascii").isprintable() and length <= left - declared
        if known or (declared and not any(follows)):
            return Part()
        declared = 0
    if declared or left <= 0 or left >= 2**32 - data:
        return Part()
    file.seek(0)
    head = bytearray(file.read(data))
    struct.pack_into("<I", head, 4, data - 8 + left)
    struct.pack_into("<I", head, at + 4, left)
    return Part(head=bytes(head))


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    file.seek(at)
    header = file.read(8)
    return header[:4], int.from_bytes(header[4:], "little")


def _ogg(file: BinaryIO) -> Iterator[Part]:
    """Yield the links of a chained Ogg file, which libsndfile reads only up to the end of the first."""
    size = file.seek(0, os.SEEK_END)
    start = at = 0
    was_first = ended = True
    while at + 27 <= size:
        file.seek(at)
        header = file.read(27)
        if header[:4] != b"OggS":
            at = _find(file, b"OggS", at + 1, size)
            continue
        table = file.read(header[26])
        first, last = bool(header[5] & 2), bool(header[5] & 4)
        if first and not was_first:  # several streams of one link begin next to each other
            yield Part(start, at, ended=ended)
            start = at
        after = at + 27 + len(table) + sum(table)
        was_first, ended, at = first, last and after <= size, after
    yield Part(start, ended=ended and at <= size)


def _flac(file: BinaryIO) -> Iterator[Part]:
    """Yield the recordings of joined FLAC files, of which libsndfile reads only the first."""
    size = file.seek(0, os.SEEK_END)
    start = at = 0
    while (at := _find(file, b"fLaC", at + 4, size)) < size:
        file.seek(at + 4)
        if file.read(4)[1:] == FLAC_STREAMINFO:
            yield Part(start, at)
            start = at
    yield Part(start)


def _find(file: BinaryIO, mark: bytes, at: int, size: int) -> int:
    """Return the position of a mark at or after a position, or the size of the file."""
    while at < size:
        file.seek(at)
        found = file.read(1 << 16).find(mark)
        if found >= 0:
            return at + found
        at += (1 << 16) - len(mark) + 1
    return size


def _mp3(file: BinaryIO) -> Part:
    """Correct the Xing header, which holds the length, of an MP3 file.

    That of joined files declares the length of the first only; without one, libmpg123 guesses the length.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    tag = file.read(10)
    start = 10 + _syncsafe(tag[6:]) if tag[:3] == b"ID3" and len(tag) == 10 else 0
    file.seek(start)
    head = file.read(XING_SEARCH_BYTES)
    length = _mpeg_frame_bytes(head)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if not length:
        return Part()
    if at >= 0 and len(head) >= at + 16:
        flags, _, declared = struct.unpack_from(">III", head, at + 4)
        if flags & 3 != 3:
            return Part()
        if size - start <= 1.05 * declared + 4096 or not _holds_frame(file, start + declared):
            return Part(exact=True)
        start += length
    return _add_xing(file, start, size)


def _add_xing(file: BinaryIO, start: int, size: int) -> Part:
    """Replace the first frame, which seldom decodes in such a file, by a header with the number of frames."""
    count, at = 0, start
    while at < size:
        file.seek(at)
        length = _mpeg_frame_bytes(file.read(4))
        count += length > 0
        at = at + length if length else _find(file, b"\xff", at + 1, size)
    file.seek(start)
    frame = file.read(4)
    length = _mpeg_frame_bytes(frame)
    mono, newer = frame[3] >> 6 == 3, bool(frame[1] & 8)
    place = 4 + {(True, False): 32, (False, False): 17}.get((newer, mono), 17 if newer else 9)
    if count < 3 or length < place + 16:
        return Part(start)
    header = bytes([frame[0], frame[1] | 1, *frame[2:]]).ljust(place, b"\0")
    header += struct.pack(">4sIII", b"Xing", 3, count - 1, size - start)
    return Part(start, head=header.ljust(length, b"\0"))


def _holds_frame(file: BinaryIO, at: int) -> bool:
    """Return whether an MPEG frame, perhaps after an ID3 tag, is at a position in a file."""
    file.seek(at)
    tag = file.read(10)
    if tag[:3] == b"TAG":
        file.seek(at := at + 128)
        tag = file.read(10)
    if tag[:3] == b"ID3" and len(tag) == 10:
        at += 10 + _syncsafe(tag[6:])
    file.seek(at)
    return _mpeg_frame_bytes(file.read(4)) > 0


def _syncsafe(content: bytes) -> int:
    """Return the number in four bytes of seven bits each."""
    return sum((byte & 127) << 7 * (3 - place) for place, byte in enumerate(content[:4]))


def _mpeg_frame_bytes(head: bytes) -> int:
    """Return the length of a layer III frame in bytes; 0 if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, kbits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or kbits in (0, 15) or rate == 3:
        return 0
    bits = 1000 * MPEG_KBITS[version == 3][kbits]
    return (144 if version == 3 else 72) * bits // MPEG_RATES_HZ[version][rate] + (head[2] >> 1 & 1)
