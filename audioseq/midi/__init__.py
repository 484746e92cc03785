"""Music as notes with times in seconds; Standard MIDI Files in and out.

Files are parsed by mido, which pretty_midi reads with too. pretty_midi itself takes twice as long (0.14 s for
an average file, against 0.08), makes a table as long as the piece has ticks, drops changes of tempo outside
the first track, and has no public way to write any. symusic parses 30 times as fast, which does not pay: a
corpus is read once, and symusic brings a downloader along.
"""

from audioseq.midi.notes import Note as Note
from audioseq.midi.score import Score as Score

SUFFIXES = (".mid", ".midi")
"""Of the names of files."""
