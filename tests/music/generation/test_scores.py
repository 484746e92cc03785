"""Scores of generated pieces: key signature, names and instruments, read back by another library."""

from __future__ import annotations

import io

import mido
import pretty_midi
import pytest

from audioseq.music.generation.scores import compose_score
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import GridNote, Piece
from audioseq.music.representation.keys import KEY_SIGNATURES, key_name, key_signature
from tests.music import tiny


@pytest.mark.parametrize(
    ("style", "programs", "names", "written"),
    [
        ("lied", (68, 0, 0), ("Voice", "Piano, right hand", "Piano, left hand"), (52, 0, 0)),
        ("quartet", (40, 40, 41, 42), ("Violin I", "Violin II", "Viola", "Cello"), (40, 40, 41, 42)),
        ("lied", (70, 40), ("Voice", "Violin"), (52, 40)),
        ("pop", (0, 0), ("Acoustic Grand Piano",) * 2, (0, 0)),
    ],
)
def test_names_and_key_are_written(
    style: str, programs: tuple[int, ...], names: tuple[str, ...], written: tuple[int, ...]
) -> None:
    notes = tuple(GridNote(24 * track, track, -60, 24, 80) for track in range(len(programs)))
    score = compose_score(Piece(notes, (1,), programs), v.STYLES.index(style), (6, True), "about it")
    content = score.to_bytes()
    file = pretty_midi.PrettyMIDI(io.BytesIO(content))
    assert tuple(each.name for each in file.instruments) == names
    assert tuple(each.program for each in file.instruments) == written
    assert [change.key_number for change in file.key_signature_changes] == [12 + 6]  # F sharp minor
    assert [(each.numerator, each.denominator) for each in file.time_signature_changes] == [(3, 4)]
    messages = [message for track in mido.MidiFile(file=io.BytesIO(content)).tracks for message in track]
    assert sum(message.type == "instrument_name" for message in messages) == len(programs)


def test_all_key_signatures_exist() -> None:
    for minor, names in enumerate(KEY_SIGNATURES):
        for tonic, name in enumerate(names):
            assert key_signature(tonic, bool(minor)) == name
            assert v.parse_key(name) == v.parse_key(key_name(tonic, bool(minor))) == (tonic, bool(minor))
            mido.MetaMessage("key_signature", key=name)


def test_a_composition_tells_what_was_drawn() -> None:
    piece = tiny.composer().compose(3)[0]
    assert piece.style in v.STYLES and piece.score.keys[0][1] == key_signature(*v.parse_key(piece.key))
    assert piece.score.tempos == ((0.0, piece.tempo),)
    assert piece.summary.startswith(f"{piece.style} in {piece.key}, ")
