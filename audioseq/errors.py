"""Errors that a user can cause. The message is one line: where, what is wrong, and what to do."""

from __future__ import annotations


class AudioseqError(Exception):
    """Base class of all errors of this package; the command line prints them as one line."""


class AudioError(AudioseqError):
    """A recording cannot be read or contains no usable audio."""


class ConfigError(AudioseqError):
    """A configuration file or an option is invalid."""


class CheckpointError(AudioseqError):
    """A model file is missing, damaged, unsafe, or made for another task."""


class DataError(AudioseqError):
    """A manifest, a text or another data file cannot be used."""


class FileError(AudioseqError):
    """A file cannot be written, or already exists and must not be overwritten."""


class MidiError(AudioseqError):
    """A MIDI file cannot be read or contains nothing usable."""
