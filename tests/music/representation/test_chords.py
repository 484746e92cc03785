"""Chord symbols and Roman numerals, compared with music21, and progressions."""

from __future__ import annotations

import warnings

import pytest

from audioseq.errors import ConfigError
from audioseq.music.representation.chords import choose_key, parse_chord, parse_progression

SYMBOLS = [
    "C", "Am", "F#m", "Eb", "G7", "Dm7", "Cmaj7", "Bdim", "Bdim7", "Bm7b5", "Caug", "F6", "Am6",
    "Gsus4", "Asus2", "C9", "Fmaj9", "Dm9", "G7b9", "Gadd9", "C/E", "D/F#", "Am7/G", "Bbmaj7",
    "CmM7", "A5", "G7sus4", "G13",
]  # fmt: skip
NUMERALS = ["I", "ii", "iii", "IV", "V", "vi", "V7", "ii7", "vi7", "V7/V", "viio", "bVII", "IV"]
MINOR_NUMERALS = ["i", "iv", "v", "V", "V7", "VI", "III", "VII", "iio", "iv7"]


@pytest.mark.parametrize("name", SYMBOLS)
def test_symbols_have_the_tones_that_music21_gives_them(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from music21 import harmony

        # music21 writes flats as minus signs.
        figure = name.replace("7b9", "7 add b9").replace("maj9", "M9").replace("Eb", "E-").replace("Bb", "B-")
        expected = harmony.ChordSymbol(figure)
        tones = {pitch.pitchClass for pitch in expected.pitches}
    chord = parse_chord(name)
    if name == "G13":  # music21 adds the eleventh, which clashes with the third
        tones -= {0}
    assert (set(chord.tones), chord.root, chord.bass) == (
        tones,
        expected.root().pitchClass,
        expected.bass().pitchClass,
    )


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", [0, 3, 11])
def test_numerals_have_the_tones_that_music21_gives_them(tonic: int, minor: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from music21 import key, pitch, roman

        scale = key.Key(pitch.Pitch(tonic), "minor" if minor else "major")
        for name in MINOR_NUMERALS if minor else NUMERALS:
            expected = {each.pitchClass for each in roman.RomanNumeral(name, scale).pitches}
            assert set(parse_chord(name, (tonic, minor)).tones) == expected, name


def names(text: str) -> list[list[str]]:
    return [[chord.name for chord in bar] for bar in parse_progression(text).bars]


def test_bars_and_their_chords() -> None:
    assert names("| C | Am7 F/A | % | G % |") == [["C"], ["Am7", "F/A"], ["Am7", "F/A"], ["G", "G"]]
    assert names("C Am F G7") == names("C - Am - F - G7") == [["C"], ["Am"], ["F"], ["G7"]]
    progression = parse_progression("C | G Am")
    assert [progression.at(1, tick, 96).name for tick in (0, 47, 48, 95)] == ["G", "G", "Am", "Am"]
    assert progression.at(4, 0, 96).name == "C" and progression.after(3).at(3, 0, 96).name == "C"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C Am7 F G7", (0, False)),
        ("Dm Gm A7 Dm", (2, True)),
        ("Bb Gm Eb F", (10, False)),
        ("E B C#m A", (4, False)),
    ],
)
def test_the_key_fits_the_chords(text: str, key: tuple[int, bool]) -> None:
    assert choose_key(text, (6, True)) == key


def test_numerals_keep_the_tonic() -> None:
    assert choose_key("i iv V7 i", (2, False)) == (2, True) and choose_key("ii V7 Imaj7", (2, True)) == (
        2,
        False,
    )
    assert choose_key("ii V7", (2, True)) == (2, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("| C | H7 |", "chords have 'H7', which is no chord; give symbols such as C, Am7"),
        ("C/H", "'C/H', which is no chord"),
        ("", "chords have 0 bars"),
        ("| |", "empty bar 1"),
        ("| C | | G |", "empty bar 2; write % to repeat"),
        ("% C", "begin with a chord"),
        ("|" + " C" * 17 + "|", "chords have 17 in bar 1; give at most 16"),
        ("C " * 3000, "chords have 3000 bars"),
    ],
)
def test_bad_chords_are_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_progression(text)
    assert message in str(error.value) and "\n" not in str(error.value)
