"""Accompaniments: the melody is the user's, and the other parts are those of the style."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audioseq.errors import AudioseqError
from audioseq.midi import Note, Score
from audioseq.music.composing.composer import Composer
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.representation.event_state import Conditions
from tests.benchmarks.tunes import TUNES, to_score
from tests.music import tiny

PROGRAMS = {"pop": (0, 0, 0), "lied": (68, 0, 0), "quartet": (40, 40, 41, 42), "chorale": (52,) * 4}


@pytest.fixture(scope="module")
def composer() -> Composer:
    """Return an untrained composer that knows the instruments of all styles."""
    made = tiny.composer(scale=1.0)
    made.training_conditions = {
        style: [Conditions(number, 0, False, 16, 8, 8, programs)]
        for number, (style, programs) in enumerate(PROGRAMS.items())
    }
    return made


@pytest.mark.parametrize("style", ["pop", "lied", "quartet"])
def test_the_melody_is_unchanged(composer: Composer, style: str) -> None:
    tune = Score.load(replace(to_score(TUNES[6], program=73), ticks_per_beat=220).to_bytes())
    (made,) = composer.accompany(tune, 1, options=CompositionOptions(style=style), best_of=1)
    written = Score.load(made.score.to_bytes())
    melody = [note for note in written.notes if note.track == 0]
    assert [replace(note, track=0) for note in melody] == list(tune.notes)
    assert made.style == style and made.key == "Eb major"
    others = {note.program for note in written.notes if note.track > 0}
    assert others and others <= set(PROGRAMS[style][1:])
    assert (written.tempos, written.time_signatures) == (tune.tempos, tune.time_signatures)
    assert written.keys[0][1] == "Eb" and len(written.bars()) == len(tune.bars())


def test_the_named_track_is_the_melody(composer: Composer) -> None:
    tune = to_score(TUNES[1])
    flute = tuple(replace(note, pitch=note.pitch + 24, track=0) for note in tune.notes)
    voice = tuple(replace(note, track=1) for note in tune.notes)
    score = replace(tune, notes=flute + voice, names=("Flute", "Voice"))
    (made,) = composer.accompany(score, 1, options=CompositionOptions(style="lied"), best_of=1)
    assert [note for note in made.score.notes if note.track == 0] == list(tune.notes)
    assert made.score.names[0] == "Voice"
    assert made.warnings[0] == "track 2 (Voice) is used as the melody; other tracks are ignored: 1"


def test_chords_are_followed(composer: Composer) -> None:
    tune = to_score(TUNES[1])
    options = CompositionOptions(style="pop", chords="C F G C", density=4)
    (made,) = composer.accompany(tune, 1, options=options, best_of=1)
    assert [name for _, name in made.score.chords][:4] == ["C", "F", "G", "C"]
    inside = [
        note.pitch % 12 in {0: (0, 4, 7), 1: (0, 5, 9), 2: (2, 7, 11), 3: (0, 4, 7)}[int(bar) % 4]
        for note in made.score.notes
        if note.track > 0 and (bar := (made.score.beats(note.onset) + 1e-6) // 4) >= 0
    ]
    assert sum(inside) > 0.8 * len(inside)  # of random notes, a quarter


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "chorale"}, "style is 'chorale'; accompany in pop, lied, quartet, or harmonise"),
        ({"bars": 4}, "leave out bars"),
        ({"seconds": 4.0}, "leave out seconds"),
        ({"meter": "3/4"}, "leave out meter"),
    ],
)
def test_bad_requests(composer: Composer, options: dict[str, object], message: str) -> None:
    with pytest.raises(AudioseqError, match=message):
        composer.accompany(to_score(TUNES[1]), options=CompositionOptions(**options))  # type: ignore[arg-type]


def test_drums_are_no_melody(composer: Composer) -> None:
    with pytest.raises(AudioseqError, match="has no melody, only drums"):
        composer.accompany(Score((Note(36, 80, 0.0, 1.0, drum=True),)))
