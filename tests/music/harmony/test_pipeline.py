"""Harmonisation: rules hold for any model, equal seeds give equal files, errors are one line."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import soundfile as sf
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import audioseq
from audioseq.cli.main import run
from audioseq.errors import CheckpointError, ConfigError
from audioseq.midi import Score
from audioseq.music.generation.sampling import Sampling
from audioseq.music.harmony import pipeline
from audioseq.music.harmony.evaluate import evaluate
from audioseq.music.harmony.generate import PartialHarmonisation, generate
from audioseq.music.representation.part_writing import HIGHEST_PITCH, LOWEST_PITCH, count_violations
from tests.music.harmony import tiny


@given(
    st.lists(st.integers(60, 81), min_size=1, max_size=12),
    st.integers(0, 10**6),
    st.floats(0, 1e9),
    st.floats(0, 9),
)
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
def test_ranges_and_order_of_voices_hold_for_any_model(
    melody: list[int], seed: int, temperature: float, scale: float
) -> None:
    model = tiny.model(seed, scale)
    for strict in (True, False):
        piece = PartialHarmonisation(np.array(melody), np.random.default_rng(seed))
        generate(model, [piece], Sampling(temperature), strict=strict)
        frames = piece.frames
        assert frames[:, 0].tolist() == melody
        assert (frames >= LOWEST_PITCH).all() and (frames <= HIGHEST_PITCH).all()
        assert (np.diff(frames, axis=1) <= 0).all()


def test_parallels_are_avoided() -> None:
    melody = np.repeat(np.random.default_rng(1).integers(76, 82, 60), 2)
    found = []
    for strict in (True, False):
        piece = PartialHarmonisation(melody, np.random.default_rng(0))
        generate(tiny.model(3, 1.0), [piece], Sampling(), strict=strict)
        found.append(count_violations(piece.frames))
    assert found[0].fifths + found[0].octaves == 0 < found[1].fifths + found[1].octaves


def test_lower_voices_stay_below_a_melody_wider_than_the_range() -> None:
    pitches = [55, 62, 58, 62, 69, 95, 84, 52]
    (piece,) = tiny.harmoniser().harmonise(tiny.scale(pitches), 1)
    for note in piece.score.notes:
        over = pitches[int(note.onset / 0.5) : int(np.ceil(note.end / 0.5 - 1e-9))]
        assert note.pitch <= min(over)


def test_model_with_nan_weights_harmonises() -> None:
    harmoniser = tiny.harmoniser()
    with torch.no_grad():
        for parameter in harmoniser.model.parameters():
            parameter.fill_(torch.nan)
    assert len({note.track for note in harmoniser.harmonise(tiny.scale(), 1)[0].score.notes}) == 4


def test_files_of_a_harmonisation(tmp_path: Path) -> None:
    (piece,) = tiny.harmoniser().harmonise(tiny.scale(), 1)
    piece.save(tmp_path / "a.mid")
    piece.to_wav(tmp_path / "a.wav")
    piece.plot(tmp_path / "a.svg")
    piece.to_musicxml(tmp_path / "a.musicxml", title="A")
    assert len(Score.load(tmp_path / "a.mid").notes) == len(piece.score.notes)
    assert sf.info(str(tmp_path / "a.wav")).channels == 2
    assert "<svg" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.musicxml").read_text().count("<part-name>") == 4


def test_a_pedal_does_not_turn_the_melody_into_chords(tmp_path: Path) -> None:
    pitches = (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64)
    track = mido.MidiTrack()
    for number, pitch in enumerate(pitches):
        if number % 4 == 0:
            track.append(mido.Message("control_change", control=64, value=0))
            track.append(mido.Message("control_change", control=64, value=127))
        track.append(mido.Message("note_on", note=pitch))
        track.append(mido.Message("note_off", note=pitch, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "pedal.mid")
    model = tiny.model_file(tmp_path / "tiny.safetensors")
    (piece,) = pipeline.harmonise(tmp_path / "pedal.mid", 1, model=model)
    soprano = [note for note in piece.score.notes if note.track == 0]
    assert [note.pitch for note in soprano] == list(pitches) and not piece.warnings
    assert all(note.duration == pytest.approx(0.5) for note in soprano)
    path = tmp_path / "pedal.mid"
    assert audioseq.harmonise(path, 1, model=model) == piece
    from_score = audioseq.harmonise(Score.load(path, pedal=False), 1, model=model)
    assert from_score.score.notes == piece.score.notes


def test_files_depend_on_the_seed_only() -> None:
    first, again, other = (
        tiny.harmoniser().harmonise(tiny.scale(), seed, count=2)[1].score.to_bytes() for seed in (7, 7, 8)
    )
    assert first == again != other
    assert "seed 7, piece 1" in Score.load(first).text


def test_an_error_of_the_check_stops_the_harmonisation() -> None:
    calls = iter(range(5))
    with pytest.raises(StopIteration):
        tiny.harmoniser().harmonise(tiny.scale(), 0, check=lambda: next(calls))


def test_best_of_returns_the_most_probable() -> None:
    harmoniser = tiny.harmoniser()
    one = harmoniser.harmonise(tiny.scale(), 7)[0]
    assert harmoniser.harmonise(tiny.scale(), 7, best_of=9)[0].nats <= one.nats
    assert harmoniser.harmonise(tiny.scale(), 7)[0].score == one.score


@pytest.mark.parametrize(
    ("options", "message"),
    [({"seed": -1}, "seed is -1"), ({"count": 0}, "count is 0"), ({"best_of": 65}, "best-of is 65")],
)
def test_values_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny.harmoniser().harmonise(tiny.scale(), **options)  # type: ignore[arg-type]


def test_model_of_another_task() -> None:
    with pytest.raises(CheckpointError, match="for speech, not for harmony"):
        pipeline.load_harmoniser("digits")


def test_evaluate_counts_rules_in_references_and_harmonisations(tmp_path: Path) -> None:
    model = tiny.model_file(tmp_path / "m.safetensors")
    tiny.harmoniser().harmonise(tiny.scale((67, 67, 69, 71)), 1)[0].save(tmp_path / "a.mid")
    (tmp_path / "test.jsonl").write_text('{"midi_filepath": "a.mid"}\n')
    found = evaluate(model, tmp_path / "test.jsonl")
    assert found["pieces"] == 1 and found["sixteenths"] == 16
    voices = [found[f"nats_{name}"] for name in ("alto", "tenor", "bass")]
    assert found["nats"] == pytest.approx(np.mean(voices))
    assert found["theirs"]["chords"] >= 3 <= found["ours"]["chords"]


def test_harmonise_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, tune, out = (
        tiny.model_file(tmp_path / "m.safetensors"),
        tmp_path / "tune.mid",
        tmp_path / "out.mid",
    )
    score = tiny.melody((64, 0, 1.1), (66, 1, 1), (55, 2, 1 / 3), (69, 4, 2), bpm=93)
    score.save(tune)
    command = ["compose", "--harmonise", str(tune), "-m", str(model), "--seed", "5", "-o", str(out)]
    assert run(command) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out}\n"
    assert printed.err.splitlines()[-1] == "seed 5" and "5 semitones higher" in printed.err
    before, after = (mido.MidiFile(path) for path in (tune, out))
    assert after.tracks[0][0].text.endswith("seed 5, piece 0, harmonised")
    notes = [[m for m in track if m.type.startswith("note")] for track in (before.tracks[1], after.tracks[1])]
    assert [(m.type, m.note, m.velocity, m.time) for m in notes[0]] == [
        (m.type, m.note, m.velocity, m.time) for m in notes[1]
    ]
    written = pretty_midi.PrettyMIDI(str(out))
    assert [instrument.name for instrument in written.instruments] == ["soprano", "alto", "tenor", "bass"]
    assert all(note.end > note.start for instrument in written.instruments for note in instrument.notes)
    assert run(command) == 1 and "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"no MIDI", [], "is not a MIDI file"),
        (None, [], "cannot be read"),
        (Score(()).to_bytes(), [], "has no notes"),
        (tiny.melody((67, 0, 1), (67, 3000, 1)).to_bytes(), [], "tune.mid: its melody has 12004 sixteenths"),
        (tiny.scale().to_bytes(), ["--temperature", "-1"], "temperature"),
        (tiny.scale().to_bytes(), ["-m", "digits"], "for speech, not for harmony"),
        (tiny.scale().to_bytes(), ["-o", "missing/out.mid"], "cannot be written"),
    ],
)
def test_errors_are_one_line(
    content: bytes | None, options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    tiny.model_file(tmp_path / "m.safetensors")
    if content is not None:
        (tmp_path / "tune.mid").write_bytes(content)
    assert run(["compose", "--harmonise", "tune.mid", "-m", "m.safetensors", *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
    assert {path.name for path in tmp_path.iterdir()} <= {"m.safetensors", "tune.mid"}


def test_composition_options_conflict_with_harmonise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.scale().save(tmp_path / "tune.mid")
    assert run(["compose", "--harmonise", str(tmp_path / "tune.mid"), "--bars", "4"]) == 2
    assert "a style, key, tempo" in capsys.readouterr().err
