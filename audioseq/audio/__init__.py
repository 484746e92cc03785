"""Audio input and output, log-mel features and augmentation; the functions of `io` are exported."""

from __future__ import annotations

from audioseq.audio.containers import INSTALL
from audioseq.audio.io import (
    SAMPLE_RATE,
    SUFFIXES,
    UNSUPPORTED_SUFFIXES,
    WRITE_SUFFIXES,
    convert,
    find_recordings,
    load,
    read,
    stream,
    stream_array,
    write,
)
from audioseq.audio.levels import Channels
from audioseq.audio.streams import Stream

__all__ = [
    "INSTALL",
    "SAMPLE_RATE",
    "SUFFIXES",
    "UNSUPPORTED_SUFFIXES",
    "WRITE_SUFFIXES",
    "Channels",
    "Stream",
    "convert",
    "find_recordings",
    "load",
    "read",
    "stream",
    "stream_array",
    "write",
]
