"""The errors a user can cause. Each message is one line: what is wrong, where, and what to do about it."""

from __future__ import annotations


class AudioseqError(Exception):
    """Something outside the program is not as it must be; the command line prints it as one line."""


class AudioError(AudioseqError):
    """A recording cannot be read, or holds nothing that can be used."""


class ConfigError(AudioseqError):
    """A configuration file, or a value given for it, is wrong."""


class CheckpointError(AudioseqError):
    """A model file is damaged, hostile, of another task, or cannot be written."""


class DataError(AudioseqError):
    """A manifest, or the data it names, cannot be used."""


class MidiError(AudioseqError):
    """A MIDI file cannot be read, or holds nothing that can be used."""
