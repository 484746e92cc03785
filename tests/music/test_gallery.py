"""The music in assets/: made by the commands beside it, and sound MIDI in the eyes of other libraries."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import mido
import pretty_midi
import pytest

from audioseq import checkpoint
from audioseq.midi import Score
from audioseq.models import resolve
from audioseq.music.memorisation.fingerprint import TENSOR, Fingerprint
from audioseq.music.representation.grid import to_grid

ASSETS = Path(__file__).parents[2] / "assets"
LINES = re.findall(r"^ +(audioseq compose .*)$", (ASSETS / "README.md").read_text(), flags=re.MULTILINE)
COMMANDS = [words for words in map(shlex.split, LINES) if "--style" in words]
MUSESCORE = shutil.which("mscore3") or shutil.which("mscore")


def value(words: list[str], option: str) -> str:
    """Return what follows an option."""
    return words[words.index(option) + 1]


PIECES = [ASSETS.parent / value(words, "-o") for words in COMMANDS]


def test_there_is_a_piece_of_each_style() -> None:
    assert {value(words, "--style") for words in COMMANDS} == {"pop", "lied", "quartet", "chorale"}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: Path(value(words, "-o")).name)
def test_a_piece_is_what_its_command_makes(words: list[str]) -> None:
    path = ASSETS.parent / value(words, "-o")
    score = Score.load(path)
    assert f"seed {value(words, '--seed')}, piece 0, style {value(words, '--style')}," in score.text
    assert len(score.bars()) - 1 <= int(value(words, "--bars"))
    if "--plot" in words:
        assert (ASSETS.parent / value(words, "--plot")).stat().st_size < 150_000
    heard = [note for track in pretty_midi.PrettyMIDI(str(path)).instruments for note in track.notes]
    assert len(heard) == len(score.notes) and min(note.end - note.start for note in heard) > 0
    for track in mido.MidiFile(path).tracks:
        sounding: set[int] = set()
        for message in track:
            if message.type == "note_on":
                assert message.note not in sounding
                sounding.add(message.note)
            elif message.type == "note_off":
                sounding.remove(message.note)
        assert not sounding


def test_no_piece_has_a_run_that_the_model_learnt_from() -> None:
    heard = Fingerprint.from_tensor(checkpoint.load(resolve("music-small")).weights[TENSOR])
    assert len(heard.bits) == 2**21
    assert not any(heard.has_run_of(to_grid(Score.load(path))) for path in PIECES)


@pytest.mark.skipif(MUSESCORE is None, reason="MuseScore is not installed")
@pytest.mark.parametrize("name", ["quartet", "pop", "lied", "chorale", "ode-to-joy-harmonised"])
def test_musescore_reads_every_note(name: str, tmp_path: Path) -> None:
    path, written = ASSETS / f"{name}.mid", tmp_path / "score.musicxml"
    subprocess.run(
        [str(MUSESCORE), "-o", str(written), str(path)], env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    found = written.read_text()
    tied = found.count('<tie type="stop"')  # what sounds over a bar line is written twice
    assert found.count("<pitch>") - tied == len(Score.load(path).notes)
