"""Audio input and output, log-mel features and augmentation; the functions of `io` are exported here."""

from __future__ import annotations

from audioseq.audio.io import (
    SAMPLE_RATE,
    SUFFIXES,
    Stream,
    convert,
    find_recordings,
    load,
    read,
    stream,
    write,
)

__all__ = [
    "SAMPLE_RATE",
    "SUFFIXES",
    "Stream",
    "convert",
    "find_recordings",
    "load",
    "read",
    "stream",
    "write",
]
