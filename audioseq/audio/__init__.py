"""Waveforms: reading and writing, log-mel features, augmentation. The functions of `io` are here by name."""

from __future__ import annotations

from audioseq.audio.io import SAMPLE_RATE, SUFFIXES, Stream, find, load, prepare, read, stream, write

__all__ = ["SAMPLE_RATE", "SUFFIXES", "Stream", "find", "load", "prepare", "read", "stream", "write"]
