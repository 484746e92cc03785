"""Music as notes with times in seconds, read from and written to Standard MIDI Files.

Files are parsed with mido, the parser that pretty_midi also uses. pretty_midi itself takes twice as long
(0.14 s for an average file, against 0.08 s), allocates a table with one entry per tick, ignores tempo changes
outside the first track, and has no public function to write them. symusic parses 30 times as fast, but a
corpus is read only once, and symusic depends on a downloader.
"""

from audioseq.midi.notes import Note as Note
from audioseq.midi.score import Score as Score

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
"""File name suffixes of MIDI files: also of karaoke, and of MIDI within RIFF."""
