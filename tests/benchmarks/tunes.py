"""Twenty plain tunes in the public domain, for measurements of continuations.

A tune is a list of notes such as `g4 1`: name, octave (c4 is middle C) and quarters, separated by commas; `r`
is a rest.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from audioseq.midi import Note, Score


class Tune(NamedTuple):
    """A tune: name, tonic (0 is C), whether it is minor, time signature, quarters per minute, notes."""

    name: str
    tonic: int
    minor: bool
    meter: tuple[int, int]
    bpm: float
    notes: str


TUNES = (
    Tune("Ode to Joy", 2, False, (4, 4), 112,
         "f#4 1,f#4 1,g4 1,a4 1,a4 1,g4 1,f#4 1,e4 1,d4 1,d4 1,e4 1,f#4 1,f#4 1.5,e4 .5,e4 2,"
         "f#4 1,f#4 1,g4 1,a4 1,a4 1,g4 1,f#4 1,e4 1,d4 1,d4 1,e4 1,f#4 1,e4 1.5,d4 .5,d4 2"),
    Tune("Twinkle, twinkle", 0, False, (4, 4), 100,
         "c4 1,c4 1,g4 1,g4 1,a4 1,a4 1,g4 2,f4 1,f4 1,e4 1,e4 1,d4 1,d4 1,c4 2,"
         "g4 1,g4 1,f4 1,f4 1,e4 1,e4 1,d4 2,g4 1,g4 1,f4 1,f4 1,e4 1,e4 1,d4 2"),
    Tune("Frère Jacques", 5, False, (4, 4), 120,
         "f4 1,g4 1,a4 1,f4 1,f4 1,g4 1,a4 1,f4 1,a4 1,bb4 1,c5 2,a4 1,bb4 1,c5 2,"
         "c5 .5,d5 .5,c5 .5,bb4 .5,a4 1,f4 1,c5 .5,d5 .5,c5 .5,"
         "bb4 .5,a4 1,f4 1,f4 1,c4 1,f4 2,f4 1,c4 1,f4 2"),
    Tune("Mary had a little lamb", 7, False, (4, 4), 110,
         "b4 1,a4 1,g4 1,a4 1,b4 1,b4 1,b4 2,a4 1,a4 1,a4 2,b4 1,d5 1,d5 2,"
         "b4 1,a4 1,g4 1,a4 1,b4 1,b4 1,b4 1,b4 1,a4 1,a4 1,b4 1,a4 1,g4 4"),
    Tune("London Bridge", 10, False, (4, 4), 120,
         "f4 1.5,g4 .5,f4 1,eb4 1,d4 1,eb4 1,f4 2,c4 1,d4 1,eb4 2,d4 1,eb4 1,f4 2,"
         "f4 1.5,g4 .5,f4 1,eb4 1,d4 1,eb4 1,f4 2,c4 2,f4 2,d4 1,bb3 3"),
    Tune("Jingle Bells", 9, False, (4, 4), 132,
         "c#5 1,c#5 1,c#5 2,c#5 1,c#5 1,c#5 2,c#5 1,e5 1,a4 1.5,b4 .5,c#5 4,"
         "d5 1,d5 1,d5 1.5,d5 .5,d5 1,c#5 1,c#5 1,c#5 .5,c#5 .5,c#5 1,b4 1,b4 1,c#5 1,b4 2,e5 2"),
    Tune("Silent Night", 3, False, (6, 8), 60,
         "bb4 .75,c5 .25,bb4 .5,g4 1.5,bb4 .75,c5 .25,bb4 .5,"
         "g4 1.5,f5 1,f5 .5,d5 1.5,eb5 1,eb5 .5,bb4 1.5,"
         "c5 1,c5 .5,eb5 .75,d5 .25,c5 .5,bb4 .75,c5 .25,bb4 .5,g4 1.5"),
    Tune("Amazing Grace", 7, False, (3, 4), 84,
         "r 2,d4 1,g4 2,b4 .5,g4 .5,b4 2,a4 1,g4 2,e4 1,d4 2,"
         "d4 1,g4 2,b4 .5,g4 .5,b4 2,a4 1,d5 3,r 2,b4 1,"
         "d5 2,b4 .5,g4 .5,b4 2,a4 1,g4 2,e4 1,d4 2,d4 1,g4 2,b4 .5,g4 .5,b4 2,a4 1,g4 3"),
    Tune("Au clair de la lune", 0, False, (4, 4), 108,
         "c5 1,c5 1,c5 1,d5 1,e5 2,d5 2,c5 1,e5 1,d5 1,d5 1,c5 4,"
         "c5 1,c5 1,c5 1,d5 1,e5 2,d5 2,c5 1,e5 1,d5 1,d5 1,c5 4"),
    Tune("Row, row, row your boat", 0, False, (6, 8), 90,
         "c4 1.5,c4 1.5,c4 1,d4 .5,e4 1.5,e4 1,d4 .5,e4 1,"
         "f4 .5,g4 3,c5 .5,c5 .5,c5 .5,g4 .5,g4 .5,g4 .5,"
         "e4 .5,e4 .5,e4 .5,c4 .5,c4 .5,c4 .5,g4 1,f4 .5,e4 1,d4 .5,c4 3"),
    Tune("Good Morning to All", 5, False, (3, 4), 100,
         "r 2,c4 .75,c4 .25,d4 1,c4 1,f4 1,e4 2,c4 .75,c4 .25,d4 1,c4 1,g4 1,f4 2,c4 .75,c4 .25,"
         "c5 1,a4 1,f4 1,e4 1,d4 1,bb4 .75,bb4 .25,a4 1,f4 1,g4 1,f4 3"),
    Tune("Yankee Doodle", 7, False, (2, 4), 112,
         "g4 .5,g4 .5,a4 .5,b4 .5,g4 .5,b4 .5,a4 1,g4 .5,g4 .5,a4 .5,b4 .5,g4 1,f#4 1,"
         "g4 .5,g4 .5,a4 .5,b4 .5,c5 .5,b4 .5,a4 .5,g4 .5,f#4 .5,d4 .5,e4 .5,f#4 .5,g4 1,g4 1"),
    Tune("Auld Lang Syne", 5, False, (4, 4), 96,
         "r 3,c4 1,f4 1.5,f4 .5,f4 1,a4 1,g4 1.5,f4 .5,g4 1,a4 1,f4 1.5,f4 .5,a4 1,c5 1,d5 3,d5 1,"
         "c5 1.5,a4 .5,a4 1,f4 1,g4 1.5,f4 .5,g4 1,a4 1,f4 1.5,d4 .5,d4 1,c4 1,f4 3"),
    Tune("Oh! Susanna", 2, False, (4, 4), 126,
         "r 3,d4 .5,e4 .5,f#4 1,a4 1,a4 1.5,b4 .5,a4 1,f#4 1,"
         "d4 1.5,e4 .5,f#4 1,f#4 1,e4 1,d4 1,e4 3,d4 .5,e4 .5,"
         "f#4 1,a4 1,a4 1.5,b4 .5,a4 1,f#4 1,d4 1.5,e4 .5,f#4 1,f#4 1,e4 1,e4 1,d4 3"),
    Tune("When the Saints", 5, False, (4, 4), 140,
         "r 1,f4 1,a4 1,bb4 1,c5 4,r 1,f4 1,a4 1,bb4 1,c5 4,"
         "r 1,f4 1,a4 1,bb4 1,c5 2,a4 2,f4 2,a4 2,g4 4,"
         "r 1,a4 1,a4 1,g4 1,f4 3,f4 1,a4 2,c5 1,c5 1,bb4 4"),
    Tune("Hänschen klein", 4, False, (4, 4), 110,
         "b4 1,g#4 1,g#4 2,a4 1,f#4 1,f#4 2,e4 1,f#4 1,g#4 1,a4 1,b4 1,b4 1,b4 2,"
         "b4 1,g#4 1,g#4 2,a4 1,f#4 1,f#4 2,e4 1,g#4 1,b4 1,b4 1,e4 4"),
    Tune("God rest ye merry", 4, True, (4, 4), 120,
         "r 3,e4 1,e4 1,b4 1,b4 1,a4 1,g4 1,f#4 1,e4 1,d4 1,e4 1,f#4 1,g4 1,a4 1,b4 3,e4 1,"
         "e4 1,b4 1,b4 1,a4 1,g4 1,f#4 1,e4 1,d4 1,e4 1,f#4 1,g4 1,a4 1,b4 3"),
    Tune("Greensleeves", 9, True, (6, 8), 60,
         "r 2.5,a4 .5,c5 1,d5 .5,e5 .75,f5 .25,e5 .5,d5 1,b4 .5,"
         "g4 .75,a4 .25,b4 .5,c5 1,a4 .5,a4 .75,g#4 .25,a4 .5,"
         "b4 1,g#4 .5,e4 1,a4 .5,c5 1,d5 .5,e5 .75,f5 .25,e5 .5,d5 1,b4 .5,g4 .75,a4 .25,b4 .5,"
         "c5 .75,b4 .25,a4 .5,g#4 .75,f#4 .25,g#4 .5,a4 3"),
    Tune("Korobeiniki", 2, True, (4, 4), 132,
         "a4 1,e4 .5,f4 .5,g4 1,f4 .5,e4 .5,d4 1,d4 .5,f4 .5,a4 1,"
         "g4 .5,f4 .5,e4 1.5,f4 .5,g4 1,a4 1,f4 1,d4 1,d4 2,"
         "r .5,g4 1,bb4 .5,d5 1,c5 .5,bb4 .5,a4 1.5,f4 .5,a4 1,"
         "g4 .5,f4 .5,e4 1,e4 .5,f4 .5,g4 1,a4 1,f4 1,d4 1,d4 2"),
    Tune("We Three Kings", 7, True, (3, 8), 72,
         "d5 1,c5 .5,bb4 1,g4 .5,a4 .5,bb4 .5,a4 .5,g4 1.5,"
         "d5 1,c5 .5,bb4 1,g4 .5,a4 .5,bb4 .5,a4 .5,g4 1.5,"
         "bb4 1,bb4 .5,c5 1,c5 .5,d5 1,d5 .5,f5 .5,"
         "eb5 .5,d5 .5,c5 .5,d5 .5,c5 .5,bb4 1,a4 .5,g4 1.5"),
)  # fmt: skip
"""The tunes, each in the key in which it is written here."""

_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE = re.compile(r"(?:([a-g])(#|b|)(\d)|r) ([\d.]+)")


def to_score(tune: Tune, program: int = 0, velocity: int = 80) -> Score:
    """Return a tune as a score with one track."""
    notes, beat = [], 0.0
    for entry in tune.notes.split(","):
        found = _NOTE.fullmatch(entry.strip())
        assert found, entry
        quarters = float(found[4])
        if found[1]:
            pitch = (
                {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[found[1]] + 12 * int(found[3]) + 12
            )
            pitch += {"#": 1, "b": -1, "": 0}[found[2]]
            notes.append(Note(pitch, velocity, beat * 60 / tune.bpm, quarters * 60 / tune.bpm, program))
        beat += quarters
    return Score(tuple(notes), ((0.0, tune.bpm),), ((0.0, *tune.meter),))
