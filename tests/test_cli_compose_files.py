"""`audioseq compose`: sheet music, stems, sounds and instruments."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import audioseq
from audioseq.cli.main import run
from audioseq.midi import Score
from audioseq.midi.instruments import INSTRUMENTS
from audioseq.music.rendering.render import SOUND_FONT_VARIABLE
from tests.music import tiny

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a small untrained model."""
    return str(tiny.model_file(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture
def compose(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs `audioseq compose` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SOUND_FONT_VARIABLE, "")
    return lambda *options: run(["compose", "-m", model, "--bars", "2", "--seed", "7", *options])


def test_sheet_music_is_the_piece_or_beside_it(compose: Callable[..., int], capsys: Captured) -> None:
    assert compose("-o", "a.musicxml", "--abc", "a.abc") == 0
    assert capsys.readouterr().out == "a.musicxml\n"
    assert b"<score-partwise" in Path("a.musicxml").read_bytes() and Path("a.abc").read_text().startswith(
        "X:1\nT:a"
    )
    assert compose("-n", "2", "--musicxml", "b.xml", "-o", "b.abc") == 0
    assert {path.name for path in Path().glob("b*")} == {"b-1.xml", "b-2.xml", "b-1.abc", "b-2.abc"}


def test_wav_is_stereo_and_stems_add_up_to_it(compose: Callable[..., int]) -> None:
    assert compose("-o", "a.mid", "--wav", "a.wav", "--stems", "stems", "--no-reverb") == 0
    whole, rate = sf.read("a.wav")
    assert whole.shape[1] == 2 and rate == 44_100
    stems = [sf.read(path)[0] for path in sorted(Path("stems").iterdir())]
    assert len(stems) == len({note.track for note in Score.load("a.mid").notes})
    assert np.corrcoef(sum(stems).ravel(), whole.ravel())[0, 1] > 0.98  # but for the limiter of the whole


def test_python_has_the_same(model: str, compose: Callable[..., int]) -> None:
    assert (
        compose("-o", "a.mid", "--chords", "C | F G7", "--meter", "3/4", "--instruments", "flute, piano") == 0
    )
    piece = audioseq.compose(
        7, model=model, bars=2, chords="C | F G7", meter="3/4", instruments="flute, piano"
    )
    piece.save("b.mid")
    assert Path("a.mid").read_bytes() == Path("b.mid").read_bytes()
    piece.to_wav("b.wav")
    piece.plot("b.svg")
    piece.to_musicxml("b.musicxml")
    assert sf.info("b.wav").channels == 2 and all(
        Path(f"b.{each}").stat().st_size for each in ("svg", "musicxml")
    )
    longer = audioseq.compose(7, model=model, bars=2, primer=Score.load("b.mid"))
    assert longer.score.notes[: len(piece.score.notes)]
    assert longer.score.end > piece.score.end


def test_midi_is_humanised_and_sheet_music_is_not(compose: Callable[..., int]) -> None:
    assert compose("-o", "a.mid", "--style", "pop", "--musicxml", "a.musicxml") == 0
    assert (
        compose("-o", "b.mid", "--style", "pop", "--musicxml", "b.musicxml", "--humanise", "--no-pedal") == 0
    )
    bars = [re.findall("(?s)<measure .*?</measure>", Path(f"{name}.musicxml").read_text()) for name in "ab"]
    assert bars[0] == bars[1] and bars[0]
    exact, played = (Score.load(f"{name}.mid", pedal=False) for name in "ab")
    assert exact.pedals and not played.pedals
    pairs = [sorted((n.track, n.pitch) for n in each.notes) for each in (exact, played)]
    assert pairs[0] == pairs[1] and exact.notes != played.notes


def test_a_piece_with_a_pickup(compose: Callable[..., int]) -> None:
    assert compose("-o", "a.mid", "--meter", "3/4", "--pickup", "1", "--abc", "a.abc") == 0
    assert Score.load("a.mid").pickup == pytest.approx(1, abs=0.01)
    assert "M:3/4" in Path("a.abc").read_text()


def test_instruments_play_in_their_ranges(compose: Callable[..., int]) -> None:
    assert compose("-o", "a.mid", "--instruments", "Flute, cello, piano") == 0
    notes = Score.load("a.mid").notes
    assert {note.program for note in notes} <= {73, 42, 0}
    assert all(
        INSTRUMENTS[note.program].low <= note.pitch <= INSTRUMENTS[note.program].high for note in notes
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--musicxml", "a.mid"], 1, "a.mid: is not the name of a MusicXML file; name it .musicxml or .xml"),
        (["--abc", "a.txt"], 1, "a.txt: is not the name of an ABC file; name it .abc"),
        (["-o", "a.pdf"], 1, "a.pdf: is not the name of a MIDI, MusicXML or ABC file"),
        (["--instruments", "kazoo"], 1, "instrument is 'kazoo'; give names such as flute"),
        (["--wav", "a.wav", "--soundfont", "none.sf2"], 1, "none.sf2: file not found; give a sound font"),
        (["--chords", "C | H"], 1, "chords have 'H', which is no chord"),
        (["--meter", "4/5"], 1, "meter is '4/5'; give a time signature"),
        (["--meter", "3/4", "--pickup", "3"], 1, "pickup is 3; give 0.25 to 2.75 quarter notes"),
        (["--no-reverb"], 2, "needs --wav or --stems"),
        (["--stems", "file"], 1, "file: is a file; name a folder for the stems"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_options_are_one_line(
    options: list[str], code: int, message: str, compose: Callable[..., int], capsys: Captured
) -> None:
    Path("file").write_text("")
    assert compose(*options) == code
    printed = capsys.readouterr()
    assert (
        message in printed.err and printed.out == "" and [path.name for path in Path().iterdir()] == ["file"]
    )
    assert code == 2 or printed.err.count("\n") == 1


def test_help_is_in_groups(capsys: Captured) -> None:
    assert run(["compose", "--help"]) == 0
    printed = capsys.readouterr().out
    titles = [
        printed.index(f"\n{title}:\n")
        for title in ("Options", "Sampling", "The music", "Files beside the piece")
    ]
    assert titles == sorted(titles) and "--stems" in printed[titles[-1] :]
