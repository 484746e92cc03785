"""The instruments of General MIDI: names and ranges."""

from __future__ import annotations

from typing import NamedTuple


class Instrument(NamedTuple):
    """A program of General MIDI.

    Args:
        name: name of the program in the General MIDI standard.
        low: lowest sounding MIDI pitch that players are written.
        high: highest sounding MIDI pitch.
    """

    name: str
    low: int
    high: int


# Ranges: Adler 2002, "The study of orchestration", and those of usual models of other instruments.
# Synthetic sounds have the range of a piano keyboard.
_TABLE = """
Acoustic Grand Piano 21 108 | Bright Acoustic Piano 21 108 | Electric Grand Piano 21 108
Honky-tonk Piano 21 108 | Electric Piano 1 28 103 | Electric Piano 2 28 103
Harpsichord 29 89 | Clavinet 29 89 | Celesta 60 108
Glockenspiel 79 108 | Music Box 60 108 | Vibraphone 53 89
Marimba 36 96 | Xylophone 65 108 | Tubular Bells 60 77
Dulcimer 48 91 | Drawbar Organ 24 96 | Percussive Organ 24 96
Rock Organ 24 96 | Church Organ 24 96 | Reed Organ 29 89
Accordion 36 93 | Harmonica 48 96 | Tango Accordion 36 96
Acoustic Guitar (nylon) 40 84 | Acoustic Guitar (steel) 40 86 | Electric Guitar (jazz) 40 86
Electric Guitar (clean) 40 86 | Electric Guitar (muted) 40 86 | Overdriven Guitar 40 86
Distortion Guitar 40 86 | Guitar Harmonics 40 96 | Acoustic Bass 28 67
Electric Bass (finger) 23 67 | Electric Bass (pick) 23 67 | Fretless Bass 23 67
Slap Bass 1 23 67 | Slap Bass 2 23 67 | Synth Bass 1 21 72
Synth Bass 2 21 72 | Violin 55 103 | Viola 48 91
Cello 36 84 | Contrabass 24 67 | Tremolo Strings 28 103
Pizzicato Strings 28 103 | Orchestral Harp 23 104 | Timpani 36 57
String Ensemble 1 28 103 | String Ensemble 2 28 103 | Synth Strings 1 21 108
Synth Strings 2 21 108 | Choir Aahs 36 84 | Voice Oohs 36 84
Synth Voice 36 84 | Orchestra Hit 36 96 | Trumpet 52 86
Trombone 34 77 | Tuba 24 65 | Muted Trumpet 52 86
French Horn 34 77 | Brass Section 34 86 | Synth Brass 1 21 108
Synth Brass 2 21 108 | Soprano Sax 56 88 | Alto Sax 49 81
Tenor Sax 44 76 | Baritone Sax 36 69 | Oboe 58 91
English Horn 52 81 | Bassoon 34 75 | Clarinet 50 94
Piccolo 74 108 | Flute 59 98 | Recorder 53 98
Pan Flute 55 96 | Blown Bottle 55 96 | Shakuhachi 55 88
Whistle 60 96 | Ocarina 57 89 | Lead 1 (square) 21 108
Lead 2 (sawtooth) 21 108 | Lead 3 (calliope) 21 108 | Lead 4 (chiff) 21 108
Lead 5 (charang) 21 108 | Lead 6 (voice) 21 108 | Lead 7 (fifths) 21 108
Lead 8 (bass + lead) 21 108 | Pad 1 (new age) 21 108 | Pad 2 (warm) 21 108
Pad 3 (polysynth) 21 108 | Pad 4 (choir) 21 108 | Pad 5 (bowed) 21 108
Pad 6 (metallic) 21 108 | Pad 7 (halo) 21 108 | Pad 8 (sweep) 21 108
FX 1 (rain) 21 108 | FX 2 (soundtrack) 21 108 | FX 3 (crystal) 21 108
FX 4 (atmosphere) 21 108 | FX 5 (brightness) 21 108 | FX 6 (goblins) 21 108
FX 7 (echoes) 21 108 | FX 8 (sci-fi) 21 108 | Sitar 43 84
Banjo 48 88 | Shamisen 48 84 | Koto 43 86
Kalimba 48 84 | Bagpipe 55 81 | Fiddle 55 103
Shanai 57 88 | Tinkle Bell 60 108 | Agogo 48 96
Steel Drums 48 91 | Woodblock 48 96 | Taiko Drum 24 72
Melodic Tom 36 84 | Synth Drum 36 84 | Reverse Cymbal 21 108
Guitar Fret Noise 21 108 | Breath Noise 21 108 | Seashore 21 108
Bird Tweet 21 108 | Telephone Ring 21 108 | Helicopter 21 108
Applause 21 108 | Gunshot 21 108
"""


def _parse(entry: str) -> Instrument:
    name, low, high = entry.rsplit(maxsplit=2)
    return Instrument(name, int(low), int(high))


INSTRUMENTS = tuple(_parse(entry) for line in _TABLE.strip().splitlines() for entry in line.split(" | "))
"""The 128 programs, by number."""
PIANOS = range(8)
"""Programs that a pianist plays, with two hands."""
